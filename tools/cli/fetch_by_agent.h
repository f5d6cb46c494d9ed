// Asking the agent for a file, as walden-fetch does first.
#pragma once

#include "tools/config/config.h"

#include <optional>
#include <string>

namespace walden::cli {

/// What came of it.
struct FetchedByAgent {
    std::optional<int> code{};  ///< the exit status, 0 or "not there"; none: the work is to be done
    bool has_failed = false;    ///< the agent could not: maybe it is the reason
};

/// Has the agent's file delivered. Only what the agent delivers, and the store's own "not there",
/// are believed; what failed there is tried here, and fails with its own reason. Only a server's
/// own recovery is worked ahead for: others ask for files here and there, and backwards. Throws
/// Error(io) if the file cannot be put at `path`.
[[nodiscard]] FetchedByAgent fetch_by_agent(const Config& config, const std::string& file_name,
                                            const std::string& path);

}  // namespace walden::cli
