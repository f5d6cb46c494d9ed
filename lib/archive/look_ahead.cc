#include "archive/look_ahead.h"

#include "archive/ready_files.h"
#include "base/format.h"
#include "base/thread_crew.h"

#include <algorithm>
#include <ctime>

namespace walden::archive {

namespace {

/// After these the store may be another one, or the key no longer in force: open it anew.
bool may_need_reopening(ErrorKind kind) {
    return kind != ErrorKind::unavailable;
}

std::uint64_t unix_seconds() {
    return static_cast<std::uint64_t>(std::time(nullptr));
}

}  // namespace

LookAhead::LookAhead(LookAheadOptions options, Open open)
    : options_(std::move(options)),
      kept_(std::move(open), options_.pipeline, options_.open_valid_for,
            [this](const FileSource& source, const PipelineResult& result) {
                take_result(source.name, result);
            }),
      queue_(2 * options_.pipeline.in_flight) {
    feeder_ = require_thread([this] { feed(); });
}

LookAhead::~LookAhead() {
    {
        const std::lock_guard lock(mutex_);
        is_closing_ = true;
        changed_.notify_all();
    }
    feeder_.join();
    kept_.close();
}

FileSource LookAhead::source_of(const std::string& name) const {
    return {.name = name, .directory = options_.wal_directory};
}

// The asker.

LookAhead::Answer LookAhead::archive(const std::string& name, const FileVersion& version,
                                     const KeepWaiting& keep_waiting) {
    if (find_file(source_of(name).path()) != version)
        return OtherFile{.text = format("\"{}\" is not the file that the agent sees in \"{}\"",
                                        name, options_.wal_directory)};
    Lock lock(mutex_);
    const auto archived = queue_.note_question(name, version);
    // If there was a failure, looking ahead goes on.
    changed_.notify_all();
    if (archived) return *archived;
    const auto asker = queue_.wait_for(name, version);
    if (!await(lock, changed_, keep_waiting, [&] { return asker->answer.has_value(); }))
        queue_.forget(asker);
    return asker->answer;
}

std::optional<std::variant<std::uint64_t, Error>> LookAhead::flush(
    const KeepWaiting& keep_waiting) {
    std::vector<std::string> names = list_ready_files(options_.wal_directory);
    const std::uint64_t count = names.size();
    Lock lock(mutex_);
    const std::uint64_t failure_count = counts_.failure_count;
    if (!await_flush(lock, names, failure_count, keep_waiting)) return std::nullopt;
    if (names.empty()) return count;
    return Error(ErrorKind::unavailable, counts_.last_failure);
}

/// Waits until all of `names` are done, and takes them out; or until there is another failure.
bool LookAhead::await_flush(Lock& lock, std::vector<std::string>& names,
                            std::uint64_t failure_count, const KeepWaiting& keep_waiting) {
    /// Gives back its count, whatever ends the waiting.
    struct Waiter {
        explicit Waiter(std::uint64_t& waiter_count) : count(waiter_count) { ++count; }

        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;

        ~Waiter() { --count; }

        std::uint64_t& count;
    };

    const Waiter waiter(flush_count_);
    queue_.want_all();
    changed_.notify_all();
    std::optional<std::vector<std::string>> ready;
    const auto look = [&] {
        const bool goes_on = keep_waiting();
        ready = list_ready_files(options_.wal_directory);
        return goes_on;
    };
    return await(lock, changed_, look, [&] {
        if (ready) {
            // What is not ready any more has been acknowledged to PostgreSQL, by us or by a push.
            std::erase_if(names, [&](const std::string& name) {
                return !std::binary_search(ready->begin(), ready->end(), name, is_asked_before);
            });
            ready.reset();
            queue_.want_all();
            changed_.notify_all();
        }
        std::erase_if(names, [&](const std::string& name) { return queue_.is_done(name); });
        return names.empty() || counts_.failure_count != failure_count;
    });
}

// The thread.

void LookAhead::feed() {
    Lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [&] { return is_closing_ || queue_.has_work(); });
        if (is_closing_) return;
        if (queue_.begin_again()) kept_.begin_again();
        if (!provide_pipeline(lock)) continue;
        list_ready(lock);
        const auto name = queue_.begin_next([&](const std::string& ready) {
            return find_file(source_of(ready).path()).has_value();
        });
        if (name) submit(lock, *name);
    }
}

