// A prefetcher over any storage.
#pragma once

#include "recovery/prefetcher.h"
#include "support/archive_fixture.h"

#include <atomic>
#include <memory>
#include <string>

namespace walden::test {

class TestSource final : public recovery::Source {
public:
    TestSource(vault::ObjectStorage& storage, const std::atomic<bool>& is_current,
               const std::atomic<bool>& is_mounted)
        : vault_(make_vault(storage)),
          fetcher_(make_fetcher(vault_)),
          is_current_(is_current),
          is_mounted_(is_mounted) {}

    [[nodiscard]] const recovery::Fetcher& fetcher() const override { return fetcher_; }

    [[nodiscard]] const vault::ClusterVault& vault() const override { return vault_; }

    void prove_identity() const override {
        if (!is_mounted_) throw Error(ErrorKind::not_found, "the store is away");
    }

    [[nodiscard]] bool is_current() const override { return is_current_; }

private:
    vault::ClusterVault vault_;
    recovery::Fetcher fetcher_;
    const std::atomic<bool>& is_current_;
    const std::atomic<bool>& is_mounted_;
};

/// The recovery side of an agent whose server recovers as long as is_recovering says so.
class ServedRecovery {
public:
    ServedRecovery(vault::ObjectStorage& storage, const std::string& directory,
                   recovery::PrefetchOptions options = {}) {
        options.directory = directory;
        options.look_interval = std::chrono::milliseconds(20);
        options.is_recovering = [this] { return is_recovering.load(); };
        prefetcher = std::make_unique<recovery::Prefetcher>(options, [this, &storage] {
            ++open_count;
            return std::make_shared<TestSource>(storage, is_current, is_mounted);
        });
    }

    std::atomic<bool> is_recovering{true};
    std::atomic<bool> is_current{true};
    std::atomic<bool> is_mounted{true};
    std::atomic<int> open_count{0};
    std::unique_ptr<recovery::Prefetcher> prefetcher;
};

}  // namespace walden::test
