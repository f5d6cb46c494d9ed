// The rows of a heap page: HeapTupleHeaderData (src/include/access/htup_details.h) and what
// follows.
//
//   offset size   header
//     0     4     xmin
//     4     4     xmax
//     8     4     cid, or xvac
//    12     6     ctid: the row itself, or the version that replaced it
//    18     2     infomask2: number of attributes (11 bits) and flags
//    20     2     infomask: flags
//    22     1     size of the header, a multiple of 8
//    23           null bitmap, and zeros up to that size
#pragma once

#include "codec/page/page_frame.h"
#include "codec/page/shape_finder.h"
#include "codec/page/unit_model.h"

#include <cstdint>

namespace walden::codec::page_codec {

/// What the row before was, across pages. Both sides keep the same.
struct HeapMemory {
    std::uint32_t xmin = 0;
    std::uint32_t cid = 0;
    std::uint32_t block = 0xFFFFFFFF;  ///< of the page before
};

/// Splitting: the items of a page that read_frame() has read. Completes frame.code and frame.block.
void split_heap_items(PageFrame& frame, UnitModel& model, ShapeFinder<HeapShape>& shapes,
                      HeapMemory& memory);

/// Joining: all of a page of which join_header() has been called. False if the streams end or are
/// not what a splitter writes.
[[nodiscard]] bool join_heap_page(PageFrame& frame, UnitModel& model, HeapMemory& memory);

/// Whether the item is a row whose header can be taken apart.
[[nodiscard]] bool is_row(const std::byte* item, std::uint32_t length);

/// The size of a row's header. At least 24 bytes of the item are readable.
[[nodiscard]] inline std::uint32_t header_size_of(const std::byte* row) {
    return std::to_integer<std::uint32_t>(row[22]);
}

}  // namespace walden::codec::page_codec
