#!/usr/bin/env python3
"""How far a recovery is from its target: `walden status` beside real servers that are held in mid-recovery.

The restore command of each server waits at one segment until the scenario lets it go on, so what status
says can be compared with what the server says of itself, and with where it stops in the end.
"""

import os
import signal

from fixtures import archiving_primary
from pg import Cluster, add_rows
from scenario import check, check_equal, main, step, wait_for
from test_prefetch import own_walden

SEGMENT = 1 << 20
BEFORE, BEHIND = 8, 5  # segments before and behind the one with the targets


def number_of(lsn):
    """The number of the segment that holds a position, "0/3000028"."""
    high, low = lsn.split("/")
    return ((int(high, 16) << 32) + int(low, 16)) // SEGMENT


def name_of(number):
    return f"00000001{number // 4096:08X}{number % 4096:08X}"


class Gate:
    """A restore command that waits before it asks for one segment."""

    def __init__(self, scenario, name, segment):
        self.path = scenario.directory / f"{name}.gate"
        self.segment = segment
        self.fd = None
        os.mkfifo(self.path)
        self.path.chmod(0o600)
        scenario.own(self.path)

    def command(self, restore_command):
        return f"if [ %f = {self.segment} ]; then read line < {self.path}; fi; {restore_command}"

    def await_server(self):
        def is_reached():
            try:
                self.fd = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # nobody reads yet
                return False
            return True
        wait_for(is_reached, f"question for {self.segment}")

    def open(self):
        os.write(self.fd, b"\n")
        os.close(self.fd)


class Recovery:
    """A server that recovers to a target and is held before the segment of the gate."""

    def __init__(self, scenario, archive, name, gate_segment, agent=True, **settings):
        self.server = Cluster.from_backup(scenario, name, archive.backup, **settings)
        self.walden = own_walden(scenario, archive, self.server)
        self.walden.configure(agent={"enabled": agent})
        self.gate = Gate(scenario, name, gate_segment)
        self.server.configure(restore_command=self.gate.command(self.walden.restore_command()))
        self.server.launch()
        self.gate.await_server()

    def status(self, *options):
        """(what status says of the target as JSON, all of it, its text)"""
        full = self.walden.json("status", *options)
        return full["recovery_target"], full, self.walden.run("walden", "status", *options).out

    def replayed(self):
        return number_of(self.server.psql("select pg_last_wal_replay_lsn()"))

    def end(self):
        self.server.kill()
        self.walden.run("walden", "agent", "--stop")


def make_targets(archive):
    """Segments, of which one has the targets; returns {setting: value} and that one's number."""
    primary = archive.primary
    for batch in range(BEFORE):
        add_rows(primary, batch, 500)
        primary.archive_now()
    primary.psql("select pg_create_restore_point('before_lunch')")
    moment = primary.psql("select clock_timestamp()")
    lsn = primary.psql("select pg_current_wal_insert_lsn()")
    xid = primary.psql("begin; insert into t values (-1, 'x'); select pg_current_xact_id(); "
                       "commit").splitlines()[-1]
    check_equal(number_of(primary.psql("select pg_current_wal_insert_lsn()")), number_of(lsn),
                "one segment holds the targets")
    primary.archive_now()
    for batch in range(BEHIND):
        add_rows(primary, 100 + batch, 500)
        archive.last = primary.archive_now()
    targets = {"recovery_target_lsn": lsn, "recovery_target_time": moment, "recovery_target_xid": xid,
               "recovery_target_name": "before_lunch"}
    return targets, number_of(lsn)


def check_distance(told, full, number, replayed):
    check_equal(told["reach"], "in_archive", "reach")
    check_equal(told["segment"], name_of(number), "segment of the target")
    check_equal(told["remaining"]["count"], number - replayed, "segments to the target")
    pace = full["recovery"]["replay_seconds"]
    check(pace > 0, f"the agent has measured the pace: {full['recovery']}")
    check(abs(told["remaining"]["seconds"] - pace * (number - replayed)) < 1e-5,
          f"the time to the target at a pace of {pace}: {told['remaining']}")


