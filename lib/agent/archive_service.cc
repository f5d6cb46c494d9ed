#include "agent/archive_service.h"

#include "agent/archive_status.h"
#include "base/file.h"
#include "base/format.h"

#include <algorithm>
#include <ctime>

namespace walden::agent {

namespace {

using Clock = std::chrono::steady_clock;
using archive::PipelineResult;

constexpr std::chrono::milliseconds heartbeat{500};
constexpr std::chrono::minutes rate_window{1};
constexpr std::chrono::minutes growth_window{10};
constexpr std::chrono::seconds sample_distance{10};
constexpr std::size_t recent_count_max = 100'000;

/// After these the store may be another one, or the key no longer in force: open it anew.
bool may_need_reopening(ErrorKind kind) {
    return kind != ErrorKind::unavailable;
}

std::uint64_t unix_seconds() {
    return static_cast<std::uint64_t>(std::time(nullptr));
}

}  // namespace

ArchiveService::ArchiveService(ServiceOptions options, Open open)
    : options_(std::move(options)), open_(std::move(open)) {
    feeder_ = std::jthread([this] { feed(); });
}

ArchiveService::~ArchiveService() {
    {
        const std::lock_guard lock(mutex_);
        is_closing_ = true;
        changed_.notify_all();
    }
    feeder_.join();
    pipeline_.reset();
}

std::string ArchiveService::path_of(const std::string& name) const {
    return options_.wal_directory + "/" + name;
}

ArchiveService::ArchiveAnswer ArchiveService::archive(const std::string& name,
                                                      const archive::SourceIdentity& identity,
                                                      const KeepWaiting& keep_waiting) {
    const Declined not_ours{.reason = DeclineReason::file,
                            .text = format("\"{}\" is not the file that the agent sees in \"{}\"",
                                           name, options_.wal_directory)};
    if (archive::find_source_file(path_of(name)) != identity) return not_ours;
    std::unique_lock lock(mutex_);
    looks_ahead_ = may_look_ahead_;
    const auto done = done_.find(name);
    const bool is_done = done != done_.end() && done->second.identity == identity;
    needs_scan_ = needs_scan_ || (ahead_.empty() && !is_done);
    if (is_done) {
        const Archived answer = done->second.answer;
        // So that looking ahead goes on, if there was a failure.
        if (!ahead_.empty()) changed_.notify_all();
        return answer;
    }
    if (done != done_.end()) done_.erase(done);
    const auto asker = std::make_shared<Asker>(Asker{.identity = identity, .answer = {}});
    const auto place = askers_.emplace(name, asker);
    changed_.notify_all();
    for (auto next_beat = Clock::now() + heartbeat; !asker->answer;) {
        changed_.wait_until(lock, next_beat);
        if (Clock::now() < next_beat) continue;
        next_beat = Clock::now() + heartbeat;
        lock.unlock();
        const bool goes_on = keep_waiting();
        lock.lock();
        if (goes_on || asker->answer) continue;
        askers_.erase(place);
        return std::nullopt;
    }
    return asker->answer;
}

std::optional<std::variant<std::uint64_t, Error>> ArchiveService::flush(
    const KeepWaiting& keep_waiting) {
    std::vector<std::string> names = list_ready_files(options_.wal_directory);
    const std::uint64_t count = names.size();
    std::unique_lock lock(mutex_);
    const std::uint64_t failure_count = counts_.failure_count;
    looks_ahead_ = true;
    needs_scan_ = true;
    ++flush_count_;
    changed_.notify_all();
    std::optional<std::variant<std::uint64_t, Error>> answer;
    for (auto next_beat = Clock::now() + heartbeat;;) {
        std::erase_if(names, [&](const std::string& name) { return done_.count(name) > 0; });
        if (names.empty()) answer = count;
        if (!answer && counts_.failure_count != failure_count)
            answer = Error(ErrorKind::unavailable, counts_.last_failure);
        if (answer) break;
        changed_.wait_until(lock, next_beat);
        if (Clock::now() < next_beat) continue;
        next_beat = Clock::now() + heartbeat;
        lock.unlock();
        const bool goes_on = keep_waiting();
        // What is not ready any more has been acknowledged to PostgreSQL, by us or by a push.
        const std::vector<std::string> ready = list_ready_files(options_.wal_directory);
        std::erase_if(names, [&](const std::string& name) {
            return !std::binary_search(ready.begin(), ready.end(), name, is_asked_before);
        });
        lock.lock();
        if (!goes_on) break;
        looks_ahead_ = true;
        needs_scan_ = needs_scan_ || ahead_.empty();
        changed_.notify_all();
    }
    --flush_count_;
    return answer;
}

void ArchiveService::feed() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [&] { return is_closing_ || has_work(); });
        if (is_closing_) return;
        if (is_blocked_) {
            is_blocked_ = false;
            failure_epoch_ = pipeline_ ? pipeline_->failure_count() : 0;
        }
        if (!provide_pipeline(lock)) continue;
        const auto name = next_file(lock);
        if (name) submit(lock, *name);
    }
}

