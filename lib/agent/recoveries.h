// The recoveries that an agent fetches ahead of: one for each data directory that asks, not only
// the configured one. A copy that is restored beside the original shares its configuration.
#pragma once

#include "agent/protocol.h"
#include "agent/served_directory.h"
#include "recovery/prefetcher.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace walden::agent {

/// Safe from several threads. Its mutex guards the list and is not held while a prefetcher works.
class Recoveries {
public:
    /// Makes the prefetcher for a data directory. Throws Error.
    using Make =
        std::function<std::unique_ptr<recovery::Prefetcher>(const std::string& data_directory)>;

    /// At once; a recovery that has ended makes room for another one.
    static constexpr std::size_t count_max = 4;

    explicit Recoveries(Make make) : make_(std::move(make)) {}

    Recoveries(const Recoveries&) = delete;
    Recoveries& operator=(const Recoveries&) = delete;

    /// Who answers a server, or why nobody does.
    struct Found {
        std::shared_ptr<recovery::Prefetcher> prefetcher{};
        std::string objection{};
    };

    /// For the server in `data_directory`, whose pg_wal is `wal_directory` to the one who asks.
    /// Where another data directory has come to that path meanwhile, all that was known of the
    /// recovery there is dropped. Throws what Make throws.
    [[nodiscard]] Found find(const std::string& data_directory, const FileIdentity& wal_directory);

    [[nodiscard]] bool is_idle();

    /// Begins nothing any more that nobody asked for.
    void stop_prefetching();

    /// The one that asked last first.
    [[nodiscard]] std::vector<RecoveryStatus> status();

private:
    struct Served {
        std::string path;
        DataDirectory directory;
        std::shared_ptr<recovery::Prefetcher> prefetcher;
    };

    [[nodiscard]] bool make_room();

    const Make make_;
    std::mutex mutex_;
    std::vector<Served> served_;  ///< the one that asked last first
    bool may_prefetch_ = true;
};

}  // namespace walden::agent
