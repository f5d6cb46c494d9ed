// Against the servers that tests/e2e/test_backup_server.py starts.
#include "pg/backup_session.h"

#include "base/format.h"
#include "pg/connection.h"
#include "pg/control_file.h"
#include "pg/server.h"
#include "support/errors.h"
#include "test_servers.h"

#include <catch2/catch.hpp>

#include <functional>

using namespace walden;
using namespace walden::test;
using namespace walden::pg;

namespace {

/// Runs one statement, whatever it returns.
void run(const std::string& conninfo, const std::string& sql) {
    const Answer answer = Connection(conninfo, {}).ask(sql);
    if (answer.kind == AnswerKind::refused) FAIL(sql << ": " << answer.refusal.message);
}

/// Waits on the server until `condition` is true there; a minute at most.
void wait_for_sql(const Server& server, const std::string& condition) {
    for (int attempt = 0; attempt < 600; ++attempt) {
        if (server.query(format("SELECT {}", condition)) == "t") return;
        static_cast<void>(server.query("SELECT pg_sleep(0.1)"));
    }
    FAIL("it did not become true: " << condition);
}

/// The sessions of walden on the server, but the one that asks.
const std::string other_sessions =
    "FROM pg_stat_activity WHERE application_name = 'walden' AND pid <> pg_backend_pid()";

}  // namespace

TEST_CASE("a backup session brings the label, the map and the positions", "[primary]") {
    const Server server(primary_conninfo());
    BackupSession session(primary_conninfo());
    const ServerFacts& facts = session.facts();
    const auto control = read_control_file(primary_data());
    REQUIRE(control.has_value());
    CHECK(facts.version == server.version());
    CHECK(facts.system_identifier == control->system_identifier);
    CHECK(facts.catalog_version == control->catalog_version);
    CHECK(facts.page_size == 8192);
    CHECK(facts.pages_per_file == 131072);
    CHECK(facts.segment_size == control->segment_size);
    CHECK(facts.has_data_checksums);
    CHECK_FALSE(facts.is_standby);
    CHECK(facts.data_directory == primary_data());
    CHECK(facts.configuration_files.at(0) == primary_data() + "/postgresql.conf");
    CHECK(facts.wal_level == "replica");

    const BackupStart start = session.start("nightly 'x' \\ ä", CheckpointPace::fast);
    CHECK(start.timeline == 1);
    REQUIRE(start.tablespaces.size() == 1);
    CHECK(start.tablespaces[0].location == tablespace_location());
    session.keep_alive();
    const BackupStop stop = session.stop();
    CHECK(stop.label.redo == start.redo);
    CHECK(stop.label.timeline == 1);
    CHECK(stop.timeline == 1);
    CHECK(stop.label.checkpoint >= start.redo);
    CHECK(stop.stop > stop.label.checkpoint);
    CHECK(stop.label.label == "nightly 'x' \\ ä");
    CHECK_FALSE(stop.label.is_from_standby);
    CHECK(stop.tablespace_map_text ==
          format("{} {}\n", start.tablespaces[0].oid, tablespace_location()));
    CHECK(parse_backup_label(stop.label_text).has_value());
}

TEST_CASE("a label that would spoil backup_label is refused before the backup begins",
          "[primary]") {
    BackupSession session(primary_conninfo());
    for (const std::string& label : {std::string("a\nSTART TIMELINE: 7"), std::string("a\r"),
                                     std::string(1025, 'x'), std::string("a\0b", 3)})
        CHECK(kind_of([&] { session.start(label, CheckpointPace::fast); }) == ErrorKind::usage);
    session.start(std::string(1024, 'x'), CheckpointPace::fast);
    CHECK(session.stop().label.label.size() == 1024);
}

