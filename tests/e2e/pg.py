"""PostgreSQL for the scenarios: a server on a private socket that every scenario owns. Version 15 of
Debian, or the server whose programs lie in $WALDEN_E2E_POSTGRES (13 to 18; the clients are Debian's).

A Cluster is started as a child of the test, so its end is seen at once and with its exit code.
It never listens on TCP. fsync is off: the scenarios end processes, they do not cut the power.
"""

import os
import pathlib
import signal
import subprocess

from scenario import Failed, Skip, bound, check, wait_for

BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
SERVER_BIN = pathlib.Path(os.environ.get("WALDEN_E2E_POSTGRES", BIN))
DEFAULTS = {
    "listen_addresses": "", "fsync": "off", "shared_buffers": "16MB", "max_connections": "20",
    "autovacuum": "off", "checkpoint_timeout": "1h", "max_wal_size": "4GB", "wal_level": "replica",
    "max_wal_senders": "5", "hot_standby": "on", "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %b ", "wal_retrieve_retry_interval": "200ms",
    "archive_mode": "off", "archive_command": "", "restore_command": "",
}
IN_PRODUCTION = 6  # DB_IN_PRODUCTION of pg_control, set when recovery has ended


class ServerStopped(Failed):
    """The server ended although it was wanted; the text holds the end of its log."""


def require_postgres():
    """Raises Skip where PostgreSQL 15 is not installed."""
    for program in ("postgres", "initdb", "pg_basebackup", "psql", "pgbench"):
        if not (BIN / program).exists():
            raise Skip(f"PostgreSQL 15 is not installed: no {BIN / program}")
    if not (SERVER_BIN / "postgres").exists():
        raise Skip(f"there is no PostgreSQL in {SERVER_BIN}")


def server_major():
    """The major version of the servers: 15."""
    done = subprocess.run([SERVER_BIN / "postgres", "--version"], capture_output=True, check=True)
    return int(done.stdout.split()[2].split(b".")[0])


def quote(value):
    return "'" + str(value).replace("'", "''") + "'"


