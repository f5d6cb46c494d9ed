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
import shutil
import signal
import subprocess
import tempfile
import time

from processes import Failed, children_of

MIB = 1 << 20
CLIENTS = 4
SCALE = 20

# One checkpoint, before the first segment that counts; none recycles a segment. The archive
# command is set while something is measured and empty else: then segments stay ready.
SETTINGS = {
    "listen_addresses": "", "wal_level": "replica", "full_page_writes": "on",
    "wal_compression": "off", "checkpoint_timeout": "1d", "max_wal_size": "1TB",
    "wal_keep_size": "1TB", "shared_buffers": "512MB", "archive_mode": "on", "archive_timeout": "0",
    "log_min_messages": "log", "log_checkpoints": "off",
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


def bin_directory():
    pg_config = shutil.which("pg_config")
    places = [pathlib.Path("/usr/lib/postgresql/15/bin")]
    if pg_config:
        done = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=True)
        places.append(pathlib.Path(done.stdout.strip()))
    for place in places:
        if (place / "initdb").exists() and (place / "pgbench").exists():
            return place
    raise Failed("PostgreSQL is not installed: no initdb and pgbench found by pg_config")


class Cluster:
    """`variables` come into the server's environment, and with it into that of its commands."""

    def __init__(self, account, directory, variables):
        self.account = account
        self.directory = directory
        self.data = directory / "data"
        self.status = self.data / "pg_wal" / "archive_status"
        self.variables = variables
        self.bin = bin_directory()
        self.process = None
        self.settings = {}
        self.names = []
        self.segment_size = 0

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
        self.segment_size = made["segment_size"]

    def make(self, wanted):
        print(f"making {wanted['count']} segments of {wanted['segment_size'] // MIB} MiB, "
              f"{wanted['workload']}", flush=True)
        self.account.make_directory(self.directory)
        self.account.run([self.bin / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust",
                          "--no-sync", "--data-checksums",
                          f"--wal-segsize={wanted['segment_size'] // MIB}"], cwd=self.directory)
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write("\ninclude 'bench.conf'\n")
        self.start(fsync="off", autovacuum="on")
        self.segment_size = wanted["segment_size"]
        begin = {"oltp": self.prepare_oltp, "random": self.prepare_random,
                 "idle": self.prepare_idle}[wanted["workload"]]()
        self.before_the_wal()
        first = self.next_segment()
        while self.segment_number() < first + wanted["count"]:
            begin()
        version = self.sql("SHOW server_version")
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
        self.sql(TPCB)
        script = self.account.write(self.directory / "tpcb.sql", f"CALL tpcb(1000, {SCALE});\n")
        self.sql("CHECKPOINT")
        return lambda: self.pgbench("-n", "-c", CLIENTS, "-t", 4, "-f", script)

    def prepare_random(self):
        self.sql("CREATE TABLE noise (text text)")
        return lambda: self.sql(RANDOM_ROWS)

    def prepare_idle(self):
        """Nearly empty segments, as archive_timeout makes them."""
        self.sql("CREATE TABLE quiet (n int)")
        return lambda: self.sql("INSERT INTO quiet VALUES (1); SELECT pg_switch_wal()")

    def segment_number(self):
        return int(self.sql("SELECT div(pg_current_wal_insert_lsn() - '0/0', "
                            f"{self.segment_size})"))

    def next_segment(self):
        self.sql("SELECT pg_switch_wal()")
        return self.segment_number()

    def segment_name(self, number):
        per_log = (1 << 32) // self.segment_size
        return f"{1:08X}{number // per_log:08X}{number % per_log:08X}"

    # ---- running -----------------------------------------------------------------------------

    def start(self, **settings):
        self.settings = {**SETTINGS, **settings}
        # Its path, with the socket's name, must not be longer than 107 bytes.
        self.sockets = pathlib.Path(tempfile.mkdtemp(prefix="wb", dir="/tmp"))
        self.account.own(self.sockets)
        self.log_path = self.directory / "server.log"
        self.set_archive_command("")
        with open(self.log_path, "wb") as log:
            self.account.own(self.log_path)
            # Should this program be killed, the server ends with it.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "QUIT", self.bin / "postgres", "-D", self.data],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.data,
                env={**os.environ, "LC_ALL": "C", **self.variables}, **self.account.options())
        deadline = time.monotonic() + 60
        while not self.account.run([self.bin / "pg_isready", "-h", self.sockets],
                                   ok=False).endswith("accepting connections"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"the server did not start:\n{self.log_path.read_text()}")
            time.sleep(0.05)

    def stop(self):
        if self.process is None:
            return
        self.set_archive_command("")
        self.process.send_signal(signal.SIGHUP)
        self.process.send_signal(signal.SIGINT)  # fast shutdown
        self.process.wait(120)
        self.process = None
        shutil.rmtree(self.sockets)

    def set_archive_command(self, command):
        """Takes effect when the server, or its archiver, gets SIGHUP."""
        settings = {**self.settings, "unix_socket_directories": self.sockets,
                    "archive_command": command}
        lines = [f"{name} = '" + str(value).replace("'", "''") + "'\n"
                 for name, value in settings.items()]
        self.account.write(self.data / "bench.conf", "".join(lines))

    def sql(self, text):
        return self.account.run([self.bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h",
                                 self.sockets, "-U", "postgres", "-c", text], cwd=self.directory)

    def pgbench(self, *arguments):
        self.account.run([self.bin / "pgbench", "-h", self.sockets, "-U", "postgres", *arguments,
                          "postgres"], cwd=self.directory)

    # ---- archiving ---------------------------------------------------------------------------

    def archiver(self):
        """Its pid; the server starts it anew when it ended."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for pid in children_of(self.process.pid):
                try:
                    if b"archiver" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                        return pid
                except OSError:
                    continue
            time.sleep(0.05)
        raise Failed("the server has no archiver")

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

    def wake(self):
        """Has the archiver read its command and look for work."""
        self.process.send_signal(signal.SIGHUP)

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
            self.wake()
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
        self.set_archive_command(command)
        try:
            yield
        finally:
            self.set_archive_command("")
            self.wake()
        self.require_no_failure()
