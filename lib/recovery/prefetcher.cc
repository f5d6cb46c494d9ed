#include "recovery/prefetcher.h"

#include "base/format.h"

#include <algorithm>
#include <utility>

namespace walden::recovery {

namespace {

constexpr std::chrono::milliseconds heartbeat{500};
/// Of descriptors, beside the budget of bytes.
constexpr std::size_t depth_limit = 256;
/// What was absent or failed ahead is tried again, if the server asks for something, after this.
constexpr std::chrono::seconds marker_lifetime{1};
constexpr std::chrono::seconds survey_distance{60};
constexpr std::size_t survey_count_max = 100'000;

std::uint64_t microseconds(std::chrono::nanoseconds duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

/// What the reading of a file takes: the plain bytes, the object and what it holds, opened.
std::uint64_t memory_for(const vault::Entry& entry) {
    return entry.plain_size + 2 * entry.stored_size();
}

std::optional<wal::TimelineHistory> history_in(const std::string& file_name, ByteView bytes) {
    const auto name = wal::parse_wal_file_name(file_name);
    if (!name || name->kind != wal::WalFileKind::history) return std::nullopt;
    return wal::parse_timeline_history(bytes, name->timeline).history;
}

}  // namespace

Prefetcher::Prefetcher(PrefetchOptions options, Open open)
    : options_(std::move(options)), open_(std::move(open)) {}

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
    drop_foreign_source();
    std::unique_lock lock(mutex_);
    start_threads();
    ++asker_count_;
    ++counts_.question_count;
    note_question(file_name);
    Answer result = answer(lock, file_name, keep_waiting);
    if (result) note_answer(file_name, *result);
    counts_.waited_us += microseconds(Clock::now() - asked_at);
    --asker_count_;
    changed_.notify_all();
    return result;
}

/// From what is ahead, else by a job of its own.
Prefetcher::Answer Prefetcher::answer(std::unique_lock<std::mutex>& lock, const std::string& name,
                                      const KeepWaiting& keep_waiting) {
    if (const auto found = ahead_.find(name); found != ahead_.end()) {
        const JobPointer job = found->second;
        const bool was_ready = job->state == State::ready;
        if (!await(lock, job, keep_waiting)) return std::nullopt;
        if (const auto delivery = take(job, was_ready)) return *delivery;
    }
    const auto job = std::make_shared<Job>(Job{.name = name});
    asked_.push_back(job);
    changed_.notify_all();
    if (!await(lock, job, keep_waiting)) {
        std::erase(asked_, job);
        return std::nullopt;
    }
    switch (job->state) {
        case State::ready:
            if (job->history && provide_stream()) stream_->line.note_history(*job->history);
            return Delivery{.file = job->file, .origin = Origin::fetched};
        case State::absent: return NotThere{};
        case State::failed:
        case State::waiting:
        case State::running: break;
    }
    return *job->error;
}

bool Prefetcher::await(std::unique_lock<std::mutex>& lock, const JobPointer& job,
                       const KeepWaiting& keep_waiting) {
    const auto is_done = [&] {
        return job->state != State::waiting && job->state != State::running;
    };
    for (auto next_beat = Clock::now() + heartbeat; !is_done();) {
        changed_.wait_until(lock, next_beat);
        if (Clock::now() < next_beat) continue;
        next_beat = Clock::now() + heartbeat;
        lock.unlock();
        const bool goes_on = keep_waiting();
        lock.lock();
        if (!goes_on && !is_done()) return false;
    }
    return true;
}

/// What was fetched ahead is used once. That it was absent, or failed, decides nothing; the marker
/// stays, so that it is not tried again now.
std::optional<Delivery> Prefetcher::take(const JobPointer& job, bool was_ready) {
    if (job->state != State::ready) return std::nullopt;
    const auto place = ahead_.find(job->name);
    if (place != ahead_.end() && place->second == job) ahead_.erase(place);
    if (!job->file->is_untouched()) {
        ++counts_.discarded_count;
        counts_.last_failure =
            format("somebody wrote to {} after it was prefetched; fetched again", job->name);
        return std::nullopt;
    }
    return Delivery{.file = job->file, .origin = was_ready ? Origin::prefetched : Origin::awaited};
}

void Prefetcher::note_question(const std::string& name) {
    if (!stream_) return;
    const auto segment = wal::parse_segment_name(name, segment_size_);
    if (!segment) return;
    Stream& stream = *stream_;
    if (stream.last && segment->segment_number == stream.last->segment_number + 1)
        pace_.note_replay(Clock::now() - stream.answered_at);
    stream.line.note_question(*segment);
}

void Prefetcher::note_answer(const std::string& name, const Answer& answer) {
    if (const auto* delivery = std::get_if<Delivery>(&*answer)) {
        note_delivery(name, delivery->origin);
    } else if (std::holds_alternative<NotThere>(*answer)) {
        ++counts_.absent_count;
        if (stream_) stream_->answered_at = Clock::now();
    } else {
        ++counts_.failure_count;
        counts_.last_failure = std::get<Error>(*answer).message();
    }
}

void Prefetcher::note_delivery(const std::string& name, Origin origin) {
    counts_.last_delivered = name;
    switch (origin) {
        case Origin::prefetched: ++counts_.prefetched_count; break;
        case Origin::awaited: ++counts_.awaited_count; break;
        case Origin::fetched: ++counts_.fetched_count; break;
    }
    const auto segment = wal::parse_segment_name(name, segment_size_);
    if (!segment || !provide_stream()) return;
    Stream& stream = *stream_;
    if (!stream.last) {
        stream.line.note_question(*segment);
    } else if (segment->segment_number == stream.last->segment_number + 1) {
        if (origin == Origin::prefetched)
            pace_.note_hit();
        else
            pace_.note_miss();
    }
    stream.last = segment;
    stream.answered_at = Clock::now();
    forget_what_is_over();
    changed_.notify_all();
}

bool Prefetcher::provide_stream() {
    if (stream_) return true;
    if (!may_prefetch_ || depth_max() == 0 || !options_.is_recovering()) return false;
    stream_ = Stream{.line = RecoveryLine(segment_size_)};
    pace_ = {};
    return true;
}

/// Drops what the server will not ask for now that it stands at stream_->last, and what was absent
/// or failed: it may be there by now.
void Prefetcher::forget_what_is_over() {
    const std::uint64_t now_at = stream_->last->segment_number;
    const auto now = Clock::now();
    std::erase_if(ahead_, [&](const auto& item) {
        const Job& job = *item.second;
        const std::uint64_t number = job.segment->segment_number;
        if (job.state == State::absent || job.state == State::failed)
            return number <= now_at + 1 || now - job.ended_at >= marker_lifetime;
        const auto names = stream_->line.names_of(number);
        const bool is_of_line = std::find(names.begin(), names.end(), *job.segment) != names.end();
        const bool is_over = number <= now_at || number > now_at + depth_max() || !is_of_line;
        if (is_over && job.state == State::ready) ++counts_.discarded_count;
        return is_over;
    });
}

void Prefetcher::end_stream() {
    if (!stream_) return;
    for (const auto& [name, job] : ahead_)
        if (job->state == State::ready) ++counts_.discarded_count;
    ahead_.clear();
    stream_.reset();
    changed_.notify_all();
}

std::size_t Prefetcher::depth_max() const {
    return static_cast<std::size_t>(
        std::min<std::uint64_t>(options_.size / segment_size_.bytes(), depth_limit));
}

// The threads.

/// With the first question: an agent that only archives needs none.
void Prefetcher::start_threads() {
    if (!threads_.empty()) return;
    // One is always there for what a server waits for.
    threads_.emplace_back([this] { work(false); });
    for (std::size_t i = 0; i < options_.in_flight; ++i)
        threads_.emplace_back([this] { work(true); });
    threads_.emplace_back([this] { watch(); });
}

void Prefetcher::work(bool takes_all) {
    std::unique_lock lock(mutex_);
    while (!is_closing_) {
        if (const JobPointer job = next_job(takes_all))
            run(lock, job);
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
    if (!takes_all || !stream_ || !stream_->last) return nullptr;
    if (JobPointer job = next_ahead()) return job;
    return next_survey();
}

/// The first segment in the window that nobody has begun. Behind the first that is absent, or has
/// failed, nothing is tried.
Prefetcher::JobPointer Prefetcher::next_ahead() {
    if (memory_in_use_ >= options_.memory) return nullptr;
    const std::uint64_t first = stream_->last->segment_number + 1;
    const std::size_t depth = pace_.depth(depth_max());
    for (std::uint64_t number = first; number < first + depth; ++number) {
        bool is_covered = false;
        for (const wal::SegmentName& segment : stream_->line.names_of(number)) {
            const std::string name = to_string(segment, segment_size_);
            const auto found = ahead_.find(name);
            if (found == ahead_.end()) {
                const auto job = std::make_shared<Job>(
                    Job{.name = name, .purpose = Purpose::ahead, .segment = segment});
                ahead_.emplace(name, job);
                return job;
            }
            if (found->second->state == State::absent) continue;
            if (found->second->state == State::failed) return nullptr;
            is_covered = true;
            break;
        }
        if (!is_covered) return nullptr;
    }
    return nullptr;
}

/// Where the archive ends, for the time that is left: once, and when the end seems to have moved.
Prefetcher::JobPointer Prefetcher::next_survey() {
    Stream& stream = *stream_;
    const auto now = Clock::now();
    const bool is_over =
        !stream.newest || stream.newest->segment_number <= stream.last->segment_number;
    if (!is_over || (stream.surveyed_at && now - *stream.surveyed_at < survey_distance))
        return nullptr;
    stream.surveyed_at = now;
    return std::make_shared<Job>(Job{.name = "the end of the archive",
                                     .purpose = Purpose::survey,
                                     .segment = stream.last,
                                     .history = stream.line.line()});
}

void Prefetcher::run(std::unique_lock<std::mutex>& lock, const JobPointer& job) {
    job->state = State::running;
    job->began_at = Clock::now();
    ++running_count_;
    lock.unlock();
    State state = State::failed;
    try {
        state = perform(*job);
    } catch (const Error& error) {
        job->error = error;
    } catch (const std::exception& error) {
        job->error = Error(ErrorKind::io, error.what());
    }
    if (job->error && job->error->kind() != ErrorKind::unavailable) {
        const std::lock_guard open_lock(open_mutex_);
        must_reopen_ = true;
    }
    if (job->error && job->purpose == Purpose::ahead)
        options_.observe(format("could not work ahead: {}", job->error->message()));
    lock.lock();
    --running_count_;
    finish(job, state);
    changed_.notify_all();
}

Prefetcher::State Prefetcher::perform(Job& job) {
    const std::shared_ptr<Source> source = provide_source();
    const Fetcher& fetcher = source->fetcher();
    {
        const std::lock_guard lock(mutex_);
        segment_size_ = fetcher.segment_size();
    }
    switch (job.purpose) {
        case Purpose::answer: {
            auto entry = fetcher.locate(job.name);
            if (!entry) source->prove_identity();
            return answer_with(job, *source, std::move(entry));
        }
        case Purpose::ahead: return answer_with(job, *source, fetcher.find_entry(job.name));
        case Purpose::survey: survey(job, *source); break;
    }
    return State::ready;
}

Prefetcher::State Prefetcher::answer_with(Job& job, const Source& source,
                                          std::optional<vault::Entry> entry) {
    if (!entry) return State::absent;
    const std::uint64_t need = memory_for(*entry);
    {
        std::unique_lock lock(mutex_);
        // What is larger than all of it runs alone.
        changed_.wait(
            lock, [&] { return memory_in_use_ == 0 || memory_in_use_ + need <= options_.memory; });
        memory_in_use_ += need;
    }
    const auto release = [&] {
        const std::lock_guard lock(mutex_);
        memory_in_use_ -= need;
        changed_.notify_all();
    };
    try {
        const auto file = std::make_shared<NamelessFile>(options_.directory);
        const FetchedFile fetched = source.fetcher().read(
            job.name, std::move(*entry),
            [&](std::size_t offset, ByteView part) { file->write_at(offset, part); });
        file->complete(fetched.bytes.size(),
                       job.purpose == Purpose::ahead ? DiskWrite::complete : DiskWrite::begun);
        job.file = file;
        job.history = history_in(job.name, fetched.bytes);
    } catch (...) {
        release();
        throw;
    }
    release();
    return State::ready;
}

/// The newest segment of the line, counted from where the server stands.
void Prefetcher::survey(Job& job, const Source& source) const {
    const vault::ClusterLayout& layout = source.vault().layout();
    const wal::SegmentSize size = source.fetcher().segment_size();
    const wal::TimelineId timeline = job.history->timeline();
    const bool is_there = timeline == job.segment->timeline;
    std::size_t count = 0;
    source.vault().storage().list(
        layout.timeline_prefix(wal::timeline_part(timeline)),
        is_there ? layout.segment_key(to_string(*job.segment, size)) : "",
        [&](const vault::ObjectInfo& object) {
            const auto name = wal::parse_segment_name(
                std::string_view(object.key).substr(object.key.find_last_of('/') + 1), size);
            if (name) job.newest = name;
            return ++count < survey_count_max;
        });
}

void Prefetcher::finish(const JobPointer& job, State state) {
    job->ended_at = Clock::now();
    job->state = state;
    switch (job->purpose) {
        case Purpose::answer: break;
        case Purpose::ahead: {
            const auto place = ahead_.find(job->name);
            const bool is_wanted = place != ahead_.end() && place->second == job;
            if (state == State::ready) pace_.note_fetch(job->ended_at - job->began_at);
            if (state == State::ready && !is_wanted) ++counts_.discarded_count;
            if (state == State::failed) counts_.last_failure = job->error->message();
            break;
        }
        case Purpose::survey:
            if (stream_ && job->newest) stream_->newest = job->newest;
            break;
    }
}

// The archive.

std::shared_ptr<Source> Prefetcher::provide_source() {
    const std::lock_guard lock(open_mutex_);
    const bool is_due = must_reopen_ || Clock::now() - opened_at_ > options_.open_valid_for;
    if (source_ && !is_due) return source_;
    source_.reset();  // those who still use it keep it
    source_ = open_();
    opened_at_ = Clock::now();
    must_reopen_ = false;
    return source_;
}

/// The data directory may have become another cluster's since the archive was opened.
void Prefetcher::drop_foreign_source() {
    {
        // Whoever holds it is just opening, for the data directory as it is.
        const std::unique_lock lock(open_mutex_, std::try_to_lock);
        if (!lock || !source_ || source_->is_current()) return;
        source_.reset();
    }
    const std::lock_guard lock(mutex_);
    end_stream();
}

// Looking at it.

PrefetchStatus Prefetcher::status() {
    const std::lock_guard lock(mutex_);
    PrefetchStatus status = counts_;
    for (const auto& [name, job] : ahead_) {
        if (job->state != State::ready) continue;
        ++status.ready_count;
        status.ready_size += job->file->stamp().size;
    }
    status.in_flight = running_count_;
    status.memory_in_use = memory_in_use_;
    status.replay_us = microseconds(pace_.replay());
    status.fetch_us = microseconds(pace_.fetch());
    if (!stream_) return status;
    status.depth = pace_.depth(depth_max());
    if (!stream_->newest || !stream_->last) return status;
    const std::uint64_t end = stream_->newest->segment_number;
    const std::uint64_t now_at = stream_->last->segment_number;
    status.last_in_archive = to_string(*stream_->newest, segment_size_);
    status.remaining_count = end > now_at ? end - now_at : 0;
    status.remaining_us = status.remaining_count * status.replay_us;
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
