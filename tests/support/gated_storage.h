// A storage whose reads of chosen objects wait until the test lets them go.
#pragma once

#include "storage/wrappers/forwarding_storage.h"

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>

namespace walden::test {

/// Safe from several threads. Opened by its destructor.
class GatedStorage final : public storage::ForwardingStorage {
public:
    explicit GatedStorage(vault::ObjectStorage& inner) : ForwardingStorage(inner) {}

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

    [[nodiscard]] bool get(const std::string& key, Bytes& out) override {
        pass(key);
        return inner().get(key, out);
    }

    [[nodiscard]] bool get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                                 Bytes& out) override {
        pass(key);
        return inner().get_range(key, offset, size, out);
    }

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

    std::mutex mutex_;
    std::condition_variable changed_;
    std::set<std::string> closed_;
    std::size_t waiting_count_ = 0;
};

}  // namespace walden::test
