// walden restore: a base backup back into a directory, from which PostgreSQL recovers by the
// archive.
#include "base/error.h"
#include "base/format.h"
#include "restore/restore_run.h"
#include "tools/cli/json.h"
#include "tools/cli/messages.h"
#include "tools/cli/session.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/any_store.h"
#include "tools/commands/text.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

namespace walden::commands {

namespace {

using Clock = std::chrono::steady_clock;

struct RestoreOptions {
    std::string directory;
    bool is_latest = false;
    std::uint32_t jobs = 0;  ///< 0: as many as processors
};

constexpr std::chrono::hours deadline{24 * 30};

/// walden-fetch beside this program, as PostgreSQL's settings quote it.
std::string restore_command(const cli::Config& config) {
    std::error_code unknown;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", unknown);
    const std::string program =
        unknown ? std::string("walden-fetch") : (self.parent_path() / "walden-fetch").string();
    return format("{} --config {} %f %p", program, config.path);
}

int restore(const cli::Common& common, const RestoreOptions& options) {
    const cli::Config config = cli::read_config(common.config_path);
    if (!options.is_latest)
        throw Error(ErrorKind::usage, "the target of the recovery is missing")
            .with_hint("--latest recovers to the end of the archived WAL.");
    const cli::Session session(config, deadline, open_any_store);
    const vault::ClusterVault vault = session.open_cluster_or_only();
    const vault::BackupStore store(vault.objects(), vault.layout());
    const auto outcome = restore::find_newest_backup(store);
    if (!outcome)
        throw Error(ErrorKind::not_found, "the archive holds no base backup")
            .with_hint("\"walden backup\" takes one.");
    const auto begin = Clock::now();
    restore::RestoreSettings settings;
    settings.directory = std::filesystem::absolute(options.directory).string();
    settings.worker_count =
        options.jobs > 0 ? options.jobs : std::max(1U, std::thread::hardware_concurrency());
    settings.recovery_settings = format(
        "restore_command = '{}'\nrecovery_target_timeline = 'latest'\narchive_mode = "
        "'off'\n",
        restore_command(config));
    restore::run_restore(store, *outcome, settings, [&](const restore::RestoreProgress& progress) {
        cli::show_progress(format("{} of {} written", size_text(progress.done_bytes),
                                  size_text(progress.all_bytes)));
    });
    cli::show_progress("");
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    const vault::BackupCommit& commit = *outcome->commit;
    if (common.is_json())
        cli::print_json({{"backup", outcome->id.text()},
                         {"directory", settings.directory},
                         {"files", commit.counts.files},
                         {"plain_bytes", commit.counts.plain_bytes},
                         {"seconds", seconds}});
    else
        print_line(format("backup {} restored to \"{}\": {} in {}; start the server to recover",
                          outcome->id.text(), settings.directory,
                          size_text(commit.counts.plain_bytes),
                          count_text(commit.counts.files, "file")));
    return cli::exit_good;
}

}  // namespace

void add_restore(const cli::Command& parent) {
    const auto options = std::make_shared<RestoreOptions>();
    const cli::Command command =
        parent.command("restore", "Bring a base backup back, ready to be started",
                       [options](const cli::Common& common) { return restore(common, *options); });
    command.flag("--latest", options->is_latest, "Recover to the end of the archived WAL");
    command.option("--jobs", options->jobs, "Threads; as many as processors by default")
        .between(1, 64);
    command.operand("DIR", options->directory, "The new data directory");
}

}  // namespace walden::commands
