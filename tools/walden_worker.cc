// walden-worker: does what walden-push and walden-fetch were asked for where there is no agent, on
// a store that is a directory. Nobody types it. It links everything but libc, for it must run when
// PostgreSQL archives and recovers, and is a program of its own because all that makes the start of
// the two slower.
#include "base/error.h"
#include "base/format.h"
#include "storage/local_stores.h"
#include "tools/cli/archive_here.h"
#include "tools/cli/arguments.h"
#include "tools/cli/fetch_command.h"
#include "tools/cli/fetch_program.h"
#include "tools/cli/messages.h"
#include "tools/cli/process.h"
#include "tools/cli/push_file.h"
#include "tools/cli/version.h"

#include <cstdio>
#include <new>
#include <string_view>

namespace walden {

namespace {

constexpr int exit_failed = 1;

constexpr std::string_view help =
    R"(Usage: walden-worker push [--config FILE] PATH
       walden-worker fetch [--config FILE] NAME PATH

Started by walden-push and walden-fetch. "walden push" and "walden fetch" are the same for all
kinds of stores.
)";

void push(const cli::Arguments& arguments) {
    const cli::Config config = cli::read_config(arguments.config_path);
    const std::string& path = arguments.operands[0];
    cli::require_configured_server(config, path);
    cli::archive_here(config, path, agent::Clock::now() + config.archive.deadline,
                      storage::local_stores());
}

/// PostgreSQL reads its exit status, so nothing but the reader of arguments that all share comes
/// before it.
bool is_fetch(int argc, char** argv) {
    return argc > 1 && std::string_view(argv[1]) == "fetch";
}

int run_as_fetch(int argc, char** argv) {
    cli::prepare_process(cli::fetch_exit_internal, cli::fetch_exit_internal);
    cli::set_program_name("walden-fetch");
    return cli::run_fetch_program(argc - 1, argv + 1, "walden-worker",
                                  [](const cli::Arguments& arguments) {
                                      return cli::fetch_here(arguments, storage::local_stores());
                                  });
}

int run(int argc, char** argv) {
    try {
        const std::string_view command = argc > 1 ? argv[1] : "--help";
        if (command == "--help") {
            std::fputs(help.data(), stdout);
        } else if (command == "--version") {
            std::puts(format("walden-worker {}", cli::version_text()).c_str());
        } else if (command == "push") {
            push(cli::parse_arguments(argc - 1, argv + 1, 1));
        } else {
            throw Error(ErrorKind::usage, format("unknown command \"{}\"", command));
        }
        return 0;
    } catch (const Error& error) {
        cli::report_error(error);
    } catch (const std::bad_alloc&) {
        std::fputs("walden-push: error: out of memory\n", stderr);
    } catch (const std::exception& error) {
        cli::report_error(error.what());
    }
    return exit_failed;
}

}  // namespace

}  // namespace walden

int main(int argc, char** argv) {
    if (walden::is_fetch(argc, argv)) return walden::run_as_fetch(argc, argv);
    walden::cli::prepare_process(walden::exit_failed, walden::exit_failed);
    walden::cli::set_program_name("walden-push");
    return walden::run(argc, argv);
}
