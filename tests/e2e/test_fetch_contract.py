#!/usr/bin/env python3
"""walden-fetch called directly, with everything it may meet (faults 36, 39-55, invariants 14-20)."""

import os
import signal

from fixtures import plain_wal
from scenario import check, check_equal, main, step
from walden import Store, Walden, check_refused


def delivered(walden, path, target, **options):
    """Fetches and requires the bytes of `path` at `target`, as a file of its own."""
    done = walden.fetch(path.name, target, **options)
    check_equal(done.code, 0, f"fetch of {path.name} to {target}: {done.text.strip()}")
    place = (options.get("cwd") or walden.pgdata) / target
    check(place.is_file() and not place.is_symlink(), f"{target} is a file")
    check_equal(place.stat().st_nlink, 1, f"links of {target} (15)")
    check(place.read_bytes() == path.read_bytes(), f"{target} has the bytes of {path.name}")
    return place


def targets(s, walden, wal):
    step("what stands at %p is replaced and never followed (fault 48)")
    place = s.make_directory(s.directory / "targets")
    target = s.write(place / "file", "older")
    delivered(walden, wal[0], target)
    precious = s.write(place / "precious", "keep me")
    link = place / "link"
    link.symlink_to(precious)
    delivered(walden, wal[0], link)
    check_equal(precious.read_text(), "keep me", "what the symlink pointed to")
    dangling = place / "dangling"
    dangling.symlink_to(place / "nothing")
    delivered(walden, wal[0], dangling)
    check(not (place / "nothing").exists(), "a dangling link is not followed")
    os.link(precious, place / "hard")
    delivered(walden, wal[0], place / "hard")
    check_equal(precious.read_text(), "keep me", "the other name of a hard link")
    s.make_directory(place / "directory")
    check_refused(walden.fetch(wal[0].name, place / "directory"), 204, "%p is a directory")
    check_refused(walden.fetch(wal[0].name, place / "no" / "such"), 204, "%p lies nowhere")
    place.chmod(0o500)
    check_refused(walden.fetch(wal[0].name, place / "new"), 204, "%p may not be written")
    place.chmod(0o700)
    left = {path.name for path in place.iterdir()}
    check_equal(left, {"file", "precious", "link", "dangling", "hard", "directory"}, "files left")


def places(s, walden, wal):
    step("another directory and another %p, as pg_rewind calls it (fault 54)")
    elsewhere = s.make_directory(s.directory / "elsewhere")
    s.make_directory(elsewhere / "pg_wal")
    for path in reversed(wal):
        delivered(walden, path, f"pg_wal/{path.name}", cwd=elsewhere)
    check_equal(sorted(path.name for path in (elsewhere / "pg_wal").iterdir()),
                [path.name for path in wal], "nothing else was written there")
    step("in PGDATA, as the server calls it; backwards and twice (fault 51, invariant 18)")
    for path in [*wal, *reversed(wal), wal[0], wal[0]]:
        delivered(walden, path, "pg_wal/RECOVERYXLOG").unlink()


def appearing(s, walden, late):
    step("not found, then archived, then found: no negative cache (fault 51, invariant 16)")
    target = s.directory / "late"
    for _ in range(2):
        done = walden.fetch(late.name, target)
        check_equal(done.code, 1, f"a segment that is not there yet: {done.text.strip()}")
        check(not target.exists(), "exit 1 leaves no file (fault 36)")
    check_equal(walden.fetch("00000007.history", target).code, 1, "a history that is not there")
    check_equal(walden.push(late).code, 0, "push")
    delivered(walden, late, target)


def partial_is_apart(s, walden, future):
    step(".partial is never an answer to a segment (invariant 20)")
    partial = s.write(s.directory / f"{future.name}.partial", future.read_bytes())
    check_equal(walden.push(partial).code, 0, "push of the .partial")
    target = s.directory / "apart"
    check_equal(walden.fetch(future.name, target).code, 1, "the segment, with its .partial there")
    check(not target.exists(), "nothing was delivered")
    other = "00000009" + future.name[8:]
    check_equal(walden.fetch(other, target).code, 1, "the segment of another timeline")
    for name in ("nonsense", "", "../walden.repository", future.name[:-1], future.name.lower() + "x",
                 "00000000" + future.name[8:], "walden.repository"):
        check_refused(walden.fetch(name, target), range(200, 220), f"the name {name!r}")


