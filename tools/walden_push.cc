// walden-push: PostgreSQL's archive_command.
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <new>

#include "archive/archiver.h"
#include "base/error.h"
#include "base/format.h"
#include "tools/cli/arguments.h"
#include "tools/cli/config.h"
#include "tools/cli/process.h"
#include "tools/cli/messages.h"
#include "tools/cli/session.h"

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

Exit status:
  0  the file is durable in the archive, or was there already, byte for byte
  1  anything else; PostgreSQL keeps the file and asks again

  --config FILE  configuration, else $WALDEN_CONFIG, else /etc/walden/walden.toml
  --help, --version
)";

/// PostgreSQL starts its commands in the data directory and gives a relative path. A clone that
/// shares the configuration of its original would push as if it were the original.
void require_configured_server(const cli::Config& config, const std::string& path) {
    if (path.starts_with('/')) return;
    struct stat here {};
    struct stat configured {};
    if (::stat(".", &here) != 0 || ::stat(config.pgdata.c_str(), &configured) != 0 ||
        (here.st_dev == configured.st_dev && here.st_ino == configured.st_ino))
        return;
    std::error_code unknown;
    throw Error(ErrorKind::foreign,
                format("this server runs in \"{}\", the configuration is for \"{}\"",
                       std::filesystem::current_path(unknown).string(), config.pgdata))
        .with_hint("Give each server a configuration with its own pgdata.");
}

void push(const cli::Arguments& arguments) {
    const cli::Config config = cli::read_config(arguments.config_path);
    require_configured_server(config, arguments.operands[0]);
    const cli::Session session(config, config.archive_deadline);
    const vault::ClusterVault vault = session.open_cluster();
    const vault::ClusterIdentity identity = session.require_identity(vault);
    archive::LocalState state = cli::open_local_state(session, identity.system_identifier);
    archive::Archiver archiver(vault, state, cli::archive_settings(config, identity));
    const archive::ArchiveResult result = archiver.archive(arguments.operands[0]);
    for (const std::string& warning : result.warnings) cli::report_warning(warning);
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
