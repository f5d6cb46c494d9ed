#include "tools/cli/fetch_by_agent.h"

#include "agent/ask.h"
#include "base/format.h"
#include "tools/cli/agent_place.h"
#include "tools/cli/fetch_program.h"
#include "tools/cli/messages.h"

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

}  // namespace

FetchedByAgent fetch_by_agent(const Config& config, const std::string& file_name,
                              const std::string& path) {
    if (!config.agent.is_enabled || !is_servers_own(path)) return {};
    using Outcome = agent::FetchAnswer::Outcome;
    const agent::FetchAnswer answer =
        agent::ask_to_fetch(agent_contact(config, Asker::server), file_name, path,
                            // The other half is left for doing the work without it.
                            {.deadline = agent::Clock::now() + config.fetch.deadline / 2,
                             .silence_max = std::min<std::chrono::milliseconds>(
                                 std::chrono::seconds(3), config.fetch.deadline / 4)});
    switch (answer.outcome) {
        case Outcome::delivered:
            report_note(format("delivered {}: {}", file_name, describe(answer.origin)));
            return {.code = 0};
        case Outcome::not_there:
            report_note(format("{} is not in the archive", file_name));
            return {.code = fetch_exit_not_there};
        case Outcome::failed:
            report_note(
                format("the agent could not {}; trying without it", answer.error->message()));
            return {.has_failed = true};
        case Outcome::unavailable: break;
    }
    if (!answer.warning.empty())
        report_warning(format("{}; fetching without the agent", answer.warning));
    return {};
}

}  // namespace walden::cli
