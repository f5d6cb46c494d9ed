#include "codec/page/page_frame.h"

#include "base/page_checksum.h"
#include "codec/page/exact_copy.h"

#include <algorithm>
#include <cstring>

namespace walden::codec::page_codec {

namespace {

// A page's row; see page_row_size.
constexpr std::size_t row_checksum_at = 8;
constexpr std::size_t row_flags_at = 10;
constexpr std::size_t row_lower_at = 12;
constexpr std::size_t row_special_at = 14;
constexpr std::size_t row_size_version_at = 16;
constexpr std::size_t row_prune_xid_at = 18;
constexpr std::size_t row_block_at = 22;
constexpr std::size_t row_stale_head_at = 26;
constexpr std::size_t row_stale_tail_at = 28;

/// So many zeros part the stale bytes at the start of a hole from those at its end.
constexpr std::size_t parting_zeros = 16;

constexpr std::uint32_t btree_special_size = 16;

/// Bytes of a hole that are not zero: some at its start, where line pointers were, and some at its
/// end, where items were that have been removed.
void find_stale(ByteView hole, PageFrame& frame) {
    frame.stale_head = 0;
    frame.stale_tail = 0;
    if (is_zero(hole)) return;
    std::size_t head = 0;
    std::size_t zeros = 0;
    while (head + zeros < hole.size() && zeros < parting_zeros) {
        if (hole[head + zeros] == std::byte{0}) {
            ++zeros;
        } else {
            head += zeros + 1;
            zeros = 0;
        }
    }
    const ByteView rest = hole.subspan(head);
    const auto first =
        std::find_if(rest.begin(), rest.end(), [](std::byte byte) { return byte != std::byte{0}; });
    frame.stale_head = static_cast<std::uint32_t>(head);
    frame.stale_tail = static_cast<std::uint32_t>(rest.end() - first);
}

void split_bytes(Stream& stream, ByteView bytes) {
    copy_exactly(stream.extend(bytes.size()), bytes.data(), bytes.size());
}

bool join_bytes(Stream& stream, std::byte* to, std::size_t size) {
    const std::byte* const taken = stream.take(size);
    if (taken == nullptr) return false;
    copy_exactly(to, taken, size);
    return true;
}

void split_row(const PageFrame& frame, std::byte* row) {
    const std::byte* const page = frame.page;
    const auto checksum = load_le<std::uint16_t>(page + page_checksum_offset);
    store_le<std::uint64_t>(row, load_lsn(page));
    store_le<std::uint16_t>(row + row_checksum_at,
                            frame.has(checksum_is_computed) ? std::uint16_t{0} : checksum);
    std::memcpy(row + row_flags_at, page + page_flags_at, 2);
    std::memcpy(row + row_lower_at, page + lower_at, 2);
    std::memcpy(row + row_special_at, page + special_at, 2);
    std::memcpy(row + row_size_version_at, page + size_version_at, 2);
    std::memcpy(row + row_prune_xid_at, page + prune_xid_at, 4);
    store_le<std::uint32_t>(row + row_block_at, frame.block);
    store_le<std::uint16_t>(row + row_stale_head_at, static_cast<std::uint16_t>(frame.stale_head));
    store_le<std::uint16_t>(row + row_stale_tail_at, static_cast<std::uint16_t>(frame.stale_tail));
}

Stream& special_stream(const PageFrame& frame, UnitStreams& streams) {
    return data_page_size - frame.special == btree_special_size ? streams.specials
                                                                : streams.other_specials;
}

void split_paddings(const PageFrame& frame, UnitStreams& streams) {
    for (std::uint32_t i = 0; i < frame.order.count; ++i) {
        const std::size_t size = frame.paddings.data()[i];
        split_bytes(streams.paddings, {frame.item_end(i) - size, size});
    }
}

bool take_ranks(ItemOrder& order, UnitStreams& streams) {
    const std::byte* const ranks = streams.ranks.take(std::size_t{order.count} * 2);
    if (ranks == nullptr) return false;
    for (std::uint32_t i = 0; i < order.count; ++i)
        order.ranks.data()[i] = load_le<std::uint16_t>(ranks + std::size_t{i} * 2);
    return true;
}

/// Gives each line pointer that has an item the item's offset.
void set_offsets(const PageFrame& frame) {
    if (frame.order.count == frame.count) {
        for (std::uint32_t i = 0; i < frame.count; ++i) {
            std::byte* const place = pointer_place(frame.page, i);
            store_le<std::uint32_t>(place,
                                    load_le<std::uint32_t>(place) | frame.order.offsets.data()[i]);
        }
        return;
    }
    std::uint32_t item = 0;
    for (std::uint32_t i = 0; i < frame.count; ++i) {
        std::byte* const place = pointer_place(frame.page, i);
        const auto pointer = load_le<std::uint32_t>(place);
        if (length_in(pointer) == 0) continue;
        store_le<std::uint32_t>(place, pointer | frame.order.offsets.data()[item++]);
    }
}

bool join_hole(const PageFrame& frame, std::uint32_t upper, UnitStreams& streams) {
    const std::size_t size = upper - frame.lower;
    if (frame.stale_head + frame.stale_tail > size) return false;
    std::memset(frame.page + frame.lower, 0, size);
    return join_bytes(streams.stale, frame.page + frame.lower, frame.stale_head) &&
           join_bytes(streams.stale, frame.page + upper - frame.stale_tail, frame.stale_tail);
}

}  // namespace

bool read_frame(PageFrame& frame) {
    const std::byte* const page = frame.page;
    frame.lower = load_le<std::uint16_t>(page + lower_at);
    frame.special = load_le<std::uint16_t>(page + special_at);
    const std::uint32_t upper = load_le<std::uint16_t>(page + upper_at);
    if (frame.lower < page_header_size || frame.lower > upper || upper > frame.special ||
        frame.special > data_page_size || (frame.lower - page_header_size) % pointer_size != 0)
        return false;
    frame.count = (frame.lower - page_header_size) / pointer_size;
    frame.code =
        static_cast<unsigned>(frame.special == data_page_size ? PageKind::heap : PageKind::index);
    frame.block = 0;
    frame.order.clear();
    for (std::uint32_t i = 0; i < frame.count; ++i) {
        const std::uint32_t pointer = load_pointer(page, i);
        if (length_in(pointer) != 0 && !frame.order.add(offset_in(pointer), length_in(pointer)))
            return false;
    }
    if (upper + frame.order.bytes != frame.special || !frame.order.find_ranks(frame.special))
        return false;
    if (!frame.order.is_in_order) frame.code |= has_ranks;
    return true;
}

void split_frame(PageFrame& frame, std::optional<std::uint32_t> block_number,
                 UnitStreams& streams) {
    std::byte* const page = frame.page;
    if (block_number && page_checksum({page, data_page_size}, *block_number) ==
                            load_le<std::uint16_t>(page + page_checksum_offset))
        frame.code |= checksum_is_computed;
    const std::uint32_t upper = frame.special - frame.order.bytes;
    const ByteView hole(page + frame.lower, upper - frame.lower);
    find_stale(hole, frame);
    *streams.page_codes.extend(1) = static_cast<std::byte>(frame.code);
    split_row(frame, streams.page_rows.extend(page_row_size));
    split_bytes(streams.stale, hole.first(frame.stale_head));
    split_bytes(streams.stale, hole.last(frame.stale_tail));
    split_bytes(special_stream(frame, streams),
                {page + frame.special, data_page_size - frame.special});
    if (frame.has(has_ranks)) {
        std::byte* const ranks = streams.ranks.extend(std::size_t{frame.order.count} * 2);
        for (std::uint32_t i = 0; i < frame.order.count; ++i)
            store_le<std::uint16_t>(ranks + std::size_t{i} * 2, frame.order.ranks.data()[i]);
    }
    if (frame.has(has_paddings)) split_paddings(frame, streams);
}

bool join_header(PageFrame& frame, UnitStreams& streams) {
    const std::byte* const row = streams.page_rows.take(page_row_size);
    if (row == nullptr) return false;
    std::byte* const page = frame.page;
    store_lsn(page, load_le<std::uint64_t>(row));
    std::memcpy(page + page_checksum_offset, row + row_checksum_at, 2);
    std::memcpy(page + page_flags_at, row + row_flags_at, 2);
    std::memcpy(page + lower_at, row + row_lower_at, 2);
    std::memcpy(page + special_at, row + row_special_at, 2);
    std::memcpy(page + size_version_at, row + row_size_version_at, 2);
    std::memcpy(page + prune_xid_at, row + row_prune_xid_at, 4);
    frame.lower = load_le<std::uint16_t>(row + row_lower_at);
    frame.special = load_le<std::uint16_t>(row + row_special_at);
    frame.block = load_le<std::uint32_t>(row + row_block_at);
    frame.stale_head = load_le<std::uint16_t>(row + row_stale_head_at);
    frame.stale_tail = load_le<std::uint16_t>(row + row_stale_tail_at);
    if (frame.lower < page_header_size || frame.lower > frame.special ||
        frame.special > data_page_size || frame.special % item_alignment != 0 ||
        (frame.lower - page_header_size) % pointer_size != 0 ||
        (frame.kind() == PageKind::heap) != (frame.special == data_page_size))
        return false;
    frame.count = (frame.lower - page_header_size) / pointer_size;
    frame.order.clear();
    frame.order.is_in_order = !frame.has(has_ranks);
    return true;
}

bool join_frame(PageFrame& frame, UnitStreams& streams) {
    if (frame.lower + frame.order.bytes > frame.special) return false;
    if (frame.has(has_ranks) && !take_ranks(frame.order, streams)) return false;
    if (!frame.order.place(frame.special)) return false;
    set_offsets(frame);
    const std::uint32_t upper = frame.special - frame.order.bytes;
    store_le<std::uint16_t>(frame.page + upper_at, static_cast<std::uint16_t>(upper));
    return join_hole(frame, upper, streams) &&
           join_bytes(special_stream(frame, streams), frame.page + frame.special,
                      data_page_size - frame.special);
}

bool join_paddings(const PageFrame& frame, UnitStreams& streams) {
    for (std::uint32_t i = 0; i < frame.order.count; ++i) {
        const std::size_t size = frame.paddings.data()[i];
        if (!join_bytes(streams.paddings, frame.item_end(i) - size, size)) return false;
    }
    return true;
}

}  // namespace walden::codec::page_codec