/// With the mutex held. While a failure is being cleared nothing is begun before all is out.
bool ArchiveService::has_work() const {
    if (is_blocked_ && !running_.empty()) return false;
    if (running_.size() >= 2 * options_.pipeline.in_flight) return false;
    const bool is_asked = std::any_of(askers_.begin(), askers_.end(), [&](const auto& asker) {
        return running_.count(asker.first) == 0;
    });
    return is_asked || (looks_ahead_ && (needs_scan_ || !ahead_.empty()));
}

/// Opens the archive if that is due. False if it could not be, and has been told to everybody; or
/// if files are still running in the old one.
bool ArchiveService::provide_pipeline(std::unique_lock<std::mutex>& lock) {
    const bool is_due = must_reopen_ || Clock::now() - opened_at_ > options_.open_valid_for;
    if (pipeline_ && !is_due) return true;
    if (!running_.empty()) {
        changed_.wait(lock, [&] { return is_closing_ || running_.empty(); });
        return false;
    }
    auto old_pipeline = std::move(pipeline_);
    lock.unlock();
    old_pipeline.reset();
    std::unique_ptr<archive::Pipeline> opened;
    std::optional<Error> error;
    try {
        archive_.reset();
        archive_ = open_();
        opened = std::make_unique<archive::Pipeline>(
            archive_->vault(), archive_->state(), archive_->settings(), options_.pipeline,
            [this](const std::string& path, PipelineResult result) {
                take_result(path, std::move(result));
            });
    } catch (const Error& failure) {
        error = failure;
    } catch (const std::exception& failure) {
        error = Error(ErrorKind::io, failure.what());
    }
    lock.lock();
    if (error) {
        fail_all(*error);
        return false;
    }
    pipeline_ = std::move(opened);
    failure_epoch_ = 0;
    must_reopen_ = false;
    opened_at_ = Clock::now();
    return true;
}

/// What to archive next: what somebody waits for, else what is ready. nullopt if there is nothing.
std::optional<std::string> ArchiveService::next_file(std::unique_lock<std::mutex>& lock) {
    // Several askers at once are rare; they are served in PostgreSQL's order too.
    std::optional<std::string> asked;
    for (const auto& [name, asker] : askers_)
        if (running_.count(name) == 0 && (!asked || is_asked_before(name, *asked))) asked = name;
    if (asked) return asked;
    if (!looks_ahead_) return std::nullopt;
    if (ahead_.empty() && needs_scan_) scan(lock);
    while (!ahead_.empty()) {
        const std::string name = std::move(ahead_.front());
        ahead_.pop_front();
        if (ahead_.empty()) needs_scan_ = true;
        const bool is_known = running_.count(name) > 0 || done_.count(name) > 0;
        // PostgreSQL drops a .ready file without its segment with a warning (pgarch.c).
        if (!is_known && archive::find_source_file(path_of(name))) return name;
    }
    return std::nullopt;
}

/// Looks at archive_status again. If nothing is new, looking ahead ends until the next question.
void ArchiveService::scan(std::unique_lock<std::mutex>& lock) {
    needs_scan_ = false;
    lock.unlock();
    std::vector<std::string> ready;
    try {
        ready = list_ready_files(options_.wal_directory);
    } catch (const Error&) {
        // Whoever asks for a file is told what is wrong with it; there is nothing to look ahead at.
    }
    lock.lock();
    note_backlog(ready.size());
    // What PostgreSQL has been told, or does not want any more.
    std::erase_if(done_, [&](const auto& item) {
        return !std::binary_search(ready.begin(), ready.end(), item.first, is_asked_before);
    });
    ahead_.clear();
    for (std::string& name : ready)
        if (running_.count(name) == 0 && done_.count(name) == 0) ahead_.push_back(std::move(name));
    if (ahead_.empty()) looks_ahead_ = false;
}

void ArchiveService::submit(std::unique_lock<std::mutex>& lock, const std::string& name) {
    running_.insert(name);
    archive::Pipeline& pipeline = *pipeline_;
    const std::uint64_t epoch = failure_epoch_;
    // The pipeline delivers under no lock of its own, yet into take_result, which needs ours.
    lock.unlock();
    const bool is_taken = pipeline.submit(path_of(name), epoch);
    lock.lock();
    if (is_taken) return;
    running_.erase(name);
    is_blocked_ = true;
    changed_.notify_all();
}

void ArchiveService::take_result(const std::string& path, PipelineResult result) {
    const std::string name = base_name(path);
    const std::lock_guard lock(mutex_);
    running_.erase(name);
    switch (result.kind) {
        case PipelineResult::Kind::archived: note_archived(name, result); break;
        case PipelineResult::Kind::failed:
            is_blocked_ = true;
            must_reopen_ = may_need_reopening(result.error->kind());
            note_failure(*result.error);
            answer_askers(name, *result.error);
            break;
        case PipelineResult::Kind::stopped: break;  // whoever asked for it has it tried again
    }
    changed_.notify_all();
}

