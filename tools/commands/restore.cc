// walden restore: a base backup back into a directory, from which PostgreSQL recovers by the
// archive.
#include "base/error.h"
#include "base/format.h"
#include "pg/configuration_place.h"
#include "restore/restore_plan.h"
#include "restore/restore_run.h"
#include "storage/all_stores.h"
#include "tools/cli/json.h"
#include "tools/cli/messages.h"
#include "tools/cli/session.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/restore_target.h"
#include "tools/commands/text.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

namespace walden::commands {

namespace {

struct RestoreOptions {
    TargetOptions target;
    std::string directory;
    std::string action;
    std::string tablespaces;  ///< "OLD=NEW,OLD=NEW"
    bool is_delta = false;
    bool is_standby = false;
    bool archives = false;
    std::uint32_t jobs = 0;  ///< 0: as many as processors
};

using Clock = std::chrono::steady_clock;

constexpr std::chrono::hours deadline{24 * 30};

/// walden-fetch beside this program, as PostgreSQL's settings quote it.
std::string restore_command(const cli::Config& config) {
    std::error_code unknown;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", unknown);
    const std::string program =
        unknown ? std::string("walden-fetch") : (self.parent_path() / "walden-fetch").string();
    return format("{} --config {} %f %p", program, config.path);
}

std::map<std::string, std::string> read_mapping(std::string_view text) {
    std::map<std::string, std::string> mapping;
    while (!text.empty()) {
        const std::string_view pair = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), pair.size() + 1));
        const std::size_t middle = pair.find('=');
        const std::string_view from = pair.substr(0, middle);
        const std::string_view to =
            middle == std::string_view::npos ? std::string_view() : pair.substr(middle + 1);
        if (!from.starts_with('/') || !to.starts_with('/'))
            throw Error(ErrorKind::usage, format("\"{}\" maps no tablespace", pair))
                .with_hint("Write --tablespace /old/place=/new/place, with absolute paths.");
        mapping.emplace(from, to);
    }
    return mapping;
}

restore::RestoreSettings settings_of(const cli::Config& config, const RestoreOptions& options,
                                     const restore::RestoreQuestion& question) {
    restore::RestoreSettings settings;
    settings.directory = std::filesystem::absolute(options.directory).lexically_normal().string();
    if (settings.directory.size() > 1 && settings.directory.ends_with('/'))
        settings.directory.pop_back();
    settings.worker_count =
        options.jobs > 0 ? options.jobs : std::max(1U, std::thread::hardware_concurrency());
    settings.overwrite =
        options.is_delta ? restore::OverwriteCluster::yes : restore::OverwriteCluster::no;
    settings.tablespaces = read_mapping(options.tablespaces);
    settings.recovery.restore_command = restore_command(config);
    settings.recovery.target = question.target;
    settings.recovery.target.action = options.action;
    if (options.is_standby) settings.recovery.goal = pg::RecoveryGoal::standby;
    // The copy must not archive into the line that it came from unless somebody means it.
    if (!options.archives)
        settings.recovery.others.push_back({.name = "archive_mode", .value = "off"});
    return settings;
}

void require_sense(const RestoreOptions& options, const restore::RestoreQuestion& question) {
    if (!options.action.empty() && question.target.kind == pg::TargetKind::none)
        throw Error(ErrorKind::usage, "--target-action needs a target to stop at");
    if (options.is_standby && question.target.kind != pg::TargetKind::none)
        throw Error(ErrorKind::usage, "a standby follows all there is: only --latest fits");
}

