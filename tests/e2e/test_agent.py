#!/usr/bin/env python3
"""The archiving agent: works ahead, and is never a reason to fail (fault 20, rows 16, 33, 35, invariants 1, 2, 8, 21)."""

import os
import pathlib
import signal
import socket
import struct

from fixtures import archiving_primary
from pg import add_rows
from scenario import check, check_equal, main, step, wait_for


def agent_pid(walden):
    """The pid of the running agent, None without one."""
    return walden.json("status").get("pid")


def start_agent(walden):
    """Has one started by a flush; returns its pid. One of an older configuration leaves first."""
    def started():
        walden.run("walden", "flush", "--timeout", "60")
        return agent_pid(walden)
    return wait_for(started, "an agent started by flush", 30)


def is_alive(pid):
    try:
        return b") Z " not in pathlib.Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


def await_end(pid):
    wait_for(lambda: not is_alive(pid), f"end of agent {pid}", 30)


def segments_of(archive):
    return [path.name for path in archive.copies()]


def check_all_archived(archive):
    for path in archive.copies():
        archive.walden.check_archived(path)


def works_ahead(archive):
    primary, walden = archive.primary, archive.walden
    step("the archiver's pushes start an agent, which archives everything")
    for batch in range(4):
        add_rows(primary, batch)
        primary.switch_wal()
    primary.wait_archived()
    status = walden.json("status")
    check(status["agent"], "an agent is running")
    check_equal(status["failures"]["count"], 0, "failures")
    check(status["archived"]["count"] >= 4, "the agent has archived the segments")
    check_equal(primary.archiver()["failed_count"], 0, "failures of the archiver")
    check_all_archived(archive)
    text = walden.run("walden", "status", "--prometheus").out
    check('walden_agent_up{cluster="main"} 1' in text, "metrics say that it is up")
    pid = status["pid"]
    step("it has left PostgreSQL's session, directory and descriptors behind (row 16, invariant 21)")
    check_equal(os.readlink(f"/proc/{pid}/cwd"), "/", "working directory of the agent")
    check(os.getsid(pid) != os.getsid(primary.process.pid), "a session of its own")
    names = {os.readlink(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()}
    check(not any(str(primary.data) in name for name in names), f"no file of PGDATA in {names}")
    check(str(primary.log_path) not in names, "not the server's log")
    status_text = pathlib.Path(f"/proc/{pid}/status").read_text()
    ignored = int(next(l.split()[1] for l in status_text.splitlines() if l.startswith("SigIgn")), 16)
    check(ignored & (1 << (signal.SIGINT - 1)) == 0, "SIGINT is not ignored any more")
    for name in walden.state.iterdir():
        check(name.stat().st_mode & 0o077 == 0, f"{name.name} is its user's alone")


def survives_killing(archive):
    primary, walden = archive.primary, archive.walden
    step("the agent killed at random points: nothing is lost (row 14, invariants 1, 2, 8)")
    for batch in range(6):
        add_rows(primary, 10 + batch, rows=12000)
        primary.switch_wal()
        pid = agent_pid(walden)
        if pid:
            os.kill(pid, signal.SIGKILL)
    primary.wait_archived()
    check_all_archived(archive)
    check(walden.json("verify")["problems"] == [], "verify finds nothing")


def is_never_a_reason_to_fail(archive):
    primary, walden = archive.primary, archive.walden
    step("stopped by SIGSTOP: pushes do the work themselves (row 35)")
    pid = start_agent(walden)
    os.kill(pid, signal.SIGSTOP)
    add_rows(primary, 20)
    primary.archive_now()
    check_equal(primary.archiver()["failed_count"], 0, "failures of the archiver")
    check("without the agent" in primary.log(), "the log says why it took longer")
    step("an immediate stop of the server does not wait for it, nor leave it in the way")
    primary.stop("immediate", 20)
    check(is_alive(pid), "the agent is not of the server's process group")
    os.kill(pid, signal.SIGKILL)
    await_end(pid)
    primary.start()
    step("garbage in place of the socket")
    socket_path = next(walden.state.glob("agent-*.sock"))
    socket_path.unlink(missing_ok=True)
    archive.primary.scenario.write(socket_path, "garbage")
    add_rows(primary, 21)
    primary.archive_now()
    check(agent_pid(walden) is not None, "a new agent took its place")
    step("something else listens there and says nothing")
    walden.run("walden", "agent", "--stop")
    socket_path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(socket_path))
    listener.listen(8)
    primary.scenario.own(socket_path)
    add_rows(primary, 22)
    primary.archive_now()
    listener.close()
    socket_path.unlink(missing_ok=True)
    step("no program walden beside walden-push")
    (walden.bin / "walden").rename(walden.bin / "away")
    add_rows(primary, 23)
    primary.archive_now()
    (walden.bin / "away").rename(walden.bin / "walden")
    check_equal(primary.archiver()["failed_count"], 0, "failures of the archiver")
    check_all_archived(archive)


