// One fetch without an agent: what walden-worker and `walden fetch` do.
#pragma once

#include "tools/cli/fetch_command.h"
#include "tools/cli/session.h"

namespace walden::cli {

/// Fetches and delivers the file in this process, from the storage that `open` opens. Returns the
/// exit status and throws what ends in another one.
[[nodiscard]] int fetch_here(const Config& config, const Arguments& arguments,
                             const StorageOpener& open);

}  // namespace walden::cli
