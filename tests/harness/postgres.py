"""A PostgreSQL server on a private socket: Debian's 15, or that whose programs lie elsewhere.

A Server is a child of this program, so its end is seen at once and with its exit code; should this
program be killed, the server ends with it. It never listens on TCP.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from harness.outcomes import Failed, Skip, bound, check, wait_for

BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
IN_PRODUCTION = 6  # DB_IN_PRODUCTION of pg_control, set when recovery has ended
MIB = 1 << 20


class ServerStopped(Failed):
    """The server ended although it was wanted; the text holds the end of its log."""


def find_bin():
    """The programs of Debian's PostgreSQL 15, else those of pg_config. Raises Skip without any."""
    places = [BIN]
    pg_config = shutil.which("pg_config")
    if pg_config:
        done = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=True)
        places.append(pathlib.Path(done.stdout.strip()))
    for place in places:
        if all((place / program).exists() for program in ("postgres", "initdb", "psql", "pgbench")):
            return place
    raise Skip(f"PostgreSQL 15 is not installed: no postgres, initdb, psql and pgbench in {BIN}")


def quote(value):
    return "'" + str(value).replace("'", "''") + "'"


def segment_name(number, segment_size, timeline=1):
    """The name of the WAL segment with that number, counted from the beginning of WAL."""
    per_log = (1 << 32) // segment_size
    return f"{timeline:08X}{number // per_log:08X}{number % per_log:08X}"


