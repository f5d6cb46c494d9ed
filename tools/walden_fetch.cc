// walden-fetch: PostgreSQL's restore_command.
#include "storage/store_settings.h"
#include "tools/cli/fetch_by_agent.h"
#include "tools/cli/fetch_program.h"
#include "tools/cli/messages.h"
#include "tools/cli/process.h"

#include <chrono>
#include <string>

namespace walden {

namespace {

int fetch(const cli::Arguments& arguments) {
    using Clock = std::chrono::steady_clock;
    const auto began_at = Clock::now();
    const cli::Config config = cli::read_config(arguments.config_path);
    const std::string& file_name = arguments.operands[0];
    const std::string& path = arguments.operands[1];
    // Mostly the file is there already, and this program is small because it does nothing else.
    const cli::FetchedByAgent by_agent = cli::fetch_by_agent(config, file_name, path);
    if (by_agent.code) return *by_agent.code;
    cli::Arguments rest = arguments;
    rest.config_path = config.path;
    rest.patience = std::chrono::duration_cast<std::chrono::milliseconds>(
        began_at + config.fetch.deadline - Clock::now());
    rest.distrusts_agent = by_agent.has_failed;
    // Both have the same exit codes from their first instruction on.
    cli::become_program(storage::is_directory_url(config.store.url) ? "walden-worker" : "walden",
                        cli::words_of("fetch", rest));
}

}  // namespace

}  // namespace walden

int main(int argc, char** argv) {
    using namespace walden;
    cli::prepare_process(cli::fetch_exit_internal, cli::fetch_exit_internal);
    cli::set_program_name("walden-fetch");
    return cli::run_fetch_program(argc, argv, "walden-fetch", fetch);
}
