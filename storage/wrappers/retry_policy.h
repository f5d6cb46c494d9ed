// When to try again, how long to wait before, and when to give up: the one answer to these
// questions. RetryingStorage asks it for each call of the port; a storage whose call has several
// steps, of which one may fail while the others are done, asks it for each step.
#pragma once

#include "base/error.h"

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace walden::storage {

/// How long to wait before the next attempt, "full jitter": anywhere between nothing and
/// base * 2^(failure_count - 1), at most `cap`, so that many clients of a store that comes back do
/// not come back together. `failure_count` counts from 1, `random` is in [0, 1).
[[nodiscard]] std::chrono::milliseconds next_delay(std::chrono::milliseconds base,
                                                   std::chrono::milliseconds cap,
                                                   unsigned failure_count, double random);

/// What an observer is told before a wait.
struct RetryNotice {
    std::string_view verb;  ///< "put_new", "get", "upload_part", ...
    unsigned failure_count = 0;
    std::chrono::milliseconds delay{};
    const Error& error;
};

/// The functions are called from whichever thread uses the storage, without a lock.
struct RetryOptions {
    using Clock = std::chrono::steady_clock;

    /// A random number in [0, 1).
    static double random_fraction();

    /// Returns after `delay`, or as soon as `stop` is requested.
    static void sleep_for(std::chrono::milliseconds delay, const std::stop_token& stop);

    unsigned attempt_count_max = 8;
    std::chrono::milliseconds delay_base{100};
    std::chrono::milliseconds delay_cap{10'000};
    Clock::time_point deadline = Clock::time_point::max();
    std::stop_token stop;
    std::function<void(const RetryNotice&)> observe = [](const RetryNotice&) {};

    std::function<Clock::time_point()> now = Clock::now;
    std::function<void(std::chrono::milliseconds, const std::stop_token&)> sleep = sleep_for;
    std::function<double()> random = random_fraction;
};

/// No retries: for a storage that is asked directly.
[[nodiscard]] RetryOptions one_attempt();

/// Safe from several threads.
class RetryPolicy {
public:
    /// `place` is where the attempts go, for messages.
    RetryPolicy(RetryOptions options, std::string place)
        : options_(std::move(options)), place_(std::move(place)) {}

    [[nodiscard]] const RetryOptions& options() const { return options_; }

    /// The same with another stop.
    [[nodiscard]] RetryPolicy stopped_by(std::stop_token stop) const {
        RetryPolicy other = *this;
        other.options_.stop = std::move(stop);
        return other;
    }

    /// Calls attempt(failure_count), which may set the count back to zero when it got somewhere,
    /// until it returns something that is no Error(unavailable), the attempts are used up, or the
    /// next one could not begin before the deadline; then the last error leaves, its detail saying
    /// how often was tried, as one that was given up (Error::is_given_up): a policy further out
    /// does not begin its own attempts with it. All other errors leave at once. A requested stop,
    /// or a deadline that is over before the first attempt, is Error(canceled).
    ///
    /// Where the store says itself when to come back (Error::retry_after), the wait is at least
    /// that long. The deadline bounds the beginning of attempts; an attempt bounds itself.
    template <class Attempt>
    auto repeat(std::string_view verb, const Attempt& attempt) const {
        for (unsigned failure_count = 0;;) {
            require_time();
            try {
                return attempt(failure_count);
            } catch (const Error& error) {
                const bool may_repeat =
                    error.kind() == ErrorKind::unavailable && !error.is_given_up();
                // One attempt is no policy: whoever is further out may have one.
                if (!may_repeat || options_.attempt_count_max <= 1) throw;
                wait_after(error, verb, ++failure_count);
            }
        }
    }

private:
    void require_time() const;
    void wait_after(const Error& error, std::string_view verb, unsigned failure_count) const;

    RetryOptions options_;
    std::string place_;
};

}  // namespace walden::storage
