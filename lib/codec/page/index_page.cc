#include "codec/page/index_page.h"

#include "codec/page/exact_copy.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

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

/// Whether items of a shape need nothing looked at one by one: a tuple id, a key of the usual size,
/// no padding.
bool is_simple(const IndexShape& shape, const IndexModel& model) {
    const std::uint32_t length = length_in(shape.pointer);
    return model.usual_size > 0 && length == index_header_size + model.usual_size &&
           length % item_alignment == 0 && (shape.info & alternative_bit) == 0;
}

/// The keys of a run, of a size that the compiler knows where that is a common one.
template <class Move>
void with_key_size(std::size_t size, const Move& move) {
    switch (size) {
        case 8: return move(std::integral_constant<std::size_t, 8>());
        case 16: return move(std::integral_constant<std::size_t, 16>());
        case 24: return move(std::integral_constant<std::size_t, 24>());
        default: return move(size);
    }
}

void copy_key(std::byte* to, const std::byte* from, std::size_t size) {
    copy_exactly(to, from, size);
}

template <std::size_t Size>
void copy_key(std::byte* to, const std::byte* from, std::integral_constant<std::size_t, Size>) {
    std::memcpy(to, from, Size);
}

/// Items `first` to `first + count` of the order, all of one simple shape.
void split_run(const PageFrame& frame, std::uint32_t first, std::uint32_t count, UnitModel& model,
               IndexMemory& memory) {
    const std::uint32_t size = model.index.usual_size;
    std::byte* tid = model.streams.tids.extend(std::size_t{count} * tid_size);
    std::byte* key = model.streams.usual_keys.extend(std::size_t{count} * size);
    with_key_size(size, [&](auto key_size) {
        for (std::uint32_t i = first; i < first + count; ++i, tid += tid_size, key += key_size) {
            const std::byte* const item = frame.item(i);
            store_le<std::uint32_t>(tid, load_block(item));
            std::memcpy(tid + 4, item + 4, 2);
            copy_key(key, item + index_header_size, key_size);
        }
    });
    memory = {frame.item(first + count - 1) + index_header_size, size};
}

bool join_run(const PageFrame& frame, std::uint32_t first, std::uint32_t count, std::uint16_t info,
              UnitModel& model, IndexMemory& memory) {
    const std::uint32_t size = model.index.usual_size;
    const std::byte* tid = model.streams.tids.take(std::size_t{count} * tid_size);
    const std::byte* key = model.streams.usual_keys.take(std::size_t{count} * size);
    if (tid == nullptr || key == nullptr) return false;
    with_key_size(size, [&](auto key_size) {
        for (std::uint32_t i = first; i < first + count; ++i, tid += tid_size, key += key_size) {
            std::byte* const item = frame.item(i);
            store_le<std::uint64_t>(item, std::rotl(load_le<std::uint32_t>(tid), 16) |
                                              std::uint64_t{load_le<std::uint16_t>(tid + 4)} << 32 |
                                              std::uint64_t{info} << 48);
            copy_key(item + index_header_size, key, key_size);
        }
    });
    memory = {frame.item(first + count - 1) + index_header_size, size};
    return true;
}

