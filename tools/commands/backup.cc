// walden backup: one base backup of the running server, into the archive that its WAL is in.
#include "backup/backup_run.h"
#include "base/config_value.h"
#include "base/error.h"
#include "base/format.h"
#include "storage/all_stores.h"
#include "tools/cli/json.h"
#include "tools/cli/messages.h"
#include "tools/cli/session.h"
#include "tools/cli/version.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/text.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <optional>
#include <thread>

namespace walden::commands {

namespace {

using Clock = std::chrono::steady_clock;

struct BackupOptions {
    bool is_full = false;
    bool reads_all = false;  ///< also what WAL does not name
    std::string label;
    bool is_spread = false;  ///< the checkpoint, instead of one at once
    bool is_fast = false;
    std::uint32_t jobs = 0;  ///< 0: as configured
    std::string rate;        ///< empty: as configured
    std::string conninfo;    ///< empty: as configured
};

/// A backup of a large database takes hours: each request may be repeated as long as that.
constexpr std::chrono::hours deadline{24 * 30};

/// Of what is left, at the pace so far.
std::string time_left_text(const backup::BackupProgress& progress, double seconds) {
    if (progress.all_bytes <= progress.done_bytes || progress.done_bytes == 0 || seconds < 2)
        return "";
    const double left = seconds * static_cast<double>(progress.all_bytes - progress.done_bytes) /
                        static_cast<double>(progress.done_bytes);
    return format(", {} left", age_text(static_cast<std::uint64_t>(left)));
}

class ProgressLine {
public:
    void show(const backup::BackupProgress& progress) {
        switch (progress.phase) {
            case backup::BackupPhase::checkpoint:
                cli::show_progress("waiting for the server's checkpoint");
                return;
            case backup::BackupPhase::wal:
                cli::show_progress(
                    format("waiting for segment {} in the archive", progress.waits_for));
                return;
            case backup::BackupPhase::reading: show_reading(progress); return;
            case backup::BackupPhase::done: cli::show_progress(""); return;
        }
    }

private:
    void show_reading(const backup::BackupProgress& progress) {
        if (!began_) began_ = Clock::now();
        const double seconds = std::chrono::duration<double>(Clock::now() - *began_).count();
        const auto rate = static_cast<std::uint64_t>(static_cast<double>(progress.done_bytes) /
                                                     std::max(seconds, 0.1));
        const std::string all =
            progress.all_bytes > 0 ? format(" of {}", size_text(progress.all_bytes)) : "";
        cli::show_progress(format("{}{}, {} stored, {}/s{}", size_text(progress.done_bytes), all,
                                  size_text(progress.stored_bytes), size_text(rate),
                                  time_left_text(progress, seconds)));
    }

    std::optional<Clock::time_point> began_;  ///< to read
};

std::size_t worker_count(std::uint32_t jobs) {
    return jobs > 0 ? jobs : std::max(1U, std::thread::hardware_concurrency());
}

std::size_t rate_of(const std::string& text) {
    try {
        return size_of(ConfigValue(ConfigValue::Data(text)), 0, std::size_t{64} << 30);
    } catch (const BadValue& bad) {
        throw Error(ErrorKind::usage, format("--rate must be {}", bad.wanted));
    }
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
    settings.rate_max = options.rate.empty() ? config.backup.rate : rate_of(options.rate);
    settings.reads_all = options.reads_all;
    settings.sample = static_cast<double>(config.backup.sample_percent) / 100;
    settings.counts_first = ::isatty(STDERR_FILENO) == 1;
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
    ProgressLine line;
    const vault::BackupOutcome outcome = backup::run_backup(
        vault, settings_of(session, identity.system_identifier, options),
        {.progress = [&](const backup::BackupProgress& progress) { line.show(progress); },
         .note = [](const std::string& text) { cli::report_note(text); },
         .warning = [](const std::string& text) { cli::report_warning(text); }});
    report(common, outcome, std::chrono::duration<double>(Clock::now() - begin).count());
    for (const vault::DamagedPage& page : outcome.commit->damaged_pages)
        cli::report_warning(format("page {} of \"{}\" is damaged: {}", page.block, page.path,
                                   vault::to_string(page.reason)));
    return outcome.commit->damaged_pages.empty() ? cli::exit_good : cli::exit_problem;
}

}  // namespace

void add_backup(const cli::Command& parent) {
    const auto options = std::make_shared<BackupOptions>();
    const cli::Command command =
        parent.command("backup", "Take a base backup of the running server into the archive",
                       [options](const cli::Common& common) { return backup(common, *options); });
    command.flag("--full", options->is_full, "Name nothing of earlier backups");
    command.flag("--read-all", options->reads_all,
                 "Read also what has not changed by what WAL says, and compare it");
    command.option("--label", options->label, "What the backup is called in lists");
    command.flag("--fast", options->is_fast,
                 "Have the server's checkpoint at once, which is the default");
    command.flag("--spread", options->is_spread, "Let the server take its time for the checkpoint");
    command.option("--jobs", options->jobs, "Threads; as many as processors by default")
        .between(1U, 64U);
    command.option("--rate", options->rate,
                   "Bytes a second to read at most, such as \"50MiB\"; as configured by default");
    command.option("--conninfo", options->conninfo,
                   "How to connect to the server, as for psql; else PGHOST and the like");
}

}  // namespace walden::commands
