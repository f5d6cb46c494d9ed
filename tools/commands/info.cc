#include "base/format.h"
#include "inspect/survey.h"
#include "tools/cli/json.h"
#include "tools/cli/session.h"
#include "tools/commands/any_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/text.h"

namespace walden::commands {

namespace {

using inspect::ClusterSurvey;
using inspect::SegmentRun;
using inspect::TimelineSurvey;

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
        print_line(format("    owner        host {}, {}", timeline.owner->host,
                          timeline.owner->pgdata));
    for (const SegmentRun& run : timeline.runs)
        print_line(format("    restorable   {} .. {}   {} segments, WAL {} .. {}",
                          name_of(timeline, run.first, size), name_of(timeline, run.last, size),
                          run.count(), start_of(timeline, run.first, size),
                          start_of(timeline, run.last + 1, size)));
    for (const SegmentRun& gap : gaps_of(timeline))
        print_line(format("    GAP          {} .. {}   {} segments missing; recovery ends before it",
                          name_of(timeline, gap.first, size), name_of(timeline, gap.last, size),
                          gap.count()));
    if (timeline.newest && timeline.newest->facts.is_damaged())
        print_line(format("    DAMAGED      {} at {}", timeline.newest->file_name,
                          to_string(timeline.newest->facts.stopped_at)));
    if (timeline.latest_commit)
        print_line(format("    last commit  {}", wal::to_utc_text(*timeline.latest_commit)));
    if (timeline.newest)
        print_line(format("    archived     {}", time_text(timeline.newest->archived)));
    if (timeline.segment_count > 0)
        print_line(format("    size         {} of WAL in {} ({:.2f} : 1)",
                          size_text(timeline.plain_bytes), size_text(timeline.stored_bytes),
                          ratio_of(timeline)));
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
            {"latest_commit_time", timeline.latest_commit
                                       ? cli::Json(wal::to_utc_text(*timeline.latest_commit))
                                       : cli::Json()},
            {"archived_at", timeline.newest ? cli::Json(timeline.newest->archived) : cli::Json()},
            {"owner_host", timeline.owner ? cli::Json(timeline.owner->host) : cli::Json()}};
}

cli::Json cluster_json(const std::string& name, const ClusterSurvey& survey,
                       wal::SegmentSize size) {
    cli::Json timelines = cli::Json::array();
    for (const TimelineSurvey& timeline : survey.timelines)
        timelines.push_back(timeline_json(timeline, size));
    return {{"name", name},
            {"system_identifier", format("{}", survey.system_identifier)},
            {"segment_size", size.bytes()},
            {"server_version", survey.identity->server_version},
            {"timelines", timelines},
            {"labels", survey.labels},
            {"conflicts", survey.conflicts}};
}

void print_cluster(const std::string& name, const ClusterSurvey& survey, wal::SegmentSize size) {
    print_line(format("\ncluster \"{}\", system identifier {}, PostgreSQL {}, segments of {}", name,
                      survey.system_identifier, survey.identity->server_version,
                      size_text(size.bytes())));
    if (survey.timelines.empty()) print_line("\n  nothing archived yet");
    for (const TimelineSurvey& timeline : survey.timelines) print_timeline(timeline, size);
    for (const std::string& conflict : survey.conflicts)
        print_line(format("\n  CONFLICT: {} was written by two servers; the later one is kept apart",
                          conflict));
}

}  // namespace

int info(const Common& common) {
    const cli::Config config = cli::read_config(common.config_path);
    const cli::Session session(config, config.archive_deadline, open_any_store);
    const vault::Descriptor& descriptor = session.repository().descriptor();
    const bool is_encrypted = descriptor.suite != crypto::Suite::none;
    cli::Json clusters = cli::Json::array();
    if (common.output == Output::text)
        print_line(format("repository {} at {}, {}{}", to_hex(descriptor.id), config.store_url,
                          is_encrypted ? "encrypted" : "NOT ENCRYPTED",
                          descriptor.fencing_proven ? "" : ", NOT FENCED against two writers"));
    for (const std::uint64_t system : session.registered_systems()) {
        const ClusterSurvey survey = inspect::survey_cluster(session.open_cluster(system), system);
        const auto size = *wal::SegmentSize::from_bytes(survey.identity->segment_size);
        if (common.output == Output::text)
            print_cluster(config.cluster, survey, size);
        else
            clusters.push_back(cluster_json(config.cluster, survey, size));
    }
    if (common.output == Output::json)
        cli::print_json({{"repository",
                          {{"id", to_hex(descriptor.id)},
                           {"url", config.store_url},
                           {"encrypted", is_encrypted},
                           {"fencing", descriptor.fencing_proven ? "proven" : "none"},
                           {"created", descriptor.created}}},
                         {"clusters", clusters}});
    return 0;
}

}  // namespace walden::commands
