#include "codec/page/heap_page.h"

#include "codec/page/exact_copy.h"
#include "codec/wal/container/direction.h"

#include <cstring>

namespace walden::codec::page_codec {

namespace {

using wal_codec::Direction;

constexpr std::uint32_t xmax_at = 4;
constexpr std::uint32_t cid_at = 8;
constexpr std::uint32_t ctid_at = 12;
constexpr std::uint32_t ctid_offset_at = 16;
constexpr std::uint32_t row_header_min = shape_at + shape_size_min;

/// Four bytes of a header to or from a column of their own.
template <Direction direction>
bool move_word(Stream& stream, std::byte* place) {
    if constexpr (direction == Direction::split) {
        std::memcpy(stream.extend(4), place, 4);
    } else {
        const std::byte* const taken = stream.take(4);
        if (taken == nullptr) return false;
        std::memcpy(place, taken, 4);
    }
    return true;
}

template <Direction direction>
bool move_bytes(Stream& stream, std::byte* place, std::size_t size) {
    if constexpr (direction == Direction::split) {
        copy_exactly(stream.extend(size), place, size);
    } else {
        const std::byte* const taken = stream.take(size);
        if (taken == nullptr) return false;
        copy_exactly(place, taken, size);
    }
    return true;
}

void split_ctid(const std::byte* row, std::uint32_t block, std::uint32_t number, Stream& ctids) {
    std::byte* const to = ctids.extend(tid_size);
    store_le<std::uint32_t>(to, load_block(row + ctid_at) - block);
    store_le<std::uint16_t>(
        to + 4, static_cast<std::uint16_t>(load_le<std::uint16_t>(row + ctid_offset_at) - number));
}

bool join_ctid(std::byte* row, std::uint32_t block, std::uint32_t number, bool is_self,
               Stream& ctids) {
    if (!is_self) {
        const std::byte* const taken = ctids.take(tid_size);
        if (taken == nullptr) return false;
        block += load_le<std::uint32_t>(taken);
        number += load_le<std::uint16_t>(taken + 4);
    }
    store_block(row + ctid_at, block);
    store_le<std::uint16_t>(row + ctid_offset_at, static_cast<std::uint16_t>(number & 0xFFFF));
    return true;
}

/// What of the header is not in the shape. `number` is the row's line pointer, from 1.
template <Direction direction>
bool move_header(std::byte* row, const HeapShape& shape, const PageFrame& frame,
                 std::uint32_t number, UnitStreams& streams, HeapMemory& memory) {
    bool is_there = true;
    if ((shape.flags & xmin_repeats) == 0)
        is_there = move_word<direction>(streams.xmins, row);
    else if constexpr (direction == Direction::join)
        store_le<std::uint32_t>(row, memory.xmin);
    if ((shape.flags & xmax_is_zero) == 0)
        is_there &= move_word<direction>(streams.xmaxs, row + xmax_at);
    else if constexpr (direction == Direction::join)
        store_le<std::uint32_t>(row + xmax_at, 0);
    if ((shape.flags & cid_repeats) == 0)
        is_there &= move_word<direction>(streams.cids, row + cid_at);
    else if constexpr (direction == Direction::join)
        store_le<std::uint32_t>(row + cid_at, memory.cid);
    const bool is_self = (shape.flags & ctid_is_self) != 0;
    if constexpr (direction == Direction::join)
        is_there &= join_ctid(row, frame.block, number, is_self, streams.ctids);
    else if (!is_self)
        split_ctid(row, frame.block, number, streams.ctids);
    if (!is_there) return false;
    memory.xmin = load_le<std::uint32_t>(row);
    memory.cid = load_le<std::uint32_t>(row + cid_at);
    return true;
}

template <Direction direction>
bool move_body(std::byte* body, std::uint32_t size, const HeapModel& model, UnitStreams& streams) {
    if (size == model.usual_size) return move_bytes<direction>(streams.usual_bodies, body, size);
    const std::uint32_t head = model.head_size;
    if (head == 0 || size < head) return move_bytes<direction>(streams.bodies, body, size);
    return move_bytes<direction>(streams.heads, body, head) &&
           move_bytes<direction>(streams.bodies, body + head, size - head);
}

std::uint8_t flags_of(const std::byte* row, std::uint32_t block, std::uint32_t number,
                      const HeapMemory& memory) {
    unsigned flags = 0;
    if (load_le<std::uint32_t>(row) == memory.xmin) flags |= xmin_repeats;
    if (load_le<std::uint32_t>(row + xmax_at) == 0) flags |= xmax_is_zero;
    if (load_le<std::uint32_t>(row + cid_at) == memory.cid) flags |= cid_repeats;
    if (load_block(row + ctid_at) == block &&
        load_le<std::uint16_t>(row + ctid_offset_at) == number)
        flags |= ctid_is_self;
    return static_cast<std::uint8_t>(flags);
}

/// shapes_max if there are too many.
std::size_t find_shape(const std::byte* row, std::uint8_t flags, std::vector<HeapShape>& known,
                       ShapeFinder<HeapShape>& finder) {
    const std::size_t size = header_size_of(row) - shape_at;
    const std::byte* const bytes = row + shape_at;
    std::uint64_t hash = load_le<std::uint32_t>(bytes) | std::uint64_t{flags} << 48 |
                         std::uint64_t{load_le<std::uint16_t>(bytes + 4)} << 32;
    for (std::size_t at = shape_size_min; at < size; at += 8)
        hash = hash * 0x9E3779B97F4A7C15ULL + load_le<std::uint64_t>(bytes + at);
    return finder.find(
        known, hash,
        [&](const HeapShape& shape) {
            return shape.flags == flags && shape.size == size &&
                   std::memcmp(shape.bytes.data(), bytes, size) == 0;
        },
        [&] {
            HeapShape shape;
            shape.flags = flags;
            shape.size = static_cast<std::uint8_t>(size);
            std::memcpy(shape.bytes.data(), bytes, size);
            return shape;
        });
}

/// The block that most pages' rows name as their own: of the first row that could be itself.
std::uint32_t find_block(const PageFrame& frame, std::uint32_t expected) {
    std::uint32_t item = 0;
    for (std::uint32_t i = 0; i < frame.count; ++i) {
        const std::uint32_t length = length_in(load_pointer(frame.page, i));
        if (length == 0) continue;
        const std::byte* const row = frame.item(item++);
        if (length >= row_header_min && load_le<std::uint16_t>(row + ctid_offset_at) == i + 1)
            return load_block(row + ctid_at);
    }
    return expected;
}

/// The bytes behind `length` bytes of an item, at most 7, moved to the top of a word.
std::uint64_t padding_of(const std::byte* item_end, std::uint32_t size) {
    return load_le<std::uint64_t>(item_end - 8) >> 1 >> (63 - 8 * size);
}

}  // namespace

bool is_row(const std::byte* item, std::uint32_t length) {
    if (length < row_header_min) return false;
    const std::uint32_t size = header_size_of(item);
    return size >= row_header_min && size <= length && size <= shape_at + shape_size_max &&
           size % item_alignment == 0;
}

void split_heap_items(PageFrame& frame, UnitModel& model, ShapeFinder<HeapShape>& shapes,
                      HeapMemory& memory) {
    UnitStreams& streams = model.streams;
    frame.block = find_block(frame, memory.block + 1);
    memory.block = frame.block;
    std::byte* const codes = streams.heap_codes.extend(frame.count);
    std::uint64_t paddings = 0;
    std::uint32_t item = 0;
    for (std::uint32_t i = 0; i < frame.count; ++i) {
        const std::uint32_t pointer = load_pointer(frame.page, i);
        const std::uint32_t length = length_in(pointer);
        if (length == 0) {
            codes[i] = std::byte{odd_pointer};
            store_le<std::uint32_t>(streams.odd_pointers.extend(pointer_size), pointer);
            continue;
        }
        std::byte* const row = frame.item(item);
        const std::uint32_t padding = frame.order.sizes.data()[item] - length;
        frame.paddings.data()[item] = static_cast<std::uint8_t>(padding);
        paddings |= padding_of(frame.item_end(item), padding);
        ++item;
        std::size_t shape = shapes_max;
        if (state_in(pointer) == normal_state && is_row(row, length))
            shape = find_shape(row, flags_of(row, frame.block, i + 1, memory), model.heap_shapes,
                               shapes);
        if (shape == shapes_max) {
            codes[i] = std::byte{odd_row};
            store_le<std::uint32_t>(streams.odd_pointers.extend(pointer_size),
                                    without_offset(pointer));
            (void)move_bytes<Direction::split>(streams.odd_items, row, length);
            continue;
        }
        codes[i] = static_cast<std::byte>(shape + first_shape_code);
        store_le<std::uint16_t>(streams.lengths.extend(2), static_cast<std::uint16_t>(length));
        const std::uint32_t header = header_size_of(row);
        (void)move_header<Direction::split>(row, model.heap_shapes[shape], frame, i + 1, streams,
                                            memory);
        (void)move_body<Direction::split>(row + header, length - header, model.heap, streams);
    }
    if (paddings != 0) frame.code |= has_paddings;
}

namespace {

/// Writes the line pointers, without offsets, and adds the items to the order.
bool join_pointers(PageFrame& frame, const std::byte* codes, const UnitModel& model,
                   UnitStreams& streams) {
    const std::size_t shape_count = model.heap_shapes.size();
    for (std::uint32_t i = 0; i < frame.count; ++i) {
        const std::size_t code = std::to_integer<std::size_t>(codes[i]);
        std::uint32_t pointer = 0;
        if (code < first_shape_code) {
            const std::byte* const taken = streams.odd_pointers.take(pointer_size);
            if (taken == nullptr) return false;
            pointer = load_le<std::uint32_t>(taken);
            if ((length_in(pointer) == 0) != (code == odd_pointer)) return false;
            if (code == odd_row && offset_in(pointer) != 0) return false;
        } else {
            const std::byte* const taken = streams.lengths.take(2);
            if (taken == nullptr || code - first_shape_code >= shape_count) return false;
            const std::uint32_t length = load_le<std::uint16_t>(taken);
            if (length > 0x7FFF ||
                length < model.heap_shapes.data()[code - first_shape_code].header_size())
                return false;
            pointer = normal_state << 15 | length << pointer_length_shift;
        }
        store_le<std::uint32_t>(pointer_place(frame.page, i), pointer);
        const std::uint32_t length = length_in(pointer);
        if (length == 0) continue;
        frame.paddings.data()[frame.order.count] =
            static_cast<std::uint8_t>(padded_size(length) - length);
        if (!frame.order.add(0, length)) return false;
    }
    return true;
}

bool join_rows_of(PageFrame& frame, const std::byte* codes, const UnitModel& model,
                  UnitStreams& streams, HeapMemory& memory) {
    std::uint32_t item = 0;
    for (std::uint32_t i = 0; i < frame.count; ++i) {
        const std::size_t code = std::to_integer<std::size_t>(codes[i]);
        if (code == odd_pointer) continue;
        std::byte* const row = frame.item(item);
        const std::uint32_t length = frame.order.sizes.data()[item] - frame.paddings.data()[item];
        store_le<std::uint64_t>(frame.item_end(item) - 8, 0);
        ++item;
        if (code == odd_row) {
            if (!move_bytes<Direction::join>(streams.odd_items, row, length)) return false;
            continue;
        }
        const HeapShape& shape = model.heap_shapes.data()[code - first_shape_code];
        if (!move_header<Direction::join>(row, shape, frame, i + 1, streams, memory)) return false;
        copy_exactly(row + shape_at, shape.bytes.data(), shape.size);
        const std::uint32_t header = shape.header_size();
        if (!move_body<Direction::join>(row + header, length - header, model.heap, streams))
            return false;
    }
    return true;
}

}  // namespace

bool join_heap_page(PageFrame& frame, UnitModel& model, HeapMemory& memory) {
    UnitStreams& streams = model.streams;
    const std::byte* const codes = streams.heap_codes.take(frame.count);
    return codes != nullptr && join_pointers(frame, codes, model, streams) &&
           join_frame(frame, streams) && join_rows_of(frame, codes, model, streams, memory) &&
           (!frame.has(has_paddings) || join_paddings(frame, streams));
}

}  // namespace walden::codec::page_codec
