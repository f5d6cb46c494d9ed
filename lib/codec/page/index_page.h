// The items of an index page: IndexTupleData (src/include/access/itup.h) and what btree makes of it
// (src/include/access/nbtree.h).
//
//   offset size
//     0     6     tuple id: where the row is; or something else, see below
//     6     2     info: 13 bits size, bit 13 «alternative», bit 14 variable widths, bit 15 nulls
//     8           key
//
// With the alternative bit the tuple id is something else: in inner pages and high keys the block
// is the page below and the offset a number of attributes; with bit 13 of the offset it is a
// posting list, whose tuple ids, so many as the low 12 bits of the offset say, begin at the block's
// number. Nothing depends on a page being a btree's: items that do not fit this stay as they are.
#pragma once

#include "codec/page/page_frame.h"
#include "codec/page/shape_finder.h"
#include "codec/page/unit_model.h"

#include <cstddef>
#include <cstdint>

namespace walden::codec::page_codec {

inline constexpr std::uint32_t index_header_size = 8;
inline constexpr std::uint32_t info_at = 6;
inline constexpr std::uint32_t alternative_bit = 0x2000;
inline constexpr std::uint32_t posting_bit = 0x2000;
inline constexpr std::uint32_t posting_count_mask = 0x0FFF;

/// Where the parts of an item are. The key begins behind the header.
struct IndexItem {
    std::uint32_t key_size = 0;
    std::uint32_t posting_count = 0;  ///< tuple ids behind the key
    std::uint32_t size = 0;           ///< of all, without padding
};

/// `length` is at least index_header_size and what the line pointer says.
[[nodiscard]] inline IndexItem parts_of(const std::byte* item, std::uint32_t length) {
    const std::uint32_t info = load_le<std::uint16_t>(item + info_at);
    const std::uint32_t offset = load_le<std::uint16_t>(item + 4);
    if ((info & alternative_bit) != 0 && (offset & posting_bit) != 0) {
        const std::uint32_t begin = load_block(item);
        const std::uint32_t count = offset & posting_count_mask;
        if (begin >= index_header_size && begin <= length &&
            padded_size(begin + count * tid_size) == padded_size(length) &&
            begin + count * tid_size <= length)
            return {begin - index_header_size, count, begin + count * tid_size};
    }
    return {length - index_header_size, 0, length};
}

/// The key before, in the order of line pointers and across pages. Both sides keep the same.
struct IndexMemory {
    const std::byte* key = nullptr;
    std::uint32_t key_size = 0;
};

/// Splitting: the items of a page that read_frame() has read. Completes frame.code.
void split_index_items(PageFrame& frame, UnitModel& model, ShapeFinder<IndexShape>& shapes,
                       IndexMemory& memory);

/// Joining: all of a page of which join_header() has been called. False if the streams end or are
/// not what a splitter writes.
[[nodiscard]] bool join_index_page(PageFrame& frame, UnitModel& model, IndexMemory& memory);

/// How many bytes two keys have in common at their beginning, 255 at most.
[[nodiscard]] std::uint32_t count_shared(const std::byte* key, std::uint32_t size,
                                         const IndexMemory& before);

}  // namespace walden::codec::page_codec
