#!/usr/bin/env python3
"""The agent started by systemd's socket activation (rows 33, 35): systemd-socket-activate, a part of
systemd that runs without it, listens and hands its socket over as sd_listen_fds(3) has it. The unit
files are checked by systemd-analyze. Skipped where these are missing."""

import pathlib
import shutil

from fixtures import plain_wal
from scenario import Skip, check, check_equal, main, step, wait_for
from walden import Walden

PROGRAM = "systemd-socket-activate"


def check_units(scenario, build):
    """systemd-analyze on the installed form of the units: a setting that it does not know is an
    error there and a line in a log nobody reads on the server."""
    if not shutil.which("systemd-analyze"):
        step("no systemd-analyze: the unit files are not checked")
        return
    step("the unit files are what systemd understands")
    units = scenario.make_directory(scenario.directory / "units", 0o755)
    source = pathlib.Path(__file__).resolve().parents[2] / "tools/systemd"
    service = (build / "tools/systemd/walden-agent@.service").read_text()
    lines = [line if not line.startswith("ExecStart=") else
             "ExecStart=/bin/true --config /etc/walden/%i.toml" for line in service.splitlines()]
    scenario.write(units / "walden-agent@.service", "\n".join(lines) + "\n", 0o644)
    scenario.write(units / "walden-agent@.socket",
                   (source / "walden-agent@.socket").read_bytes(), 0o644)
    done = scenario.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                         units / "walden-agent@main.service", units / "walden-agent@main.socket"],
                        ok=False)
    complaints = [line for line in done.text.splitlines() if "walden" in line]
    check_equal((done.code, complaints), (0, []), "complaints about the units")


def body(scenario):
    if not shutil.which(PROGRAM):
        raise Skip(f"there is no {PROGRAM} (Debian: systemd)")
    cluster, segments = plain_wal(scenario)
    walden = Walden(scenario, cluster, agent={"enabled": True})
    socket = walden.state / "activated.sock"
    walden.configure(agent={"socket": socket})
    walden.init()
    check_units(scenario, walden.build)

    step("a push finds the socket, and the agent is started by it")
    activator = scenario.start([PROGRAM, "--listen", socket, *walden.argv("walden", "agent")])
    wait_for(socket.exists, "the socket of the activator", 30)
    socket.chmod(0o600)
    for path in segments:
        # As PostgreSQL names it: the agent serves its own pg_wal and nothing else.
        scenario.write(cluster.data / "pg_wal" / path.name, path.read_bytes())
        check_equal(walden.push(f"pg_wal/{path.name}").code, 0, f"push of {path.name}")
    status = walden.json("status")
    check(status["agent"], "an agent answers on the socket")
    # The activator has become the agent: one that walden-push had started has another pid.
    check_equal(status["pid"], activator.pid, "the pid of the agent")
    check_equal(status["archived"]["count"], len(segments), "segments that went through it")
    for path in segments:
        walden.check_archived(path)

    step("it leaves the socket to whoever listens on it")
    walden.run("walden", "agent", "--stop")
    wait_for(lambda: activator.poll() is not None, "the end of the agent", 30)
    check_equal(activator.returncode, 0, "exit status of the agent")
    check(socket.exists(), "the socket is systemd's, not the agent's")


main(body)
