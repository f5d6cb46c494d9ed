// The plan of a container: how each stream is cut into chunks, and how each chunk is stored.
//
// What is written and what is read stand here side by side, so that they cannot drift apart. The
// plan is one of three strings of bytes that are read front to back in step: the plan itself, the
// small chunks, and the bodies of the others.
#pragma once

#include "base/bytes.h"
#include "codec/wal/container/column_model.h"
#include "codec/wal/container/stream.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace walden::codec::wal_codec {

/// Streams and planes are cut into chunks of this size; the last one is what remains. Chunks of a
/// long stream are coded in parallel.
inline constexpr std::size_t chunk_size_max = std::size_t{2} << 20;

/// Smaller chunks are always small chunks, and the plan says nothing about them.
inline constexpr std::size_t chunk_with_method_min = 64;

/// Tables of fewer rows stay rows.
inline constexpr std::size_t column_rows_min = 16;

enum class ChunkMethod : std::uint8_t {
    raw = 0,         ///< as it is, among the bodies
    compressed = 1,  ///< by the back end, among the bodies
    constant = 2,    ///< one byte, repeated; it is in the plan
    small = 3,       ///< as it is, among the small chunks
};

enum class TableForm : std::uint8_t { rows = 0, columns = 1 };

/// Three strings of bytes that grow together.
struct PlanWriter {
    Bytes& plan;
    Bytes& small;
    Bytes& bodies;
};

/// The same being read. A copy is a bookmark.
struct PlanReader {
    ByteReader plan;
    ByteReader small;
    ByteReader bodies;

    [[nodiscard]] bool ok() const { return plan.ok() && small.ok() && bodies.ok(); }
};

/// A chunk as it is stored.
struct Chunk {
    ChunkMethod method = ChunkMethod::raw;
    std::byte value{};  ///< constant: the byte
    ByteView stored;    ///< other methods
};

void write_chunk(PlanWriter& writer, std::size_t plain_size, const Chunk& chunk);

/// nullopt if there is no valid chunk of `plain_size` bytes (1 to chunk_size_max). What is stored
/// raw or small has that size; what is compressed is smaller.
[[nodiscard]] std::optional<Chunk> read_chunk(PlanReader& reader, std::size_t plain_size);

/// A table of at least one row: the form and, for columns, first row and model.
struct TablePlan {
    TableForm form = TableForm::rows;
    ByteView base;
    const ColumnModel* model = nullptr;  ///< of columns
};

void write_table_plan(PlanWriter& writer, const TablePlan& plan);

/// False unless there is a valid plan for rows of `row_width`, into `plan` and `model`: fields are
/// in order, inside the row and of a width that their coding has. `plan.base` is a view of the
/// plan.
[[nodiscard]] bool read_table_plan(PlanReader& reader, std::size_t row_width, TablePlan& plan,
                                   ColumnModel& model);

/// Calls `body(offset, size)` for each chunk of `size` bytes.
template <class Body>
void for_each_chunk(std::size_t size, const Body& body) {
    for (std::size_t offset = 0; offset < size; offset += chunk_size_max)
        body(offset, std::min(chunk_size_max, size - offset));
}

}  // namespace walden::codec::wal_codec