def finds(scenario, archive, targets, number, gate):
    for setting in ("recovery_target_lsn", "recovery_target_time", "recovery_target_xid"):
        step(f"{setting}: its segment and the time until then")
        kind = setting.removeprefix("recovery_target_")
        recovery = Recovery(scenario, archive, f"by_{kind}", gate, **{setting: targets[setting]})
        recovery.server.wait_until_answers()
        replayed = recovery.replayed()
        check(replayed < number, "the server is held before its target")
        told, full, text = recovery.status()
        print(text)
        check_equal(told["type"], kind, "type")
        check_equal(told["value"], targets[setting], "value")
        check_equal(told["estimated"], kind != "lsn", "whether it is an estimate")
        check_equal(told["archive_end"], archive.last, "the archive's end")
        check_distance(told, full, number, replayed)
        about = "" if kind == "lsn" else "about "
        check(f"{about}{number - replayed} segments, up to {name_of(number)}; " in text,
              f"the text tells the same: {text}")
        check("WARNING" not in text, f"nothing to warn of: {text}")
        metrics = recovery.walden.run("walden", "status", "--prometheus").out
        check(f'walden_recovery_target_remaining_files{{cluster="main"}} {number - replayed}\n' in metrics
              and "walden_recovery_target_remaining_seconds" in metrics
              and 'walden_recovery_target_beyond_archive{cluster="main"} 0' in metrics,
              f"metrics: {metrics}")
        recovery.gate.open()
        wait_for(lambda: recovery.server.psql("select pg_is_wal_replay_paused()") == "t",
                 "pause at the target")
        check_equal(recovery.replayed(), number, "the segment in which recovery stops")
        told, full, text = recovery.status()
        check(told["paused"] and "pg_wal_replay_resume()" in text, f"status tells the pause: {text}")
        check_equal(told["remaining"]["count"], 0, "nothing remains")
        if kind == "lsn":
            check_equal(told["reach"], "reached", "the target is reached")
        recovery.end()


def does_not_find(scenario, archive, targets, gate):
    step("a restore point, without an agent: only the archive's end is known")
    recovery = Recovery(scenario, archive, "by_name", gate, agent=False,
                        recovery_target_name=targets["recovery_target_name"])
    recovery.server.wait_until_answers()
    told, full, text = recovery.status()
    check_equal(told["reach"], "not_told", "reach")
    check("does not tell where the restore point is" in text, f"and why: {text}")
    check_equal(told["remaining"], None, "nothing is guessed")
    left = number_of_segment(archive.last) - recovery.replayed()
    check_equal(told["remaining_to_end"], {"count": left, "seconds": None}, "segments to the end")
    check(f"{left} segments to the archive's end at {archive.last}\n" in text, f"in words: {text}")
    step("the same server named by --conninfo")
    by_name = recovery.status("--conninfo", f"host={recovery.server.sockets} port={recovery.server.port}")
    check_equal(by_name[0], told, "what is told")
    recovery.end()

    step("no target: the archive's end")
    recovery = Recovery(scenario, archive, "by_nothing", gate)
    recovery.server.wait_until_answers()
    told, full, text = recovery.status()
    check_equal((told["type"], told["reach"], told["remaining"]), ("none", None, None), "no target")
    check_equal(told["archive_end"], archive.last, "the archive's end")
    check("none: recovery goes on to the end of WAL" in text, f"in words: {text}")
    recovery.end()


def number_of_segment(name):
    return int(name[8:16], 16) * 4096 + int(name[16:], 16)


def warns(scenario, archive, gate):
    last = number_of_segment(archive.last)
    beyond = {"lsn": f"0/{(last + 3) * SEGMENT:X}", "time": "2099-01-01 00:00:00+00", "xid": "4000000"}
    for kind, value in beyond.items():
        step(f"a target beyond the archive by {kind}: a warning in time")
        recovery = Recovery(scenario, archive, f"beyond_{kind}", gate, agent=False,
                            **{f"recovery_target_{kind}": value})
        recovery.server.wait_until_answers()
        told, full, text = recovery.status()
        check_equal(told["reach"], "beyond_archive", "reach")
        check_equal((told["remaining"], told["archive_end"]), (None, archive.last), "the rest")
        check("WARNING" in text and "recovery ended before configured recovery target was reached" in text,
              f"a warning: {text}")
        metrics = recovery.walden.run("walden", "status", "--prometheus").out
        check('walden_recovery_target_beyond_archive{cluster="main"} 1' in metrics, f"metric: {metrics}")
        if kind == "lsn":
            recovery.gate.open()
            wait_for(lambda: recovery.server.exit_code() is not None, "end of the server")
            check("recovery ended before configured recovery target was reached" in recovery.server.log(),
                  "and so it comes")
        recovery.end()


