#!/usr/bin/env python3
"""walden expire removes what interrupted uploads left behind, and nothing else."""

from fixtures import plain_wal
from s3_store import S3Store
from scenario import check, check_equal, main, step
from walden import Walden


def begin_upload(store, key):
    store.call("POST", key, query={"uploads": ""})


def uploads(store):
    return sorted(upload["key"] for upload in store.server.state()["uploads"])


def body(s):
    store = S3Store(s, "strict")
    cluster, segments = plain_wal(s, batches=1)
    walden = Walden(s, cluster, store=store)
    walden.init()
    for path in segments:
        check_equal(walden.push(path).code, 0, f"push of {path.name}")
    objects = sorted(store.objects())

    step("an upload of today may be somebody's: it stays, also by check's word")
    begin_upload(store, "clusters/left")
    check_equal(walden.json("expire"), {"removed": 0, "found": 0, "kept": 1}, "expire")
    check("no unfinished upload is older than a day" in walden.run("walden", "check", "--no-server").text,
          "check is content")
    check_equal(len(uploads(store)), 1, "uploads")

    step("one of the day before yesterday is found by check, shown, and removed")
    store.server.set_options(upload_age=2 * 24 * 3600)
    check("1 unfinished upload is older than a day" in walden.run("walden", "check", "--no-server").text,
          "check finds it")
    shown = walden.run("walden", "expire", "--dry-run")
    check("would abort unfinished upload of clusters/left" in shown.text, shown.text)
    check_equal(len(uploads(store)), 1, "uploads after --dry-run")
    done = walden.run("walden", "expire")
    check("removed 1 unfinished upload" in done.text, done.text)
    check_equal(uploads(store), [], "uploads")
    check_equal(sorted(store.objects()), objects, "objects")
    check(walden.json("verify")["ok"], "verify")


main(body)
