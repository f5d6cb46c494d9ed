#include "storage/wrappers/retrying_storage.h"

#include "base/format.h"
#include "base/random.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <utility>

namespace walden::storage {

using vault::ObjectInfo;

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

RetryingStorage::RetryingStorage(vault::ObjectStorage& inner, RetryOptions options)
    : inner_(inner), options_(std::move(options)) {}

/// Calls attempt(failure_count), which may set the count back to zero when it got somewhere.
template <class Attempt>
auto RetryingStorage::repeat(std::string_view verb, const Attempt& attempt) const {
    for (unsigned failure_count = 0;;) {
        require_time();
        try {
            return attempt(failure_count);
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::unavailable) throw;
            wait_after(error, verb, ++failure_count);
        }
    }
}

void RetryingStorage::require_time() const {
    if (options_.stop.stop_requested()) throw Error(ErrorKind::canceled, "stopped on request");
    if (options_.now() >= options_.deadline)
        throw Error(ErrorKind::canceled, format("no time left to ask {}", inner_.describe()));
}

/// Throws instead of waiting for an attempt that must not be made.
void RetryingStorage::wait_after(const Error& error, std::string_view verb,
                                 unsigned failure_count) const {
    // Coming back earlier than the store has asked for would only use up the attempts.
    const std::chrono::milliseconds delay =
        std::max(next_delay(options_.delay_base, options_.delay_cap, failure_count,
                            options_.random()),
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
            .with_hint(error.hint());
    }
    options_.observe(RetryNotice{verb, failure_count, delay, error});
    options_.sleep(delay, options_.stop);
}

vault::ObjectStorage::PutOutcome RetryingStorage::put_new(const std::string& key, ByteView body) {
    return repeat("put_new", [&](unsigned) { return inner_.put_new(key, body); });
}

bool RetryingStorage::get(const std::string& key, Bytes& out) {
    return repeat("get", [&](unsigned) { return inner_.get(key, out); });
}

bool RetryingStorage::get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                                Bytes& out) {
    return repeat("get_range", [&](unsigned) { return inner_.get_range(key, offset, size, out); });
}

std::optional<ObjectInfo> RetryingStorage::stat(const std::string& key) {
    return repeat("stat", [&](unsigned) { return inner_.stat(key); });
}

void RetryingStorage::list(const std::string& prefix, const std::string& start_after,
                           const std::function<bool(const ObjectInfo&)>& visit) {
    std::string after = start_after;
    bool is_finished = false;
    std::exception_ptr visitor_failure;
    repeat("list", [&](unsigned& failure_count) {
        if (is_finished) return;  // the storage failed after the visitor had had enough
        inner_.list(prefix, after, [&](const ObjectInfo& info) {
            after = info.key;
            failure_count = 0;
            // An error of the visitor must not look like one of the listing.
            try {
                is_finished = !visit(info);
            } catch (...) {
                visitor_failure = std::current_exception();
                is_finished = true;
            }
            return !is_finished;
        });
    });
    if (visitor_failure) std::rethrow_exception(visitor_failure);
}

void RetryingStorage::remove(std::span<const std::string> keys) {
    repeat("remove", [&](unsigned) { inner_.remove(keys); });
}

std::string RetryingStorage::describe() const {
    return inner_.describe();
}

}  // namespace walden::storage