class Server:
    """One data directory and its server. Its settings lie in a file of their own, so that they can
    be changed as a whole; subclasses say what they are by default. `with` starts and stops it."""

    defaults = {"listen_addresses": "", "fsync": "off"}
    settings_file = "harness.conf"

    def __init__(self, account, data, *, name="the server", programs=None, sockets=None, port=5432,
                 log_path=None, wal_segsize=16):
        """`programs` is the directory of the server's programs. Without `sockets` each start makes a
        directory for the socket."""
        self.account = account
        self.name = name
        self.data = pathlib.Path(data)
        self.programs = pathlib.Path(programs or find_bin())
        self.given_sockets = self.sockets = sockets
        self.port = port
        self.log_path = log_path or self.data.parent / "server.log"
        self.wal_segsize = wal_segsize  # MiB
        self.settings = {}
        self.process = None

    @property
    def segment_size(self):
        return self.wal_segsize * MIB

    def program(self, name):
        """The server's own program, else Debian's, else that of PATH: clients speak to servers of
        other versions."""
        for path in (self.programs / name, BIN / name):
            if os.access(path, os.X_OK):
                return path
        return shutil.which(name) or self.programs / name

    # ---- making one --------------------------------------------------------------------------

    def initdb(self, data_checksums=True):
        options = ["-k"] if data_checksums else []
        self.account.run([self.programs / "initdb", "-D", self.data, "-U", "postgres", "--auth=trust",
                          "--no-sync", "--no-locale", "-E", "UTF8",
                          f"--wal-segsize={self.wal_segsize}", *options], cwd=self.data.parent)
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(f"\ninclude '{self.settings_file}'\n")
        self.configure()
        return self

    def configure(self, **settings):
        """Changes settings; a running server sees them after reload() or a restart."""
        self.settings.update(settings)
        merged = {**self.defaults, "port": self.port, **self.settings}
        if self.sockets:
            merged["unix_socket_directories"] = self.sockets
        lines = [f"{name} = {quote(value)}\n" for name, value in merged.items()]
        self.account.write(self.data / self.settings_file, "".join(lines))
        return self

    # ---- running it --------------------------------------------------------------------------

    def launch(self, env=None):
        """Starts the server without waiting for anything."""
        check(self.process is None, f"{self.name} is started once at a time")
        if not self.given_sockets:
            # Its path, with the socket's name, must not be longer than 107 bytes.
            self.sockets = self.account.own(pathlib.Path(tempfile.mkdtemp(prefix="wpg", dir="/tmp")))
            self.configure()
        with open(self.log_path, "ab") as log:
            self.account.own(self.log_path)
            self.process = self.account.start(
                ["setpriv", "--pdeathsig", "QUIT", self.programs / "postgres", "-D", self.data],
                cwd=self.data, env=env, stdout=log, stderr=subprocess.STDOUT)
        return self

    def start(self, env=None, deadline=60):
        """Starts the server and waits until it answers. Raises ServerStopped if it ends."""
        self.launch(env)
        self.wait_until_answers(deadline)
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def wait_until_answers(self, deadline=60):
        def answers():
            if self.exit_code() is not None:
                raise ServerStopped(f"{self.name} stopped with exit code {self.process.returncode}:"
                                    f"\n{bound(self.log())}")
            return self.state() in ("running", "recovering")
        wait_for(answers, f"answer of {self.name}", deadline)

    def finish_recovery(self, deadline=120):
        """Starts the server and waits until it has left recovery. Raises ServerStopped."""
        self.start()
        wait_for(lambda: self.state() in ("running", "stopped"), f"end of recovery of {self.name}",
                 deadline)
        self.require_running()
        return self

    def require_running(self):
        if self.state() != "running":
            raise ServerStopped(f"{self.name} is {self.state()}:\n{bound(self.log())}")

    def exit_code(self):
        """The server's exit code, None while it runs."""
        return self.process.poll() if self.process else None

    def state(self):
        """"stopped", "starting", "recovering" (hot standby) or "running" (read-write)."""
        if self.process is None or self.process.poll() is not None:
            return "stopped"
        # Two small files instead of a connection: this is asked many times a second.
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return "starting"
        if len(lines) < 8 or int(lines[0]) != self.process.pid or lines[7].strip() != "ready":
            return "starting"
        return "running" if self.control_state() == IN_PRODUCTION else "recovering"

    def control_state(self):
        """The DBState of pg_control (src/include/catalog/pg_control.h)."""
        with open(self.data / "global" / "pg_control", "rb") as file:
            return int.from_bytes(file.read(20)[16:20], "little")

    def stop(self, mode="fast", deadline=60):
        """Stops the server: "smart", "fast" or "immediate". Returns its exit code."""
        if self.process is None:
            return None
        number = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode]
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.reap(deadline)

    def reap(self, deadline=60):
        """Waits for the server's own end; returns its exit code."""
        try:
            code = self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not stop within {deadline} s") from None
        self.account.children.remove(self.process)
        self.process = None
        if not self.given_sockets:
            shutil.rmtree(self.sockets, ignore_errors=True)
        return code

    def restart(self, mode="fast"):
        self.stop(mode)
        return self.start()

    def reload(self):
        """Has the server read its settings again."""
        self.process.send_signal(signal.SIGHUP)

    # ---- asking it ---------------------------------------------------------------------------

    def client(self, program, *arguments, **options):
        """Runs a client program against the server; returns its Result."""
        return self.account.run([self.program(program), "-h", self.sockets, "-p", self.port, "-U",
                                 "postgres", *arguments], cwd=self.data.parent, **options)

    def try_psql(self, sql, database="postgres"):
        """Runs `sql`; returns the Result, whatever it is."""
        return self.client("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", database,
                           "-c", sql, ok=False)

    def psql(self, sql, database="postgres"):
        """Runs `sql`; returns its output without the last line break."""
        done = self.try_psql(sql, database)
        if done.code != 0:
            raise Failed(f"{self.name}: {sql}: {done.err.strip()}")
        return done.out.strip()

    def pgbench(self, *options, **more):
        return self.client("pgbench", *options, "postgres", **more)

    def system_identifier(self):
        with open(self.data / "global" / "pg_control", "rb") as file:
            return int.from_bytes(file.read(8), "little")

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # ---- WAL ---------------------------------------------------------------------------------

    def switch_wal(self):
        """Ends the current segment; returns its name."""
        return self.psql("select pg_walfile_name(pg_switch_wal())")

    def segment_number(self):
        """Of the segment that is being written, counted from the beginning of WAL."""
        return int(self.psql(f"select div(pg_current_wal_insert_lsn() - '0/0', {self.segment_size})"))

    def next_segment(self):
        """Ends the current segment; returns the number of the one that follows."""
        self.psql("select pg_switch_wal()")
        return self.segment_number()

    def segment_name(self, number):
        return segment_name(number, self.segment_size)

    def segment(self, name):
        """The path of a WAL file."""
        return self.data / "pg_wal" / name

    def ready(self):
        """Names waiting to be archived, in order."""
        return self.archive_status(".ready")

    def done(self):
        return self.archive_status(".done")

    def archive_status(self, suffix):
        directory = self.data / "pg_wal" / "archive_status"
        return sorted(p.name.removesuffix(suffix) for p in directory.glob(f"*{suffix}"))

    def archive_now(self, deadline=60):
        """Ends the current segment and waits until everything is archived; returns its name."""
        name = self.switch_wal()
        self.wait_archived(deadline)
        return name

    def wait_archived(self, deadline=60):
        """Waits until nothing is left to archive."""
        def empty():
            if self.exit_code() is not None:
                raise ServerStopped(f"{self.name} stopped:\n{bound(self.log())}")
            return not self.ready()
        wait_for(empty, f"empty archive queue of {self.name}", deadline)
