#!/usr/bin/env python3
"""The agent fetches ahead of a recovery: faster, and never another answer (rows 35 and 36, 44 to 46, 49 to
52, 54, invariants 14 to 19 and 21).

    test_prefetch.py recovery|standby [STORE]    a real server recovers, with the agent killed at random
    test_prefetch.py answers                     questions as a server asks them, one by one
"""

import os
import pathlib
import random
import signal
import sys

from fixtures import archiving_primary
from pg import Cluster, add_rows
from s3_store import open_store
from scenario import check, check_equal, main, step, wait_for
from test_agent import agent_pid, await_end
from walden import FETCH_REFUSALS, Walden

SEED = int(os.environ.get("WALDEN_SEED", "1"))


def own_walden(scenario, archive, cluster, **settings):
    """A configuration of its own for another server of the same archive, with an agent."""
    own = Walden(scenario, cluster, name=f"{cluster.name}.walden", store=archive.walden.store,
                 key_file=archive.walden.key_file)
    own.configure(agent={"enabled": True}, **settings)
    return own


def fill(archive, batches, first=0):
    """Some segments; returns how many rows there are now."""
    for batch in range(first, first + batches):
        add_rows(archive.primary, batch)
    archive.primary.archive_now()
    return archive.primary.count("t")


def recovery_of(walden):
    return walden.json("status").get("recovery")


def kill_agent(walden):
    pid = agent_pid(walden)
    if pid:
        os.kill(pid, signal.SIGKILL)
    return pid is not None


# ---- real servers ---------------------------------------------------------------------------------


def recovers(scenario, archive, backup, rows):
    step("archive recovery: the segments are there when they are asked for")
    server = Cluster.from_backup(scenario, "recovered", backup)
    walden = own_walden(scenario, archive, server)
    server.configure(restore_command=walden.restore_command()).finish_recovery()
    check_equal(server.count("t"), rows, "rows after recovery")
    recovery = recovery_of(walden)
    delivered = recovery["prefetched"] + recovery["awaited"] + recovery["fetched"]
    print(recovery)
    check(recovery["prefetched"] > delivered / 2, f"most were there: {recovery}")
    check("delivered 0000000100000000" in server.log(), "each answer has its line in the log")
    check("is not in the archive" in server.log(), "and so has the end of WAL")
    step("the server out of recovery: nothing is kept for it (invariant 21)")
    wait_for(lambda: recovery_of(walden)["ahead"]["count"] == 0, "nothing is ahead", 30)
    wait_for(lambda: not nameless_files(agent_pid(walden)), "no file is held by the agent", 30)
    check(not any("walden" in path.name for path in (server.data / "pg_wal").iterdir()),
          "nothing of ours is left in pg_wal")
    server.stop()
    walden.run("walden", "agent", "--stop")


def recovers_beside_killing(scenario, archive, backup, rows):
    step("the agent is killed again and again (rows 49 and 50)")
    kills = 0
    # A recovery may be over before an agent has come back twice.
    for attempt in range(20):
        server = Cluster.from_backup(scenario, f"killed{attempt}", backup)
        walden = own_walden(scenario, archive, server)
        server.configure(restore_command=walden.restore_command()).start()
        while server.state() != "running":
            check(server.state() != "stopped", f"the server goes on:\n{server.log()}")
            kills += kill_agent(walden)
        check_equal(server.count("t"), rows, "rows after recovery")
        server.stop()
        if kills > 2:
            return
    check(False, f"the agent was killed {kills} times in all")


def body_of_recovery(scenario, archive):
    backup = archive.primary.base_backup(scenario.directory / "backup")
    rows = fill(archive, 24)
    archive.primary.stop()
    recovers(scenario, archive, backup, rows)
    recovers_beside_killing(scenario, archive, backup, rows)


def body_of_standby(scenario, archive):
    backup = archive.primary.base_backup(scenario.directory / "backup")
    rows = fill(archive, 12)
    step("a standby follows the archive through its agent (row 45)")
    standby = Cluster.from_backup(scenario, "standby", backup, "standby.signal",
                                  wal_retrieve_retry_interval="100ms")
    walden = own_walden(scenario, archive, standby)
    standby.configure(restore_command=walden.restore_command(), archive_mode="always",
                      archive_command=walden.archive_command()).start()
    wait_for(lambda: standby.count("t") == rows, "all rows on the standby")
    step("the same agent archives what was restored (archive_mode = always)")
    standby.wait_archived()
    status = walden.json("status")
    check(status["archived"]["present"] > 0, f"segments that were there: {status}")
    check(status["recovery"]["prefetched"] > 0, f"segments that were prefetched: {status}")
    step("what is archived later is found: nothing was remembered (row 51, invariant 18)")
    for batch in range(3):
        rows = fill(archive, 3, 100 + 10 * batch)
        wait_for(lambda: standby.count("t") == rows, "the new rows on the standby")
        kill_agent(walden)
    step("promoted, it follows its own timeline, and a second standby follows it")
    archive.primary.stop()
    standby.promote()
    add_rows(standby, 200)
    standby.archive_now()
    rows = standby.count("t")
    other = Cluster.from_backup(scenario, "other", backup, "standby.signal",
                                wal_retrieve_retry_interval="100ms")
    other_walden = own_walden(scenario, archive, other)
    other.configure(restore_command=other_walden.restore_command()).start()
    wait_for(lambda: other.count("t") == rows, "rows of both timelines")
    check(recovery_of(other_walden)["prefetched"] > 0, "some were prefetched")
    other.stop()
    standby.stop()


