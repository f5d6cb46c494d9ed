"""PostgreSQL for the scenarios: a server on a private socket that every scenario owns. Version 15 of
Debian, or the server whose programs lie in $WALDEN_E2E_POSTGRES (13 to 18; the clients are Debian's).

fsync is off: the scenarios end processes, they do not cut the power.
"""

import os
import pathlib
import signal
import subprocess

from scenario import Skip, wait_for  # first: it makes the harness known
from harness.postgres import BIN, Server, ServerStopped, quote

__all__ = ["BIN", "SERVER_BIN", "Cluster", "ServerStopped", "add_rows", "require_postgres"]

SERVER_BIN = pathlib.Path(os.environ.get("WALDEN_E2E_POSTGRES", BIN))
DEFAULTS = {
    "listen_addresses": "", "fsync": "off", "shared_buffers": "16MB", "max_connections": "20",
    "autovacuum": "off", "checkpoint_timeout": "1h", "max_wal_size": "4GB", "wal_level": "replica",
    "max_wal_senders": "5", "hot_standby": "on", "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %b ", "wal_retrieve_retry_interval": "200ms",
    "archive_mode": "off", "archive_command": "", "restore_command": "",
}


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


class Cluster(Server):
    """One data directory of a scenario and its server."""

    defaults = DEFAULTS
    settings_file = "e2e.conf"

    def __init__(self, scenario, name, wal_segsize=1):
        require_postgres()
        super().__init__(scenario, scenario.directory / name, name=name, programs=SERVER_BIN,
                         sockets=scenario.make_directory(scenario.directory / "s"),
                         port=scenario.port, log_path=scenario.directory / f"{name}.log",
                         wal_segsize=wal_segsize)
        self.scenario = scenario
        scenario.port += 1
        scenario.clusters.append(self)

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
        self.client("pg_basebackup", "-D", directory, "-c", "fast", "-X", "none", "--no-sync")
        return directory

    def copied_backup(self, directory):
        """The same by copying the files, for pg_basebackup refuses servers newer than itself."""
        begin, end = (("pg_backup_start('x', true)", "pg_backup_stop(false)") if server_major() >= 15
                      else ("pg_start_backup('x', true, false)", "pg_stop_backup(false, false)"))
        done = self.client("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres",
                           "-c", f"select {begin}", "-c", f"\\! cp -a {self.data} {directory}",
                           "-c", f"select labelfile from {end}")
        label = done.out[done.out.index("START WAL LOCATION"):].rstrip("\n") + "\n"
        self.scenario.write(directory / "backup_label", label)
        (directory / "postmaster.pid").unlink()
        for path in (directory / "pg_wal").rglob("*"):
            if path.is_file():
                path.unlink()
        return directory

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

    def count(self, table):
        """Rows of `table`; 0 when it does not exist (yet)."""
        exists = self.psql(f"select to_regclass({quote(table)}) is not null")
        return int(self.psql(f"select count(*) from {table}")) if exists == "t" else 0

    def checksum(self, table):
        """Row count and a hash over all rows in a defined order."""
        return self.psql("select count(*) || ':' || md5(coalesce(string_agg(r::text, E'\\n' "
                         f"order by r::text collate \"C\"), '')) from {table} r")

    def archiver(self):
        """pg_stat_archiver as a dictionary; numbers are int."""
        row = self.psql("select archived_count, coalesce(last_archived_wal, ''), failed_count, "
                        "coalesce(last_failed_wal, '') from pg_stat_archiver").split("|")
        return {"archived_count": int(row[0]), "last_archived_wal": row[1],
                "failed_count": int(row[2]), "last_failed_wal": row[3]}


def add_rows(cluster, batch, rows=4000):
    """Adds a batch of incompressible rows to table t: about 1 MiB of WAL per 8000 rows."""
    cluster.psql("create table if not exists t (batch int, payload text);"
                 f"insert into t select {batch}, md5(random()::text) || md5(random()::text) "
                 f"from generate_series(1, {rows})")
