// Which stretches of a line of descent the archive holds without a hole. Pure: timelines, histories
// and segment numbers in, runs out.
#pragma once

#include "wal/file_name.h"
#include "wal/timeline_history.h"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace walden::catalog {

/// Segments without a hole between them, both ends included.
struct SegmentRun {
    std::uint64_t first = 0;  ///< segment numbers
    std::uint64_t last = 0;

    [[nodiscard]] std::uint64_t count() const { return last - first + 1; }

    [[nodiscard]] bool contains(std::uint64_t number) const {
        return first <= number && number <= last;
    }

    friend bool operator==(const SegmentRun&, const SegmentRun&) = default;
};

/// The runs of each timeline, ascending and not touching each other.
using RunsByTimeline = std::map<wal::TimelineId, std::vector<SegmentRun>>;

/// Sorts the runs, and joins those that touch or overlap.
[[nodiscard]] std::vector<SegmentRun> join_runs(std::vector<SegmentRun> runs);

/// The numbers of the segments that a recovery along `line` finds, under whichever of its timelines
/// they are stored. The segment with a switch point counts as found where the child has it, or the
/// parent has it whole: recovery asks for both.
[[nodiscard]] std::vector<SegmentRun> runs_on_line(const wal::TimelineHistory& line,
                                                   const RunsByTimeline& runs,
                                                   wal::SegmentSize size);

/// The segments of `timeline` that a recovery along `line` reads, whether or not they are there;
/// nullopt if the timeline is not part of the line. `last` is 2^64 - 1 for the line's own timeline.
[[nodiscard]] std::optional<SegmentRun> part_of_line(const wal::TimelineHistory& line,
                                                     wal::TimelineId timeline,
                                                     wal::SegmentSize size);

/// The run that holds `number`; nullptr if none does.
[[nodiscard]] const SegmentRun* find_run(const std::vector<SegmentRun>& runs, std::uint64_t number);

/// Whether the byte at `lsn` of `timeline` lies on `line`: the line contains that timeline, and
/// left it behind the byte.
[[nodiscard]] bool lies_on_line(const wal::TimelineHistory& line, wal::TimelineId timeline,
                                wal::Lsn lsn);

}  // namespace walden::catalog
