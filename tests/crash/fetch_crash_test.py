#!/usr/bin/env python3
"""walden-fetch killed or failed at every system call that touches files (faults 14-16, 36, 39-43,
48 and invariants 14-17).

usage: fetch_crash_test.py [agent]

Without an agent walden-fetch does all the work itself. With one, which no harm comes to, it asks, is
given the descriptor of a file without a name, and gives it its name: a link and a rename; where
that cannot be done, it copies or does the work after all.

PostgreSQL takes exit codes 1 to 125 for "there is no such file" and ends recovery: no error may
look like that. What stands at %p is absent or whole, and a killed fetch leaves only a temporary
that the server removes.

Left out: calls that touch neither file nor descriptor, threads (strace counts the calls of each for
itself), and standbys, for which an unreachable store is "not yet" by decision.
"""

import sys

from archive_place import (HISTORY, KILLED, PATIENT, Place, enumerate_states,
                           is_loader_failure, real_wal)

from crash_points import Case, InvariantBroken, enumerate_points, plausible_harm
from scenario import Failed, check, main
from walden import FETCH_REFUSALS

NOT_THERE = 1
DAMAGED = 202
OLDER = b"older content of another segment" * 100


class Fetched:
    """What is asked for, where it goes, and what stands there beforehand."""

    agents = None  # those who were started for it; None: the program does the work itself

    def __init__(self, name, target="RECOVERYXLOG", older=None, temporary="xlogtemp.walden.",
                 truth=0, signal="recovery.signal", also_true=()):
        self.name = name
        self.truth = truth  # the exit code of an unharmed fetch
        self.also_true = also_true  # of a harmed one, beside the refusals
        self.signal = signal  # in the data directory of whoever asks; None: PostgreSQL removed it
        self.target = target
        self.older = older
        self.temporary = temporary

    def prepare(self, cluster, wal, directory, deadline=PATIENT):
        place = Place(cluster, wal, directory, deadline, has_agent=self.agents is not None)
        if self.agents is not None:
            self.agents.append(place.start_agent())
        for path in wal:
            place.push(path.name)
        place.push(HISTORY)
        if self.signal:
            (place.pgdata / self.signal).touch()
        self.ours = {path.name for path in place.pg_wal.iterdir()}
        return place

    def case(self, cluster, wal, deadline=PATIENT):
        def make_case(directory):
            place = self.prepare(cluster, wal, directory, deadline)
            source = place.pg_wal / self.name
            body = source.read_bytes() if source.exists() else None
            store, _ = place.objects()

            def reset():
                for path in place.pg_wal.iterdir():
                    if path.name not in self.ours:
                        path.unlink()
                if self.older is not None:
                    (place.pg_wal / self.target).write_bytes(self.older)

            def check_fetch(outcome, was_harmed):
                require_exit_code(outcome, was_harmed, self.truth, self.also_true)
                self.require_agent(outcome, was_harmed)
                self.require_target(place.pg_wal / self.target, outcome, body)
                self.require_no_debris(place)
                if place.objects() != (store, []):
                    raise InvariantBroken("the fetch wrote to the store")
            return Case(place.argv("walden-fetch", self.name, f"pg_wal/{self.target}"), reset,
                        check_fetch, cwd=str(place.pgdata))
        return make_case

    def require_target(self, target, outcome, body):
        present = target.read_bytes() if target.exists() else None
        if outcome.exit_code == 0:
            if present != body:
                raise InvariantBroken("exit code 0, but %p is not what was archived")
            if target.is_symlink() or target.stat().st_nlink != 1:
                raise InvariantBroken("exit code 0, but %p is no file of its own")
        elif body is None and present != self.older:
            raise InvariantBroken("%p was touched for a file that is not archived")
        elif present not in (self.older, body, None) or present is None and self.older is not None:
            size = "gone" if present is None else f"{len(present)} bytes"
            raise InvariantBroken(f"%p is neither as it was nor whole: {size}")

    def require_agent(self, outcome, was_harmed):
        """The harm of a run does not keep the next one from its agent."""
        if self.agents is None or was_harmed:
            return
        if any(agent.poll() is not None for agent in self.agents):
            raise InvariantBroken("the agent has ended")
        if self.truth == 0 and "by the agent" not in outcome.output:
            raise InvariantBroken("an unharmed fetch does without the agent")

    def require_no_debris(self, place):
        left = {path.name for path in place.pg_wal.iterdir()} - self.ours - {self.target}
        if len(left) > 1 or not all(name.startswith(self.temporary) for name in left):
            raise InvariantBroken(f"left-overs {sorted(left)}")


