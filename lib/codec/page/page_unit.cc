#include "codec/page/page_unit.h"

#include "base/error.h"
#include "base/format.h"
#include "base/page_checksum.h"
#include "codec/page/exact_copy.h"

#include <cstring>

namespace walden::codec::page_codec {

namespace {

/// True unless the streams end early. `frame.page` and `frame.code` are set.
bool join_page(PageFrame& frame, UnitModel& model, HeapMemory& heap, IndexMemory& index) {
    switch (frame.code & page_kind_mask) {
        case static_cast<unsigned>(PageKind::whole): {
            const std::byte* const whole = model.streams.whole_pages.take(data_page_size);
            if (whole == nullptr) return false;
            std::memcpy(frame.page, whole, data_page_size);
            return true;
        }
        case static_cast<unsigned>(PageKind::zero):
            std::memset(frame.page, 0, data_page_size);
            return true;
        case static_cast<unsigned>(PageKind::heap):
            return join_header(frame, model.streams) && join_heap_page(frame, model, heap);
        case static_cast<unsigned>(PageKind::index):
            return join_header(frame, model.streams) && join_index_page(frame, model, index);
        default: return false;
    }
}

}  // namespace

void UnitSplitter::split_page(PageFrame& frame, std::optional<std::uint32_t> block_number,
                              UnitModel& model) {
    const ByteView page(frame.page, data_page_size);
    if (is_zero(page)) {
        *model.streams.page_codes.extend(1) = static_cast<std::byte>(PageKind::zero);
        return;
    }
    if (!read_frame(frame)) {
        *model.streams.page_codes.extend(1) = static_cast<std::byte>(PageKind::whole);
        std::memcpy(model.streams.whole_pages.extend(page.size()), page.data(), page.size());
        return;
    }
    if (frame.kind() == PageKind::heap)
        split_heap_items(frame, model, heap_shapes_, heap_memory_);
    else
        split_index_items(frame, model, index_shapes_, index_memory_);
    split_frame(frame, block_number, model.streams);
    ++moved_count_;
}

bool UnitSplitter::split(ByteView pages, std::span<const std::uint32_t> block_numbers,
                         UnitModel& model) {
    model.clear();
    choice_.choose(pages, frame_, model);
    heap_shapes_.clear();
    index_shapes_.clear();
    heap_memory_ = {};
    index_memory_ = {};
    moved_count_ = 0;
    for (std::size_t i = 0; i < pages.size() / data_page_size; ++i) {
        // Splitting only reads; the frame is that of joining as well.
        frame_.page = const_cast<std::byte*>(pages.data() + i * data_page_size);
        split_page(frame_, block_numbers.empty() ? std::nullopt : std::optional(block_numbers[i]),
                   model);
    }
    return moved_count_ > 0;
}

void join_unit(UnitModel& model, std::span<const std::uint32_t> block_numbers,
               MutableByteView pages, PageFrame& frame) {
    const std::size_t count = pages.size() / data_page_size;
    const std::byte* const codes = model.streams.page_codes.take(count);
    if (codes == nullptr)
        throw Error(ErrorKind::corrupt,
                    format("a page unit has fewer than the {} pages expected", count));
    HeapMemory heap;
    IndexMemory index;
    for (std::size_t i = 0; i < count; ++i) {
        frame.page = pages.data() + i * data_page_size;
        frame.code = std::to_integer<unsigned>(codes[i]);
        if (!join_page(frame, model, heap, index))
            throw Error(ErrorKind::corrupt, format("page {} of {} of a unit is invalid", i, count));
        if (!frame.has(checksum_is_computed)) continue;
        if (block_numbers.empty())
            throw Error(ErrorKind::usage, "this page unit is decoded with its block numbers only");
        store_le<std::uint16_t>(frame.page + page_checksum_offset,
                                page_checksum({frame.page, data_page_size}, block_numbers[i]));
    }
    for (const StreamSlot& slot : model.slots())
        if (slot.stream->remaining() != 0)
            throw Error(ErrorKind::corrupt, "a page unit has bytes that belong to no page");
}

}  // namespace walden::codec::page_codec