def newer_format(s, walden, path):
    step("any change in the first bytes, the version among them, is refused, never 1 (fault 55)")
    store = walden.store
    store.save()
    target = s.directory / "newer"
    for what, place in (("descriptor", store.root / "walden.repository"),
                        ("entry", store.entry(path.name)), ("body", store.body(path.name))):
        content = place.read_bytes()
        for offset in range(16):
            changed = bytearray(content)
            changed[offset] = (changed[offset] + 1) % 256
            store.rewrite(place, bytes(changed))
            done = walden.fetch(path.name, target)
            check_refused(done, range(200, 204), f"{what} with byte {offset} raised")
            check(not target.exists(), "no file")
        store.rewrite(place, content)
    delivered(walden, path, target)


def by_cause(s, walden, wal):
    step("exit codes by cause (faults 39-43)")
    store, target = walden.store, s.directory / "cause"
    store.save()
    name = wal[1].name
    causes = [
        ("the store is gone", store.unmount, (200,)),
        ("the store is empty", store.empty, (200, 201)),
        ("the store is unreadable", lambda: store.deny(store.root), (200, 201)),
        ("truncated", lambda: store.truncate(store.body(name)), (202,)),
        ("longer", lambda: store.append(store.body(name)), (202,)),
        ("flipped", lambda: store.flip(store.body(name)), (202,)),
        ("zeros", lambda: store.zero(store.body(name)), (202,)),
        ("swapped", lambda: store.swap(store.body(name), store.body(wal[0].name)), (202,)),
        ("entries swapped", lambda: store.swap(store.entry(name), store.entry(wal[0].name)), (202,)),
        ("content gone", lambda: store.remove(store.body(name)), (202,)),
        ("a hole", lambda: store.remove(store.entry(name)), range(200, 220)),
        ("denied", lambda: store.deny(store.body(name)), range(200, 220)),
    ]
    for what, damage, codes in causes:
        damage()
        done = walden.fetch(name, target)
        store.reset()
        check_refused(done, codes, what)
        check(not target.exists(), f"{what}: no file")
    for offset_from_end in (1, 8, 33, 100):
        place = store.body(name)
        store.truncate(place, place.stat().st_size - offset_from_end)
        check_refused(walden.fetch(name, target), 202, f"the last {offset_from_end} bytes cut off")
        store.reset()
    delivered(walden, wal[1], target)


def on_standby(s, walden, wal):
    step("under standby.signal a store out of reach is 1: PostgreSQL asks again (fault 45)")
    standby = s.make_directory(s.directory / "standby")
    s.make_directory(standby / "pg_wal")
    s.write(standby / "standby.signal", "")
    store = walden.store
    store.save()
    segment = (wal[0].name, "pg_wal/RECOVERYXLOG")
    history = ("00000002.history", "pg_wal/RECOVERYHISTORY")
    store.unmount()
    check_equal(walden.fetch(*segment, cwd=standby).code, 1, "segment, store gone, retry")
    # A running standby probes for the next history all the time; 200 would shut it down.
    check_equal(walden.fetch(*history, cwd=standby).code, 1, "history, store gone, retry")
    # A person, or pg_rewind, is told the truth in any directory.
    check_refused(walden.fetch(history[0], "history", cwd=standby), 200, "history, not the server")
    promoted_meanwhile(s, walden, standby, segment, history)
    history_without_archive(s, walden)
    walden.configure(fetch={"standby_on_error": "stop"})
    check_refused(walden.fetch(*history, cwd=standby), 200, "history, store gone, stop")
    check_refused(walden.fetch(*segment, cwd=standby), 200, "segment, store gone, stop")
    walden.configure(fetch=dict.fromkeys(["standby_on_error"]))
    store.reset()
    store.flip(store.body(wal[0].name))
    check_refused(walden.fetch(*segment, cwd=standby), 202, "a corrupt segment is not transient")
    store.reset()
    check(not any((standby / "pg_wal").iterdir()), "nothing was left in pg_wal")


