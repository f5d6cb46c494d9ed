// walden-fetch: PostgreSQL's restore_command.
#include "storage/store_url.h"
#include "tools/cli/fetch_command.h"
#include "tools/cli/messages.h"
#include "tools/cli/process.h"

#include <string>
#include <vector>

int main(int argc, char** argv) {
    using namespace walden;
    cli::prepare_process(cli::fetch_exit_internal, cli::fetch_exit_internal);
    cli::set_program_name("walden-fetch");
    // Mostly the agent has the file already, and this program is small because it does nothing
    // else. Of the two that can do the work, walden-worker starts in a millisecond and knows
    // directories only. Both have the same exit codes from their first instruction on.
    const auto work = [](const cli::Config& config, const cli::Arguments& arguments) -> int {
        std::vector<std::string> words = {"fetch", "--config", config.path};
        words.insert(words.end(), arguments.operands.begin(), arguments.operands.end());
        cli::become_program(
            storage::is_directory_url(config.store_url) ? "walden-worker" : "walden",
            std::move(words));
    };
    return cli::run_fetch(argc, argv, "walden-fetch", {.work = work, .asks_agent = true});
}
