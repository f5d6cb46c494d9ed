// What the programs that push have in common: their command line and their exit status. Small:
// walden-push is no more than this and the agent's client.
#pragma once

#include "tools/cli/arguments.h"
#include "tools/config/config.h"

#include <functional>
#include <string>
#include <string_view>

namespace walden::cli {

// PostgreSQL counts and retries 1 to 125; anything else restarts its archiver (design, section 5).
inline constexpr int push_exit_failed = 1;

/// How a program that pushes calls itself, and what it says of itself.
struct PushProgram {
    std::string_view name;  ///< for --version
    std::string_view help;
};

/// PostgreSQL starts its commands in the data directory and gives a relative path. Throws
/// Error(foreign) for another server's: a clone that shares the configuration of its original would
/// push as if it were the original.
void require_configured_server(const Config& config, const std::string& path);

/// From the command line ("[--config FILE] PATH" behind argv[0]) to the exit status, with `work`
/// between them, for a server that is the configured one; nothing is thrown. prepare_process() was
/// called with push_exit_failed.
int run_push_program(int argc, char** argv, const PushProgram& program,
                     const std::function<void(const Config&, const Arguments&)>& work);

}  // namespace walden::cli
