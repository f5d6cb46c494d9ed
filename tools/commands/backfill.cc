// walden backfill: closes the hole that a failover leaves in the archive.
#include "archive/line_backfill.h"
#include "base/error.h"
#include "base/format.h"
#include "pg/control_file.h"
#include "storage/all_stores.h"
#include "tools/cli/json.h"
#include "tools/cli/messages.h"
#include "tools/cli/session.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/text.h"

#include <memory>

namespace walden::commands {

namespace {

struct BackfillOptions {
    bool is_dry_run = false;
};

using archive::BackfillPlan;
using archive::BackfillSegment;
using archive::BackfillState;

bool is_standby(const std::string& pgdata) {
    const auto control = pg::read_control_file(pgdata);
    return control && (control->state == pg::ClusterState::in_archive_recovery ||
                       control->state == pg::ClusterState::shut_down_in_recovery);
}

/// The new timeline's history goes first, as PostgreSQL does it: with it, the archive knows what
/// the segments are for, and who owns the timeline that follows them.
void archive_history(const cli::Config& config, const std::string& wal_directory,
                     wal::TimelineId timeline, archive::Archiver& archiver) {
    const std::string name = wal::history_name(timeline);
    if (is_standby(config.pgdata))
        throw Error(ErrorKind::missing, format("the archive has no {}", name))
            .with_hint("This server is a standby: let the primary archive its history first.");
    for (const std::string& warning :
         archiver.archive({.name = name, .directory = wal_directory}).warnings)
        cli::report_warning(warning);
}

std::string_view outcome_of(const BackfillSegment& segment, bool is_dry_run) {
    if (segment.state != BackfillState::missing) return to_string(segment.state);
    return is_dry_run ? "missing" : "backfilled";
}

void print_segment(const BackfillSegment& segment, bool is_dry_run) {
    const std::string_view text = [&]() -> std::string_view {
        switch (segment.state) {
            case BackfillState::archived: return "";
            case BackfillState::missing: return is_dry_run ? "would archive" : "archived";
            case BackfillState::different: return "REFUSED: another one";
            case BackfillState::unproven: return "REFUSED: unproven";
            case BackfillState::unsound: return "REFUSED: unsound";
        }
        return "";
    }();
    if (!text.empty()) print_line(format("{}  {}: {}", segment.file_name, text, segment.reason));
}

cli::Json plan_json(const BackfillPlan& plan, bool is_dry_run) {
    cli::Json segments = cli::Json::array();
    for (const BackfillSegment& segment : plan.segments)
        segments.push_back({{"segment", segment.file_name},
                            {"outcome", outcome_of(segment, is_dry_run)},
                            {"reason", segment.reason}});
    cli::Json gaps = cli::Json::array();
    for (const archive::BackfillGap& gap : plan.gaps)
        gaps.push_back({{"first_segment", gap.first},
                        {"last_segment", gap.last},
                        {"segment_count", gap.count}});
    return {{"timeline", plan.history.timeline()},
            {"dry_run", is_dry_run},
            {"segments", segments},
            {"gaps", gaps},
            {"complete", plan.completes_the_line()}};
}

void print_plan_head(const BackfillPlan& plan) {
    for (const wal::TimelineSpan& span : plan.history.spans())
        if (span.end)
            print_line(format("timeline {} was left at {}", span.timeline, to_string(*span.end)));
}

void print_sum(const BackfillPlan& plan, bool is_dry_run) {
    std::size_t added = 0;
    std::size_t present = 0;
    for (const BackfillSegment& segment : plan.segments) {
        added += segment.state == BackfillState::missing ? 1 : 0;
        present += segment.state == BackfillState::archived ? 1 : 0;
    }
    for (const archive::BackfillGap& gap : plan.gaps)
        print_line(format("GAP  {} .. {}: {} neither in the archive nor in this pg_wal", gap.first,
                          gap.last, count_text(gap.count, "segment is", "segments are")));
    print_line(format("{} {}, {} of the line {} archived before", count_text(added, "segment"),
                      is_dry_run ? "would be archived" : "archived", present,
                      present == 1 ? "was" : "were"));
    if (!plan.completes_the_line())
        cli::report_warning(
            format("the archive does not lead from timeline {} to timeline {} without a hole; take "
                   "a base backup of this server",
                   plan.history.spans().front().timeline, plan.history.timeline()));
}

int report_nothing(const cli::Common& common) {
    if (common.is_json())
        cli::print_json({{"timeline", 1},
                         {"segments", cli::Json::array()},
                         {"gaps", cli::Json::array()},
                         {"complete", true}});
    else
        print_line("this server has left no timeline: there is nothing to backfill");
    return 0;
}

int backfill(const cli::Common& common, const BackfillOptions& options) {
    const cli::Config config = cli::read_config(common.config_path);
    const cli::Session session(config, cli::typed(config.archive.deadline), storage::all_stores());
    const vault::ClusterVault vault = session.open_cluster();
    const vault::ClusterIdentity identity = session.require_identity(vault);
    archive::LocalState state = cli::open_local_state(session, identity.system_identifier);
    archive::Archiver archiver(vault, state, cli::archive_settings(config, identity));
    const std::string wal_directory = config.pgdata + "/pg_wal";
    const archive::Backfill backfill(vault, archiver, wal_directory);
    const auto plan = backfill.plan();
    if (!plan) return report_nothing(common);

    const bool is_text = !common.is_json();
    if (is_text) print_plan_head(*plan);
    if (!options.is_dry_run && !plan->has_archived_history)
        archive_history(config, wal_directory, plan->history.timeline(), archiver);
    for (const BackfillSegment& segment : plan->segments) {
        if (segment.state == BackfillState::missing && !options.is_dry_run)
            for (const std::string& warning : backfill.archive(segment).warnings)
                cli::report_warning(warning);
        if (is_text) print_segment(segment, options.is_dry_run);
    }
    if (is_text)
        print_sum(*plan, options.is_dry_run);
    else
        cli::print_json(plan_json(*plan, options.is_dry_run));
    return plan->completes_the_line() ? 0 : 1;
}

}  // namespace

void add_backfill(const cli::Command& parent) {
    const auto options = std::make_shared<BackfillOptions>();
    const cli::Command command = parent.command(
        "backfill",
        "After a failover: archive what the old primary left unarchived, from this server's pg_wal",
        [options](const cli::Common& common) { return backfill(common, *options); });
    command.flag("--dry-run", options->is_dry_run, "Show what would be archived");
}

}  // namespace walden::commands
