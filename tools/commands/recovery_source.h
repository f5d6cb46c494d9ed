// The recovery side of an agent of a configuration.
#pragma once

#include "recovery/prefetcher.h"
#include "tools/config/config.h"

#include <functional>
#include <memory>

namespace walden::commands {

/// As in the configuration; speaks to the agent's log.
[[nodiscard]] recovery::PrefetchOptions prefetch_options(const cli::Config& config);

/// Opens the archive as walden-fetch does. `on_retry` is called before each call of the store that
/// is tried again. Throws what walden-fetch would end with.
[[nodiscard]] std::shared_ptr<recovery::Source> open_recovery_source(
    const cli::Config& config, const std::function<void()>& on_retry);

}  // namespace walden::commands
