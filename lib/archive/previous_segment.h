// The segment before the one that is being archived, which is mostly still in pg_wal.
#pragma once

#include "base/bytes.h"
#include "wal/record_reader.h"

#include <string>

namespace walden::archive {

/// The last wal::previous_end_size bytes of the segment before `segment`, from the file of that
/// name in `directory`. Empty if there is none, or it cannot be read: nothing depends on it but
/// that a record in two segments is understood at once. The bytes are not checked.
[[nodiscard]] Bytes read_end_of_previous(const std::string& directory,
                                         const wal::SegmentInput& segment);

}  // namespace walden::archive
