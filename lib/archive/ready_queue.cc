#include "archive/ready_queue.h"

#include "archive/ready_files.h"
#include "base/format.h"

#include <algorithm>
#include <utility>

namespace walden::archive {

// Who asks.

std::optional<Archived> ReadyQueue::note_question(const std::string& name,
                                                  const FileVersion& version) {
    looks_ahead_ = may_look_ahead_;
    const auto done = done_.find(name);
    if (done != done_.end() && done->second.version == version) return done->second.archived;
    if (done != done_.end()) done_.erase(done);
    needs_listing_ = needs_listing_ || ahead_.empty();
    return std::nullopt;
}

ReadyQueue::AskerPointer ReadyQueue::wait_for(const std::string& name, const FileVersion& version) {
    const auto asker = std::make_shared<Asker>(Asker{.name = name, .version = version});
    askers_.emplace(name, asker);
    return asker;
}

void ReadyQueue::forget(const AskerPointer& asker) {
    std::erase_if(askers_, [&](const auto& item) { return item.second == asker; });
}

void ReadyQueue::want_all() {
    looks_ahead_ = true;
    needs_listing_ = needs_listing_ || ahead_.empty();
}

void ReadyQueue::stop_looking_ahead() {
    may_look_ahead_ = false;
    drop_ahead();
}

void ReadyQueue::drop_ahead() {
    looks_ahead_ = false;
    ahead_.clear();
}

// What is to be done.

/// Several askers at once are rare; they are served in PostgreSQL's order too.
const std::string* ReadyQueue::first_asked() const {
    const std::string* first = nullptr;
    for (const auto& [name, asker] : askers_)
        if (!running_.contains(name) && (first == nullptr || is_asked_before(name, *first)))
            first = &name;
    return first;
}

bool ReadyQueue::has_work() const {
    if (is_blocked_ && !running_.empty()) return false;
    if (running_.size() >= running_max_) return false;
    return first_asked() != nullptr || (looks_ahead_ && (needs_listing_ || !ahead_.empty()));
}

bool ReadyQueue::begin_again() {
    return std::exchange(is_blocked_, false);
}

bool ReadyQueue::begin_listing() {
    if (first_asked() != nullptr || !looks_ahead_ || !ahead_.empty()) return false;
    return std::exchange(needs_listing_, false);
}

void ReadyQueue::take_ready(const std::vector<std::string>& ready) {
    std::erase_if(done_, [&](const auto& item) {
        return !std::binary_search(ready.begin(), ready.end(), item.first, is_asked_before);
    });
    ahead_.clear();
    for (const std::string& name : ready)
        if (!running_.contains(name) && !is_done(name)) ahead_.push_back(name);
    if (ahead_.empty()) looks_ahead_ = false;
}

std::optional<std::string> ReadyQueue::begin_next(
    const std::function<bool(const std::string&)>& exists) {
    const auto begin = [&](const std::string& name) { return *running_.insert(name).first; };
    if (const std::string* asked = first_asked()) return begin(*asked);
    while (looks_ahead_ && !ahead_.empty()) {
        const std::string name = std::move(ahead_.front());
        ahead_.pop_front();
        if (ahead_.empty()) needs_listing_ = true;
        // PostgreSQL drops a .ready file without its segment with a warning (pgarch.c).
        if (!running_.contains(name) && !is_done(name) && exists(name)) return begin(name);
    }
    return std::nullopt;
}

// What was done.

void ReadyQueue::note_archived(const std::string& name, const FileVersion& version,
                               const Archived& archived) {
    running_.erase(name);
    done_.insert_or_assign(name, Done{.version = version, .archived = archived});
    // More may have become ready meanwhile.
    looks_ahead_ = may_look_ahead_;
    needs_listing_ = needs_listing_ || ahead_.empty();
    const auto [begin, end] = askers_.equal_range(name);
    for (auto item = begin; item != end; ++item) {
        Asker& asker = *item->second;
        // Renamed or written anew between question and reading: this result is not for that file.
        if (asker.version == version)
            asker.answer = archived;
        else
            asker.answer = OtherFile{.text = format("\"{}\" changed meanwhile", name)};
    }
    askers_.erase(begin, end);
}

void ReadyQueue::note_failed(const std::string& name, const Error& error) {
    running_.erase(name);
    is_blocked_ = true;
    drop_ahead();
    answer(name, error);
}

void ReadyQueue::note_stopped(const std::string& name) {
    running_.erase(name);
}

void ReadyQueue::note_refused(const std::string& name) {
    running_.erase(name);
    is_blocked_ = true;
}

void ReadyQueue::answer(const std::string& name, const Error& error) {
    const auto [begin, end] = askers_.equal_range(name);
    for (auto item = begin; item != end; ++item) item->second->answer = error;
    askers_.erase(begin, end);
}

void ReadyQueue::fail_all(const Error& error) {
    drop_ahead();
    for (const auto& [name, asker] : askers_) asker->answer = error;
    askers_.clear();
}

}  // namespace walden::archive
