// Where the agent of a configuration is found, and how it is started on demand.
#pragma once

#include "agent/ask.h"
#include "tools/config/config.h"

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

/// How it is asked, and started if that is configured and none is there. Our own user's is
/// believed: commands of a person set agent_user().
[[nodiscard]] agent::Contact agent_contact(const Config& config);

}  // namespace walden::cli
