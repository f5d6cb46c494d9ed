#!/usr/bin/env python3
"""walden-push against an S3 store that misbehaves: faults 1 to 8, 30, 31, 32, 34, 97 and 99.

Each fault comes from the strict server of tests/support, on cue. After each the invariants of a
push hold, and the next push succeeds.
"""

import signal
import time

from fixtures import plain_wal
from pg import Cluster, add_rows
from s3_store import S3Store, StrictS3, free_ports
from scenario import check, check_equal, main, step, wait_for
from walden import Walden, check_push_refused

SLOW_DOWN = {"status": 503, "code": "SlowDown"}
PUT = {"method": "PUT"}
IMPATIENT = {"connect_timeout": "2s", "stall_timeout": "1s", "request_timeout": "10s"}


class Bench:
    """A repository on the strict server, and segments not yet pushed."""

    def __init__(self, scenario, cluster, segments):
        self.scenario = scenario
        self.store = S3Store(scenario, "strict")
        self.server = self.store.server
        self.walden = Walden(scenario, cluster, store=self.store, archive={"deadline": "3s"},
                             fetch={"deadline": "3s"})
        self.walden.configure(store=IMPATIENT)
        self.walden.init()
        self.segments = list(segments)

    def take(self):
        return self.segments.pop(0)

    def push_through(self, what, *rules):
        """A push that succeeds in spite of the faults; returns the log."""
        step(what)
        path = self.take()
        self.server.faults(*rules)
        begin = len(self.server.log())
        done = self.walden.push(path)
        log = self.server.log()[begin:]
        self.server.faults()
        check(any(entry["fault"] for entry in log), f"{what}: the fault was met")
        check_equal(done.code, 0, f"{what}: {done.text}")
        self.walden.check_after_fault(path, done)
        return log

    def push_refused(self, what, *rules, words=()):
        """A push that fails, says why, and leaves its segment to the next one; returns the log."""
        step(what)
        path = self.take()
        before = self.store.contents_only()
        self.server.faults(*rules)
        begin = len(self.server.log())
        done = self.walden.push(path)
        log = self.server.log()[begin:]
        self.server.faults()
        check_push_refused(done, what, *words)
        check(self.server.credentials.secret_key not in done.text, f"{what}: no secret in the text")
        after = self.store.contents_only()
        check_equal({key: after.get(key) for key in before}, before, f"{what}: older objects")
        self.walden.check_after_fault(path, done)
        return log


def errors_that_pass(bench):
    log = bench.push_through("two 503 with Retry-After, then the work (fault 3)", {
        "match": PUT, "times": 2, "action": {**SLOW_DOWN, "headers": {"Retry-After": "1"}}})
    puts = [entry for entry in log if entry["method"] == "PUT"]
    check(puts[1]["seconds"] - puts[0]["seconds"] >= 0.9, "Retry-After is kept")
    for status in (500, 429):
        bench.push_through(f"one {status} (fault 3)", {"match": PUT, "action": {"status": status}})
    bench.push_through("a conflict with a request under way (409)", {
        "match": PUT, "action": {"status": 409, "code": "ConditionalRequestConflict"}})


def unknown_outcomes(bench):
    for what, action in (("the answer is lost", {"reset": "after"}),
                         ("an error after the work", {"after": True, "status": 500})):
        log = bench.push_through(f"{what}: our own object answers 412, and it is 0 (fault 2)",
                                 {"match": PUT, "action": action})
        check(any(entry["status"] == 412 for entry in log), "the second PUT met the first's object")
    bench.push_through("the connection dies amid the body (fault 2)",
                       {"match": PUT, "action": {"reset": "body"}})
    bench.push_through("the connection dies before the work (fault 2)",
                       {"match": PUT, "action": {"reset": "before"}})


def errors_that_stay(bench):
    bench.push_refused("503 for ever (fault 3)", {"match": PUT, "times": -1, "action": SLOW_DOWN},
                       words=("slowdown", "503"))
    for code, status in (("AccessDenied", 403), ("InvalidAccessKeyId", 403), ("ExpiredToken", 400)):
        log = bench.push_refused(f"{code} (fault 4, 32)", {
            "match": PUT, "times": -1, "action": {"status": status, "code": code}},
            words=(code.lower(), "denied", "credentials"))
        count = len([entry for entry in log if entry["fault"]])
        check(count <= 3, f"{code} is not tried again blindly: {count} requests")
    bench.push_refused("the quota is used up (fault 8)", {
        "match": PUT, "times": -1, "action": {"status": 403, "code": "QuotaExceeded"}},
        words=("quotaexceeded", "quota"))