def leaves(archive):
    primary, walden = archive.primary, archive.walden
    step("a changed configuration: the agent of the old one leaves, pushes go on (row 96)")
    pid = start_agent(walden)
    walden.configure(codec={"level": 2})
    add_rows(primary, 30)
    primary.archive_now()
    await_end(pid)
    step("idle: it leaves by itself, and the next push starts another one")
    walden.configure(agent={"idle_timeout": "300ms"})
    add_rows(primary, 31)
    primary.archive_now()
    wait_for(lambda: agent_pid(walden) is None, "the idle agent to leave", 30)
    add_rows(primary, 32)
    primary.archive_now()
    walden.configure(agent={"idle_timeout": None})
    step("two agents: the second one is told")
    pid = start_agent(walden)
    second = walden.run("walden", "agent", ok=False)
    check_equal(second.code, 1, "exit code of a second agent")
    check("another agent" in second.err, second.err)
    step("a data directory that is gone")
    primary.stop()
    moved = primary.data.with_name("moved")
    primary.data.rename(moved)
    await_end(pid)
    moved.rename(primary.data)
    primary.start()
    check_equal(walden.run("walden", "agent", "--stop").code, 0, "stopping none")


def answers_for_what_is_durable(archive):
    primary, walden = archive.primary, archive.walden
    step("the store goes away: pushes fail, nothing is acknowledged, and it goes on (rows 1, 31, invariant 13)")
    start_agent(walden)
    store, away = walden.store.root, walden.store.root.with_name("away")
    store.rename(away)
    before = primary.done()
    add_rows(primary, 40)
    name = primary.switch_wal()
    wait_for(lambda: primary.archiver()["failed_count"] > 0, "a failure of the archiver")
    check(name not in primary.done(), "the segment is not acknowledged")
    check(name in primary.ready(), "the segment is kept")
    check(walden.json("status")["failures"]["last"] != "", "status shows the error")
    check_equal(walden.run("walden", "flush", "--timeout", "30", ok=False).code, 1, "flush fails")
    away.rename(store)
    walden.run("walden", "flush", "--timeout", "60")
    walden.check_archived(primary.segment(name))
    primary.wait_archived(90)
    check(set(before) <= set(primary.done()) | set(segments_of(archive)), "nothing is forgotten")


def another_version(archive):
    primary, walden = archive.primary, archive.walden
    step("an agent that is asked by another version says so, and leaves (row 35)")
    pid = start_agent(walden)
    version = b"9.9.9"
    body = struct.pack("<H", len(version)) + version + bytes(8)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(30)
        peer.connect(str(next(walden.state.glob("agent-*.sock"))))
        peer.sendall(b"WALDENAG" + struct.pack("<HHI", 1, 2, len(body)) + body)
        answer = peer.recv(4096)
    check_equal(struct.unpack("<H", answer[10:12])[0], 19, "the answer is a refusal")
    await_end(pid)
    add_rows(primary, 50)
    primary.archive_now()
    check(agent_pid(walden) not in (None, pid), "another agent has taken over")


def long_backlog(archive):
    primary, walden = archive.primary, archive.walden
    step("10,000 ready files: bounded memory, in order (row 33)")
    primary.stop()
    walden.run("walden", "agent", "--stop")
    status = primary.data / "pg_wal" / "archive_status"
    wal = primary.data / "pg_wal"
    last = segments_of(archive)[-1]
    # Real segments, linked under the names that follow, are refused by their page address: the agent
    # sees the queue, and the failure stops it at the first.
    for number in range(1, 10_001):
        name = f"{last[:8]}{number // 0x1000 + 0x10:08X}{number % 0x1000:08X}"
        (status / f"{name}.ready").touch()
        os.link(archive.copies()[-1], wal / name)
    done = walden.run("walden", "flush", "--timeout", "120", ok=False)
    check_equal(done.code, 1, "flush tells the first failure")
    report = walden.json("status")
    check(report["ready"]["count"] >= 10_000, "status counts them")
    check(report["memory_resident"] < 256 << 20, f"{report['memory_resident']} bytes are resident")
    check_equal(report["failures"]["count"], 1, "nothing is tried behind a failed file (fault 20)")
    walden.run("walden", "agent", "--stop")


def body(scenario):
    archive = archiving_primary(scenario, agent={"enabled": True})
    works_ahead(archive)
    survives_killing(archive)
    is_never_a_reason_to_fail(archive)
    leaves(archive)
    another_version(archive)
    answers_for_what_is_durable(archive)
    long_backlog(archive)


if __name__ == "__main__":
    main(body)
