#include "recovery/recovery_line.h"

#include <algorithm>

namespace walden::recovery {

void RecoveryLine::note_history(const wal::TimelineHistory& history) {
    histories_.insert_or_assign(history.timeline(), history);
    line_ = history;
    last_.reset();
}

void RecoveryLine::note_guess(const wal::TimelineHistory& history) {
    if (is_told() || !last_) return;
    const auto timelines = history.timelines_of_segment(last_->segment_number, segment_size_);
    if (std::find(timelines.begin(), timelines.end(), last_->timeline) != timelines.end())
        line_ = history;
}

/// Whether a server that follows the line asks for this segment now.
bool RecoveryLine::fits(const wal::SegmentName& name) const {
    if (!line_ || !line_->contains(name.timeline)) return false;
    const auto timelines = line_->timelines_of_segment(name.segment_number, segment_size_);
    if (!timelines.empty() && timelines.front() == name.timeline) return true;
    // An older timeline's is asked for only after the newer one's.
    return last_ && last_->segment_number == name.segment_number && last_->timeline > name.timeline;
}

void RecoveryLine::note_question(const wal::SegmentName& name) {
    if (!fits(name)) {
        const auto known = histories_.find(name.timeline);
        line_ = known != histories_.end() ? known->second : wal::TimelineHistory(name.timeline);
    }
    last_ = name;
}

std::vector<wal::SegmentName> RecoveryLine::names_of(std::uint64_t segment_number) const {
    std::vector<wal::SegmentName> names;
    if (!line_ || !last_) return names;
    for (const wal::TimelineId timeline :
         line_->timelines_of_segment(segment_number, segment_size_))
        // A server never goes back to an older timeline (curFileTLI).
        if (timeline >= last_->timeline) names.push_back({timeline, segment_number});
    // A fallback to an older timeline at the switch: the newer one goes on behind it.
    return names;
}

}  // namespace walden::recovery
