#include "catalog/reachable.h"

#include <algorithm>
#include <optional>

namespace walden::catalog {

namespace {

/// The oldest backup that makes the run's end reachable along the line; nullptr if none does.
const BackupSpan* find_opener(const std::vector<BackupSpan>& backups,
                              const wal::TimelineHistory& line, const SegmentRun& run,
                              wal::SegmentSize size) {
    const BackupSpan* opener = nullptr;
    for (const BackupSpan& backup : backups) {
        if (!run.contains(wal::segment_number_of(backup.start, size)) ||
            !run.contains(wal::segment_number_of(backup.stop, size)) ||
            !lies_on_line(line, backup.timeline, backup.start) ||
            !lies_on_line(line, backup.timeline, backup.stop))
            continue;
        if (!opener || backup.stop < opener->stop) opener = &backup;
    }
    return opener;
}

}  // namespace

wal::TimelineHistory line_of(const Histories& histories, wal::TimelineId timeline) {
    const auto found = histories.find(timeline);
    return found == histories.end() ? wal::TimelineHistory(timeline) : found->second;
}

std::vector<Window> find_windows(const std::vector<BackupSpan>& backups, const Histories& histories,
                                 const RunsByTimeline& runs, wal::SegmentSize size) {
    std::vector<Window> windows;
    for (const auto& [timeline, own_runs] : runs) {
        const wal::TimelineHistory line = line_of(histories, timeline);
        const wal::Lsn born = line.spans().back().begin;
        for (const SegmentRun& run : runs_on_line(line, runs, size)) {
            // A run that ends before the timeline's own WAL is its ancestors' alone.
            if (!find_run(own_runs, run.last)) continue;
            const BackupSpan* opener = find_opener(backups, line, run, size);
            if (!opener) continue;
            windows.push_back({.timeline = timeline,
                               .from = std::max(opener->stop, born),
                               .to = {(run.last + 1) * size.bytes()},
                               .backup = opener->id});
        }
    }
    return windows;
}

}  // namespace walden::catalog
