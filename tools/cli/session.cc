#include "tools/cli/session.h"

#include "archive/membership.h"
#include "base/error.h"
#include "base/format.h"
#include "pg/control_file.h"
#include "tools/cli/agent_place.h"
#include "tools/cli/messages.h"
#include "tools/cli/version.h"

#include <algorithm>
#include <charconv>

namespace walden::cli {

namespace {

std::string join(const std::vector<std::uint64_t>& numbers) {
    std::string text;
    for (const std::uint64_t number : numbers)
        text += format("{}{}", text.empty() ? "" : ", ", number);
    return text.empty() ? "none" : text;
}

wal::SegmentSize segment_size_of(const vault::ClusterIdentity& identity) {
    const auto size = wal::SegmentSize::from_bytes(identity.segment_size);
    if (!size) throw Error(ErrorKind::corrupt, "cluster identity has an impossible segment size");
    return *size;
}

/// What to do about a secret that cannot be loaded.
std::string key_advice(const crypto::KeySource& source, const Error& error) {
    if (!error.hint().empty()) return error.hint();
    if (std::holds_alternative<crypto::KeyCommand>(source))
        return "Run the command by hand, as the user of the server, to see why.";
    if (std::holds_alternative<crypto::KeyEnvironment>(source))
        return "It must be set for the server, whose commands inherit it, and here.";
    if (error.kind() == ErrorKind::denied)
        return "Run this as the user of the server, who owns the key: \"sudo -u postgres walden "
               "...\".";
    if (error.kind() == ErrorKind::not_found)
        return "Bring the copy that was kept elsewhere. If there is none, another key of this "
               "repository makes a new one: \"walden keys --unlock-by-passphrase add --key-file "
               "FILE\".";
    return "It may be a damaged copy. \"walden keys test --key-file FILE\" tries another one.";
}

/// Loads the configured secret. A key file that is missing or open to others is a mistake of the
/// configuration, not a store without an object; a key service that fails may succeed later.
crypto::UnlockSecret load_secret(const Config& config) {
    try {
        return crypto::load_unlock_secret(*config.encryption.key_source);
    } catch (const Error& error) {
        const bool is_service =
            std::holds_alternative<crypto::KeyCommand>(*config.encryption.key_source);
        const ErrorKind kind = is_service && error.kind() != ErrorKind::usage
                                   ? ErrorKind::unavailable
                                   : ErrorKind::usage;
        throw Error(kind, format("key: {}", error.message()))
            .with_detail(error.detail())
            .with_hint(key_advice(*config.encryption.key_source, error));
    }
}

}  // namespace

storage::RetryOptions retry_options(std::chrono::milliseconds deadline,
                                    const std::function<void()>& on_retry) {
    storage::RetryOptions options;
    options.deadline = storage::RetryOptions::Clock::now() + deadline;
    options.observe = [on_retry](const storage::RetryNotice& notice) {
        report_warning(format("{}: {}; trying again in {} ms", notice.verb, notice.error.message(),
                              notice.delay.count()));
        on_retry();
    };
    return options;
}

Patience typed(std::chrono::milliseconds deadline) {
    Patience patience(deadline);
    patience.first_attempt_count = 2;
    return patience;
}

Session::Session(Config config, Patience patience, storage::StoreTable stores,
                 const std::function<void()>& on_retry)
    : config_(std::move(config)), kind_(storage::kind_of(stores, config_.store.url)) {
    const storage::RetryOptions retry = retry_options(patience.deadline, on_retry);
    backend_ = kind_.open(config_.store, retry);
    if (patience.first_attempt_count != 0) {
        storage::RetryOptions first = retry;
        first.attempt_count_max = patience.first_attempt_count;
        storage::RetryingStorage storage(*backend_, first);
        static_cast<void>(vault::Repository::read_descriptor(storage));
    }
    storage_ = std::make_unique<storage::RetryingStorage>(*backend_, retry);
    repository_ = vault::Repository::open(
        *storage_, {.id = config_.repository_id, .encryption = config_.encryption.is_enabled},
        [&] { return load_secret(config_); });
    // Where the settings say nothing of it, whoever made the repository has accepted it.
    if (!repository_->descriptor().fencing_proven && kind_.accepts_unfenced != nullptr &&
        !kind_.accepts_unfenced(config_.store))
        throw Error(
            ErrorKind::usage,
            format("store {} does not keep an object from being overwritten", config_.store.url))
            .with_hint(format("\"walden init\" found that out. If there is surely one writer, {}.",
                              kind_.unfenced_consent));
}

std::optional<std::uint64_t> Session::local_system_identifier() const {
    const auto control = pg::read_control_file(config_.pgdata);
    if (!control) return std::nullopt;
    return control->system_identifier;
}

vault::ClusterVault Session::open_cluster(std::uint64_t system_identifier) const {
    return {*storage_, repository_->keyring(config_.cluster),
            vault::ClusterLayout(config_.cluster, system_identifier), config_.codec.worker_count};
}

vault::ClusterVault Session::open_cluster() const {
    const auto system = local_system_identifier();
    if (!system)
        throw Error(ErrorKind::io,
                    format("\"{}\" has no global/pg_control: not a data directory", config_.pgdata))
            .with_hint("Correct pgdata in the configuration.");
    return open_cluster(*system);
}

vault::ClusterVault Session::open_cluster_or_only() const {
    if (const auto system = local_system_identifier()) return open_cluster(*system);
    const auto systems = registered_systems();
    if (systems.size() != 1)
        throw Error(ErrorKind::usage,
                    format("\"{}\" is no data directory, and the archive of cluster \"{}\" holds "
                           "system identifiers: {}",
                           config_.pgdata, config_.cluster, join(systems)))
            .with_hint("Restore a base backup first: its pg_control tells which one is meant.");
    return open_cluster(systems.front());
}

std::vector<std::uint64_t> Session::systems_in_store() const {
    const std::string prefix = format("{}{}/", vault::clusters_prefix, config_.cluster);
    std::vector<std::uint64_t> systems;
    // Jump from one system identifier to the next: a listing of all objects would take long.
    std::string after;
    for (bool is_more = true; is_more;) {
        is_more = false;
        storage_->list(prefix, after, [&](const vault::ObjectInfo& object) {
            is_more = true;
            std::uint64_t number = 0;
            const char* begin = object.key.data() + prefix.size();
            const char* end = object.key.data() + object.key.size();
            const auto [rest, error] = std::from_chars(begin, end, number);
            const bool is_system = error == std::errc() && rest != end && *rest == '/';
            if (is_system) systems.push_back(number);
            // '0' follows '/': the smallest key behind everything of this system.
            after = is_system ? format("{}{}0", prefix, number) : object.key;
            return false;
        });
    }
    return systems;
}

std::vector<std::uint64_t> Session::registered_systems() const {
    std::vector<std::uint64_t> systems = systems_in_store();
    std::erase_if(systems, [&](std::uint64_t system) {
        return !open_cluster(system).claims().find_identity().has_value();
    });
    return systems;
}

vault::ClusterIdentity Session::require_identity(const vault::ClusterVault& vault) const {
    const auto identity = vault.claims().find_identity();
    if (identity) return *identity;
    throw Error(ErrorKind::foreign,
                format("the cluster in \"{}\" is not registered as \"{}\" in the archive",
                       config_.pgdata, config_.cluster))
        .with_detail(format("It would be \"{}\"; registered system identifiers: {}.",
                            vault.layout().prefix(), join(registered_systems())))
        .with_hint(
            "Check that cluster and pgdata are the right ones. A new cluster, or one after "
            "initdb or pg_upgrade, is registered by \"walden init\".");
}

archive::ArchiveSettings archive_settings(const Config& config,
                                          const vault::ClusterIdentity& identity) {
    return {.system_identifier = identity.system_identifier,
            .instance = {.host = archive::describe_host(),
                         .pgdata = config.pgdata,
                         .segment_size = segment_size_of(identity)},
            .encoding = config.codec.encoding(),
            .on_damaged_wal = config.archive.on_damaged_wal,
            .version = version_text()};
}

archive::LocalState open_local_state(const Session& session, std::uint64_t system_identifier) {
    const Config& config = session.config();
    return {state_directory(config),
            config.cluster,
            {.repository = session.repository().descriptor().id,
             .system_identifier = system_identifier,
             .pgdata = config.pgdata}};
}

recovery::FetchSettings fetch_settings(const Config& config,
                                       const vault::ClusterIdentity& identity) {
    return {.system_identifier = identity.system_identifier,
            .segment_size = segment_size_of(identity),
            .on_damaged_wal = config.fetch.on_damaged_wal,
            .hole_patience = std::min(config.fetch.hole_patience, config.fetch.deadline / 2)};
}

}  // namespace walden::cli
