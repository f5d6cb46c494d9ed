"""CPU time and memory of programs and of all that they start, exactly and without special rights.

A process that waits for its children (PostgreSQL's archiver does) has their CPU time in /proc. What
leaves it (an agent, a peer's asynchronous worker) comes to this program when its parent ends,
because this program is a child subreaper (prctl(2)); waiting for it tells the CPU time of it and of
its own children.
"""

import ctypes
import dataclasses
import os
import resource
import tempfile
import time

from harness.outcomes import Failed, bound

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
TICKS = os.sysconf("SC_CLK_TCK")


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
    peak_memory: int = 0  # bytes, of the largest process; 0 if there was none

    def add(self, rusage):
        """Another process, which has ended."""
        self.cpu_seconds += rusage.ru_utime + rusage.ru_stime
        self.peak_memory = max(self.peak_memory, rusage.ru_maxrss * 1024)


def wait_for_more(pause):
    """Waits a little for children that have not ended yet, between two looks at them."""
    time.sleep(pause)


def reap(pids, patience=60):
    """Waits for children of ours, which end by themselves; returns their Usage."""
    usage, pids, deadline = Usage(), set(pids), time.monotonic() + patience
    while pids:
        for pid in list(pids):
            ended, _, rusage = os.wait4(pid, os.WNOHANG)
            if ended:
                pids.discard(pid)
                usage.add(rusage)
        if pids and time.monotonic() > deadline:
            raise Failed(f"process {min(pids)} does not end")
        wait_for_more(0.01)
    return usage


class Watch:
    """Measures from its making on what `parent` (a running process) and its offspring use."""

    def __init__(self, parent):
        self.parent = parent
        self.cpu_before = cpu_seconds(parent)
        self.known = children_of(os.getpid())
        self.peak_memory = 0

    def adopted(self):
        return children_of(os.getpid()) - self.known

    def note_memory(self):
        """Before what stayed behind is told to end."""
        for pid in self.adopted():
            self.peak_memory = max(self.peak_memory, peak_memory(pid))

    def finish(self, patience=60):
        """Waits for what stayed behind, which has been told to end; returns the Usage, whose memory
        is that of what stayed behind."""
        usage = Usage(peak_memory=self.peak_memory)
        while adopted := self.adopted():
            more = reap(adopted, patience)
            usage.cpu_seconds += more.cpu_seconds
            usage.peak_memory = max(usage.peak_memory, more.peak_memory)
        usage.cpu_seconds += cpu_seconds(self.parent) - self.cpu_before
        return usage


def measure(account, argv, patience=3600, **options):
    """Runs a program to its end: (wall seconds, Usage). The Usage is that of the program and of all
    that it waited for, its memory that of the largest process. Failed unless it ends with 0."""
    with tempfile.TemporaryFile() as out:
        begin = time.perf_counter()
        process = account.start(argv, stdout=out, stderr=out, **options)
        usage, deadline = Usage(), time.monotonic() + patience
        while True:
            ended, status, rusage = os.wait4(process.pid, os.WNOHANG)
            wall = time.perf_counter() - begin
            if ended:
                break
            if time.monotonic() > deadline:
                process.kill()
                raise Failed(f"{argv[0]} ran longer than {patience} s")
            wait_for_more(0.002)
        process.returncode = os.waitstatus_to_exitcode(status)
        account.children.remove(process)
        usage.add(rusage)
        if process.returncode != 0:
            out.seek(0)
            command = " ".join(map(str, argv))
            raise Failed(f"{command} ended with {process.returncode}:\n{bound(out.read().decode())}")
    return wall, usage


TIMER = """
import os, sys, time
null = os.open('/dev/null', os.O_RDWR)
actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1)]
for _ in range(int(sys.argv[1])):
    if os.path.lexists(sys.argv[2]): os.unlink(sys.argv[2])
    begin = time.perf_counter()
    pid = os.posix_spawnp(sys.argv[3], sys.argv[3:], os.environ, file_actions=actions)
    status = os.waitpid(pid, 0)[1]
    print((time.perf_counter() - begin) * 1000)
    if status: sys.exit(1)
"""


def time_calls(account, argv, count, directory, removed=""):
    """Milliseconds of each of `count` calls of a program, one after the other, as that user and from
    a small process; Failed if one does not end with 0. A file `removed` is removed before each."""
    done = account.run(["python3", "-S", "-E", "-c", TIMER, count, removed, *argv], cwd=directory)
    return [float(line) for line in done.out.splitlines()]


def raise_descriptor_limit():
    """radosgw and a proxy of ours open many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
