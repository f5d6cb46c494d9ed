#include "tools/config/agent_section.h"

namespace walden::cli {

std::vector<Setting<AgentSection>> agent_setting_table() {
    using Section = AgentSection;
    return {
        setting("enabled", &Section::is_enabled, flag_value(),
                "false: each walden-push and walden-fetch does the work itself"),
        setting("idle_timeout", &Section::idle_timeout, duration_value(),
                "how long the agent stays without anything to do"),
        setting("socket", &Section::socket, path_value(), "where it listens; else in state_dir"),
        setting("in_flight", &Section::in_flight, number_value<std::size_t>(1, 64),
                "files that it archives at once, 1 to 64"),
        setting("memory", &Section::memory,
                size_value(std::size_t{16} << 20, std::size_t{64} << 30),
                "for the contents of these files, beside some 100 MiB for codec and process; as "
                "much again for those that it fetches during a recovery"),
    };
}

}  // namespace walden::cli
