"""What every scenario shares: a private directory, an unprivileged user, a deadline, a clean end.

A scenario is a function `body(scenario)`; `main(body)` runs it and turns its end into an exit
code: 0 passed, 77 skipped (a word says why), 1 failed (with the tails of the server logs).

Environment: KEEP=1 keeps the directory; WALDEN_BUILD is the build directory with the programs.

Every process gets WALDEN_E2E_RUN=<directory> and lives in or below that directory, so that
whatever is left at the end (an agent, say) is found by that mark and ended by its pid.
"""

import dataclasses
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

SKIPPED = 77
PAUSE = 0.05  # seconds between two looks of wait_for


class Skip(Exception):
    """The scenario cannot run here; the text says why."""


class Failed(AssertionError):
    """A requirement does not hold; the text says which."""


class DeadlineExceeded(Exception):
    """The scenario as a whole took too long."""


@dataclasses.dataclass
class Result:
    """How a program ended. `code` is negative when a signal ended it, as in subprocess."""

    code: int
    out: str
    err: str

    @property
    def text(self):
        return self.out + self.err


def step(text):
    print(f"-- {text}", flush=True)


def check(condition, what):
    if not condition:
        raise Failed(what)


def check_equal(got, expected, what):
    if got != expected:
        raise Failed(f"{what}: got {got!r}, expected {expected!r}")


def wait_for(condition, what, deadline=60.0):
    """Calls `condition` every 50 ms until it returns something true, which is returned.

    The only place that lets time pass: a scenario waits for a state, never for a duration.
    Raises Failed after `deadline` seconds, naming `what` was awaited.
    """
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"no {what} within {deadline:g} s")
        time.sleep(PAUSE)


def bound(text):
    """The last 60 lines of `text`, for a report."""
    return "\n".join(text.splitlines()[-60:])


class Scenario:
    """One run: its directory, its user, and everything it started."""

    def __init__(self, name):
        self.name = name
        # Short, for the 107 bytes of a unix socket's path hold directory and file name.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="wd", dir="/tmp"))
        self.account = None
        if os.geteuid() == 0:
            # PostgreSQL refuses root, and root ignores file modes.
            try:
                self.account = pwd.getpwnam("postgres")
            except KeyError:
                raise Skip("there is no user postgres to run the server as") from None
        self.directory.chmod(0o755)
        self.own(self.directory)
        self.clusters = []
        self.mounts = []
        self.children = []
        self.at_end = []     # functions that stop what is not a process of the scenario
        self.variables = {}  # of the environment, for every program
        self.port = 5432

    # ---- files -------------------------------------------------------------------------------

    def own(self, path):
        """Gives `path` to the unprivileged user; returns it."""
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid, follow_symlinks=False)
        return path

    def make_directory(self, path, mode=0o700):
        path.mkdir(mode=mode, exist_ok=True)
        path.chmod(mode)
        return self.own(path)

    def write(self, path, content, mode=0o600):
        """Writes a file of the unprivileged user; returns its path."""
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return self.own(path)

    def copy_tree(self, source, target):
        """Copies with owners, modes and times."""
        self.run(["cp", "-a", source, target], as_root=True)
        return target

    def remove_tree(self, path):
        if path.exists():
            self.run(["chmod", "-R", "u+rwX", path], as_root=True)
            shutil.rmtree(path)

    # ---- processes ---------------------------------------------------------------------------

    def environment(self, extra=None):
        kept = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC",
                "HOME": str(self.directory), "WALDEN_E2E_RUN": str(self.directory),
                **{name: os.environ[name] for name in kept if name in os.environ},
                **self.variables, **(extra or {})}

    def start(self, argv, cwd=None, env=None, as_root=False, **options):
        """Starts a program as the unprivileged user, in a session of its own."""
        if self.account and not as_root:
            options.update(user=self.account.pw_uid, group=self.account.pw_gid, extra_groups=[])
        options = {"stdin": subprocess.DEVNULL, "umask": 0o077, "start_new_session": True, **options}
        process = subprocess.Popen([str(word) for word in argv], cwd=cwd or self.directory,
                                   env=self.environment(env), **options)
        self.children.append(process)
        return process

    def run(self, argv, cwd=None, env=None, as_root=False, ok=True, deadline=120, **options):
        """Runs a program to its end; `ok` requires exit code 0. Returns a Result."""
        # Files, not pipes: a helper that kept our pipe open must not keep us waiting.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self.start(argv, cwd, env, as_root, stdout=out, stderr=err, **options)
            try:
                process.wait(deadline)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise Failed(f"{argv[0]} ran longer than {deadline} s") from None
            self.children.remove(process)
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
        result = Result(process.returncode, *texts)
        if ok and result.code != 0:
            command = " ".join(map(str, argv))
            raise Failed(f"{command} ended with {result.code}:\n{bound(result.text)}")
        return result

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
        if not self.account:
            return False
        self.make_directory(path)
        options = f"size={size},mode=700,uid={self.account.pw_uid},gid={self.account.pw_gid}"
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
