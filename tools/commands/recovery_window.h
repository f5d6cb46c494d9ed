// From when to when each line of descent can be recovered: the question of whoever has lost data.
#pragma once

#include "catalog/survey.h"
#include "vault/cluster_vault.h"
#include "wal/timeline_history.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace walden::commands {

/// A base backup that the archive knows of.
struct BaseBackup {
    enum class Kind : std::uint8_t {
        elsewhere,  ///< its label was archived; whoever took it keeps the files
        stored,     ///< taken by `walden backup`: its files are in the archive
    };

    std::string name;
    Kind kind = Kind::elsewhere;
    wal::TimelineId timeline = 0;
    wal::Lsn start;          ///< replay begins here
    std::int64_t ended = 0;  ///< Unix seconds: it cannot be recovered to earlier moments
};

/// Ascending by their ends. Of labels at most the newest hundred and the oldest.
[[nodiscard]] std::vector<BaseBackup> find_base_backups(const vault::ClusterVault& vault,
                                                        const catalog::ClusterSurvey& survey);

/// What one line of descent can be recovered to.
struct RecoveryWindow {
    wal::TimelineId timeline = 0;  ///< the newest one of the line
    /// The oldest base backup from which the archived WAL leads to the line's end without a hole;
    /// none: there is nothing to recover from.
    std::optional<BaseBackup> base_backup;
    std::optional<wal::Timestamp> latest_commit;     ///< archived on the line
    std::optional<wal::SegmentName> latest_segment;  ///< the last one
};

/// One for each timeline that no other one was branched from, ascending. Pure.
[[nodiscard]] std::vector<RecoveryWindow> find_recovery_windows(
    const catalog::ClusterSurvey& survey, const std::vector<BaseBackup>& backups,
    wal::SegmentSize size);

}  // namespace walden::commands
