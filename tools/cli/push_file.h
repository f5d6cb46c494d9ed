// One push, as far as it needs no store: the whole of walden-push where there is an agent.
#pragma once

#include "agent/unix_socket.h"
#include "tools/config/config.h"

#include <chrono>
#include <string>

namespace walden::cli {

/// PostgreSQL starts its commands in the data directory and gives a relative path. Throws
/// Error(foreign) for another server's: a clone that shares the configuration of its original would
/// push as if it were the original.
void require_configured_server(const Config& config, const std::string& path);

/// Has the agent archive the file and prints its warnings. False if there is no agent to rely on,
/// and the work is still to be done. Throws what the agent answered, and Error(canceled) when the
/// deadline has passed.
[[nodiscard]] bool archive_by_agent(const Config& config, const std::string& path,
                                    agent::Clock::time_point deadline);

}  // namespace walden::cli
