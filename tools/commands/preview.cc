// walden preview: what a restore would do, and what it would lose, without doing it.
#include "base/error.h"
#include "base/format.h"
#include "restore/restore_plan.h"
#include "storage/all_stores.h"
#include "tools/cli/json.h"
#include "tools/cli/session.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/restore_target.h"
#include "tools/commands/text.h"
#include "wal/stored_facts.h"

#include <chrono>
#include <memory>

namespace walden::commands {

namespace {

constexpr std::chrono::minutes deadline{10};

cli::Json time_or_null(const std::optional<wal::Timestamp>& time) {
    return time ? cli::Json(wal::to_utc_text(*time)) : cli::Json();
}

std::string stop_text(const restore::RestorePlan& plan, wal::SegmentSize size) {
    std::string text = format("in segment {}", to_string(plan.last, size));
    const restore::TargetPosition& position = plan.position;
    if (position.lsn) text += format(" at {}", to_string(*position.lsn));
    if (position.xid) text += format(", where transaction {} ends", *position.xid);
    if (position.time) text += format(" ({})", wal::to_utc_text(*position.time));
    if (position.is_estimate) text += ", by the facts of the segments: an estimate";
    return text;
}

void print_text(const restore::RestoreQuestion& question, const restore::RestorePlan& plan,
                wal::SegmentSize size) {
    const vault::BackupCommit& commit = plan.backup.commit();
    print_line(format("target     {}", target_text(question)));
    print_line(format("backup     {}: {} in {}, consistent at {} of timeline {}, taken {}",
                      plan.backup.id.text(), size_text(commit.counts.plain_bytes),
                      count_text(commit.counts.files, "file"), to_string(wal::Lsn{commit.stop_lsn}),
                      commit.stop_timeline, time_text(commit.ended)));
    print_line(format("recovery   {} from {} along timeline {}",
                      count_text(plan.segment_count(), "segment"), to_string(plan.first, size),
                      plan.line.timeline()));
    print_line(format("stops      {}", stop_text(plan, size)));
    if (plan.position.last_before)
        print_line(format("last seen  the last transaction before it ended {}",
                          wal::to_utc_text(*plan.position.last_before)));
    const std::uint64_t lost = plan.archive_end.segment_number - plan.last.segment_number;
    if (lost > 0)
        print_line(format("left out   {} behind it, up to {}", count_text(lost, "segment"),
                          to_string(plan.archive_end, size)));
}

void print_as_json(const restore::RestoreQuestion& question, const restore::RestorePlan& plan,
                   wal::SegmentSize size) {
    const vault::BackupCommit& commit = plan.backup.commit();
    cli::print_json(
        {{"target", target_text(question)},
         {"backup",
          {{"id", plan.backup.id.text()},
           {"timeline", commit.stop_timeline},
           {"stop_lsn", to_string(wal::Lsn{commit.stop_lsn})},
           {"plain_bytes", commit.counts.plain_bytes},
           {"files", commit.counts.files}}},
         {"timeline", plan.line.timeline()},
         {"first_segment", to_string(plan.first, size)},
         {"last_segment", to_string(plan.last, size)},
         {"segments", plan.segment_count()},
         {"stop_lsn", plan.position.lsn ? cli::Json(to_string(*plan.position.lsn)) : cli::Json()},
         {"stop_time", time_or_null(plan.position.time)},
         {"stop_xid", plan.position.xid ? cli::Json(*plan.position.xid) : cli::Json()},
         {"last_commit_before", time_or_null(plan.position.last_before)},
         {"is_estimate", plan.position.is_estimate},
         {"archive_end", to_string(plan.archive_end, size)}});
}

int preview(const cli::Common& common, const TargetOptions& options) {
    const restore::RestoreQuestion question = to_question(options);
    const cli::Session session(cli::read_config(common.config_path), deadline,
                               storage::all_stores());
    const vault::ClusterVault vault = session.open_cluster_or_only();
    const wal::SegmentSize size = segment_size_of(session.require_identity(vault));
    const restore::RestorePlan plan =
        restore::plan_restore(restore::open_source(vault, size), question);
    if (common.is_json())
        print_as_json(question, plan, size);
    else
        print_text(question, plan, size);
    return cli::exit_good;
}

}  // namespace

void add_preview(const cli::Command& parent) {
    const auto options = std::make_shared<TargetOptions>();
    const cli::Command command =
        parent.command("preview", "Tell what a restore would do and lose, without doing it",
                       [options](const cli::Common& common) { return preview(common, *options); });
    add_target_options(command, *options);
}

}  // namespace walden::commands
