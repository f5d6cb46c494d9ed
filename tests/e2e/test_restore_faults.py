#!/usr/bin/env python3
"""No fault of the archive ever makes PostgreSQL open with fewer rows than were archived.

usage: test_restore_faults.py MODE GROUP [AGENT...]

MODE is recovery, standby, promote or rewind; GROUP objects, world or network (restore_situation.py);
AGENT absent, present or killed, any of them for each fault. Without one they take turns, each mode
beginning with another; WALDEN_RECOVERY_MATRIX=full stands for all three.

PostgreSQL takes exit codes 1 to 125 of restore_command, and also zeros, flipped bits or another
segment's bytes, for the end of WAL: it opens the database there and loses the rest without a word.
Every fault is crossed with every way to recover, and with the recovering side's agent not used, used,
and killed again and again (faults 36, 39-55, invariants 14-21). Required each time: no server that has
left recovery misses a row, a refusal names the cause, and after the repair recovery goes on and has
all rows.
"""

import os
import pathlib
import random
import signal
import sys
import threading

from pg import SERVER_BIN, Cluster
from restore_situation import GROUPS, SPEAKER, describe, prepare
from s3_store import S3Store
from scenario import Failed, Skip, check, check_equal, main, step, wait_for
from walden import Walden

AGENTS = ("absent", "present", "killed")
# A refusal of the network group takes so long; slow, the victim comes in less. On a busy machine the
# programs may need a second before they ask for the first time.
IMPATIENT = {"deadline": "4s", "history_deadline": "4s"}
IMPATIENT_STORE = {"connect_timeout": "300ms", "stall_timeout": "300ms", "request_timeout": "5s"}


class AgentKiller(threading.Thread):
    """Kills the recovering side's agents of one scenario, at random moments, from start() to stop()."""

    def __init__(self, scenario):
        super().__init__(daemon=True)
        self.mark = f"WALDEN_E2E_RUN={scenario.directory}".encode()
        self.stopping = threading.Event()
        self.killed_count = 0

    def run(self):
        while not self.stopping.wait(random.uniform(0.01, 0.3)):
            for pid in self.agents():
                try:
                    os.kill(pid, signal.SIGKILL)
                    self.killed_count += 1
                except ProcessLookupError:
                    pass

    def agents(self):
        """Pids of those that run."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if (entry.name.isdigit() and (entry / "comm").read_text() == "walden\n"
                        and b"\0agent\0" in (entry / "cmdline").read_bytes()
                        and self.mark in (entry / "environ").read_bytes().split(b"\0")):
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def stop(self):
        self.stopping.set()
        self.join()


def reader_of(situation, server, agent):
    """The walden configuration of a recovering server."""
    reader = Walden(situation.scenario, server, name=f"{server.name}.walden", store=situation.store,
                    key_file=situation.key_file, agent={"enabled": agent != "absent"})
    if isinstance(situation.store, S3Store):
        reader.configure(fetch=IMPATIENT, store=IMPATIENT_STORE)
    situation.server, situation.reader = server, reader
    return reader


def new_server(situation, mode, name, agent):
    """A server that is to recover, with a walden configuration of its own."""
    source = situation.diverged if mode == "rewind" else situation.backup
    signal_file = {"recovery": "recovery.signal", "rewind": None}.get(mode, "standby.signal")
    server = Cluster.from_backup(situation.scenario, name, source, signal_file)
    return server.configure(
        restore_command=reader_of(situation, server, agent).restore_command())


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
    said = [line for line in server.log().splitlines() if SPEAKER.search(line)]
    check(damage.is_reported(situation, server.log()),
          f"{damage.name}: a message of walden-fetch names the cause "
          f"({damage.subject} {', '.join(damage.words)}): {said[-3:]}")


def resume(situation, server, state, what):
    """The server, started again if it stopped, gets all rows."""
    def complete():
        if server.exit_code() is not None:
            server.reap()
        if server.process is None:
            server.launch()
        if server.state() != state:
            return False
        try:
            return server.count("t") == situation.rows
        except Failed:
            return False  # it stopped just now, for what it had asked before the repair
    wait_for(complete, f"recovery of all rows, {what}", 90)


def in_recovery(situation, server, damage):
    """recovery.signal without a target: must stop, since opening would be the end."""
    server.launch()
    wait_for(lambda: server.state() in ("stopped", "running"), f"end with: {damage.name}", 90)
    check_nothing_lost(situation, server, damage.name)
    if not damage.is_harmless:
        check_equal(server.state(), "stopped", f"{damage.name}: state of the server")
        check_reason(situation, server, damage)
    situation.repair()
    resume(situation, server, "running", f"after the repair of: {damage.name}")


def as_standby(situation, server, damage):
    """standby.signal: may stop or wait, stays in recovery in any case."""
    server.launch()
    if damage.is_harmless:
        resume(situation, server, "recovering", damage.name)
        return
    settle(situation, server, damage)
    check(server.state() != "running", f"{damage.name}: the standby stays in recovery")
    check_reason(situation, server, damage)
    situation.repair()
    resume(situation, server, "recovering", f"after the repair of: {damage.name}")


def as_promoted(situation, server, damage):
    """standby.signal and a promote request while the damage is there: must stop, also for what a
    standby is told "not there" otherwise, and is a standby again when it is started."""
    server.launch()
    if damage.is_harmless:
        resume(situation, server, "recovering", damage.name)
    else:
        settle(situation, server, damage)
        server.request_promotion()
        wait_for(lambda: server.state() in ("stopped", "running"),
                 f"promotion with: {damage.name}", 90)
        check_nothing_lost(situation, server, damage.name)
        check_equal(server.state(), "stopped", f"{damage.name}: state of the server")
        check_reason(situation, server, damage)
        situation.repair()
        resume(situation, server, "recovering", f"after the repair of: {damage.name}")
    server.promote()
    check_nothing_lost(situation, server, damage.name)


def rewind(situation, server):
    """Runs pg_rewind, which calls restore_command; its words go into the server's log."""
    done = situation.scenario.run(
        [SERVER_BIN / "pg_rewind", "-D", server.data, "--source-pgdata", situation.successor, "-c",
         "--no-sync"], ok=False)
    with open(server.log_path, "a", encoding="utf-8") as log:
        log.write(done.text)
    return done


