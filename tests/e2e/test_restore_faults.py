#!/usr/bin/env python3
"""No damage to the archive ever makes PostgreSQL open with fewer rows than were archived.

usage: test_restore_faults.py recovery|standby|promote objects|world

PostgreSQL takes exit codes 1 to 125 of restore_command, and also zeros, flipped bits or another
segment's bytes, for the end of WAL: it opens the database there and loses the rest without a
word. Every damage of restore_situation.py is crossed with archive recovery, with a standby and
with a standby that is promoted (faults 36-49, invariants 14-20). Required each time: no server
that has left recovery misses a row, the server's log names the cause, and after the repair
recovery resumes and has all rows.
"""

import sys

from pg import Cluster
from restore_situation import GROUPS, describe, prepare
from scenario import check, check_equal, main, step, wait_for
from walden import Walden


def new_server(situation, signal_file, number):
    """A server over a copy of the backup, with a walden configuration of its own."""
    server = Cluster.from_backup(situation.scenario, f"r{number}", situation.backup, signal_file)
    situation.server = server
    situation.reader = Walden(situation.scenario, server, name=f"r{number}.walden",
                              store=situation.store, key_file=situation.key_file)
    return server.configure(restore_command=situation.reader.restore_command())


def settle(situation, server, damage):
    """Waits until the server has stopped, left recovery, or reported the damage."""
    wait_for(lambda: server.state() in ("stopped", "running")
             or damage.is_reported(situation, server.log()), f"effect of: {damage.name}", 90)


def check_nothing_lost(situation, server, what):
    """The one rule: a server that has left recovery has all rows."""
    if server.state() == "running":
        rows = server.count("t")
        check(rows >= situation.rows,
              f"{what}: the server opened with {rows} of {situation.rows} rows")


def check_reason(situation, server, damage):
    """The server's log holds a refusal that names the cause."""
    said = [line for line in server.log().splitlines() if "walden-fetch:" in line]
    check(damage.is_reported(situation, server.log()),
          f"{damage.name}: a message of walden-fetch names the cause "
          f"({damage.subject} {', '.join(damage.words)}): {said[-3:]}")


def resume(situation, server, state, what):
    """The server, started again if it stopped, gets all rows."""
    def complete():
        if server.exit_code() is not None:
            server.reap()
            server.launch()
        return server.state() == state and server.count("t") == situation.rows
    wait_for(complete, f"recovery of all rows, {what}", 90)


def in_recovery(situation, server, damage):
    """recovery.signal without a target: must stop, since opening would be the end."""
    server.launch()
    wait_for(lambda: server.state() in ("stopped", "running"), f"end with: {damage.name}", 90)
    check_nothing_lost(situation, server, damage.name)
    check_equal(server.state(), "stopped", f"{damage.name}: state of the server")
    check_reason(situation, server, damage)
    situation.repair()
    resume(situation, server, "running", f"after the repair of: {damage.name}")


def as_standby(situation, server, damage):
    """standby.signal: may stop or wait, stays in recovery in any case."""
    server.launch()
    settle(situation, server, damage)
    check(server.state() != "running", f"{damage.name}: the standby stays in recovery")
    check_reason(situation, server, damage)
    situation.repair()
    resume(situation, server, "recovering", f"after the repair of: {damage.name}")


def as_promoted(situation, server, damage):
    """standby.signal and a promote request while the damage is there."""
    server.launch()
    settle(situation, server, damage)
    server.request_promotion()
    wait_for(lambda: server.state() in ("stopped", "running"), f"promotion with: {damage.name}", 90)
    check_nothing_lost(situation, server, damage.name)
    check_equal(server.state(), "stopped", f"{damage.name}: state of the server")
    check_reason(situation, server, damage)
    (server.data / "promote").unlink(missing_ok=True)
    situation.repair()
    resume(situation, server, "recovering", f"after the repair of: {damage.name}")
    server.promote()
    check_nothing_lost(situation, server, damage.name)


MODES = {"recovery": ("recovery.signal", in_recovery), "standby": ("standby.signal", as_standby),
         "promote": ("standby.signal", as_promoted)}


def body(scenario):
    mode, group = sys.argv[1:3]
    signal_file, run = MODES[mode]
    situation = prepare(scenario)
    situation.mode = mode
    step(f"without damage: all rows; {describe(situation)}")
    server = new_server(situation, signal_file, 0)
    server.launch()
    resume(situation, server, "running" if mode == "recovery" else "recovering", "no damage")
    server.stop("immediate")
    for number, damage in enumerate(GROUPS[group], start=1):
        step(f"{mode}: {damage.name}")
        server = new_server(situation, signal_file, number)
        damage.apply(situation)
        run(situation, server, damage)
        server.stop("immediate")
        scenario.clusters.remove(server)
        scenario.remove_tree(server.data)


main(body)
