#include "backup/parallel_read.h"

#include "base/parallel.h"

namespace walden::backup {

namespace {

/// Works that may be finished before one that they follow: 300 KiB each at most.
constexpr std::uint64_t window = 32;

}  // namespace

std::optional<Work> ParallelRead::take(std::unique_lock<std::mutex>& lock) {
    changed_.wait(lock, [&] { return failure_ != nullptr || taken_ < next_to_write_ + window; });
    if (failure_ != nullptr) return std::nullopt;
    auto work = source_.next();
    if (work) ++taken_;
    return work;
}

void ParallelRead::put(Work work, DoneWork done) {
    // Whoever took the results failed: they have a gap now.
    if (failure_ != nullptr) return;
    const std::uint64_t number = work.number;
    finished_.emplace(number, std::pair(std::move(work), std::move(done)));
    for (auto next = finished_.begin(); next != finished_.end() && next->first == next_to_write_;
         next = finished_.erase(next), ++next_to_write_)
        take_done_(next->second.first, std::move(next->second.second));
    changed_.notify_all();
}

void ParallelRead::work() {
    std::unique_lock lock(mutex_, std::defer_lock);
    try {
        WorkReader reader(reading_);
        lock.lock();
        while (auto next = take(lock)) {
            lock.unlock();
            DoneWork done = reader.read(*next);
            lock.lock();
            put(std::move(*next), std::move(done));
        }
    } catch (...) {
        if (!lock.owns_lock()) lock.lock();
        if (failure_ == nullptr) failure_ = std::current_exception();
    }
    --running_;
    changed_.notify_all();
}

void ParallelRead::run(std::chrono::milliseconds interval, const std::function<void()>& watch) {
    std::vector<std::jthread> threads;
    running_ = worker_count_;
    for (std::size_t i = 0; i < worker_count_; ++i) {
        auto thread = start_thread([this] { work(); });
        if (!thread) {
            const std::lock_guard lock(mutex_);
            running_ -= worker_count_ - i;
            break;
        }
        threads.push_back(std::move(*thread));
    }
    if (threads.empty()) {
        running_ = 1;
        work();
    }
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, interval, [&] { return running_ == 0; })) {
        lock.unlock();
        try {
            watch();
        } catch (...) {
            const std::lock_guard relock(mutex_);
            if (failure_ == nullptr) failure_ = std::current_exception();
            changed_.notify_all();
        }
        lock.lock();
    }
    lock.unlock();
    threads.clear();
    if (failure_ != nullptr) std::rethrow_exception(failure_);
}

}  // namespace walden::backup
