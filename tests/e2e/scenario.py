"""What every scenario shares: a private directory, an unprivileged user, a deadline, a clean end.

A scenario is a function `body(scenario)`; `main(body)` runs it and turns its end into an exit
code: 0 passed, 77 skipped (a word says why), 1 failed (with the tails of the server logs).

Environment: KEEP=1 keeps the directory; WALDEN_BUILD is the build directory with the programs.

Every process gets WALDEN_E2E_RUN=<directory> and lives in or below that directory, so that
whatever is left at the end (an agent, say) is found by that mark and ended by its pid.
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from harness.accounts import Account  # noqa: E402
from harness.outcomes import (Failed, Result, Skip, bound, check, check_equal,  # noqa: E402
                              wait_for)

# What scenarios import from here.
__all__ = ["Failed", "Result", "Scenario", "Skip", "bound", "check", "check_equal", "main", "step",
           "wait_for"]

SKIPPED = 77
MEMORY = "/dev/shm"
MEMORY_MIN = 6 << 30  # bytes free: several scenarios at a time, of at most 1 GiB each


class DeadlineExceeded(Exception):
    """The scenario as a whole took too long."""


def step(text):
    print(f"-- {text}", flush=True)


def place():
    """Memory if there is plenty of it and programs may run there, for most of a scenario's time on a
    disk is waiting for fsync, and scenarios end processes, they do not cut the power."""
    try:
        space = os.statvfs(MEMORY)
    except OSError:
        return "/tmp"
    is_plenty = space.f_bavail * space.f_frsize >= MEMORY_MIN
    return MEMORY if is_plenty and not space.f_flag & os.ST_NOEXEC else "/tmp"


class Scenario(Account):
    """One run: its directory, its user, and everything it started."""

    umask = 0o077
    deadline = 120

    def __init__(self, name):
        # Short, for the 107 bytes of a unix socket's path hold directory and file name.
        super().__init__(tempfile.mkdtemp(prefix="wd", dir=place()))
        self.name = name
        self.directory.chmod(0o755)
        self.own(self.directory)
        self.clusters = []
        self.mounts = []
        self.at_end = []     # functions that stop what is not a process of the scenario
        self.port = 5432

    # ---- processes ---------------------------------------------------------------------------

    def environment(self, extra=None):
        kept = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC",
                "HOME": str(self.directory), "WALDEN_E2E_RUN": str(self.directory),
                **{name: os.environ[name] for name in kept if name in os.environ},
                **self.variables, **(extra or {})}

    def leftovers(self):
        """Pids of all running processes that belong to this run."""
        mark = f"WALDEN_E2E_RUN={self.directory}".encode()
        prefix = f"{self.directory}/"
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            process = pathlib.Path("/proc") / entry
            try:
                if b") Z " in (process / "stat").read_bytes():
                    continue
                # The server overwrites its environment with its title, but stays in its directory.
                if (mark in (process / "environ").read_bytes().split(b"\0")
                        or os.readlink(process / "cwd").startswith(prefix)
                        or os.readlink(process / "exe").startswith(prefix)):
                    found.append(int(entry))
            except OSError:
                continue  # gone, or not ours to look into
        return found

    def end_all(self):
        """Ends every process of this run, by pid; returns whether none is left."""
        def none_left():
            for pid in self.leftovers():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            for child in self.children:
                child.poll()
            return not self.leftovers()
        try:
            wait_for(none_left, "end of all processes", 15)
        except Failed:
            return False
        return True

    # ---- a small file system -----------------------------------------------------------------

    def mount_tmpfs(self, path, size):
        """Mounts an empty file system of `size` ("8m") at `path`; False where that is forbidden."""
        if not self.record:
            return False
        self.make_directory(path)
        options = f"size={size},mode=700,uid={self.record.pw_uid},gid={self.record.pw_gid}"
        done = self.run(["mount", "-t", "tmpfs", "-o", options, "walden-e2e", path], as_root=True,
                        ok=False)
        if done.code == 0:
            self.mounts.append(path)
        return done.code == 0

    def unmount(self, path):
        self.run(["umount", path], as_root=True)
        self.mounts.remove(path)

    # ---- the end -----------------------------------------------------------------------------

    def report_logs(self):
        for cluster in self.clusters:
            print(f"\n==== log of {cluster.name}\n{bound(cluster.log())}", flush=True)

    def close(self):
        gone = self.end_all()
        for stop in reversed(self.at_end):
            stop()
        for path in list(self.mounts):
            subprocess.run(["umount", "-l", path], check=False)
        if os.environ.get("KEEP"):
            print(f"kept {self.directory}")
        else:
            self.remove_tree(self.directory)
        if not gone:
            print("some processes could not be ended")


def main(body, deadline=280):
    """Runs `body(scenario)` and exits. `deadline`, in seconds, must be below the test's timeout."""
    name = pathlib.Path(sys.argv[0]).stem

    def on_alarm(_number, _frame):
        raise DeadlineExceeded(f"not finished after {deadline} s")

    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    signal.alarm(deadline)
    scenario = None
    code = 1
    try:
        scenario = Scenario(name)
        body(scenario)
        code = 0
        print("passed", flush=True)
    except Skip as reason:
        print(f"skipped: {reason}", flush=True)
        code = SKIPPED
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    except Exception as error:  # every failure is reported the same way
        if not isinstance(error, Failed):
            traceback.print_exc()
        else:
            where = traceback.extract_tb(error.__traceback__)
            lines = ", ".join(f"{pathlib.Path(f.filename).name}:{f.lineno}" for f in where[1:])
            print(f"({lines})")
        if scenario:
            scenario.report_logs()
        print(f"\nFAILED: {error}", flush=True)
    finally:
        signal.alarm(60)
        if scenario:
            scenario.close()
    sys.exit(code)
