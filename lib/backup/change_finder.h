// What WAL says of the time between two backups.
#pragma once

#include "backup/wal_source.h"
#include "wal/changed_blocks.h"
#include "wal/lsn.h"

#include <cstdint>
#include <optional>
#include <string>

namespace walden::backup {

struct FoundChanges {
    std::optional<wal::ChangedBlocks> blocks;  ///< none: everything must be read
    std::string problem;                       ///< why
};

/// Every page that a record from `begin` to `end` changes. From the lists of the segments' entries,
/// and where an entry has none from the segment itself, as far as it can be read. Throws what the
/// storage throws.
[[nodiscard]] FoundChanges find_changes(const WalSource& wal, wal::Lsn begin, wal::Lsn end,
                                        std::uint32_t pages_per_file);

}  // namespace walden::backup
