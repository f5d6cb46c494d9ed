"""Throwaway clusters for the comparisons of this folder: a server reachable through a unix socket in its
own directory only.

The server is Debian's PostgreSQL 15, or the one whose programs are in WALDEN_E2E_POSTGRES (see
tests/README.md); clients are always those of 15. Needs only the standard library.
"""

import os
import pwd
import shutil
import subprocess

PG_BIN = os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin")
SERVER_BIN = os.environ.get("WALDEN_E2E_POSTGRES", PG_BIN)
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


def program(tool):
    own = os.path.join(SERVER_BIN, tool)
    return own if os.path.exists(own) else os.path.join(PG_BIN, tool)


def have_programs(*tools):
    return all(os.access(program(tool), os.X_OK) for tool in tools)


class Cluster:
    """A server of its own in `directory`; use as a context manager."""

    def __init__(self, directory, segment_mib, initdb_options=(), settings=""):
        self.directory = directory
        self.data = os.path.join(directory, "data")
        self.user = "postgres" if os.geteuid() == 0 else None  # a server refuses to run as root
        if self.user:
            shutil.chown(directory, self.user)
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync",
                 "--wal-segsize=%d" % segment_mib, *initdb_options)
        with open(os.path.join(self.data, "postgresql.conf"), "a") as conf:
            conf.write("listen_addresses = ''\nunix_socket_directories = '%s'\n"
                       "fsync = off\nsynchronous_commit = off\nwal_level = logical\n"
                       "max_prepared_transactions = 5\nmax_wal_size = 4GB\n"
                       "wal_keep_size = 4GB\nautovacuum_naptime = 1\n%s\n" % (directory, settings))

    def run(self, tool, *arguments, text=None):
        command = [program(tool), *arguments]
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

    def version(self):
        return int(self.run("postgres", "--version").split()[2].split(".")[0])

    def current_segment(self):
        return self.run("psql", "-XqAt", "-c", "select pg_walfile_name(pg_current_wal_lsn())").strip()
