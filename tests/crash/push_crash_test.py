#!/usr/bin/env python3
"""walden-push killed or failed at every system call that touches files (faults 8, 12-18, 20 and
invariants 1, 3, 4, 6, 7), and what it acknowledged after a power failure (faults 13 and 18).

Exit code 0 means that walden-fetch gives the bytes back; whatever else happens, the name is absent
or whole, what is left over has no name, and the next push succeeds.

Left out: calls that touch neither file nor descriptor (memory, signals, locks), and the threads of
segments larger than these: strace counts the calls of every thread for itself.
"""

from archive_place import (HISTORY, KILLED, PATIENT, Place, enumerate_states,
                           is_loader_failure, real_wal)

from crash_points import Case, InvariantBroken, enumerate_points
from durability_trace import trace
from scenario import Failed, check, check_equal, main, step

class PushedName:
    """What is pushed, and what the archive holds beforehand."""

    def __init__(self, name, before):
        self.name = name
        self.before = before

    def prepare(self, cluster, wal, directory, deadline=PATIENT):
        """Returns a Place in that state and the keys that it will have after the push."""
        place = Place(cluster, wal, directory, deadline)
        for name in self.before:
            place.push(name)
        place.save()
        place.push(self.name)
        keys = set(place.objects()[0])
        place.reset()
        return place, keys

    def case(self, cluster, wal, deadline=PATIENT):
        def make_case(directory):
            place, keys_after = self.prepare(cluster, wal, directory, deadline)
            before, _ = place.objects()
            # One per object where no temporary can be removed, for that is not tried again.
            temporaries_max = 1 if deadline == PATIENT else len(keys_after - set(before))

            def check_push(outcome, was_harmed):
                require_exit_code(outcome, was_harmed)
                require_store(place, before, keys_after, temporaries_max)
                for name in self.before:
                    if not place.require_fetchable_or_absent(name):
                        raise InvariantBroken(f"{name} is not archived any more")
                is_archived = place.require_fetchable_or_absent(self.name)
                if outcome.exit_code == 0 and not is_archived:
                    raise InvariantBroken("exit code 0, but not archived")
            return Case(place.argv("walden-push", f"pg_wal/{self.name}"), place.reset, check_push,
                        cwd=str(place.pgdata))
        return make_case

def require_exit_code(outcome, was_harmed):
    if outcome.exit_code == 0 or was_harmed and is_loader_failure(outcome):
        return
    if not was_harmed:
        raise InvariantBroken("an unharmed push failed")
    if outcome.exit_code != KILLED and not 1 <= outcome.exit_code <= 125:
        raise InvariantBroken("an exit code that PostgreSQL does not count")

def require_store(place, before, keys_after, temporaries_max):
    objects, temporaries = place.objects()
    changed = [key for key, body in before.items() if objects.get(key) != body]
    if changed:
        raise InvariantBroken(f"changed or removed: {changed}")
    unknown = sorted(set(objects) - keys_after)
    if unknown:
        raise InvariantBroken(f"unknown objects {unknown}")
    if len(temporaries) > temporaries_max:
        raise InvariantBroken(f"more left-overs than {temporaries_max}: {temporaries}")

def states_of(wal):
    first, later = (path.name for path in wal)
    return {"first push of a timeline": PushedName(first, []),
            "a later segment": PushedName(later, [first]),
            "the same segment again": PushedName(later, [first, later]),
            "a history": PushedName(HISTORY, [first])}

def control(cluster, wal):
    """An archive_command that swallows failures, which the enumeration has to find fault with."""
    def make_case(directory):
        case = PushedName(wal[0].name, []).case(cluster, wal)(directory)
        case.command = ["sh", "-c", '"$@" || true', "sh", *case.command]
        return case
    found = enumerate_points(make_case,
                             harms=lambda call: ("KILL",) if call in ("linkat", "fsync") else ())
    print(f"push || true, for comparison: {len(found.broken)} of {found.point_count} points broken")
    check(any("exit code 0, but not archived" in text for text in found.broken),
          "the enumeration notices an exit code that lies")

