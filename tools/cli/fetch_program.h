// What the programs that fetch have in common: their command line and their exit status. Small:
// walden-fetch is no more than this and the agent's client.
#pragma once

#include "tools/cli/arguments.h"

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

/// Whether the server asks for its own recovery, from its data directory, and not pg_rewind or a
/// person.
[[nodiscard]] bool is_servers_own(const std::string& path);

/// From the command line ("[--config FILE] NAME PATH" behind argv[0]) to the exit status, with
/// `work` between them; nothing is thrown. prepare_process() was called with fetch_exit_internal.
int run_fetch_program(int argc, char** argv, std::string_view program,
                      const std::function<int(const Arguments&)>& work);

}  // namespace walden::cli
