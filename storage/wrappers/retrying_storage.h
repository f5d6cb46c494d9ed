// Tries again what may succeed later.
#pragma once

#include "base/error.h"
#include "vault/object_storage.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace walden::storage {

/// How long to wait before the next attempt, "full jitter": anywhere between nothing and
/// base * 2^(failure_count - 1), at most `cap`, so that many clients of a store that comes back do
/// not come back together. `failure_count` counts from 1, `random` is in [0, 1).
[[nodiscard]] std::chrono::milliseconds next_delay(std::chrono::milliseconds base,
                                                   std::chrono::milliseconds cap,
                                                   unsigned failure_count, double random);

/// What an observer is told before a wait.
struct RetryNotice {
    std::string_view verb;  ///< "put_new", "get", ...
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

/// Repeats calls that fail with ErrorKind::unavailable until one succeeds, the attempts are used
/// up, or the next one could not begin before the deadline; then the last error leaves, its detail
/// saying how often was tried. All other errors leave at once. A requested stop, or a deadline that
/// is over before the first attempt, is Error(canceled).
///
/// Where the store says itself when to come back (Error::retry_after), the wait is at least that
/// long. The deadline bounds the beginning of attempts; an attempt bounds itself. Cheap to make: one for
/// each piece of work with a deadline of its own, over a storage that many share.
///
/// An attempt of put_new that failed may have worked, so already_present can be the answer to our
/// own earlier attempt. The caller cannot take it for another writer's object without comparing,
/// and has to compare anyway. list() goes on after the last object that was visited.
class RetryingStorage final : public vault::ObjectStorage {
public:
    /// `inner` must live longer.
    RetryingStorage(vault::ObjectStorage& inner, RetryOptions options);

    PutOutcome put_new(const std::string& key, ByteView body) override;
    [[nodiscard]] bool get(const std::string& key, Bytes& out) override;
    [[nodiscard]] bool get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                                 Bytes& out) override;
    [[nodiscard]] std::optional<vault::ObjectInfo> stat(const std::string& key) override;
    void list(const std::string& prefix, const std::string& start_after,
              const std::function<bool(const vault::ObjectInfo&)>& visit) override;
    void remove(std::span<const std::string> keys) override;
    [[nodiscard]] bool is_durable_once_visible() const override {
        return inner_.is_durable_once_visible();
    }

    [[nodiscard]] std::string describe() const override;

private:
    template <class Attempt>
    auto repeat(std::string_view verb, const Attempt& attempt) const;

    void require_time() const;
    void wait_after(const Error& error, std::string_view verb, unsigned failure_count) const;

    vault::ObjectStorage& inner_;
    RetryOptions options_;
};

}  // namespace walden::storage
