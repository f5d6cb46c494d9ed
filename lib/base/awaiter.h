// Waiting on behalf of somebody who may go away: a client at the other end of a socket.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace walden {

/// Called every half second while somebody waits, without a lock. False if nobody does any more.
using KeepWaiting = std::function<bool()>;

/// How often whoever waits is asked whether he still does, and told that there is work going on.
inline constexpr std::chrono::milliseconds heartbeat{500};

/// Releases a lock that is held, for as long as the object lives.
class Unlocked {
public:
    explicit Unlocked(std::unique_lock<std::mutex>& lock) : lock_(lock) { lock_.unlock(); }

    Unlocked(const Unlocked&) = delete;
    Unlocked& operator=(const Unlocked&) = delete;

    ~Unlocked() { lock_.lock(); }

private:
    std::unique_lock<std::mutex>& lock_;
};

/// Waits until `is_done`, which is called with the lock held whenever `changed` is notified, and
/// behind each heartbeat. True if it is; false if whoever waited has gone before. What
/// `keep_waiting` throws is thrown with the lock held.
template <class IsDone>
[[nodiscard]] bool await(std::unique_lock<std::mutex>& lock, std::condition_variable& changed,
                         const KeepWaiting& keep_waiting, const IsDone& is_done) {
    using Clock = std::chrono::steady_clock;
    bool goes_on = true;
    for (auto next_beat = Clock::now() + heartbeat; !is_done();) {
        if (!goes_on) return false;
        changed.wait_until(lock, next_beat);
        if (Clock::now() < next_beat) continue;
        const Unlocked unlocked(lock);
        goes_on = keep_waiting();
        next_beat = Clock::now() + heartbeat;
    }
    return true;
}

}  // namespace walden
