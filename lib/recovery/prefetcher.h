// The recovery side of the agent: fetches ahead of a server that replays.
//
// Each question is answered as Fetcher answers it. If the file was fetched, decoded and proven
// while the server replayed the ones before, the answer is there at once; if not, it is fetched
// now, before all that nobody has asked for. Only what is there is ever kept: "not there" and every
// failure are found out anew for each question, so what is prefetched, or fails to be, decides
// nothing (invariants 16, 18, 19).
//
// One stream of segments is kept ahead, for the server of one data directory. It begins with the
// first segment that a server in recovery asks for, follows its line of descent, is as deep as its
// pace asks for, and ends when the server is gone or no longer in recovery. Behind the end of WAL
// nothing is tried until the server asks again.
//
// What is decided about the stream is in prefetch_stream.h, what a thread does about a file in
// prefetch_job.h; the archive and the memory for it are in kept_source.h and memory_budget.h. Here
// are the threads, those who wait, and what is counted.
#pragma once

#include "base/awaiter.h"
#include "base/error.h"
#include "recovery/kept_source.h"
#include "recovery/memory_budget.h"
#include "recovery/prefetch_answer.h"
#include "recovery/prefetch_job.h"
#include "recovery/prefetch_stream.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace walden::recovery {

struct PrefetchOptions {
    std::string directory{};                            ///< pg_wal
    std::uint64_t size = std::uint64_t{256} << 20;      ///< bytes ahead at most; 0: none
    std::uint64_t memory = std::uint64_t{160} << 20;    ///< for files being fetched
    std::size_t in_flight = 8;                          ///< segments fetched at once
    std::chrono::milliseconds open_valid_for{300'000};  ///< as ServiceOptions's
    std::chrono::milliseconds look_interval{5'000};     ///< at the server, while there is a stream
    /// Whether the server runs and is in recovery.
    std::function<bool()> is_recovering = [] { return true; };
    /// One line about the stream's beginning and end, and what went wrong ahead.
    std::function<void(const std::string&)> observe = [](const std::string&) {};
};

/// Safe from several threads. One mutex guards the queue, the stream, the results of jobs and the
/// counts; it is not held while an archive is opened or read, nor while an asker is called back.
/// The archive and the budget of memory have locks of their own, which hold no other.
class Prefetcher {
public:
    using Open = KeptSource::Open;

    Prefetcher(PrefetchOptions options, Open open);
    Prefetcher(const Prefetcher&) = delete;
    Prefetcher& operator=(const Prefetcher&) = delete;

    /// Waits for what is being fetched; nobody may be waiting in fetch().
    ~Prefetcher();

    /// nullopt: the asker has gone. An Error is what Fetcher throws, or opening the archive.
    using Answer = std::optional<std::variant<Delivery, NotThere, Error>>;

    /// The answer to the question of a server for its own recovery.
    [[nodiscard]] Answer fetch(const std::string& file_name, const KeepWaiting& keep_waiting);

    [[nodiscard]] PrefetchStatus status();

    /// Whether nothing is being fetched and nobody waits.
    [[nodiscard]] bool is_idle();

    /// Drops what is ahead, and begins nothing any more that nobody asked for.
    void stop_prefetching();

private:
    using Clock = std::chrono::steady_clock;
    using JobPointer = std::shared_ptr<PrefetchJob>;

    // Of the threads.
    void start_threads();
    void work(bool takes_all);
    void watch();
    [[nodiscard]] JobPointer next_job(bool takes_all);
    void run(std::unique_lock<std::mutex>& lock, PrefetchJob& job);
    [[nodiscard]] JobResult result_of(const PrefetchJob& job);
    [[nodiscard]] std::vector<std::shared_ptr<const NamelessFile>> take_replayed();
    void note_end(const PrefetchJob& job, Clock::duration duration);

    // Of the asker, with the mutex held.
    [[nodiscard]] Answer answer(std::unique_lock<std::mutex>& lock, const std::string& name,
                                const KeepWaiting& keep_waiting);
    [[nodiscard]] bool await_result(std::unique_lock<std::mutex>& lock, const PrefetchJob& job,
                                    const KeepWaiting& keep_waiting);
    [[nodiscard]] Answer deliver(const PrefetchJob& job, Origin origin);
    [[nodiscard]] bool is_deliverable(const PrefetchJob& job);
    [[nodiscard]] bool provide_stream(wal::SegmentSize segment_size);
    void end_stream();

    const PrefetchOptions options_;
    KeptSource source_;    ///< is used without the mutex: opening takes time
    MemoryBudget memory_;  ///< may be looked at with the mutex; waiting for it is without

    std::mutex mutex_;                 ///< guards what follows, up to the counts
    std::condition_variable changed_;  ///< of anything that a thread or an asker waits for
    std::deque<JobPointer> asked_;     ///< not begun yet
    std::optional<PrefetchStream> stream_;
    std::deque<std::shared_ptr<const NamelessFile>> delivered_;  ///< the last ones, see release()
    std::uint64_t running_count_ = 0;
    std::uint64_t asker_count_ = 0;
    bool may_prefetch_ = true;
    bool is_closing_ = false;
    PrefetchStatus counts_;  ///< and the pace of the last stream

    std::vector<std::jthread> threads_;  ///< begun with the mutex, joined by the destructor
};

}  // namespace walden::recovery