def says_why_not(scenario, archive, targets, gate):
    step("hot_standby = off: nobody can ask the server")
    recovery = Recovery(scenario, archive, "silent", gate, hot_standby="off",
                        recovery_target_lsn=targets["recovery_target_lsn"])
    told, full, text = recovery.status()
    check(not told["known"], f"the target is not known: {told}")
    check("target      not known: the database system is " in text and "tandby" in text, f"why: {text}")
    check("segments to the archive's end" in text, f"and the agent tells the archive's end: {text}")
    step("a server that hangs is not waited for")
    recovery.server.process.send_signal(signal.SIGSTOP)
    text = recovery.walden.run("walden", "status", deadline=60).out
    recovery.server.process.send_signal(signal.SIGCONT)
    check("target      not known: cannot connect: " in text, f"status comes to its end: {text}")
    recovery.end()
    step("the store cannot be reached: the server's part is told")
    store = archive.walden.store.root
    recovery = Recovery(scenario, archive, "storeless", gate, agent=False,
                        recovery_target_lsn=targets["recovery_target_lsn"])
    recovery.server.wait_until_answers()
    aside = store.with_name("aside")
    store.rename(aside)
    told, full, text = recovery.status()
    aside.rename(store)
    check_equal((told["type"], told["reach"]), ("lsn", "not_told"), "what the server tells")
    check(told["note"] != "" and told["note"] in text, f"what is wrong with the store: {text}")
    recovery.end()
    step("a postmaster.pid that leads nowhere")
    pid = scenario.start(["sleep", "1000"]).pid
    postmaster = recovery.server.data / "postmaster.pid"
    scenario.write(postmaster, f"{pid}\n{recovery.server.data}\n0\n5432\n/nowhere\n\n")
    check("not known: cannot connect: " in recovery.status()[2], "status says so and ends with 0")
    scenario.write(postmaster, f"{pid}\n\0\n\n,\n")
    check("not known: postmaster.pid names no socket" in recovery.status()[2], "the same of odd bytes")
    postmaster.unlink()
    check_equal(recovery.status()[0], None, "of a server that does not run nothing is told")
    step("a primary is not in recovery")
    archive.primary.start()
    check_equal(archive.walden.json("status")["recovery_target"], None, "nothing is asked")
    where = f"host={archive.primary.sockets} port={archive.primary.port}"
    text = archive.walden.run("walden", "status", "--conninfo", where).out
    check("target      not known: the server is not in recovery" in text, f"asked, it says so: {text}")
    step("a server that does not answer, as behind a lock on a catalog, is not waited for")
    primary = archive.primary
    said = scenario.directory / "locker.out"
    with open(said, "wb") as out:
        scenario.start(["psql", "-X", "-h", primary.sockets, "-p", primary.port, "-d", "postgres", "-c", "begin",
                        "-c", "lock table pg_proc", "-c", "select pg_sleep(1000)"],
                       stdout=out, stderr=out)
    wait_for(lambda: "LOCK TABLE" in said.read_text(encoding="utf-8"), "lock on pg_proc")
    text = archive.walden.run("walden", "status", "--conninfo", where, deadline=60).out
    check("target      not known: the server does not answer in time" in text, f"status ends: {text}")


def body(scenario):
    scenario.variables["PGUSER"] = "postgres"
    archive = archiving_primary(scenario)
    archive.backup = archive.primary.base_backup(scenario.directory / "backup")
    targets, number = make_targets(archive)
    archive.primary.stop()
    gate = name_of(number - 3)
    finds(scenario, archive, targets, number, gate)
    does_not_find(scenario, archive, targets, gate)
    warns(scenario, archive, gate)
    says_why_not(scenario, archive, targets, gate)


main(body)
