// A unit of pages <-> its streams. The bytes are described in codec/page/FORMAT.md.
#pragma once

#include "base/bytes.h"
#include "codec/page/heap_page.h"
#include "codec/page/index_page.h"
#include "codec/page/model_choice.h"
#include "codec/page/page_frame.h"
#include "codec/page/shape_finder.h"
#include "codec/page/unit_model.h"

#include <cstdint>
#include <span>

namespace walden::codec::page_codec {

/// One thread at a time; memory is kept from unit to unit.
class UnitSplitter {
public:
    /// Takes `pages` apart, a whole number of pages up to unit_pages_max. `block_numbers` is empty
    /// or has a number for each page. False if no page is of a kind that gains by it; then the
    /// model is undefined.
    [[nodiscard]] bool split(ByteView pages, std::span<const std::uint32_t> block_numbers,
                             UnitModel& model);

private:
    void split_page(PageFrame& frame, std::optional<std::uint32_t> block_number, UnitModel& model);

    PageFrame frame_;
    ModelChoice choice_;
    ShapeFinder<HeapShape> heap_shapes_;
    ShapeFinder<IndexShape> index_shapes_;
    HeapMemory heap_memory_;
    IndexMemory index_memory_;
    std::uint32_t moved_count_ = 0;
};

/// Fills `pages` from the streams of `model`, which may hold anything. Throws Error(corrupt) for
/// what is not a unit of that many pages, Error(usage) if it needs block numbers that are not
/// given.
void join_unit(UnitModel& model, std::span<const std::uint32_t> block_numbers,
               MutableByteView pages, PageFrame& frame);

}  // namespace walden::codec::page_codec
