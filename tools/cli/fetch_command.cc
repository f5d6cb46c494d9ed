#include "tools/cli/fetch_command.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "tools/cli/agent_place.h"
#include "tools/cli/arguments.h"
#include "tools/cli/messages.h"
#include "tools/cli/version.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <new>

namespace walden::cli {

namespace {

constexpr std::string_view help =
    R"(Usage: walden-fetch [--config FILE] NAME PATH

Brings the archived file NAME to PATH. For postgresql.conf:

    restore_command = 'walden-fetch %f %p'

The agent of this configuration fetches ahead of the server's recovery; it is
started when it is not there. Without one this program does the work itself.

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

std::string_view describe(recovery::Origin origin) {
    switch (origin) {
        case recovery::Origin::prefetched: return "prefetched";
        case recovery::Origin::awaited: return "was being prefetched";
        case recovery::Origin::fetched: break;
    }
    return "fetched by the agent";
}

/// From the agent's answer to an exit status. nullopt: nothing to rely on, do the work here. Only
/// what the agent delivers, and the store's own "not there", are believed; what failed there is
/// tried here, and fails with its own reason.
std::optional<int> take_answer(const Arguments& arguments, const agent::AskResult& result) {
    const std::string& file_name = arguments.operands[0];
    if (result.type == agent::MessageType::not_there) {
        report_note(format("{} is not in the archive", file_name));
        return fetch_exit_not_there;
    }
    if (const auto error = agent::decode_failed(result.body);
        error && result.type == agent::MessageType::failed) {
        report_note(format("the agent could not {}; trying without it", error->message()));
        return std::nullopt;
    }
    const auto fetched = result.type == agent::MessageType::fetched
                             ? agent::decode_fetched(result.body)
                             : std::nullopt;
    if (!fetched || !result.file.valid()) {
        report_warning("the agent's answer is not understood; fetching without it");
        return std::nullopt;
    }
    const std::string& path = arguments.operands[1];
    const bool is_delivered =
        in_context([&] { return format("deliver {} to \"{}\"", file_name, path); },
                   [&] { return deliver_nameless(result.file.get(), fetched->stamp, path); });
    if (!is_delivered) {
        report_warning(
            format("the agent's {} has been written to; fetching without it", file_name));
        return std::nullopt;
    }
    report_note(format("delivered {}: {}", file_name, describe(fetched->origin)));
    return 0;
}

/// nullopt: no agent that can be relied on, the work is still to be done. Only a server's own
/// recovery is worked ahead for: others ask for files here and there, and backwards.
std::optional<int> fetch_by_agent(const Config& config, const Arguments& arguments) {
    const std::string& path = arguments.operands[1];
    const auto directory = agent::identify_directory(parent_directory(path));
    if (!config.agent_enabled || !is_servers_own(path) || !directory) return std::nullopt;
    const agent::AskResult result =
        ask_agent(config,
                  {.caller = agent_caller(config),
                   .type = agent::MessageType::fetch,
                   .file_name = arguments.operands[0],
                   .directory = *directory},
                  {.socket_path = agent_socket_path(config),
                   // The other half is left for doing the work without it.
                   .deadline = agent::Clock::now() + config.fetch_deadline / 2,
                   .silence_max = std::min<std::chrono::milliseconds>(std::chrono::seconds(3),
                                                                      config.fetch_deadline / 4),
                   .user = ::geteuid()});
    switch (result.outcome) {
        case agent::AskOutcome::absent:
        case agent::AskOutcome::declined: return std::nullopt;
        case agent::AskOutcome::unusable:
        case agent::AskOutcome::deadline_passed:
            report_warning(format("{}; fetching without the agent", result.text));
            return std::nullopt;
        case agent::AskOutcome::answered: break;
    }
    return take_answer(arguments, result);
}

int fetch_and_deliver(const Arguments& arguments, const FetchOptions& options) {
    const Config config = read_config(arguments.config_path);
    // Before keys and store are opened: mostly the file is here already.
    if (options.asks_agent)
        if (const auto code = fetch_by_agent(config, arguments)) return *code;
    return options.work(config, arguments);
}

}  // namespace

bool is_servers_own(const std::string& path) {
    return path.ends_with("RECOVERYXLOG") || path.ends_with("RECOVERYHISTORY");
}

int run_fetch(int argc, char** argv, std::string_view program, const FetchOptions& options) {
    try {
        const Arguments arguments = parse_arguments(argc, argv, 2);
        if (arguments.wants_help) {
            std::fputs(help.data(), stdout);
        } else if (arguments.wants_version) {
            std::puts(format("{} {}", program, version_text()).c_str());
        } else {
            return fetch_and_deliver(arguments, options);
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
