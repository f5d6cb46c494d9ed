// Tables of rows that the tests of the column codec use: pure functions of their arguments.
#pragma once

#include "../codec_samples.h"
#include "base/bytes.h"

#include <cstddef>
#include <cstdint>

namespace walden::codec::wal_codec {

/// What the bytes of a row do from row to row.
enum class ColumnShape : std::uint8_t { constant, noise, few_values, counter, walk };

/// Rows whose bytes fall into groups of 1 to 8 bytes of random shape. The same arguments always
/// give the same table.
inline Bytes random_table(std::size_t row_count, std::size_t row_width, std::uint64_t seed) {
    Sequence sequence(seed);
    Bytes rows = zero_bytes(row_count * row_width);
    for (std::size_t offset = 0; offset < row_width;) {
        const std::size_t width =
            std::min<std::size_t>(1 + sequence.next() % 8, row_width - offset);
        const auto shape = static_cast<ColumnShape>(sequence.next() % 5);
        std::uint64_t value = sequence.next();
        for (std::size_t i = 0; i < row_count; ++i) {
            switch (shape) {
                case ColumnShape::constant: break;
                case ColumnShape::noise: value = sequence.next(); break;
                case ColumnShape::few_values: value = sequence.next() % 7 * 0x1234567; break;
                case ColumnShape::counter: ++value; break;
                case ColumnShape::walk: value += sequence.next() % 41 - 20; break;
            }
            for (std::size_t b = 0; b < width; ++b)
                rows[i * row_width + offset + b] = static_cast<std::byte>(value >> 8 * b);
        }
        offset += width;
    }
    return rows;
}

}  // namespace walden::codec::wal_codec
