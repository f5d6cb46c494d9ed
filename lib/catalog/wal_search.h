// The exact record at which a recovery stops, by reading WAL: facts of segments only tell the
// segment. Needs a key that opens contents.
#pragma once

#include "pg/recovery_target.h"
#include "vault/cluster_vault.h"
#include "wal/file_name.h"
#include "wal/lsn.h"
#include "wal/segment_facts.h"
#include "wal/timeline_history.h"

#include <cstdint>
#include <optional>
#include <string>

namespace walden::catalog {

/// The end of a transaction, or a restore point.
struct FoundRecord {
    wal::SegmentName segment;
    wal::Lsn lsn;
    wal::Timestamp time = 0;
    std::uint32_t xid = 0;  ///< 0 for a restore point
};

struct SegmentSearch {
    std::optional<FoundRecord> stop;            ///< where recovery stops, if in this segment
    std::optional<wal::Timestamp> last_before;  ///< the last commit or abort before it
};

/// Reads segment `number` of `line`. `target` is of kind time, xid or name (recoveryStopsBefore and
/// recoveryStopsAfter in xlogrecovery.c). Throws Error(missing) if the segment is not there, and
/// what WalEntries and Contents throw.
[[nodiscard]] SegmentSearch search_segment(const vault::ClusterVault& vault,
                                           const wal::TimelineHistory& line, wal::SegmentSize size,
                                           std::uint64_t number, const pg::RecoveryTarget& target);

}  // namespace walden::catalog
