"""An archive and a data directory in one folder, set back in no time: for tests that break the
programs hundreds of times.

Everything belongs to the user of the test, who needs no server: the WAL comes from a cluster that
real_wal() has stopped.
"""

import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE.parent / "support")]

from crash_points import (InvariantBroken, can_trace, enumerate_points,  # noqa: E402
                          lasting_harm, plausible_harm)
from fixtures import plain_wal  # noqa: E402
from scenario import Skip, wait_for  # noqa: E402
from harness.toml import toml_document  # noqa: E402
from harness.walden import find_programs  # noqa: E402

# The dynamic loader's own end, before the program has begun.
LOADER_CODE = 127
LOADER_TEXT = "error while loading shared libraries"
KILLED = -9
PATIENT = "60s"
# Long enough for a run under strace on a busy machine, for the repetition must succeed in it.
IMPATIENT = "1s"
MEMORY = "/dev/shm"
MEMORY_MIN = 512 << 20
HISTORY = "00000002.history"


def real_wal(scenario):
    """A stopped cluster with segments of 1 MiB, and the paths of two complete ones."""
    if not can_trace():
        raise Skip("strace is missing or may not trace")
    find_programs(build_directory())
    cluster, wal = plain_wal(scenario, batches=2)
    return cluster, wal[-2:]


def build_directory():
    return pathlib.Path(os.environ.get("WALDEN_BUILD", "build")).resolve()


def is_loader_failure(outcome):
    return outcome.exit_code == LOADER_CODE and LOADER_TEXT in outcome.output


def place_in_memory():
    """A directory where fsync costs no time, None where there is none with enough space."""
    if not os.access(MEMORY, os.W_OK):
        return None
    space = os.statvfs(MEMORY)
    return MEMORY if space.f_bavail * space.f_frsize >= MEMORY_MIN else None


def enumerate_states(states, lasting, cluster, wal, chancy_calls=()):
    """All points of {name: object with case()}, with errors that pass, and for the names in
    `lasting` also with errors that stay. Some calls are made only if another process was slow.
    Returns whether all is well."""
    parent = place_in_memory()
    well = []
    for what, state in states.items():
        well.append(summarize(what, enumerate_points(
            state.case(cluster, wal), harms=plausible_harm, parent=parent), chancy_calls))
        if what in lasting:
            # The programs try again until their deadline: most of the time is waiting.
            well.append(summarize(f"{what}, with errors that stay", enumerate_points(
                state.case(cluster, wal, IMPATIENT), harms=lasting_harm, worker_count=6,
                parent=parent)))
    return all(well)


def summarize(name, summary, chancy_calls=()):
    """Prints a Summary of enumerate_points(); returns whether all is well."""
    print(f"{name}: {summary}", flush=True)
    missed = [point for point in summary.missed
              if not any(f" at {call} #" in point for call in chancy_calls)]
    # The number of calls differs a little between runs where memory is laid out anew.
    is_complete = len(missed) * 50 <= summary.point_count
    if not is_complete:
        print(f"FAILED: points not reached: {missed}")
    return is_complete and not summary.broken


class Place:
    """A folder with a data directory, a configuration, and a new repository with its key.

    `deadline` is how long the programs try again. An agent, of those who want one, is begun with
    start_agent().
    """

    def __init__(self, cluster, wal, directory, deadline=PATIENT, has_agent=False):
        self.directory = pathlib.Path(directory)
        self.programs = find_programs(build_directory())
        self.pgdata = self.directory / "pgdata"
        self.pg_wal = self.pgdata / "pg_wal"
        self.store = self.directory / "store"
        self.state = self.directory / "state"
        self.fetched = self.directory / "fetched"
        self.config = self.directory / "walden.toml"
        self.pg_wal.mkdir(parents=True)
        (self.pgdata / "global").mkdir()
        for name in ("PG_VERSION", "global/pg_control"):
            shutil.copyfile(cluster.data / name, self.pgdata / name)
        for path in wal:
            shutil.copyfile(path, self.pg_wal / path.name)
        (self.pg_wal / HISTORY).write_text("1\t0/9000000\tno recovery target specified\n",
                                           encoding="ascii")
        self.config.write_text(toml_document({
            "cluster": "main", "pgdata": self.pgdata, "state_dir": self.state,
            "store": {"url": f"file://{self.store}"},
            "encryption": {"enabled": True, "key_file": self.directory / "key"},
            # Else the programs themselves are broken at each call.
            "agent": {"enabled": has_agent},
            "archive": {"deadline": deadline}, "fetch": {"deadline": deadline, "hole_patience": "1ms"},
        }), encoding="utf-8")
        self.must("walden", "init")

    def argv(self, program, *arguments):
        return [str(self.programs[program]), "--config", str(self.config), *map(str, arguments)]

    def run(self, program, *arguments):
        """Runs a program unharmed in PGDATA: (exit code, output)."""
        done = subprocess.run(self.argv(program, *arguments), cwd=self.pgdata, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
        return done.returncode, done.stdout.decode(errors="replace")

    def must(self, program, *arguments):
        code, text = self.run(program, *arguments)
        if code != 0:
            raise InvariantBroken(f"{program} {arguments} ended with {code}: {text}")

    def push(self, name):
        self.must("walden-push", f"pg_wal/{name}")

    def start_agent(self):
        """The agent that all later runs ask; it is the test's child, and no harm comes to it."""
        (self.pg_wal / "archive_status").mkdir()  # which "walden status" looks into
        agent = subprocess.Popen(self.argv("walden", "agent"), cwd=self.pgdata,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        wait_for(lambda: f"pid {agent.pid}," in self.run("walden", "status")[1], "agent")
        return agent

    def save(self):
        """Keeps the store and the state as what reset() brings back."""
        for tree in (self.store, self.state):
            saved = tree.with_name(tree.name + ".saved")
            shutil.rmtree(saved, ignore_errors=True)
            if tree.exists():
                shutil.copytree(tree, saved)

    def reset(self):
        for tree in (self.store, self.state):
            saved = tree.with_name(tree.name + ".saved")
            shutil.rmtree(tree, ignore_errors=True)
            if saved.exists():
                shutil.copytree(saved, tree)

    def objects(self):
        """({key: bytes}, [names of temporaries]) of the store."""
        found, temporaries = {}, []
        for path in self.store.rglob("*"):
            if path.is_file():
                if path.name.startswith("."):
                    temporaries.append(path.name)
                else:
                    found[str(path.relative_to(self.store))] = path.read_bytes()
        return found, temporaries

    def require_fetchable_or_absent(self, name):
        """Fetches `name` unharmed; returns whether it is archived."""
        self.fetched.unlink(missing_ok=True)
        code, text = self.run("walden-fetch", name, self.fetched)
        if code == 1:
            return False
        if code != 0:
            raise InvariantBroken(f"{name} is neither absent nor whole: fetch ends with {code}, "
                                  f"{text.strip()!r}")
        if self.fetched.read_bytes() != (self.pg_wal / name).read_bytes():
            raise InvariantBroken(f"other bytes were delivered for {name}")
        return True
