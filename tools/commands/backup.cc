// walden backup: one base backup of the running server, into the archive that its WAL is in.
#include "backup/backup_run.h"
#include "base/error.h"
#include "base/format.h"
#include "storage/all_stores.h"
#include "tools/cli/json.h"
#include "tools/cli/messages.h"
#include "tools/cli/session.h"
#include "tools/cli/version.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/text.h"

#include <chrono>
#include <ctime>
#include <memory>
#include <thread>

namespace walden::commands {

namespace {

using Clock = std::chrono::steady_clock;

struct BackupOptions {
    bool is_full = false;
    std::string label;
    bool is_spread = false;  ///< the checkpoint, instead of one at once
    bool is_fast = false;
    std::uint32_t jobs = 0;  ///< 0: as configured
    std::string rate;        ///< empty: as configured
    std::string conninfo;    ///< empty: as configured
};

/// A backup of a large database takes hours: each request may be repeated as long as that.
constexpr std::chrono::hours deadline{24 * 30};

std::string progress_text(const backup::BackupProgress& progress, Clock::duration elapsed) {
    switch (progress.phase) {
        case backup::BackupPhase::checkpoint: return "waiting for the server's checkpoint";
        case backup::BackupPhase::wal:
            return format("waiting for segment {} in the archive", progress.waits_for);
        case backup::BackupPhase::reading: break;
        case backup::BackupPhase::done: return "";
    }
    const double seconds = std::chrono::duration<double>(elapsed).count();
    return format("{} read, {} stored, {} a second", size_text(progress.done_bytes),
                  size_text(progress.stored_bytes),
                  size_text(static_cast<std::uint64_t>(static_cast<double>(progress.done_bytes) /
                                                       std::max(seconds, 0.1))));
}

std::size_t worker_count(std::uint32_t jobs) {
    return jobs > 0 ? jobs : std::max(1U, std::thread::hardware_concurrency());
}

backup::BackupSettings settings_of(const cli::Session& session, std::uint64_t system_identifier,
                                   const BackupOptions& options) {
    const cli::Config& config = session.config();
    const archive::LocalState state = cli::open_local_state(session, system_identifier);
    backup::BackupSettings settings;
    settings.conninfo = options.conninfo.empty() ? config.backup.conninfo : options.conninfo;
    settings.pgdata = config.pgdata;
    settings.lock_path = format("{}/{}.backup.lock", config.state_dir, config.cluster);
    settings.label = options.label.empty() ? "walden" : options.label;
    settings.is_full = options.is_full;
    settings.pace = options.is_spread ? pg::CheckpointPace::spread : pg::CheckpointPace::fast;
    settings.worker_count = worker_count(options.jobs > 0 ? options.jobs : config.backup.jobs);
    settings.wal_patience = config.backup.wal_patience;
    settings.encoding = {.method = codec::CodecId::zstd, .level = 1, .worker_count = 1};
    settings.writer = {.instance = state.instance(),
                       .time = static_cast<std::int64_t>(std::time(nullptr)),
                       .host = archive::describe_host(),
                       .version = cli::version_text()};
    return settings;
}

cli::Json damage_json(const vault::BackupCommit& commit) {
    cli::Json pages = cli::Json::array();
    for (const vault::DamagedPage& page : commit.damaged_pages)
        pages.push_back({{"path", page.path},
                         {"block", page.block},
                         {"reason", vault::to_string(page.reason)}});
    return pages;
}

void report(const cli::Common& common, const vault::BackupOutcome& outcome, double seconds) {
    const vault::BackupCommit& commit = *outcome.commit;
    if (common.is_json()) {
        cli::print_json({{"backup", outcome.id.text()},
                         {"parent", commit.parent ? cli::Json(commit.parent->text()) : cli::Json()},
                         {"files", commit.counts.files},
                         {"plain_bytes", commit.counts.plain_bytes},
                         {"read_bytes", commit.counts.read_bytes},
                         {"stored_bytes", commit.counts.stored_bytes},
                         {"referenced_pages", commit.counts.referenced_pages},
                         {"damaged_pages", damage_json(commit)},
                         {"seconds", seconds}});
        return;
    }
    print_line(format("backup {}: {} in {}, {} stored{}", outcome.id.text(),
                      size_text(commit.counts.plain_bytes), count_text(commit.counts.files, "file"),
                      size_text(commit.counts.stored_bytes),
                      commit.parent ? format(", compared with {}", commit.parent->text()) : ""));
}

int backup(const cli::Common& common, const BackupOptions& options) {
    if (options.is_fast && options.is_spread)
        throw Error(ErrorKind::usage, "--fast and --spread exclude each other");
    const cli::Config config = cli::read_config(common.config_path);
    const cli::Session session(config, deadline, storage::all_stores());
    const vault::ClusterVault vault = session.open_cluster();
    const vault::ClusterIdentity identity = session.require_identity(vault);
    const auto begin = Clock::now();
    const vault::BackupOutcome outcome =
        backup::run_backup(vault, settings_of(session, identity.system_identifier, options),
                           [&](const backup::BackupProgress& progress) {
                               cli::show_progress(progress_text(progress, Clock::now() - begin));
                           });
    cli::show_progress("");
    report(common, outcome, std::chrono::duration<double>(Clock::now() - begin).count());
    for (const vault::DamagedPage& page : outcome.commit->damaged_pages)
        cli::report_warning(format("page {} of \"{}\" is damaged: {}", page.block, page.path,
                                   vault::to_string(page.reason)));
    return outcome.commit->damaged_pages.empty() ? 0 : 1;
}

}  // namespace

void add_backup(const cli::Command& parent) {
    const auto options = std::make_shared<BackupOptions>();
    const cli::Command command =
        parent.command("backup", "Take a base backup of the running server into the archive",
                       [options](const cli::Common& common) { return backup(common, *options); });
    command.flag("--full", options->is_full, "Name nothing of earlier backups");
    command.option("--label", options->label, "What the backup is called in lists");
    command.flag("--fast", options->is_fast,
                 "Have the server's checkpoint at once, which is the default");
    command.flag("--spread", options->is_spread, "Let the server take its time for the checkpoint");
    command.option("--jobs", options->jobs, "Threads; as many as processors by default")
        .between(1U, 64U);
    command.option("--conninfo", options->conninfo,
                   "How to connect to the server, as for psql; else PGHOST and the like");
}

}  // namespace walden::commands
