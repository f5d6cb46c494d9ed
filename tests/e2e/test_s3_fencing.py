#!/usr/bin/env python3
"""A store that cannot keep objects from being overwritten is refused by walden init, unless the
configuration accepts it; then every info says so.

usage: test_s3_fencing.py ignoring|lacking|swift
"""

import sys

from fixtures import plain_wal
from s3_store import S3Store
from scenario import check, check_equal, main, step
from walden import Walden

STORES = {"ignoring": ("strict", ["--ignore-if-none-match"]),
          "lacking": ("strict", ["--no-conditional"]), "swift": ("swift", [])}


def body(s):
    kind, options = STORES[sys.argv[1]]
    store = S3Store(s, kind, server_options=options)
    cluster, segments = plain_wal(s, batches=1)
    walden = Walden(s, cluster, store=store)

    step("walden init refuses, says why, and leaves no repository")
    done = walden.run("walden", "init", ok=False)
    check(1 <= done.code <= 125, f"init ended with {done.code}: {done.text}")
    check("fencing" in done.text, f"the setting is named: {done.text}")
    left = [key for key in store.objects() if "probe" not in key]
    check_equal(left, [], "objects of a refused init")
    check(walden.push(segments[0]).code in range(1, 126), "nothing can be pushed there")

    step("fencing = \"none\" accepts it, and info warns")
    walden.configure(store={"fencing": "none"})
    walden.init()
    for path in segments:
        done = walden.push(path)
        walden.check_after_fault(path, done)
        check_equal(done.code, 0, f"push of {path.name}: {done.text}")
    for _ in range(2):
        info = walden.run("walden", "info")
        check("not fenced" in info.text.lower(), f"info shows it: {info.text}")
    info = walden.json("info")
    check_equal(info["repository"].get("fencing"), "none", f"info --json shows it: {info}")
    check(walden.json("verify")["ok"], "verify")


main(body)
