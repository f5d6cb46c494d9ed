// An observer on a thread of its own, so that a content is hashed while the rest of it is joined.
#pragma once

#include "base/parallel.h"
#include "codec/types.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace walden::codec::wal_codec {

/// Shows the parts of one content to `observe` in order, soon after see() was told of them. Where
/// the system gives no thread, see() does it itself.
class TrailingObserver {
public:
    /// The content of `content_size` bytes passes through `memory`, a multiple of decode_step_size
    /// if it is smaller than the content: round and round.
    TrailingObserver(ByteView memory, std::size_t content_size, const DecodeObserver& observe)
        : memory_(memory),
          lag_max_(memory.size() < content_size ? memory.size() - decode_step_size : content_size),
          observe_(observe) {
        if (auto thread = start_thread([this] { work(); })) thread_ = std::move(*thread);
    }

    TrailingObserver(const TrailingObserver&) = delete;
    TrailingObserver& operator=(const TrailingObserver&) = delete;

    ~TrailingObserver() { end(); }

    /// The part is there. Returns when there is room for the next one.
    void see(std::size_t offset, ByteView part) {
        if (!thread_.joinable()) return observe_(offset, part);
        std::unique_lock lock(mutex_);
        seen_ = offset + part.size();
        changed_.notify_all();
        changed_.wait(lock, [&] { return failure_ || seen_ - shown_ <= lag_max_; });
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
            changed_.notify_all();
        }
        if (thread_.joinable()) thread_.join();
    }

    void work() noexcept {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [&] { return is_over_ || seen_ > shown_; });
            if (seen_ == shown_) return;
            const std::size_t offset = shown_;
            const std::size_t size = std::min(decode_step_size, seen_ - shown_);
            lock.unlock();
            std::exception_ptr failure;
            try {
                observe_(offset, memory_.subspan(offset % memory_.size(), size));
            } catch (...) {
                failure = std::current_exception();
            }
            lock.lock();
            shown_ += size;
            failure_ = failure;
            changed_.notify_all();
            if (failure_) return;
        }
    }

    const ByteView memory_;
    const std::size_t lag_max_;  ///< behind this, see() would have its part overwritten
    const DecodeObserver& observe_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t seen_ = 0;   ///< bytes from the content's first one on ...
    std::size_t shown_ = 0;  ///< ... and how many of them `observe_` is done with
    bool is_over_ = false;
    std::exception_ptr failure_;
    std::jthread thread_;  ///< last: it uses all the others
};

}  // namespace walden::codec::wal_codec