class Cluster:
    """One data directory and its server."""

    def __init__(self, scenario, name, wal_segsize=1):
        require_postgres()
        self.scenario = scenario
        self.name = name
        self.wal_segsize = wal_segsize  # MiB
        self.data = scenario.directory / name
        self.sockets = scenario.make_directory(scenario.directory / "s")
        self.port = scenario.port
        scenario.port += 1
        self.log_path = scenario.directory / f"{name}.log"
        self.settings = {}
        self.process = None
        scenario.clusters.append(self)

    # ---- making one --------------------------------------------------------------------------

    def initdb(self, data_checksums=True):
        options = ["-k"] if data_checksums else []
        self.scenario.run([SERVER_BIN / "initdb", "-D", self.data, "-U", "postgres", "--auth=trust",
                           "--no-sync", "--no-locale", "-E", "UTF8",
                           f"--wal-segsize={self.wal_segsize}", *options])
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write("\ninclude 'e2e.conf'\n")
        self.configure()
        return self

    def configure(self, **settings):
        """Changes settings; a running server sees them after reload() or a restart."""
        self.settings.update(settings)
        merged = {**DEFAULTS, "port": self.port, "unix_socket_directories": self.sockets,
                  **self.settings}
        lines = [f"{name} = {quote(value)}\n" for name, value in merged.items()]
        self.scenario.write(self.data / "e2e.conf", "".join(lines))
        return self

    @classmethod
    def from_backup(cls, scenario, name, backup, signal_file="recovery.signal", **settings):
        """A cluster, not started, from a copy of the base backup directory `backup`.

        `signal_file` is "recovery.signal", "standby.signal" or None; `settings` hold the
        restore_command and the target. It does not archive unless `settings` say so.
        """
        cluster = cls(scenario, name)
        scenario.copy_tree(backup, cluster.data)
        (cluster.data / "postgresql.auto.conf").write_text("", encoding="utf-8")
        if signal_file:
            scenario.write(cluster.data / signal_file, "")
        return cluster.configure(**settings)

    def base_backup(self, directory):
        """Takes a base backup without WAL (the archive must have it); returns its directory."""
        if SERVER_BIN != BIN:
            return self.copied_backup(directory)
        self.scenario.run([BIN / "pg_basebackup", "-h", self.sockets, "-p", self.port, "-U",
                           "postgres", "-D", directory, "-c", "fast", "-X", "none", "--no-sync"])
        return directory

    def copied_backup(self, directory):
        """The same by copying the files, for pg_basebackup refuses servers newer than itself."""
        begin, end = (("pg_backup_start('x', true)", "pg_backup_stop(false)") if server_major() >= 15
                      else ("pg_start_backup('x', true, false)", "pg_stop_backup(false, false)"))
        done = self.scenario.run(
            [BIN / "psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.sockets, "-p",
             self.port, "-U", "postgres", "-d", "postgres", "-c", f"select {begin}",
             "-c", f"\\! cp -a {self.data} {directory}", "-c", f"select labelfile from {end}"])
        label = done.out[done.out.index("START WAL LOCATION"):].rstrip("\n") + "\n"
        self.scenario.write(directory / "backup_label", label)
        (directory / "postmaster.pid").unlink()
        for path in (directory / "pg_wal").rglob("*"):
            if path.is_file():
                path.unlink()
        return directory

    # ---- running it --------------------------------------------------------------------------

    def launch(self, env=None):
        """Starts the server without waiting for anything."""
        check(self.process is None, f"{self.name} is started once at a time")
        with open(self.log_path, "ab") as log:
            self.scenario.own(self.log_path)
            # Should the test itself be killed, the server ends with it.
            self.process = self.scenario.start(
                ["setpriv", "--pdeathsig", "QUIT", SERVER_BIN / "postgres", "-D", self.data], cwd=self.data,
                env=env, stdout=log, stderr=subprocess.STDOUT)
        return self

    def start(self, env=None, deadline=60):
        """Starts the server and waits until it answers. Raises ServerStopped if it ends."""
        self.launch(env)
        self.wait_until_answers(deadline)
        return self

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
        self.scenario.children.remove(self.process)
        self.process = None
        return code

    def kill(self):
        """SIGKILLs the server and all its children, by pid, as an out-of-memory killer would."""
        if self.process is None:
            return
        children = self.pids()
        for pid in [self.process.pid, *children]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.reap()
        wait_for(lambda: not self.pids(), f"end of the children of {self.name}", 20)

    def pids(self):
        """The processes that have the data directory as theirs: server, children, commands."""
        found = []
        for pid in self.scenario.leftovers():
            try:
                if os.readlink(f"/proc/{pid}/cwd") == str(self.data):
                    found.append(pid)
            except OSError:
                continue
        return found

    def restart(self, mode="fast"):
        self.stop(mode)
        return self.start()

    def reload(self):
        self.psql("select pg_reload_conf()")

    def request_promotion(self):
        """Asks for promotion as pg_ctl does; works before the server answers, too."""
        self.scenario.write(self.data / "promote", "")
        if self.exit_code() is None:
            self.process.send_signal(signal.SIGUSR1)

    def promote(self, deadline=60):
        """Promotes a standby and waits until it is read-write."""
        self.request_promotion()
        wait_for(lambda: self.state() in ("running", "stopped"), f"promotion of {self.name}", deadline)
        self.require_running()

    # ---- asking it ---------------------------------------------------------------------------

    def try_psql(self, sql, database="postgres"):
        """Runs `sql`; returns the Result, whatever it is."""
        return self.scenario.run(
            [BIN / "psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.sockets, "-p",
             self.port, "-U", "postgres", "-d", database, "-c", sql], ok=False)

    def psql(self, sql, database="postgres"):
        """Runs `sql`; returns its output without the last line break."""
        done = self.try_psql(sql, database)
        if done.code != 0:
            raise Failed(f"{self.name}: {sql}: {done.err.strip()}")
        return done.out.strip()

    def pgbench(self, *options):
        return self.scenario.run([BIN / "pgbench", "-h", self.sockets, "-p", self.port, "-U",
                                  "postgres", *options, "postgres"])

    def count(self, table):
        """Rows of `table`; 0 when it does not exist (yet)."""
        exists = self.psql(f"select to_regclass({quote(table)}) is not null")
        return int(self.psql(f"select count(*) from {table}")) if exists == "t" else 0

    def checksum(self, table):
        """Row count and a hash over all rows in a defined order."""
        return self.psql("select count(*) || ':' || md5(coalesce(string_agg(r::text, E'\\n' "
                         f"order by r::text collate \"C\"), '')) from {table} r")

    def system_identifier(self):
        with open(self.data / "global" / "pg_control", "rb") as file:
            return int.from_bytes(file.read(8), "little")

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # ---- WAL and archiving -------------------------------------------------------------------

    def switch_wal(self):
        """Ends the current segment; returns its name."""
        return self.psql("select pg_walfile_name(pg_switch_wal())")

    def ready(self):
        """Names waiting to be archived, in order."""
        return self.archive_status(".ready")

    def done(self):
        return self.archive_status(".done")

    def archive_status(self, suffix):
        directory = self.data / "pg_wal" / "archive_status"
        return sorted(p.name.removesuffix(suffix) for p in directory.glob(f"*{suffix}"))

    def archiver(self):
        """pg_stat_archiver as a dictionary; numbers are int."""
        row = self.psql("select archived_count, coalesce(last_archived_wal, ''), failed_count, "
                        "coalesce(last_failed_wal, '') from pg_stat_archiver").split("|")
        return {"archived_count": int(row[0]), "last_archived_wal": row[1],
                "failed_count": int(row[2]), "last_failed_wal": row[3]}

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

    def segment(self, name):
        """The path of a WAL file."""
        return self.data / "pg_wal" / name


def add_rows(cluster, batch, rows=4000):
    """Adds a batch of incompressible rows to table t: about 1 MiB of WAL per 8000 rows."""
    cluster.psql("create table if not exists t (batch int, payload text);"
                 f"insert into t select {batch}, md5(random()::text) || md5(random()::text) "
                 f"from generate_series(1, {rows})")
