#!/usr/bin/env python3
"""walden verify names any single damage and never writes (faults 85, 87; invariants 34, 35)."""

import re

from fixtures import plain_wal
from pg import add_rows
from scenario import check, check_equal, main, step
from walden import Walden


def is_named(report, path, root):
    """Whether a problem names the object, or the WAL file that the object stands for."""
    key = path.relative_to(root).as_posix()
    file_name = re.match(r"[0-9A-F]{24}|[0-9A-F]{8}\.history|[^/]*", path.name)[0]
    texts = [problem["object"] + " " + problem["message"] for problem in report["problems"]]
    return any(key in text or (len(file_name) >= 8 and file_name in text) for text in texts)


def check_found(walden, path, what):
    report = walden.json("verify", ok=False)
    code = walden.run("walden", "verify", ok=False).code
    check_equal(code, 1, f"{what}: exit code")
    check(not report["ok"] and report["problems"], f"{what}: problems are reported")
    check(is_named(report, path, walden.store.root),
          f"{what}: {path.name} is named in {report['problems']}")
    for problem in report["problems"]:
        check(problem["kind"] and problem["message"], f"{what}: kind and message: {problem}")


def counterpart(objects, path):
    """Another object of the same folder kind, to swap with."""
    for other in objects:
        if other != path and other.read_bytes() != path.read_bytes() and (
                other.parent == path.parent):
            return other
    return next(other for other in objects if other.read_bytes() != path.read_bytes())


def every_object(s, walden, last):
    """Each object that carries WAL, each damage. `last` may vanish: nothing comes after it."""
    store = walden.store
    store.save()
    names = sorted(key for key in store.objects() if key.startswith("clusters/"))
    step(f"{len(names)} objects, each missing, truncated, flipped and swapped (fault 85)")
    for key in names:
        def at(key=key):
            return store.objects()[key]
        objects = [path for k, path in store.objects().items() if k.startswith("clusters/")]
        damages = {"truncated": lambda: store.truncate(at()), "flipped": lambda: store.flip(at()),
                   "empty": lambda: store.truncate(at(), 0),
                   "longer": lambda: store.append(at()),
                   "swapped": lambda: store.swap(at(), counterpart(objects, at()))}
        # The newest entry of a timeline leaves its content behind, so even that is seen.
        if "/claims/" not in key and not ("/history/" in key and last):
            damages["missing"] = lambda: store.remove(at())
        for what, damage in damages.items():
            path = at()
            damage()
            check_found(walden, path, f"{key} {what}")
            store.reset()


def strange_objects(s, walden, pair):
    step("an extra object, and an older copy of another store")
    store = walden.store
    for place in ("clusters/extra", "stranger", "clusters/main/notes.txt"):
        path = s.write(store.root / place, b"what is this")
        check_found(walden, path, f"extra object {place}")
        store.reset()
    entry = store.entry(pair.name)
    copy = entry.with_name(pair.name[:-1] + ("0" if pair.name[-1] != "0" else "1"))
    if not copy.exists():
        s.write(copy, entry.read_bytes())
        check_found(walden, copy, "an entry copied to another name")
        store.reset()


def descriptor(s, walden):
    step("without its descriptor it is no repository")
    path = walden.store.root / "walden.repository"
    for damage in (walden.store.truncate, walden.store.flip, walden.store.remove):
        damage(path)
        check(walden.run("walden", "verify", ok=False).code in range(1, 126), "verify refuses")
        walden.store.reset()


def info_of_damaged(walden, names):
    step("info shows what it can read, names what it cannot, and ends with 1")
    store = walden.store
    for what, path in (("entry", store.entry(names[-1])), ("claim", store.matching("claims", "")[0])):
        store.flip(path)
        done = walden.run("walden", "info", ok=False)
        check_equal(done.code, 1, f"exit code of info, damaged {what}")
        check("UNREADABLE" in done.out and path.relative_to(store.root).as_posix() in done.out,
              f"the damaged {what} is named: {done.text}")
        check(f"{names[0]} .. {names[-1]}" in done.out, f"the rest is shown: {done.text}")
        cluster, = walden.json("info", ok=False)["clusters"]
        check_equal(cluster["timelines"][0]["segment_count"], len(names), "segments in the JSON")
        check_equal(len(cluster["unreadable"]), 1, "unreadable objects in the JSON")
        store.reset()
    identity, = [path for key, path in store.objects().items() if key.endswith("/identity")]
    store.truncate(identity)
    done = walden.run("walden", "info", ok=False)
    check_equal(done.code, 1, "exit code of info, damaged identity")
    check("/identity" in done.out, f"the identity is named: {done.text}")
    store.reset()
    check_equal(walden.run("walden", "info").code, 0, "exit code of info when all is well")


def while_pushing(s, walden, cluster):
    step("no false alarm while segments arrive (fault 87)")
    cluster.configure(archive_mode="on", archive_command=walden.archive_command()).start()
    runs = []
    for batch in range(200, 208):
        runs.append(s.start(walden.argv("walden", "verify"), cwd=walden.pgdata))
        add_rows(cluster, batch, rows=3000)
        cluster.switch_wal()
    codes = [run.wait(120) for run in runs]
    check_equal(codes, [0] * len(codes), "exit codes of verify")
    cluster.wait_archived()
    cluster.stop()
    check_equal(walden.run("walden", "verify").code, 0, "verify at the end")


def body(s):
    cluster, wal = plain_wal(s, batches=2)
    walden = Walden(s, cluster)
    walden.init()
    for path in wal:
        check_equal(walden.push(path).code, 0, f"push of {path.name}")
    step("a clean store: exit 0, no problems, nothing written (invariant 34)")
    before = walden.store.fingerprint()
    report = walden.json("verify")
    check(report["ok"] is True and report["problems"] == [], f"clean: {report}")
    check_equal(walden.run("walden", "verify").code, 0, "verify of a clean store")
    check_equal(walden.store.fingerprint(), before, "the store after verify")
    every_object(s, walden, last=True)
    info_of_damaged(walden, sorted(path.name for path in wal))
    step("verify of a damaged store writes nothing either")
    walden.store.flip(walden.store.body(wal[0].name))
    before = walden.store.fingerprint()
    walden.run("walden", "verify", ok=False)
    check_equal(walden.store.fingerprint(), before, "the damaged store after verify")
    walden.store.reset()
    strange_objects(s, walden, wal[0])
    descriptor(s, walden)
    while_pushing(s, walden, cluster)


main(body)
