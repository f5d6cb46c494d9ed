// walden fetch: what walden-fetch becomes where the store is not a directory.
#pragma once

namespace walden::commands {

/// Whether the command line is "walden fetch ...". PostgreSQL reads its exit status, so nothing but
/// the reader of arguments that it shares with walden-fetch may come before it.
[[nodiscard]] bool is_fetch(int argc, char** argv);

/// Runs it with the exit statuses of walden-fetch.
int run_as_fetch(int argc, char** argv);

}  // namespace walden::commands