/// How many items from the order's `first` on have the shape, the line pointers from `pointer` on
/// being theirs.
std::uint32_t count_run(const PageFrame& frame, std::uint32_t pointer, std::uint32_t first,
                        const IndexShape& shape) {
    std::uint32_t count = 1;
    while (pointer + count < frame.count &&
           without_offset(load_pointer(frame.page, pointer + count)) == shape.pointer &&
           load_le<std::uint16_t>(frame.item(first + count) + info_at) == shape.info)
        ++count;
    return count;
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

/// The items of one page.
class IndexSplitter {
public:
    IndexSplitter(PageFrame& frame, UnitModel& model, ShapeFinder<IndexShape>& shapes,
                  IndexMemory& memory)
        : frame_(frame), model_(model), shapes_(shapes), memory_(memory) {}

    void split();

private:
    void split_pointer(std::uint32_t pointer);
    void split_odd(std::uint32_t pointer);
    void split_known(const IndexShape& shape, std::size_t number);
    void note_padding(std::uint32_t size);

    PageFrame& frame_;
    UnitModel& model_;
    ShapeFinder<IndexShape>& shapes_;
    IndexMemory& memory_;
    std::uint32_t pointer_ = 0;   ///< the line pointer that is next, ...
    std::uint32_t item_ = 0;      ///< ... and its item in the order, if it has one
    std::uint64_t paddings_ = 0;  ///< not 0 if any byte between items is not
    std::array<std::byte, items_max> codes_;
};

void IndexSplitter::split_pointer(std::uint32_t pointer) {
    codes_[pointer_] = std::byte{odd_index_pointer};
    store_le<std::uint32_t>(model_.streams.odd_pointers.extend(pointer_size), pointer);
    ++pointer_;
}

void IndexSplitter::note_padding(std::uint32_t size) {
    const std::uint32_t padding = frame_.order.sizes.data()[item_] - size;
    frame_.paddings.data()[item_] = static_cast<std::uint8_t>(padding);
    paddings_ |= padding_of(frame_.item_end(item_), padding);
}

void IndexSplitter::split_odd(std::uint32_t pointer) {
    const std::uint32_t length = length_in(pointer);
    note_padding(length);
    codes_[pointer_] = std::byte{odd_index_item};
    store_le<std::uint32_t>(model_.streams.odd_pointers.extend(pointer_size),
                            without_offset(pointer));
    copy_exactly(model_.streams.odd_items.extend(length), frame_.item(item_), length);
    ++pointer_;
    ++item_;
}

void IndexSplitter::split_known(const IndexShape& shape, std::size_t number) {
    std::uint32_t count = 1;
    if (is_simple(shape, model_.index)) {
        count = count_run(frame_, pointer_, item_, shape);
        split_run(frame_, item_, count, model_, memory_);
        std::memset(frame_.paddings.data() + item_, 0, count);
    } else {
        const std::byte* const item = frame_.item(item_);
        const IndexItem parts = parts_of(item, length_in(shape.pointer));
        note_padding(parts.size);
        split_item(item, parts, model_, memory_);
    }
    std::memset(codes_.data() + pointer_, static_cast<int>(number + first_index_code), count);
    pointer_ += count;
    item_ += count;
}

void IndexSplitter::split() {
    while (pointer_ < frame_.count) {
        const std::uint32_t pointer = load_pointer(frame_.page, pointer_);
        const std::uint32_t length = length_in(pointer);
        if (length == 0) {
            split_pointer(pointer);
            continue;
        }
        if (length < index_header_size) {
            split_odd(pointer);
            continue;
        }
        const IndexShape shape{without_offset(pointer),
                               load_le<std::uint16_t>(frame_.item(item_) + info_at)};
        const std::size_t number = find_shape(shape, model_.index_shapes, shapes_);
        if (number == shapes_max)
            split_odd(pointer);
        else
            split_known(shape, number);
    }
    if (paddings_ != 0) frame_.code |= has_paddings;
    split_codes(frame_, codes_.data(), model_.streams.index_codes);
}

}  // namespace

void split_index_items(PageFrame& frame, UnitModel& model, ShapeFinder<IndexShape>& shapes,
                       IndexMemory& memory) {
    IndexSplitter(frame, model, shapes, memory).split();
}

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

bool join_odd(const PageFrame& frame, std::uint32_t item, std::uint32_t length, Stream& items) {
    const std::byte* const taken = items.take(length);
    if (taken == nullptr) return false;
    copy_exactly(frame.item(item), taken, length);
    return true;
}

/// How many of `count` codes are the first one.
std::uint32_t count_equal(const std::byte* codes, std::uint32_t count) {
    std::uint32_t equal = 1;
    while (equal < count && codes[equal] == codes[0]) ++equal;
    return equal;
}

bool join_items(PageFrame& frame, const std::byte* codes, UnitModel& model, IndexMemory& memory) {
    std::uint32_t item = 0;
    for (std::uint32_t i = 0; i < frame.count;) {
        const std::size_t code = std::to_integer<std::size_t>(codes[i]);
        if (code == odd_index_pointer) {
            ++i;
            continue;
        }
        if (code != odd_index_item) {
            const IndexShape& shape = model.index_shapes.data()[code - first_index_code];
            if (is_simple(shape, model.index)) {
                const std::uint32_t count = count_equal(codes + i, frame.count - i);
                if (!join_run(frame, item, count, shape.info, model, memory)) return false;
                std::memset(frame.paddings.data() + item, 0, count);
                item += count;
                i += count;
                continue;
            }
        }
        const std::uint32_t length = length_in(load_pointer(frame.page, i));
        store_le<std::uint64_t>(frame.item_end(item) - 8, 0);
        IndexItem parts{.size = length};
        const bool is_there =
            code == odd_index_item
                ? join_odd(frame, item, length, model.streams.odd_items)
                : join_item(frame.item(item), length,
                            model.index_shapes.data()[code - first_index_code].info, model, memory,
                            parts);
        if (!is_there) return false;
        frame.paddings.data()[item] =
            static_cast<std::uint8_t>(frame.order.sizes.data()[item] - parts.size);
        ++item;
        ++i;
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
