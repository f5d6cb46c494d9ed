#!/usr/bin/env python3
"""Failover: timelines, .history, .partial, .backup; and a standby that archives, too.

- A promoted standby archives its history, the partial segment and the new timeline; recovery from
  an old backup follows the new timeline.
- The old primary, still alive, goes on with timeline 1, which it owns. That never reaches a
  recovery to the latest timeline.
- A standby with archive_mode=always pushes what the primary pushed: all ends 0, nothing doubles.
"""

import sys

from fixtures import archiving_primary
from pg import Cluster, add_rows
from scenario import check, check_equal, main, step, wait_for
from walden import Walden


def standby_of(scenario, name, archive, backup, **settings):
    """A standby with a walden of its own: same store and key, another state directory."""
    cluster = Cluster.from_backup(scenario, name, backup, "standby.signal",
                                  restore_command=archive.walden.restore_command(), **settings)
    own = Walden(scenario, cluster, name=f"{name}.walden", store=archive.walden.store,
                 key_file=archive.walden.key_file)
    return cluster, own


def archiving_standby(scenario, archive, backup):
    """archive_mode=always: every restored segment is pushed again (fault 18 across hosts)."""
    step("a standby with archive_mode=always pushes the same WAL again")
    before = archive.walden.store.contents_only()
    standby, own = standby_of(scenario, "always", archive, backup)
    standby.configure(archive_mode="always", archive_command=own.archive_command()).start()
    rows = archive.primary.count("t")
    wait_for(lambda: standby.count("t") == rows, "all rows on the standby")
    standby.wait_archived()
    statistics = standby.archiver()
    check(statistics["archived_count"] >= 2, f"the standby pushed segments: {statistics}")
    check_equal(statistics["failed_count"], 0, "failed pushes of the standby")
    check_equal(archive.walden.store.contents_only(), before, "objects in the store (one copy)")
    standby.stop()


def failover(scenario, archive, backup):
    """Promotes a standby while the old primary lives on. Returns the promoted server."""
    step("a standby is promoted; the old primary is still alive")
    standby, own = standby_of(scenario, "promoted", archive, backup, archive_mode="on",
                              primary_conninfo=f"host={archive.primary.sockets} "
                                               f"port={archive.primary.port} user=postgres")
    standby.configure(archive_command=f"{own.archive_command()} && cp %p {archive.side}/%f").start()
    # Rows that were streamed but whose segment is not complete: they end up in the .partial.
    add_rows(archive.primary, 50, rows=100)
    rows = archive.primary.count("t")
    wait_for(lambda: standby.count("t") == rows, "streamed rows")
    standby.promote()
    add_rows(standby, 60, rows=1000)
    standby.archive_now()
    names = [path.name for path in archive.side.iterdir()]
    check("00000002.history" in names, "00000002.history was archived")
    check(any(name.endswith(".partial") for name in names), "a .partial was archived")
    step("a backup of the new primary archives its .backup file")
    standby.base_backup(scenario.directory / "backup2")
    standby.wait_archived()
    check(any(name.startswith("00000002") and name.endswith(".backup")
              for name in (path.name for path in archive.side.iterdir())), "a .backup on timeline 2")
    return standby, own


def body(scenario):
    archive = archiving_primary(scenario, agent={"enabled": "agent" in sys.argv[1:]})
    primary, walden = archive.primary, archive.walden
    backup = primary.base_backup(scenario.directory / "backup")
    for batch in range(3):
        add_rows(primary, batch, rows=2000)
        primary.archive_now()
    archiving_standby(scenario, archive, backup)
    standby, own = failover(scenario, archive, backup)

    step("the old primary goes on with timeline 1, which is its own")
    add_rows(primary, 70, rows=500)
    primary.archive_now()
    add_rows(standby, 61, rows=1000)
    standby.archive_now()
    wanted = standby.checksum("t")
    check_equal(primary.archiver()["failed_count"], 0, "failed pushes of the old primary")
    check_equal(standby.archiver()["failed_count"], 0, "failed pushes of the new primary")
    primary.stop()
    standby.stop()
    for copy in sorted(archive.side.iterdir()):
        own.check_archived(copy)

    step("recovery from the oldest backup follows timeline 2")
    restored = Cluster.from_backup(scenario, "restored", backup,
                                   restore_command=walden.restore_command())
    restored.finish_recovery()
    check_equal(restored.checksum("t"), wanted, "rows of timeline 2")
    check_equal(restored.psql("select count(*) from t where batch = 70"), "0",
                "rows that the old primary wrote after the fork")
    check("new timeline ID: 3" in restored.log(), "the next timeline is 3")
    report = walden.json("verify")
    check(report["ok"], f"verify is content with both timelines: {report['problems']}")


main(body)
