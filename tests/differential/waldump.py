#!/usr/bin/env python3
"""Compares our WAL reader with pg_waldump, record by record, on WAL that a real server writes.

    waldump.py WAL_DUMP_TEST [WORK_DIRECTORY]

Makes a throwaway cluster of PostgreSQL 15 for each segment size, reachable through a unix socket in
its own directory only, runs pgbench and a mix of statements, and stops it. Then both
readers list every whole segment; position, length, link and resource manager of all records must be
the same. Exits with 77 (skipped) where PostgreSQL is not installed. Needs only the standard library.
"""

import os
import re
import subprocess
import sys
import tempfile

from throwaway import PG_BIN, SKIPPED, Cluster

TOOLS = ("initdb", "postgres", "pg_ctl", "psql", "pgbench", "pg_waldump")

WALDUMP_LINE = re.compile(
    r"rmgr: (\S+)\s+len \(rec/tot\):\s*\d+/\s*(\d+), tx:\s*\d+, "
    r"lsn: ([0-9A-F]+/[0-9A-F]+), prev ([0-9A-F]+/[0-9A-F]+),")


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
