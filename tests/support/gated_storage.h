// A storage whose reads of chosen objects wait until the test lets them go.
#pragma once

#include "vault/object_storage.h"

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>

namespace walden::test {

/// Safe from several threads. Opened by its destructor.
class GatedStorage final : public vault::ObjectStorage {
public:
    explicit GatedStorage(vault::ObjectStorage& inner) : inner_(inner) {}

    /// From now on reads of keys that contain `part` wait.
    void close(const std::string& part) {
        const std::lock_guard lock(mutex_);
        closed_.insert(part);
    }

    void open_all() {
        const std::lock_guard lock(mutex_);
        closed_.clear();
        changed_.notify_all();
    }

    /// Waits until some read waits.
    void await_reader() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return waiting_count_ > 0; });
    }

    PutOutcome put_new(const std::string& key, ByteView body) override {
        return inner_.put_new(key, body);
    }

    [[nodiscard]] bool get(const std::string& key, Bytes& out) override {
        pass(key);
        return inner_.get(key, out);
    }

    [[nodiscard]] bool get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                                 Bytes& out) override {
        pass(key);
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

private:
    void pass(const std::string& key) {
        std::unique_lock lock(mutex_);
        const auto is_open = [&] {
            for (const std::string& part : closed_)
                if (key.find(part) != std::string::npos) return false;
            return true;
        };
        if (is_open()) return;
        ++waiting_count_;
        changed_.notify_all();
        changed_.wait(lock, is_open);
        --waiting_count_;
    }

    vault::ObjectStorage& inner_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::set<std::string> closed_;
    std::size_t waiting_count_ = 0;
};

}  // namespace walden::test