# ---- questions one by one -------------------------------------------------------------------------


def nameless_files(pid):
    """The descriptors of the agent's prefetched files, as paths that can be opened."""
    found = []
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)
        except OSError:
            continue
        if "/pg_wal/" in target and target.endswith("(deleted)"):
            found.append(entry)
    return found


class Asker:
    """A data directory whose server asks, as far as walden can see."""

    def __init__(self, scenario, archive, backup, name="asker"):
        self.archive = archive
        self.cluster = Cluster.from_backup(scenario, name, backup)
        self.walden = own_walden(scenario, archive, self.cluster)
        self.expected = {path.name: path.read_bytes() for path in archive.side.iterdir()}
        # A process of the same user that lives as long as the scenario.
        self.process = scenario.start(["sleep", "1000"])
        scenario.write(self.cluster.data / "postmaster.pid", f"{self.process.pid}\n")
        self.target = self.cluster.data / "pg_wal" / "RECOVERYXLOG"

    def ask(self, name):
        """(exit code, bytes or None, messages)"""
        self.target.unlink(missing_ok=True)
        done = self.walden.fetch(name, "pg_wal/RECOVERYXLOG")
        content = None
        if self.target.exists():
            check_equal(self.target.stat().st_nlink, 1, "links of the delivered file (15)")
            check(self.target.is_file() and not self.target.is_symlink(), "an ordinary file (15)")
            content = self.target.read_bytes()
        return done.code, content, done.text

    def check(self, name):
        code, content, text = self.ask(name)
        check_equal(code, 0, f"exit code for {name}: {text}")
        check(content == self.expected[name], f"{name} as it was archived (14): {text}")
        return text

    def await_ahead(self, count=2):
        wait_for(lambda: recovery_of(self.walden)["ahead"]["count"] >= count, "segments ahead", 30)
        return nameless_files(agent_pid(self.walden))


def damage(path, how):
    with open(path, "r+b", buffering=0) as file:
        if how == "flip":
            file.seek(70_000)
            byte = file.read(1)
            file.seek(70_000)
            file.write(bytes([byte[0] ^ 1]))
        elif how == "zero":
            file.write(bytes(8192))
        elif how == "cut":
            file.truncate(100_000)
        elif how == "empty":
            file.truncate(0)
        elif how == "grow":
            file.seek(0, os.SEEK_END)
            file.write(b"more")


def survives_damage(asker, names):
    step("what was prefetched is damaged: fetched again (row 50, invariants 14, 19)")
    for how in ("flip", "zero", "cut", "empty", "grow"):
        asker.check(names[0])
        files = asker.await_ahead()
        for path in files:
            damage(path, how)
        text = asker.check(names[1])
        check("prefetched" not in text, f"after {how} it was not taken: {text}")


def goes_anywhere(asker, names):
    step("forward, twice, backward, at random: always the same answer (row 51, invariant 18)")
    choice = random.Random(SEED)
    texts = [asker.check(name) for name in names[:8]]
    check(any("prefetched" in text for text in texts), f"some were prefetched: {texts}")
    for name in list(reversed(names))[:6] + [choice.choice(names) for _ in range(10)]:
        asker.check(name)
        if choice.random() < 0.3:
            kill_agent(asker.walden)


