// Tries again what may succeed later.
#pragma once

#include "storage/wrappers/forwarding_storage.h"
#include "storage/wrappers/retry_policy.h"
#include "vault/object_storage.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace walden::storage {

/// Repeats calls that fail with ErrorKind::unavailable, as RetryPolicy has it. Cheap to make: one
/// for each piece of work with a deadline of its own, over a storage that many share.
///
/// An attempt of put_new that failed may have worked, so already_present can be the answer to our
/// own earlier attempt. The caller cannot take it for another writer's object without comparing,
/// and has to compare anyway. list() goes on after the last object that was visited.
class RetryingStorage final : public ForwardingStorage {
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

private:
    RetryPolicy policy_;
};

}  // namespace walden::storage
