// walden-push: PostgreSQL's archive_command.
#include "agent/unix_socket.h"
#include "storage/store_settings.h"
#include "tools/cli/messages.h"
#include "tools/cli/process.h"
#include "tools/cli/push_by_agent.h"
#include "tools/cli/push_program.h"

namespace walden {

namespace {

constexpr std::string_view help =
    R"(Usage: walden-push [--config FILE] PATH

Archives one file of pg_wal. For postgresql.conf:

    archive_mode = on
    archive_command = 'walden-push %p'

PATH is relative to the data directory, where PostgreSQL starts its commands.

The agent of this configuration does the work and works ahead; it is started when
it is not there. Without one this program becomes walden-worker, which does it.

Exit status:
  0  the file is durable in the archive, or was there already, byte for byte
  1  anything else; PostgreSQL keeps the file and asks again

  --config FILE  configuration, else $WALDEN_CONFIG, else /etc/walden/walden.toml
  --help, --version
)";

void push(const cli::Config& config, const cli::Arguments& arguments) {
    const std::string& path = arguments.operands[0];
    const auto deadline = agent::Clock::now() + config.archive.deadline;
    // Mostly the file is archived already, and this program is small because it does nothing else.
    const cli::ByAgent by_agent = cli::push_by_agent(config, path, deadline);
    if (by_agent == cli::ByAgent::done) return;
    cli::Arguments rest = arguments;
    rest.config_path = config.path;
    rest.patience =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - agent::Clock::now());
    rest.distrusts_agent = by_agent == cli::ByAgent::failed;
    // Of the two that can do it, walden-worker starts in a millisecond and knows directories only.
    cli::become_program(storage::is_directory_url(config.store.url) ? "walden-worker" : "walden",
                        cli::words_of("push", rest));
}

}  // namespace

}  // namespace walden

int main(int argc, char** argv) {
    using namespace walden;
    cli::prepare_process(cli::push_exit_failed, cli::push_exit_failed);
    cli::set_program_name("walden-push");
    return cli::run_push_program(argc, argv, {.name = "walden-push", .help = help}, push);
}
