#!/usr/bin/env python3
"""The means by which restored databases are compared: two servers with the same WAL are the same,
and whatever else differs is found. The databases are those that backups are measured with."""

import struct

from pg import Cluster, require_postgres
from scenario import Failed, check, check_equal, main, step, wait_for
from harness import dumps
from harness.databases import KINDS
from harness.pages import PAGE_SIZE, differences, require_same_pages

MORE = """
create table t (a serial primary key, b text, c jsonb, p point);
create index on t using gin (c); create index on t using hash (b); create index on t using gist (p);
create index on t using spgist (p); create index on t using brin (a);
insert into t (b, c, p) select md5(i::text), jsonb_build_object('k', i), point(i % 97, i % 89)
    from generate_series(1, 5000) i;
create unlogged table u as select 1; create temporary table x as select 1;
"""
WORK = ("update t set b = b || 'x' where a % 3 = 0; delete from t where a % 7 = 0", "vacuum t",
        "update t set b = b || 'y' where a % 5 = 0", "select count(*) from t where b > 'a'",
        "create table dropped (n int)", "begin; delete from t where a % 11 = 0; rollback",
        "drop table dropped")


def twins(scenario):
    """A primary with all kinds of relations, and what recovered from its archive; both stopped. The
    two have different hint bits, and a table that only one of them has read since."""
    primary = Cluster(scenario, "primary").initdb()
    side = scenario.make_directory(scenario.directory / "side")
    primary.configure(archive_mode="on", archive_command=f"cp %p {side}/%f").start()
    databases = [kind(primary, 0.002) for kind in KINDS.values()]
    for database in databases:
        database.make()
    primary.psql(MORE)
    backup = primary.base_backup(scenario.directory / "backup")
    for database in databases:
        database.change()
    for statement in WORK:
        primary.psql(statement)
    digests = dumps.digests(primary)
    primary.stop()
    copy = Cluster.from_backup(scenario, "copy", backup, "standby.signal",
                               restore_command=f"cp {side}/%f %p || cp {primary.data}/pg_wal/%f %p")
    copy.start()
    end = primary.control_state()
    check_equal(end, 1, "the primary was shut down")
    position = checkpoint_of(primary)
    wait_for(lambda: copy.psql("select pg_last_wal_replay_lsn() > "
                               f"'{position >> 32:X}/{position & 0xFFFFFFFF:X}'") == "t", "replay")
    check_equal(dumps.digests(copy), digests, "dumps of the primary and of its copy")
    copy.stop()
    return primary, copy


def checkpoint_of(server):
    """The position of the last checkpoint in pg_control."""
    with open(server.data / "global" / "pg_control", "rb") as file:
        return struct.unpack_from("<Q", file.read(48), 32)[0]


def planted(primary, copy):
    step("each planted difference is found, and hint bits are none")
    primary.start()
    relation = primary.data / primary.psql("select pg_relation_filepath('t')")
    primary.stop()
    place = relation.relative_to(primary.data)
    original = (copy.data / place).read_bytes()
    offset = struct.unpack_from("<I", original, 24)[0] & 0x7FFF  # of the first tuple
    for what, at, bits, is_found in (
            ("a byte of a row", offset + 30, 0x01, True), ("its xmin", offset, 0x01, True),
            ("a hint bit", offset + 21, 0x04, False), ("the checksum", 8, 0xFF, False),
            ("the page's LSN", 0, 0xFF, False), ("pd_lower", 12, 0x04, True)):
        changed = bytearray(original)
        changed[at] ^= bits
        (copy.data / place).write_bytes(changed)
        found = [*differences(primary.data, copy.data)]
        check_equal(bool(found), is_found, f"{what} is found: {found}")
        check(all(line.startswith(f"{place}: block 0") for line in found), f"where: {found}")
    (copy.data / place).write_bytes(original[:-PAGE_SIZE])
    check([*differences(primary.data, copy.data)], "a missing page is found")
    (copy.data / place).write_bytes(original + bytes(PAGE_SIZE))
    check_equal([*differences(primary.data, copy.data)], [], "a new page at the end")
    (copy.data / place).unlink()
    check_equal([*differences(primary.data, copy.data)], [f"{place}: only in {primary.data}"],
                "a missing file")
    copy.scenario.write(copy.data / place, original)


def body(scenario):
    require_postgres()
    step("a primary with btree, heap, GIN, GiST, SP-GiST, hash, BRIN and small tables, and its copy")
    primary, copy = twins(scenario)
    step("the pages of both are the same")
    require_same_pages(primary.data, copy.data)
    planted(primary, copy)
    step("one row that differs is seen in the dumps")
    primary.start()
    copy.configure(restore_command="").start()
    dumps.require_same(primary, copy)
    primary.psql("update t set b = 'other' where a = 1")
    try:
        dumps.require_same(primary, copy)
    except Failed as reason:
        check("other" in str(reason), f"the difference is shown: {reason}")
    else:
        raise Failed("another row is not seen")


main(body, deadline=580)
