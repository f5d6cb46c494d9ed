// Asking the agent for a file, as walden-fetch does first.
#pragma once

#include "tools/config/config.h"

#include <optional>
#include <string>

namespace walden::cli {

/// Has the agent's file delivered: the exit status of that, 0 or "not there". nullopt if there is
/// no agent to rely on, and the work is still to be done. Only what the agent delivers, and the
/// store's own "not there", are believed; what failed there is tried here, and fails with its own
/// reason. Only a server's own recovery is worked ahead for: others ask for files here and there,
/// and backwards. Throws Error(io) if the file cannot be put at `path`.
[[nodiscard]] std::optional<int> fetch_by_agent(const Config& config, const std::string& file_name,
                                                const std::string& path);

}  // namespace walden::cli
