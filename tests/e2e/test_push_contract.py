#!/usr/bin/env python3
"""walden-push called directly, with everything it may meet (faults 8, 11, 15-27, 30-32).

The exit code is 0 or 1..125, never more: above 125 PostgreSQL restarts its archiver uncounted.

usage: test_push_contract.py [KIND OF STORE]
"""

import os
import signal
import sys

from fixtures import diverge, plain_wal
from s3_store import open_store
from scenario import check, check_equal, main, step
from walden import Store, Walden, check_push_refused


def same_and_different(s, walden, wal, pair):
    step("the same file again is 0 and changes nothing (fault 18, invariant 4)")
    for path in wal:
        walden.check_after_fault(path, walden.push(path))
    before = walden.store.contents_only()
    check_equal(walden.push(wal[0]).code, 0, "the second push")
    check_equal(walden.store.contents_only(), before, "objects after the second push")

    step("the same name with other bytes is refused and kept aside (fault 19, invariant 5)")
    (segment, (ours, theirs)) = pair
    check_equal(walden.push(ours).code, 0, "the first of the two")
    before = walden.store.contents_only()
    # The owner itself comes with other bytes: no claim stands in the way, only the content.
    done = walden.push(theirs)
    check_push_refused(done, "other bytes under the same name", segment.lower())
    after = walden.store.contents_only()
    check_equal({k: v for k, v in after.items() if k in before}, before, "older objects")
    kept = [key for key in after if key not in before]
    check(any("/conflicts/" in key and segment in key for key in kept), f"the loser is kept: {kept}")
    walden.check_archived(ours)
    report = walden.run("walden", "verify", ok=False)
    check(report.code in (0, 1), "verify still works")


