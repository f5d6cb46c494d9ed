#!/usr/bin/env python3
"""Breaks a command at each of its system calls and asks after each whether all is still well.

A first run under strace counts the calls that touch files or descriptors. Then, for each call k of
each name, the command is run again from the same state and
  - killed with SIGKILL instead of the call (what was done before stays, nothing after happens),
  - given EIO, ENOSPC and EINTR as the result of the call, which does not take place;
the caller's invariants are checked; the command is run once more unharmed, and they are checked
again. Killing in place of every call, exit included, is killing between any two.

A module: see enumerate_points(). The dynamic loader's calls count too: a command that cannot even
start must leave a valid state as well.
"""

import collections
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field

ERRORS = ("EIO", "ENOSPC", "EINTR")

# The first is not the command's own (an error makes strace fail to start it), the second cannot
# return, the rest cannot fail or only free what a process has anyway.
NO_ERRORS = {"execve", "exit_group", "munmap", "getcwd"}

# What can find the disk full. Opening is among them because it may create.
SPACE_CALLS = {"open", "openat", "openat2", "creat", "write", "pwrite64", "writev", "pwritev",
               "fallocate", "ftruncate", "fsync", "fdatasync", "close", "link", "linkat", "rename",
               "renameat", "renameat2", "mkdir", "mkdirat"}


class InvariantBroken(Exception):
    """Raised by a case's check()."""


@dataclass
class Outcome:
    exit_code: int  # negative: ended by that signal, as in subprocess
    output: str


@dataclass(frozen=True)
class Point:
    call: str
    number: int
    harm: str  # "KILL" or the name of an errno, with "+" for this call and all later ones

    def __str__(self):
        return f"{self.harm} at {self.call} #{self.number}"

    def expression(self):
        if self.harm == "KILL":
            # With the error the call is certain not to take place before the signal does its work.
            return f"inject={self.call}:error=EIO:signal=KILL:when={self.number}"
        onwards = "+" if self.harm.endswith("+") else ""
        return f"inject={self.call}:error={self.harm.rstrip('+')}:when={self.number}{onwards}"


@dataclass
class Case:
    """What is tried, in a work directory of its own.

    command: list of arguments.
    reset(): puts the work directory into the state in which the command starts.
    check(outcome, was_harmed): raises InvariantBroken with a text for people. With was_harmed False
    the command ran by itself, after harm, and has to have succeeded.
    """
    command: list
    reset: object
    check: object
    cwd: str | None = None
    env: dict | None = None


@dataclass
class Summary:
    call_count: int = 0
    point_count: int = 0
    missed: list = field(default_factory=list)  # points that a later run did not reach
    broken: list = field(default_factory=list)  # texts
    points_by_exit_code: dict = field(default_factory=lambda: collections.defaultdict(list))
    seconds: float = 0.0

    def __str__(self):
        lines = [f"BROKEN: {text}" for text in self.broken]
        codes = ", ".join(f"{code}: {len(points)}"
                          for code, points in sorted(self.points_by_exit_code.items()))
        lines.append(f"{self.call_count} calls, {self.point_count} points, {len(self.broken)} "
                     f"broken, {len(self.missed)} not reached, {self.seconds:.1f} s; "
                     f"exit codes {{{codes}}}")
        return "\n".join(lines)


def strace(case, arguments, timeout):
    """Runs the case's command under strace. Returns its Outcome and the lines of the trace."""
    with tempfile.NamedTemporaryFile("r", prefix="walden-strace-", encoding="latin-1") as log:
        argv = ["strace", "-f", "-s", "0", "-o", log.name, *arguments, "--", *case.command]
        outcome = run(argv, case, timeout)
        return outcome, log.read().splitlines()


def run(argv, case, timeout):
    try:
        done = subprocess.run(argv, cwd=case.cwd, env=case.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                              check=False)
    except subprocess.TimeoutExpired as error:
        raise InvariantBroken(f"no end after {timeout} s") from error
    return Outcome(done.returncode, done.stdout.decode(errors="replace"))


