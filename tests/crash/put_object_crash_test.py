#!/usr/bin/env python3
"""PosixStorage::put_new killed or failed at every system call (faults 8, 12, 13, 14 and 18): the
object is absent or whole, a later put succeeds, and what is left over is temporaries.

    put_object_crash_test.py PUT_OBJECT
"""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from crash_points import (Case, InvariantBroken, can_trace,  # noqa: E402
                          enumerate_points, every_harm)

KEY = "wal/00000001/segment"
OTHER_KEY = "wal/00000001/other"
BODY = os.urandom(50_000)
OTHER_BODY = b"other"


def put_object_case(program, before):
    """`before`: the objects in the store when the command starts."""
    def make_case(directory):
        store = os.path.join(directory, "store")
        source = os.path.join(directory, "source")
        with open(source, "wb") as file:
            file.write(BODY)

        def reset():
            shutil.rmtree(store, ignore_errors=True)
            os.mkdir(store)
            for key, body in before.items():
                os.makedirs(os.path.dirname(os.path.join(store, key)), exist_ok=True)
                with open(os.path.join(store, key), "wb") as file:
                    file.write(body)

        def check(outcome, was_harmed):
            objects, debris = read_store(store)
            stored = before.get(KEY, BODY)
            for key, body in before.items():
                if objects.pop(key, None) != body and key != KEY:
                    raise InvariantBroken(f"{key} was changed")
                if key == KEY:
                    objects[key] = body
            if KEY in before and not os.path.exists(os.path.join(store, KEY)):
                raise InvariantBroken(f"{KEY} was removed")
            present = objects.pop(KEY, None)
            if present not in (None, stored):
                raise InvariantBroken(f"{KEY} is neither absent nor whole: {len(present)} bytes")
            if objects:
                raise InvariantBroken(f"unknown objects {sorted(objects)}")
            if len(debris) > 1:
                raise InvariantBroken(f"more than one left-over: {debris}")
            if outcome.exit_code == 0 and present is None:
                raise InvariantBroken("exit code 0, but not stored")
            if not was_harmed and outcome.exit_code != 0:
                raise InvariantBroken("an unharmed put failed")
        return Case([program, store, KEY, source], reset, check)
    return make_case


def read_store(store):
    """The objects by their keys, and the names of temporaries."""
    objects, debris = {}, []
    for directory, _, names in os.walk(store):
        for name in names:
            path = os.path.join(directory, name)
            if name.startswith(".tmp."):
                debris.append(name)
                continue
            with open(path, "rb") as file:
                objects[os.path.relpath(path, store)] = file.read()
    return objects, debris


def copy_case(directory):
    """The archive_command of many a tutorial, which the enumeration has to find fault with."""
    make = put_object_case("", {})
    case = make(directory)
    _, store, key, source = case.command
    target = os.path.join(store, key)
    script = f"mkdir -p {os.path.dirname(target)} && test ! -f {target} && cp {source} {target}"
    return Case(["sh", "-c", script], case.reset, case.check)


def main():
    if not can_trace():
        print("skipped: strace is missing or may not trace")
        return 77
    program = sys.argv[1]
    failed = False
    for name, before in (("first put", {}), ("put beside another", {OTHER_KEY: OTHER_BODY}),
                         ("put on a taken key", {KEY: b"older", OTHER_KEY: OTHER_BODY})):
        summary = enumerate_points(put_object_case(program, before))
        print(f"{name}: {summary}", flush=True)
        # The number of calls differs a little between runs where memory is laid out anew.
        is_complete = len(summary.missed) * 50 <= summary.point_count
        if not is_complete:
            print(f"FAILED: points not reached: {summary.missed}")
        failed = failed or bool(summary.broken) or not is_complete
    control = enumerate_points(copy_case, harms=lambda call: every_harm(call, ("ENOSPC",)))
    found = f"{len(control.broken)} of {control.point_count} points broken"
    print(f"test and cp, for comparison: {found}, {control.seconds:.1f} s")
    if not any("neither absent nor whole" in text for text in control.broken):
        print("FAILED: the enumeration does not notice what is wrong with cp")
        failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
