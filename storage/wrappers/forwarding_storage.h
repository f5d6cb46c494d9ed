// The base of wrappers: passes every call on, so that a wrapper holds only what it changes.
#pragma once

#include "vault/object_storage.h"

#include <functional>
#include <optional>
#include <span>
#include <string>

namespace walden::storage {

/// As safe from several threads as what it wraps.
class ForwardingStorage : public vault::ObjectStorage {
public:
    /// `inner` must live longer.
    explicit ForwardingStorage(vault::ObjectStorage& inner) : inner_(inner) {}

    PutOutcome put_new(const std::string& key, ByteView body) override {
        return inner_.put_new(key, body);
    }

    [[nodiscard]] bool get(const std::string& key, Bytes& out) override {
        return inner_.get(key, out);
    }

    [[nodiscard]] bool get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                                 Bytes& out) override {
        return inner_.get_range(key, offset, size, out);
    }

    [[nodiscard]] std::optional<vault::ObjectInfo> stat(const std::string& key) override {
        return inner_.stat(key);
    }

    void list(const std::string& prefix, const std::string& start_after,
              const std::function<bool(const vault::ObjectInfo&)>& visit) override {
        inner_.list(prefix, start_after, visit);
    }

    void remove(std::span<const std::string> keys) override { inner_.remove(keys); }

    [[nodiscard]] bool is_durable_once_visible() const override {
        return inner_.is_durable_once_visible();
    }

    [[nodiscard]] std::string describe() const override { return inner_.describe(); }

protected:
    [[nodiscard]] vault::ObjectStorage& inner() const { return inner_; }

private:
    vault::ObjectStorage& inner_;
};

}  // namespace walden::storage
