#include "tools/cli/fetch_by_agent.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "recovery/nameless_file.h"
#include "tools/cli/agent_place.h"
#include "tools/cli/fetch_program.h"
#include "tools/cli/messages.h"

#include <unistd.h>

#include <algorithm>

namespace walden::cli {

namespace {

std::string_view describe(recovery::Origin origin) {
    switch (origin) {
        case recovery::Origin::prefetched: return "prefetched";
        case recovery::Origin::awaited: return "was being prefetched";
        case recovery::Origin::fetched: break;
    }
    return "fetched by the agent";
}

/// From the agent's answer to an exit status; nullopt: nothing to rely on.
std::optional<int> take_answer(const agent::AskResult& result, const std::string& file_name,
                               const std::string& path) {
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

}  // namespace

std::optional<int> fetch_by_agent(const Config& config, const std::string& file_name,
                                  const std::string& path) {
    const auto directory = agent::identify_directory(parent_directory(path));
    if (!config.agent.is_enabled || !is_servers_own(path) || !directory) return std::nullopt;
    const agent::AskResult result =
        ask_agent(config,
                  {.caller = agent_caller(config),
                   .type = agent::MessageType::fetch,
                   .file_name = file_name,
                   .directory = *directory},
                  {.socket_path = agent_socket_path(config),
                   // The other half is left for doing the work without it.
                   .deadline = agent::Clock::now() + config.fetch.deadline / 2,
                   .silence_max = std::min<std::chrono::milliseconds>(std::chrono::seconds(3),
                                                                      config.fetch.deadline / 4),
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
    return take_answer(result, file_name, path);
}

}  // namespace walden::cli