void print_text(const restore::RestorePlan& plan, const restore::RestoreSettings& settings,
                const restore::RestoreReport& report) {
    const vault::BackupCommit& commit = plan.backup.commit();
    print_line(format("backup {} restored to \"{}\": {} in {}", plan.backup.id.text(),
                      settings.directory, size_text(commit.counts.plain_bytes),
                      count_text(commit.counts.files, "file")));
    if (report.kept_bytes > 0 || report.removed_files > 0)
        print_line(format("kept {} that were there, removed {}", size_text(report.kept_bytes),
                          count_text(report.removed_files, "file")));
    if (!report.wal_aside.empty())
        print_line(format("the old pg_wal is in \"{}\": push what was not archived, then remove it",
                          report.wal_aside));
    const int version = commit.format.major_version;
    const auto place = pg::find_configuration(settings.directory, version);
    if (!place)
        print_line(
            format("there is no postgresql.conf for it; on Debian: pg_createcluster {} NAME "
                   "-d {}",
                   version, settings.directory));
    print_line(format("start PostgreSQL {} on it: it recovers {}{}", version,
                      count_text(plan.segment_count(), "segment"),
                      settings.recovery.goal == pg::RecoveryGoal::standby ? ", then follows" : ""));
    if (settings.recovery.target.kind != pg::TargetKind::none &&
        (settings.recovery.target.action.empty() || settings.recovery.target.action == "pause"))
        print_line(
            "at the target it pauses for you to look: \"select pg_wal_replay_resume()\" "
            "makes it a primary");
    if (!settings.recovery.others.empty())
        print_line(
            "archive_mode is off in its postgresql.auto.conf; remove that line to make it "
            "the server that archives");
}

void print_as_json(const restore::RestorePlan& plan, const restore::RestoreSettings& settings,
                   const restore::RestoreReport& report, double seconds) {
    const vault::BackupCommit& commit = plan.backup.commit();
    cli::print_json({{"backup", plan.backup.id.text()},
                     {"directory", settings.directory},
                     {"files", commit.counts.files},
                     {"plain_bytes", commit.counts.plain_bytes},
                     {"written_bytes", report.written_bytes},
                     {"kept_bytes", report.kept_bytes},
                     {"removed_files", report.removed_files},
                     {"wal_aside", report.wal_aside},
                     {"segments", plan.segment_count()},
                     {"seconds", seconds}});
}

int restore(const cli::Common& common, const RestoreOptions& options) {
    const restore::RestoreQuestion question = to_question(options.target);
    require_sense(options, question);
    const cli::Config config = cli::read_config(common.config_path);
    const restore::RestoreSettings settings = settings_of(config, options, question);
    const cli::Session session(config, deadline, storage::all_stores());
    const vault::ClusterVault vault = session.open_cluster_or_only();
    const wal::SegmentSize size = segment_size_of(session.require_identity(vault));
    if (!vault.keys().can_read_contents())
        throw Error(ErrorKind::usage, "this host's key can put, and cannot open what it has put")
            .with_hint("Restore with a key of the bundle \"read\".");
    const restore::RestorePlan plan =
        restore::plan_restore(restore::open_source(vault, size), question);
    const vault::BackupStore store(vault.objects(), vault.layout());
    const auto begin = Clock::now();
    const restore::RestoreReport report = restore::run_restore(
        store, *plan.backup.outcome, settings, [&](const restore::RestoreProgress& progress) {
            cli::show_progress(format("{} of {} written", size_text(progress.done_bytes),
                                      size_text(progress.all_bytes)));
        });
    cli::show_progress("");
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (common.is_json())
        print_as_json(plan, settings, report, seconds);
    else
        print_text(plan, settings, report);
    return cli::exit_good;
}

}  // namespace

void add_restore(const cli::Command& parent) {
    const auto options = std::make_shared<RestoreOptions>();
    const cli::Command command =
        parent.command("restore", "Bring a base backup back, ready to recover and start",
                       [options](const cli::Common& common) { return restore(common, *options); });
    add_target_options(command, options->target);
    command
        .option("--target-action", options->action,
                "What the server does at the target: \"pause\", the default, \"promote\" or "
                "\"shutdown\"")
        .one_of({"pause", "promote", "shutdown"});
    command.flag("--standby", options->is_standby, "Make a standby that follows the archive");
    command.flag("--delta", options->is_delta,
                 "Write over a stopped server of the same cluster, only what differs");
    command.flag("--archive", options->archives,
                 "Leave archive_mode as it was: the copy becomes the server that archives");
    command.option("--tablespace", options->tablespaces,
                   "OLD=NEW: where a tablespace goes; several separated by commas");
    command.option("--jobs", options->jobs, "Threads; as many as processors by default")
        .between(1, 64);
    command.operand("DIR", options->directory, "The data directory to make");
}

}  // namespace walden::commands
