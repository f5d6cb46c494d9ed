#!/usr/bin/env python3
"""Everything at once for a while: pgbench archives to a real S3 server behind a fault proxy, while
the server stops, freezes and comes back, connections stall and break, and the agent, pushes and the
archiver are killed at random.

Afterwards every segment that PostgreSQL was told is archived restores bit for bit, in an unbroken
line; walden verify is content; and recovery to marker transactions gives the checksums that all
tables had at their commit.

usage: test_soak.py [KIND OF STORE] [--seconds N] [--seed N]

WALDEN_SOAK_SECONDS stands for --seconds. The seed is printed; the same seed gives the same faults in
the same order, though not at the same record of WAL.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import random
import signal
import subprocess
import time

from fixtures import archiving_primary
from pg import BIN, Cluster, ServerStopped
from s3_store import S3Store
from scenario import Failed, check, check_equal, main, step, wait_for

TABLES = ("pgbench_accounts", "pgbench_branches", "pgbench_history", "pgbench_tellers")
SEGMENT_MIB = 1
KILLS_OF_THE_ARCHIVER = 2  # each is a crash recovery of the whole server
PATIENT = {"connect_timeout": "2s", "stall_timeout": "3s", "request_timeout": "20s"}


@dataclasses.dataclass
class Marker:
    """A transaction after whose commit all tables had these checksums."""
    xid: str
    checksums: dict


def process_words(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


class Soak:
    def __init__(self, scenario, arguments):
        self.scenario = scenario
        self.random = random.Random(arguments.seed)
        self.end = None
        self.store = None
        self.proxy = None
        self.markers = []
        self.counts = {}
        self.bench = None
        if arguments.kind != "posix":
            self.store = S3Store(scenario, arguments.kind)
            self.proxy = self.store.put_proxy_between()
        # All WAL stays in pg_wal, to compare with. Little is written at once, so that the faults
        # meet the archiver at work and the disk does not fill.
        archive = archiving_primary(
            scenario, SEGMENT_MIB, store=self.store, archive={"deadline": "8s"},
            settings={"wal_keep_size": "20GB", "max_wal_size": "20GB", "archive_timeout": "5s"})
        self.primary, self.walden = archive.primary, archive.walden
        if self.store:
            self.walden.configure(store=PATIENT)
        self.primary.configure(archive_command=self.walden.archive_command()).reload()
        self.primary.pgbench("-i", "-q", "-s", "1")
        self.backup = self.primary.base_backup(scenario.directory / "backup")

    # ---- load --------------------------------------------------------------------------------

    def keep_load(self):
        """Starts pgbench unless it runs: it ends when the server crashes."""
        if self.bench is not None and self.bench.poll() is None:
            return
        if self.bench is not None:
            self.scenario.children.remove(self.bench)
        self.bench = self.scenario.start(
            [BIN / "pgbench", "-h", self.primary.sockets, "-p", self.primary.port, "-U", "postgres",
             "-n", "-c", "4", "-R", "400", "-T", "3600", "postgres"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop_load(self):
        self.bench.send_signal(signal.SIGINT)
        self.bench.wait(60)
        self.scenario.children.remove(self.bench)
        self.bench = None

    def mark(self):
        """Commits a marker, with the checksums of all tables as of its commit: their locks keep the
        writers out until then. A server that is just recovering has none."""
        if self.primary.state() != "running":
            return
        sums = " ".join(
            f"select '{table}=' || count(*) || ':' || md5(coalesce(string_agg(r::text, E'\\n' order by "
            f"r::text collate \"C\"), '')) from {table} r;" for table in TABLES)
        done = self.primary.try_psql(
            f"begin; lock table {', '.join(TABLES)} in share mode; {sums} "
            "select 'xid=' || pg_current_xact_id(); commit; select 'committed=1'")
        values = dict(line.split("=", 1) for line in done.out.splitlines() if "=" in line)
        if "committed" in values:
            del values["committed"]
            self.markers.append(Marker(values.pop("xid"), values))

    # ---- faults ------------------------------------------------------------------------------

    def wait_for_while(self, least, most):
        """A while of the soak, during which load goes on and the fault does its harm."""
        moment = min(time.monotonic() + self.random.uniform(least, most), self.end)
        wait_for(lambda: time.monotonic() >= moment, "end of the pause", most + 60)

    def stop_server(self):
        self.store.server.stop_gateway()
        self.wait_for_while(1, 5)
        self.store.server.start_gateway()

    def freeze_server(self):
        self.store.server.freeze()
        self.wait_for_while(1, 6)
        self.store.server.thaw()

    def suspend(self, **settings):
        self.proxy.settings(**settings)
        self.wait_for_while(1, 5)
        self.proxy.clear()

    def break_connections(self):
        # Without TLS nothing protects the head of an answer, and a flipped status is believed.
        ways = ["reset", "close", "stall"] + ["flip"] * self.store.is_tls
        for _ in range(self.random.randint(1, 4)):
            self.proxy.cue(self.random.choice(["up", "down"]), self.random.choice(ways),
                           after=self.random.choice([0, 100, 1000, self.random.randint(0, 300_000)]))
        self.wait_for_while(0.5, 2)

    def kill_one(self, name, chosen):
        """Kills one of the processes that `chosen` accepts by their words; whether there was one."""
        pids = [pid for pid in self.scenario.leftovers() if chosen(process_words(pid))]
        try:
            if pids:
                os.kill(self.random.choice(sorted(pids)), signal.SIGKILL)
                self.counts[name] = self.counts.get(name, 0) + 1
        except ProcessLookupError:
            return False
        return bool(pids)

    def meet(self, name, chosen, seconds):
        """Kills one such process as soon as there is one, and gives up after a while."""
        moment = min(time.monotonic() + seconds, self.end)
        wait_for(lambda: self.kill_one(name, chosen) or time.monotonic() >= moment, name)

    def kill_push(self):
        def is_push(words):
            return words and (words[0].endswith(b"/walden-push")
                              or (words[0].endswith(b"/walden") and b"push" in words))
        self.meet("pushes killed", is_push, 3)

    def kill_agent(self):
        self.kill_one("agents killed", lambda words: words and words[0].endswith(b"/walden")
                      and b"agent" in words)

    def kill_archiver(self):
        # PostgreSQL starts a new one only 10 s after the end of the last, which a killed push is.
        if self.counts.get("archivers killed", 0) < KILLS_OF_THE_ARCHIVER:
            self.meet("archivers killed",
                      lambda words: words and words[0].startswith(b"postgres: archiver"), 10)

    def choose_fault(self):
        faults = [(1, "kill_push", self.kill_push), (2, "kill_agent", self.kill_agent),
                  (1, "kill_archiver", self.kill_archiver)]
        if self.store:
            faults += [
                (2, "stop_server", self.stop_server), (2, "freeze_server", self.freeze_server),
                (2, "stalled", lambda: self.suspend(stalled=True)),
                (1, "refusing", lambda: self.suspend(refusing=True)),
                (1, "latency", lambda: self.suspend(latency_ms=150)),
                (1, "bandwidth", lambda: self.suspend(bandwidth=200_000)),
                (2, "cut", self.proxy.cut), (4, "break", self.break_connections)]
        weights = [weight for weight, _, _ in faults]
        return self.random.choices(faults, weights)[0][1:]

    def run(self, seconds):
        self.end = time.monotonic() + seconds
        marked = 0.0
        while time.monotonic() < self.end:
            self.keep_load()
            name, fault = self.choose_fault()
            fault()
            self.counts[name] = self.counts.get(name, 0) + 1
            if time.monotonic() - marked > 6:
                self.mark()
                marked = time.monotonic()
            self.wait_for_while(0.2, 1.5)
        print(f"   faults: {self.counts}; markers: {len(self.markers)}", flush=True)

    # ---- what must hold ----------------------------------------------------------------------

    def settle(self):
        """The faults end; PostgreSQL archives the rest by itself."""
        if self.proxy:
            self.proxy.clear()
        wait_for(lambda: self.primary.state() == "running", "running primary", 60)
        self.stop_load()
        self.mark()

        def is_archived():
            # An archiver that has failed thrice sleeps for a minute, unless a segment ends.
            self.primary.psql("select pg_logical_emit_message(false, 'soak', ''), pg_switch_wal()")
            try:
                self.primary.wait_archived(5)
            except ServerStopped:
                raise
            except Failed:
                return False
            return True

        wait_for(is_archived, "archived backlog", 180)
        self.primary.stop()
        check_equal(self.primary.ready(), [], "files left to archive")

    def check_acknowledged(self):
        """Every .done restores bit for bit, and they are an unbroken line."""
        done = [name for name in self.primary.done() if len(name) == 24]
        numbers = [int(name[8:16], 16) * (4096 // SEGMENT_MIB) + int(name[16:], 16) for name in done]
        check_equal(numbers, list(range(numbers[0], numbers[0] + len(numbers))), "line of segments")
        target = self.scenario.make_directory(self.scenario.directory / "restored.wal")

        def fetch(name):
            place = target / name
            result = self.walden.fetch(name, place)
            if result.code != 0:
                return f"{name}: exit code {result.code}: {result.text.strip()}"
            is_same = place.read_bytes() == self.primary.segment(name).read_bytes()
            place.unlink()
            return None if is_same else f"{name}: other bytes"

        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            wrong = [answer for answer in pool.map(fetch, done) if answer]
        check(not wrong, f"{len(wrong)} of {len(done)} acknowledged segments: {wrong[:3]}")
        print(f"   {len(done)} acknowledged segments are whole", flush=True)

    def check_marker(self, number):
        marker = self.markers[number]
        name = f"marker{number}"
        server = Cluster.from_backup(self.scenario, name, self.backup,
                                     restore_command=self.walden.restore_command(),
                                     recovery_target_xid=marker.xid, recovery_target_action="promote")
        server.finish_recovery(180)
        for table, checksum in marker.checksums.items():
            check_equal(server.checksum(table), checksum, f"{table} at marker {number}")
        server.stop()


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", nargs="?", default="radosgw-tls")
    parser.add_argument("--seconds", type=float,
                        default=float(os.environ.get("WALDEN_SOAK_SECONDS", "75")))
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    return parser.parse_args()


ARGUMENTS = parse_arguments()


def body(scenario):
    step(f"seed {ARGUMENTS.seed}, {ARGUMENTS.seconds:g} s on {ARGUMENTS.kind}")
    soak = Soak(scenario, ARGUMENTS)
    soak.keep_load()
    soak.mark()
    soak.run(ARGUMENTS.seconds)
    step("the faults end, the backlog is archived")
    soak.settle()
    if not soak.markers:
        raise Failed("no marker was committed")
    step("every acknowledged segment restores bit for bit (invariants 1, 4, 8)")
    soak.check_acknowledged()
    step("walden verify is content")
    report = soak.walden.json("verify")
    check(report["ok"], f"verify: {report['problems']}")
    for number in sorted({len(soak.markers) // 2, len(soak.markers) - 1}):
        step(f"recovery to marker {number} of {len(soak.markers)}")
        soak.check_marker(number)


main(body, deadline=int(ARGUMENTS.seconds) + 400)
