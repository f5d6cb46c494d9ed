// Whether this host can remember anything.
#pragma once

#include "tools/config/config.h"

namespace walden::commands {

/// Makes state_dir if it is not there. Throws Error(denied) with the command that mends it, unless
/// this user, or for root the one who owns the data directory, can write there.
void require_state_directory(const cli::Config& config);

}  // namespace walden::commands
