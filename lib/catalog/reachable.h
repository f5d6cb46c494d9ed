// Which moments can be reached: the recovery window of each timeline, from backups and runs. Pure.
#pragma once

#include "catalog/line_coverage.h"
#include "wal/file_name.h"
#include "wal/lsn.h"
#include "wal/timeline_history.h"

#include <map>
#include <string>
#include <vector>

namespace walden::catalog {

/// What a base backup needs to be of use.
struct BackupSpan {
    std::string id;
    wal::TimelineId timeline = 0;
    wal::Lsn start{};  ///< redo of its checkpoint: the first WAL that it needs
    wal::Lsn stop{};   ///< consistent from here on

    friend bool operator==(const BackupSpan&, const BackupSpan&) = default;
};

/// Any moment from `from` to `to` can be reached along `timeline`, beginning with `backup`.
struct Window {
    wal::TimelineId timeline = 0;
    wal::Lsn from{};     ///< the backup is consistent, and the timeline has begun
    wal::Lsn to{};       ///< the end of the last segment without a hole in between
    std::string backup;  ///< the oldest one that opens it

    friend bool operator==(const Window&, const Window&) = default;
};

using Histories = std::map<wal::TimelineId, wal::TimelineHistory>;

/// The line of descent of a timeline: its history's, or without one a line of itself.
[[nodiscard]] wal::TimelineHistory line_of(const Histories& histories, wal::TimelineId timeline);

/// The windows of every timeline that has WAL, ascending by timeline and place. Those of a timeline
/// begin where it was born: what lies before belongs to its ancestors. A hole ends a window; the
/// next backup behind it opens another.
[[nodiscard]] std::vector<Window> find_windows(const std::vector<BackupSpan>& backups,
                                               const Histories& histories,
                                               const RunsByTimeline& runs, wal::SegmentSize size);

}  // namespace walden::catalog
