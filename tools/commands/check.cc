#include "base/error.h"
#include "base/format.h"
#include "base/random.h"
#include "catalog/descent.h"
#include "catalog/histories.h"
#include "catalog/survey.h"
#include "pg/control_file.h"
#include "pg/recovery_start.h"
#include "pg/server.h"
#include "tools/cli/json.h"
#include "tools/cli/session.h"
#include "tools/commands/any_store.h"
#include "tools/commands/archiver_probe.h"
#include "tools/commands/commands.h"
#include "tools/commands/text.h"
#include "vault/repository.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace walden::commands {

namespace {

enum class Level : std::uint8_t { ok, warning, problem };

struct Finding {
    Level level = Level::ok;
    std::string text;
    std::string hint;
};

std::string_view to_string(Level level) {
    switch (level) {
        case Level::ok: return "ok";
        case Level::warning: return "warning";
        case Level::problem: return "problem";
    }
    return "problem";
}

class Checker {
public:
    void ok(std::string text) { add(Level::ok, std::move(text), ""); }

    void warning(std::string text, std::string hint) {
        add(Level::warning, std::move(text), std::move(hint));
    }

    void problem(std::string text, std::string hint) {
        add(Level::problem, std::move(text), std::move(hint));
    }

    /// Runs one group of checks; what it throws is a problem, and the others still run.
    template <class Check>
    void group(const Check& check) {
        try {
            check();
        } catch (const Error& error) {
            problem(error.message(),
                    error.detail().empty() ? error.hint() : error.detail() + " " + error.hint());
        }
    }

    [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }

private:
    void add(Level level, std::string text, std::string hint) {
        findings_.push_back({.level = level, .text = std::move(text), .hint = std::move(hint)});
    }

    std::vector<Finding> findings_;
};

void check_keys(const cli::Session& session, Checker& checker) {
    if (!session.repository().bundle()) {
        checker.warning("the archive is not encrypted",
                        "Anybody with access to the store can read it.");
        return;
    }
    const crypto::KeyBundle& bundle = *session.repository().bundle();
    checker.ok(format("the key opens the repository ({} bundle)", to_string(bundle.kind())));
    const auto slots = vault::list_slots(session.storage());
    const auto readers = std::count_if(slots.begin(), slots.end(), [](const auto& slot) {
        return slot.header.bundle == crypto::BundleKind::read;
    });
    if (readers < 2)
        checker.warning("there is only one key that can restore",
                        "If it is lost, so is everything. Add another: \"walden keys add\".");
}

/// Writes an object, tries to overwrite it, and takes it away again if that is allowed.
void check_store(const cli::Session& session, Checker& checker) {
    using Outcome = vault::ObjectStorage::PutOutcome;
    vault::ObjectStorage& storage = session.storage();
    const std::string key = format("{}{}", vault::check_prefix, to_hex(random_array<8>()));
    static_cast<void>(storage.put_new(key, as_bytes("walden check\n")));
    const bool is_fenced =
        storage.put_new(key, as_bytes("written twice\n")) == Outcome::already_present;
    try {
        const std::vector<std::string> keys = {key};
        storage.remove(keys);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::denied) throw;
        checker.ok("this host may not delete from the store, as it should be");
    }
    if (is_fenced)
        checker.ok(format("store {} can be written to and refuses to overwrite",
                          session.config().store_url));
    else
        checker.problem("the store let an existing object be created again",
                        "It cannot keep two servers from overwriting each other.");
}