def by_rewind(situation, server, damage):
    """pg_rewind of the old primary: asks backwards, from elsewhere, for files of other names than the
    server does (fault 54). It may stop, and must then be repeatable; then a standby has all rows."""
    done = rewind(situation, server)
    if not damage.is_harmless and not damage.spares_rewind:
        check(done.code != 0, f"{damage.name}: pg_rewind fails: {done.text}")
        check_reason(situation, server, damage)
    situation.repair()
    if done.code != 0:
        again = rewind(situation, server)
        check_equal(again.code, 0, f"pg_rewind after the repair of {damage.name}: {again.text}")
    start_rewound(situation, server, f"rewound after: {damage.name}")


def start_rewound(situation, server, what):
    situation.scenario.write(server.data / "standby.signal", "")
    # The configuration is the source's now.
    server.configure(restore_command=situation.reader.restore_command())
    resume(situation, server, "recovering", what)


MODES = {"recovery": in_recovery, "standby": as_standby, "promote": as_promoted,
         "rewind": by_rewind}


def without_damage(situation, mode):
    step(f"without damage: all rows; {describe(situation)}")
    server = new_server(situation, mode, "r0", "absent")
    if mode == "rewind":
        done = rewind(situation, server)
        check_equal(done.code, 0, f"pg_rewind: {done.text}")
        start_rewound(situation, server, "no damage")
    else:
        resume(situation, server, "running" if mode == "recovery" else "recovering", "no damage")
    discard(situation, server)


def discard(situation, server):
    server.stop("immediate")
    situation.scenario.clusters.remove(server)
    situation.scenario.remove_tree(server.data)


def run_case(situation, mode, agent, damage, number):
    """Returns how many agents were there: killed, or running at the end."""
    step(f"{mode}, agent {agent}: {damage.name}")
    server = new_server(situation, mode, f"r{number}", agent)
    killer = AgentKiller(situation.scenario)
    if agent == "killed":
        killer.start()
    try:
        damage.apply(situation)
        MODES[mode](situation, server, damage)
    finally:
        if agent == "killed":
            killer.stop()
    agent_count = killer.killed_count if agent == "killed" else len(killer.agents())
    discard(situation, server)
    if agent != "absent":
        situation.reader.run("walden", "agent", "--stop", cwd=situation.scenario.directory, ok=False)
    return agent_count


def cases(mode, group, agents):
    """[(agent, damage)], of all damages of the group."""
    if not agents and os.environ.get("WALDEN_RECOVERY_MATRIX") == "full":
        agents = AGENTS
    if agents:
        return [(agent, damage) for damage in GROUPS[group] for agent in agents]
    begin = list(MODES).index(mode)
    return [(AGENTS[(begin + number) % len(AGENTS)], damage)
            for number, damage in enumerate(GROUPS[group])]


def deadline():
    """Seconds: a minute for each case, so that a busy machine is no failure."""
    mode, group, *agents = sys.argv[1:]
    return 60 * (1 + len(cases(mode, group, agents)))


def body(scenario):
    mode, group, *agents = sys.argv[1:]
    if mode == "rewind" and not (SERVER_BIN / "pg_rewind").exists():
        raise Skip("there is no pg_rewind of that version")
    store = S3Store(scenario, "strict") if group == "network" else None
    situation = prepare(scenario, store)
    if mode == "rewind":
        situation.victim = situation.last
        situation.neighbour = situation.before_the_victim_on_timeline_1()
    without_damage(situation, mode)
    agent_counts = dict.fromkeys(AGENTS, 0)
    for number, (agent, damage) in enumerate(cases(mode, group, agents), start=1):
        agent_counts[agent] += run_case(situation, mode, agent, damage, number)
    step(f"agents that were there, or were killed: {agent_counts}")
    for agent in {agent for agent, _ in cases(mode, group, agents)}:
        check((agent_counts[agent] > 0) == (agent != "absent"), f"agent {agent}: {agent_counts}")


main(body, deadline())
