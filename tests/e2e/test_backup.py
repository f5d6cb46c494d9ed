#!/usr/bin/env python3
"""Base backups in the archive: taken, compared with the one before, restored, started.

A full backup, an unchanged second one, one after changes; the restored cluster has every row that
was archived, and its pages pass pg_checksums.

usage: test_backup.py
"""

from fixtures import archiving_primary
from pg import BIN, Cluster, add_rows
from scenario import check, check_equal, main, step

KIB = 1024


def conninfo(primary):
    return f"host={primary.sockets} port={primary.port} user=postgres dbname=postgres"


def take_backup(archive, *options):
    return archive.walden.json("backup", "--conninfo", conninfo(archive.primary), *options)


def restored(scenario, archive, name):
    """The newest backup, restored as the cluster `name`, not started."""
    cluster = Cluster(scenario, name)
    archive.walden.run("walden", "restore", "--latest", cluster.data)
    return cluster.configure(archive_mode="off")


def fill(primary):
    primary.psql("create table orders (id int primary key, state text, amount numeric);"
                 "insert into orders select g, 'open', g * 1.5 from generate_series(1, 20000) g;"
                 "create index on orders (state, amount)")
    primary.psql("create table emptied as select g from generate_series(1, 5000) g")
    primary.psql("create database other")
    add_rows(primary, 1, rows=20000)


def body(scenario):
    archive = archiving_primary(scenario)
    primary = archive.primary
    step("a first backup")
    fill(primary)
    first = take_backup(archive)
    check(first["parent"] is None, "the first backup is compared with none")
    check(first["stored_bytes"] < first["plain_bytes"], "a backup is smaller than its files")

    step("a second one of the same files")
    second = take_backup(archive)
    check_equal(second["parent"], first["backup"], "the second is compared with the first")
    check(second["stored_bytes"] <= 100 * KIB,
          f"an unchanged backup stores little: {second['stored_bytes']} bytes")
    check(second["read_bytes"] < second["plain_bytes"] / 2,
          f"and reads what WAL names: {second['read_bytes']} of {second['plain_bytes']} bytes")
    compared = take_backup(archive, "--read-all")
    check_equal(compared["read_bytes"], compared["plain_bytes"], "bytes read by --read-all")
    check(compared["stored_bytes"] <= 100 * KIB, "what WAL did not name has not changed")

    step("a third one after changes")
    primary.psql("update orders set state = 'paid' where id % 100 = 0")
    add_rows(primary, 2, rows=1000)
    primary.psql("vacuum orders")
    primary.psql("create table made as select g as x from generate_series(1, 1000) g")
    primary.psql("truncate emptied")
    third = take_backup(archive, "--label", "after changes")
    check(third["stored_bytes"] < first["stored_bytes"] / 2, "unchanged pages are not stored again")

    step("more rows, archived, then all is restored")
    add_rows(primary, 3, rows=1000)
    primary.archive_now()
    wanted = {table: primary.checksum(table) for table in ("orders", "t")}
    primary.stop()
    copy = restored(scenario, archive, "copy")
    copy.finish_recovery()
    for table, checksum in wanted.items():
        check_equal(copy.checksum(table), checksum, f"rows of {table}")
    copy.stop()
    scenario.run([BIN / "pg_checksums", "--check", "-D", copy.data])

    step("a directory that is not empty is refused")
    done = archive.walden.run("walden", "restore", "--latest", copy.data, ok=False)
    check_equal(done.code, 1, "exit status")
    check("not an empty directory" in done.text, done.text)


main(body)
