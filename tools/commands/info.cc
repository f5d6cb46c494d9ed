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
#include "tools/commands/text.h"

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
        print_line(format("    last commit  {}", wal::to_utc_text(*timeline.latest_commit)));
    if (timeline.newest)
        print_line(format("    archived     {}", time_text(timeline.newest->archived)));
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
    return {{"timeline", timeline.timeline},
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
            {"latest_commit_time", timeline.latest_commit
                                       ? cli::Json(wal::to_utc_text(*timeline.latest_commit))
                                       : cli::Json()},
            {"archived_at", timeline.newest ? cli::Json(timeline.newest->archived) : cli::Json()},
            {"owner_host", timeline.owner ? cli::Json(timeline.owner->host) : cli::Json()}};
}

cli::Json cluster_json(const std::string& name, const ClusterSurvey& survey) {
    cli::Json damaged = cli::Json::array();
    for (const catalog::DamagedSegment& segment : survey.damaged)
        damaged.push_back({{"segment", segment.file_name},
                           {"lsn", to_string(segment.stopped_at)},
                           {"reason", segment.reason}});
    cli::Json json = {{"name", name},
                      {"system_identifier", format("{}", survey.system_identifier)},
                      {"labels", survey.labels},
                      {"conflicts", survey.conflicts},
                      {"damaged", damaged},
                      {"unreadable", survey.unreadable},
                      {"timelines", cli::Json::array()}};
    if (!survey.identity) return json;
    const auto size = *wal::SegmentSize::from_bytes(survey.identity->segment_size);
    cli::Json timelines = cli::Json::array();
    for (const TimelineSurvey& timeline : survey.timelines)
        timelines.push_back(timeline_json(timeline, size));
    json["segment_size"] = size.bytes();
    json["server_version"] = survey.identity->server_version;
    json["timelines"] = timelines;
    return json;
}

void print_timelines(const std::string& name, const ClusterSurvey& survey) {
    const auto size = *wal::SegmentSize::from_bytes(survey.identity->segment_size);
    print_line(format("\ncluster \"{}\", system identifier {}, PostgreSQL {}, segments of {}", name,
                      survey.system_identifier, survey.identity->server_version,
                      size_text(size.bytes())));
    if (survey.timelines.empty()) print_line("\n  nothing archived yet");
    for (const TimelineSurvey& timeline : survey.timelines) print_timeline(timeline, size);
}

void print_cluster(const std::string& name, const ClusterSurvey& survey) {
    if (survey.identity)
        print_timelines(name, survey);
    else
        print_line(
            format("\ncluster \"{}\", system identifier {}", name, survey.system_identifier));
    for (const std::string& conflict : survey.conflicts)
        print_line(format(
            "\n  CONFLICT: {} was written by two servers; the later one is kept apart", conflict));
    for (const catalog::DamagedSegment& segment : survey.damaged)
        print_line(format("\n  DAMAGED AT ITS SOURCE: {} at {}: {}; no recovery can pass it",
                          segment.file_name, to_string(segment.stopped_at), segment.reason));
    for (const std::string& message : survey.unreadable)
        print_line(format("\n  UNREADABLE: {}", message));
}

/// The survey of one of the systems in the store. nullopt if it is not registered.
std::optional<ClusterSurvey> survey_of(const cli::Session& session, std::uint64_t system) {
    const vault::ClusterVault vault = session.open_cluster(system);
    try {
        if (!vault.claims().find_identity()) return std::nullopt;
        return catalog::survey_cluster(vault, system);
    } catch (const Error& error) {
        if (!catalog::problem_of(error)) throw;
        // Without its identity nothing can be told of it, but the others can be shown.
        ClusterSurvey survey;
        survey.system_identifier = system;
        survey.unreadable.push_back(error.message());
        return survey;
    }
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
    const cli::Session session(config, config.archive.deadline, storage::all_stores());
    cli::Json clusters = cli::Json::array();
    if (!common.is_json()) print_repository(session);
    bool is_complete = true;
    for (const std::uint64_t system : session.systems_in_store()) {
        const auto survey = survey_of(session, system);
        if (!survey) continue;
        if (!survey->unreadable.empty()) is_complete = false;
        if (!common.is_json())
            print_cluster(config.cluster, *survey);
        else
            clusters.push_back(cluster_json(config.cluster, *survey));
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
