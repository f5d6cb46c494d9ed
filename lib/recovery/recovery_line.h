// Which segment a recovery asks for next: along its line of descent, not "the next number".
//
// PostgreSQL tells the line by the histories it asks for before the first segment, and later by
// the segments themselves. Who begins to listen in between is told what the archive suggests. What
// is derived here is a guess that costs time when it is wrong, and decides nothing.
#pragma once

#include "wal/file_name.h"
#include "wal/timeline_history.h"

#include <map>
#include <optional>
#include <vector>

namespace walden::recovery {

/// One thread at a time.
class RecoveryLine {
public:
    explicit RecoveryLine(wal::SegmentSize segment_size) : segment_size_(segment_size) {}

    /// The server was given a history: it looks for the newest timeline that it can follow, in
    /// ascending order, and follows the last that it gets.
    void note_history(const wal::TimelineHistory& history);

    /// Nobody has told the line, and this one is likely. Ignored if a history was given, or the
    /// last question was for a segment that is not of this line.
    void note_guess(const wal::TimelineHistory& history);

    /// Whether a history was given.
    [[nodiscard]] bool is_told() const { return !histories_.empty(); }

    /// The server asks for a segment. For each number it asks along its line, newest timeline first
    /// (XLogFileReadAnyTLI): whoever asks otherwise follows another line.
    void note_question(const wal::SegmentName& name);

    /// The names under which the server will ask for a segment, in its order; the last question was
    /// for an earlier number. Empty before the first question.
    [[nodiscard]] std::vector<wal::SegmentName> names_of(std::uint64_t segment_number) const;

    /// As far as it is known; nullopt before the first question.
    [[nodiscard]] const std::optional<wal::TimelineHistory>& line() const { return line_; }

private:
    [[nodiscard]] bool fits(const wal::SegmentName& name) const;

    wal::SegmentSize segment_size_;
    std::map<wal::TimelineId, wal::TimelineHistory> histories_;
    std::optional<wal::TimelineHistory> line_;
    std::optional<wal::SegmentName> last_;
};

}  // namespace walden::recovery
