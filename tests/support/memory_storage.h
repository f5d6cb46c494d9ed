// Objects in memory, for tests.
#pragma once

#include "base/guarded.h"
#include "vault/object_storage.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>

namespace walden::storage {

class MemoryStorage final : public vault::ObjectStorage {
public:
    /// Which kind of store it stands for: see ObjectStorage::is_durable_once_visible().
    enum class Durability : std::uint8_t { when_synced, once_visible };

    explicit MemoryStorage(Durability durability = Durability::when_synced)
        : durability_(durability) {}

    PutOutcome put_new(const std::string& key, ByteView body) override;
    [[nodiscard]] bool get(const std::string& key, Bytes& out) override;
    [[nodiscard]] bool get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                                 Bytes& out) override;
    [[nodiscard]] std::optional<vault::ObjectInfo> stat(const std::string& key) override;
    void list(const std::string& prefix, const std::string& start_after,
              const std::function<bool(const vault::ObjectInfo&)>& visit) override;
    void remove(std::span<const std::string> keys) override;

    [[nodiscard]] bool is_durable_once_visible() const override {
        return durability_ == Durability::once_visible;
    }

    [[nodiscard]] std::string describe() const override;

    /// Puts `body` under `key` whatever was there: what the port forbids, and what a test of
    /// damage needs.
    void overwrite(const std::string& key, ByteView body);

private:
    Durability durability_;
    Guarded<std::map<std::string, Bytes>> objects_;
};

}  // namespace walden::storage