TEST_CASE("a role without the rights is told what to grant, and the grants suffice", "[primary]") {
    const Server server(primary_conninfo());
    run(primary_conninfo(), "CREATE ROLE \"back up\" LOGIN");
    const std::string conninfo = primary_conninfo() + " user='back up'";
    std::vector<std::string> grants;
    for (int attempt = 0; attempt < 5; ++attempt) {
        const auto error = error_of([&] { BackupSession session(conninfo); });
        if (!error) break;
        REQUIRE(error->kind() == ErrorKind::denied);
        REQUIRE(mentions(error->message(), "role \"back up\" may not"));
        grants.push_back(error->hint().substr(0, error->hint().find(';')));
        run(primary_conninfo(), grants.back());
    }
    REQUIRE(grants.size() == 2);
    CHECK(mentions(grants[0], "GRANT EXECUTE ON FUNCTION"));
    CHECK(grants[1] == "GRANT pg_read_all_settings TO \"back up\"");
    BackupSession session(conninfo);
    session.start("x", CheckpointPace::fast);
    CHECK(session.stop().stop.is_valid());
    run(primary_conninfo(), "DROP OWNED BY \"back up\"");
    run(primary_conninfo(), "DROP ROLE \"back up\"");
}

TEST_CASE("a session that ends during the backup is noticed, and the next one works (pitfall 8)",
          "[primary]") {
    const Server server(primary_conninfo());
    for (const bool is_at_stop : {false, true}) {
        BackupSession session(primary_conninfo());
        session.start("x", CheckpointPace::fast);
        REQUIRE(server.query("SELECT pg_terminate_backend(pid) " + other_sessions) == "t");
        wait_for_sql(server, "NOT EXISTS (SELECT 1 " + other_sessions + ")");
        const auto error = error_of([&] {
            if (is_at_stop)
                static_cast<void>(session.stop());
            else
                session.keep_alive();
        });
        REQUIRE(error.has_value());
        CHECK(error->kind() == ErrorKind::unavailable);
        CHECK(mentions(error->message(), "the session of the backup was lost"));
        CHECK(mentions(error->hint(), "Start the backup again."));
    }
    BackupSession session(primary_conninfo());
    session.start("x", CheckpointPace::fast);
    CHECK(session.stop().stop.is_valid());
}

TEST_CASE("timeouts of the role do not end the session (pitfall 8)", "[primary]") {
    const Server server(primary_conninfo());
    run(primary_conninfo(), "CREATE ROLE hasty SUPERUSER LOGIN");
    run(primary_conninfo(), "ALTER ROLE hasty SET statement_timeout = '1s'");
    if (server.version() >= 140000)
        run(primary_conninfo(), "ALTER ROLE hasty SET idle_session_timeout = '1s'");
    if (server.version() >= 170000)
        run(primary_conninfo(), "ALTER ROLE hasty SET transaction_timeout = '1s'");
    BackupSession session(primary_conninfo() + " user=hasty");
    session.start("x", CheckpointPace::fast);
    wait_for_sql(server, "coalesce((SELECT clock_timestamp() - state_change > '2 s' " +
                             other_sessions + " AND usename = 'hasty'), false)");
    session.keep_alive();
    CHECK(session.stop().stop.is_valid());
    run(primary_conninfo(), "DROP ROLE hasty");
}

TEST_CASE("the wait for a spread checkpoint is watched and can be given up (pitfall 12)",
          "[primary]") {
    const Server server(primary_conninfo());
    run(primary_conninfo(),
        "CREATE TABLE IF NOT EXISTS dirty AS SELECT generate_series(1, 200000) n");
    run(primary_conninfo(), "UPDATE dirty SET n = n + 1");
    int calls = 0;
    {
        BackupSession session(primary_conninfo());
        const auto error = error_of([&] {
            session.start("x", CheckpointPace::spread, [&] {
                if (++calls == 2) throw Error(ErrorKind::canceled, "enough");
            });
        });
        REQUIRE(error.has_value());
        CHECK(error->kind() == ErrorKind::canceled);
        CHECK(mentions(error->message(), "enough"));
    }
    CHECK(calls == 2);
    BackupSession session(primary_conninfo());
    session.start("x", CheckpointPace::fast);
    CHECK(session.stop().stop.is_valid());
}

