#!/usr/bin/env python3
"""Checks that clang-format 14 would change nothing.

usage: format.py [ROOT]

Prints the first place of each file that differs and ends with 1 if there was any. Ends with 77,
a skipped test, where there is no clang-format 14: other versions format differently.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

VERSION = "14"
TOPS = ("lib", "storage", "tools", "tests", "bench")
SKIPPED = 77
# Starting the program costs as much as some files.
BATCH = 20
DIFFERENCE = re.compile(r"^(?P<place>[^:\n]+:\d+):\d+: error: code should be clang-formatted", re.MULTILINE)


def find_program():
    """A clang-format of the wanted version, or None."""
    for name in (f"clang-format-{VERSION}", "clang-format"):
        program = shutil.which(name)
        if program is None:
            continue
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        if re.search(rf"version {VERSION}\.", done.stdout):
            return program
    return None


def check(program, root, names):
    done = subprocess.run([program, "--dry-run", "-Werror", "--style=file", *names], cwd=root,
                          capture_output=True, text=True, check=False)
    seen = {}
    for match in DIFFERENCE.finditer(done.stderr):
        place = match["place"]
        seen.setdefault(place.rpartition(":")[0], f"{place}: clang-format {VERSION} writes this differently")
    if done.returncode != 0 and not seen:
        return [f"{names[0]}:1: {program} failed: {done.stderr.strip()[:500]}"]
    return [*seen.values()]


def violations(program, root):
    """Every finding under `root` as "path:line: complaint", one a file."""
    names = [path.relative_to(root).as_posix() for top in TOPS
             for path in sorted((root / top).rglob("*")) if path.suffix in (".h", ".cc")]
    batches = [names[at:at + BATCH] for at in range(0, len(names), BATCH)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda batch: check(program, root, batch), batches)
    return [line for lines in found for line in lines]


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    program = find_program()
    if program is None:
        print(f"skipped: there is no clang-format {VERSION} here")
        return SKIPPED
    found = violations(program, root)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
