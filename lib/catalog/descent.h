// Can a data directory recover along a timeline? PostgreSQL refuses to start with "requested
// timeline N is not a child of this server's history" where it cannot (InitWalRecovery in
// xlogrecovery.c), and names neither the way out nor, for recovery_target_timeline = latest, where
// N came from.
#pragma once

#include "wal/file_name.h"
#include "wal/lsn.h"
#include "wal/timeline_history.h"

#include <cstdint>
#include <optional>
#include <string>

namespace walden::catalog {

/// What a data directory depends on.
struct DescentQuestion {
    wal::Lsn checkpoint;
    wal::TimelineId timeline = 0;  ///< of the checkpoint
    std::optional<wal::Lsn> minimum_recovery{};
    wal::TimelineId minimum_recovery_timeline = 0;
};

/// Why not, for a person.
struct DescentProblem {
    std::string text;  ///< one line
    std::string hint;  ///< what to do, whole sentences
};

/// nullopt if the timeline whose line of descent is `target` holds the WAL that the data directory
/// has replayed.
[[nodiscard]] std::optional<DescentProblem> explain_descent(const wal::TimelineHistory& target,
                                                            const DescentQuestion& question);

}  // namespace walden::catalog