/// Parts that somebody pays for and nobody sees.
void check_uploads(const cli::Config& config, Checker& checker) {
    const auto s3 = open_s3_store(config);
    if (!s3) return;
    const auto yesterday = std::chrono::system_clock::now() - std::chrono::hours(24);
    std::size_t old_count = 0;
    std::string example;
    for (const storage::s3::Upload& upload : s3->list_unfinished_uploads()) {
        if (upload.started > yesterday) continue;
        ++old_count;
        example = format("{} of {}", upload.key, storage::s3::iso_time(upload.started));
    }
    if (old_count == 0)
        checker.ok("no multipart upload was left unfinished for more than a day");
    else
        checker.warning(
            format("{} multipart upload{} unfinished for more than a day, such as {}", old_count,
                   old_count == 1 ? " is" : "s are", example),
            "Their parts take room and are not listed. \"walden expire\" removes them; so does a "
            "lifecycle rule (AbortIncompleteMultipartUpload).");
}

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

/// Minor releases with errors that damage WAL or archives, by major version: the first good one.
void check_minor_version(const pg::Server& server, Checker& checker) {
    struct Floor {
        int major;
        int minor;
    };

    constexpr Floor floors[] = {{13, 13}, {14, 10}, {15, 5}, {16, 1}, {17, 2}};
    const int major = server.version() / 10'000;
    const int minor = server.version() % 10'000;
    for (const Floor& floor : floors)
        if (floor.major == major && minor < floor.minor)
            checker.problem(
                format("PostgreSQL {}.{} has known errors in WAL handling", major, minor),
                format("Upgrade to {}.{} or newer.", floor.major, floor.minor));
    if (major < 13 || major > 18)
        checker.problem(format("PostgreSQL {} is not supported", major), "13 to 18 are.");
}

void check_archiver(const pg::Server& server, Checker& checker) {
    const auto failing = server.query(
        "SELECT last_failed_wal || ' at ' || last_failed_time FROM pg_stat_archiver "
        "WHERE last_failed_time IS NOT NULL "
        "AND (last_archived_time IS NULL OR last_failed_time > last_archived_time)");
    if (failing)
        checker.problem(format("the server's last attempt to archive failed: {}", *failing),
                        "The server's log has what walden-push said.");
    const auto archived = server.query(
        "SELECT last_archived_wal || ' at ' || last_archived_time FROM pg_stat_archiver "
        "WHERE last_archived_time IS NOT NULL");
    if (archived)
        checker.ok(format("last archived by the server: {}", *archived));
    else if (!failing)
        checker.warning("the server has archived nothing yet",
                        "\"SELECT pg_switch_wal()\" makes it archive a segment.");
}

/// False if what it runs is not walden-push, as far as can be told.
bool check_archive_command(const pg::Server& server, const std::string& mode, Checker& checker) {
    const std::string command = server.setting("archive_command");
    const std::size_t push = command.find("walden-push");
    if (server.version() >= 150'000 && !server.setting("archive_library").empty()) {
        checker.problem("archive_library is set, so archive_command is not used",
                        "Set archive_library to ''.");
    } else if (push == std::string::npos) {
        checker.problem(format("archive_command is not ours: \"{}\"", command),
                        "\"walden init\" prints the line to use.");
    } else if (command.find("%p", push) == std::string::npos) {
        checker.problem(format("archive_command gives walden-push no %p: \"{}\"", command),
                        "\"walden init\" prints the line to use.");
    } else {
        checker.ok(format("archive_mode is {}, archive_command is \"{}\"", mode, command));
        if (command.find("||", push) != std::string::npos ||
            command.find(';', push) != std::string::npos)
            checker.warning("archive_command goes on where walden-push fails",
                            "If it then ends with status 0, the server removes WAL that is not "
                            "archived. \"&&\" is safe.");
        return true;
    }
    return false;
}

/// Whether the server is the one whose data directory is configured; reports it if not.
bool is_configured_server(const pg::Server& server, const cli::Config& config, Checker& checker) {
    const auto control = pg::read_control_file(config.pgdata);
    const auto system = server.query("SELECT system_identifier FROM pg_control_system()");
    if (control && system && *system != format("{}", control->system_identifier)) {
        checker.problem(
            format("the server is another cluster: its system identifier is {}, that of "
                   "\"{}\" is {}",
                   *system, config.pgdata, control->system_identifier),
            "Correct --conninfo, or pgdata in the configuration.");
        return false;
    }
    const std::string directory = server.setting("data_directory");
    if (directory != config.pgdata)
        checker.warning(format("the server's data directory is \"{}\", pgdata is \"{}\"", directory,
                               config.pgdata),
                        "They may be the same by a symbolic link.");
    return true;
}

