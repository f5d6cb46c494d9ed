#include "catalog/line_coverage.h"

#include <algorithm>
#include <limits>

namespace walden::catalog {

std::vector<SegmentRun> join_runs(std::vector<SegmentRun> runs) {
    std::sort(runs.begin(), runs.end(),
              [](const SegmentRun& a, const SegmentRun& b) { return a.first < b.first; });
    std::vector<SegmentRun> joined;
    for (const SegmentRun& run : runs) {
        // Written so that the largest number does not overflow.
        if (!joined.empty() &&
            (run.first <= joined.back().last || run.first - joined.back().last == 1))
            joined.back().last = std::max(joined.back().last, run.last);
        else
            joined.push_back(run);
    }
    return joined;
}

std::optional<SegmentRun> part_of_line(const wal::TimelineHistory& line, wal::TimelineId timeline,
                                       wal::SegmentSize size) {
    for (const wal::TimelineSpan& span : line.spans()) {
        if (span.timeline != timeline) continue;
        SegmentRun part{.first = wal::segment_number_of(span.begin, size),
                        .last = std::numeric_limits<std::uint64_t>::max()};
        if (span.end) {
            if (*span.end <= span.begin) return std::nullopt;
            part.last = wal::segment_number_of(*span.end, size);
        }
        return part;
    }
    return std::nullopt;
}

std::vector<SegmentRun> runs_on_line(const wal::TimelineHistory& line, const RunsByTimeline& runs,
                                     wal::SegmentSize size) {
    std::vector<SegmentRun> found;
    for (const wal::TimelineSpan& span : line.spans()) {
        const auto part = part_of_line(line, span.timeline, size);
        const auto stored = runs.find(span.timeline);
        if (!part || stored == runs.end()) continue;
        for (const SegmentRun& run : stored->second) {
            const std::uint64_t first = std::max(run.first, part->first);
            const std::uint64_t last = std::min(run.last, part->last);
            if (first <= last) found.push_back({.first = first, .last = last});
        }
    }
    return join_runs(std::move(found));
}

const SegmentRun* find_run(const std::vector<SegmentRun>& runs, std::uint64_t number) {
    const auto found = std::find_if(runs.begin(), runs.end(),
                                    [&](const SegmentRun& run) { return run.contains(number); });
    return found == runs.end() ? nullptr : &*found;
}

bool lies_on_line(const wal::TimelineHistory& line, wal::TimelineId timeline, wal::Lsn lsn) {
    const auto& spans = line.spans();
    return std::any_of(spans.begin(), spans.end(), [&](const wal::TimelineSpan& span) {
        return span.timeline == timeline && lsn >= span.begin && (!span.end || lsn < *span.end);
    });
}

}  // namespace walden::catalog