/// Opens the archive if that is due. False if it could not be, and has been told to everybody; or
/// if files are still running in the old one.
bool LookAhead::provide_pipeline(Lock& lock) {
    if (!kept_.is_due()) return true;
    if (queue_.running_count() > 0) {
        changed_.wait(lock, [&] { return is_closing_ || queue_.running_count() == 0; });
        return false;
    }
    std::optional<Error> error;
    {
        const Unlocked unlocked(lock);
        try {
            kept_.open();
            return true;
        } catch (const Error& failure) {
            error = failure;
        } catch (const std::exception& failure) {
            error = Error(ErrorKind::io, failure.what());
        }
    }
    note_failure(*error);
    queue_.fail_all(*error);
    changed_.notify_all();
    return false;
}

/// Looks at archive_status, if that is due.
void LookAhead::list_ready(Lock& lock) {
    if (!queue_.begin_listing()) return;
    std::vector<std::string> ready;
    {
        const Unlocked unlocked(lock);
        try {
            ready = list_ready_files(options_.wal_directory);
        } catch (const Error&) {
            // Whoever asks for a file is told what is wrong with it; there is nothing to look ahead
            // at.
        }
    }
    pace_.note_backlog(Clock::now(), ready.size());
    queue_.take_ready(ready);
}

void LookAhead::submit(Lock& lock, const std::string& name) {
    bool is_taken = false;
    {
        // The pipeline delivers under no lock of its own, yet into take_result, which needs ours.
        const Unlocked unlocked(lock);
        is_taken = kept_.submit(source_of(name));
    }
    if (is_taken) return;
    queue_.note_refused(name);
    changed_.notify_all();
}

void LookAhead::take_result(const std::string& name, const PipelineResult& result) {
    const bool has_failed = result.kind == PipelineResult::Kind::failed;
    if (has_failed && may_need_reopening(result.error->kind())) kept_.distrust();
    const std::lock_guard lock(mutex_);
    switch (result.kind) {
        case PipelineResult::Kind::archived: note_archived(name, result); break;
        case PipelineResult::Kind::failed:
            note_failure(*result.error);
            queue_.note_failed(name, *result.error);
            break;
        case PipelineResult::Kind::stopped: queue_.note_stopped(name); break;
    }
    changed_.notify_all();
}

void LookAhead::note_archived(const std::string& name, const PipelineResult& result) {
    const ArchiveResult& archived = result.archive;
    ++counts_.archived_count;
    if (archived.outcome == ArchiveOutcome::already_stored) ++counts_.present_count;
    counts_.plain_size += archived.plain_size;
    counts_.stored_size += archived.stored_size;
    if (archived.plain_reason != codec::PlainReason::none) {
        ++counts_.fallback_count;
        counts_.last_fallback = format("{}: {}", name, to_string(archived.plain_reason));
    }
    counts_.last_archived = name;
    counts_.last_archived_at = unix_seconds();
    counts_.last_failure.clear();
    pace_.note_archived(Clock::now(), archived.plain_size);
    queue_.note_archived(name, *result.version,
                         {.outcome = archived.outcome, .warnings = archived.warnings});
}

void LookAhead::note_failure(const Error& error) {
    ++counts_.failure_count;
    counts_.last_failure = error.message();
    counts_.last_failure_at = unix_seconds();
}

// Looking at it.

LookAheadStatus LookAhead::status() {
    const std::vector<std::string> ready = list_ready_files(options_.wal_directory);
    const Backlog backlog = measure_backlog(options_.wal_directory, ready);
    const std::size_t memory_in_use = kept_.memory_in_use();
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    pace_.note_backlog(now, backlog.count);
    LookAheadStatus status = counts_;
    status.ready_count = backlog.count;
    status.ready_oldest_age = backlog.oldest_age;
    status.ready_growth = pace_.growth_per_hour(now);
    status.ahead_count = static_cast<std::uint64_t>(std::count_if(
        ready.begin(), ready.end(), [&](const std::string& name) { return queue_.is_done(name); }));
    status.in_flight = queue_.running_count();
    status.memory_in_use = memory_in_use;
    const ArchivePace::Recent recent = pace_.recent(now);
    status.recent_count = recent.count;
    status.recent_plain_size = recent.plain_size;
    return status;
}

bool LookAhead::is_idle() {
    const std::lock_guard lock(mutex_);
    return queue_.running_count() == 0 && !queue_.is_awaited() && flush_count_ == 0;
}

void LookAhead::stop_looking_ahead() {
    const std::lock_guard lock(mutex_);
    queue_.stop_looking_ahead();
}

void LookAhead::note_retry() {
    const std::lock_guard lock(mutex_);
    ++counts_.retry_count;
}

}  // namespace walden::archive
