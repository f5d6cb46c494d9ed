#!/usr/bin/env python3
"""What was archived comes back: every file byte for byte, and the cluster table by table.

usage: test_roundtrip.py SEGMENT_SIZE_MIB [KIND OF STORE]
"""

import sys

from fixtures import archiving_primary
from pg import Cluster
from s3_store import open_store
from scenario import check, check_equal, main, step

TABLES = ("pgbench_accounts", "pgbench_branches", "pgbench_history", "pgbench_tellers", "notes")


def write_history(primary):
    """pgbench, DDL, a truncate, a dropped table, and at least three segments."""
    primary.pgbench("-i", "-q", "-s", "1")
    primary.archive_now()
    primary.pgbench("-n", "-t", "200", "-c", "2")
    primary.psql("create table notes (id int primary key, text text);"
                 "insert into notes select g, repeat(md5(g::text), 4) from generate_series(1, 2000) g;"
                 "create index notes_text on notes (text); alter table notes add column n int default 7")
    primary.archive_now()
    primary.psql("create table gone as select g from generate_series(1, 100) g; drop table gone;"
                 "create table emptied as select 1; truncate emptied")
    primary.psql("vacuum full notes")
    primary.archive_now()
    primary.pgbench("-n", "-t", "100", "-c", "2")


def body(scenario):
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    kind = sys.argv[2] if len(sys.argv) > 2 else "posix"
    archive = archiving_primary(scenario, size, store=open_store(scenario, kind))
    primary, walden = archive.primary, archive.walden
    step("a base backup, then pgbench and DDL")
    backup = primary.base_backup(scenario.directory / "backup")
    write_history(primary)
    wanted = {table: primary.checksum(table) for table in TABLES}
    step("a fast stop archives the rest")
    primary.stop()
    check_equal(primary.ready(), [], "files left to archive after a fast stop")
    check("walden-push: error" not in primary.log(), "no push failed")

    step("walden-fetch returns every archived file byte for byte (invariants 1, 14, 15)")
    copies = sorted(archive.side.iterdir())
    check(len(archive.copies()) >= 3, "three segments at least")
    check(archive.copies(".backup"), "a .backup file was archived")
    for copy in copies:
        walden.check_archived(copy)
    check_equal(archive.copies()[0].stat().st_size, size << 20, "segment size")

    step("verify and info agree with it")
    report = walden.json("verify")
    check(report["ok"] and not report["problems"], f"verify finds nothing: {report['problems']}")
    timeline = walden.json("info")["clusters"][0]["timelines"][0]
    names = [copy.name for copy in archive.copies()]
    check_equal((timeline["first_segment"], timeline["last_segment"], timeline["segment_count"]),
                (names[0], names[-1], len(names)), "what info says of timeline 1")
    check_equal(timeline["gaps"], [], "gaps of timeline 1")

    step("the backup recovers to the end of the archive")
    restored = Cluster.from_backup(scenario, "restored", backup,
                                   restore_command=walden.restore_command())
    restored.finish_recovery()
    for table, checksum in wanted.items():
        check_equal(restored.checksum(table), checksum, f"rows of {table}")
    check_equal(restored.count("emptied"), 0, "rows of a truncated table")
    check_equal(restored.psql("select to_regclass('gone') is null"), "t", "the dropped table is gone")
    check_equal(restored.psql("select count(*) from pg_indexes where indexname = 'notes_text'"), "1",
                "indexes")


main(body)