/// From end to end: a segment that the server ends now has to arrive in this archive.
void check_archiving(const pg::Server& server, const cli::Session& session, Checker& checker) {
    const ArchiverProbe probe = probe_archiver(server, session.config().archive_deadline);
    if (probe.segment.empty()) {
        checker.ok("the server is a standby: it ends no segments");
        return;
    }
    if (!probe.is_archived) {
        checker.problem(
            format("the server has not archived {} within {} ms", probe.segment,
                   probe.took.count()),
            probe.failure_count == 0
                ? "\"walden status\" shows what waits before it."
                : format(
                      "Its archiver failed {} times meanwhile, last with {}. The server's log has "
                      "what walden-push said.",
                      probe.failure_count, probe.last_failed));
        return;
    }
    const vault::ClusterVault vault = session.open_cluster();
    if (vault.entries().find(vault.layout().segment_key(probe.segment)))
        checker.ok(format("the server ended {} and archived it within {} ms", probe.segment,
                          probe.took.count()));
    else
        checker.problem(format("the server says that {} is archived, and it is not in this archive",
                               probe.segment),
                        "Does its archive_command use another configuration?");
}

pg::Server connect(const std::string& conninfo) {
    try {
        return pg::Server(conninfo);
    } catch (const Error& error) {
        throw Error(error.kind(), error.message())
            .with_hint("Name the server with --conninfo, or leave it out with --no-server.");
    }
}

void check_server(const cli::Session& session, const CheckOptions& options, Checker& checker) {
    const pg::Server server = connect(options.conninfo);
    if (!is_configured_server(server, session.config(), checker)) return;
    check_minor_version(server, checker);
    if (server.setting("wal_level") == "minimal")
        checker.problem("wal_level is minimal", "Set it to replica or logical.");
    const std::string mode = server.setting("archive_mode");
    if (mode == "off") {
        checker.problem("archive_mode is off", "Set it to on, and restart the server.");
        return;
    }
    const bool is_ours = check_archive_command(server, mode, checker);
    check_archiver(server, checker);
    if (options.archives && is_ours) check_archiving(server, session, checker);
}

void print(const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) {
        print_line(format("{:<8} {}", to_string(finding.level), finding.text));
        if (!finding.hint.empty()) print_line(format("         {}", finding.hint));
    }
}

}  // namespace

int check(const Common& common, const CheckOptions& options) {
    Checker checker;
    checker.group([&] {
        const cli::Config config = cli::read_config(common.config_path);
        const cli::Session session(config, config.archive_deadline, open_any_store);
        checker.ok(format("repository {}", to_hex(session.repository().descriptor().id)));
        checker.group([&] { check_keys(session, checker); });
        checker.group([&] { check_store(session, checker); });
        checker.group([&] { check_uploads(config, checker); });
        checker.group([&] { check_archive(session, options, checker); });
        if (options.asks_server) checker.group([&] { check_server(session, options, checker); });
    });
    const auto& findings = checker.findings();
    const bool is_good = std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
        return finding.level == Level::problem;
    });
    if (common.output == Output::json) {
        cli::Json all = cli::Json::array();
        for (const Finding& finding : findings)
            all.push_back({{"level", to_string(finding.level)},
                           {"text", finding.text},
                           {"hint", finding.hint}});
        cli::print_json({{"ok", is_good}, {"findings", all}});
    } else {
        print(findings);
    }
    return is_good ? 0 : 1;
}

}  // namespace walden::commands
