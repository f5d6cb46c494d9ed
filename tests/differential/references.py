#!/usr/bin/env python3
"""Compares block references with pg_waldump and with the files of a real server.

    references.py WAL_DUMP_TEST [WORK_DIRECTORY]

A cluster with checksums is stopped and copied, works on everything that PostgreSQL has, and is
stopped again. Then, for the segments in between:

 - every page of a relation that differs from the copy is in the lists. The other forks are
   exempt (PostgreSQL does not log them by block), and so are unlogged relations;
 - lists and pg_waldump name the same blocks, and the same files that were created, dropped or
   truncated;
 - an open list is followed by one that resolves it.

With WALDEN_E2E_POSTGRES the server may be of another version; what pg_waldump says is compared only
where there is one of that version. Exits with 77 (skipped) where PostgreSQL is not installed.
"""

import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

from throwaway import SERVER_BIN, SKIPPED, STATEMENTS, Cluster, have_programs

PAGE = 8192
FORKS = {"main": 0, "fsm": 1, "vm": 2, "init": 3}
NO_LIMIT = 0xFFFFFFFF

BLOCK = re.compile(r"blkref #\d+: rel (\d+)/(\d+)/(\d+)(?: fork (\w+))? blk (\d+)")
PATH = r"(?:base/(\d+)|global|pg_tblspc/(\d+)/PG_\w+/(\d+))/(\d+)(?:_(\w+))?"
CREATE = re.compile(r"desc: CREATE %s$" % PATH)
TRUNCATE = re.compile(r"desc: TRUNCATE %s to (\d+) blocks" % PATH)
DROPPED = re.compile(r"rels: ((?:%s ?)+)" % PATH)

MORE_STATEMENTS = """
create table grown(a int, b text); insert into grown select i, repeat('g', 200) from generate_series(1, 20000) i;
delete from grown where a > 5000; vacuum grown;
insert into grown select i, repeat('h', 200) from generate_series(1, 9000) i;
create unlogged table u(a int); insert into u select generate_series(1, 1000);
create tablespace elsewhere location '%(tablespace)s';
create table moved(a int) tablespace elsewhere; insert into moved select generate_series(1, 3000);
create database logged %(strategy)s;
create database e2 tablespace elsewhere;
alter database logged set tablespace elsewhere;
begin; create table gone(a int); insert into gone select generate_series(1, 1000); rollback;
do $$ begin for i in 1..300 loop execute format('create table many%%s(a int primary key, b text)', i); end loop; end $$;
do $$ begin for i in 1..300 loop execute format('drop table many%%s', i); end loop; end $$;
begin; create table two_phase(a int); insert into two_phase values (1); prepare transaction 'x'; commit prepared 'x';
copy (select i, md5(i::text) from generate_series(1, 30000) i) to '%(copy)s';
create table copied(a int, b text); copy copied from '%(copy)s';
create index on copied using brin(a); create index on copied(b); create index on copied using gin(to_tsvector('simple', b));
update copied set b = b || 'z' where a %% 50 = 0; vacuum (full, freeze) copied; update copied set a = a + 1 where a < 100;
checkpoint;
"""


class Lists:
    """What wal_dump_test prints of consecutive segments, merged."""

    def __init__(self, text):
        self.blocks = collections.defaultdict(set)
        self.limits = {}
        self.databases = set()
        self.tablespaces = set()
        self.lists = []
        for line in text.splitlines():
            kind, *rest = line.split()
            if kind == "list":
                # What follows the last segment is recycled files.
                if rest[0] == rest[1]:
                    break
                self.lists.append({"begin": rest[0], "end": rest[1], **dict(word.split("=") for word in rest[2:])})
                continue
            numbers = tuple(int(word) for word in rest)
            if kind == "blocks":
                first, count = numbers[4:]
                self.blocks[numbers[:4]].update(range(first, first + count))
            elif kind == "limit":
                self.limits[numbers[:4]] = min(numbers[4], self.limits.get(numbers[:4], NO_LIMIT))
            elif kind == "database":
                self.databases.add(numbers)
            elif kind == "tablespace":
                self.tablespaces.add(numbers[0])

    def is_whole(self, fork):
        return fork[0] in self.tablespaces or fork[:2] in self.databases

    def contains(self, fork, block):
        return (self.is_whole(fork) or block >= self.limits.get(fork, NO_LIMIT)
                or block in self.blocks.get(fork, ()))

    def check_open(self):
        """Returns how many were open and resolved."""
        for before, after in zip(self.lists, self.lists[1:]):
            if before["end"] != after["begin"]:
                raise SystemExit("%r does not follow %r" % (after, before))
            if before["open"] == "1" and after["carried"] != "1":
                raise SystemExit("%r is open, %r does not resolve it" % (before, after))
        return sum(entry["open"] == "1" for entry in self.lists)


def fork_of_path(groups):
    base, tablespace, database, relation, fork = groups
    if base:
        place = (1663, int(base))
    elif tablespace:
        place = (int(tablespace), int(database))
    else:
        place = (1664, 0)
    return (*place, int(relation), FORKS[fork or "main"])


def read_waldump(first, last):
    """The blocks and limits that pg_waldump names."""
    blocks = collections.defaultdict(set)
    limits = {}
    process = subprocess.Popen([os.path.join(SERVER_BIN, "pg_waldump"), first, last],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               universal_newlines=True)
    with process:
        for line in process.stdout:
            for match in BLOCK.finditer(line):
                blocks[(*map(int, match.groups()[:3]), FORKS[match[4] or "main"])].add(int(match[5]))
            match = CREATE.search(line.rstrip())
            if match:
                limits[fork_of_path(match.groups())] = 0
            match = TRUNCATE.search(line)
            if match:
                fork = fork_of_path(match.groups()[:5])
                limits[fork] = min(int(match[6]), limits.get(fork, NO_LIMIT))
            if "rmgr: Transaction" in line and " desc: PREPARE" not in line:
                for dropped in DROPPED.finditer(line):
                    for path in re.finditer(PATH, dropped[1]):
                        limits[fork_of_path(path.groups())] = 0
    return blocks, limits


