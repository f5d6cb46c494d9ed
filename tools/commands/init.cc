#include "archive/membership.h"
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/random.h"
#include "pg/data_directory.h"
#include "storage/all_stores.h"
#include "tools/cli/json.h"
#include "tools/cli/process.h"
#include "tools/cli/session.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/state_place.h"
#include "tools/commands/text.h"
#include "vault/layout.h"
#include "vault/repository.h"

#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <memory>

namespace walden::commands {

namespace {

struct InitOptions {
    bool registers_new_system = false;  ///< after initdb or pg_upgrade
    bool accepts_unfenced = false;
};

struct InitResult {
    bool made_repository = false;
    bool made_key_file = false;
    bool registered_cluster = false;
    std::optional<std::uint64_t> system_identifier;
    std::string archive_command;
    std::string restore_command;
    storage::StepwiseProof stepwise;  ///< empty if it was not tried
};

/// The configured key; a key file that does not exist yet is made.
crypto::UnlockSecret ensure_secret(const cli::Config& config, InitResult& result) {
    if (config.encryption.key_file.empty() ||
        ::access(config.encryption.key_file.c_str(), F_OK) == 0)
        return crypto::load_unlock_secret(*config.encryption.key_source);
    make_directories(parent_directory(config.encryption.key_file));
    const auto secret = crypto::UnlockSecret::make_random_key();
    const std::vector<std::string> comments = {
        "walden key. Without it, or another key of the same repository, nothing in the archive",
        "can ever be restored. Keep a copy on another machine or on paper.",
        format("Made {} on {} for {}", now_rfc3339(), archive::describe_host(), config.store.url)};
    crypto::write_key_file(config.encryption.key_file, secret, comments);
    result.made_key_file = true;
    return secret;
}

void require_fencing(const storage::StoreKind& kind, const cli::Config& config,
                     const InitOptions& options, const storage::FencingProof& proof) {
    const bool is_accepted = kind.accepts_unfenced != nullptr ? kind.accepts_unfenced(config.store)
                                                              : options.accepts_unfenced;
    if (proof.is_proven || is_accepted) return;
    throw Error(ErrorKind::usage,
                format("\"{}\" does not keep an object from being overwritten", config.store.url))
        .with_detail(format("The probe: {}.", proof.reason))
        .with_hint(
            format("Two servers could overwrite each other's WAL there. Use another store, or {} "
                   "if there is surely one writer.",
                   kind.unfenced_consent));
}

void ensure_repository(const cli::Config& config, const InitOptions& options, InitResult& result) {
    const storage::StoreKind& kind = storage::kind_of(storage::all_stores(), config.store.url);
    if (kind.create != nullptr) kind.create(config.store);
    const auto backend = kind.open(config.store, storage::one_attempt());
    storage::RetryOptions first = cli::retry_options(config.archive.deadline);
    first.attempt_count_max = cli::typed(config.archive.deadline).first_attempt_count;
    storage::RetryingStorage asked_first(*backend, first);
    if (vault::Repository::read_descriptor(asked_first)) return;

    storage::RetryingStorage storage(*backend, cli::retry_options(config.archive.deadline));

    vault::Repository::require_empty(storage);
    const std::string probe = format("{}{}", vault::check_prefix, to_hex(random_array<8>()));
    const storage::FencingProof proof = kind.prove_fencing(config.store, probe);
    require_fencing(kind, config, options, proof);
    if (kind.prove_stepwise != nullptr)
        result.stepwise = kind.prove_stepwise(config.store, probe + ".3");
    std::optional<crypto::UnlockSecret> secret;
    if (config.encryption.is_enabled) secret.emplace(ensure_secret(config, result));
    vault::Repository::create(storage,
                              {.id = config.repository_id.value_or(random_array<16>()),
                               .suite = secret ? crypto::Suite::aes_256_gcm : crypto::Suite::none,
                               .fencing_proven = proof.is_proven,
                               .created = now_rfc3339()},
                              secret ? &*secret : nullptr,
                              {.label = format("init on {}", archive::describe_host()),
                               .created = std::time(nullptr),
                               .scrypt_cost = {},
                               .cluster = ""});
    result.made_repository = true;
}

void ensure_cluster(const cli::Session& session, const InitOptions& options, InitResult& result) {
    const auto control = pg::read_control_file(session.config().pgdata);
    if (!control) return;
    const std::uint64_t system = control->system_identifier;
    result.system_identifier = system;
    const vault::ClusterVault vault = session.open_cluster(system);
    if (vault.claims().find_identity()) return;
    const auto data = pg::read_data_directory(session.config().pgdata);
    if (!data) return;
    const auto registered = session.registered_systems();
    if (!registered.empty() && !options.registers_new_system)
        throw Error(
            ErrorKind::foreign,
            format("cluster \"{}\" archives system {} already; \"{}\" is system {}",
                   session.config().cluster, registered.back(), session.config().pgdata, system))
            .with_hint(
                "Another cluster needs another name. If this is the same one after initdb or "
                "pg_upgrade, run \"walden init --new-system\".");
    static_cast<void>(vault.claims().put_identity({.system_identifier = system,
                                                   .segment_size = data->segment_size.bytes(),
                                                   .server_version = data->major_version,
                                                   .time = std::time(nullptr),
                                                   .host = archive::describe_host()}));
    result.registered_cluster = true;
}

void make_commands(const cli::Config& config, InitResult& result) {
    const std::string directory = cli::program_directory();
    const std::string option =
        config.path == cli::default_config_path ? "" : format(" --config {}", config.path);
    result.archive_command = format("{}/walden-push{} %p", directory, option);
    result.restore_command = format("{}/walden-fetch{} %f %p", directory, option);
}

void print_key_advice(const cli::Config& config, const InitResult& result) {
    if (!config.encryption.is_enabled) {
        print_line(
            "\nThe archive is NOT encrypted: whoever can read the store can read your data.");
        return;
    }
    if (result.made_key_file)
        print_line(format("\nThe key is in {} (mode 0600).", config.encryption.key_file));
    if (!result.made_repository) return;
    print_line(
        "\n  WITHOUT THE KEY NOTHING IN THIS ARCHIVE CAN EVER BE RESTORED, BY ANYBODY.\n\n"
        "  Keep a copy where it survives the loss of this machine: a password safe, another site,\n"
        "  paper (the key is one line of text). Then prove that the copy works:\n\n"
        "      walden keys test --key-file COPY\n\n"
        "  Or add a passphrase as a second way in:\n\n"
        "      walden keys add --passphrase");
}

void print_text(const cli::Session& session, const InitResult& result) {
    const cli::Config& config = session.config();
    print_line(format("{} repository {} at {}", result.made_repository ? "Made" : "Found",
                      to_hex(session.repository().descriptor().id), config.store.url));
    if (!result.system_identifier)
        print_line(format("{} is no data directory yet: run \"walden init\" again when it is.",
                          config.pgdata));
    else
        print_line(format("{} cluster \"{}\", system identifier {}",
                          result.registered_cluster ? "Registered" : "Found", config.cluster,
                          *result.system_identifier));
    if (!session.repository().descriptor().fencing_proven)
        print_line(
            "WARNING: the store does not keep objects from being overwritten. Let only one "
            "server archive there.");
    else if (!result.stepwise.note.empty())
        print_line(result.stepwise.note);
    print_key_advice(config, result);
    print_line(
        format("\nFor postgresql.conf:\n\n"
               "archive_mode = on        # takes effect after a restart\n"
               "archive_command = '{}'\n"
               "restore_command = '{}'",
               result.archive_command, result.restore_command));
}

/// The server must be able to use what is made here.
void require_owner_of(const std::string& pgdata) {
    struct stat status {};

    if (::stat(pgdata.c_str(), &status) != 0 || status.st_uid == ::geteuid()) return;
    throw Error(
        ErrorKind::usage,
        format("\"{}\" belongs to another user, who could not use the key and the store made "
               "here",
               pgdata))
        .with_hint(
            "Run this as the owner of the data directory: \"sudo -u postgres walden init\".");
}

int init(const cli::Common& common, const InitOptions& options) {
    const cli::Config config = cli::read_config(common.config_path);
    require_owner_of(config.pgdata);
    require_state_directory(config);
    InitResult result;
    ensure_repository(config, options, result);
    const cli::Session session(config, cli::typed(config.archive.deadline), storage::all_stores());
    ensure_cluster(session, options, result);
    make_commands(config, result);
    if (!common.is_json()) {
        print_text(session, result);
        return 0;
    }
    cli::print_json(
        {{"repository", to_hex(session.repository().descriptor().id)},
         {"made_repository", result.made_repository},
         {"made_key_file", result.made_key_file},
         {"registered_cluster", result.registered_cluster},
         {"fencing", session.repository().descriptor().fencing_proven ? "proven" : "none"},
         {"multipart_completion",
          result.stepwise.outcome.empty() ? cli::Json() : cli::Json(result.stepwise.outcome)},
         {"cluster", config.cluster},
         {"system_identifier", result.system_identifier
                                   ? cli::Json(format("{}", *result.system_identifier))
                                   : cli::Json()},
         {"archive_command", result.archive_command},
         {"restore_command", result.restore_command}});
    return 0;
}

}  // namespace

void add_init(const cli::Command& parent) {
    const auto options = std::make_shared<InitOptions>();
    const cli::Command command =
        parent.command("init", "Make the repository and its key, and register the cluster",
                       [options](const cli::Common& common) { return init(common, *options); });
    command.flag("--new-system", options->registers_new_system,
                 "Register a new system identifier, after initdb or pg_upgrade");
    command.flag("--accept-unfenced", options->accepts_unfenced,
                 "Use a store that cannot keep objects from being overwritten");
}

}  // namespace walden::commands
