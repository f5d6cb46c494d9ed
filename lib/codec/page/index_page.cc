#include "codec/page/index_page.h"

#include "codec/page/exact_copy.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace walden::codec::page_codec {

namespace {

constexpr std::uint32_t shared_max = 255;

/// The bytes behind an item of `size` bytes less than `end`, at most 7, as a number.
std::uint64_t padding_of(const std::byte* item_end, std::uint32_t size) {
    return load_le<std::uint64_t>(item_end - 8) >> 1 >> (63 - 8 * size);
}

void split_tid(const std::byte* from, Stream& stream) {
    std::byte* const to = stream.extend(tid_size);
    store_le<std::uint32_t>(to, load_block(from));
    std::memcpy(to + 4, from + 4, 2);
}

void join_tid(const std::byte* taken, std::byte* to) {
    store_block(to, load_le<std::uint32_t>(taken));
    std::memcpy(to + 4, taken + 4, 2);
}

void split_key(const std::byte* key, std::uint32_t size, UnitModel& model, IndexMemory& memory) {
    UnitStreams& streams = model.streams;
    std::uint32_t shared = 0;
    if (size == model.index.usual_size) {
        copy_exactly(streams.usual_keys.extend(size), key, size);
    } else {
        if (model.index.mode == KeyMode::prefix) {
            shared = count_shared(key, size, memory);
            *streams.shared.extend(1) = static_cast<std::byte>(shared);
        }
        copy_exactly(streams.keys.extend(size - shared), key + shared, size - shared);
    }
    memory = {key, size};
}

bool join_key(std::byte* key, std::uint32_t size, UnitModel& model, IndexMemory& memory) {
    UnitStreams& streams = model.streams;
    if (size == model.index.usual_size) {
        const std::byte* const taken = streams.usual_keys.take(size);
        if (taken == nullptr) return false;
        copy_exactly(key, taken, size);
    } else {
        std::uint32_t shared = 0;
        if (model.index.mode == KeyMode::prefix) {
            const std::byte* const taken = streams.shared.take(1);
            if (taken == nullptr) return false;
            shared = std::to_integer<std::uint32_t>(*taken);
            if (shared > size || shared > memory.key_size) return false;
            copy_exactly(key, memory.key, shared);
        }
        const std::byte* const rest = streams.keys.take(size - shared);
        if (rest == nullptr) return false;
        copy_exactly(key + shared, rest, size - shared);
    }
    memory = {key, size};
    return true;
}

void split_item(const std::byte* item, const IndexItem& parts, UnitModel& model,
                IndexMemory& memory) {
    UnitStreams& streams = model.streams;
    const std::uint32_t info = load_le<std::uint16_t>(item + info_at);
    split_tid(item, (info & alternative_bit) != 0 ? streams.alternatives : streams.tids);
    split_key(item + index_header_size, parts.key_size, model, memory);
    const std::byte* tid = item + index_header_size + parts.key_size;
    for (std::uint32_t i = 0; i < parts.posting_count; ++i, tid += tid_size)
        split_tid(tid, streams.posting_tids);
}

bool join_item(std::byte* item, std::uint32_t length, std::uint16_t info, UnitModel& model,
               IndexMemory& memory, IndexItem& parts) {
    UnitStreams& streams = model.streams;
    Stream& tids = (info & alternative_bit) != 0 ? streams.alternatives : streams.tids;
    const std::byte* const tid = tids.take(tid_size);
    if (tid == nullptr) return false;
    join_tid(tid, item);
    store_le<std::uint16_t>(item + info_at, info);
    parts = parts_of(item, length);
    if (!join_key(item + index_header_size, parts.key_size, model, memory)) return false;
    if (parts.posting_count == 0) return true;
    const std::byte* taken = streams.posting_tids.take(std::size_t{parts.posting_count} * tid_size);
    if (taken == nullptr) return false;
    std::byte* to = item + index_header_size + parts.key_size;
    for (std::uint32_t i = 0; i < parts.posting_count; ++i, taken += tid_size, to += tid_size)
        join_tid(taken, to);
    return true;
}

std::size_t find_shape(const IndexShape& shape, std::vector<IndexShape>& known,
                       ShapeFinder<IndexShape>& finder) {
    return finder.find(
        known, std::uint64_t{shape.pointer} << 16 | shape.info,
        [&](const IndexShape& other) { return other == shape; }, [&] { return shape; });
}

/// Moves one code to the stream, or as many as the page has items.
void split_codes(PageFrame& frame, const std::byte* codes, Stream& stream) {
    std::uint32_t size = frame.count;
    if (frame.count > 2 && std::to_integer<unsigned>(codes[1]) >= first_index_code &&
        std::memcmp(codes + 1, codes + 2, frame.count - 2) == 0) {
        frame.code |= is_alike;
        size = 2;
    }
    copy_exactly(stream.extend(size), codes, size);
}

}  // namespace

std::uint32_t count_shared(const std::byte* key, std::uint32_t size, const IndexMemory& before) {
    const std::uint32_t most = std::min({size, before.key_size, shared_max});
    std::uint32_t shared = 0;
    for (; shared + 8 <= most; shared += 8) {
        const std::uint64_t difference =
            load_le<std::uint64_t>(key + shared) ^ load_le<std::uint64_t>(before.key + shared);
        if (difference != 0)
            return shared + static_cast<std::uint32_t>(std::countr_zero(difference)) / 8;
    }
    while (shared < most && key[shared] == before.key[shared]) ++shared;
    return shared;
}