def promoted_meanwhile(s, walden, standby, *questions):
    step("while it is promoted, doubt is refused, unless the operator allows it (fault 46)")
    request = s.write(standby / "promote", "")
    for question in questions:
        check_refused(walden.fetch(*question, cwd=standby), 200, f"{question}, promoted", "ignore")
    walden.configure(fetch={"standby_on_error": "ignore"})
    for question in questions:
        check_equal(walden.fetch(*question, cwd=standby).code, 1, f"{question}, promoted, ignore")
    walden.configure(fetch=dict.fromkeys(["standby_on_error"]))
    request.unlink()


def history_without_archive(s, walden):
    step("the history of the timeline that a promotion leaves: PostgreSQL has removed the signal file")
    place = s.make_directory(s.directory / "leaving")
    s.make_directory(place / "pg_wal")
    question = ("00000002.history", "pg_wal/RECOVERYHISTORY")
    check_refused(walden.fetch(*question, cwd=place), 200, "nobody else has it")
    s.write(place / "pg_wal" / question[0], "1\t0/1000000\tno reason\n")
    check_equal(walden.fetch(*question, cwd=place).code, 1, "pg_wal has it")
    check_equal(walden.fetch("00000001.history", question[1], cwd=place).code, 1, "there is none")
    key = walden.key_file.read_bytes()
    walden.key_file.unlink()
    check_equal(walden.fetch(*question, cwd=place).code, 1, "pg_wal has it, whatever is wrong here")
    s.write(walden.key_file, key)
    segment = ("000000010000000000000001", "pg_wal/RECOVERYXLOG")
    check_refused(walden.fetch(*segment, cwd=place), 200, "not for a segment")
    s.write(place / "recovery.signal", "")
    check_refused(walden.fetch(*question, cwd=place), 200, "not in recovery")


def full_disk(s, walden, wal):
    step("a full disk at %p is 204 and leaves nothing (fault 47)")
    place = s.directory / "small"
    if not s.mount_tmpfs(place, "1m"):
        print("   (left out: mounting is not allowed here)")
        return
    filler = s.write(place / "filler", bytes(600 << 10))
    check_refused(walden.fetch(wal[0].name, place / "target"), 204, "a full disk", "space")
    check_equal([path.name for path in place.iterdir()], ["filler"], "files left")
    filler.unlink()
    delivered(walden, wal[0], place / "target")
    s.unmount(place)


def killed(s, walden, wal):
    step("killed while it runs, the next call is right (faults 49, 52)")
    target = s.directory / "killed"
    for number in (signal.SIGKILL, signal.SIGTERM):
        for _ in range(5):
            run = s.start(walden.argv("walden-fetch", wal[1].name, target), cwd=walden.pgdata)
            run.send_signal(number)
            code = run.wait(30)
            check(code != 1 and code != 143, f"exit code {code} after signal {number}")
            if target.exists():
                check(target.read_bytes() == wal[1].read_bytes(), "a file at %p is whole (14)")
                target.unlink()
            delivered(walden, wal[1], target).unlink()


def foreign_wal(s, walden, wal):
    step("WAL of another cluster is not delivered to this one (fault 42)")
    stranger, strange = plain_wal(s, "stranger", batches=4)
    theirs = Walden(s, stranger, name="theirs", store=Store(s, walden.store.root), label="main",
                    key_file=walden.key_file)
    target = s.directory / "foreign"
    done = theirs.fetch(wal[1].name, target)
    check(done.code == 1 or done.code in range(200, 220), f"exit code {done.code}: {done.text}")
    check(not target.exists(), "nothing was delivered")
    check(strange, "the stranger has WAL")


def body(s):
    cluster, wal = plain_wal(s, batches=4)
    check(len(wal) >= 4, f"four segments at least: {wal}")
    walden = Walden(s, cluster)
    walden.init()
    wal, late, future = wal[:-2], wal[-2], wal[-1]
    for path in wal:
        check_equal(walden.push(path).code, 0, f"push of {path.name}")
    targets(s, walden, wal)
    places(s, walden, wal)
    appearing(s, walden, late)
    partial_is_apart(s, walden, future)
    newer_format(s, walden, wal[1])
    by_cause(s, walden, wal)
    on_standby(s, walden, wal)
    full_disk(s, walden, wal)
    killed(s, walden, wal)
    foreign_wal(s, walden, wal)


main(body)
