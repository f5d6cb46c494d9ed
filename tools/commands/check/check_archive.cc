#include "base/format.h"
#include "catalog/descent.h"
#include "catalog/histories.h"
#include "catalog/survey.h"
#include "pg/recovery_start.h"
#include "tools/commands/check/checker.h"
#include "tools/commands/conflict_origin.h"
#include "tools/commands/text.h"

#include <algorithm>

namespace walden::commands {

namespace {

/// Whether recovery of this data directory can follow the timeline that it is to follow: what
/// PostgreSQL says when it cannot, "requested timeline is not a child of this server's history",
/// names neither the way out nor where that timeline came from.
void check_descent(const cli::Config& config, const catalog::ClusterSurvey& survey,
                   wal::TimelineId wanted, Checker& checker) {
    const auto start = pg::read_recovery_start(config.pgdata);
    if (!start) return;
    const pg::WalPosition minimum = start->minimum_recovery.value_or(pg::WalPosition{});
    const wal::TimelineId own = std::max(start->checkpoint.timeline, minimum.timeline);
    const wal::TimelineId target =
        wanted != 0 ? wanted : catalog::newest_timeline(own, survey.timelines_with_history());
    if (target == own && wanted == 0) return;
    const wal::TimelineHistory* history = survey.history_of(target);
    if (history == nullptr && target != 1) {
        checker.problem(
            "archive.descent",
            format("the archive has no history of timeline {} that can be read", target),
            "\"walden info\" lists its timelines; reading them takes a read key.");
        return;
    }
    const auto problem = catalog::explain_descent(
        history == nullptr ? wal::TimelineHistory(target) : *history,
        {.checkpoint = start->checkpoint.lsn,
         .timeline = start->checkpoint.timeline,
         .minimum_recovery =
             start->minimum_recovery ? std::optional<wal::Lsn>(minimum.lsn) : std::nullopt,
         .minimum_recovery_timeline = minimum.timeline});
    if (!problem)
        checker.ok("archive.descent",
                   format("recovery of \"{}\" can follow timeline {}", config.pgdata, target));
    else if (start->mode == pg::RecoveryMode::none && wanted == 0)
        checker.warning("archive.descent",
                        format("recovery to the latest timeline does not follow this server: {}",
                               problem->text),
                        format("If timeline {} took over, this server must not go on. {}", target,
                               problem->hint));
    else
        checker.problem("archive.descent", problem->text, problem->hint);
}

void check_conflicts(const vault::ClusterVault& vault, const std::vector<std::string>& conflicts,
                     Checker& checker) {
    const auto origins = find_origins(vault, conflicts);
    const auto one_count = static_cast<std::size_t>(
        std::count(origins.begin(), origins.end(), ConflictOrigin::one_instance));
    const std::size_t two_count = origins.size() - one_count;
    if (one_count > 0)
        checker.problem("archive.went_back",
                        format("this server went back in time: it wrote {} anew that it had "
                               "archived before",
                               count_text(one_count, "file")),
                        std::string(went_back_hint));
    if (two_count > 0)
        checker.problem(
            "archive.conflicts",
            format("{} written by two servers", count_text(two_count, "file was", "files were")),
            "\"walden info\" lists them. Find the second server: a clone, or an old "
            "primary that runs again. Stop it, or give it a cluster name of its own.");
}

}  // namespace

void check_archive(const cli::Session& session, const CheckOptions& options, Checker& checker) {
    const vault::ClusterVault vault = session.open_cluster();
    const vault::ClusterIdentity identity = session.require_identity(vault);
    checker.ok("archive.registered", format("cluster \"{}\" (system identifier {}) is registered",
                                            session.config().cluster, identity.system_identifier));
    const auto survey = catalog::survey_cluster(vault, identity.system_identifier);
    for (const auto& timeline : survey.timelines) {
        if (timeline.runs.size() > 1)
            checker.problem(
                "archive.holes",
                format("timeline {} has {} in the archive", timeline.timeline,
                       count_text(timeline.runs.size() - 1, "hole")),
                "\"walden info\" shows them. A base backup taken after the last one makes "
                "them harmless.");
        if (timeline.timeline > 1 && !timeline.has_history_file)
            checker.problem(
                "archive.history",
                format("the history of timeline {} is missing", timeline.timeline),
                format("Nothing can be recovered along it. On a server that has the file, run "
                       "\"walden push {}/pg_wal/{}.history\".",
                       session.config().pgdata, wal::timeline_part(timeline.timeline)));
    }
    for (const auto& segment : survey.damaged)
        checker.problem("archive.damaged",
                        format("{} was damaged when it was archived, at {}: {}", segment.file_name,
                               to_string(segment.stopped_at), segment.reason),
                        "No recovery can pass it: the damage was in pg_wal already. A base backup "
                        "taken after it makes it harmless. Look for failing memory or disks.");
    checker.group("archive.descent", [&] {
        check_descent(session.config(), survey, options.target_timeline, checker);
    });
    for (const std::string& message : survey.unreadable)
        checker.problem("archive.unreadable", message,
                        "\"walden verify\" finds all that is damaged, man walden says what to do.");
    check_conflicts(vault, survey.conflicts, checker);
}

}  // namespace walden::commands
