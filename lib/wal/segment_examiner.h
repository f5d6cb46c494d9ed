// Everything that is learned of a segment in one pass: whether it is whole, its facts, and the
// blocks that its records change.
#pragma once

#include "base/bytes.h"
#include "wal/block_references.h"
#include "wal/record_reader.h"

#include <cstddef>

namespace walden::wal {

/// Of the segment before, this much is worth having at hand (`previous_end` below).
inline constexpr std::size_t previous_end_size = std::size_t{64} << 10;

struct SegmentExamination {
    SegmentReport report;
    BlockReferences references;
};

/// Reads the segment as read_segment() does. `previous_end` are the last bytes of the segment
/// before on the same line, from a page's first byte on: all of it, previous_end_size of it, or
/// none. They serve to understand the record that goes on in this segment and nothing else: the
/// report does not depend on them, and bytes that do not fit are left aside. Pure; throws
/// std::bad_alloc only. Takes at most 4 MiB beside the segment; about 6 ms for 16 MiB.
[[nodiscard]] SegmentExamination examine_segment(const SegmentInput& input, ByteView previous_end);

/// The references alone, for segments whose entries have none.
[[nodiscard]] inline BlockReferences collect_block_references(const SegmentInput& input,
                                                              ByteView previous_end = {}) {
    return examine_segment(input, previous_end).references;
}

}  // namespace walden::wal
