#include "tools/cli/push_by_agent.h"

#include "agent/ask.h"
#include "base/format.h"
#include "tools/cli/agent_place.h"
#include "tools/cli/messages.h"

#include <algorithm>

namespace walden::cli {

bool push_by_agent(const Config& config, const std::string& path,
                   agent::Clock::time_point deadline) {
    if (!config.agent.is_enabled) return false;
    using Outcome = agent::PushAnswer::Outcome;
    const agent::PushAnswer answer =
        agent::ask_to_archive(agent_contact(config), path,
                              {.deadline = deadline,
                               // Half of the time is left for doing the work without it.
                               .silence_max = std::min<std::chrono::milliseconds>(
                                   std::chrono::seconds(3), config.archive.deadline / 2)});
    switch (answer.outcome) {
        case Outcome::archived:
            for (const std::string& warning : answer.warnings) report_warning(warning);
            return true;
        case Outcome::unavailable:
            for (const std::string& warning : answer.warnings)
                report_warning(format("{}; archiving without the agent", warning));
            return false;
        case Outcome::failed:
        case Outcome::late: break;
    }
    throw Error(*answer.error);
}

}  // namespace walden::cli
