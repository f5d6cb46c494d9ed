#!/usr/bin/env python3
"""A segment that changes while walden-push reads it is refused, and archived when PostgreSQL asks
again (fault 12): longer, shorter, other bytes in the same size, only its time, another file under
the name.

strace stops the program just after it has read; the file is changed, and the program goes on.
"""

import os
import re
import signal
import subprocess
import tempfile

from archive_place import Place, real_wal

from scenario import check, check_equal, main, step, wait_for

LONG_AGO = 1_700_000_000


def grow(path):
    with open(path, "ab") as file:
        file.write(bytes(8192))


def shrink(path):
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path):
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"other bytes")


def overwrite_with_the_same(path):
    content = path.read_bytes()
    with open(path, "r+b") as file:
        file.write(content)


def replace(path):
    other = path.with_name("other")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    other.write_bytes(bytes(content))
    other.rename(path)


CHANGES = {"longer": grow, "shorter": shrink, "other bytes in it": overwrite,
           "written again": overwrite_with_the_same}


def push_changing(place, path, change):
    """Pushes `path`, to which `change` happens after its first read. Returns (exit code, output)."""
    with tempfile.NamedTemporaryFile("r", prefix="walden-strace-", encoding="latin-1") as log:
        # -P: calls on this file alone, those of the loader and of the store go on.
        argv = ["strace", "-f", "-s", "0", "-o", log.name, "-P", str(path), "-e", "trace=pread64",
                "-e", "inject=pread64:signal=STOP:when=1", "--",
                *place.argv("walden-push", path)]
        push = subprocess.Popen(argv, cwd=place.pgdata, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        seen = []

        def stopped():
            seen.append(log.read())
            check(push.poll() is None, f"the push reads the file: {''.join(seen)}")
            return re.search(r"^(\d+) +--- stopped by SIGSTOP", "".join(seen), re.MULTILINE)

        pid = int(wait_for(stopped, "stop of the push after its read")[1])
        change(path)
        os.kill(pid, signal.SIGCONT)
        output, _ = push.communicate(timeout=60)
        return push.returncode, output.decode(errors="replace")


def body(s):
    cluster, wal = real_wal(s)
    place = Place(cluster, wal, s.make_directory(s.directory / "place"))
    place.save()
    path = place.pg_wal / wal[-1].name
    content = path.read_bytes()

    def restore():
        place.reset()
        path.write_bytes(content)
        os.utime(path, (LONG_AGO, LONG_AGO))

    step("nothing happens to the file")
    restore()
    code, text = push_changing(place, path, lambda _: None)
    check_equal(code, 0, f"exit code of the push: {text}")

    for what, change in CHANGES.items():
        step(f"the file changes: {what}")
        restore()
        code, text = push_changing(place, path, change)
        check_equal(code, 1, f"exit code of the push: {text}")
        check("changed while it was read" in text, f"the message says why: {text}")
        path.write_bytes(content)
        check(not place.require_fetchable_or_absent(path.name), "nothing is archived of it")
        place.push(path.name)
        check(place.require_fetchable_or_absent(path.name), "the next push archives it")

    for what, change in (("replaced by another", replace), ("removed", os.unlink)):
        step(f"the file is {what}: all of what was read, or nothing")
        restore()
        code, text = push_changing(place, path, change)
        check(code in (0, 1), f"exit code of the push: {text}")
        path.write_bytes(content)
        check_equal(place.require_fetchable_or_absent(path.name), code == 0, "archived as it was")


main(body)
