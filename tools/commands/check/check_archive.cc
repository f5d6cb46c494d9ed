#include "base/format.h"
#include "catalog/descent.h"
#include "catalog/histories.h"
#include "catalog/survey.h"
#include "pg/recovery_start.h"
#include "tools/commands/check/checker.h"
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
        checker.ok(format("recovery of \"{}\" can follow timeline {}", config.pgdata, target));
    else if (start->mode == pg::RecoveryMode::none && wanted == 0)
        checker.warning(format("recovery to the latest timeline does not follow this server: {}",
                               problem->text),
                        format("If timeline {} took over, this server must not go on. {}", target,
                               problem->hint));
    else
        checker.problem(problem->text, problem->hint);
}

}  // namespace

void check_archive(const cli::Session& session, const CheckOptions& options, Checker& checker) {
    const vault::ClusterVault vault = session.open_cluster();
    const vault::ClusterIdentity identity = session.require_identity(vault);
    checker.ok(format("cluster \"{}\" (system identifier {}) is registered",
                      session.config().cluster, identity.system_identifier));
    const auto survey = catalog::survey_cluster(vault, identity.system_identifier);
    for (const auto& timeline : survey.timelines) {
        if (timeline.runs.size() > 1)
            checker.problem(
                format("timeline {} has {} in the archive", timeline.timeline,
                       count_text(timeline.runs.size() - 1, "hole")),
                "\"walden info\" shows them. A base backup taken after the last one makes "
                "them harmless.");
        if (timeline.timeline > 1 && !timeline.has_history_file)
            checker.problem(format("the history of timeline {} is missing", timeline.timeline), "");
    }
    for (const auto& segment : survey.damaged)
        checker.problem(format("{} was damaged when it was archived, at {}: {}", segment.file_name,
                               to_string(segment.stopped_at), segment.reason),
                        "No recovery can pass it: the damage was in pg_wal already. A base backup "
                        "taken after it makes it harmless. Look for failing memory or disks.");
    checker.group(
        [&] { check_descent(session.config(), survey, options.target_timeline, checker); });
    for (const std::string& message : survey.unreadable)
        checker.problem(message,
                        "\"walden verify\" finds all that is damaged, man walden says what to do.");
    if (!survey.conflicts.empty())
        checker.problem(format("{} written by two servers",
                               count_text(survey.conflicts.size(), "file was", "files were")),
                        "\"walden info\" lists them. Find the second server: a clone, or an old "
                        "primary that runs again.");
}

}  // namespace walden::commands
