// Rows to byte planes and back: the loops over all rows of a table.
//
// A plane holds one byte of one field of every row, one after the other. Planes lie one behind the
// other in the order of the fields, the low byte of a field first.
#pragma once

#include "base/bytes.h"
#include "codec/wal/container/column_model.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace walden::codec::wal_codec {

/// Sets changes[j] to 0 if byte j is the same in all rows, to anything else if not.
/// `changes.size()` is the width of a row, 1 to row_width_max.
void find_changes(ByteView rows, std::span<std::uint8_t> changes);

/// Fills `planes`, which has model.plane_count() bytes for each row.
void split_rows(ByteView rows, std::size_t row_width, const ColumnModel& model,
                MutableByteView planes);

/// The inverse: fills `rows` from `planes` and the first row of the table, `base`, whose size is
/// the width of a row. Every field of `model` lies inside it. Any planes give rows; those of a
/// table give the table.
void join_rows(ByteView planes, ByteView base, const ColumnModel& model, MutableByteView rows);

/// The same for any CPU, one byte at a time: what the tests compare with.
namespace portable {

void find_changes(ByteView rows, std::span<std::uint8_t> changes);
void split_rows(ByteView rows, std::size_t row_width, const ColumnModel& model,
                MutableByteView planes);
void join_rows(ByteView planes, ByteView base, const ColumnModel& model, MutableByteView rows);

}  // namespace portable

}  // namespace walden::codec::wal_codec
