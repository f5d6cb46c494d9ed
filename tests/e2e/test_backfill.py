#!/usr/bin/env python3
"""A failover whose old primary died with WAL unarchived, and `walden backfill` on the new one.

- The standby has what was streamed, marked as archived, so nobody archives it: recovery from an
  older backup is refused at the hole, and never opens the database there.
- backfill adds exactly the complete segments of timeline 1 that are missing, in order, each naming
  the one before; asked again it adds nothing. A dry run writes nothing.
- Afterwards recovery and a new standby get every row from the archive alone, and verify is content.
- A server that holds another timeline 1 is refused.
"""

import sys

from fixtures import archiving_primary
from pg import Cluster, add_rows
from scenario import check, check_equal, main, step, wait_for
from walden import Walden


def standby_of(scenario, archive, backup, **settings):
    """A streaming standby that will archive once it is promoted, with a walden of its own."""
    standby = Cluster.from_backup(
        scenario, "standby", backup, "standby.signal",
        restore_command=archive.walden.restore_command(), archive_mode="on", wal_keep_size="64MB",
        primary_conninfo=f"host={archive.primary.sockets} port={archive.primary.port} "
                         "user=postgres", **settings)
    own = Walden(scenario, standby, name="standby.walden", store=archive.walden.store,
                 key_file=archive.walden.key_file, agent=archive.walden.settings["agent"])
    standby.configure(archive_command=own.archive_command())
    return standby, own


def lose_the_primary(archive, standby):
    """The primary's archive_command fails for some segments, then it dies. Returns the rows that
    the standby had received, and the names that never reached the archive."""
    step("the primary cannot archive for a while, and then dies")
    primary = archive.primary
    primary.configure(archive_command="false")
    primary.reload()
    wait_for(lambda: primary.psql("show archive_command") == "false", "the new setting")
    for batch in range(10, 13):
        add_rows(primary, batch)
        primary.switch_wal()
    add_rows(primary, 13, rows=100)
    rows = primary.count("t")
    wait_for(lambda: standby.count("t") == rows, "streamed rows")
    unarchived = [name for name in primary.ready() if len(name) == 24]
    primary.kill()
    check(len(unarchived) >= 3, f"unarchived segments: {unarchived}")
    return rows, unarchived


def refused_at_the_hole(scenario, archive, backup, missing):
    step("recovery stops at the hole")
    server = Cluster.from_backup(scenario, "early", backup,
                                 restore_command=archive.walden.restore_command())
    server.launch()
    wait_for(lambda: server.state() in ("stopped", "running"), "end of recovery")
    check_equal(server.state(), "stopped", "state of a server that comes to the hole")
    check(any(missing in line and "hole" in line for line in server.log().splitlines()),
          f"the log says that {missing} is a hole")
    server.reap()


def stranger_is_refused(scenario, archive, standby, missing):
    """The same directory with another segment before the missing ones, as a clone would have that
    went on writing timeline 1 by itself."""
    step("a server that holds another timeline 1 is refused")
    clone = Cluster(scenario, "clone")
    scenario.copy_tree(standby.data, clone.data)
    (clone.data / "postmaster.pid").unlink(missing_ok=True)
    own = Walden(scenario, clone, name="clone.walden", store=archive.walden.store,
                 key_file=archive.walden.key_file)
    before = max(name for name in archive.walden.store.segments()
                 if name.startswith("00000001") and name < missing[0])
    path = clone.segment(before)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    contents = archive.walden.store.contents_only()
    done = own.run("walden", "backfill", ok=False)
    check_equal(done.code, 1, f"exit code: {done.text}")
    check(f"{before}  REFUSED: another one" in done.out, f"{before} is named: {done.out}")
    check(all(f"{name}  REFUSED: unproven" in done.out for name in missing), f"all of {missing} are "
          f"refused: {done.out}")
    check_equal(archive.walden.store.contents_only(), contents, "objects in the store")
    scenario.clusters.remove(clone)
    scenario.remove_tree(clone.data)


def backfilled(archive, own, missing):
    step("walden backfill")
    store = archive.walden.store
    before = store.contents_only()
    plan = own.json("backfill", "--dry-run")
    check_equal([item["segment"] for item in plan["segments"] if item["outcome"] == "missing"],
                missing, "segments that a dry run would archive")
    check_equal(store.contents_only(), before, "objects in the store after a dry run")
    done = own.json("backfill")
    check(done["complete"] and not done["gaps"], f"the line is complete: {done}")
    check_equal([item["segment"] for item in done["segments"] if item["outcome"] == "backfilled"],
                missing, "segments that were archived")
    after = store.contents_only()
    check(set(before) < set(after) and all(after[key] == before[key] for key in before),
          "nothing that was there has changed")
    again = own.json("backfill")
    check(all(item["outcome"] == "archived" for item in again["segments"]),
          f"asked again it adds nothing: {again}")
    check_equal(store.contents_only(), after, "objects in the store")


def body(scenario):
    archive = archiving_primary(scenario, agent={"enabled": "agent" in sys.argv[1:]})
    primary, walden = archive.primary, archive.walden
    backup = primary.base_backup(scenario.directory / "backup")
    for batch in range(2):
        add_rows(primary, batch)
        primary.archive_now()
    standby, own = standby_of(scenario, archive, backup)
    standby.start()
    rows, unarchived = lose_the_primary(archive, standby)
    refused = own.run("walden", "backfill", ok=False)
    check_equal(refused.code, 0, f"before the promotion there is nothing to do: {refused.text}")

    step("the standby is promoted and goes on")
    standby.promote()
    add_rows(standby, 20)
    standby.archive_now()
    rows = standby.count("t")
    # The last one holds the switch point: a partial segment.
    missing = [name for name in unarchived if name[8:] < standby.psql(
        "select pg_walfile_name(pg_current_wal_lsn())")[8:]
        and standby.segment(name).exists()]
    check(set(missing) <= set(standby.done()), f"the standby takes {missing} for archived")
    refused_at_the_hole(scenario, archive, backup, missing[0])
    stranger_is_refused(scenario, archive, standby, missing)
    backfilled(archive, own, missing)
    for name in missing:
        own.check_archived(standby.segment(name))
    wanted = standby.checksum("t")
    standby.stop()

    step("recovery from the old backup, and a new standby, have every row")
    for name, signal_file in (("restored", "recovery.signal"), ("follower", "standby.signal")):
        server = Cluster.from_backup(scenario, name, backup, signal_file,
                                     restore_command=walden.restore_command())
        server.start()
        wait_for(lambda: server.count("t") == rows, f"all {rows} rows of {name}")
        check_equal(server.checksum("t"), wanted, f"rows of {name}")
        server.stop()
    report = walden.json("verify")
    check(report["ok"] and not report["problems"], f"verify is content: {report['problems']}")


main(body)
