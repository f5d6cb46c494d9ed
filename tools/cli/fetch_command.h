// What walden-fetch does, walden-worker where there is no agent, and `walden fetch` for the stores
// that neither can reach.
#pragma once

#include "tools/cli/arguments.h"
#include "tools/cli/config.h"

#include <functional>
#include <string>
#include <string_view>

namespace walden::cli {

// PostgreSQL reads 1 to 125 as "no such file" and, without a recovery target, opens the database
// there; above 125 it stops (design, section 5). So 1 is only ever the store's own word.
enum FetchExitCode : int {
    fetch_exit_not_there = 1,
    fetch_exit_unreachable = 200,
    fetch_exit_configuration = 201,
    fetch_exit_integrity = 202,
    fetch_exit_foreign = 203,
    fetch_exit_internal = 204,
};

struct FetchOptions {
    /// Does the work and returns the exit status, or throws.
    std::function<int(const Config&, const Arguments&)> work;
    bool asks_agent = false;  ///< before it works
};

/// Whether the server asks for its own recovery, from its data directory, and not pg_rewind or a
/// person.
[[nodiscard]] bool is_servers_own(const std::string& path);

/// The whole program, from the command line ("[--config FILE] NAME PATH" behind argv[0]) to the
/// exit status; nothing is thrown. prepare_process() was called with fetch_exit_internal.
int run_fetch(int argc, char** argv, std::string_view program, const FetchOptions& options);

}  // namespace walden::cli
