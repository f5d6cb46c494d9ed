// From a configuration to an open repository and the cluster in it: what every program does first.
#pragma once

#include "archive/archiver.h"
#include "recovery/fetcher.h"
#include "storage/local_stores.h"
#include "storage/wrappers/retrying_storage.h"
#include "tools/config/config.h"
#include "vault/cluster_vault.h"
#include "vault/repository.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace walden::cli {

/// Retries until `deadline` from now, with a warning for each.
[[nodiscard]] storage::RetryOptions retry_options(
    std::chrono::milliseconds deadline, const std::function<void()>& on_retry = [] {});

/// How long attempts go on, and how often the store is asked for its first answer.
struct Patience {
    /// Implicit: most callers have a deadline and nothing else.
    template <class Rep, class Period>
    Patience(std::chrono::duration<Rep, Period> time)
        : deadline(std::chrono::duration_cast<std::chrono::milliseconds>(time)) {}

    std::chrono::milliseconds deadline;  ///< from now
    /// Of a store that has not answered yet; 0: as later.
    unsigned first_attempt_count = 0;
};

/// For a command that a person types: an address that is wrong is said at once, instead of after
/// eight attempts.
[[nodiscard]] Patience typed(std::chrono::milliseconds deadline);

/// An open repository. Movable; what it hands out refers to it.
class Session {
public:
    /// Opens storage and repository as configured. Attempts go on as long as `patience` says;
    /// `on_retry` is called before each but the first, from any thread. Throws what opening the
    /// store and Repository::open throw; Error(usage) if the repository is known to lie in a store
    /// that does not fence, and the configuration does not accept that.
    Session(
        Config config, Patience patience, storage::StoreTable stores = storage::local_stores(),
        const std::function<void()>& on_retry = [] {});

    [[nodiscard]] const Config& config() const { return config_; }

    [[nodiscard]] const storage::StoreKind& store_kind() const { return kind_; }

    [[nodiscard]] vault::ObjectStorage& storage() const { return *storage_; }

    [[nodiscard]] const vault::Repository& repository() const { return *repository_; }

    /// The configured cluster as the data directory has it: its system identifier must be one that
    /// `walden init` registered under the cluster's name. Throws Error(foreign) naming both sides
    /// otherwise, Error(io) if the data directory cannot be read.
    [[nodiscard]] vault::ClusterVault open_cluster() const;

    /// As open_cluster, and where there is no data directory the only system identifier that is
    /// registered under the cluster's name. Error(usage) if there are several.
    [[nodiscard]] vault::ClusterVault open_cluster_or_only() const;

    [[nodiscard]] vault::ClusterVault open_cluster(std::uint64_t system_identifier) const;

    /// The system identifiers that have any object under the cluster's name, in the order of their
    /// text.
    [[nodiscard]] std::vector<std::uint64_t> systems_in_store() const;

    /// Those of them that are registered, which is all unless an identity was lost.
    [[nodiscard]] std::vector<std::uint64_t> registered_systems() const;

    /// What the cluster's identity says; Error(foreign) if it is not registered.
    [[nodiscard]] vault::ClusterIdentity require_identity(const vault::ClusterVault& vault) const;

private:
    [[nodiscard]] std::optional<std::uint64_t> local_system_identifier() const;

    Config config_;
    const storage::StoreKind& kind_;
    std::unique_ptr<vault::ObjectStorage> backend_;
    std::unique_ptr<storage::RetryingStorage> storage_;
    std::optional<vault::Repository> repository_;
};

[[nodiscard]] archive::ArchiveSettings archive_settings(const Config& config,
                                                        const vault::ClusterIdentity& identity);

[[nodiscard]] archive::LocalState open_local_state(const Session& session,
                                                   std::uint64_t system_identifier);

[[nodiscard]] recovery::FetchSettings fetch_settings(const Config& config,
                                                     const vault::ClusterIdentity& identity);

}  // namespace walden::cli
