"""A cluster whose WAL can be replayed again and again, and one recovery of it."""

import dataclasses
import datetime
import json
import os
import re
import shutil
import time

from cluster import Cluster
from harness.outcomes import Failed
from harness.postgres import Server
from harness.processes import Usage, children_of, peak_memory, reap

TARGET = "end"  # the restore point in the last segment
SETTINGS = {
    "listen_addresses": "", "shared_buffers": "512MB", "fsync": "off", "autovacuum": "off",
    "archive_mode": "off", "checkpoint_timeout": "1d", "max_wal_size": "1TB", "hot_standby": "off",
    # Segments that are linked into pg_wal must not be written to.
    "wal_recycle": "off", "log_line_prefix": "%m ", "log_min_messages": "log",
    "wal_retrieve_retry_interval": "200ms", "recovery_target_name": TARGET,
    "recovery_target_action": "shutdown", "recovery_target_timeline": "current",
}
STAMP = re.compile(r"^(\d+-\d+-\d+ \d+:\d+:\d+\.\d+) UTC LOG: +(.*)$", re.MULTILINE)


class ReplayedCluster(Cluster):
    """Keeps base/, the data directory as it was before the WAL that counts, stopped cleanly. The
    segment in which it stopped comes first in `names`; the last one holds a restore point."""

    @property
    def base(self):
        return self.directory / "base"

    def before_the_wal(self):
        self.psql("CHECKPOINT")
        self.stop()
        self.account.run(["cp", "-a", self.data, self.base], cwd=self.directory)
        self.start(autovacuum="on")

    def after_the_wal(self):
        self.psql(f"SELECT pg_create_restore_point('{TARGET}')")
        self.last = self.segment_name(self.segment_number())
        self.psql("SELECT pg_switch_wal()")

    def make(self, wanted):
        made = super().make(wanted)
        written = sorted(path.name for path in (self.data / "pg_wal").iterdir()
                         if path.is_file() and len(path.name) == 24)
        begin = written.index(made["names"][0]) - 1
        return {**made, "names": written[begin:written.index(self.last) + 1]}

    def provide(self, wanted):
        super().provide(wanted)
        # All of them are needed to come to the restore point.
        made = json.loads((self.directory / "segments.json").read_text(encoding="utf-8"))
        self.names = made["names"]


@dataclasses.dataclass
class Replay:
    """What one recovery took."""

    seconds: float      # from the first record to the restore point
    cpu_seconds: float  # of the server, its commands and what they left behind
    helper_cpu_seconds: float  # of what they left behind: an agent, a peer's worker
    helper_peak: int    # bytes, of the largest of those
    told: dict          # by the restorer itself


class Recovery(Server):
    """A data directory that recovers with one restore_command."""

    defaults = SETTINGS
    settings_file = Cluster.settings_file

    def __init__(self, cluster, directory):
        super().__init__(cluster.account, directory, log_path=directory.with_suffix(".log"))
        self.cluster = cluster

    def prepare(self, restore_command, linked=()):
        """A copy of the base, with `linked` segments in its pg_wal."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.account.run(["cp", "-a", "--reflink=auto", self.cluster.base, self.data],
                         cwd=self.cluster.directory)
        for name in linked:
            path = self.data / "pg_wal" / name
            path.unlink(missing_ok=True)
            os.link(self.cluster.data / "pg_wal" / name, path)
        self.configure(restore_command=restore_command)
        self.account.write(self.data / "recovery.signal", "")
        self.log_path.unlink(missing_ok=True)
        os.sync()

    def run(self, restorer, patience=900):
        """Recovers up to the restore point; Failed if it does not come to it."""
        known = children_of(os.getpid())
        self.launch()
        server, peak = self.wait(self.process.pid, known, patience)
        self.process.returncode = 0
        self.reap()
        told = restorer.told()
        restorer.stop()
        helpers = reap(children_of(os.getpid()) - known)
        return Replay(self.replay_seconds(self.log()), server.cpu_seconds + helpers.cpu_seconds,
                      helpers.cpu_seconds, max(peak, helpers.peak_memory), told)

    @staticmethod
    def wait(pid, known, patience):
        """(Usage, peak memory of the helpers seen meanwhile) of the server, which ends. `known` are
        the store's servers."""
        usage, deadline, peak = Usage(), time.monotonic() + patience, 0
        while True:
            ended, _, rusage = os.wait4(pid, os.WNOHANG)
            if ended:
                usage.add(rusage)
                return usage, peak
            for child in children_of(os.getpid()) - known - {pid}:
                peak = max(peak, peak_memory(child))
            if time.monotonic() > deadline:
                raise Failed(f"no end of recovery within {patience} s")
            time.sleep(0.05)

    @staticmethod
    def replay_seconds(log):
        times = {}
        for stamp, text in STAMP.findall(log):
            at = datetime.datetime.fromisoformat(stamp)
            if text.startswith("redo starts at"):
                times["begin"] = at
            if text.startswith("recovery stopping at restore point"):
                times["end"] = at
        if len(times) != 2:
            raise Failed(f"recovery did not come to its restore point:\n{log[-1500:]}")
        return (times["end"] - times["begin"]).total_seconds()