TEST_CASE("a pooler is refused before anything is copied (pitfall 8)", "[primary]") {
    for (const std::string& conninfo : pooler_conninfos()) {
        CHECK(Server(conninfo).query("SELECT 1") == "1");
        const auto error = error_of([&] { BackupSession session(conninfo); });
        REQUIRE(error.has_value());
        CHECK(error->kind() == ErrorKind::usage);
        CHECK(mentions(error->message(), "pooler"));
        CHECK(mentions(error->hint(), "the server itself"));
    }
}

TEST_CASE("a backup of a standby names positions of the standby", "[standby]") {
    const Server upstream(upstream_conninfo());
    const Server standby(standby_conninfo());
    run(upstream_conninfo(), "CHECKPOINT");
    const auto flushed = upstream.query("SELECT pg_current_wal_flush_lsn()");
    wait_for_sql(standby, format("pg_last_wal_replay_lsn() >= '{}'", *flushed));
    BackupSession session(standby_conninfo());
    CHECK(session.facts().is_standby);
    CHECK(session.facts().data_directory == standby_data());
    const BackupStart start = session.start("x", CheckpointPace::fast);
    CHECK(start.timeline == 1);
    session.keep_alive();
    const BackupStop stop = session.stop();
    CHECK(stop.label.is_from_standby);
    CHECK(stop.label.redo == start.redo);
    CHECK(stop.label.timeline == 1);
    CHECK(stop.timeline == 1);
    CHECK(stop.stop >= stop.label.checkpoint);
}

TEST_CASE("a standby with WAL without full page images is refused (pitfall 15)", "[standby]") {
    const Server upstream(upstream_conninfo());
    const Server standby(standby_conninfo());
    const auto let_standby_follow = [&] {
        run(upstream_conninfo(), "CHECKPOINT");
        const auto flushed = upstream.query("SELECT pg_current_wal_flush_lsn()");
        wait_for_sql(standby, format("pg_last_wal_replay_lsn() >= '{}'", *flushed));
        run(standby_conninfo(), "CHECKPOINT");
    };
    const auto set = [&](const std::string& value) {
        run(upstream_conninfo(), "ALTER SYSTEM SET full_page_writes = " + value);
        run(upstream_conninfo(), "SELECT pg_reload_conf()");
        wait_for_sql(upstream, format("current_setting('full_page_writes') = '{}'", value));
        let_standby_follow();
    };
    {
        BackupSession begun(standby_conninfo());
        begun.start("x", CheckpointPace::fast);
        set("off");
        const auto error = error_of([&] { begun.keep_alive(); });
        REQUIRE(error.has_value());
        CHECK(mentions(error->message(), "without full page images"));
    }
    BackupSession session(standby_conninfo());
    const auto error = error_of([&] { session.start("x", CheckpointPace::fast); });
    REQUIRE(error.has_value());
    CHECK(error->kind() == ErrorKind::usage);
    CHECK(mentions(error->hint(), "full_page_writes = on"));
    set("on");
    BackupSession again(standby_conninfo());
    again.start("x", CheckpointPace::fast);
    CHECK(again.stop().stop.is_valid());
}

TEST_CASE("a standby that is promoted during the backup is noticed early (pitfall 14)",
          "[promotion]") {
    const Server standby(standby_conninfo());
    BackupSession session(standby_conninfo());
    session.start("x", CheckpointPace::fast);
    session.keep_alive();
    CHECK(standby.query("SELECT pg_promote()") == "t");
    const auto error = error_of([&] { session.keep_alive(); });
    REQUIRE(error.has_value());
    CHECK(error->kind() == ErrorKind::unavailable);
    CHECK(mentions(error->message(), "promoted"));
    CHECK(kind_of([&] { static_cast<void>(session.stop()); }) == ErrorKind::unavailable);
    BackupSession again(standby_conninfo());
    CHECK(again.start("x", CheckpointPace::fast).timeline == 2);
    const BackupStop stop = again.stop();
    CHECK(stop.timeline == 2);
    CHECK(stop.label.timeline == 2);
    CHECK_FALSE(stop.label.is_from_standby);
}
