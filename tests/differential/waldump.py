#!/usr/bin/env python3
"""Compares our WAL reader with pg_waldump, record by record, on WAL that a real server writes.

    waldump.py WAL_DUMP_TEST [WORK_DIRECTORY]

Makes a throwaway cluster of PostgreSQL 15 for each segment size, reachable through a unix socket in
its own directory only, runs pgbench and a mix of statements, and stops it. Then both
readers list every whole segment; position, length, link and resource manager of all records must be
the same. Exits with 77 (skipped) where PostgreSQL is not installed. Needs only the standard library.
"""

import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile

PG_BIN = os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin")
TOOLS = ("initdb", "postgres", "pg_ctl", "psql", "pgbench", "pg_waldump")
SKIPPED = 77

STATEMENTS = """
create table t(a serial primary key, b text, c jsonb, p point);
create index on t using gin(c);
create index on t using hash(b);
create index on t using gist(p);
create index on t using spgist(p);
create index on t using brin(a);
insert into t(b, c, p) select md5(i::text),
    jsonb_build_object('k', i, 'v', repeat(md5(i::text), i % 40)), point(i % 97, i % 89)
    from generate_series(1, 6000) i;
checkpoint;
update t set b = b || 'y' where a % 3 = 0;
delete from t where a % 7 = 0;
vacuum t;
begin; savepoint s; insert into t(b) values ('s'); rollback to s; insert into t(b) values ('u'); commit;
begin; insert into t(b) values ('p'); prepare transaction 'p1'; commit prepared 'p1';
begin; insert into t(b) values ('q'); prepare transaction 'p2'; rollback prepared 'p2';
begin; insert into t(b) values ('r'); rollback;
select lo_from_bytea(0, decode(repeat('ab', 50000), 'hex'));
select pg_logical_emit_message(true, 'walden', repeat('m', 300000));
select pg_logical_emit_message(false, 'walden', repeat('z', 3500000));
create database d; drop database d;
alter table t add column e int default 7; create materialized view m as select * from t;
vacuum full t; cluster t using t_pkey; reindex table t; refresh materialized view m;
create sequence q; select nextval('q') from generate_series(1, 100);
select pg_create_restore_point('here');
truncate t;
select pg_switch_wal();
insert into t(b) values ('after'); select pg_switch_wal();
"""

WALDUMP_LINE = re.compile(
    r"rmgr: (\S+)\s+len \(rec/tot\):\s*\d+/\s*(\d+), tx:\s*\d+, "
    r"lsn: ([0-9A-F]+/[0-9A-F]+), prev ([0-9A-F]+/[0-9A-F]+),")


class Cluster:
    """A server of its own in `directory`; use as a context manager."""

    def __init__(self, directory, segment_mib):
        self.directory = directory
        self.data = os.path.join(directory, "data")
        self.user = "postgres" if os.geteuid() == 0 else None  # a server refuses to run as root
        if self.user:
            shutil.chown(directory, self.user)
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync",
                 "--wal-segsize=%d" % segment_mib)
        with open(os.path.join(self.data, "postgresql.conf"), "a") as conf:
            conf.write("listen_addresses = ''\nunix_socket_directories = '%s'\n"
                       "fsync = off\nsynchronous_commit = off\nwal_level = logical\n"
                       "max_prepared_transactions = 5\nmax_wal_size = 4GB\n"
                       "wal_keep_size = 4GB\nautovacuum_naptime = 1\n" % directory)

    def run(self, tool, *arguments, text=None):
        command = [os.path.join(PG_BIN, tool), *arguments]
        return subprocess.run(command, input=text, user=self.user,
                              group=pwd.getpwnam(self.user).pw_gid if self.user else None,
                              extra_groups=[] if self.user else None, cwd=self.directory,
                              env=dict(os.environ, LC_ALL="C", PGHOST=self.directory,
                                       PGUSER="postgres", PGDATABASE="postgres"),
                              check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True, timeout=300).stdout

    def __enter__(self):
        self.run("pg_ctl", "-D", self.data, "-l", os.path.join(self.directory, "log"), "-w", "start")
        return self

    def __exit__(self, *_):
        # pg_ctl signals the pid in this data directory, and waits.
        self.run("pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop")

    def generate_wal(self):
        self.run("pgbench", "-i", "-q", "-s", "2")
        self.run("pgbench", "-c", "4", "-t", "500")
        self.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", text=STATEMENTS)

    def current_segment(self):
        return self.run("psql", "-XqAt", "-c", "select pg_walfile_name(pg_current_wal_lsn())").strip()


