// Which backup, along which line, up to where: decided and proven before a restore writes a byte.
#pragma once

#include "catalog/reachable.h"
#include "catalog/stored_backups.h"
#include "pg/recovery_target.h"
#include "vault/backup_id.h"
#include "vault/cluster_vault.h"
#include "wal/file_name.h"
#include "wal/lsn.h"
#include "wal/segment_facts.h"
#include "wal/timeline_history.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace walden::restore {

struct RestoreQuestion {
    /// Kind none: all WAL there is. Its timeline is "latest", "current" or a decimal number.
    pg::RecoveryTarget target;
    std::optional<vault::BackupId> backup;  ///< none: the newest that serves
    bool accepts_damage = false;            ///< of pages in the backup
};

/// What is known of the place where recovery stops.
struct TargetPosition {
    /// The record at which it stops; none where only the segment is known, or for kind none.
    std::optional<wal::Lsn> lsn{};
    std::optional<wal::Timestamp> time{};         ///< of that record
    std::optional<std::uint32_t> xid{};           ///< whose transaction ends there
    std::optional<wal::Timestamp> last_before{};  ///< the last commit that is still in
    bool is_estimate = false;                     ///< found by facts, and not by reading WAL
};

struct RestorePlan {
    catalog::StoredBackup backup;
    wal::TimelineHistory line{1};
    wal::SegmentName first;  ///< the first segment that recovery reads
    wal::SegmentName last;   ///< the segment in which it stops, or the archive's last
    TargetPosition position;
    wal::SegmentName archive_end;  ///< the last segment of the line without a hole in between

    [[nodiscard]] std::uint64_t segment_count() const {
        return last.segment_number - first.segment_number + 1;
    }
};

/// What the planner reads of an archive once; the rest it asks for.
struct RestoreSource {
    const vault::ClusterVault& vault;
    wal::SegmentSize size;
    std::vector<catalog::StoredBackup> backups;
    catalog::Histories histories;
};

/// Reads backups and histories. `vault` must outlive the result.
[[nodiscard]] RestoreSource open_source(const vault::ClusterVault& vault, wal::SegmentSize size);

/// The newest backup from which the target can be reached, with the proof that it can: every
/// segment from its start to the target is in the archive, along one line, and none was damaged at
/// its source. Throws
///   Error(not_found)  no backup, or none that ends before the target
///   Error(missing)    a hole in the WAL, or the archive ends before the target; names both sides
///   Error(corrupt)    WAL on the way was damaged at its source, or the backup has damaged pages
///   Error(usage)      an unknown backup or timeline
/// each with the moments that can be reached as detail, and what the storage throws.
[[nodiscard]] RestorePlan plan_restore(const RestoreSource& source,
                                       const RestoreQuestion& question);

/// The windows of all timelines, as lines for a person. Lists the archive.
[[nodiscard]] std::string describe_windows(const RestoreSource& source);

}  // namespace walden::restore
