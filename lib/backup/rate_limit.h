// So many bytes a second, shared by several threads.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>

namespace walden::backup {

/// Safe from several threads.
class RateLimit {
public:
    /// `rate`: bytes a second; 0 for no limit.
    explicit RateLimit(std::size_t rate) : rate_(rate) {}

    /// Waits until `size` bytes more are within the rate: at once after a pause, of which at most a
    /// second is made up for.
    void take(std::size_t size);

private:
    using Clock = std::chrono::steady_clock;

    const std::size_t rate_;
    std::mutex mutex_;
    Clock::time_point next_;  ///< when the next bytes may be taken
};

}  // namespace walden::backup
