// Timeline history files: which timelines a timeline descends from, and where each one was left.
//
// One line per ancestor, oldest first: timeline (decimal), switch point (hex LSN), reason (text),
// separated by tabs. Lines that are blank or begin with # mean nothing. The file of timeline N
// lists N's ancestors, not N (src/backend/access/transam/timeline.c).
#pragma once

#include "base/bytes.h"
#include "wal/file_name.h"
#include "wal/lsn.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace walden::wal {

/// One timeline of a history and the part of the WAL that belongs to it: [begin, end).
///
/// begin may lie after end (seen from PostgreSQL 15): a recovery with recovery_target_timeline =
/// latest that stops before an earlier switch point gives the new timeline the newest one as
/// parent, so its file says "left timeline 1 at X, timeline 2 at Y" with Y before X. Nothing of
/// timeline 2 is part of that line.
struct TimelineSpan {
    TimelineId timeline = 0;
    Lsn begin{};               ///< 0 for the oldest
    std::optional<Lsn> end{};  ///< the switch point to the next; none for the newest
    std::string reason{};  ///< why the timeline was left, as the file says; empty for the newest
};

/// The line of descent of one timeline. Immutable.
class TimelineHistory {
public:
    /// A timeline without ancestors: what every cluster starts on.
    explicit TimelineHistory(TimelineId timeline) : spans_{{.timeline = timeline}} {}

    /// Oldest first; the last one is the timeline itself. Never empty.
    [[nodiscard]] const std::vector<TimelineSpan>& spans() const { return spans_; }

    [[nodiscard]] TimelineId timeline() const { return spans_.back().timeline; }

    /// The timeline whose WAL holds the byte at `lsn` (tliOfPointInHistory).
    [[nodiscard]] TimelineId timeline_at(Lsn lsn) const;

    /// The timelines under which this segment may be found, newest first, as recovery asks for it
    /// (XLogFileReadAnyTLI): the child's file of a segment with a switch point begins with a copy
    /// of the parent's bytes, so such a segment belongs to both.
    [[nodiscard]] std::vector<TimelineId> timelines_of_segment(std::uint64_t segment_number,
                                                               SegmentSize size) const;

    /// True for the timeline itself, too.
    [[nodiscard]] bool contains(TimelineId timeline) const;

    /// Where `ancestor` was left; nullopt for the timeline itself or one that is no ancestor.
    [[nodiscard]] std::optional<Lsn> switch_point(TimelineId ancestor) const;

    friend struct HistoryParser;

private:
    std::vector<TimelineSpan> spans_;
};

struct HistoryResult {
    std::optional<TimelineHistory> history;
    std::string reason{};  ///< why there is none; one line for a message
};

/// Parses the file of timeline `child`, which is not 0. Refused are (fault 43): lines that
/// PostgreSQL would refuse, a zero byte, a last line that may be cut short, and for a child above 1
/// a file that lists no ancestor, which PostgreSQL takes for "a timeline without parents" and then
/// fails to find its checkpoint.
[[nodiscard]] HistoryResult parse_timeline_history(ByteView file, TimelineId child);

}  // namespace walden::wal
