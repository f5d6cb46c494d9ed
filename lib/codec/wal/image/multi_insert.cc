#include "codec/wal/image/multi_insert.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace walden::codec::wal_codec {

namespace {

/// How a multi-insert is stored; in the stream insert_codes.
enum InsertCode : std::uint8_t { whole = 0, in_rows = 1 };

constexpr std::uint32_t even(std::uint32_t at) {
    return (at + 1) & ~1U;
}

/// Whether the data is exactly `row_count` rows.
bool is_rows(const std::byte* data, std::uint32_t size, std::uint32_t row_count) {
    std::uint32_t at = 0;
    for (std::uint32_t i = 0; i < row_count; ++i) {
        at = even(at);
        if (at + insert_header_size > size) return false;
        at += insert_header_size + load_le<std::uint16_t>(data + at);
        if (at > size) return false;
    }
    return at == size;
}

/// By the first multi-insert of a relation: the size that seven of ten rows have is the usual one;
/// the heads of others are their null bitmap, alignment and first columns.
void choose_rows(const std::byte* data, std::uint32_t row_count, ItemModel& model) {
    constexpr std::uint32_t head_max = 48;
    model.is_chosen = true;
    std::array<std::uint16_t, item_size_max + 1> counts{};
    std::uint32_t smallest = head_max;
    std::uint32_t at = 0;
    for (std::uint32_t i = 0; i < row_count; ++i) {
        at = even(at);
        const std::uint32_t size = load_le<std::uint16_t>(data + at);
        smallest = std::min(smallest, size);
        if (size <= item_size_max) ++counts[size];
        at += insert_header_size + size;
    }
    const auto most = std::max_element(counts.begin() + 1, counts.end());
    const bool is_usual = *most > 0 && *most * 10U >= row_count * 7U;
    model.usual_size = static_cast<std::uint16_t>(is_usual ? most - counts.begin() : 0);
    model.head_size = static_cast<std::uint16_t>(smallest);
}

template <Direction direction>
bool move_row(std::byte* row, std::uint32_t size, Relation& relation) {
    const ItemModel& model = relation.inserted_rows;
    if (size == model.usual_size) return move_exactly<direction>(*relation.insert_rows, row, size);
    if (size <= model.head_size) return move_exactly<direction>(*relation.data, row, size);
    return move_exactly<direction>(*relation.insert_heads, row, model.head_size) &&
           move_exactly<direction>(*relation.data, row + model.head_size, size - model.head_size);
}

template <Direction direction>
bool move_rows(std::byte* data, std::uint32_t size, std::uint32_t row_count, CommonStreams& common,
               Relation& relation) {
    std::uint32_t at = 0;
    for (std::uint32_t i = 0; i < row_count; ++i) {
        if (at % 2 != 0) {
            // Nobody promises that the filler is zero.
            if (at == size || !move_exactly<direction>(common.rare_data, data + at, 1))
                return false;
            ++at;
        }
        if (size - at < insert_header_size ||
            !move_exactly<direction>(*relation.insert_headers, data + at, insert_header_size))
            return false;
        const std::uint32_t row_size = load_le<std::uint16_t>(data + at);
        at += insert_header_size;
        if (row_size > size - at || !move_row<direction>(data + at, row_size, relation))
            return false;
        at += row_size;
    }
    return at == size;
}

}  // namespace

template <Direction direction>
bool move_inserted_rows(std::byte* data, std::uint32_t size, std::uint32_t row_count,
                        CommonStreams& common, Relation& relation) {
    auto code = static_cast<std::uint8_t>(whole);
    if constexpr (direction == Direction::split) {
        if (relation.has_own_streams && is_rows(data, size, row_count)) {
            if (!relation.inserted_rows.is_chosen)
                choose_rows(data, row_count, relation.inserted_rows);
            code = in_rows;
        }
    }
    if (!move_flag<direction>(common.insert_codes, code)) return false;
    if (code == in_rows)
        return relation.has_own_streams &&
               move_rows<direction>(data, size, row_count, common, relation);
    Stream& rest = relation.has_own_streams ? *relation.data : common.rare_data;
    return code == whole && move_exactly<direction>(rest, data, size);
}

template bool move_inserted_rows<Direction::split>(std::byte*, std::uint32_t, std::uint32_t,
                                                   CommonStreams&, Relation&);
template bool move_inserted_rows<Direction::join>(std::byte*, std::uint32_t, std::uint32_t,
                                                  CommonStreams&, Relation&);

}  // namespace walden::codec::wal_codec
