#include "base/error.h"
#include "base/format.h"
#include "catalog/problem.h"
#include "catalog/survey.h"
#include "storage/all_stores.h"
#include "tools/cli/json.h"
#include "tools/cli/messages.h"
#include "tools/cli/session.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/codec_text.h"
#include "tools/commands/conflict_origin.h"
#include "tools/commands/recovery_window.h"
#include "tools/commands/text.h"

#include <ctime>

namespace walden::commands {

namespace {

using catalog::ClusterSurvey;
using catalog::SegmentRun;
using catalog::TimelineSurvey;

double ratio_of(const TimelineSurvey& timeline) {
    return timeline.stored_bytes == 0 ? 0
                                      : static_cast<double>(timeline.plain_bytes) /
                                            static_cast<double>(timeline.stored_bytes);
}

std::string name_of(const TimelineSurvey& timeline, std::uint64_t number, wal::SegmentSize size) {
    return to_string(wal::SegmentName{timeline.timeline, number}, size);
}

std::string start_of(const TimelineSurvey& timeline, std::uint64_t number, wal::SegmentSize size) {
    return to_string(first_lsn(wal::SegmentName{timeline.timeline, number}, size));
}

/// The holes between the runs, as runs of what is missing.
std::vector<SegmentRun> gaps_of(const TimelineSurvey& timeline) {
    std::vector<SegmentRun> gaps;
    for (std::size_t i = 1; i < timeline.runs.size(); ++i)
        gaps.push_back(
            {.first = timeline.runs[i - 1].last + 1, .last = timeline.runs[i].first - 1});
    return gaps;
}

/// Where the timeline came from: "timeline 1 at 0/5000028"; empty for the first.
std::string origin_of(const TimelineSurvey& timeline) {
    if (!timeline.history || timeline.history->spans().size() < 2) return "";
    const auto& parent = timeline.history->spans()[timeline.history->spans().size() - 2];
    return format("timeline {} at {}", parent.timeline, to_string(*parent.end));
}

/// Of clocks that cannot both be right: the host's that archived, and the server's that committed
/// or this one's.
std::string clock_remark(const TimelineSurvey& timeline) {
    constexpr std::int64_t tolerance = 3600;
    constexpr std::int64_t unix_seconds_of_2000 = 946'684'800;
    const std::int64_t archived = timeline.newest->archived;
    if (archived > std::time(nullptr) + tolerance)
        return "  (in the future: a clock is wrong, here or on the host that archived)";
    if (timeline.latest_commit &&
        *timeline.latest_commit / 1'000'000 + unix_seconds_of_2000 > archived + tolerance)
        return "  (before its last commit: the clocks of server and archiving host differ)";
    return "";
}

void print_timeline(const TimelineSurvey& timeline, wal::SegmentSize size) {
    const std::string origin = origin_of(timeline);
    print_line(format("\n  timeline {}{}", timeline.timeline,
                      origin.empty() ? "" : format("  (from {})", origin)));
    if (timeline.timeline > 1 && !timeline.has_history_file)
        print_line("    HISTORY MISSING: nothing can be recovered along this timeline");
    if (timeline.owner)
        print_line(
            format("    owner        host {}, {}", timeline.owner->host, timeline.owner->pgdata));
    for (const SegmentRun& run : timeline.runs)
        print_line(format("    restorable   {} .. {}   {}, WAL {} .. {}",
                          name_of(timeline, run.first, size), name_of(timeline, run.last, size),
                          count_text(run.count(), "segment"), start_of(timeline, run.first, size),
                          start_of(timeline, run.last + 1, size)));
    for (const SegmentRun& gap : gaps_of(timeline))
        print_line(format("    GAP          {} .. {}   {} missing; recovery ends before it",
                          name_of(timeline, gap.first, size), name_of(timeline, gap.last, size),
                          count_text(gap.count(), "segment")));
    if (timeline.latest_commit)
        print_line(format("    last commit  {}", wal_time_text(*timeline.latest_commit)));
    if (timeline.newest)
        print_line(format("    archived     {}{}", time_text(timeline.newest->archived),
                          clock_remark(timeline)));
    if (timeline.segment_count > 0)
        print_line(format("    size         {} of WAL in {} ({:.2f} : 1)",
                          size_text(timeline.plain_bytes), size_text(timeline.stored_bytes),
                          ratio_of(timeline)));
    if (timeline.newest_codecs.content_count > 0)
        print_line(format("    codec        {} (newest {})", codecs_text(timeline.newest_codecs),
                          count_text(timeline.newest_codecs.content_count, "content")));
}

cli::Json run_json(const TimelineSurvey& timeline, const SegmentRun& run, wal::SegmentSize size) {
    return {{"first_segment", name_of(timeline, run.first, size)},
            {"last_segment", name_of(timeline, run.last, size)},
            {"segment_count", run.count()},
            {"start_lsn", start_of(timeline, run.first, size)},
            {"end_lsn", start_of(timeline, run.last + 1, size)}};
}

cli::Json timeline_json(const TimelineSurvey& timeline, wal::SegmentSize size) {
    cli::Json runs = cli::Json::array();
    for (const SegmentRun& run : timeline.runs) runs.push_back(run_json(timeline, run, size));
    cli::Json gaps = cli::Json::array();
    for (const SegmentRun& gap : gaps_of(timeline)) gaps.push_back(run_json(timeline, gap, size));
    const auto end_name = [&](const std::vector<SegmentRun>& all, bool last) {
        if (all.empty()) return cli::Json();
        return cli::Json(name_of(timeline, last ? all.back().last : all.front().first, size));
    };
    return {
        {"timeline", timeline.timeline},
        {"origin", origin_of(timeline)},
        {"has_history", timeline.has_history_file},
        {"first_segment", end_name(timeline.runs, false)},
        {"last_segment", end_name(timeline.runs, true)},
        {"segment_count", timeline.segment_count},
        {"restorable", runs},
        {"gaps", gaps},
        {"plain_bytes", timeline.plain_bytes},
        {"stored_bytes", timeline.stored_bytes},
        {"ratio", ratio_of(timeline)},
        {"newest_codecs", codecs_json(timeline.newest_codecs)},
        {"latest_commit_time",
         timeline.latest_commit ? cli::Json(json_wal_time(*timeline.latest_commit)) : cli::Json()},
        {"archived_at",
         timeline.newest ? cli::Json(json_time(timeline.newest->archived)) : cli::Json()},
        {"owner_host", timeline.owner ? cli::Json(timeline.owner->host) : cli::Json()}};
}

std::string_view to_string(BaseBackup::Kind kind) {
    return kind == BaseBackup::Kind::stored ? "archive" : "elsewhere";
}

cli::Json backup_json(const BaseBackup& backup) {
    return {{"name", backup.name},
            {"files", to_string(backup.kind)},
            {"timeline", backup.timeline},
            {"start_lsn", to_string(backup.start)},
            {"ended", json_time(backup.ended)}};
}

cli::Json window_json(const RecoveryWindow& window, wal::SegmentSize size) {
    return {
        {"timeline", window.timeline},
        {"earliest",
         window.base_backup ? cli::Json(json_time(window.base_backup->ended)) : cli::Json()},
        {"base_backup", window.base_backup ? cli::Json(window.base_backup->name) : cli::Json()},
        {"latest_commit",
         window.latest_commit ? cli::Json(json_wal_time(*window.latest_commit)) : cli::Json()},
        {"last_segment",
         window.latest_segment ? cli::Json(to_string(*window.latest_segment, size)) : cli::Json()}};
}

/// What is known of one cluster.
struct ClusterReport {
    ClusterSurvey survey;
    std::vector<BaseBackup> backups;
    std::vector<RecoveryWindow> windows;
    std::vector<ConflictOrigin> origins;  ///< of survey.conflicts
};

cli::Json conflicts_json(const ClusterReport& report) {
    cli::Json all = cli::Json::array();
    for (std::size_t i = 0; i < report.survey.conflicts.size(); ++i)
        all.push_back({{"object", report.survey.conflicts[i]},
                       {"one_instance", report.origins[i] == ConflictOrigin::one_instance}});
    return all;
}

cli::Json cluster_json(const std::string& name, const ClusterReport& report) {
    const ClusterSurvey& survey = report.survey;
    cli::Json damaged = cli::Json::array();
    for (const catalog::DamagedSegment& segment : survey.damaged)
        damaged.push_back({{"segment", segment.file_name},
                           {"lsn", to_string(segment.stopped_at)},
                           {"reason", segment.reason}});
    cli::Json json = {{"name", name},
                      {"system_identifier", format("{}", survey.system_identifier)},
                      {"labels", survey.labels},
                      {"conflicts", survey.conflicts},
                      {"conflict_origins", conflicts_json(report)},
                      {"damaged", damaged},
                      {"unreadable", survey.unreadable},
                      {"recovery_windows", cli::Json::array()},
                      {"base_backups", cli::Json::array()},
                      {"timelines", cli::Json::array()}};
    if (!survey.identity) return json;
    const auto size = *wal::SegmentSize::from_bytes(survey.identity->segment_size);
    for (const RecoveryWindow& window : report.windows)
        json["recovery_windows"].push_back(window_json(window, size));
    for (const BaseBackup& backup : report.backups)
        json["base_backups"].push_back(backup_json(backup));
    for (const TimelineSurvey& timeline : survey.timelines)
        json["timelines"].push_back(timeline_json(timeline, size));
    json["segment_size"] = size.bytes();
    json["server_version"] = survey.identity->server_version;
    return json;
}

void print_window(const RecoveryWindow& window, wal::SegmentSize size) {
    if (!window.latest_segment) return;
    const std::string latest =
        window.latest_commit ? format("{} (last commit)", wal_time_text(*window.latest_commit))
                             : format("the end of {}", to_string(*window.latest_segment, size));
    print_line(format("\n  recovery window of timeline {}", window.timeline));
    if (window.base_backup) {
        print_line(format("    from         {}", time_text(window.base_backup->ended)));
        print_line(format("    to           {}", latest));
        return;
    }
    print_line(
        "    NONE: the archive knows no base backup from which its WAL leads to the end. Take "
        "one.");
}

void print_backups(const std::vector<BaseBackup>& backups) {
    if (!backups.empty()) print_line("\n  base backups");
    for (const BaseBackup& backup : backups)
        print_line(format("    {}  {}, timeline {}, {}", time_text(backup.ended), backup.name,
                          backup.timeline,
                          backup.kind == BaseBackup::Kind::stored ? "in the archive"
                                                                  : "kept by whoever took it"));
}

void print_timelines(const std::string& name, const ClusterReport& report) {
    const ClusterSurvey& survey = report.survey;
    const auto size = *wal::SegmentSize::from_bytes(survey.identity->segment_size);
    print_line(format("\ncluster \"{}\", system identifier {}, PostgreSQL {}, segments of {}", name,
                      survey.system_identifier, survey.identity->server_version,
                      size_text(size.bytes())));
    if (survey.timelines.empty()) print_line("\n  nothing archived yet");
    for (const RecoveryWindow& window : report.windows) print_window(window, size);
    print_backups(report.backups);
    for (const TimelineSurvey& timeline : survey.timelines) print_timeline(timeline, size);
}

void print_conflict(const std::string& conflict, ConflictOrigin origin) {
    if (origin == ConflictOrigin::one_instance)
        print_line(
            format("\n  WENT BACK IN TIME: this server had archived another {} before; what "
                   "it wrote now is kept apart. \"walden check\" names the two ways out",
                   conflict.substr(0, conflict.find_last_of('.'))));
    else
        print_line(format(
            "\n  CONFLICT: {} was written by two servers; the later one is kept apart", conflict));
}

void print_cluster(const std::string& name, const ClusterReport& report) {
    const ClusterSurvey& survey = report.survey;
    if (survey.identity)
        print_timelines(name, report);
    else
        print_line(
            format("\ncluster \"{}\", system identifier {}", name, survey.system_identifier));
    for (std::size_t i = 0; i < survey.conflicts.size(); ++i)
        print_conflict(survey.conflicts[i], report.origins[i]);
    for (const catalog::DamagedSegment& segment : survey.damaged)
        print_line(format("\n  DAMAGED AT ITS SOURCE: {} at {}: {}; no recovery can pass it",
                          segment.file_name, to_string(segment.stopped_at), segment.reason));
    for (const std::string& message : survey.unreadable)
        print_line(format("\n  UNREADABLE: {}", message));
}

/// What is known of one of the systems in the store. nullopt if it is not registered.
std::optional<ClusterReport> report_of(const cli::Session& session, std::uint64_t system) {
    const vault::ClusterVault vault = session.open_cluster(system);
    ClusterReport report;
    try {
        if (!vault.claims().find_identity()) return std::nullopt;
        report.survey = catalog::survey_cluster(vault, system);
    } catch (const Error& error) {
        if (!catalog::problem_of(error)) throw;
        // Without its identity nothing can be told of it, but the others can be shown.
        report.survey.system_identifier = system;
        report.survey.unreadable.push_back(error.message());
        return report;
    }
    report.origins = find_origins(vault, report.survey.conflicts);
    if (!report.survey.identity) return report;
    report.backups = find_base_backups(vault, report.survey);
    report.windows =
        find_recovery_windows(report.survey, report.backups,
                              *wal::SegmentSize::from_bytes(report.survey.identity->segment_size));
    return report;
}

void print_repository(const cli::Session& session) {
    const vault::Descriptor& descriptor = session.repository().descriptor();
    print_line(format("repository {} at {}, {}{}", to_hex(descriptor.id),
                      session.config().store.url,
                      descriptor.suite != crypto::Suite::none ? "encrypted" : "NOT ENCRYPTED",
                      descriptor.fencing_proven ? "" : ", NOT FENCED against two writers"));
}

cli::Json repository_json(const cli::Session& session) {
    const vault::Descriptor& descriptor = session.repository().descriptor();
    return {{"id", to_hex(descriptor.id)},
            {"url", session.config().store.url},
            {"encrypted", descriptor.suite != crypto::Suite::none},
            {"fencing", descriptor.fencing_proven ? "proven" : "none"},
            {"created", descriptor.created}};
}

int info(const cli::Common& common) {
    const cli::Config config = cli::read_config(common.config_path);
    const cli::Session session(config, cli::typed(config.archive.deadline), storage::all_stores());
    cli::Json clusters = cli::Json::array();
    if (!common.is_json()) print_repository(session);
    bool is_complete = true;
    for (const std::uint64_t system : session.systems_in_store()) {
        const auto report = report_of(session, system);
        if (!report) continue;
        if (!report->survey.unreadable.empty()) is_complete = false;
        if (!common.is_json())
            print_cluster(config.cluster, *report);
        else
            clusters.push_back(cluster_json(config.cluster, *report));
    }
    if (common.is_json())
        cli::print_json({{"repository", repository_json(session)}, {"clusters", clusters}});
    if (is_complete) return 0;
    cli::report_warning("something in the archive is damaged; \"walden verify\" finds all of it");
    return 1;
}

}  // namespace

void add_info(const cli::Command& parent) {
    static_cast<void>(
        parent.command("info", "Show what the archive holds and what can be restored", info));
}

}  // namespace walden::commands
