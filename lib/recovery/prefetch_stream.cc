#include "recovery/prefetch_stream.h"

#include <algorithm>

namespace walden::recovery {

using Outcome = JobResult::Outcome;

bool PrefetchStream::follows_last(const wal::SegmentName& segment) const {
    return last_ && segment.segment_number == last_->segment_number + 1;
}

void PrefetchStream::note_question(const std::string& file_name, Time now) {
    const auto segment = wal::parse_segment_name(file_name, segment_size_);
    if (!segment) return;
    if (follows_last(*segment)) pace_.note_replay(now - answered_at_);
    line_.note_question(*segment);
}

void PrefetchStream::note_delivery(const wal::SegmentName& segment, Origin origin, Time now) {
    if (!last_) {
        line_.note_question(segment);
    } else if (follows_last(segment)) {
        if (origin == Origin::prefetched)
            pace_.note_hit();
        else
            pace_.note_miss();
    }
    last_ = segment;
    answered_at_ = now;
}

PrefetchStream::JobPointer PrefetchStream::begin_next() {
    if (!last_) return nullptr;
    const std::uint64_t first = last_->segment_number + 1;
    const std::size_t depth = pace_.depth(depth_max_);
    for (std::uint64_t number = first; number < first + depth; ++number) {
        bool is_covered = false;
        for (const wal::SegmentName& segment : line_.names_of(number)) {
            const std::string name = to_string(segment, segment_size_);
            const JobPointer known = find(name);
            if (!known) {
                const auto job = std::make_shared<PrefetchJob>(
                    PrefetchJob{.name = name, .purpose = Purpose::ahead, .segment = segment});
                ahead_.emplace(name, job);
                return job;
            }
            if (known->is(Outcome::absent)) continue;
            if (known->is(Outcome::failed)) return nullptr;
            is_covered = true;
            break;
        }
        if (!is_covered) return nullptr;
    }
    return nullptr;
}

PrefetchStream::JobPointer PrefetchStream::begin_guess() {
    if (!last_ || guess_ || line_.is_told()) return nullptr;
    guess_ = std::make_shared<PrefetchJob>(
        PrefetchJob{.name = "the line of descent", .purpose = Purpose::line, .segment = last_});
    return guess_;
}

PrefetchStream::JobPointer PrefetchStream::begin_survey(Time now) {
    // The end is that of the line.
    if (!last_ || (guess_ && !guess_->result)) return nullptr;
    const bool is_at_the_end = !newest_ || newest_->segment_number <= last_->segment_number;
    if (!is_at_the_end || (surveyed_at_ && now - *surveyed_at_ < survey_distance)) return nullptr;
    surveyed_at_ = now;
    return std::make_shared<PrefetchJob>(PrefetchJob{.name = "the end of the archive",
                                                     .purpose = Purpose::survey,
                                                     .segment = last_,
                                                     .line = line_.line()});
}

PrefetchStream::JobPointer PrefetchStream::find(const std::string& file_name) const {
    const auto found = ahead_.find(file_name);
    return found == ahead_.end() ? nullptr : found->second;
}

void PrefetchStream::remove(const JobPointer& job) {
    if (find(job->name) == job) ahead_.erase(job->name);
}

void PrefetchStream::note_end(const PrefetchJob& job, std::chrono::nanoseconds duration) {
    if (job.purpose == Purpose::ahead && job.is(Outcome::ready)) pace_.note_fetch(duration);
    if (job.result->newest) newest_ = job.result->newest;
    if (&job == guess_.get() && job.result->history) line_.note_guess(*job.result->history);
}

bool PrefetchStream::is_over(const PrefetchJob& job, Time now) const {
    const std::uint64_t now_at = last_->segment_number;
    const std::uint64_t number = job.segment->segment_number;
    if (job.is(Outcome::absent) || job.is(Outcome::failed))
        return number <= now_at + 1 || now - job.ended_at >= marker_lifetime;
    const auto names = line_.names_of(number);
    return number <= now_at || number > now_at + depth_max_ ||
           std::find(names.begin(), names.end(), *job.segment) == names.end();
}

std::size_t PrefetchStream::drop_what_is_over(Time now) {
    if (!last_) return 0;
    const std::size_t before = ready_count();
    std::erase_if(ahead_, [&](const auto& item) { return is_over(*item.second, now); });
    return before - ready_count();
}

std::size_t PrefetchStream::ready_count() const {
    return static_cast<std::size_t>(
        std::count_if(ahead_.begin(), ahead_.end(),
                      [](const auto& item) { return item.second->is(Outcome::ready); }));
}

void PrefetchStream::describe(PrefetchStatus& status) const {
    for (const auto& [name, job] : ahead_)
        if (job->is(Outcome::ready)) status.ready_size += job->result->file->stamp().size;
    status.ready_count = ready_count();
    status.depth = pace_.depth(depth_max_);
    if (!newest_ || !last_) return;
    const std::uint64_t end = newest_->segment_number;
    const std::uint64_t now_at = last_->segment_number;
    status.last_in_archive = to_string(*newest_, segment_size_);
    status.remaining_count = end > now_at ? end - now_at : 0;
    status.remaining_us = status.remaining_count * status.replay_us;
}

}  // namespace walden::recovery