void split_index_items(PageFrame& frame, UnitModel& model, ShapeFinder<IndexShape>& shapes,
                       IndexMemory& memory) {
    UnitStreams& streams = model.streams;
    std::array<std::byte, items_max> codes;
    std::uint64_t paddings = 0;
    std::uint32_t item_number = 0;
    std::size_t code = first_index_code;
    for (std::uint32_t i = 0; i < frame.count; ++i) {
        const std::uint32_t pointer = load_pointer(frame.page, i);
        const std::uint32_t length = length_in(pointer);
        if (length == 0) {
            codes[i] = std::byte{odd_index_pointer};
            store_le<std::uint32_t>(streams.odd_pointers.extend(pointer_size), pointer);
            continue;
        }
        const std::byte* const item = frame.item(item_number);
        IndexItem parts{.size = length};
        std::size_t number = shapes_max;
        if (length >= index_header_size) {
            parts = parts_of(item, length);
            const IndexShape shape{without_offset(pointer), load_le<std::uint16_t>(item + info_at)};
            const bool repeats = code - first_index_code < model.index_shapes.size() &&
                                 model.index_shapes.data()[code - first_index_code] == shape;
            number =
                repeats ? code - first_index_code : find_shape(shape, model.index_shapes, shapes);
        }
        if (number == shapes_max) parts.size = length;
        const std::uint32_t padding = frame.order.sizes.data()[item_number] - parts.size;
        frame.paddings.data()[item_number] = static_cast<std::uint8_t>(padding);
        paddings |= padding_of(frame.item_end(item_number), padding);
        ++item_number;
        if (number == shapes_max) {
            codes[i] = std::byte{odd_index_item};
            store_le<std::uint32_t>(streams.odd_pointers.extend(pointer_size),
                                    without_offset(pointer));
            copy_exactly(streams.odd_items.extend(length), item, length);
            continue;
        }
        code = number + first_index_code;
        codes[i] = static_cast<std::byte>(code);
        split_item(item, parts, model, memory);
    }
    if (paddings != 0) frame.code |= has_paddings;
    split_codes(frame, codes.data(), streams.index_codes);
}

namespace {

/// Writes the line pointers, without offsets, and adds the items to the order.
bool join_pointers(PageFrame& frame, const std::byte* codes, UnitModel& model) {
    const std::size_t shape_count = model.index_shapes.size();
    for (std::uint32_t i = 0; i < frame.count; ++i) {
        const std::size_t code = std::to_integer<std::size_t>(codes[i]);
        std::uint32_t pointer = 0;
        if (code < first_index_code) {
            const std::byte* const taken = model.streams.odd_pointers.take(pointer_size);
            if (taken == nullptr) return false;
            pointer = load_le<std::uint32_t>(taken);
            if ((length_in(pointer) == 0) != (code == odd_index_pointer)) return false;
            if (code == odd_index_item && offset_in(pointer) != 0) return false;
        } else {
            if (code - first_index_code >= shape_count) return false;
            pointer = model.index_shapes.data()[code - first_index_code].pointer;
        }
        store_le<std::uint32_t>(pointer_place(frame.page, i), pointer);
        if (length_in(pointer) != 0 && !frame.order.add(0, length_in(pointer))) return false;
    }
    return true;
}

bool join_items(PageFrame& frame, const std::byte* codes, UnitModel& model, IndexMemory& memory) {
    std::uint32_t item_number = 0;
    for (std::uint32_t i = 0; i < frame.count; ++i) {
        const std::size_t code = std::to_integer<std::size_t>(codes[i]);
        if (code == odd_index_pointer) continue;
        std::byte* const item = frame.item(item_number);
        const std::uint32_t length = length_in(load_pointer(frame.page, i));
        store_le<std::uint64_t>(frame.item_end(item_number) - 8, 0);
        IndexItem parts{.size = length};
        if (code == odd_index_item) {
            const std::byte* const taken = model.streams.odd_items.take(length);
            if (taken == nullptr) return false;
            copy_exactly(item, taken, length);
        } else {
            const std::uint16_t info = model.index_shapes.data()[code - first_index_code].info;
            if (!join_item(item, length, info, model, memory, parts)) return false;
        }
        frame.paddings.data()[item_number] =
            static_cast<std::uint8_t>(frame.order.sizes.data()[item_number] - parts.size);
        ++item_number;
    }
    return true;
}

}  // namespace

bool join_index_page(PageFrame& frame, UnitModel& model, IndexMemory& memory) {
    UnitStreams& streams = model.streams;
    std::array<std::byte, items_max> expanded;
    const std::byte* codes = nullptr;
    if (frame.has(is_alike)) {
        const std::byte* const two = streams.index_codes.take(2);
        if (two == nullptr || frame.count < 2) return false;
        expanded[0] = two[0];
        std::memset(expanded.data() + 1, std::to_integer<int>(two[1]), frame.count - 1);
        codes = expanded.data();
    } else {
        codes = streams.index_codes.take(frame.count);
    }
    return codes != nullptr && join_pointers(frame, codes, model) && join_frame(frame, streams) &&
           join_items(frame, codes, model, memory) &&
           (!frame.has(has_paddings) || join_paddings(frame, streams));
}

}  // namespace walden::codec::page_codec
