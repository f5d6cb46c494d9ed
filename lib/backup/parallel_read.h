// The threads of a backup: each takes a work and reads it; the results are handed on in order.
#pragma once

#include "backup/work_reader.h"
#include "backup/work_source.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace walden::backup {

class ParallelRead {
public:
    /// Takes the results in the order of the works, on the threads, one at a time.
    using TakeDone = std::function<void(const Work& work, DoneWork done)>;

    /// `reading` and `source` must outlive the object.
    ParallelRead(Reading& reading, WorkSource& source, std::size_t worker_count, TakeDone take_done)
        : reading_(reading),
          source_(source),
          worker_count_(worker_count),
          take_done_(std::move(take_done)) {}

    /// Reads everything. `watch` is called on the caller's thread every `interval` meanwhile; what
    /// it throws stops the threads, and is rethrown. Rethrows the first failure.
    void run(std::chrono::milliseconds interval, const std::function<void()>& watch);

private:
    void work();
    [[nodiscard]] std::optional<Work> take(std::unique_lock<std::mutex>& lock);
    void put(Work work, DoneWork done);

    Reading& reading_;
    WorkSource& source_;
    std::size_t worker_count_;
    TakeDone take_done_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t running_ = 0;
    std::uint64_t next_to_write_ = 0;
    std::uint64_t taken_ = 0;
    std::map<std::uint64_t, std::pair<Work, DoneWork>> finished_;
    std::exception_ptr failure_;
};

}  // namespace walden::backup