void ArchiveService::note_archived(const std::string& name, PipelineResult& result) {
    const archive::ArchiveResult& archived = result.archive;
    const Done done{.identity = result.identity,
                    .answer = {.outcome = archived.outcome, .warnings = archived.warnings}};
    ++counts_.archived_count;
    if (archived.outcome == archive::ArchiveOutcome::already_stored) ++counts_.present_count;
    counts_.plain_size += archived.plain_size;
    counts_.stored_size += archived.stored_size;
    if (archived.plain_reason != codec::PlainReason::none) {
        ++counts_.fallback_count;
        counts_.last_fallback = format("{}: {}", name, to_string(archived.plain_reason));
    }
    counts_.last_archived = name;
    counts_.last_archived_at = unix_seconds();
    counts_.last_failure.clear();
    recent_.push_back({.at = Clock::now(), .plain_size = archived.plain_size});
    if (recent_.size() > recent_count_max) recent_.pop_front();
    done_.insert_or_assign(name, done);
    // More may have become ready meanwhile.
    looks_ahead_ = may_look_ahead_;
    needs_scan_ = needs_scan_ || ahead_.empty();
    const auto [begin, end] = askers_.equal_range(name);
    for (auto asker = begin; asker != end;) {
        // Renamed or written anew between question and reading: this result is not for that file.
        if (asker->second->identity == done.identity)
            asker->second->answer = done.answer;
        else
            asker->second->answer = Declined{.reason = DeclineReason::file,
                                             .text = format("\"{}\" changed meanwhile", name)};
        asker = askers_.erase(asker);
    }
}

void ArchiveService::note_failure(const Error& error) {
    ++counts_.failure_count;
    counts_.last_failure = error.message();
    counts_.last_failure_at = unix_seconds();
    looks_ahead_ = false;
    ahead_.clear();
}

void ArchiveService::answer_askers(const std::string& name, const ArchiveAnswer& answer) {
    const auto [begin, end] = askers_.equal_range(name);
    for (auto asker = begin; asker != end; ++asker) asker->second->answer = answer;
    askers_.erase(begin, end);
}

void ArchiveService::fail_all(const Error& error) {
    note_failure(error);
    for (const auto& [name, asker] : askers_) asker->answer = error;
    askers_.clear();
    changed_.notify_all();
}

void ArchiveService::note_backlog(std::uint64_t ready_count) {
    const auto now = Clock::now();
    if (samples_.empty() || now - samples_.back().at >= sample_distance)
        samples_.push_back({.at = now, .ready_count = ready_count});
    while (samples_.size() > 2 && now - samples_[1].at > growth_window) samples_.pop_front();
    counts_.ready_count = ready_count;
}

std::int64_t ArchiveService::growth_per_hour() const {
    if (samples_.empty()) return 0;
    const auto span = Clock::now() - samples_.front().at;
    if (span < rate_window) return 0;  // too short to tell
    const double hours = std::chrono::duration<double, std::ratio<3600>>(span).count();
    const double change = static_cast<double>(counts_.ready_count) -
                          static_cast<double>(samples_.front().ready_count);
    return static_cast<std::int64_t>(change / hours);
}

AgentStatus ArchiveService::status() {
    const std::vector<std::string> ready = list_ready_files(options_.wal_directory);
    const Backlog backlog = measure_backlog(options_.wal_directory, ready);
    const std::lock_guard lock(mutex_);
    note_backlog(backlog.count);
    const auto now = Clock::now();
    while (!recent_.empty() && now - recent_.front().at > rate_window) recent_.pop_front();
    AgentStatus status = counts_;
    status.ready_oldest_age = backlog.oldest_age;
    status.ready_growth = growth_per_hour();
    status.ahead_count = static_cast<std::uint64_t>(
        std::count_if(ready.begin(), ready.end(),
                      [&](const std::string& name) { return done_.count(name) > 0; }));
    status.in_flight = running_.size();
    status.memory_in_use = pipeline_ ? pipeline_->memory_in_use() : 0;
    status.recent_count = recent_.size();
    for (const Recent& one : recent_) status.recent_plain_size += one.plain_size;
    return status;
}

bool ArchiveService::is_idle() {
    const std::lock_guard lock(mutex_);
    return running_.empty() && askers_.empty() && flush_count_ == 0;
}

void ArchiveService::stop_looking_ahead() {
    const std::lock_guard lock(mutex_);
    may_look_ahead_ = false;
    looks_ahead_ = false;
    ahead_.clear();
}

void ArchiveService::note_retry() {
    const std::lock_guard lock(mutex_);
    ++counts_.retry_count;
}

}  // namespace walden::agent
