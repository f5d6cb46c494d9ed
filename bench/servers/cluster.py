"""A PostgreSQL whose archiver can be given the same segments again and again.

The directory of a Cluster holds data/ and, when its WAL is complete, segments.json: the names of
the segments to archive, in order, and how they were made. It can be used for any number of runs:
nothing recycles them, and whether one is "ready" or "done" is only the name of a file in
archive_status.
"""

import contextlib
import json
import os
import pathlib
import signal
import time

from harness.outcomes import Failed, wait_for
from harness.postgres import MIB, Server
from harness.processes import children_of

CLIENTS = 4
SCALE = 20

# One checkpoint, before the first segment that counts; none recycles a segment. The archive
# command is set while something is measured and empty else: then segments stay ready.
SETTINGS = {
    "listen_addresses": "", "wal_level": "replica", "full_page_writes": "on",
    "wal_compression": "off", "checkpoint_timeout": "1d", "max_wal_size": "1TB",
    "wal_keep_size": "1TB", "shared_buffers": "512MB", "archive_mode": "on", "archive_timeout": "0",
    "archive_command": "", "log_min_messages": "log", "log_checkpoints": "off",
}

# The statements of pgbench's TPC-B, each transaction committed, without the client's round trips:
# the same records, sooner.
TPCB = """
CREATE PROCEDURE tpcb(count int, scale int) LANGUAGE plpgsql AS $$
DECLARE account int; teller int; branch int; delta int; balance int;
BEGIN
    FOR i IN 1..count LOOP
        account := 1 + floor(random() * 100000 * scale);
        teller := 1 + floor(random() * 10 * scale);
        branch := 1 + floor(random() * scale);
        delta := floor(random() * 10001) - 5000;
        UPDATE pgbench_accounts SET abalance = abalance + delta WHERE aid = account;
        SELECT abalance INTO balance FROM pgbench_accounts WHERE aid = account;
        UPDATE pgbench_tellers SET tbalance = tbalance + delta WHERE tid = teller;
        UPDATE pgbench_branches SET bbalance = bbalance + delta WHERE bid = branch;
        INSERT INTO pgbench_history (tid, bid, aid, delta, mtime)
            VALUES (teller, branch, account, delta, clock_timestamp());
        COMMIT;
    END LOOP;
END $$;
"""

RANDOM_ROWS = """
INSERT INTO noise SELECT sha512(random()::text::bytea)::text || sha512(random()::text::bytea)
    FROM generate_series(1, 50000);
"""


