// How the rows of one table become columns: which bytes of a row never change, and how each of the
// others is coded. Chosen by looking at the rows alone; nothing knows what the bytes mean, which is
// why it holds from one version of PostgreSQL to the next.
#pragma once

#include "base/bytes.h"
#include "codec/wal/container/byte_entropy.h"
#include "codec/wal/container/stream.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace walden::codec::wal_codec {

/// Stored in the container (codec/wal/FORMAT.md).
enum class FieldCoding : std::uint8_t {
    raw = 0,  ///< one byte as it is
    delta =
        1,  ///< a little-endian number of 1, 2, 4 or 8 bytes less that of the row before, zigzag
};

/// A part of a row that changes.
struct Field {
    std::uint16_t offset = 0;  ///< in the row
    std::uint8_t width = 1;    ///< bytes: 1 for raw; 1, 2, 4 or 8 for delta
    FieldCoding coding = FieldCoding::raw;

    friend bool operator==(const Field&, const Field&) = default;
};

/// The fields of a row in ascending order, which do not overlap. Bytes outside them are the same in
/// every row.
struct ColumnModel {
    std::vector<Field> fields;

    /// Byte planes that the fields fill: one for each byte of a field.
    [[nodiscard]] std::size_t plane_count() const;

    friend bool operator==(const ColumnModel&, const ColumnModel&) = default;
};

/// Chooses models. Its memory is kept between tables. One thread at a time.
class ModelChooser {
public:
    /// The model for `rows`, a multiple of `row_width` bytes (1 to row_width_max) and at least one
    /// row. Which bytes never change is seen from all rows, how to code the others from two runs of
    /// 64 rows. Any table gets a model that brings it back. Into `model`, whose memory is kept.
    void choose(ByteView rows, std::size_t row_width, ColumnModel& model);

private:
    void take_sample(ByteView rows, std::size_t row_width);
    void cost_raw(std::size_t row_width);
    [[nodiscard]] std::uint32_t delta_cost(std::size_t offset, std::size_t row_width,
                                           std::size_t width, std::uint32_t limit);
    void try_deltas(std::size_t offset, std::size_t row_width);

    /// The cheapest coding of the bytes from some offset to the end of the row.
    struct Step {
        std::uint32_t cost = 0;
        Field field;  ///< at this offset; width 0: the byte is constant
    };

    std::vector<std::uint8_t> changes_;  ///< one byte for each of the row: not 0 where rows differ
    Bytes sample_;                       ///< runs of rows, one after the other
    std::vector<std::size_t> runs_;      ///< rows of each run; the first has none before it
    std::vector<std::uint32_t> raw_costs_;
    std::vector<Step> steps_;
    ByteEntropy entropy_;
};

}  // namespace walden::codec::wal_codec
