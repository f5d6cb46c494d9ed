#!/usr/bin/env python3
"""walden-fetch against an S3 store that misbehaves: never exit 1 but for a key that is not there,
never a file with other bytes (faults 36 and 39 to 46 on S3)."""

from fixtures import plain_wal
from s3_store import S3Store
from scenario import check, check_equal, main, step
from walden import FETCH_REFUSALS, Walden, check_refused

GET = {"method": "GET"}
PASSING = {
    "a 503": {"status": 503, "code": "SlowDown"}, "a 500": {"status": 500},
    "a reset": {"reset": "before"}, "a cut body": {"truncate": 100}, "a reset body": {"reset": "body"},
    "a stall": {"stall": -1}, "a stall amid the body": {"stall": -1, "truncate": 100},
}
LASTING = {
    **PASSING, "a 403": {"status": 403, "code": "AccessDenied"},
    "a missing bucket": {"status": 404, "code": "NoSuchBucket"},
    "a 404 that is a web page": {"status": 404, "code": "x", "body": "<html>not here</html>"},
    "a flipped bit": {"flip": -100}, "a redirect": {"redirect": "http://127.0.0.1:9/", "status": 307},
    "headers without end": {"huge_headers": 20 << 20}, "a body without end": {"huge_xml": 80 << 20},
    "a success that is an error": {"ok_with_error": "InternalError"},
}


def body(s):
    cluster, segments = plain_wal(s, batches=2)
    store = S3Store(s, "strict")
    walden = Walden(s, cluster, store=store, fetch={"deadline": "5s"})
    walden.configure(store={"connect_timeout": "2s", "stall_timeout": "500ms", "request_timeout": "9s"})
    walden.init()
    for path in segments:
        check_equal(walden.push(path).code, 0, f"push of {path.name}")
    path, target = segments[1], s.directory / "target"

    for what, action in PASSING.items():
        step(f"{what}, once: the segment comes")
        store.server.faults({"match": GET, "skip": 1, "action": action})
        walden.check_archived(path)
        check(any(entry["fault"] for entry in store.server.log()), "the fault was met")
        store.server.faults()

    walden.configure(fetch={"deadline": "700ms"})
    for what, action in LASTING.items():
        step(f"{what}, for ever: a refusal above 125, and no file")
        for match in (GET, {"operation": "get_object", "key_contains": "/wal/"}):
            store.server.faults({"match": match, "times": -1, "action": action})
            done = walden.fetch(path.name, target)
            store.server.faults()
            check_refused(done, FETCH_REFUSALS, f"{what} for {match}")
            check(not target.exists(), f"{what}: no file")

    walden.configure(fetch={"deadline": "5s"})
    step("what the store positively does not have is 1, and only that")
    absent = f"{path.name[:-2]}7F"
    check_equal(walden.fetch(absent, target).code, 1, "a missing segment")
    store.server.control("POST", "options", {"list_permission": False})
    done = walden.fetch(absent, target)
    check_refused(done, FETCH_REFUSALS, "a 403 for a missing key is no answer (fault 99)",
                  "s3:listbucket")
    store.server.control("POST", "options", {"list_permission": True})
    walden.check_archived(path)


main(body)
