#include "base/format.h"
#include "pg/control_file.h"
#include "pg/server.h"
#include "tools/commands/archiver_probe.h"
#include "tools/commands/check/checker.h"

#include <sys/stat.h>

namespace walden::commands {

namespace {

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
                "server.version",
                format("PostgreSQL {}.{} has known errors in WAL handling", major, minor),
                format("Upgrade to {}.{} or newer.", floor.major, floor.minor));
    if (major < 13 || major > 18)
        checker.problem("server.version", format("PostgreSQL {} is not supported", major),
                        "13 to 18 are.");
}

void check_archiver(const pg::Server& server, Checker& checker) {
    const auto failing = server.query(
        "SELECT last_failed_wal || ' at ' || last_failed_time FROM pg_stat_archiver "
        "WHERE last_failed_time IS NOT NULL "
        "AND (last_archived_time IS NULL OR last_failed_time > last_archived_time)");
    if (failing)
        checker.problem("server.archiver",
                        format("the server's last attempt to archive failed: {}", *failing),
                        "The server's log has what walden-push said.");
    const auto archived = server.query(
        "SELECT last_archived_wal || ' at ' || last_archived_time FROM pg_stat_archiver "
        "WHERE last_archived_time IS NOT NULL");
    if (archived)
        checker.ok("server.archiver", format("last archived by the server: {}", *archived));
    else if (!failing)
        checker.warning("server.archiver", "the server has archived nothing yet",
                        "\"SELECT pg_switch_wal()\" makes it archive a segment.");
}

/// False if what it runs is not walden-push, as far as can be told.
bool check_archive_command(const pg::Server& server, const std::string& mode, Checker& checker) {
    const std::string command = server.setting("archive_command");
    const std::size_t push = command.find("walden-push");
    if (server.version() >= 150'000 && !server.setting("archive_library").empty()) {
        checker.problem("server.archive_command",
                        "archive_library is set, so archive_command is not used",
                        "Set archive_library to ''.");
    } else if (push == std::string::npos) {
        checker.problem("server.archive_command",
                        format("archive_command is not ours: \"{}\"", command),
                        "\"walden init\" prints the line to use.");
    } else if (command.find("%p", push) == std::string::npos) {
        checker.problem("server.archive_command",
                        format("archive_command gives walden-push no %p: \"{}\"", command),
                        "\"walden init\" prints the line to use.");
    } else {
        checker.ok("server.archive_command",
                   format("archive_mode is {}, archive_command is \"{}\"", mode, command));
        if (command.find("||", push) != std::string::npos ||
            command.find(';', push) != std::string::npos)
            checker.warning("server.archive_command",
                            "archive_command goes on where walden-push fails",
                            "If it then ends with status 0, the server removes WAL that is not "
                            "archived. \"&&\" is safe.");
        return true;
    }
    return false;
}

/// Also by another name, such as a symbolic link. As the server says where it is, this may be
/// another host, or a directory that this user cannot look at: then the names decide.
bool is_same_directory(const std::string& one, const std::string& other) {
    struct stat first {};

    struct stat second {};

    if (::stat(one.c_str(), &first) != 0 || ::stat(other.c_str(), &second) != 0)
        return one == other;
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

/// Whether the setting was changed and needs a restart to take effect.
bool is_pending(const pg::Server& server, const std::string& name) {
    return server
        .query(format("SELECT 1 FROM pg_settings WHERE pending_restart AND name = '{}'", name))
        .has_value();
}

/// Whether the server is the one whose data directory is configured; reports it if not.
bool is_configured_server(const pg::Server& server, const cli::Config& config, Checker& checker) {
    const auto control = pg::read_control_file(config.pgdata);
    const auto system = server.query("SELECT system_identifier FROM pg_control_system()");
    if (control && system && *system != format("{}", control->system_identifier)) {
        checker.problem(
            "server.identity",
            format("the server is another cluster: its system identifier is {}, that of "
                   "\"{}\" is {}",
                   *system, config.pgdata, control->system_identifier),
            "Correct --conninfo, or pgdata in the configuration.");
        return false;
    }
    const std::string directory = server.setting("data_directory");
    // Where there is no data directory at all, check_archive() has said so.
    if (control && !is_same_directory(directory, config.pgdata))
        checker.warning("server.data_directory",
                        format("the server's data directory is \"{}\", pgdata is \"{}\"", directory,
                               config.pgdata),
                        "They have one system identifier: one is a copy of the other. Correct "
                        "pgdata if it is not the server's.");
    return true;
}

/// From end to end: a segment that the server ends now has to arrive in this archive.
void check_archiving(const pg::Server& server, const cli::Session& session, Checker& checker) {
    const ArchiverProbe probe = probe_archiver(server, session.config().archive.deadline);
    if (probe.segment.empty()) {
        checker.ok("server.archiving",
                   "standby: it cannot end segments, so archiving was not tried end to end");
        return;
    }
    if (!probe.is_archived) {
        checker.problem(
            "server.archiving",
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
        checker.ok("server.archiving", format("the server ended {} and archived it within {} ms",
                                              probe.segment, probe.took.count()));
    else
        checker.problem("server.archiving",
                        format("the server says that {} is archived, and it is not in this archive",
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

}  // namespace

void check_server(const cli::Session& session, const CheckOptions& options, Checker& checker) {
    const pg::Server server = connect(options.conninfo);
    if (!is_configured_server(server, session.config(), checker)) return;
    check_minor_version(server, checker);
    if (server.setting("wal_level") == "minimal")
        checker.problem("server.wal_level", "wal_level is minimal",
                        "Set it to replica or logical.");
    const std::string mode = server.setting("archive_mode");
    if (mode == "off") {
        checker.problem("server.archive_mode", "archive_mode is off",
                        is_pending(server, "archive_mode")
                            ? "It is changed in the configuration already: restart the server."
                            : "Set it to on, and restart the server.");
        return;
    }
    const bool is_ours = check_archive_command(server, mode, checker);
    // First, so that a server that was just set up is not said to have archived nothing.
    if (options.archives && is_ours) check_archiving(server, session, checker);
    check_archiver(server, checker);
}

}  // namespace walden::commands
