// Credentials that a service hands out for a while, kept and replaced before they expire.
#pragma once

#include "base/error.h"
#include "storage/http/timestamps.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace walden::storage {

/// `Credentials` has an optional time point `expires` and is_same_as(other). Safe from several
/// threads: one of them loads, the others go on with what is still valid, or wait where nothing is.
template <class Credentials>
class CredentialCache {
public:
    /// Finds credentials anew; what it throws is what current() throws where nothing valid is left.
    using Source = std::function<Credentials()>;
    using Clock = std::function<TimePoint()>;

    /// From here on before they expire, credentials are replaced.
    static constexpr std::chrono::seconds refresh_margin{300};
    /// After a failure, while the old ones are still valid, the next attempt waits this long.
    static constexpr std::chrono::seconds retry_pause{10};

    explicit CredentialCache(Source source, Clock now = std::chrono::system_clock::now)
        : source_(std::move(source)), now_(std::move(now)) {}

    [[nodiscard]] std::shared_ptr<const Credentials> current() {
        std::unique_lock lock(mutex_);
        for (;;) {
            const TimePoint now = now_();
            if (is_fresh(now)) return credentials_;
            if (is_valid(now) && (is_loading_ || now < next_attempt_)) return credentials_;
            if (is_loading_) {
                loaded_.wait(lock);
                continue;
            }
            try {
                load(lock);
                // What was loaded is handed out even if it is about to expire: there is nothing
                // newer.
                return credentials_;
            } catch (const Error&) {
                if (!is_valid(now_())) throw;
                return credentials_;
            }
        }
    }

    /// Loads others than `refused`, which the store did not accept; false if the source still gives
    /// the same. Another thread may have done it already.
    [[nodiscard]] bool replace(const Credentials& refused) {
        const auto is_refused = [&] { return credentials_ && credentials_->is_same_as(refused); };
        std::unique_lock lock(mutex_);
        loaded_.wait(lock, [&] { return !is_loading_; });
        if (is_refused()) load(lock);
        return !is_refused();
    }

private:
    [[nodiscard]] bool is_valid(TimePoint now) const {
        return credentials_ && (!credentials_->expires || now < *credentials_->expires);
    }

    [[nodiscard]] bool is_fresh(TimePoint now) const {
        return is_valid(now) &&
               (!credentials_->expires || now + refresh_margin < *credentials_->expires);
    }

    /// Calls the source without the lock. A failure leaves what there is.
    void load(std::unique_lock<std::mutex>& lock) {
        is_loading_ = true;
        lock.unlock();
        std::shared_ptr<const Credentials> loaded;
        std::exception_ptr failure;
        try {
            loaded = std::make_shared<const Credentials>(source_());
        } catch (...) {
            failure = std::current_exception();
        }
        lock.lock();
        is_loading_ = false;
        if (loaded) credentials_ = std::move(loaded);
        next_attempt_ = now_() + retry_pause;
        loaded_.notify_all();
        if (failure) std::rethrow_exception(failure);
    }

    Source source_;
    Clock now_;
    std::mutex mutex_;
    std::condition_variable loaded_;
    std::shared_ptr<const Credentials> credentials_;
    TimePoint next_attempt_{};
    bool is_loading_ = false;
};

}  // namespace walden::storage
