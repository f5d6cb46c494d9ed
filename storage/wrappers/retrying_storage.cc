#include "storage/wrappers/retrying_storage.h"

#include <exception>
#include <utility>

namespace walden::storage {

using vault::ObjectInfo;

RetryingStorage::RetryingStorage(vault::ObjectStorage& inner, RetryOptions options)
    : ForwardingStorage(inner), policy_(std::move(options), inner.describe()) {}

vault::ObjectStorage::PutOutcome RetryingStorage::put_new(const std::string& key, ByteView body) {
    return policy_.repeat("put_new", [&](unsigned) { return inner().put_new(key, body); });
}

bool RetryingStorage::get(const std::string& key, Bytes& out) {
    return policy_.repeat("get", [&](unsigned) { return inner().get(key, out); });
}

bool RetryingStorage::get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                                Bytes& out) {
    return policy_.repeat("get_range",
                          [&](unsigned) { return inner().get_range(key, offset, size, out); });
}

std::optional<ObjectInfo> RetryingStorage::stat(const std::string& key) {
    return policy_.repeat("stat", [&](unsigned) { return inner().stat(key); });
}

void RetryingStorage::list(const std::string& prefix, const std::string& start_after,
                           const std::function<bool(const ObjectInfo&)>& visit) {
    std::string after = start_after;
    bool is_finished = false;
    std::exception_ptr visitor_failure;
    policy_.repeat("list", [&](unsigned& failure_count) {
        if (is_finished) return;  // the storage failed after the visitor had had enough
        inner().list(prefix, after, [&](const ObjectInfo& info) {
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
    policy_.repeat("remove", [&](unsigned) { inner().remove(keys); });
}

}  // namespace walden::storage
