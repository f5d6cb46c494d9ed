#include "recovery/prefetcher.h"

#include "base/format.h"
#include "base/thread_crew.h"

#include <algorithm>
#include <utility>

namespace walden::recovery {

namespace {

using Outcome = JobResult::Outcome;

/// Of descriptors, beside the budget of bytes.
constexpr std::uint64_t depth_limit = 256;
/// What has been replayed and stays in memory, at least one segment, for whoever comes just behind:
/// an archiver of a standby, its own standbys.
constexpr std::uint64_t kept_in_memory = std::uint64_t{64} << 20;

std::uint64_t microseconds(std::chrono::nanoseconds duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

}  // namespace

Prefetcher::Prefetcher(PrefetchOptions options, Open open)
    : options_(std::move(options)),
      source_(std::move(open), options_.open_valid_for),
      memory_(options_.memory) {}

Prefetcher::~Prefetcher() {
    {
        const std::lock_guard lock(mutex_);
        is_closing_ = true;
        changed_.notify_all();
    }
    threads_.clear();
}

// The asker.

Prefetcher::Answer Prefetcher::fetch(const std::string& file_name,
                                     const KeepWaiting& keep_waiting) {
    const auto asked_at = Clock::now();
    const bool is_foreign = source_.drop_foreign();
    std::unique_lock lock(mutex_);
    if (is_foreign) end_stream();
    start_threads();
    ++asker_count_;
    ++counts_.question_count;
    if (stream_) stream_->note_question(file_name, Clock::now());
    Answer result = answer(lock, file_name, keep_waiting);
    counts_.waited_us += microseconds(Clock::now() - asked_at);
    --asker_count_;
    changed_.notify_all();
    return result;
}

/// From what is ahead, else by a job of its own.
Prefetcher::Answer Prefetcher::answer(std::unique_lock<std::mutex>& lock, const std::string& name,
                                      const KeepWaiting& keep_waiting) {
    if (const JobPointer ahead = stream_ ? stream_->find(name) : nullptr) {
        const Origin origin = ahead->result ? Origin::prefetched : Origin::awaited;
        if (!await_result(lock, *ahead, keep_waiting)) return std::nullopt;
        // That it was absent, or failed, decides nothing; it is kept in mind, so that it is not
        // tried again now.
        if (ahead->is(Outcome::ready)) {
            if (stream_) stream_->remove(ahead);
            if (is_deliverable(*ahead)) return deliver(*ahead, origin);
        }
    }
    const auto job = std::make_shared<PrefetchJob>(PrefetchJob{.name = name});
    asked_.push_back(job);
    changed_.notify_all();
    if (!await_result(lock, *job, keep_waiting)) {
        std::erase(asked_, job);
        return std::nullopt;
    }
    switch (job->result->outcome) {
        case Outcome::ready: return deliver(*job, Origin::fetched);
        case Outcome::absent:
            ++counts_.absent_count;
            if (stream_) stream_->note_absence(Clock::now());
            return NotThere{};
        case Outcome::failed: break;
    }
    ++counts_.failure_count;
    counts_.last_failure = job->result->error->message();
    return *job->result->error;
}

/// False: whoever asked has gone before it was done.
bool Prefetcher::await_result(std::unique_lock<std::mutex>& lock, const PrefetchJob& job,
                              const KeepWaiting& keep_waiting) {
    return await(lock, changed_, keep_waiting, [&] { return job.result.has_value(); });
}

bool Prefetcher::is_deliverable(const PrefetchJob& job) {
    if (job.result->file->is_untouched()) return true;
    ++counts_.discarded_count;
    counts_.last_failure =
        format("somebody wrote to {} after it was prefetched; fetched again", job.name);
    return false;
}

Prefetcher::Answer Prefetcher::deliver(const PrefetchJob& job, Origin origin) {
    counts_.last_delivered = job.name;
    switch (origin) {
        case Origin::prefetched: ++counts_.prefetched_count; break;
        case Origin::awaited: ++counts_.awaited_count; break;
        case Origin::fetched: ++counts_.fetched_count; break;
    }
    const JobResult& result = *job.result;
    const auto segment = wal::parse_segment_name(job.name, result.segment_size);
    if ((segment || result.history) && provide_stream(result.segment_size)) {
        const auto now = Clock::now();
        if (result.history) stream_->note_history(*result.history);
        if (segment) {
            delivered_.push_back(result.file);
            stream_->note_delivery(*segment, origin, now);
            counts_.discarded_count += stream_->drop_what_is_over(now);
        }
    }
    return Delivery{.file = result.file, .origin = origin};
}

bool Prefetcher::provide_stream(wal::SegmentSize segment_size) {
    if (stream_) return true;
    const std::uint64_t depth_max = std::min(options_.size / segment_size.bytes(), depth_limit);
    if (!may_prefetch_ || depth_max == 0 || !options_.is_recovering()) return false;
    stream_.emplace(segment_size, static_cast<std::size_t>(depth_max));
    return true;
}

void Prefetcher::end_stream() {
    if (!stream_) return;
    counts_.discarded_count += stream_->ready_count();
    counts_.replay_us = microseconds(stream_->pace().replay());
    counts_.fetch_us = microseconds(stream_->pace().fetch());
    stream_.reset();
    delivered_.clear();
    changed_.notify_all();
}

// The threads.

/// With the first question: an agent that only archives needs none.
void Prefetcher::start_threads() {
    if (!threads_.empty()) return;
    threads_.reserve(options_.in_flight + 2);
    // One is always there for what a server waits for.
    threads_.push_back(require_thread([this] { work(false); }));
    auto watcher = try_thread([this] { watch(); });
    // A stream that nobody watches would never end.
    may_prefetch_ = may_prefetch_ && watcher.has_value();
    if (!watcher) return;
    threads_.push_back(std::move(*watcher));
    for (std::size_t i = 0; i < options_.in_flight; ++i) {
        auto worker = try_thread([this] { work(true); });
        if (!worker) break;
        threads_.push_back(std::move(*worker));
    }
}

void Prefetcher::work(bool takes_all) {
    std::unique_lock lock(mutex_);
    while (!is_closing_) {
        if (const JobPointer job = next_job(takes_all))
            run(lock, *job);
        else
            changed_.wait(lock);
    }
}

void Prefetcher::watch() {
    std::unique_lock lock(mutex_);
    while (!is_closing_) {
        changed_.wait_for(lock, options_.look_interval, [&] { return is_closing_; });
        if (!stream_ || is_closing_) continue;
        lock.unlock();
        const bool is_recovering = options_.is_recovering();
        lock.lock();
        if (!is_recovering) end_stream();
    }
}

Prefetcher::JobPointer Prefetcher::next_job(bool takes_all) {
    if (!asked_.empty()) {
        JobPointer job = std::move(asked_.front());
        asked_.pop_front();
        return job;
    }
    if (!takes_all || !stream_) return nullptr;
    if (!memory_.is_used_up())
        if (JobPointer job = stream_->begin_next()) return job;
    if (JobPointer job = stream_->begin_guess()) return job;
    return stream_->begin_survey(Clock::now());
}

void Prefetcher::run(std::unique_lock<std::mutex>& lock, PrefetchJob& job) {
    const auto began_at = Clock::now();
    ++running_count_;
    const auto replayed = take_replayed();
    lock.unlock();
    for (const auto& file : replayed) file->release_pages();
    JobResult result = result_of(job);
    lock.lock();
    --running_count_;
    job.result = std::move(result);
    job.ended_at = Clock::now();
    note_end(job, job.ended_at - began_at);
    changed_.notify_all();
}

/// What was replayed is read by nobody any more, and would drive what redo reads again and again
/// out of memory.
std::vector<std::shared_ptr<const NamelessFile>> Prefetcher::take_replayed() {
    std::vector<std::shared_ptr<const NamelessFile>> replayed;
    while (delivered_.size() > 1 &&
           delivered_.size() * delivered_.back()->stamp().size > kept_in_memory) {
        replayed.push_back(std::move(delivered_.front()));
        delivered_.pop_front();
    }
    return replayed;
}

/// Without the mutex.
JobResult Prefetcher::result_of(const PrefetchJob& job) {
    JobResult result{.outcome = Outcome::failed};
    try {
        return perform(job, *source_.provide(), options_.directory, memory_);
    } catch (const Error& error) {
        result.error = error;
    } catch (const std::exception& error) {
        result.error = Error(ErrorKind::io, error.what());
    }
    if (result.error->kind() != ErrorKind::unavailable) source_.distrust();
    if (job.purpose == Purpose::ahead)
        options_.observe(format("could not work ahead: {}", result.error->message()));
    return result;
}

void Prefetcher::note_end(const PrefetchJob& job, Clock::duration duration) {
    if (stream_) stream_->note_end(job, duration);
    if (job.purpose != Purpose::ahead) return;
    const bool is_wanted = stream_ && stream_->find(job.name).get() == &job;
    if (job.is(Outcome::ready) && !is_wanted) ++counts_.discarded_count;
    if (job.is(Outcome::failed)) counts_.last_failure = job.result->error->message();
}

// Looking at it.

PrefetchStatus Prefetcher::status() {
    const std::lock_guard lock(mutex_);
    PrefetchStatus status = counts_;
    status.in_flight = running_count_;
    status.memory_in_use = memory_.in_use();
    if (!stream_) return status;
    status.replay_us = microseconds(stream_->pace().replay());
    status.fetch_us = microseconds(stream_->pace().fetch());
    stream_->describe(status);
    return status;
}

bool Prefetcher::is_idle() {
    const std::lock_guard lock(mutex_);
    return asker_count_ == 0 && running_count_ == 0;
}

void Prefetcher::stop_prefetching() {
    const std::lock_guard lock(mutex_);
    may_prefetch_ = false;
    end_stream();
}

}  // namespace walden::recovery
