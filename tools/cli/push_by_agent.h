// Having the agent archive a file, as walden-push does first.
#pragma once

#include "agent/unix_socket.h"
#include "tools/config/config.h"

#include <chrono>
#include <string>

namespace walden::cli {

/// Has the agent archive the file and prints its warnings. False if there is no agent to rely on,
/// and the work is still to be done. Throws what the agent answered, and Error(canceled) when the
/// deadline has passed.
[[nodiscard]] bool push_by_agent(const Config& config, const std::string& path,
                                 agent::Clock::time_point deadline);

}  // namespace walden::cli
