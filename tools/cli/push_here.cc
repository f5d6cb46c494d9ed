#include "tools/cli/push_here.h"

#include "archive/archiver.h"
#include "tools/cli/agent_place.h"
#include "tools/cli/messages.h"

#include <algorithm>

namespace walden::cli {

void push_here(const Config& config, const std::string& path, agent::Clock::time_point deadline,
               storage::StoreTable stores) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - agent::Clock::now());
    const Session session(config, std::max(left, std::chrono::milliseconds(0)), stores);
    const vault::ClusterVault vault = session.open_cluster();
    const vault::ClusterIdentity identity = session.require_identity(vault);
    archive::LocalState state = open_local_state(session, identity.system_identifier);
    archive::Archiver archiver(vault, state, archive_settings(config, identity));
    const archive::ArchiveResult result = archiver.archive(archive::source_at(path));
    for (const std::string& warning : result.warnings) report_warning(warning);
}

void push_here(const Config& config, const Arguments& arguments, storage::StoreTable stores) {
    push_here(config, arguments.operands[0],
              agent::Clock::now() + arguments.patience.value_or(config.archive.deadline), stores);
    if (arguments.distrusts_agent) dismiss_agent(config);
}

}  // namespace walden::cli