class Durability:
    """One push, traced again and again from the same state."""

    def __init__(self, what, pushed, place, keys_after):
        self.what = what
        self.name = pushed.name
        self.place = place
        place.reset()
        new = keys_after - set(place.objects()[0])
        # Nobody publishes an entry before its content is durable: of what was archived already,
        # only the entry may have been left unsynced.
        entry = {key for key in keys_after if key.endswith("/" + self.name)}
        self.targets = [place.store / key for key in new or entry]
        check(self.targets, f"{what}: objects of what is pushed")

    def push(self, **options):
        """The report of a push, whatever its exit code is."""
        self.place.reset()
        return trace(self.place.argv("walden-push", f"pg_wal/{self.name}"),
                     [str(self.place.store)], cwd=str(self.place.pgdata), **options)

    def push_after_a_death(self, lies=None):
        """What of the push could be lost, were everything before it unsynced; `lies` tells strace
        which fsyncs do nothing."""
        inject = [f"fsync:retval=0:when={lies}"] if lies else []
        report = self.push(volatile=True, inject=inject)
        check_equal(report.exit_code, 0, f"exit code of {self.what}")
        check(not lies or report.injected_count > 0, f"{self.what}: fsync {lies} was reached")
        return [str(f) for path in self.targets for f in report.findings_on_the_way_to(path)]

    def require(self):
        report = self.push()
        check_equal(report.exit_code, 0, f"exit code of {self.what}")
        check(report.is_durable, f"{self.what}: {report}")
        check_equal(self.push_after_a_death(), [], f"{self.what}, after a death")
        paths = [line.split("<")[1].split(">")[0] for line in report.log if " fsync(" in line]
        for path in sorted(set(paths)):
            if not path.startswith(str(self.place.store)):
                continue  # the local state, which is a cache
            numbers = [number for number, its in enumerate(paths, 1) if its == path]
            # Content has to be durable before its entry is there, so directories on the way to
            # several objects are synced for each. Where they existed before, any one is enough.
            lies = [str(numbers[-1])]
            if len(numbers) == 2:
                lies.append(f"{numbers[0]}+{numbers[1] - numbers[0]}")
            check(any(self.push_after_a_death(lie) for lie in lies),
                  f"{self.what}: fsync {numbers} of {path} as a lie is noticed")
        print(f"   {report.fsync_count} fsyncs, lies are noticed", flush=True)
        self.require_no_trust_after_failure(len(paths))

    def require_no_trust_after_failure(self, fsync_count):
        """A push goes on after some errors: not by asking the kernel again, which may have dropped
        what it could not write."""
        codes = []
        for number in range(1, fsync_count + 1):
            report = self.push(inject=[f"fsync:error=EIO:when={number}"])
            codes.append(report.exit_code)
            check(report.exit_code <= 125, f"{self.what}: exit code {report.exit_code}")
            check(report.exit_code != 0 or report.is_durable,
                  f"{self.what}: exit code 0 after fsync {number} failed: {report}")
        print(f"   each of them failing: {codes.count(0)} pushes went on, "
              f"{len(codes) - codes.count(0)} gave up", flush=True)


def durability(s, cluster, wal):
    for number, (what, pushed) in enumerate(states_of(wal).items()):
        step(f"what was acknowledged is durable: {what}")
        directory = s.make_directory(s.directory / f"durable{number}")
        Durability(what, pushed, *pushed.prepare(cluster, wal, directory)).require()


def body(s):
    cluster, wal = real_wal(s)
    durability(s, cluster, wal)
    control(cluster, wal)
    if not enumerate_states(states_of(wal), ("a later segment",), cluster, wal):
        raise Failed("see above")


main(body, deadline=870)
