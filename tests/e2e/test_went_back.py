#!/usr/bin/env python3
"""A machine that is reverted to a snapshot, its archive not: the server writes anew what it has
archived before. Nothing is overwritten, and push, check and info say that it went back in time and
what the ways out are, instead of looking for a second server."""

import json

from fixtures import archiving_primary
from pg import add_rows
from scenario import check, check_equal, main, step, wait_for


def revert(s, cluster, walden, snapshot):
    cluster.stop()
    for path, kept in snapshot.items():
        s.remove_tree(path)
        s.copy_tree(kept, path)


def body(s):
    archive = archiving_primary(s)
    cluster, walden = archive.primary, archive.walden
    add_rows(cluster, 0)
    cluster.archive_now()
    cluster.stop()
    snapshot = {}
    for path in (cluster.data, walden.state):
        snapshot[path] = s.directory / f"{path.name}.snapshot"
        s.copy_tree(path, snapshot[path])

    step("the server archives on, and is reverted together with walden's state")
    cluster.start()
    add_rows(cluster, 1)
    cluster.archive_now()
    segments = walden.store.segments()
    revert(s, cluster, walden, snapshot)

    step("what it writes now is refused with the reason, and kept beside")
    cluster.start()
    add_rows(cluster, 2)
    cluster.switch_wal()
    wait_for(lambda: "went back in time" in cluster.log(), "the reason in the server's log")
    check_equal(walden.store.segments(), segments, "segments of the archive")

    step("check and info say so, and name the ways out")
    done = walden.run("walden", "check", "--no-server", "--json", ok=False)
    findings = {finding["id"]: finding for finding in json.loads(done.out)["findings"]}
    check("archive.went_back" in findings, f"found: {findings}")
    check("archive.conflicts" not in findings, f"no second server: {findings}")
    hint = findings["archive.went_back"]["hint"]
    check("restore it" in hint and "another cluster name" in hint, f"two ways out: {hint}")
    info = walden.run("walden", "info", ok=False)
    check("WENT BACK IN TIME" in info.text and "CONFLICT" not in info.text, info.text)


main(body)
