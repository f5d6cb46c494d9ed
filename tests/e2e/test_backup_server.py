"""What lib/pg asks of servers for base backups, asked of real ones: a primary with a tablespace, poolers
before it, and another primary with a standby. The checks themselves are in C++ (tests/unit/pg/server).
"""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from lending_pooler import LendingPooler
from pg import Cluster
from scenario import main, step, wait_for

PROGRAM = pathlib.Path(os.environ["WALDEN_BUILD"]) / "tests/unit/pg/test_pg_server"


def conninfo(cluster):
    return f"host={cluster.sockets} port={cluster.port} dbname=postgres user=postgres"


def pooler_before(scenario, primary, how):
    port = scenario.port
    scenario.port += 1
    LendingPooler(primary.sockets, port, primary.sockets / f".s.PGSQL.{primary.port}", how)
    return f"host={primary.sockets} port={port} dbname=postgres user=postgres sslmode=disable gssencmode=disable"


def body(scenario):
    primary = Cluster(scenario, "primary").initdb().start()
    place = scenario.make_directory(scenario.directory / "table space")
    primary.psql(f"create tablespace t location '{place}'")
    primary.psql("create table in_t (n int) tablespace t; insert into in_t select generate_series(1, 10000)")
    upstream = Cluster(scenario, "upstream").initdb().start()
    backup = upstream.base_backup(scenario.directory / "backup")
    standby = Cluster.from_backup(scenario, "standby", backup, "standby.signal",
                                  primary_conninfo=f"host={upstream.sockets} port={upstream.port} user=postgres")
    standby.start()
    wait_for(lambda: standby.state() == "recovering", "standby")
    scenario.variables.update(
        WALDEN_TEST_PRIMARY=conninfo(primary), WALDEN_TEST_PRIMARY_DATA=str(primary.data),
        WALDEN_TEST_TABLESPACE=str(place), WALDEN_TEST_UPSTREAM=conninfo(upstream),
        WALDEN_TEST_STANDBY=conninfo(standby), WALDEN_TEST_STANDBY_DATA=str(standby.data),
        WALDEN_TEST_POOLER_LENDS=pooler_before(scenario, primary, "lends"),
        WALDEN_TEST_POOLER_NAMES=pooler_before(scenario, primary, "names"))
    for tag in ("[primary]", "[standby]", "[promotion]"):
        step(f"cases {tag}")
        print(scenario.run([PROGRAM, tag]).out, end="")


main(body)
