#include "tools/commands/recovery_report.h"

#include "base/format.h"
#include "tools/commands/text.h"

namespace walden::commands {

namespace {

using Reach = catalog::TargetPlace::Reach;

std::string seconds_text(std::uint64_t microseconds) {
    return format("{:.1f} s", static_cast<double>(microseconds) / 1e6);
}

std::string milliseconds_text(std::uint64_t microseconds) {
    return format("{:.1f} ms", static_cast<double>(microseconds) / 1e3);
}

double seconds(std::uint64_t microseconds) {
    return static_cast<double>(microseconds) / 1e6;
}

/// Of a hundred files delivered, those that were there when they were asked for.
double hit_percentage(const recovery::PrefetchStatus& r) {
    const std::uint64_t delivered = r.prefetched_count + r.awaited_count + r.fetched_count;
    return delivered == 0
               ? 0.0
               : 100.0 * static_cast<double>(r.prefetched_count) / static_cast<double>(delivered);
}

void print_to_end(std::uint64_t count, std::string_view end, std::uint64_t replay_us) {
    const std::string time =
        replay_us == 0
            ? ""
            : format(", {} at this pace", age_text((count * replay_us + 999'999) / 1'000'000));
    print_line(format("to go       {} to the archive's end at {}{}", count_text(count, "segment"),
                      end, time));
}

/// "recovery_target_lsn = 0/3000000, exclusive, then promote".
std::string setting_text(const pg::RecoveryTarget& target) {
    if (target.kind == pg::TargetKind::none) return "none: recovery goes on to the end of WAL";
    const std::string name = target.kind == pg::TargetKind::immediate
                                 ? std::string("recovery_target")
                                 : format("recovery_target_{}", to_string(target.kind));
    const bool has_edge = target.kind == pg::TargetKind::lsn ||
                          target.kind == pg::TargetKind::time || target.kind == pg::TargetKind::xid;
    return format("{} = {}{}, then {}", name, target.text,
                  has_edge && !target.is_inclusive ? ", exclusive" : "", target.action);
}

std::string_view to_string(Reach reach) {
    switch (reach) {
        case Reach::in_archive: return "in_archive";
        case Reach::beyond_archive: return "beyond_archive";
        case Reach::not_told: return "not_told";
    }
    return "not_told";
}

bool has_target(const TargetReport& report) {
    return report.progress && report.progress->target.kind != pg::TargetKind::none;
}

/// Of a server that has told its target.
std::string_view reach_text(const TargetReport& report) {
    if (report.is_reached) return "reached";
    return to_string(report.place && has_target(report) ? report.place->reach : Reach::not_told);
}

bool is_beyond(const TargetReport& report) {
    return has_target(report) && reach_text(report) == "beyond_archive";
}

void print_warning(const TargetReport& report) {
    const catalog::TargetPlace& place = *report.place;
    const std::string last_commit =
        place.last_commit
            ? format(", the last commit seen there is of {}", wal_time_text(*place.last_commit))
            : "";
    print_line(format("WARNING     the target is beyond the end of the archive{}", last_commit));
    print_line(
        "            Recovery would end there with FATAL, \"recovery ended before configured "
        "recovery target was reached\"; a standby waits for more");
}

void print_to_target(const TargetReport& report, std::uint64_t replay_us) {
    if (report.is_reached) return print_line("to target   reached");
    if (is_beyond(report)) return print_warning(report);
    const auto count = report.remaining_count();
    if (!count)
        return print_line(
            format("to target   not known: {}", report.place ? report.place->reason : report.note));
    const std::string about = report.place->is_estimate ? "about " : "";
    const std::string name = to_string(*report.place->segment, report.segment_size);
    if (*count == 0)
        return print_line(format("to target   {}in {}, which is being replayed", about, name));
    const std::string time =
        replay_us == 0
            ? std::string("how long that takes is not known without an agent")
            : format("{} at this pace", age_text((*count * replay_us + 999'999) / 1'000'000));
    print_line(
        format("to target   {}{}, up to {}; {}", about, count_text(*count, "segment"), name, time));
}

cli::Json distance_json(const std::optional<std::uint64_t>& count, std::uint64_t replay_us) {
    if (!count) return {};
    return {{"count", *count},
            {"seconds", replay_us == 0 ? cli::Json() : cli::Json(seconds(*count * replay_us))}};
}

cli::Json segment_json(const std::optional<wal::SegmentName>& segment, wal::SegmentSize size) {
    return segment ? cli::Json(to_string(*segment, size)) : cli::Json();
}

}  // namespace

void print_recovery(const recovery::PrefetchStatus& r, const TargetReport& target) {
    if (r.question_count == 0) return;
    print_line(
        format("recovery    {} files prefetched, {} awaited, {} fetched when asked for: {:.0f} % "
               "were there",
               r.prefetched_count, r.awaited_count, r.fetched_count, hit_percentage(r)));
    print_line(format("            {} not in the archive, {} failures, {} prefetched in vain",
                      r.absent_count, r.failure_count, r.discarded_count));
    print_line(format("ahead       {} segments ({}) of {} wanted, {} being fetched", r.ready_count,
                      size_text(r.ready_size), r.depth, r.in_flight));
    print_line(format("pace        a segment is replayed in {}, fetched in {}; waited {} in all",
                      milliseconds_text(r.replay_us), milliseconds_text(r.fetch_us),
                      seconds_text(r.waited_us)));
    if (!r.last_delivered.empty()) print_line(format("restored    {}", r.last_delivered));
    // The archive has been asked just now for the server's own place, or it is the agent's guess.
    if (!r.last_in_archive.empty() && !target.count_to_end())
        print_to_end(r.remaining_count, r.last_in_archive, r.replay_us);
    if (!r.last_failure.empty()) print_line(format("trouble     {}", r.last_failure));
}

cli::Json recovery_json(const recovery::PrefetchStatus& r) {
    return {{"questions", r.question_count},
            {"prefetched", r.prefetched_count},
            {"awaited", r.awaited_count},
            {"fetched", r.fetched_count},
            {"not_there", r.absent_count},
            {"failures", r.failure_count},
            {"discarded", r.discarded_count},
            {"waited_seconds", seconds(r.waited_us)},
            {"ahead", {{"count", r.ready_count}, {"size", r.ready_size}, {"depth", r.depth}}},
            {"in_flight", r.in_flight},
            {"memory_in_use", r.memory_in_use},
            {"replay_seconds", seconds(r.replay_us)},
            {"fetch_seconds", seconds(r.fetch_us)},
            {"remaining",
             {{"count", r.remaining_count},
              {"seconds", seconds(r.remaining_us)},
              {"end", r.last_in_archive}}},
            {"last", r.last_delivered},
            {"last_failure", r.last_failure}};
}

void print_target(const TargetReport& report, std::uint64_t replay_us) {
    if (!report.is_wanted) return;
    if (!report.progress) return print_line(format("target      not known: {}", report.note));
    const pg::RecoveryProgress& progress = *report.progress;
    print_line(format("server      in recovery, replayed up to {}{}{}",
                      wal::to_string(progress.replayed),
                      progress.last_commit
                          ? format(", the last commit of {}", wal_time_text(*progress.last_commit))
                          : "",
                      progress.is_paused ? "; paused, pg_wal_replay_resume() lets it go on" : ""));
    print_line(format("target      {}", setting_text(progress.target)));
    if (has_target(report))
        print_to_target(report, replay_us);
    else if (!report.note.empty())
        print_line(format("to go       not known: {}", report.note));
    if (const auto count = report.count_to_end())
        print_to_end(*count, to_string(*report.place->archive_end, report.segment_size), replay_us);
}

cli::Json target_json(const TargetReport& report, std::uint64_t replay_us) {
    if (!report.is_wanted) return {};
    cli::Json json = {{"known", report.progress.has_value()}, {"note", report.note}};
    if (!report.progress) return json;
    const pg::RecoveryProgress& progress = *report.progress;
    const pg::RecoveryTarget& target = progress.target;
    json["replayed"] = wal::to_string(progress.replayed);
    json["last_commit"] =
        progress.last_commit ? cli::Json(json_wal_time(*progress.last_commit)) : cli::Json();
    json["paused"] = progress.is_paused;
    json["type"] = to_string(target.kind);
    json["value"] = target.text;
    json["inclusive"] = target.is_inclusive;
    json["action"] = target.action;
    json["timeline"] = target.timeline;
    json["reach"] = has_target(report) ? cli::Json(reach_text(report)) : cli::Json();
    json["remaining"] = distance_json(report.remaining_count(), replay_us);
    if (!report.place) return json;
    const catalog::TargetPlace& place = *report.place;
    json["reason"] = place.reason;
    json["estimated"] = place.is_estimate;
    json["segment"] = segment_json(place.segment, report.segment_size);
    json["archive_end"] = segment_json(place.archive_end, report.segment_size);
    json["remaining_to_end"] = distance_json(report.count_to_end(), replay_us);
    return json;
}

void print_recovery_metrics(const recovery::PrefetchStatus& r, const PrintMetric& print) {
    const auto metric = [&](std::string_view name, std::string_view type, std::string_view help,
                            std::uint64_t value) {
        print(name, type, help, static_cast<double>(value));
    };
    metric("fetch_prefetched_files_total", "counter",
           "Files that were there when recovery asked for them.", r.prefetched_count);
    metric("fetch_awaited_files_total", "counter", "Files that were being fetched at the time.",
           r.awaited_count);
    metric("fetch_asked_files_total", "counter", "Files fetched only when they were asked for.",
           r.fetched_count);
    metric("fetch_absent_files_total", "counter",
           "Questions for files that are not in the archive.", r.absent_count);
    metric("fetch_failures_total", "counter", "Questions that could not be answered.",
           r.failure_count);
    metric("fetch_discarded_files_total", "counter", "Files prefetched in vain.",
           r.discarded_count);
    print("fetch_waited_seconds_total", "counter", "How long recovery waited for answers.",
          seconds(r.waited_us));
    metric("fetch_ahead_files", "gauge", "Files that are prefetched.", r.ready_count);
    metric("fetch_ahead_bytes", "gauge", "Their size.", r.ready_size);
    metric("fetch_depth_files", "gauge", "Files that are to be ahead.", r.depth);
    print("replay_seconds_per_segment", "gauge", "How long a segment's replay takes.",
          seconds(r.replay_us));
    print("fetch_seconds_per_segment", "gauge", "How long fetching a segment takes.",
          seconds(r.fetch_us));
    metric("recovery_remaining_files", "gauge", "Segments to the end of the archive, where known.",
           r.remaining_count);
    print("recovery_remaining_seconds", "gauge", "Time to the end of the archive at this pace.",
          seconds(r.remaining_us));
}

void print_target_metrics(const TargetReport& report, std::uint64_t replay_us,
                          const PrintMetric& print) {
    if (!report.is_wanted) return;
    print("recovery_target_known", "gauge", "Whether the recovering server tells its target.",
          report.progress ? 1 : 0);
    if (!has_target(report)) return;
    print("recovery_target_reached", "gauge", "Whether it has been reached, where that is known.",
          report.is_reached ? 1 : 0);
    print("recovery_target_beyond_archive", "gauge",
          "Whether recovery would end before its target for want of WAL.",
          is_beyond(report) ? 1 : 0);
    const auto count = report.remaining_count();
    if (!count) return;
    print("recovery_target_remaining_files", "gauge", "Segments to the recovery target, estimated.",
          static_cast<double>(*count));
    if (replay_us == 0) return;
    print("recovery_target_remaining_seconds", "gauge", "Time to the recovery target at this pace.",
          seconds(*count * replay_us));
}

}  // namespace walden::commands
