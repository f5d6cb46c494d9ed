#include "backup/rate_limit.h"

#include <algorithm>
#include <thread>

namespace walden::backup {

void RateLimit::take(std::size_t size) {
    if (rate_ == 0) return;
    Clock::time_point turn;
    {
        const std::lock_guard lock(mutex_);
        turn = std::max(next_, Clock::now() - std::chrono::seconds(1));
        next_ = turn + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
                           static_cast<double>(size) / static_cast<double>(rate_)));
    }
    std::this_thread::sleep_until(turn);
}

}  // namespace walden::backup
