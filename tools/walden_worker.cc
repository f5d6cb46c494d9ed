// walden-worker: does what walden-push and walden-fetch were asked for where there is no agent, on
// a store that is a directory. Nobody types it. It links everything but libc, for it must run when
// PostgreSQL archives and recovers, and is a program of its own because all that makes the start of
// the two slower.
#include "base/error.h"
#include "base/format.h"
#include "storage/local_stores.h"
#include "tools/cli/fetch_here.h"
#include "tools/cli/fetch_program.h"
#include "tools/cli/messages.h"
#include "tools/cli/process.h"
#include "tools/cli/push_here.h"
#include "tools/cli/push_program.h"
#include "tools/cli/version.h"

#include <cstdio>
#include <string_view>

namespace walden {

namespace {

constexpr std::string_view name = "walden-worker";

constexpr std::string_view help =
    R"(Usage: walden-worker push [--config FILE] PATH
       walden-worker fetch [--config FILE] NAME PATH

Started by walden-push and walden-fetch. "walden push" and "walden fetch" are the same for all
kinds of stores.
)";

void push(const cli::Config& config, const cli::Arguments& arguments) {
    cli::push_here(config, arguments, storage::local_stores());
}

int fetch(const cli::Arguments& arguments) {
    return cli::fetch_here(arguments, storage::local_stores());
}

/// For whoever types it all the same.
int explain(std::string_view command) {
    if (command == "--help") {
        std::fputs(help.data(), stdout);
        return 0;
    }
    if (command == "--version") {
        std::puts(format("{} {}", name, cli::version_text()).c_str());
        return 0;
    }
    cli::report_error(Error(ErrorKind::usage, format("unknown command \"{}\"", command)));
    return cli::push_exit_failed;
}

}  // namespace

}  // namespace walden

int main(int argc, char** argv) {
    using namespace walden;
    const std::string_view command = argc > 1 ? argv[1] : "--help";
    // PostgreSQL reads the exit status of a fetch, from its first instruction on.
    if (command == "fetch") {
        cli::prepare_process(cli::fetch_exit_internal, cli::fetch_exit_internal);
        cli::set_program_name("walden-fetch");
        return cli::run_fetch_program(argc - 1, argv + 1, name, fetch);
    }
    cli::prepare_process(cli::push_exit_failed, cli::push_exit_failed);
    cli::set_program_name("walden-push");
    if (command != "push") return explain(command);
    return cli::run_push_program(argc - 1, argv + 1, {.name = name, .help = help}, push);
}
