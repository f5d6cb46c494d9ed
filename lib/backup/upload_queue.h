// Objects on their way into the store: a few at once, and never more in memory.
#pragma once

#include "vault/object_storage.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace walden::backup {

/// Safe from several threads.
class UploadQueue {
public:
    /// `storage` must outlive the queue. At most `in_flight_max` objects are on their way, with a
    /// thread for each.
    UploadQueue(vault::ObjectStorage& storage, std::size_t in_flight_max);

    UploadQueue(const UploadQueue&) = delete;
    UploadQueue& operator=(const UploadQueue&) = delete;

    /// Waits for what is on its way, and leaves alone what is not yet.
    ~UploadQueue();

    /// Takes an object, and waits while too many are on their way. A name that is taken counts as
    /// stored: names of one backup are its own. Rethrows the first failure of any upload.
    void put(std::string key, Bytes object);

    /// Waits until everything is durable. Rethrows the first failure.
    void finish();

    /// Bytes that are durable.
    [[nodiscard]] std::uint64_t stored_bytes();

private:
    struct Object {
        std::string key;
        Bytes bytes;
    };

    void run();

    vault::ObjectStorage& storage_;
    std::size_t in_flight_max_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Object> waiting_;
    std::size_t in_flight_ = 0;  ///< taken and not yet durable
    std::uint64_t stored_bytes_ = 0;
    bool is_over_ = false;
    std::exception_ptr failure_;
    std::vector<std::jthread> threads_;
};

}  // namespace walden::backup
