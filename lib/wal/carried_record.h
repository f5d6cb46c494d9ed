// A record that lies in two segments, put together from both.
#pragma once

#include "base/bytes.h"
#include "wal/lsn.h"
#include "wal/record_reader.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace walden::wal {

/// A record's bytes where they lie, from its first one on; views into what it was found in.
struct SpannedRecord {
    Lsn start;
    std::uint32_t total_length = 0;
    std::vector<ByteView> pieces;
    bool is_whole = false;  ///< up to its last byte
};

/// The record that begins in the segment before and goes on in this one, of which `report` tells.
/// `previous_end` are the last bytes of the segment before, from the beginning of a page on.
/// nullopt if the record's beginning is not among them, or if they do not go together: a whole
/// record is proven by its CRC, one that goes on in the next segment by page headers and length
/// only. Hostile bytes are fine.
[[nodiscard]] std::optional<SpannedRecord> find_carried_record(const SegmentInput& input,
                                                               const SegmentReport& report,
                                                               ByteView previous_end);

/// What lies in this segment of the record that begins in it and goes on in the next, if there is
/// one.
[[nodiscard]] std::optional<SpannedRecord> find_unfinished_record(const SegmentInput& input,
                                                                  const SegmentReport& report);

}  // namespace walden::wal