def compare_with_waldump(lists, blocks, limits):
    for fork, numbers in blocks.items():
        missing = [number for number in numbers if not lists.contains(fork, number)]
        if missing:
            raise SystemExit("%r: pg_waldump names %r, the lists do not" % (fork, missing[:5]))
    for fork, numbers in lists.blocks.items():
        extra = numbers - blocks.get(fork, set())
        if extra:
            raise SystemExit("%r: the lists name %r, pg_waldump does not" % (fork, sorted(extra)[:5]))
    # Under a whole database limits do not matter, and the segment that says so leaves them out.
    ours = {item for item in lists.limits.items() if not lists.is_whole(item[0])}
    theirs = {item for item in limits.items() if not lists.is_whole(item[0])}
    if ours != theirs:
        raise SystemExit("limits differ: %r" % sorted(ours ^ theirs)[:5])


def relation_files(data):
    """(path below `data`, fork, number of the file) of all relations that are logged."""
    for top in ("base", "global", "pg_tblspc"):
        for directory, _, names in os.walk(os.path.join(data, top), followlinks=True):
            place = os.path.relpath(directory, data)
            unlogged = {name.split("_")[0] for name in names if name.endswith("_init")}
            for name in names:
                match = re.fullmatch(r"(\d+)(?:\.(\d+))?", name)
                if match and match[1] not in unlogged:
                    path = re.fullmatch(PATH, os.path.join(place, match[1]))
                    yield os.path.join(place, name), fork_of_path(path.groups()), int(match[2] or 0)


def read_pages(path):
    if not os.path.exists(path):
        return []
    with open(path, "rb") as file:
        data = file.read()
    return [data[i:i + PAGE] for i in range(0, len(data), PAGE)]


def compare_with_files(lists, before, after):
    """Returns how many pages changed, and how many are named in vain."""
    changed = 0
    named = 0
    for path, fork, number in relation_files(after):
        old = read_pages(os.path.join(before, path))
        new = read_pages(os.path.join(after, path))
        for i, page in enumerate(new):
            block = number * 131072 + i
            is_named = lists.contains(fork, block)
            named += is_named
            if i < len(old) and old[i] == page:
                continue
            changed += 1
            if not is_named:
                raise SystemExit("block %d of %s changed, and no list names it" % (block, path))
    return changed, named - changed


def check(tool, work, segment_mib, wal_level):
    with tempfile.TemporaryDirectory(prefix="walden-references-", dir=work) as directory:
        os.chmod(directory, 0o755)
        # A later wal_level wins over the first in the file.
        cluster = Cluster(directory, segment_mib, ["-k"], "wal_level = %s" % wal_level)
        with cluster:
            cluster.run("pgbench", "-i", "-q", "-s", "2")
            cluster.run("pgbench", "-t", "200")
        before = os.path.join(directory, "before")
        shutil.copytree(cluster.data, before, symlinks=True)
        with cluster:
            first = cluster.current_segment()
            values = {"tablespace": os.path.join(directory, "space"),
                      "copy": os.path.join(directory, "copied"),
                      "strategy": "" if cluster.version() < 15 else "strategy wal_log"}
            os.mkdir(values["tablespace"])
            if cluster.user:
                shutil.chown(values["tablespace"], cluster.user)
            cluster.run("pgbench", "-c", "4", "-t", "500")
            cluster.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1",
                        text=STATEMENTS + MORE_STATEMENTS % values)
            cluster.run("pgbench", "-c", "4", "-t", "300")
        wal = os.path.join(cluster.data, "pg_wal")
        names = sorted(name for name in os.listdir(wal) if re.fullmatch("[0-9A-F]{24}", name))
        names = [name for name in names if name >= first]
        paths = [os.path.join(wal, name) for name in names]
        text = subprocess.run([tool, "references", *paths], check=True, stdout=subprocess.PIPE,
                              universal_newlines=True).stdout
        lists = Lists(text)
        opened = lists.check_open()
        changed, in_vain = compare_with_files(lists, before, cluster.data)
        compared = os.path.exists(os.path.join(SERVER_BIN, "pg_waldump"))
        if compared:
            compare_with_waldump(lists, *read_waldump(paths[0], paths[-1]))
        sizes = sorted(int(entry["size"]) for entry in lists.lists)
        print("%d MiB, %s: %d segments, %d open, %d pages changed, %d named in vain, %s%d to %d "
              "bytes a list" % (segment_mib, wal_level, len(lists.lists), opened, changed, in_vain,
                                "as pg_waldump, " if compared else "", sizes[0], sizes[-1]))


def main():
    if not have_programs("initdb", "postgres", "pg_ctl", "psql", "pgbench"):
        print("PostgreSQL is not in %s: skipped" % SERVER_BIN)
        return SKIPPED
    tool = os.path.abspath(sys.argv[1])
    work = sys.argv[2] if len(sys.argv) > 2 else None
    for segment_mib, wal_level in ((1, "logical"), (16, "replica")):
        check(tool, work, segment_mib, wal_level)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit("%s: exit code %d\n%s" % (error.cmd[0], error.returncode, error.stdout))
