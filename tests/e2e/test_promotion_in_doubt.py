#!/usr/bin/env python3
"""A standby is promoted while its archive cannot be read, under the default standby_on_error.

usage: test_promotion_in_doubt.py [agent]

To a standby that is being promoted "not there" is the end of WAL: it would open the database with
less than was archived, and perhaps take a timeline that exists (faults 45 and 46, invariant 14).
Required: a standby that merely runs, or starts, without its store goes on; one that is promoted then
shuts down, says why, is a standby again when it is started, and has all rows when it is promoted with
its store. fetch.standby_on_error = "ignore" promotes it with what it has.
"""

import dataclasses
import sys

from fixtures import archiving_primary
from pg import SERVER_BIN, Cluster, add_rows
from scenario import check, check_equal, main, step, wait_for
from walden import Walden

ANSWERED = "answered \"not there\""
REFUSED = "set fetch.standby_on_error = \"ignore\""


class Mount:
    """A standby's own way to the store, which can be gone while the primary archives on."""

    def __init__(self, scenario, name, store):
        self.path = scenario.directory / f"{name}.mount"
        self.root = store.root
        self.come()

    def settings(self):
        return {"url": f"file://{self.path}"}

    def come(self):
        self.path.symlink_to(self.root)

    def go(self):
        self.path.unlink()


@dataclasses.dataclass
class Standby:
    server: Cluster
    walden: Walden
    mount: Mount
    rows: int  # those it has

    def said(self, words):
        """How often the server's log holds `words`."""
        return self.server.log().count(words)

    def wait_until_unmoved(self, what):
        """Until PostgreSQL has asked for the same again and again, and was told "not there"."""
        before = self.said(ANSWERED)
        wait_for(lambda: self.server.exit_code() is not None or self.said(ANSWERED) > before + 3,
                 f"answers, {what}")
        check(self.server.state() in ("starting", "recovering"),
              f"{what}: the standby goes on, it is {self.server.state()}")


def new_standby(scenario, archive, name, **settings):
    """A standby with its store, not started."""
    server = Cluster.from_backup(scenario, name, scenario.directory / "backup", "standby.signal")
    mount = Mount(scenario, name, archive.walden.store)
    walden = Walden(scenario, server, name=f"{name}.walden", store=mount,
                    key_file=archive.walden.key_file, agent={"enabled": "agent" in sys.argv[1:]})
    server.configure(restore_command=walden.restore_command(), **settings)
    return Standby(server, walden, mount, 0)


def behind_its_archive(scenario, archive, name, **settings):
    """A standby that has replayed all, lost its store, and does not have what was archived since."""
    standby = new_standby(scenario, archive, name, **settings)
    standby.server.start()
    standby.rows = archive.primary.count("t")
    wait_for(lambda: standby.server.count("t") == standby.rows, f"all rows on {name}")
    standby.mount.go()
    standby.wait_until_unmoved("its store went away")
    add_rows(archive.primary, standby.rows, rows=1000)
    archive.primary.archive_now()
    return standby


def by_pg_ctl(server):
    server.scenario.run([SERVER_BIN / "pg_ctl", "promote", "-W", "-D", server.data])


def by_sql(server):
    server.psql("select pg_promote(false)")


def check_refused_promotion(standby, what):
    """It stops, and says why."""
    wait_for(lambda: standby.server.state() in ("stopped", "running"), f"end of {what}")
    check_equal(standby.server.state(), "stopped", f"{what}: state of the server")
    standby.server.reap()
    check(standby.said(REFUSED) == 1, f"{what}: one refusal that says what to do: {standby.server.log()}")


def check_promotion_with_all(archive, standby, what):
    """Started again it is a standby as before; with its store, it is promoted and has all rows."""
    standby.server.start()
    standby.wait_until_unmoved(f"{what}, started again")
    check_equal(standby.server.count("t"), standby.rows, f"rows of {what}, still without its store")
    standby.mount.come()
    wait_for(lambda: standby.server.count("t") == archive.primary.count("t"),
             f"all rows of {what}, with its store")
    standby.server.promote()
    check_equal(standby.server.count("t"), archive.primary.count("t"), f"rows of {what}, promoted")
    standby.server.stop("immediate")


