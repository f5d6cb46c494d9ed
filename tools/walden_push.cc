// walden-push: PostgreSQL's archive_command.
#include "base/error.h"
#include "base/format.h"
#include "storage/store_settings.h"
#include "tools/cli/agent_place.h"
#include "tools/cli/arguments.h"
#include "tools/config/config.h"
#include "tools/cli/messages.h"
#include "tools/cli/process.h"
#include "tools/cli/push_file.h"
#include "tools/cli/version.h"

#include <cstdio>
#include <new>

namespace walden {

namespace {

// PostgreSQL counts and retries 1 to 125; anything else restarts its archiver (design, section 5).
constexpr int exit_failed = 1;

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

void push(const cli::Arguments& arguments) {
    const cli::Config config = cli::read_config(arguments.config_path);
    const std::string& path = arguments.operands[0];
    const auto deadline = agent::Clock::now() + config.archive.deadline;
    cli::require_configured_server(config, path);
    // Mostly the file is archived already, and this program is small because it does nothing else.
    if (cli::archive_by_agent(config, path, deadline)) return;
    // Of the two that can do it, walden-worker starts in a millisecond and knows directories only.
    cli::become_program(storage::is_directory_url(config.store.url) ? "walden-worker" : "walden",
                        {"push", "--config", config.path, path});
}

int run(int argc, char** argv) {
    try {
        const cli::Arguments arguments = cli::parse_arguments(argc, argv, 1);
        if (arguments.wants_help) {
            std::fputs(help.data(), stdout);
        } else if (arguments.wants_version) {
            std::puts(format("walden-push {}", cli::version_text()).c_str());
        } else {
            push(arguments);
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
    walden::cli::prepare_process(walden::exit_failed, walden::exit_failed);
    walden::cli::set_program_name("walden-push");
    return walden::run(argc, argv);
}
