// Starting an agent on demand.
#pragma once

#include <chrono>
#include <string>

namespace walden::agent {

/// How the agent of one configuration is started.
struct Launch {
    std::string program;      ///< "/usr/bin/walden"
    std::string config_path;  ///< absolute
};

/// Starts it as a process of its own that belongs to nobody and has inherited nothing, and waits at
/// most `patience` until it listens. False if it does not; whatever the reason, it is in the
/// agent's log. Never throws.
[[nodiscard]] bool launch_agent(const Launch& launch, std::chrono::milliseconds patience);

}  // namespace walden::agent
