// What is kept ahead of one recovery: which segments its server asks for next, how many of them,
// and what has been done about each.
#pragma once

#include "recovery/prefetch_answer.h"
#include "recovery/prefetch_job.h"
#include "recovery/recovery_line.h"
#include "recovery/replay_pace.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace walden::recovery {

/// Decides and remembers; has neither threads nor files nor a clock of its own. One thread at a
/// time: the prefetcher's mutex guards it and the results of its jobs.
class PrefetchStream {
public:
    using Time = std::chrono::steady_clock::time_point;
    using JobPointer = std::shared_ptr<PrefetchJob>;

    /// What was absent or failed ahead is tried again, if the server asks for something, after
    /// this.
    static constexpr std::chrono::seconds marker_lifetime{1};

    /// Between two looks at the archive's end.
    static constexpr std::chrono::seconds survey_distance{60};

    /// At most `depth_max` segments are ahead.
    PrefetchStream(wal::SegmentSize segment_size, std::size_t depth_max)
        : segment_size_(segment_size), depth_max_(depth_max), line_(segment_size) {}

    // What the server does.

    /// It was given a history.
    void note_history(const wal::TimelineHistory& history) { line_.note_history(history); }

    /// It asks for a file.
    void note_question(const std::string& file_name, Time now);

    /// It was given a segment.
    void note_delivery(const wal::SegmentName& segment, Origin origin, Time now);

    /// It was told that there is no such file.
    void note_absence(Time now) { answered_at_ = now; }

    // What is to be done.

    /// The job for the first segment in reach that nobody has begun, begun now. Behind the first
    /// that is absent, or has failed, nothing is tried. nullptr: there is nothing to do.
    [[nodiscard]] JobPointer begin_next();

    /// The job to guess the line of descent, once, for a stream whose server has not told it: one
    /// that had asked for its histories before the agent began. nullptr: it need not be done.
    [[nodiscard]] JobPointer begin_guess();

    /// The job to look where the archive ends, for the time that is left: once, and when the end
    /// seems to have moved. nullptr: it need not be done.
    [[nodiscard]] JobPointer begin_survey(Time now);

    // What was done.

    /// nullptr unless the file was begun.
    [[nodiscard]] JobPointer find(const std::string& file_name) const;

    /// Forgets the job if it is one of the stream. A file ahead is used once.
    void remove(const JobPointer& job);

    /// A job has its result, after `duration`.
    void note_end(const PrefetchJob& job, std::chrono::nanoseconds duration);

    /// Drops what the server will not ask for now that it was given a segment, and what was absent
    /// or failed: it may be there by now. Returns how many of them were ready.
    [[nodiscard]] std::size_t drop_what_is_over(Time now);

    [[nodiscard]] std::size_t ready_count() const;

    [[nodiscard]] const ReplayPace& pace() const { return pace_; }

    /// Adds what is ready, the depth and what remains to `status`.
    void describe(PrefetchStatus& status) const;

private:
    [[nodiscard]] bool follows_last(const wal::SegmentName& segment) const;
    [[nodiscard]] bool is_over(const PrefetchJob& job, Time now) const;

    const wal::SegmentSize segment_size_;
    const std::size_t depth_max_;
    RecoveryLine line_;
    ReplayPace pace_;
    std::map<std::string, JobPointer> ahead_;  ///< by name, in every state
    std::optional<wal::SegmentName> last_;     ///< delivered
    Time answered_at_{};
    JobPointer guess_;                        ///< of the line; nullptr: not begun
    std::optional<wal::SegmentName> newest_;  ///< in the archive, when it was looked for
    std::optional<Time> surveyed_at_;
};

}  // namespace walden::recovery