def count_calls(case, timeout):
    """How often the command makes each call, at most, in one of its threads or processes: strace
    counts the calls of each for itself."""
    case.reset()
    outcome, lines = strace(case, ["-e", "trace=%file,%desc,exit_group"], timeout)
    try:
        case.check(outcome, False)
    except InvariantBroken as reason:
        raise InvariantBroken(f"unharmed: {reason}\n{outcome.output}") from reason
    counts = collections.defaultdict(collections.Counter)
    for line in lines:
        match = re.match(r"(\d+) +(\w+)\(", line)
        if match:
            counts[match.group(2)][match.group(1)] += 1
    return {call: max(by_thread.values()) for call, by_thread in counts.items()}


def every_harm(call, errors=ERRORS):
    """What can be done to a call."""
    return ("KILL",) if call in NO_ERRORS else ("KILL", *errors)


def plausible_harm(call):
    """The same without ENOSPC for calls that never need space, and without errors of mmap, with
    which the dynamic loader dies in ways of its own: for commands with many calls."""
    if call == "mmap":
        return ("KILL",)
    return every_harm(call, ERRORS if call in SPACE_CALLS else ("EIO", "EINTR"))


def lasting_harm(call):
    """An error that stays, for commands that try again after one that passes."""
    return () if call in {*NO_ERRORS, "mmap"} else ("EIO+",)


def points_of(counts, harms):
    for call, count in sorted(counts.items()):
        for number in range(1, count + 1):
            if call == "execve" and number == 1:
                continue  # strace's own start of the command
            for harm in harms(call):
                yield Point(call, number, harm)


def try_point(case, point, summary, lock, timeout):
    """Harms a run at one point, checks, repeats unharmed, checks."""
    phase, outcome = "harmed", None
    try:
        case.reset()
        outcome, lines = strace(
            case, ["-e", f"trace={point.call}", "-e", "signal=none", "-e", point.expression()],
            timeout)
        # strace dies of its command's signal, before it has written the end of the trace.
        was_reached = outcome.exit_code == -signal.SIGKILL or any(
            "(INJECTED)" in line or "killed by SIGKILL" in line for line in lines)
        case.check(outcome, True)
        with lock:
            summary.points_by_exit_code[outcome.exit_code].append(str(point))
            if not was_reached:
                summary.missed.append(str(point))
        phase = "repeated"
        outcome = run(case.command, case, timeout)
        case.check(outcome, False)
    except InvariantBroken as reason:
        text = f"{point}, {phase}: {reason}"
        if outcome:
            text += f" (exit code {outcome.exit_code}, output: {outcome.output.strip()!r})"
        with lock:
            summary.broken.append(text)


def enumerate_points(make_case, *, harms=every_harm, worker_count=2, timeout=60,
                     parent=None):
    """make_case(directory) returns a Case that works in `directory`, which exists and is empty;
    it is called once per worker. harms(call) names what is done to a call: see Point.
    parent: where the work directories are made, else where temporary files are.
    Returns a Summary. Raises InvariantBroken if the unharmed command fails already."""
    start = time.monotonic()
    work = tempfile.mkdtemp(prefix="walden-crash-", dir=parent)
    try:
        cases = []
        for i in range(worker_count):
            os.mkdir(os.path.join(work, str(i)))
            cases.append(make_case(os.path.join(work, str(i))))
        counts = count_calls(cases[0], timeout)
        points = list(points_of(counts, harms))
        summary = Summary(call_count=sum(counts.values()), point_count=len(points))
        lock = threading.Lock()

        def work_off(index):
            for point in points[index::worker_count]:
                try_point(cases[index], point, summary, lock, timeout)

        with concurrent.futures.ThreadPoolExecutor(worker_count) as pool:
            for done in [pool.submit(work_off, i) for i in range(worker_count)]:
                done.result()
        summary.seconds = time.monotonic() - start
        return summary
    finally:
        shutil.rmtree(work, ignore_errors=True)


def can_trace():
    """False where strace is missing or tracing is forbidden (containers)."""
    if shutil.which("strace") is None:
        return False
    argv = ["strace", "-o", os.devnull, "-e", "inject=fsync:retval=0", "true"]
    return subprocess.run(argv, check=False, stderr=subprocess.DEVNULL).returncode == 0
