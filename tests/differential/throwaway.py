"""Throwaway clusters for the comparisons of this folder: a server reachable through a unix socket in its
own directory only.

The server is Debian's PostgreSQL 15, or the one whose programs are in WALDEN_E2E_POSTGRES (see
tests/README.md); clients are always those of 15. Needs only the standard library.
"""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from harness.accounts import Account  # noqa: E402
from harness.postgres import BIN, Server  # noqa: E402

PG_BIN = os.environ.get("PG_BIN", str(BIN))
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


def have_programs(*tools):
    return all(any(os.access(os.path.join(place, tool), os.X_OK) for place in (SERVER_BIN, PG_BIN))
               for tool in tools)


class Cluster(Server):
    """A server of its own in `directory`; use as a context manager. `settings` are lines of
    postgresql.conf beyond the defaults, as "wal_level = minimal"."""

    defaults = {"listen_addresses": "", "fsync": "off", "synchronous_commit": "off",
                "wal_level": "logical", "max_prepared_transactions": "5", "max_wal_size": "4GB",
                "wal_keep_size": "4GB", "autovacuum_naptime": "1"}

    def __init__(self, directory, segment_mib, initdb_options=(), settings=""):
        self.directory = pathlib.Path(directory)
        super().__init__(Account(directory), self.directory / "data", programs=SERVER_BIN,
                         sockets=self.directory, wal_segsize=segment_mib)
        self.account.own(self.directory)
        self.initdb(data_checksums="-k" in initdb_options)
        self.configure(**dict(line.split(" = ") for line in settings.splitlines()))

    @property
    def user(self):
        """Who owns the files, None for ourselves."""
        return self.account.record and self.account.record.pw_name

    def run(self, tool, *arguments, text=None):
        """Runs a client, whose output is returned; `text` is for its standard input."""
        source = self.account.write(self.directory / "input", text or "")
        with open(source, "rb") as file:
            words = ["-h", self.sockets, "-U", "postgres"] if tool != "postgres" else []
            return self.account.run([self.program(tool), *words, *arguments], stdin=file, deadline=300,
                                    env={"PGDATABASE": "postgres"}).out

    def generate_wal(self):
        self.run("pgbench", "-i", "-q", "-s", "2")
        self.run("pgbench", "-c", "4", "-t", "500")
        self.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", text=STATEMENTS)

    def version(self):
        return int(self.run("postgres", "--version").split()[2].split(".")[0])

    def current_segment(self):
        return self.psql("select pg_walfile_name(pg_current_wal_lsn())")
