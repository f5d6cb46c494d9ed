"""What lib/pg asks of servers for base backups, asked of real ones: a primary with a tablespace, poolers
before it, and another primary with a standby. The checks themselves are in C++ (tests/unit/pg/server).
"""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from lending_pooler import LendingPooler
from pg import Cluster, server_major
from scenario import check, check_equal, main, step, wait_for

PROGRAM = pathlib.Path(os.environ["WALDEN_BUILD"]) / "tests/unit/pg/test_pg_server"


def conninfo(cluster):
    return f"host={cluster.sockets} port={cluster.port} dbname=postgres user=postgres"


def pooler_before(scenario, primary, how):
    port = scenario.port
    scenario.port += 1
    LendingPooler(primary.sockets, port, primary.sockets / f".s.PGSQL.{primary.port}", how)
    return f"host={primary.sockets} port={port} dbname=postgres user=postgres sslmode=disable gssencmode=disable"


def copy_with_tablespace(scenario, primary, place):
    """A backup of `primary` by copying; its tablespace goes to a place of its own. Returns both."""
    backup = scenario.directory / "copy"
    begin, end = (("pg_backup_start('x', true)", "pg_backup_stop(false)") if server_major() >= 15
                  else ("pg_start_backup('x', true, false)", "pg_stop_backup(false, false)"))
    moved = scenario.directory / "moved it's \\ here"
    done = scenario.run(
        ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", primary.sockets, "-p", primary.port,
         "-U", "postgres", "-d", "postgres", "-c", f"select {begin}", "-c", f"\\! cp -a {primary.data} {backup}",
         "-c", f"select labelfile, '@', spcmapfile from {end}"])
    label, spcmap = done.out[done.out.index("START WAL LOCATION"):].split("|@|")
    scenario.copy_tree(place, moved)
    scenario.write(backup / "backup_label", label.rstrip("\n") + "\n")
    scenario.write(backup / "tablespace_map", spcmap.rstrip("\n") + "\n")
    (backup / "postmaster.pid").unlink()
    for path in (backup / "pg_wal").rglob("*"):
        if path.is_file():
            path.unlink()
    return backup, moved


def recovers_to_its_target(scenario, primary, place):
    """A directory prepared by lib/pg recovers to the target, whatever stale targets it has, with its
    tablespace at another place; without backup_label it does not start (pitfalls 10 and 22)."""
    archive = scenario.make_directory(scenario.directory / "archive")
    primary.configure(archive_mode="on", archive_command=f"cp %p {archive}/%f").restart()
    primary.psql("alter system set recovery_target_lsn = '0/1'")
    backup, moved = copy_with_tablespace(scenario, primary, place)
    primary.psql("insert into in_t select generate_series(1, 5)")
    name = "it's \\ here"
    primary.psql(f"select pg_create_restore_point('{quote_text(name)}')")
    primary.psql("insert into in_t select generate_series(1, 7)")
    primary.archive_now()
    restored = Cluster.from_backup(scenario, "restored", backup, signal_file=None,
                                   recovery_target_time="2000-01-01 00:00:00")
    scenario.copy_tree(backup / "postgresql.auto.conf", restored.data / "postgresql.auto.conf")
    scenario.run([PROGRAM, "[prepare]"], env={
        "WALDEN_TEST_RESTORED": str(restored.data), "WALDEN_TEST_NEW_TABLESPACE": str(moved),
        "WALDEN_TEST_RESTORE_COMMAND": f"cp '{archive}/%f' \"%p\"", "WALDEN_TEST_TARGET": name})
    unlabelled = Cluster(scenario, "unlabelled")
    scenario.copy_tree(restored.data, unlabelled.data)
    (unlabelled.data / "backup_label").unlink()
    unlabelled.configure(restore_command="false").launch()
    wait_for(lambda: unlabelled.exit_code() is not None, "end of the server without backup_label")
    check("could not locate a valid checkpoint record" in unlabelled.log()
          or "invalid checkpoint" in unlabelled.log(), f"it says why: {unlabelled.log()}")
    restored.finish_recovery()
    check_equal(restored.count("in_t"), 10005, "rows at the target")
    check_equal(restored.psql("select pg_tablespace_location(oid) from pg_tablespace where spcname = 't'"),
                str(moved), "place of the tablespace")
    check_equal(restored.psql("show archive_mode"), "off", "archive_mode")
    restored.stop()


def quote_text(text):
    return text.replace("'", "''")


def body(scenario):
    primary = Cluster(scenario, "primary").initdb().start()
    place = scenario.make_directory(scenario.directory / "table space")
    primary.psql(f"create tablespace t location '{place}'")
    primary.psql("create table in_t (n int) tablespace t; insert into in_t select generate_series(1, 10000)")
    upstream = Cluster(scenario, "upstream").initdb().start()
    backup = upstream.base_backup(scenario.directory / "backup")
    standby = Cluster.from_backup(scenario, "standby", backup, "standby.signal",
                                  primary_conninfo=f"host={upstream.sockets} port={upstream.port} user=postgres")
    standby.start()
    wait_for(lambda: standby.state() == "recovering", "standby")
    scenario.variables.update(
        WALDEN_TEST_PRIMARY=conninfo(primary), WALDEN_TEST_PRIMARY_DATA=str(primary.data),
        WALDEN_TEST_TABLESPACE=str(place), WALDEN_TEST_UPSTREAM=conninfo(upstream),
        WALDEN_TEST_STANDBY=conninfo(standby), WALDEN_TEST_STANDBY_DATA=str(standby.data),
        WALDEN_TEST_POOLER_LENDS=pooler_before(scenario, primary, "lends"),
        WALDEN_TEST_POOLER_NAMES=pooler_before(scenario, primary, "names"))
    for tag in ("[primary]", "[protocol]", "[standby]", "[promotion]"):
        step(f"cases {tag}")
        print(scenario.run([PROGRAM, tag]).out, end="")
    step("a prepared directory recovers")
    recovers_to_its_target(scenario, primary, place)


main(body)