class Cluster(Server):
    defaults = SETTINGS
    settings_file = "bench.conf"

    def __init__(self, account, directory):
        super().__init__(account, directory / "data")
        self.directory = directory
        self.status = self.data / "pg_wal" / "archive_status"
        self.names = []

    # ---- making the WAL ----------------------------------------------------------------------

    def provide(self, wanted):
        """Makes the cluster unless its directory holds one made as `wanted` says: count, workload
        ("oltp", "random" or "idle") and segment_size. One that has more segments will do."""
        description = self.directory / "segments.json"
        if description.exists():
            made = json.loads(description.read_text(encoding="utf-8"))
            if (made["workload"], made["segment_size"]) != (wanted["workload"],
                                                           wanted["segment_size"]):
                raise Failed(f"\"{self.directory}\" holds {made['workload']} WAL in segments of "
                             f"{made['segment_size'] // MIB} MiB: name another directory")
            if len(made["names"]) < wanted["count"]:
                raise Failed(f"\"{self.directory}\" holds {len(made['names'])} segments only")
        else:
            if self.data.exists():
                raise Failed(f"\"{self.data}\" was left unfinished: remove it")
            made = self.make(wanted)
            description.write_text(json.dumps(made, indent=2), encoding="utf-8")
        self.names = made["names"][:wanted["count"]]
        self.wal_segsize = made["segment_size"] // MIB

    def make(self, wanted):
        print(f"making {wanted['count']} segments of {wanted['segment_size'] // MIB} MiB, "
              f"{wanted['workload']}", flush=True)
        self.account.make_directory(self.directory)
        self.wal_segsize = wanted["segment_size"] // MIB
        self.initdb()
        self.start(autovacuum="on")
        begin = {"oltp": self.prepare_oltp, "random": self.prepare_random,
                 "idle": self.prepare_idle}[wanted["workload"]]()
        self.before_the_wal()
        first = self.next_segment()
        while self.segment_number() < first + wanted["count"]:
            begin()
        version = self.psql("SHOW server_version")
        self.after_the_wal()
        self.stop()
        names = [self.segment_name(first + i) for i in range(wanted["count"])]
        return {**wanted, "names": names, "server": version, "scale": SCALE}

    def before_the_wal(self):
        """The running server has its tables, and writes the segments that count next."""

    def after_the_wal(self):
        """The segments are written."""

    def prepare_oltp(self):
        """Returns what makes some MiB of WAL."""
        self.pgbench("-i", "-q", "-s", SCALE)
        self.psql(TPCB)
        script = self.account.write(self.directory / "tpcb.sql", f"CALL tpcb(1000, {SCALE});\n")
        self.psql("CHECKPOINT")
        return lambda: self.pgbench("-n", "-c", CLIENTS, "-t", 4, "-f", script)

    def prepare_random(self):
        self.psql("CREATE TABLE noise (text text)")
        return lambda: self.psql(RANDOM_ROWS)

    def prepare_idle(self):
        """Nearly empty segments, as archive_timeout makes them."""
        self.psql("CREATE TABLE quiet (n int)")
        return lambda: self.psql("INSERT INTO quiet VALUES (1); SELECT pg_switch_wal()")

    # ---- running -----------------------------------------------------------------------------

    def start(self, fsync="off", autovacuum="off"):
        self.configure(fsync=fsync, autovacuum=autovacuum)
        return super().start()

    def stop(self, mode="fast", deadline=120):
        if self.process:
            # Else a shutdown would have the archiver archive what is ready.
            self.configure(archive_command="").reload()
        return super().stop(mode, deadline)

    # ---- archiving ---------------------------------------------------------------------------

    def archiver(self):
        """Its pid; the server starts it anew when it ended."""
        return wait_for(self.find_archiver, "archiver of the server", pause=0.05)

    def find_archiver(self):
        for pid in children_of(self.process.pid):
            try:
                if b"archiver" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
            except OSError:
                continue
        return None

    def mark(self, ready):
        """From now on these segments, and no others, wait to be archived."""
        for path in self.status.iterdir():
            path.unlink()
        # Later ones are the server's own, or not even written yet.
        for path in (self.data / "pg_wal").iterdir():
            if path.is_file() and path.name <= self.names[-1]:
                self.account.write(self.status / f"{path.name}.done", "")
        for name in ready:
            (self.status / f"{name}.done").rename(self.status / f"{name}.ready")
        # What this and the contender before left to be written must not fall on the next one.
        os.sync()

    def wait_until_done(self, names, patience):
        """Waits until the segments are archived. The archiver goes in order (pgarch.c), so only the
        last is looked for; Failed as soon as the server's log tells of a failed command."""
        last = self.status / f"{names[-1]}.done"
        deadline = time.monotonic() + patience
        look_at_log = time.monotonic() + 0.5
        pause = 0.0005 if len(names) == 1 else 0.002
        while not last.exists():
            time.sleep(pause)
            if time.monotonic() > look_at_log:
                self.require_no_failure()
                look_at_log += 0.5
                if time.monotonic() > deadline:
                    raise Failed(f"{names[-1]} was not archived within {patience} s")
        left = [name for name in names if not (self.status / f"{name}.done").exists()]
        if left:
            raise Failed(f"{left[0]} is not archived although a later one is")

    def require_no_failure(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            file.seek(self.log_read)
            text = file.read()
        if "archive command failed" in text or "archive command was terminated" in text:
            raise Failed(f"an archive command failed:\n{text[-2000:]}")

    def drain(self, names, command, patience=600):
        """Has PostgreSQL archive `names`, which are ready, with `command`: the wall time in
        seconds."""
        with self.archiving(command):
            begin = time.perf_counter()
            self.reload()
            self.wait_until_done(names, patience)
            return time.perf_counter() - begin

    def drain_one_by_one(self, names, command, patience=60):
        """As drain(), but each segment becomes ready only when the one before is done: the wall
        time of each, in seconds, from the archiver's waking."""
        archiver = self.archiver()
        walls = []
        with self.archiving(command):
            for name in names:
                (self.status / f"{name}.done").rename(self.status / f"{name}.ready")
                begin = time.perf_counter()
                os.kill(archiver, signal.SIGHUP)
                self.wait_until_done([name], patience)
                walls.append(time.perf_counter() - begin)
        return walls

    @contextlib.contextmanager
    def archiving(self, command):
        """Within it the archiver has this command, once it has been woken; Failed at the end if it
        failed for any segment."""
        self.log_read = self.log_path.stat().st_size
        self.configure(archive_command=command)
        try:
            yield
        finally:
            self.configure(archive_command="").reload()
        self.require_no_failure()
