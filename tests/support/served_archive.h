// A host whose look-ahead archives into any storage.
#pragma once

#include "archive/look_ahead.h"
#include "base/file.h"
#include "support/archive_fixture.h"

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace walden::test {

class TestArchive final : public archive::OpenArchive {
public:
    TestArchive(vault::ObjectStorage& storage, const Host& host)
        : vault_(make_vault(storage)), state_(host.state()), settings_(host.settings) {}

    [[nodiscard]] const vault::ClusterVault& vault() const override { return vault_; }

    [[nodiscard]] archive::LocalState& state() override { return state_; }

    [[nodiscard]] archive::ArchiveSettings settings() const override { return settings_; }

private:
    vault::ClusterVault vault_;
    archive::LocalState state_;
    archive::ArchiveSettings settings_;
};

/// A host with its archive_status, and a look-ahead over `storage`.
class ServedHost {
public:
    explicit ServedHost(vault::ObjectStorage& storage) : storage_(storage) {
        make_directories(host.wal_directory() + "/archive_status");
        look_ahead = std::make_unique<archive::LookAhead>(
            archive::LookAheadOptions{.wal_directory = host.wal_directory(),
                                      .pipeline = {.in_flight = 4}},
            [this]() -> std::unique_ptr<archive::OpenArchive> {
                ++open_count;
                if (refuses_to_open) throw Error(ErrorKind::unavailable, "the store is away");
                return std::make_unique<TestArchive>(storage_, host);
            });
    }

    /// What PostgreSQL does when a segment is full.
    void make_ready(const WalFile& file) const {
        host.put_file(file);
        NewFile ready(ready_path(file.name), 0600);
        ready.commit_replacing();
    }

    void make_ready(const std::vector<WalFile>& files) const {
        for (const WalFile& file : files) make_ready(file);
    }

    /// What PostgreSQL does with the answer 0.
    void make_done(const std::string& name) const { std::filesystem::remove(ready_path(name)); }

    archive::LookAhead::Answer ask(const std::string& name) const {
        return look_ahead->archive(name, *find_file(host.path(name)), [] { return true; });
    }

    Host host;
    std::atomic<int> open_count{0};
    std::atomic<bool> refuses_to_open{false};
    std::unique_ptr<archive::LookAhead> look_ahead;

private:
    [[nodiscard]] std::string ready_path(const std::string& name) const {
        return host.wal_directory() + "/archive_status/" + name + ".ready";
    }

    vault::ObjectStorage& storage_;
};

inline bool is_archived(const archive::LookAhead::Answer& answer) {
    return answer && std::holds_alternative<archive::Archived>(*answer);
}

}  // namespace walden::test
