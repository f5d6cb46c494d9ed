// What `walden status` tells of a recovery: how it is served, and how far it has to go.
#pragma once

#include "recovery/prefetch_answer.h"
#include "tools/cli/json.h"
#include "tools/commands/target_report.h"

#include <functional>
#include <string_view>

namespace walden::commands {

/// Nothing before the first question of a server.
void print_recovery(const recovery::PrefetchStatus& status, const TargetReport& target);

[[nodiscard]] cli::Json recovery_json(const recovery::PrefetchStatus& status);

/// The target alone, for which no agent is needed; `replay_us` is the time that a segment takes, 0
/// if nobody has measured it.
void print_target(const TargetReport& target, std::uint64_t replay_us);

/// null if there is no recovery.
[[nodiscard]] cli::Json target_json(const TargetReport& target, std::uint64_t replay_us);

/// Prints one metric: its name, type, help and value.
using PrintMetric =
    std::function<void(std::string_view, std::string_view, std::string_view, double)>;

void print_recovery_metrics(const recovery::PrefetchStatus& status, const PrintMetric& print);

void print_target_metrics(const TargetReport& target, std::uint64_t replay_us,
                          const PrintMetric& print);

}  // namespace walden::commands
