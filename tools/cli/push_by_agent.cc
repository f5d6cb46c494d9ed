#include "tools/cli/push_by_agent.h"

#include "agent/ask.h"
#include "base/format.h"
#include "tools/cli/agent_place.h"
#include "tools/cli/messages.h"

#include <algorithm>

namespace walden::cli {

ByAgent push_by_agent(const Config& config, const std::string& path,
                      agent::Clock::time_point deadline) {
    if (!config.agent.is_enabled) return ByAgent::to_do;
    using Outcome = agent::PushAnswer::Outcome;
    const agent::PushAnswer answer =
        agent::ask_to_archive(agent_contact(config, Asker::server), path,
                              {.deadline = deadline - config.archive.deadline / 2,
                               .silence_max = std::min<std::chrono::milliseconds>(
                                   std::chrono::seconds(3), config.archive.deadline / 4)});
    switch (answer.outcome) {
        case Outcome::archived:
            for (const std::string& warning : answer.warnings) report_warning(warning);
            return ByAgent::done;
        case Outcome::unavailable:
            for (const std::string& warning : answer.warnings)
                report_warning(format("{}; archiving without the agent", warning));
            return ByAgent::to_do;
        case Outcome::failed:
        case Outcome::late: break;
    }
    report_warning(format("the agent could not: {}; trying without it", answer.error->message()));
    return ByAgent::failed;
}

}  // namespace walden::cli
