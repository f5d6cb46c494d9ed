#!/usr/bin/env python3
"""What a standby with archive_mode=always costs: two small requests per segment (fault 18).

Primary and standby archive the same WAL into one S3 store. The standby gets its WAL from plain
copies, so that every request of its walden is one for archiving; the store counts them.
"""

from collections import Counter

from fixtures import archiving_primary
from pg import Cluster, add_rows
from s3_store import S3Store
from scenario import check, check_equal, main, step, wait_for
from walden import Walden

SEGMENTS = 12
# Opening the repository, the registration, and proving again what an agent relies on.
REQUESTS_OF_THE_AGENT = 25


def body(scenario):
    store = S3Store(scenario, "strict")
    archive = archiving_primary(scenario, store=store, agent={"enabled": True})
    primary = archive.primary
    backup = primary.base_backup(scenario.directory / "backup")
    for batch in range(SEGMENTS):
        add_rows(primary, batch)
        primary.switch_wal()
    primary.wait_archived()
    rows = primary.count("t")
    primary.stop()
    segments = [path.name for path in archive.copies()]
    archive.walden.run("walden", "agent", "--stop")
    before = store.contents_only()
    seen = len(store.server.log())

    step(f"a standby archives the same {len(segments)} segments")
    standby = Cluster.from_backup(scenario, "standby", backup, "standby.signal",
                                  restore_command=f"cp {archive.side}/%f %p")
    own = Walden(scenario, standby, name="standby.walden", store=store,
                 key_file=archive.walden.key_file, agent={"enabled": True})
    standby.configure(archive_mode="always", archive_command=own.archive_command()).start()
    wait_for(lambda: standby.count("t") == rows, "all rows on the standby")
    standby.wait_archived()
    pushed = [name for name in standby.done() if name in segments]
    check_equal(standby.archiver()["failed_count"], 0, "failed pushes")
    standby.stop()
    own.run("walden", "agent", "--stop")
    log = store.server.log()[seen:]
    check_equal(store.contents_only(), before, "objects in the store")

    asked = Counter(entry["key"].split("/")[-1] for entry in log if "/wal/" in (entry["key"] or ""))
    check(len(pushed) >= SEGMENTS, f"segments pushed again: {pushed}")
    check_equal({name: asked[name] for name in pushed}, {name: 1 for name in pushed},
                "requests for the entry of each segment")
    # An entry alone does not restore anything: whether its content is there is asked, too.
    looked = Counter(entry["key"].split("/")[-1].split(".")[0] for entry in log
                     if "/content/" in (entry["key"] or "") and entry["method"] == "HEAD")
    check(all(looked[name] <= 1 for name in pushed) and sum(looked.values()) > 0,
          f"one look at the content of each segment at most: {looked}")
    contents = [entry["key"] for entry in log
                if "/content/" in (entry["key"] or "") and entry["method"] != "HEAD"]
    check(not contents, f"no content is read or written: {contents}")
    written = [entry["key"] for entry in log if entry["method"] not in ("GET", "HEAD")]
    check(not written, f"nothing is written: {written}")
    others = len(log) - sum(asked[name] + looked[name] for name in pushed)
    check(others <= REQUESTS_OF_THE_AGENT, f"{others} requests beside those: "
          f"{[(entry['method'], entry['key']) for entry in log]}")
    step(f"{len(pushed)} segments, {len(log)} requests: {sum(asked[name] for name in pushed)} entries read, "
         f"{sum(looked[name] for name in pushed)} contents looked at, {others} of the agent itself")


main(body)
