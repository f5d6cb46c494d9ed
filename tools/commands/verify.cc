#include "base/format.h"
#include "inspect/verifier.h"
#include "pg/control_file.h"
#include "storage/all_stores.h"
#include "tools/cli/json.h"
#include "tools/cli/messages.h"
#include "tools/cli/session.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/codec_text.h"
#include "tools/commands/text.h"

#include <chrono>
#include <iterator>
#include <memory>
#include <utility>

namespace walden::commands {

namespace {

struct VerifyOptions {
    bool is_shallow = false;
};

/// What this host remembers to have archived, if it is the host of that cluster.
std::optional<inspect::HighWater> high_water(const cli::Session& session, std::uint64_t system) {
    const auto control = pg::read_control_file(session.config().pgdata);
    if (!control || control->system_identifier != system) return std::nullopt;
    const archive::LocalState state = cli::open_local_state(session, system);
    if (!state.last_archived()) return std::nullopt;
    return inspect::HighWater{.file_name = state.last_archived()->file_name,
                              .content_id = state.last_archived()->content_id};
}

void add(inspect::VerifyReport& sum, inspect::VerifyReport&& more) {
    std::move(more.problems.begin(), more.problems.end(), std::back_inserter(sum.problems));
    std::move(more.notes.begin(), more.notes.end(), std::back_inserter(sum.notes));
    sum.object_count += more.object_count;
    sum.segment_count += more.segment_count;
    sum.plain_bytes += more.plain_bytes;
    sum.stored_bytes += more.stored_bytes;
    sum.record_count += more.record_count;
    sum.codecs.add(more.codecs);
}

void print_text(const inspect::VerifyReport& report, bool is_shallow) {
    for (const catalog::Problem& problem : report.problems)
        print_line(format("{}: {}: {}", to_string(problem.kind), problem.object, problem.message));
    for (const std::string& note : report.notes) print_line(format("note: {}", note));
    const std::string extent =
        is_shallow ? std::string("names, entries and checksums checked, contents not opened")
                   : format("{} decoded and compared, {} checked", size_text(report.plain_bytes),
                            count_text(report.record_count, "WAL record"));
    const std::string verdict =
        report.problems.empty()
            ? "good"
            : format("NOT GOOD, {}", count_text(report.problems.size(), "problem"));
    print_line(format(
        "{}: {}, {}, {} stored; {}", verdict, count_text(report.object_count, "object"),
        count_text(report.segment_count, "segment"), size_text(report.stored_bytes), extent));
    if (report.codecs.content_count > 0)
        print_line(format("segments by codec: {}", codecs_text(report.codecs)));
}

void print_as_json(const inspect::VerifyReport& report, bool is_shallow) {
    cli::Json problems = cli::Json::array();
    for (const catalog::Problem& problem : report.problems)
        problems.push_back({{"object", problem.object},
                            {"kind", to_string(problem.kind)},
                            {"message", problem.message}});
    cli::print_json({{"ok", report.problems.empty()},
                     {"depth", is_shallow ? "shallow" : "full"},
                     {"problems", problems},
                     {"notes", report.notes},
                     {"objects", report.object_count},
                     {"segments", report.segment_count},
                     {"codecs", codecs_json(report.codecs)},
                     {"stored_bytes", report.stored_bytes},
                     {"plain_bytes_checked", report.plain_bytes},
                     {"wal_records_checked", report.record_count}});
}

int verify(const cli::Common& common, const VerifyOptions& options) {
    const cli::Config config = cli::read_config(common.config_path);
    // A verification may take hours; every single request still has its own end.
    const cli::Session session(config, cli::typed(std::chrono::hours(24 * 7)),
                               storage::all_stores());
    inspect::VerifyReport report;
    report.problems = inspect::verify_repository(session.storage());
    for (const std::uint64_t system : session.systems_in_store()) {
        const vault::ClusterVault vault = session.open_cluster(system);
        inspect::VerifySettings settings;
        settings.depth = options.is_shallow ? inspect::Depth::shallow : inspect::Depth::full;
        settings.worker_count = config.codec.worker_count;
        settings.high_water = high_water(session, system);
        settings.progress = [](std::uint64_t done, std::uint64_t all) {
            cli::show_progress(done == all ? "" : format("verified {} of {} segments", done, all));
        };
        add(report, inspect::verify_cluster(vault, settings));
    }
    if (common.is_json())
        print_as_json(report, options.is_shallow);
    else
        print_text(report, options.is_shallow);
    return report.problems.empty() ? 0 : 1;
}

}  // namespace

void add_verify(const cli::Command& parent) {
    const auto options = std::make_shared<VerifyOptions>();
    const cli::Command command =
        parent.command("verify", "Prove that everything in the archive is whole",
                       [options](const cli::Common& common) { return verify(common, *options); });
    command.flag("--shallow", options->is_shallow,
                 "Names, entries and checksums only; works with a put key");
}

}  // namespace walden::commands
