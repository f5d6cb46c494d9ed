"""CPU time and memory of what PostgreSQL's archiver starts, exactly and without special rights.

The archiver waits for its commands, so the kernel adds their CPU time to what /proc shows of it.
What leaves it (an agent, a peer's asynchronous worker) comes to this program when its parent ends,
because this program is a child subreaper (prctl(2)); waiting for it tells the CPU time of it and of
its own children.
"""

import ctypes
import dataclasses
import os
import pwd
import resource
import subprocess
import time

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A figure cannot be had; the text says why."""


def become_subreaper():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise Failed(f"prctl(PR_SET_CHILD_SUBREAPER): {os.strerror(ctypes.get_errno())}")


def stat_of(pid):
    """The fields of /proc/PID/stat from the third (state) on, see proc(5); None if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def children_of(pid):
    found = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            stat = stat_of(entry)
            if stat and int(stat[1]) == pid:
                found.add(int(entry))
    return found


def cpu_seconds(pid):
    """Of a running process and of all children that it has waited for."""
    stat = stat_of(pid)
    if stat is None:
        raise Failed(f"process {pid} has gone")
    return sum(int(field) for field in stat[11:15]) / TICKS


def peak_memory(pid):
    """Bytes; 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


@dataclasses.dataclass
class Usage:
    cpu_seconds: float = 0.0
    peak_memory: int = 0  # bytes, of the largest process that stayed behind; 0 if none did


class Watch:
    """Measures from its making on what `archiver` (a pid) and its offspring use."""

    def __init__(self, archiver):
        self.archiver = archiver
        self.cpu_before = cpu_seconds(archiver)
        self.known = children_of(os.getpid())
        self.usage = Usage()

    def adopted(self):
        return children_of(os.getpid()) - self.known

    def note_memory(self):
        """Before what stayed behind is told to end."""
        for pid in self.adopted():
            self.usage.peak_memory = max(self.usage.peak_memory, peak_memory(pid))

    def finish(self, patience=60):
        """Waits for what stayed behind, which has been told to end; returns the Usage."""
        deadline = time.monotonic() + patience
        while adopted := self.adopted():
            for pid in adopted:
                ended, _, usage = os.wait4(pid, os.WNOHANG)
                if ended:
                    self.usage.cpu_seconds += usage.ru_utime + usage.ru_stime
                    self.usage.peak_memory = max(self.usage.peak_memory, usage.ru_maxrss * 1024)
            if time.monotonic() > deadline:
                raise Failed(f"process {min(adopted)} does not end")
            time.sleep(0.01)
        self.usage.cpu_seconds += cpu_seconds(self.archiver) - self.cpu_before
        return self.usage


class Account:
    """The user who runs PostgreSQL and its commands: postgres where we are root, who it refuses."""

    def __init__(self):
        self.record = None
        if os.geteuid() == 0:
            try:
                self.record = pwd.getpwnam("postgres")
            except KeyError:
                raise Failed("there is no user postgres to run the server as") from None

    def own(self, path):
        if self.record:
            os.chown(path, self.record.pw_uid, self.record.pw_gid)
        return path

    def make_directory(self, path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.own(path)

    def write(self, path, text):
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return self.own(path)

    def options(self):
        """For subprocess."""
        if not self.record:
            return {}
        return {"user": self.record.pw_uid, "group": self.record.pw_gid, "extra_groups": []}

    def run(self, argv, ok=True, **options):
        """Runs a program to its end; its output, or Failed unless it ends with 0."""
        done = subprocess.run([str(word) for word in argv], capture_output=True, text=True,
                              check=False, stdin=subprocess.DEVNULL, **self.options(), **options)
        if ok and done.returncode != 0:
            raise Failed(f"{argv[0]} ended with {done.returncode}: "
                         f"{(done.stderr or done.stdout).strip()}")
        return done.stdout.strip()

    def time_calls(self, argv, count, directory, removed=""):
        """Milliseconds of each of `count` calls of a program, one after the other, as this user
        and from a small process; Failed if one does not end with 0. A file `removed` is removed
        before each call."""
        script = ("import os, sys, time\n"
                  "null = os.open('/dev/null', os.O_RDWR)\n"
                  "actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1)]\n"
                  "for _ in range(int(sys.argv[1])):\n"
                  "    if os.path.lexists(sys.argv[2]): os.unlink(sys.argv[2])\n"
                  "    begin = time.perf_counter()\n"
                  "    pid = os.posix_spawnp(sys.argv[3], sys.argv[3:], os.environ,\n"
                  "                          file_actions=actions)\n"
                  "    status = os.waitpid(pid, 0)[1]\n"
                  "    print((time.perf_counter() - begin) * 1000)\n"
                  "    if status: sys.exit(1)\n")
        text = self.run(["python3", "-S", "-E", "-c", script, count, removed, *argv], cwd=directory)
        return [float(line) for line in text.splitlines()]


def raise_descriptor_limit():
    """radosgw and a proxy of ours open many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
