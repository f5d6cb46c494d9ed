#!/usr/bin/env python3
"""The Friday incident: an UPDATE without its WHERE, and back to the moment before it.

By time, by transaction, by LSN and by restore point; and a target that the archive does not
reach is an error, never a quiet early end.

usage: test_pitr.py [KIND OF STORE]
"""

import sys

from fixtures import archiving_primary
from pg import Cluster
from s3_store import open_store
from scenario import check, check_equal, main, step, wait_for


def incident(primary):
    """Makes orders and ruins them. Returns (good checksum, ruined checksum, targets)."""
    primary.psql("create table orders (id int primary key, state text, amount numeric);"
                 "insert into orders select g, 'open', g * 1.5 from generate_series(1, 5000) g")
    primary.archive_now()
    primary.psql("update orders set state = 'paid' where id % 3 = 0")
    good = primary.checksum("orders")
    primary.psql("select pg_create_restore_point('before_lunch')")
    targets = {"recovery_target_name": "before_lunch"}
    # A statement of its own: its time lies between the commits around it.
    moment = primary.psql("select clock_timestamp()")
    lsn = primary.psql("select pg_current_wal_insert_lsn()")
    xid = primary.psql("begin; update orders set state = 'cancelled'; "
                       "select pg_current_xact_id(); commit").splitlines()[-1]
    targets.update(recovery_target_time=moment, recovery_target_lsn=lsn, recovery_target_xid=xid)
    ruined = primary.checksum("orders")
    # A later commit, which recovery to a time must see to know that the time has come.
    primary.psql("insert into orders values (9999, 'open', 1)")
    primary.archive_now()
    return good, ruined, targets


def recover(scenario, backup, walden, name, **settings):
    return Cluster.from_backup(scenario, name, backup, restore_command=walden.restore_command(),
                               recovery_target_action="promote", **settings)


def body(scenario):
    kind = sys.argv[1] if len(sys.argv) > 1 else "posix"
    archive = archiving_primary(scenario, store=open_store(scenario, kind))
    primary, walden = archive.primary, archive.walden
    backup = primary.base_backup(scenario.directory / "backup")
    step("orders, and an UPDATE without its WHERE")
    good, ruined, targets = incident(primary)
    check(good != ruined, "the incident does harm")
    primary.stop()

    for setting, value in targets.items():
        step(f"recover with {setting} = {value}")
        extra = {"recovery_target_inclusive": "off"} if setting == "recovery_target_xid" else {}
        server = recover(scenario, backup, walden, setting[16:], **{setting: value}, **extra)
        server.finish_recovery()
        check_equal(server.checksum("orders"), good, f"orders by {setting}")
        server.stop()

    step("the transaction itself, inclusively, brings the harm back: the target is exact")
    server = recover(scenario, backup, walden, "inclusive",
                     recovery_target_xid=targets["recovery_target_xid"])
    server.finish_recovery()
    check_equal(server.checksum("orders"), ruined, "orders with the transaction")
    server.stop()

    step("a target beyond the archive is FATAL, not an early end")
    server = recover(scenario, backup, walden, "beyond", recovery_target_name="never_made")
    server.launch()
    wait_for(lambda: server.exit_code() is not None, "refusal")
    check(server.reap() != 0, "the server refuses")
    check("recovery ended before configured recovery target was reached" in server.log(),
          "and says that the target was not reached")


main(body)