def never_remembers(asker, names):
    store = asker.walden.store
    step("what is absent is found when it appears, behind what was prefetched (rows 36 and 51)")
    last = names[-1]
    entry = store.entry(last)
    kept = store.read(entry)
    store.remove(entry)
    asker.check(names[-2])
    for _ in range(3):
        code, content, text = asker.ask(last)
        check_equal(code, 1, f"an absent segment: {text}")
        check(content is None, "no file (row 36)")
    asker.archive.primary.scenario.write(entry, kept)
    asker.check(last)
    step("a missing neighbour of what is prefetched is a hole, not the end (invariant 16)")
    middle = names[len(names) // 2]
    entry = store.entry(middle)
    kept = store.read(entry)
    store.remove(entry)
    asker.walden.configure(fetch={"hole_patience": "100ms"})
    asker.check(names[len(names) // 2 - 1])
    code, content, text = asker.ask(middle)
    check(code in FETCH_REFUSALS and content is None, f"a hole is refused, got {code}: {text}")
    asker.archive.primary.scenario.write(entry, kept)
    asker.check(middle)
    step("a store that is gone is not an empty one (rows 31 and 39, invariant 16)")
    asker.check(names[0])
    asker.await_ahead()
    store.empty()
    code, content, text = asker.ask("0000000100000000000000EE")
    check(code in FETCH_REFUSALS and content is None, f"an unmounted store, got {code}: {text}")
    store.root.rmdir()
    store.aside().rename(store.root)
    asker.check(last)


def is_never_a_reason_to_fail(asker, names):
    step("an agent that is stopped (row 35)")
    asker.walden.configure(fetch={"deadline": "8s"})
    # One of the older configuration leaves first.
    wait_for(lambda: asker.check(names[0]) and agent_pid(asker.walden), "a new agent", 30)
    pid = agent_pid(asker.walden)
    os.kill(pid, signal.SIGSTOP)
    text = asker.check(names[1])
    check("without the agent" in text, f"says so: {text}")
    os.kill(pid, signal.SIGKILL)
    await_end(pid)
    step("something else in place of its socket")
    socket_path = next(asker.walden.state.glob("agent-*.sock"))
    socket_path.unlink(missing_ok=True)
    asker.archive.primary.scenario.write(socket_path, "garbage")
    asker.check(names[2])
    step("no agent at all")
    asker.walden.run("walden", "agent", "--stop")
    asker.walden.configure(agent={"enabled": False})
    asker.check(names[3])
    asker.walden.configure(agent={"enabled": True})
    wait_for(lambda: asker.check(names[0]) and agent_pid(asker.walden), "an agent", 30)


def serves_others_without(scenario, asker, names):
    step("pg_rewind: another directory, another %p, backwards (row 54)")
    asker.walden.run("walden", "agent", "--stop")
    elsewhere = scenario.make_directory(scenario.directory / "elsewhere")
    for name in reversed(names):
        done = asker.walden.fetch(name, elsewhere / name, cwd=elsewhere)
        check_equal(done.code, 0, f"exit code for {name}: {done.text}")
        check((elsewhere / name).read_bytes() == asker.expected[name], f"{name} as archived")
    check_equal(agent_pid(asker.walden), None, "no agent was started for that")
    step("another server with this configuration is answered, and not worked ahead for")
    clone = scenario.make_directory(scenario.directory / "clone")
    scenario.make_directory(clone / "pg_wal")
    asker.check(names[0])
    before = recovery_of(asker.walden)["questions"]
    done = asker.walden.fetch(names[1], "pg_wal/RECOVERYXLOG", cwd=clone)
    check_equal(done.code, 0, f"exit code: {done.text}")
    check((clone / "pg_wal" / "RECOVERYXLOG").read_bytes() == asker.expected[names[1]], "as archived")
    check_equal(recovery_of(asker.walden)["questions"], before, "questions that the agent took")


def ends_with_its_server(asker, names):
    step("the server is gone: what is ahead is given up (row 52, invariant 21)")
    asker.check(names[0])
    asker.await_ahead()
    asker.process.kill()
    asker.process.wait()
    pid = agent_pid(asker.walden)
    wait_for(lambda: not nameless_files(pid), "no files ahead", 30)
    asker.check(names[1])
    check_equal(nameless_files(agent_pid(asker.walden)), [], "nothing is prefetched for it any more")


def body_of_answers(scenario, archive):
    backup = archive.primary.base_backup(scenario.directory / "backup")
    fill(archive, 16)
    archive.primary.stop()
    asker = Asker(scenario, archive, backup)
    names = sorted(name for name in asker.expected if len(name) == 24)
    check(len(names) >= 10, f"segments: {names}")
    goes_anywhere(asker, names)
    survives_damage(asker, names)
    never_remembers(asker, names)
    is_never_a_reason_to_fail(asker, names)
    serves_others_without(scenario, asker, names)
    ends_with_its_server(asker, names)


BODIES = {"recovery": body_of_recovery, "standby": body_of_standby, "answers": body_of_answers}


def body(scenario):
    store = open_store(scenario, sys.argv[2]) if len(sys.argv) > 2 else None
    archive = archiving_primary(scenario, store=store)
    BODIES[sys.argv[1]](scenario, archive)


if __name__ == "__main__":
    main(body)
