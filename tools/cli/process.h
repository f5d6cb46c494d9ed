// How the programs start and die, whatever PostgreSQL let them inherit.
#pragma once

#include <string>
#include <vector>

namespace walden::cli {

/// Undoes what a command inherits from the server (SIGINT, SIGPIPE, SIGALRM, ... ignored: fault
/// 16), makes SIGTERM and SIGQUIT end the process at once with `exit_code`, and turns a crash
/// (SIGSEGV, SIGABRT, ...) into `crash_exit_code` with a line on stderr: for archive_command every
/// status above 125 restarts the archiver uncounted, for restore_command every one below 126 means
/// "no such file" (faults 15, 17; invariants 3 and 17). Opens standard files that are closed. Also
/// keeps keys out of core files. Call first in main().
void prepare_process(int exit_code, int crash_exit_code);

/// Where the program that runs lies: the others of walden are beside it.
[[nodiscard]] std::string program_directory();

/// The program walden, found there: "/usr/bin/walden" for "/usr/bin/walden-push".
[[nodiscard]] std::string main_program();

/// Becomes the program PROGRAM beside this one, with these arguments. Throws Error(io) if it cannot
/// be started.
[[noreturn]] void become_program(const std::string& name, std::vector<std::string> arguments);

}  // namespace walden::cli
