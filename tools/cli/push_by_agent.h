// Having the agent archive a file, as walden-push does first.
#pragma once

#include "agent/unix_socket.h"
#include "tools/config/config.h"

#include <cstdint>
#include <string>

namespace walden::cli {

enum class ByAgent : std::uint8_t {
    done,
    to_do,   ///< there is no agent to rely on
    failed,  ///< the agent could not, or not in time: maybe it is the reason
};

/// Has the agent archive the file and prints its warnings. An agent's own trouble, such as a store
/// that only it does not see, must not fail a push: so nothing that it reports is final, and half
/// of the time until `deadline` is left for doing the work without it.
[[nodiscard]] ByAgent push_by_agent(const Config& config, const std::string& path,
                                    agent::Clock::time_point deadline);

}  // namespace walden::cli
