#include "storage/wrappers/retry_policy.h"

#include "base/bytes.h"
#include "base/format.h"
#include "base/random.h"

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace walden::storage {

std::chrono::milliseconds next_delay(std::chrono::milliseconds base, std::chrono::milliseconds cap,
                                     unsigned failure_count, double random) {
    // In floating point nothing overflows: 2^k is exact up to k = 1023.
    const unsigned doublings = std::min(failure_count == 0 ? 0 : failure_count - 1, 1000U);
    double limit = static_cast<double>(std::max(base.count(), std::int64_t{0}));
    for (unsigned i = 0; i < doublings && limit < static_cast<double>(cap.count()); ++i) limit *= 2;
    limit = std::min(limit, static_cast<double>(cap.count()));
    return std::chrono::milliseconds(static_cast<std::int64_t>(limit * random));
}

double RetryOptions::random_fraction() {
    // 53 bits are what a double holds.
    const std::uint64_t bits = load_le<std::uint64_t>(random_array<8>().data()) >> 11;
    return static_cast<double>(bits) / static_cast<double>(std::uint64_t{1} << 53);
}

void RetryOptions::sleep_for(std::chrono::milliseconds delay, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never_notified;
    std::unique_lock lock(mutex);
    never_notified.wait_for(lock, stop, delay, [] { return false; });
}

RetryOptions one_attempt() {
    RetryOptions options;
    options.attempt_count_max = 1;
    return options;
}

void RetryPolicy::require_time() const {
    if (options_.stop.stop_requested()) throw Error(ErrorKind::canceled, "stopped on request");
    if (options_.now() >= options_.deadline)
        throw Error(ErrorKind::canceled, format("no time left to ask {}", place_));
}

/// Throws instead of waiting for an attempt that must not be made.
void RetryPolicy::wait_after(const Error& error, std::string_view verb,
                             unsigned failure_count) const {
    // Coming back earlier than the store has asked for would only use up the attempts.
    const std::chrono::milliseconds delay = std::max(
        next_delay(options_.delay_base, options_.delay_cap, failure_count, options_.random()),
        error.retry_after().value_or(std::chrono::milliseconds(0)));
    // Compared as a difference: now + delay could overflow, deadline - now cannot be negative here
    // except when the attempt took longer, which is an end too.
    const bool is_too_late = options_.deadline - options_.now() <= delay;
    if (failure_count >= options_.attempt_count_max || is_too_late) {
        const std::string attempts =
            format("Gave up after {} attempt{}{}.", failure_count, failure_count == 1 ? "" : "s",
                   is_too_late ? " as the time was over" : "");
        const std::string& detail = error.detail();
        throw Error(error.kind(), error.message())
            .with_detail(detail.empty() ? attempts : detail + " " + attempts)
            .with_hint(error.hint())
            .as_given_up();
    }
    options_.observe(RetryNotice{verb, failure_count, delay, error});
    options_.sleep(delay, options_.stop);
}

}  // namespace walden::storage
