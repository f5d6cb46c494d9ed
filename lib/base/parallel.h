// The whole concurrency vocabulary besides Guarded: run a body over items on a few threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace walden {

/// A thread that runs `work`; nullopt where the system gives none (memory, limits of processes):
/// the caller does the work itself then, later but not less.
template <class Work>
[[nodiscard]] std::optional<std::jthread> start_thread(const Work& work) {
    try {
        return std::jthread(work);
    } catch (const std::system_error&) {
        return std::nullopt;
    }
}

/// Calls `body(i)` for i in [0, count), on at most `worker_count` threads of which the caller is
/// one, and returns when all are done. The first failure stops the hand-out of further items and
/// is rethrown here; calls that are already running finish first. `body` must be safe to call
/// from several threads. With one worker or one item no thread is started.
template <class Body>
void for_each_index_in_parallel(std::size_t count, std::size_t worker_count, const Body& body) {
    if (worker_count <= 1 || count <= 1) {
        for (std::size_t i = 0; i < count; ++i) body(i);
        return;
    }
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::exception_ptr first_failure;
    const auto work = [&] {
        for (std::size_t i; (i = next.fetch_add(1)) < count;) {
            try {
                body(i);
            } catch (...) {
                next.store(count);
                const std::lock_guard lock(mutex);
                if (!first_failure) first_failure = std::current_exception();
            }
        }
    };
    {
        std::vector<std::jthread> threads;
        threads.reserve(worker_count - 1);
        for (std::size_t i = 1; i < std::min(worker_count, count); ++i) {
            auto thread = start_thread(work);
            if (!thread) break;
            threads.push_back(std::move(*thread));
        }
        work();
    }
    if (first_failure) std::rethrow_exception(first_failure);
}

/// As above, over the elements of a random-access range.
template <class Items, class Body>
void for_each_in_parallel(Items& items, std::size_t worker_count, const Body& body) {
    for_each_index_in_parallel(items.size(), worker_count, [&](std::size_t i) { body(items[i]); });
}

/// Runs `aside` on a thread of its own while the caller runs `body`, and returns when both are
/// done. A failure of `body` is rethrown here; one of `aside` only if `body` did not fail. With one
/// worker, `aside` runs after `body`, and not at all if that failed.
template <class Aside, class Body>
void run_beside(std::size_t worker_count, const Aside& aside, const Body& body) {
    if (worker_count <= 1) {
        body();
        aside();
        return;
    }
    std::exception_ptr failure;
    bool has_run = false;
    {
        const auto thread = start_thread([&] {
            try {
                aside();
            } catch (...) {
                failure = std::current_exception();
            }
        });
        has_run = thread.has_value();
        body();
    }
    if (!has_run) aside();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace walden