def bad_sources(s, walden, wal, future):
    step("sources that are no whole segment of this cluster (faults 11, 23)")
    inbox = s.make_directory(s.directory / "inbox")
    name = future.name
    good = future.read_bytes()
    header = bytearray(good)
    header[0] ^= 0xFF
    moved = bytearray(good)
    moved[8:16] = wal[0].read_bytes()[8:16]
    sources = {"a truncated segment": good[:-8192], "half a segment": good[:len(good) // 2],
               "an empty file": b"", "a longer segment": good + bytes(8192), "zeros": bytes(len(good)),
               "a bad magic": bytes(header), "another segment's page address": bytes(moved),
               "another segment": wal[0].read_bytes()}
    before = walden.store.contents_only()
    for what, content in sources.items():
        check_push_refused(walden.push(s.write(inbox / name, content)), what)
        (inbox / name).unlink()
    os.mkfifo(inbox / name)
    s.own(inbox / name)
    check_push_refused(walden.push(inbox / name, deadline=30), "a FIFO")
    (inbox / name).unlink()
    s.make_directory(inbox / name)
    check_push_refused(walden.push(inbox / name), "a directory")
    (inbox / name).rmdir()
    check_push_refused(walden.push(inbox / name), "a missing file")
    walden.check_no_debris(before)
    check_equal(walden.push(future).code, 0, "the good one, after all that (invariant 7)")
    walden.check_archived(future)


def weird_names(s, walden, wal):
    step("names that PostgreSQL never uses (fault 26)")
    inbox = s.make_directory(s.directory / "names")
    before = walden.store.contents_only()
    for name in (wal[0].name.lower().replace("0", "a", 1), wal[0].name + "0", wal[0].name[:-1],
                 "00000000" + wal[0].name[8:], wal[0].name + ".gz", "postgresql.conf",
                 "00000002.HISTORY", "../" + wal[0].name[:23], wal[0].name + ".0000002G.backup",
                 wal[0].name[:16] + "FFFFFFFF", "x" * 200):
        path = inbox / name.replace("../", "")
        s.write(path, wal[0].read_bytes())
        check_push_refused(walden.push(path), f"the name {name}")
    check_push_refused(walden.push(""), "an empty argument")
    check_push_refused(walden.run("walden-push", ok=False), "no argument")
    check_push_refused(walden.push("--no-such-option"), "an unknown option")
    walden.check_no_debris(before)


def other_kinds(s, walden, wal):
    step(".history, .backup and .partial are idempotent and apart (faults 24, 25)")
    inbox = s.make_directory(s.directory / "kinds")
    history = s.write(inbox / "00000002.history", "1\t0/9000000\tno recovery target specified\n")
    label = s.write(inbox / f"{wal[0].name}.00000028.backup",
                    f"START WAL LOCATION: 0/9000028 (file {wal[0].name})\nSTOP WAL LOCATION: "
                    f"0/9000100 (file {wal[0].name})\nCHECKPOINT LOCATION: 0/9000060\nBACKUP METHOD: "
                    "streamed\nBACKUP FROM: primary\nSTART TIME: 2026-01-02 03:04:05 UTC\nLABEL: x\n"
                    "START TIMELINE: 1\nSTOP TIME: 2026-01-02 03:04:06 UTC\nSTOP TIMELINE: 1\n")
    # Its name is that of a segment whose plain form the store has, too: they do not meet.
    partial = s.write(inbox / f"{wal[1].name}.partial", wal[1].read_bytes())
    for path in (history, label, partial):
        check_equal(walden.push(path).code, 0, f"push of {path.name}")
        before = walden.store.contents_only()
        check_equal(walden.push(path).code, 0, f"second push of {path.name}")
        check_equal(walden.store.contents_only(), before, f"objects after it ({path.name})")
    walden.check_archived(history)
    s.write(history, "1\t0/9100000\tno recovery target specified\n")
    check_push_refused(walden.push(history), "another history of the same timeline")
    for content in (b"", b"nonsense\n", b"9\t0/9000000\tits own future\n"):
        bad = s.write(inbox / "00000003.history", content)
        check_push_refused(walden.push(bad), f"a history of {content!r} (fault 43)")
    walden.check_archived(wal[1])


def at_once(s, walden, path, clone_walden, pair):
    step("two processes push the same file at once (fault 20)")
    runs = [s.start(walden.argv("walden-push", path), cwd=walden.pgdata) for _ in range(4)]
    check_equal([run.wait(60) for run in runs], [0, 0, 0, 0], "exit codes")
    check(len(walden.store.matching("wal", path.name)) == 1, "one entry")
    check(len(walden.store.contents(path.name)) <= 1, "one content")
    walden.check_archived(path)

    step("a clone with the same configuration is told so (faults 21, 22)")
    before = walden.store.contents_only()
    done = clone_walden.push(pair[1])
    check_push_refused(done, "the clone", "claim", "clone", "owner", "owned", "instance", "other")
    gone = [key for key, value in before.items()
            if walden.store.contents_only().get(key) != value]
    check_equal(gone, [], "objects that the clone changed")


def signals(s, walden, path):
    step("signals inherited as ignored, and SIGTERM in the middle (faults 15, 16)")
    ignoring = ["sh", "-c", "trap '' INT PIPE ALRM TTIN TTOU XFSZ; exec \"$@\"", "sh"]
    done = s.run(ignoring + walden.argv("walden-push", path), cwd=walden.pgdata, ok=False)
    check_equal(done.code, 0, f"push with ignored signals: {done.text}")
    run = s.start(walden.argv("walden-push", path), cwd=walden.pgdata)
    run.send_signal(signal.SIGTERM)
    code = run.wait(30)
    check(code in (0, 1, -signal.SIGTERM) or 0 < code < 126, f"exit code {code} after SIGTERM")
    walden.check_archived(path)
    # A reader of our messages that went away is no reason to die of SIGPIPE.
    read, write = os.pipe()
    os.close(read)
    run = s.start(walden.argv("walden-push", s.directory / "nowhere" / path.name),
                  cwd=walden.pgdata, stderr=write)
    os.close(write)
    code = run.wait(30)
    check(0 < code <= 125, f"exit code {code} with a closed stderr")


def can_be_mapped(s, walden, limit):
    """Whether the largest program that a push may become can be started under the limit at all."""
    return s.run(limit + [walden.bin / "walden", "--version"], ok=False).code != -signal.SIGSEGV


def too_little_memory(s, walden, path):
    step("too little memory (fault 17)")
    codes = []
    for mebibytes in (8, 9, 10, 11, 12, 13, 14, 16, 32, 64, 128, 256, 4096):
        limit = ["prlimit", f"--as={mebibytes << 20}"]
        done = s.run(limit + walden.argv("walden-push", path), cwd=walden.pgdata, ok=False)
        if "shared librar" in done.text or "shared object" in done.text:
            continue  # the loader's own, before our first instruction
        if done.code == -signal.SIGSEGV and not done.text and not can_be_mapped(s, walden, limit):
            continue  # the kernel's own: the program that walden-push becomes has no room
        check(0 <= done.code <= 125, f"exit code {done.code} with {mebibytes} MiB: {done.text}")
        check(done.code == 0 or "memory" in done.text, f"the reason with {mebibytes} MiB: {done.text}")
        codes.append(done.code)
    check(any(codes) and codes[-1] == 0, f"exit codes with more and more memory: {codes}")
    walden.check_archived(path)


def bad_places(s, walden, path, fresh, other):
    step("a store that is gone, read-only, or another one (faults 30, 31, 32, 97)")
    store = walden.store
    store.unmount()
    check_push_refused(walden.push(path), "the store's directory is gone", "store", "repository")
    check(not store.root.exists(), "a push never creates a store")
    s.make_directory(store.root)
    check_push_refused(walden.push(path), "an empty directory", "store", "repository")
    check_equal(list(store.root.iterdir()), [], "what a push left in an empty directory")
    store.root.rmdir()
    store.aside().rename(store.root)

    own_id = walden.json("info")["repository"]["id"]
    walden.configure(store={"id": own_id})
    check_equal(walden.push(path).code, 0, "push with the expected repository id")
    walden.configure(store={"id": "0" * len(own_id)})
    check_push_refused(walden.push(path), "another repository id", "repository", "id")
    walden.configure(store={"id": own_id})
    store.root.rename(store.aside())
    s.copy_tree(other.store.root, store.root)
    check_push_refused(walden.push(path), "another repository mounted", "repository", "key")
    s.remove_tree(store.root)
    store.aside().rename(store.root)
    walden.configure(store={"id": None})

    modes = {p: p.stat().st_mode for p in [store.root, *store.root.rglob("*")] if p.is_dir()}
    for directory in modes:
        directory.chmod(0o500)
    before = store.contents_only()
    done = walden.push(fresh)
    for directory, mode in modes.items():
        directory.chmod(mode)
    check_push_refused(done, "a read-only store", "read-only", "permission", "denied")
    walden.check_no_debris(before)
    walden.check_after_fault(fresh, walden.push(fresh))


def full_disk(s, cluster, wal):
    step("a full disk under the store, and space again (fault 8)")
    place = s.directory / "small"
    if not s.mount_tmpfs(place, "2m"):
        print("   (left out: mounting is not allowed here)")
        return
    walden = Walden(s, cluster, name="small", store=Store(s, place / "store"))
    walden.init()
    space = os.statvfs(place)
    filler = s.write(place / "filler", bytes(space.f_bavail * space.f_frsize - (100 << 10)))
    before = walden.store.contents_only()
    check_push_refused(walden.push(wal[0]), "a full disk", "space")
    entries = [key for key in walden.store.contents_only() if key not in before and "/wal/" in key]
    check_equal(entries, [], "entries of the failed push")
    filler.unlink()
    walden.check_after_fault(wal[0], walden.push(wal[0]))
    s.unmount(place)


def local_state(s, walden, wal):
    step("local state is a cache: deleted, garbage, unwritable (fault 27, invariant 39)")
    def garbage():
        for path in walden.state.rglob("*"):
            if path.is_file():
                s.write(path, os.urandom(100))
    def deleted():
        s.remove_tree(walden.state)
    def emptied():
        s.remove_tree(walden.state)
        s.make_directory(walden.state)
    damages = {"garbage": garbage, "deleted": deleted, "emptied": emptied,
               "unwritable": lambda: walden.state.chmod(0o500), "a file in its place": None}
    for what, damage in damages.items():
        if damage:
            damage()
        else:
            s.remove_tree(walden.state)
            s.write(walden.state, "not a directory")
        done = walden.push(wal[-1])
        check_equal(done.code, 0, f"push with state {what}: {done.text.strip()}")
        walden.check_archived(wal[-1])
    walden.state.unlink()


def body(s):
    cluster, wal = plain_wal(s, batches=6)
    clone, pairs = diverge(s, cluster)
    check(len(pairs) >= 1, f"segments of both futures: {list(pairs)}")
    kind = sys.argv[1] if len(sys.argv) > 1 else "posix"
    walden = Walden(s, cluster, store=open_store(s, kind))
    walden.init()
    clone_walden = Walden(s, clone, name="clone.walden", store=walden.store,
                          key_file=walden.key_file)
    pair = sorted(pairs.items())[0]
    same_and_different(s, walden, wal[:2], pair)
    bad_sources(s, walden, wal, wal[2])
    weird_names(s, walden, wal)
    other_kinds(s, walden, wal)
    at_once(s, walden, wal[3], clone_walden, pair[1])
    signals(s, walden, wal[3])
    too_little_memory(s, walden, wal[5])
    stranger, strange = plain_wal(s, "stranger", batches=1)
    check(stranger.system_identifier() != cluster.system_identifier(), "another cluster")
    done = walden.push(strange[-1])
    check_push_refused(done, "another cluster's segment (fault 23)", "system identifier", "cluster")
    check(str(stranger.system_identifier()) in done.text, "the message names its identity (9)")
    if kind == "posix":  # test_s3_push_faults.py has what they become on S3
        other = Walden(s, cluster, name="other", store=Store(s, s.directory / "other.store"))
        other.init()
        bad_places(s, walden, wal[0], wal[4], other)
        full_disk(s, cluster, wal)
    local_state(s, walden, wal[:2])


main(body)
