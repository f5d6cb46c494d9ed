#!/usr/bin/env python3
"""walden restore and preview: the Friday incident with one command, and what it refuses.

Each kind of target; a gap, a moment outside the window and a directory in use are refused before a
byte is written (invariant 27, rows 68 to 70); a killed restore goes on, and is never startable
before its end (row 72); --delta keeps what is right and moves pg_wal aside.

usage: test_restore.py
"""

import os
import signal
import subprocess
import time

from fixtures import archiving_primary
from pg import Cluster
from scenario import check, check_equal, main, step, wait_for


def conninfo(primary):
    return f"host={primary.sockets} port={primary.port} user=postgres dbname=postgres"


def take_backup(archive, *options):
    return archive.walden.json("backup", "--conninfo", conninfo(archive.primary), *options)


def incident(primary):
    """Makes orders and ruins them. Returns (good checksum, options that lead to just before)."""
    primary.psql("update orders set state = 'paid' where id % 3 = 0")
    good = primary.checksum("orders")
    primary.psql("select pg_create_restore_point('before_lunch')")
    moment = primary.psql("select to_char(clock_timestamp() at time zone 'UTC', "
                          "'YYYY-MM-DD HH24:MI:SS.US') || '+00'")
    lsn = primary.psql("select pg_current_wal_insert_lsn()")
    xid = primary.psql("begin; update orders set state = 'cancelled'; "
                       "select pg_current_xact_id(); commit").splitlines()[-1]
    primary.psql("insert into orders values (9999, 'open', 1)")
    primary.archive_now()
    return good, {"--to-time": moment, "--before-xid": xid, "--to-lsn": lsn,
                  "--to-name": "before_lunch"}


class Copies:
    """Restored clusters of one archive."""

    def __init__(self, scenario, archive):
        self.scenario = scenario
        self.archive = archive

    def restore(self, name, *options, ok=True, **run):
        """(cluster, what walden said)"""
        cluster = Cluster(self.scenario, name)
        done = self.archive.walden.run("walden", "restore", *options, cluster.data, ok=ok, **run)
        return cluster, done

    def check_orders(self, name, wanted, *options):
        cluster, done = self.restore(name, *options, "--target-action", "promote")
        cluster.configure(archive_mode="off")
        cluster.finish_recovery()
        check_equal(cluster.checksum("orders"), wanted, f"orders by {options}")
        cluster.stop()
        return done

    def refused(self, what, words, *options):
        cluster, done = self.restore(f"refused{len(self.scenario.clusters)}", *options, ok=False)
        check(done.code == 1, f"{what}: exit status {done.code}")
        check(words in done.text, f"{what}: {words!r} is not in {done.text}")
        check(not cluster.data.exists(), f"{what}: nothing is written")
        return done

    def refused_late(self, what, words, *options):
        """Refused while it writes: what is there cannot be started."""
        cluster, done = self.restore(f"refused{len(self.scenario.clusters)}", *options, ok=False)
        check(done.code == 1 and words in done.text, f"{what}: {done.text}")
        check(not (cluster.data / "global" / "pg_control").exists(), f"{what}: no pg_control")


def check_previews(archive, targets, backup):
    for option, value in targets.items():
        plan = archive.walden.json("preview", option, value)
        check_equal(plan["backup"]["id"], backup, f"the backup of {option}")
        check(not plan["is_estimate"], f"{option} is found exactly: {plan}")
        check(plan["stop_lsn"] is not None, f"{option} has a place: {plan}")


def kill_restore(archive, cluster, after_files):
    """Kills a restore once some files are there; False if it was done before."""
    process = subprocess.Popen(archive.walden.argv("walden", "restore", "--latest", cluster.data),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)

    def is_far_enough():
        if process.poll() is not None:
            return True
        return sum(len(files) for _, _, files in os.walk(cluster.data)) >= after_files

    wait_for(is_far_enough, "files of the restore")
    was_running = process.poll() is None
    if was_running:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return was_running


