// The port: all that walden asks of a place to keep objects. Owned by the engine, implemented in
// storage/, wrapped by storage/wrappers/ (retrying, counting, faulty), checked by one contract
// suite (tests/support/storage_contract.h) against every implementation.
#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace walden::vault {

/// What a listing tells of one object.
struct ObjectInfo {
    std::string key;
    std::uint64_t size = 0;  ///< bytes
};

/// A flat, durable map from key to immutable bytes.
///
/// Keys are 1 to 512 bytes of [A-Za-z0-9/_.-]; no empty, "." or ".." component, no leading or
/// trailing slash, and no component that starts with a dot (implementations keep theirs there).
/// Objects are at most object_size_max bytes, so a whole object fits in memory and any call can be
/// repeated as it is.
///
/// All functions are safe to call from several threads. Each makes one attempt; retrying is
/// RetryingStorage's task. They throw Error:
///   unavailable  may succeed later (network, throttling, EIO)
///   denied       credentials or permissions
///   io           the place cannot take it now: full, read-only
///   not_found    the place itself is missing: directory not there, NoSuchBucket. A missing
///                *object* is never an error but a return value.
///   usage        a key or size outside the rules above
class ObjectStorage {
public:
    static constexpr std::size_t object_size_max = std::size_t{64} << 20;
    static constexpr std::size_t key_size_max = 512;

    enum class PutOutcome : std::uint8_t { created, already_present };

    ObjectStorage() = default;
    ObjectStorage(const ObjectStorage&) = delete;
    ObjectStorage& operator=(const ObjectStorage&) = delete;
    virtual ~ObjectStorage() = default;

    /// Stores `body` under `key` unless the key is taken. When this returns, the object under
    /// `key` (ours or the older one) is complete and durable, name included; readers never see a
    /// part of it. After an Error the object is absent or complete, never partial: an unknown
    /// outcome, which the caller resolves by asking again.
    virtual PutOutcome put_new(const std::string& key, ByteView body) = 0;

    /// Reads the whole object into `out`, replacing its content. False if the place positively
    /// has no such object.
    [[nodiscard]] virtual bool get(const std::string& key, Bytes& out) = 0;

    /// Reads `size` bytes from `offset`, fewer only where the object ends. False as get().
    [[nodiscard]] virtual bool get_range(const std::string& key, std::uint64_t offset,
                                         std::size_t size, Bytes& out) = 0;

    /// nullopt if the place positively has no such object.
    [[nodiscard]] virtual std::optional<ObjectInfo> stat(const std::string& key) = 0;

    /// Calls `visit` for each object whose key starts with `prefix` and is greater than
    /// `start_after`, in ascending byte order, until it returns false. Throws rather than return a
    /// part of the truth.
    virtual void list(const std::string& prefix, const std::string& start_after,
                      const std::function<bool(const ObjectInfo&)>& visit) = 0;

    /// Removes the objects; keys that do not exist are ignored.
    virtual void remove(std::span<const std::string> keys) = 0;

    /// Whether all that get() and stat() show is durable, as in object stores, where an object
    /// appears when it is safe. False where a writer may have died between making a name and
    /// syncing it, as in a directory: then whoever relies on an object that he found puts it again
    /// first.
    [[nodiscard]] virtual bool is_durable_once_visible() const { return false; }

    /// For messages: "file:///srv/store". No credentials in it.
    [[nodiscard]] virtual std::string describe() const = 0;
};

/// True if `key` follows the rules of ObjectStorage.
[[nodiscard]] bool is_valid_key(std::string_view key);

/// Throws Error(usage) unless `key` follows the rules of ObjectStorage.
void require_valid_key(std::string_view key);

/// Throws Error(usage) unless some valid key can start with `prefix`; the empty prefix is fine.
void require_valid_prefix(std::string_view prefix);

/// Throws Error(usage) if `body_size` is more than an object may have.
void require_valid_size(std::size_t body_size);

}  // namespace walden::vault
