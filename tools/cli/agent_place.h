// Where the agent of a configuration is found, and how it is asked.
#pragma once

#include "agent/ask.h"
#include "tools/config/config.h"

#include <cstdint>
#include <string>

namespace walden::cli {

/// Where this host keeps what it remembers, and its agent: state_dir, or where that cannot be
/// written, the first of a few places that is private to the user ("/run/user/26/walden",
/// "/tmp/walden-26", ...); state_dir, too, if there is none. The same for each program of one user
/// as long as nothing there changes.
[[nodiscard]] std::string state_directory(const Config& config);

/// agent.socket, or `<state_directory>/agent-<cluster>-<8 hex digits of the configuration's
/// path>.sock`: there is one agent for each configuration.
[[nodiscard]] std::string agent_socket_path(const Config& config);

/// As above with ".lock" and ".log", always in state_directory().
[[nodiscard]] std::string agent_lock_path(const Config& config);
[[nodiscard]] std::string agent_log_path(const Config& config);

/// Who asks: this version, with this configuration and environment.
[[nodiscard]] agent::Caller agent_caller(const Config& config);

/// Whose agent commands of a person believe: our own, or for root that of the user who owns
/// state_dir, or else the data directory.
[[nodiscard]] uid_t agent_user(const Config& config);

enum class Asker : std::uint8_t {
    server,  ///< PostgreSQL, whose environment has the keys and credentials that count
    person,
};

/// How it is asked, and started if that is configured and none is there.
[[nodiscard]] agent::Contact agent_contact(const Config& config, Asker asker);

/// Has an agent leave that could not do what this program could: the next question starts another
/// one, which sees and has what its asker does. Never throws, and waits seconds at most.
void dismiss_agent(const Config& config);

}  // namespace walden::cli
