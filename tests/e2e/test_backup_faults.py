#!/usr/bin/env python3
"""What hits a base backup, and what is left of it: nothing that could be restored by mistake.

Killed and run again; two at once; WAL that does not arrive; the connection lost; a page that is
damaged (pitfall 1), one file that the user may not read (7), a pg_wal that is never taken (26).

usage: test_backup_faults.py
"""

import os
import signal

from fixtures import archiving_primary
from pg import add_rows
from scenario import check, check_equal, main, step, wait_for

PAGE = 8192


def conninfo(primary):
    return f"host={primary.sockets} port={primary.port} user=postgres dbname=postgres"


def take_backup(archive, *options, ok=True):
    return archive.walden.json("backup", "--conninfo", conninfo(archive.primary), *options, ok=ok)


def start_slow_backup(archive, rate="1MiB"):
    """A backup that reads for a long time, once it has begun to."""
    walden = archive.walden
    process = archive.primary.scenario.start(
        walden.argv("walden", "backup", "--conninfo", conninfo(archive.primary), "--rate", rate),
        cwd=walden.pgdata)
    wait_for(lambda: len(intents(walden)) > start_slow_backup.seen, "an intent")
    start_slow_backup.seen = len(intents(walden))
    return process


start_slow_backup.seen = 0


def intents(walden):
    return [key for key in walden.store.objects() if key.endswith("/intent")]


def relation_path(primary, table):
    return primary.data / primary.psql(f"select pg_relation_filepath('{table}')").strip()


def killed_and_run_again(archive):
    step("a backup that is killed is none, and the next one goes on")
    process = start_slow_backup(archive)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    done = archive.walden.run("walden", "restore", "--latest", archive.primary.data.parent / "none",
                              ok=False)
    check(done.code != 0, f"there is nothing to restore: {done.text}")
    first = take_backup(archive)
    start_slow_backup.seen = len(intents(archive.walden))
    check(first["damaged_pages"] == [], "the first backup is whole")


def two_at_once(archive):
    step("a second backup at the same time is refused at once")
    process = start_slow_backup(archive)
    done = archive.walden.run("walden", "backup", "--conninfo", conninfo(archive.primary), ok=False)
    check_equal(done.code, 1, "exit status of the second")
    check("another backup is running" in done.text and str(process.pid) in done.text, done.text)
    process.send_signal(signal.SIGKILL)
    process.wait(30)


def lost_connection(archive):
    step("a lost session ends the backup")
    process = start_slow_backup(archive)
    archive.primary.psql("select pg_terminate_backend(pid) from pg_stat_activity where "
                         "application_name = 'walden'")
    check(process.wait(60) == 1, "the backup says that it failed")


def wal_that_does_not_arrive(archive):
    step("no backup without its WAL: the missing segment is named")
    primary, walden = archive.primary, archive.walden
    command = primary.settings["archive_command"]
    primary.configure(archive_command="false").reload()
    walden.configure(backup={"wal_patience": "2s"})
    add_rows(primary, 7, rows=100)
    done = walden.run("walden", "backup", "--conninfo", conninfo(primary), ok=False)
    check_equal(done.code, 1, "exit status")
    check("does not arrive in the archive" in done.text, done.text)
    primary.configure(archive_command=command).reload()
    walden.configure(backup={"wal_patience": "60s"})
    check(take_backup(archive)["damaged_pages"] == [], "the next one is fine")


def damaged_page(archive):
    step("a damaged page is named by file and number, and noticed again by the next backup (1)")
    primary = archive.primary
    primary.psql("create table victim as select g, repeat('x', 500) from generate_series(1, 2000) g;"
                 "checkpoint")
    primary.archive_now()
    check(take_backup(archive)["damaged_pages"] == [], "whole before")
    path = relation_path(primary, "victim")
    with open(path, "r+b") as file:
        file.seek(5 * PAGE + 4000)
        byte = file.read(1)
        file.seek(5 * PAGE + 4000)
        file.write(bytes([byte[0] ^ 1]))
    wanted = [{"path": str(path.relative_to(primary.data)), "block": 5,
               "reason": "its checksum is wrong"}]
    check_equal(take_backup(archive, "--read-all", ok=False)["damaged_pages"], wanted, "read all")
    check_equal(take_backup(archive, ok=False)["damaged_pages"], wanted, "as WAL names")
    with open(path, "r+b") as file:
        file.seek(5 * PAGE + 4000)
        file.write(byte)
    check_equal(take_backup(archive)["damaged_pages"], [], "repaired")


def unreadable_file(archive):
    step("a file that may not be read ends the backup at once, with its name (7)")
    path = archive.primary.data / "base" / "1" / "PG_VERSION"
    os.chown(path, 0, 0)
    os.chmod(path, 0o600)
    done = archive.walden.run("walden", "backup", "--conninfo", conninfo(archive.primary), ok=False)
    check_equal(done.code, 1, "exit status")
    check("base/1/PG_VERSION" in done.text, done.text)
    os.chown(path, path.parent.stat().st_uid, path.parent.stat().st_gid)


def body(scenario):
    archive = archiving_primary(scenario, agent={"enabled": False})
    add_rows(archive.primary, 1, rows=20000)
    killed_and_run_again(archive)
    two_at_once(archive)
    lost_connection(archive)
    wal_that_does_not_arrive(archive)
    damaged_page(archive)
    if os.geteuid() == 0:
        unreadable_file(archive)
    step("all that is left is whole")
    archive.primary.archive_now()
    taken = take_backup(archive, "--full")
    check(taken["parent"] is None and taken["damaged_pages"] == [], "a full one")


main(body)
