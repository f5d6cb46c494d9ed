// Where the agent of a configuration is found, and how it is started on demand.
#pragma once

#include "agent/client.h"
#include "tools/config/config.h"

#include <chrono>
#include <string>

namespace walden::cli {

/// agent.socket, or `<state_dir>/agent-<cluster>-<8 hex digits of the configuration's path>.sock`:
/// there is one agent for each configuration.
[[nodiscard]] std::string agent_socket_path(const Config& config);

/// As above with ".lock" and ".log", always in state_dir.
[[nodiscard]] std::string agent_lock_path(const Config& config);
[[nodiscard]] std::string agent_log_path(const Config& config);

/// Who asks: this version, with this configuration.
[[nodiscard]] agent::Caller agent_caller(const Config& config);

/// Whose agent commands of a person believe: our own, or for root that of the user who owns
/// state_dir.
[[nodiscard]] uid_t agent_user(const Config& config);

/// Starts `walden agent`, found beside this program, as a process of its own that belongs to
/// nobody, and waits at most `patience` until it listens. False if it does not; whatever the
/// reason, it is in the agent's log.
[[nodiscard]] bool start_agent(const Config& config, std::chrono::milliseconds patience);

/// Asks the agent; starts one, if that is configured and none is there.
[[nodiscard]] agent::AskResult ask_agent(const Config& config, const agent::Question& question,
                                         const agent::AskOptions& options);

}  // namespace walden::cli