def lsn_value(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def resource_managers():
    names = subprocess.run([os.path.join(PG_BIN, "pg_waldump"), "--rmgr=list"], check=True,
                           stdout=subprocess.PIPE, universal_newlines=True).stdout.split()
    return {name: number for number, name in enumerate(names)}


def records_of_waldump(first, last, managers):
    """The records that begin in the segments from `first` to `last`, which are paths."""
    # At the end of the last segment pg_waldump goes on into the next file, which may be missing.
    result = subprocess.run([os.path.join(PG_BIN, "pg_waldump"), first, last],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    records = set()
    for line in result.stdout.splitlines():
        match = WALDUMP_LINE.match(line)
        if not match:
            raise SystemExit("unexpected line of pg_waldump: %r" % line)
        records.add((lsn_value(match[3]), managers[match[1]], int(match[2]), lsn_value(match[4])))
    return records, result.stderr


def records_of_walden(tool, paths):
    result = subprocess.run([tool, "records", *paths], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, universal_newlines=True)
    if result.returncode != 0:
        raise SystemExit("our reader finds damage: " + result.stderr)
    records = set()
    for line in result.stdout.splitlines():
        lsn, manager, _, length, previous = line.split()
        records.add((lsn_value(lsn), int(manager), int(length), lsn_value(previous)))
    return records


def compare(tool, directory, names, managers):
    paths = [os.path.join(directory, name) for name in names]
    ours = records_of_walden(tool, paths)
    theirs, _ = records_of_waldump(paths[0], paths[-1], managers)
    # A record that is not finished in the last segment is in neither list or only in pg_waldump's.
    last_of_ours = max(lsn for lsn, *_ in ours)
    theirs = {record for record in theirs if record[0] <= last_of_ours}
    for title, extra in (("only we see", ours - theirs), ("only pg_waldump sees", theirs - ours)):
        for record in sorted(extra)[:5]:
            print("%s %X/%X rmgr %d length %d prev %X" % (title, record[0] >> 32,
                                                          record[0] & 0xFFFFFFFF, *record[1:]))
    if ours != theirs:
        raise SystemExit("the readers differ on %d records" % len(ours ^ theirs))
    return len(ours)


def check_segment_size(tool, work, segment_mib, managers):
    with tempfile.TemporaryDirectory(prefix="walden-waldump-", dir=work) as directory:
        os.chmod(directory, 0o755)
        with Cluster(directory, segment_mib) as cluster:
            cluster.generate_wal()
            current = cluster.current_segment()
        wal = os.path.join(cluster.data, "pg_wal")
        names = sorted(name for name in os.listdir(wal) if re.fullmatch("[0-9A-F]{24}", name))
        whole = [name for name in names if name < current]
        if len(whole) < 2:
            raise SystemExit("only %d whole segments of %d MiB" % (len(whole), segment_mib))
        count = compare(tool, wal, whole, managers)
        # The current segment ends early, and its file may have been another segment before.
        report = subprocess.run([tool, "report", os.path.join(wal, current)],
                                stdout=subprocess.PIPE, universal_newlines=True).stdout
        if not re.search(" (zero tail|recycled tail|switched) ", report):
            raise SystemExit("the current segment does not end quietly: " + report)
        print("%d MiB: %d segments, %d records, the same" % (segment_mib, len(whole), count))


def main():
    if any(not os.access(os.path.join(PG_BIN, tool), os.X_OK) for tool in TOOLS):
        print("PostgreSQL is not in %s: skipped" % PG_BIN)
        return SKIPPED
    tool = os.path.abspath(sys.argv[1])
    work = sys.argv[2] if len(sys.argv) > 2 else None
    managers = resource_managers()
    for segment_mib in (1, 16, 64):
        check_segment_size(tool, work, segment_mib, managers)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit("%s: exit code %d\n%s" % (error.cmd[0], error.returncode, error.stdout))
