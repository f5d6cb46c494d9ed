// Waits until the WAL that a backup needs is in the archive: only then it can be restored.
#pragma once

#include "vault/cluster_vault.h"
#include "wal/file_name.h"
#include "wal/lsn.h"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace walden::backup {

struct NeededWal {
    wal::Lsn redo;
    wal::Lsn stop;
    wal::TimelineId timeline = 0;
    wal::SegmentSize segment_size;
    /// How long to wait for the next segment to arrive.
    std::chrono::milliseconds patience{};
};

/// The segments from redo to stop, in their order.
[[nodiscard]] std::vector<std::string> needed_segments(const NeededWal& wal);

/// Returns when all of them are in the archive. `watch` is told a few times a second which one is
/// waited for; what it throws ends the waiting. Throws Error(missing) naming the segment that did
/// not arrive in time.
void wait_for_wal(const vault::ClusterVault& vault, const NeededWal& wal,
                  const std::function<void(const std::string& segment)>& watch);

}  // namespace walden::backup
