#include "tools/commands/target_report.h"

#include "base/error.h"
#include "base/format.h"
#include "catalog/stored_lines.h"
#include "pg/postmaster_file.h"
#include "pg/recovery_state.h"
#include "storage/all_stores.h"
#include "tools/cli/session.h"

namespace walden::commands {

namespace {

constexpr pg::ServerPatience patience{.connecting = std::chrono::seconds(5),
                                      .answer = std::chrono::seconds(5)};
constexpr std::chrono::seconds store_deadline{10};

/// What libpq says of a server that cannot be connected to, without how it was tried where the
/// server itself has answered.
std::string connection_note(const Error& error) {
    const auto answer = error.message().find("the database system is");
    if (answer == std::string::npos) return format("cannot connect: {}", error.message());
    // Before version 14 the server says "starting up" and no more.
    const std::string detail =
        error.detail().empty()
            ? "In recovery it answers once it is consistent, with hot_standby = on."
            : error.detail();
    return format("{} ({})", error.message().substr(answer), detail);
}

std::optional<pg::Server> connect(const cli::Config& config, const std::string& conninfo,
                                  std::string& note) {
    std::string place = conninfo;
    if (place.empty()) {
        const auto local = pg::find_local_conninfo(config.pgdata);
        if (!local) {
            note = "postmaster.pid names no socket; --conninfo can name the server";
            return std::nullopt;
        }
        place = *local;
    }
    try {
        return pg::Server(place, patience);
    } catch (const Error& error) {
        note = connection_note(error);
        return std::nullopt;
    }
}

void ask_server(const cli::Config& config, const std::string& conninfo, TargetReport& report) {
    const auto server = connect(config, conninfo, report.note);
    if (!server) return;
    const pg::RecoveryProgress progress = pg::ask_recovery(*server);
    if (progress.is_recovering)
        report.progress = progress;
    else
        report.note = "the server is not in recovery";
}

void ask_archive(const cli::Config& config, TargetReport& report) {
    const pg::RecoveryProgress& progress = *report.progress;
    const pg::RecoveryTarget& target = progress.target;
    const cli::Session session(config, store_deadline, storage::all_stores());
    const vault::ClusterVault vault = session.open_cluster(progress.system_identifier);
    const vault::ClusterIdentity identity = session.require_identity(vault);
    report.segment_size = cli::fetch_settings(config, identity).segment_size;
    report.place = catalog::TargetFinder(vault, report.segment_size,
                                         catalog::read_target_line(vault, target.timeline,
                                                                   progress.checkpoint_timeline),
                                         segment_number_of(progress.replayed, report.segment_size))
                       .find(target);
}

/// An answer of the server means that it is consistent. Behind a position nothing is replayed but
/// the record that begins there.
bool is_reached(const pg::RecoveryProgress& progress) {
    if (progress.target.kind == pg::TargetKind::immediate) return true;
    return progress.target.kind == pg::TargetKind::lsn && progress.replayed > progress.target.lsn;
}

}  // namespace

std::optional<std::uint64_t> TargetReport::count_to(
    const std::optional<wal::SegmentName>& segment) const {
    if (!progress || !segment) return std::nullopt;
    const std::uint64_t now_at = segment_number_of(progress->replayed, segment_size);
    return segment->segment_number > now_at ? segment->segment_number - now_at : 0;
}

std::optional<std::uint64_t> TargetReport::remaining_count() const {
    if (is_reached) return 0;
    return place ? count_to(place->segment) : std::nullopt;
}

std::optional<std::uint64_t> TargetReport::count_to_end() const {
    return place ? count_to(place->archive_end) : std::nullopt;
}

TargetReport find_target(const cli::Config& config, const std::string& conninfo) {
    TargetReport report;
    report.is_wanted = !conninfo.empty() ||
                       (pg::is_in_archive_recovery(config.pgdata) && pg::is_running(config.pgdata));
    if (!report.is_wanted) return report;
    try {
        ask_server(config, conninfo, report);
        if (!report.progress) return report;
        report.is_reached = is_reached(*report.progress);
        ask_archive(config, report);
    } catch (const Error& error) {
        report.note = error.message();
    }
    return report;
}

}  // namespace walden::commands