def clocks(bench):
    for days in (1, -1):
        log = bench.push_through(f"a clock that is {days} day off is corrected once (fault 4, 34)", {
            "times": -1, "action": {"date_skew": days * 86400}})
        refused = [entry for entry in log if entry["status"] == 403]
        check(1 <= len(refused) <= 2, f"one refusal, then the server's time: {len(refused)}")


def wrong_keys(bench):
    step("a wrong secret key (fault 4)")
    path = bench.take()
    variables = bench.scenario.variables
    right = variables["AWS_SECRET_ACCESS_KEY"]
    variables["AWS_SECRET_ACCESS_KEY"] = "WrongSecretWrongSecretWrongSecret"
    done = bench.walden.push(path)
    variables["AWS_SECRET_ACCESS_KEY"] = right
    check_push_refused(done, "a wrong secret key", "signaturedoesnotmatch", "denied", "credentials")
    check("WrongSecret" not in done.text, "no secret in the text")
    bench.walden.check_after_fault(path, done)


def stored_wrongly(bench):
    step("the store keeps fewer bytes than were sent, and says so (fault 6)")
    path = bench.take()
    before = set(bench.store.objects())
    bench.server.faults({"match": PUT, "action": {"store_truncated": 100}})
    done = bench.walden.push(path)
    bench.server.faults()
    new = {str(place): bench.store.read(place) for key, place in bench.store.objects().items()
           if key not in before}
    short = [key for key, body in new.items() if len(body) == 100]
    check(done.code != 0 or not short, f"exit 0 with a short object: {short}")
    check(not any("/wal/" in key and key not in short for key in new) or done.code == 0,
          "no entry refers to what was stored wrongly")
    for key in short:
        bench.store.remove(key)
    bench.walden.check_after_fault(path, bench.walden.push(path))
    bench.push_refused("an answer with another checksum is no success (fault 6)",
                       {"match": PUT, "action": {"wrong_checksum": True}}, words=("other bytes",))


def stalls(bench):
    bench.walden.configure(archive={"deadline": "20s"})
    bench.push_through("a request that stalls is given up and repeated (fault 7)",
                       {"match": PUT, "action": {"stall": -1}})
    bench.walden.configure(archive={"deadline": "3s"})
    bench.push_refused("a store that stalls for ever (fault 7)",
                       {"match": PUT, "times": -1, "action": {"stall": -1}})
    step("SIGTERM ends a push that waits for the store at once (fault 7, invariant 11)")
    walden, path = bench.walden, bench.take()
    walden.configure(store={"stall_timeout": "50s", "request_timeout": "1min"},
                     archive={"deadline": "1min"})
    bench.server.faults({"match": PUT, "times": -1, "action": {"stall": -1}})
    begin = len(bench.server.log())
    run = bench.scenario.start(walden.argv("walden-push", path), cwd=walden.pgdata)
    wait_for(lambda: any(entry["fault"] for entry in bench.server.log()[begin:]), "stalled request")
    run.send_signal(signal.SIGTERM)
    started = time.monotonic()
    run.wait(20)
    check(time.monotonic() - started < 5, "SIGTERM is obeyed at once")
    check(run.returncode != 0, "and is no success")
    bench.server.faults()
    walden.configure(store=IMPATIENT, archive={"deadline": "3s"})
    check_equal(walden.push(path).code, 0, "the next push")
    walden.check_archived(path)


