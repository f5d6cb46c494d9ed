// The threads of a backup: each takes a work and reads it; the results go into the maps in order.
#pragma once

#include "backup/map_writer.h"
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
    /// All must outlive the object. `maps` is called on the threads, one at a time.
    ParallelRead(Reading& reading, WorkSource& source, MapWriter& maps, std::size_t worker_count);

    /// Reads everything. `watch` is called on the caller's thread every `interval` meanwhile; what
    /// it throws stops the threads, and is rethrown. Rethrows the first failure.
    void run(std::chrono::milliseconds interval, const std::function<void()>& watch);

    /// Bytes of the files that were found so far.
    [[nodiscard]] std::uint64_t seen_bytes();

private:
    void work();
    [[nodiscard]] std::optional<Work> take(std::unique_lock<std::mutex>& lock);
    void put(Work work, DoneWork done);

    Reading& reading_;
    WorkSource& source_;
    MapWriter& maps_;
    std::size_t worker_count_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t running_ = 0;
    std::uint64_t next_to_write_ = 0;
    std::uint64_t taken_ = 0;
    std::map<std::uint64_t, std::pair<Work, DoneWork>> finished_;
    std::exception_ptr failure_;
};

}  // namespace walden::backup