def require_exit_code(outcome, was_harmed, truth, also_true):
    if not was_harmed:
        if outcome.exit_code != truth:
            raise InvariantBroken(f"an unharmed fetch does not end with {truth}")
        return
    if outcome.exit_code in (truth, KILLED, *also_true) or outcome.exit_code in FETCH_REFUSALS:
        return
    if not is_loader_failure(outcome):
        raise InvariantBroken("an exit code that lies")


def states_of(wal):
    name = wal[-1].name
    return {"a segment": Fetched(name),
            "a segment where another file stands": Fetched(name, older=OLDER),
            "a history": Fetched(HISTORY, "RECOVERYHISTORY"),
            # PostgreSQL takes its own then, and would start on the old timeline after a refusal.
            "a history that PostgreSQL has, at the end of recovery": Fetched(
                HISTORY, "RECOVERYHISTORY", signal=None, also_true=(NOT_THERE,)),
            "a segment for another program": Fetched(name, "copy", temporary="copy.tmp."),
            "a segment that is not archived": Fetched(name[:-2] + "FA", truth=NOT_THERE),
            "a history that is not archived": Fetched("00000007.history", "RECOVERYHISTORY",
                                                      truth=NOT_THERE),
            # The answer hangs on a listing, and without it would be "not there".
            "a hole": Fetched(name[:-2] + "01", truth=DAMAGED),
            # The history puts the switch at 0/9000000, that is into segment 90.
            "a hole before a switch": Fetched(name[:-2] + "7A", truth=DAMAGED)}


def control(cluster, wal):
    """The restore_command of many a tutorial, which the enumeration has to find fault with."""
    def make_case(directory):
        case = Fetched(wal[-1].name).case(cluster, wal)(directory)
        case.command = ["cp", f"pg_wal/{wal[-1].name}", "pg_wal/RECOVERYXLOG"]
        return case
    found = enumerate_points(make_case, harms=plausible_harm)
    print(f"cp, for comparison: {len(found.broken)} of {found.point_count} points broken")
    for what in ("an exit code that lies", "neither as it was nor whole"):
        check(any(what in text for text in found.broken), f"the enumeration notices of cp: {what}")


def with_agent(states, cluster, wal):
    """enumerate_states() of the states that an agent answers."""
    well = []
    for what in ("a segment", "a segment where another file stands", "a history",
                 "a segment that is not archived"):
        state = states[what]
        state.agents = []
        try:
            # The answer may be there before it is waited for.
            well.append(enumerate_states({f"{what}, by the agent": state}, (), cluster, wal,
                                         chancy_calls=("poll",)))
        finally:
            for agent in state.agents:
                agent.kill()
                agent.wait()
    return all(well)


def body(s):
    cluster, wal = real_wal(s)
    states = states_of(wal)
    if sys.argv[1:] == ["agent"]:
        is_well = with_agent(states, cluster, wal)
    else:
        control(cluster, wal)
        lasting = ("a segment", "a segment that is not archived", "a hole", "a hole before a switch")
        is_well = enumerate_states(states, lasting, cluster, wal)
    if not is_well:
        raise Failed("see above")


main(body, deadline=870)