def out_of_reach(bench):
    step("nobody listens, and a name that does not exist (fault 1)")
    walden, path = bench.walden, bench.take()
    settings = bench.store.settings()
    port = free_ports(1)[0]
    for endpoint, word in ((f"http://127.0.0.1:{port}", f"127.0.0.1:{port}"),
                           ("http://no-such-host.invalid:9", "no-such-host.invalid")):
        walden.configure(store={"endpoint": endpoint})
        check_push_refused(walden.push(path), endpoint, word)
    walden.configure(store=settings)

    step("another bucket, an empty prefix, another repository (faults 30, 31, 97)")
    before = bench.server.state()["objects"]
    for url, words in (("s3://no-such-bucket/archive", ("bucket",)),
                       (f"s3://{bench.server.bucket}/elsewhere", ("repository",))):
        walden.configure(store={"url": url})
        check_push_refused(walden.push(path), url, *words)
    walden.configure(store={**settings, "id": "0" * 32})
    check_push_refused(walden.push(path), "another id", "repository", "id")
    walden.configure(store={"id": None})
    check_equal(bench.server.state()["objects"], before, "objects, as a push never makes a store")
    walden.check_after_fault(path, walden.push(path))


def redirects(bench):
    step("a redirect to another host gets neither credentials nor bytes")
    other = StrictS3()
    bench.scenario.at_end.append(other.stop)
    for status in (301, 307):
        bench.push_refused(f"{status} to another host", {
            "match": PUT, "times": -1,
            "action": {"redirect": f"{other.endpoint}/walden-test/x", "status": status}})
    check_equal(other.log(), [], "requests at the other host")


def hugeness(bench):
    bench.push_refused("headers without end", {"match": PUT, "times": -1,
                                               "action": {"huge_headers": 20 << 20}})
    bench.push_refused("an error document without end", {
        "match": PUT, "times": -1, "action": {"huge_xml": 80 << 20}})
    bench.push_through("a success that is an error document (fault 5)",
                       {"match": PUT, "action": {"ok_with_error": "InternalError"}})


def no_list_permission(bench):
    step("without s3:ListBucket a missing key is forbidden: check names the permission (fault 99)")
    bench.server.control("POST", "options", {"list_permission": False})
    done = bench.walden.run("walden", "check", ok=False)
    check(done.code != 0, "check fails")
    check("s3:ListBucket" in done.text, f"and names the permission: {done.text}")
    bench.server.control("POST", "options", {"list_permission": True})


def in_parts(scenario):
    """Faults of multipart uploads (5, 6, 22), on segments of 16 MiB."""
    cluster = Cluster(scenario, "large", wal_segsize=16)
    cluster.initdb()
    side = scenario.make_directory(scenario.directory / "large.side")
    cluster.configure(archive_mode="on", archive_command=f"cp %p {side}/%f").start()
    for batch in range(3):
        add_rows(cluster, batch, rows=90_000)
        cluster.archive_now()
    cluster.stop()
    segments = [path for path in sorted(side.iterdir()) if len(path.name) == 24]
    bench = Bench(scenario, cluster, segments)
    # Uncompressed, a segment is four parts.
    bench.walden.configure(store={"multipart_threshold": "5MiB", "part_size": "5MiB"},
                           codec={"method": "none"}, archive={"deadline": "20s"})
    complete = {"operation": "complete_upload"}
    log = bench.push_through("a completion that is an error in a 200 (fault 5)", {
        "match": complete, "action": {"ok_with_error": "InternalError"}})
    check(len([entry for entry in log if entry["operation"] == "upload_part"]) >= 2, "parts")
    bench.push_through("a completion whose answer is lost (fault 2)",
                       {"match": complete, "action": {"reset": "after"}})
    bench.push_through("a part that is stored short (fault 6)",
                       {"match": {"operation": "upload_part"}, "action": {"store_truncated": 9}})
    check(len(bench.server.state()["uploads"]) <= 2, "unfinished uploads are aborted where they may")


def body(scenario):
    cluster, segments = plain_wal(scenario, batches=28)
    bench = Bench(scenario, cluster, segments)
    errors_that_pass(bench)
    unknown_outcomes(bench)
    errors_that_stay(bench)
    clocks(bench)
    wrong_keys(bench)
    stored_wrongly(bench)
    stalls(bench)
    out_of_reach(bench)
    redirects(bench)
    hugeness(bench)
    no_list_permission(bench)
    report = bench.walden.json("verify")
    check(report["ok"], f"verify after all that: {report['problems']}")
    in_parts(scenario)


main(body)
