#include "codec/wal/container/columns.h"

#include "codec/wal/container/plane_lanes.h"
#include "codec/wal/container/zigzag.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <utility>
#include <vector>

namespace walden::codec::wal_codec {

namespace {

/// Rows that are worked on field by field before the next ones: they stay in the first-level cache,
/// and each plane gets whole cache lines.
std::size_t rows_per_tile(std::size_t row_width) {
    constexpr std::size_t tile_size = std::size_t{16} << 10;
    return std::clamp(tile_size / row_width / lane_count * lane_count, 4 * lane_count,
                      64 * lane_count);
}

/// One number of 1, 2, 4 or 8 bytes of each row, and the planes that it fills: a field, or raw
/// bytes that lie side by side and are moved together.
struct Move {
    std::size_t offset = 0;
    std::size_t first_plane = 0;
    std::size_t width = 1;
    FieldCoding coding = FieldCoding::raw;
};

std::vector<Move> moves_of(const ColumnModel& model) {
    std::vector<Move> moves;
    std::size_t plane = 0;
    const std::vector<Field>& fields = model.fields;
    for (std::size_t i = 0; i < fields.size();) {
        Move move{fields[i].offset, plane, fields[i].width, fields[i].coding};
        std::size_t taken = 1;
        if (move.coding == FieldCoding::raw) {
            while (i + taken < fields.size() && taken < 8 &&
                   fields[i + taken].coding == FieldCoding::raw &&
                   fields[i + taken].offset == move.offset + taken)
                ++taken;
            taken = std::bit_floor(taken);
            move.width = taken;
        }
        moves.push_back(move);
        plane += move.width;
        i += taken;
    }
    return moves;
}

/// The rows of a table, or the planes, as one place and a distance.
struct Strided {
    std::byte* at = nullptr;
    std::size_t stride = 0;
};

struct ConstStrided {
    const std::byte* at = nullptr;
    std::size_t stride = 0;
};

template <class T>
T split_number(const std::byte* row, T before, FieldCoding coding) {
    const T value = load_le<T>(row);
    return coding == FieldCoding::raw ? value : zigzag_difference(value, before);
}

/// Rows from `begin` to `end`, one at a time. `before` is the number of the row in front.
template <class T>
void split_singly(ConstStrided rows, std::size_t begin, std::size_t end, FieldCoding coding,
                  Strided planes) {
    T before = load_le<T>(rows.at + (begin > 0 ? begin - 1 : 0) * rows.stride);
    for (std::size_t i = begin; i < end; ++i) {
        const std::byte* const row = rows.at + i * rows.stride;
        const T number = split_number(row, before, coding);
        before = load_le<T>(row);
        for (std::size_t b = 0; b < sizeof(T); ++b)
            planes.at[b * planes.stride + i] = static_cast<std::byte>(number >> 8 * b);
    }
}

template <class T>
void join_singly(ConstStrided planes, std::size_t begin, std::size_t end, FieldCoding coding,
                 Strided rows) {
    // The first row is in its place already, as `base`.
    T before = load_le<T>(rows.at + (begin > 0 ? begin - 1 : 0) * rows.stride);
    for (std::size_t i = begin; i < end; ++i) {
        T number = 0;
        for (std::size_t b = 0; b < sizeof(T); ++b)
            number = static_cast<T>(
                number |
                static_cast<T>(static_cast<T>(planes.at[b * planes.stride + i]) << (8 * b)));
        before = coding == FieldCoding::raw ? number : zigzag_apply(number, before);
        store_le(rows.at + i * rows.stride, before);
    }
}

/// One vector of numbers from as many rows. Spelled out, because lanes that are set in a loop go
/// through memory one by one, and cost ten times as much.
template <class T, std::size_t... Lane>
LanesOf<T> gather(const std::byte* row, std::size_t stride, std::index_sequence<Lane...>) {
    return LanesOf<T>{load_le<T>(row + Lane * stride)...};
}

/// 16 rows from `begin` on; those of a delta have a row before them.
template <class T, FieldCoding Coding>
void split_lanes(ConstStrided rows, std::size_t begin, Strided planes) {
    constexpr std::size_t per_vector = lane_count / sizeof(T);
    constexpr auto lanes = std::make_index_sequence<per_vector>();
    LaneSet<sizeof(T)> set;
    const std::byte* row = rows.at + begin * rows.stride;
    for (std::size_t k = 0; k < sizeof(T); ++k, row += per_vector * rows.stride) {
        LanesOf<T> values = gather<T>(row, rows.stride, lanes);
        if constexpr (Coding == FieldCoding::delta) {
            const LanesOf<T> zero = {};
            const LanesOf<T> difference = values - gather<T>(row - rows.stride, rows.stride, lanes);
            values = (difference << 1) ^ (zero - (difference >> (8 * sizeof(T) - 1)));
        }
        std::memcpy(&set[k], &values, sizeof values);
    }
    numbers_to_planes<sizeof(T)>(set);
    for (std::size_t b = 0; b < sizeof(T); ++b)
        std::memcpy(planes.at + b * planes.stride + begin, &set[b], lane_count);
}

template <class T, FieldCoding Coding>
void join_lanes(ConstStrided planes, std::size_t begin, Strided rows) {
    LaneSet<sizeof(T)> set;
    for (std::size_t b = 0; b < sizeof(T); ++b)
        std::memcpy(&set[b], planes.at + b * planes.stride + begin, lane_count);
    planes_to_numbers<sizeof(T)>(set);
    std::byte* row = rows.at + begin * rows.stride;
    T before = 0;
    if constexpr (Coding == FieldCoding::delta) before = load_le<T>(row - rows.stride);
    for (std::size_t k = 0; k < sizeof(T); ++k) {
        LanesOf<T> numbers;
        std::memcpy(&numbers, &set[k], sizeof numbers);
        if constexpr (Coding == FieldCoding::delta) {
            const LanesOf<T> zero = {};
            const LanesOf<T> one = zero + static_cast<T>(1);
            numbers = (numbers >> 1) ^ (zero - (numbers & one));
        }
        alignas(lane_count) std::array<T, lane_count / sizeof(T)> values;
        std::memcpy(values.data(), &numbers, sizeof numbers);
        for (const T value : values) {
            if constexpr (Coding == FieldCoding::delta)
                before = static_cast<T>(before + value);
            else
                before = value;
            store_le(row, before);
            row += rows.stride;
        }
    }
}

template <class T, FieldCoding Coding>
void split_move(ConstStrided rows, std::size_t begin, std::size_t end, Strided planes) {
    if (begin == 0) {  // the first row has none before it
        const std::size_t head = std::min(end, lane_count);
        split_singly<T>(rows, 0, head, Coding, planes);
        begin = head;
    }
    for (; end - begin >= lane_count; begin += lane_count)
        split_lanes<T, Coding>(rows, begin, planes);
    split_singly<T>(rows, begin, end, Coding, planes);
}

template <class T, FieldCoding Coding>
void join_move(ConstStrided planes, std::size_t begin, std::size_t end, Strided rows) {
    if (begin == 0) {
        const std::size_t head = std::min(end, lane_count);
        join_singly<T>(planes, 0, head, Coding, rows);
        begin = head;
    }
    for (; end - begin >= lane_count; begin += lane_count)
        join_lanes<T, Coding>(planes, begin, rows);
    join_singly<T>(planes, begin, end, Coding, rows);
}

using SplitMove = void (*)(ConstStrided rows, std::size_t begin, std::size_t end, Strided planes);
using JoinMove = void (*)(ConstStrided planes, std::size_t begin, std::size_t end, Strided rows);

template <FieldCoding Coding>
constexpr std::array<SplitMove, 4> split_moves = {
    split_move<std::uint8_t, Coding>, split_move<std::uint16_t, Coding>,
    split_move<std::uint32_t, Coding>, split_move<std::uint64_t, Coding>};

template <FieldCoding Coding>
constexpr std::array<JoinMove, 4> join_moves = {
    join_move<std::uint8_t, Coding>, join_move<std::uint16_t, Coding>,
    join_move<std::uint32_t, Coding>, join_move<std::uint64_t, Coding>};

/// The entry of the tables above for a width of 1, 2, 4 or 8.
template <class Function>
Function choose_move(const Move& move, const std::array<Function, 4>& raw,
                     const std::array<Function, 4>& delta) {
    const auto index = static_cast<std::size_t>(std::countr_zero(move.width));
    return move.coding == FieldCoding::raw ? raw[index] : delta[index];
}

/// Fills rows from `begin` to `end` with the one before, or with `base` at the start, doubling what
/// is there: a copy of a row is too short to be worth a call.
void repeat_row(std::byte* rows, std::size_t row_width, std::size_t begin, std::size_t end,
                ByteView base) {
    std::byte* const at = rows + begin * row_width;
    const std::size_t size = (end - begin) * row_width;
    std::memcpy(at, base.data(), row_width);
    for (std::size_t filled = row_width; filled < size;) {
        const std::size_t more = std::min(filled, size - filled);
        std::memcpy(at + filled, at, more);
        filled += more;
    }
}

}  // namespace

void find_changes(ByteView rows, std::span<std::uint8_t> changes) {
    constexpr std::size_t rows_at_once = 32;
    const std::size_t row_width = changes.size();
    assert(row_width >= 1 && row_width <= row_width_max);
    std::fill(changes.begin(), changes.end(), std::uint8_t{0});
    if (rows.size() < 2 * row_width) return;
    alignas(64) std::array<std::byte, rows_at_once * row_width_max> differences;
    std::byte* const __restrict seen = differences.data();
    const std::size_t step = rows_at_once * row_width;
    const std::size_t total = rows.size() - row_width;
    std::memset(seen, 0, step);
    for (std::size_t offset = 0; offset < total; offset += step) {
        const std::byte* const row = rows.data() + offset;
        const std::size_t size = std::min(step, total - offset);
        for (std::size_t i = 0; i < size; ++i) seen[i] |= row[i] ^ row[i + row_width];
    }
    for (std::size_t r = 0; r < rows_at_once; ++r)
        for (std::size_t j = 0; j < row_width; ++j)
            changes.data()[j] |= static_cast<std::uint8_t>(seen[r * row_width + j]);
}

void split_rows(ByteView rows, std::size_t row_width, const ColumnModel& model,
                MutableByteView planes) {
    if constexpr (!lanes_are_usable) return portable::split_rows(rows, row_width, model, planes);
    const std::size_t row_count = rows.size() / row_width;
    assert(planes.size() == model.plane_count() * row_count);
    const std::vector<Move> moves = moves_of(model);
    const std::size_t tile = rows_per_tile(row_width);
    for (std::size_t begin = 0; begin < row_count; begin += tile) {
        const std::size_t end = std::min(begin + tile, row_count);
        for (const Move& move : moves)
            choose_move(move, split_moves<FieldCoding::raw>, split_moves<FieldCoding::delta>)(
                {rows.data() + move.offset, row_width}, begin, end,
                {planes.data() + move.first_plane * row_count, row_count});
    }
}

void join_rows(ByteView planes, ByteView base, const ColumnModel& model, MutableByteView rows) {
    if constexpr (!lanes_are_usable) return portable::join_rows(planes, base, model, rows);
    const std::size_t row_width = base.size();
    const std::size_t row_count = rows.size() / row_width;
    assert(planes.size() == model.plane_count() * row_count);
    const std::vector<Move> moves = moves_of(model);
    const std::size_t tile = rows_per_tile(row_width);
    for (std::size_t begin = 0; begin < row_count; begin += tile) {
        const std::size_t end = std::min(begin + tile, row_count);
        repeat_row(rows.data(), row_width, begin, end, base);
        for (const Move& move : moves)
            choose_move(move, join_moves<FieldCoding::raw>, join_moves<FieldCoding::delta>)(
                {planes.data() + move.first_plane * row_count, row_count}, begin, end,
                {rows.data() + move.offset, row_width});
    }
}

namespace portable {

namespace {

/// Calls `body(T{})` with the type of `width` bytes.
template <class Body>
void with_number_type(std::size_t width, const Body& body) {
    switch (width) {
        case 1: return body(std::uint8_t{});
        case 2: return body(std::uint16_t{});
        case 4: return body(std::uint32_t{});
        default: return body(std::uint64_t{});
    }
}

}  // namespace

void find_changes(ByteView rows, std::span<std::uint8_t> changes) {
    const std::size_t row_width = changes.size();
    std::fill(changes.begin(), changes.end(), std::uint8_t{0});
    for (std::size_t i = row_width; i < rows.size(); ++i)
        if (rows[i] != rows[i - row_width]) changes[i % row_width] = 1;
}

void split_rows(ByteView rows, std::size_t row_width, const ColumnModel& model,
                MutableByteView planes) {
    const std::size_t row_count = rows.size() / row_width;
    std::size_t plane = 0;
    for (const Field& field : model.fields) {
        with_number_type(field.width, [&](auto number) {
            split_singly<decltype(number)>({rows.data() + field.offset, row_width}, 0, row_count,
                                           field.coding,
                                           {planes.data() + plane * row_count, row_count});
        });
        plane += field.width;
    }
}

void join_rows(ByteView planes, ByteView base, const ColumnModel& model, MutableByteView rows) {
    const std::size_t row_width = base.size();
    const std::size_t row_count = rows.size() / row_width;
    if (row_count == 0) return;
    repeat_row(rows.data(), row_width, 0, row_count, base);
    std::size_t plane = 0;
    for (const Field& field : model.fields) {
        with_number_type(field.width, [&](auto number) {
            join_singly<decltype(number)>({planes.data() + plane * row_count, row_count}, 0,
                                          row_count, field.coding,
                                          {rows.data() + field.offset, row_width});
        });
        plane += field.width;
    }
}

}  // namespace portable

}  // namespace walden::codec::wal_codec
