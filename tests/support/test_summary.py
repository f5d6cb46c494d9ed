#!/usr/bin/env python3
"""Adds up meson test logs.

usage: test_summary.py [--tail] LOG.json ...

Prints "PASSED FAILED SKIPPED" over all logs (a missing one counts nothing). With --tail it prints the
end of each failed test's output instead.
"""

import json
import pathlib
import sys

PASSED = ("OK", "EXPECTEDFAIL")
SKIPPED = ("SKIP", "IGNORED")
TAIL_LINES = 40


def results(paths):
    for path in paths:
        if pathlib.Path(path).exists():
            for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
                yield json.loads(line)


def print_tail(result):
    output = (result.get("stdout") or "") + (result.get("stderr") or "")
    print(f"==== {result['name']}: {result['result']} after {result['duration']:.0f} s")
    print("\n".join(output.splitlines()[-TAIL_LINES:]))


def main():
    arguments = sys.argv[1:]
    tail = "--tail" in arguments
    counts = [0, 0, 0]
    for result in results(argument for argument in arguments if argument != "--tail"):
        state = result["result"]
        kind = 0 if state in PASSED else 2 if state in SKIPPED else 1
        counts[kind] += 1
        if tail and kind == 1:
            print_tail(result)
    if not tail:
        print(*counts)


if __name__ == "__main__":
    main()
