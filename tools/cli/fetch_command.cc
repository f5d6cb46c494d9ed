#include "tools/cli/fetch_command.h"

#include "base/error.h"
#include "base/format.h"
#include "recovery/fetcher.h"
#include "tools/cli/arguments.h"
#include "tools/cli/messages.h"
#include "tools/cli/version.h"

#include <unistd.h>

#include <cstdio>
#include <new>

namespace walden::cli {

namespace {

constexpr std::string_view help =
    R"(Usage: walden-fetch [--config FILE] NAME PATH

Brings the archived file NAME to PATH. For postgresql.conf:

    restore_command = 'walden-fetch %f %p'

Exit status:
    0  delivered: complete, verified, equal to what was archived
    1  the archive was asked and positively has no such file. On a standby also: the store cannot
       be reached, and PostgreSQL will ask again (fetch.standby_on_error)
  200  the store cannot be reached, or does not let us in
  201  configuration or key
  202  the file is damaged, or missing where it must be
  203  it belongs to another cluster or repository
  204  a local problem: disk full, out of memory
Above 125 PostgreSQL stops recovery instead of opening the database without the rest.

  --config FILE  configuration, else $WALDEN_CONFIG, else /etc/walden/walden.toml
  --help, --version
)";

/// Whether the server asks for its own recovery, from its data directory, and not pg_rewind or a
/// person.
bool is_servers_own(const std::string& path) {
    return path.ends_with("RECOVERYXLOG") || path.ends_with("RECOVERYHISTORY");
}

int exit_code_of(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::unavailable:
        case ErrorKind::denied:
        case ErrorKind::not_found:  // the store itself, never an object
        case ErrorKind::canceled: return fetch_exit_unreachable;
        case ErrorKind::usage: return fetch_exit_configuration;
        case ErrorKind::corrupt:
        case ErrorKind::missing:
        case ErrorKind::conflict: return fetch_exit_integrity;
        case ErrorKind::foreign: return fetch_exit_foreign;
        case ErrorKind::io: return fetch_exit_internal;
    }
    return fetch_exit_internal;
}

/// Whether the same question may be answered later, or by somebody else. A permission that lacks
/// for one object does not pass, and its neighbours may be readable: PostgreSQL would take it for
/// the end of WAL. What a primary that died never archived is what every standby asks for first
/// when it starts after the failover, though it is in its own pg_wal or its new primary's.
bool is_transient(ErrorKind kind) {
    return kind == ErrorKind::unavailable || kind == ErrorKind::not_found ||
           kind == ErrorKind::canceled || kind == ErrorKind::missing;
}

/// A standby asks again, so an unreachable store may be "not yet" there. That holds for histories,
/// too: a running standby probes for the next one all the time, and anything above 125 would shut
/// it down. A promotion that reuses a timeline number because of it is stopped at the first push by
/// the timeline's claim.
bool standby_will_ask_again(const Config& config, const std::string& path) {
    return config.on_standby_error == OnStandbyError::retry && is_servers_own(path) &&
           ::access("standby.signal", F_OK) == 0;
}

std::optional<recovery::FetchedFile> fetch(const Config& config, const std::string& file_name,
                                           const StorageOpener& open) {
    const Session session(config, config.fetch_deadline, open);
    const vault::ClusterVault vault = session.open_cluster_or_only();
    const vault::ClusterIdentity identity = session.require_identity(vault);
    const recovery::Fetcher fetcher(vault, fetch_settings(config, identity));
    return fetcher.fetch(file_name);
}

int fetch_and_deliver(const Arguments& arguments, const StorageOpener& open) {
    const Config config = read_config(arguments.config_path);
    const std::string& file_name = arguments.operands[0];
    std::optional<recovery::FetchedFile> file;
    try {
        file = fetch(config, file_name, open);
    } catch (const Error& error) {
        if (!is_transient(error.kind()) || !standby_will_ask_again(config, arguments.operands[1]))
            throw;
        report_error(error);
        report_note("answered \"not there\": this is a standby, PostgreSQL will ask again");
        return fetch_exit_not_there;
    }
    if (!file) {
        report_note(format("{} is not in the archive", file_name));
        return fetch_exit_not_there;
    }
    in_context([&] { return format("deliver {} to \"{}\"", file_name, arguments.operands[1]); },
               [&] { recovery::deliver(arguments.operands[1], file->bytes); });
    return 0;
}

}  // namespace

int run_fetch(int argc, char** argv, std::string_view program, const StorageOpener& open) {
    try {
        const Arguments arguments = parse_arguments(argc, argv, 2);
        if (arguments.wants_help) {
            std::fputs(help.data(), stdout);
        } else if (arguments.wants_version) {
            std::puts(format("{} {}", program, version_text()).c_str());
        } else {
            return fetch_and_deliver(arguments, open);
        }
        return 0;
    } catch (const Error& error) {
        report_error(error);
        return exit_code_of(error.kind());
    } catch (const std::bad_alloc&) {
        std::fprintf(stderr, "%.*s: error: out of memory\n", static_cast<int>(program.size()),
                     program.data());
    } catch (const std::exception& error) {
        report_error(error.what());
    }
    return fetch_exit_internal;
}

}  // namespace walden::cli
