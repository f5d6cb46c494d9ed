// One push without an agent: what walden-worker and `walden push` do.
#pragma once

#include "agent/unix_socket.h"
#include "tools/cli/arguments.h"
#include "tools/cli/session.h"

#include <string>

namespace walden::cli {

/// Archives the file in this process, in one of `stores`, and prints warnings.
void push_here(const Config& config, const std::string& path, agent::Clock::time_point deadline,
               storage::StoreTable stores);

/// The same for the file of the operand, in the time that the arguments leave; and replaces an
/// agent that could not do it.
void push_here(const Config& config, const Arguments& arguments, storage::StoreTable stores);

}  // namespace walden::cli