def body(scenario):
    archive = archiving_primary(scenario)
    primary, walden = archive.primary, archive.walden
    step("without a backup nothing can be restored")
    copies = Copies(scenario, archive)
    copies.refused("no backup", "holds no base backup", "--latest")
    before = primary.psql("select to_char(clock_timestamp() at time zone 'UTC', "
                          "'YYYY-MM-DD HH24:MI:SS.US') || '+00'")
    primary.psql("create table orders (id int primary key, state text, amount numeric);"
                 "insert into orders select g, 'open', g * 1.5 from generate_series(1, 5000) g")
    first = take_backup(archive)["backup"]
    taken = int(time.time())
    step("orders, and an UPDATE without its WHERE")
    # A backup and a target within one second are not told apart, and the backup is refused.
    wait_for(lambda: time.time() > taken + 1, "the next second")
    good, targets = incident(primary)
    second = take_backup(archive)["backup"]
    primary.psql("insert into orders values (10000, 'open', 2)")
    latest = primary.checksum("orders")
    primary.archive_now()

    step("preview finds the exact place, and the backup before it")
    check_previews(archive, targets, first)
    check_equal(walden.json("preview", "--latest")["backup"]["id"], second, "the newest backup")
    for option, value in targets.items():
        step(f"restore {option} {value}")
        copies.check_orders(f"by{option[2:]}", good, option, value)

    step("what cannot be reached is refused before a byte is written, with what can be")
    done = copies.refused("before the first backup", "ends before the target", "--to-time", before)
    check("Any moment can be reached on timeline 1" in done.text, done.text)
    copies.refused("beyond the archive", "the archive ends before the target", "--to-time",
                   "2099-01-01 00:00:00+00")
    copies.refused("no zone", "is no time with a zone", "--to-time", "2026-01-01 00:00:00")
    copies.refused("no restore point", "is not in the archive", "--to-name", "never_made")
    copies.refused("no target", "is missing")
    copies.refused("two targets", "more than one option", "--latest", "--to-xid", "5")
    copies.refused("no backup of that name", "there is no backup", "--latest", "--backup",
                   "20200101-000000-abcd")

    step("a killed restore is not startable, and goes on")
    killed = Cluster(scenario, "killed")
    for after_files in (1, 40, 200, 400, 800):
        if not kill_restore(archive, killed, after_files):
            break
        check(not (killed.data / "global" / "pg_control").exists(), "no pg_control before the end")
        check((killed.data / "walden.restore").exists(), "the marker is there")
    walden.run("walden", "restore", "--latest", killed.data)
    check(not (killed.data / "walden.restore").exists(), "the marker is gone")
    killed.configure(archive_mode="off")
    killed.finish_recovery()
    check_equal(killed.checksum("orders"), latest, "orders of the killed restore")

    step("a running server is not touched; a stopped one is written over page by page")
    done = walden.run("walden", "restore", "--latest", "--delta", killed.data, ok=False)
    check("a server is running" in done.text, done.text)
    killed.psql("drop table orders; create table other as select generate_series(1, 1000) i")
    killed.stop()
    wal_before = sorted(path.name for path in (killed.data / "pg_wal").iterdir())
    report = walden.json("restore", "--latest", "--delta", killed.data)
    check(report["kept_bytes"] > report["written_bytes"], f"most was there: {report}")
    aside = report["wal_aside"]
    check_equal(sorted(os.listdir(aside)), wal_before, "the old pg_wal, moved aside")
    killed.configure(archive_mode="off")
    killed.finish_recovery()
    check_equal(killed.checksum("orders"), latest, "orders after --delta")
    killed.stop()

    step("verify names a pack that is damaged, and one that is missing (row 85)")
    walden.run("walden", "verify")
    store = walden.store
    store.save()
    for hurt in (store.flip, store.remove):
        pack = next(key for key in store.objects() if f"{first}/packs/" in key)
        hurt(store.objects()[pack])
        for depth in ([], ["--shallow"]):
            done = walden.run("walden", "verify", *depth, ok=False)
            check(done.code == 1 and pack in done.text, f"{depth} names {pack}: {done.text}")
        copies.refused_late("a pack that is hurt", "packs/00000001", "--immediate", "--backup", first)
        store.reset()

    step("a hole in the WAL is named (row 70)")
    segments = sorted(key for key in walden.store.objects() if "/wal/" in key)
    walden.store.remove(walden.store.objects()[segments[-2]])
    copies.refused("a hole", "is not in the archive", "--latest")


main(body)