def starting_without_store(scenario, archive):
    step("a standby that starts while its store is gone goes on, and so it does when it is restarted")
    standby = new_standby(scenario, archive, "patient")
    server = standby.server
    standby.mount.go()
    server.launch()  # from a base backup: nothing to begin with
    standby.wait_until_unmoved("first start")
    standby.mount.come()
    rows = archive.primary.count("t")
    server.wait_until_answers()
    wait_for(lambda: server.count("t") == rows, "all rows")
    standby.mount.go()
    server.restart()
    standby.wait_until_unmoved("restart")
    step("files that the start removes are no promotion")
    server.stop()
    for name in ("promote", "logrotate", "current_logfiles"):
        scenario.write(server.data / name, "")
    server.start()
    standby.wait_until_unmoved("start with old signal files")
    check(not (server.data / "promote").exists(), "the start has removed them")
    step("nor is what a standby does with its data directory meanwhile")
    server.psql("alter system set work_mem = '5MB'")
    standby.wait_until_unmoved("ALTER SYSTEM")
    server.configure(logging_collector="on", log_directory=str(scenario.make_directory(
        scenario.directory / "logs")))
    server.restart()
    check((server.data / "current_logfiles").exists(), "the server keeps a log of its own")
    server.psql("select pg_rotate_logfile()")
    server.log_path = next((scenario.directory / "logs").iterdir())
    standby.wait_until_unmoved("logging_collector")
    standby.mount.come()
    server.promote()
    server.stop("immediate")


def in_between(scenario, archive):
    """The request comes behind walden-fetch's last look and before PostgreSQL's."""
    step("a promotion that is requested just after an answer is seen by the next call")
    standby = behind_its_archive(scenario, archive, "between")
    server = standby.server
    armed = scenario.directory / "armed"
    script = scenario.directory / "restore"
    # PostgreSQL looks behind the answer for a segment. The moment is for the signal, which goes through
    # the postmaster, to reach the process that waits.
    scenario.write(script, f"{standby.walden.restore_command().replace('%f', '$1').replace('%p', '$2')}\n"
                   "code=$?\n"
                   f"if [ $code = 1 ] && [ ${{#1}} = 24 ] && [ -e {armed} ]; then\n"
                   f"    rm {armed}; touch promote; kill -USR1 $(head -n 1 postmaster.pid); sleep 0.3\n"
                   "fi\n"
                   "exit $code\n")
    server.configure(restore_command=f"sh {script} %f %p")
    server.restart()  # which version 13 needs
    standby.wait_until_unmoved("another restore_command")
    scenario.write(armed, "")
    check_refused_promotion(standby, "between two looks")
    check("received promote request" in server.log(), "PostgreSQL acted on it before it asked")
    check_promotion_with_all(archive, standby, "between two looks")


def while_it_streams(scenario, archive):
    """PostgreSQL acts on the request before it asks for anything."""
    step("a standby that streams, and is promoted when only its store is gone")
    sockets, port = archive.primary.sockets, archive.primary.port
    standby = new_standby(scenario, archive, "streaming",
                          primary_conninfo=f"host={sockets} port={port} user=postgres")
    server = standby.server
    server.start()
    wait_for(lambda: server.psql("select count(*) from pg_stat_wal_receiver") == "1", "a stream")
    standby.mount.go()
    add_rows(archive.primary, -1, rows=1000)
    standby.rows = archive.primary.count("t")
    wait_for(lambda: server.count("t") == standby.rows, "streamed rows")
    by_sql(server)
    check_refused_promotion(standby, "while it streams")
    check("received promote request" in server.log(), "PostgreSQL acted on it before it asked")
    archive.primary.archive_now()
    standby.mount.come()
    server.start()
    wait_for(lambda: server.count("t") == standby.rows, "all rows, with its store")
    server.promote()
    check_equal(server.count("t"), standby.rows, "rows, promoted")
    server.stop("immediate")


def ignoring(scenario, archive):
    step("standby_on_error = \"ignore\" promotes with what the standby has")
    standby = behind_its_archive(scenario, archive, "ignoring")
    by_pg_ctl(standby.server)
    check_refused_promotion(standby, "before it is allowed")
    standby.walden.configure(fetch={"standby_on_error": "ignore"})
    standby.server.start()
    by_pg_ctl(standby.server)
    wait_for(lambda: standby.server.state() in ("stopped", "running"), "promotion")
    standby.server.require_running()
    check_equal(standby.server.count("t"), standby.rows, "rows that it had")
    standby.server.stop("immediate")


def body(scenario):
    archive = archiving_primary(scenario)
    archive.primary.base_backup(scenario.directory / "backup")
    add_rows(archive.primary, 0, rows=2000)
    archive.primary.archive_now()
    starting_without_store(scenario, archive)
    dead = f"host={archive.primary.sockets} port=1 user=postgres"
    for number, (promote, conninfo) in enumerate((
            (by_pg_ctl, ""), (by_sql, ""), (by_pg_ctl, dead), (by_sql, dead))):
        what = f"{promote.__name__}, {'primary dead' if conninfo else 'archive only'}"
        step(f"promoted {what}")
        standby = behind_its_archive(scenario, archive, f"promoted{number}", primary_conninfo=conninfo)
        promote(standby.server)
        check_refused_promotion(standby, what)
        check_promotion_with_all(archive, standby, what)
    in_between(scenario, archive)
    while_it_streams(scenario, archive)
    ignoring(scenario, archive)


main(body)
