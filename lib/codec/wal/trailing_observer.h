// An observer on a thread of its own, so that a content is hashed while the rest of it is joined.
#pragma once

#include "base/parallel.h"
#include "codec/codec.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace walden::codec::wal_codec {

/// Shows the parts of one content to `observe` in order, soon after see() was told of them. They
/// lie one behind the other in memory that outlives the object. Where the system gives no thread,
/// see() does it itself.
class TrailingObserver {
public:
    explicit TrailingObserver(const DecodeObserver& observe) : observe_(observe) {
        if (auto thread = start_thread([this] { work(); })) thread_ = std::move(*thread);
    }

    TrailingObserver(const TrailingObserver&) = delete;
    TrailingObserver& operator=(const TrailingObserver&) = delete;

    ~TrailingObserver() { end(); }

    void see(std::size_t offset, ByteView part) {
        if (!thread_.joinable()) return observe_(offset, part);
        const std::lock_guard lock(mutex_);
        if (seen_.empty()) seen_ = {part.data() - offset, 0};
        seen_ = {seen_.data(), offset + part.size()};
        changed_.notify_one();
    }

    /// Returns when all has been shown; throws what `observe` threw.
    void finish() {
        end();
        if (failure_) std::rethrow_exception(failure_);
    }

private:
    void end() {
        {
            const std::lock_guard lock(mutex_);
            is_over_ = true;
            changed_.notify_one();
        }
        if (thread_.joinable()) thread_.join();
    }

    void work() noexcept {
        std::size_t shown = 0;
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [&] { return is_over_ || seen_.size() > shown; });
            if (seen_.size() == shown) return;
            const ByteView part =
                seen_.subspan(shown, std::min(decode_step_size, seen_.size() - shown));
            lock.unlock();
            try {
                observe_(shown, part);
            } catch (...) {
                failure_ = std::current_exception();
                return;
            }
            shown += part.size();
            lock.lock();
        }
    }

    const DecodeObserver& observe_;
    std::mutex mutex_;
    std::condition_variable changed_;
    ByteView seen_;  ///< from the content's first byte on
    bool is_over_ = false;
    std::exception_ptr failure_;
    std::jthread thread_;  ///< last: it uses all the others
};

}  // namespace walden::codec::wal_codec
