// [agent] of the configuration.
#pragma once

#include "base/setting.h"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace walden::cli {

struct AgentSection {
    bool is_enabled = true;
    std::chrono::milliseconds idle_timeout{600'000};
    std::string socket;  ///< empty: in state_dir
    std::size_t in_flight = 8;
    std::size_t memory = std::size_t{160} << 20;  ///< bytes
};

[[nodiscard]] std::vector<Setting<AgentSection>> agent_setting_table();

}  // namespace walden::cli
