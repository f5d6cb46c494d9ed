#!/usr/bin/env python3
"""An agent with troubles of its own is never a reason to fail, and never stays (issue 13: E1, E3, A2, A6)."""

import os
import pathlib
import resource
import sys

from fixtures import archiving_primary, plain_wal
from pg import add_rows
from scenario import Skip, check, check_equal, main, step, wait_for
from walden import Walden

MIB = 1 << 20


def agent_status(walden):
    status = walden.json("status")
    return status if status["agent"] else None


def agent_pid(walden):
    return walden.json("status").get("pid")


def user_arguments(scenario):
    """What runs the words behind it as the unprivileged user, from a program that root runs."""
    account = scenario.record
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]


def start_in_namespace(walden, commands):
    """An agent in a mount namespace in which root has run `commands`."""
    scenario = walden.scenario
    if not scenario.record:
        raise Skip("only root makes mount namespaces")
    script = "\n".join(["set -e", *commands, 'exec "$@"'])
    process = scenario.start(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh",
         *user_arguments(scenario), *walden.argv("walden", "agent")], as_root=True)
    wait_for(lambda: process.poll() is not None or agent_pid(walden) == process.pid, "the agent", 30)
    if process.poll() is not None:
        raise Skip(f"mount namespaces are forbidden here: unshare ended with {process.poll()}")
    return process


# ---- an agent that does not see the store (E1) ---------------------------------------------------


def blind_agent(scenario):
    archive = archiving_primary(scenario, agent={"enabled": True})
    primary, walden = archive.primary, archive.walden
    walden.run("walden", "agent", "--stop")
    step("an agent in whose mount namespace there is no store: pushes go on")
    process = start_in_namespace(walden, [f"mount -t tmpfs none {walden.store.root}"])
    add_rows(primary, 1)
    name = primary.archive_now()
    check_equal(primary.archiver()["failed_count"], 0, "failures of the archiver")
    check("trying without it" in primary.log(), "the log says that the agent could not")
    step("it was told to leave, and the next push starts one that sees what the server sees")
    process.wait(30)
    add_rows(primary, 2)
    primary.archive_now()
    check_equal(primary.archiver()["failed_count"], 0, "failures of the archiver")
    wait_for(lambda: agent_pid(walden) is not None, "another agent", 30)
    step("a flush does the work itself, too")
    walden.run("walden", "agent", "--stop")
    process = start_in_namespace(walden, [f"mount -t tmpfs none {walden.store.root}"])
    primary.configure(archive_command="false").reload()
    add_rows(primary, 3)
    name = primary.switch_wal()
    done = walden.run("walden", "flush", "--timeout", "60")
    check("trying without it" in done.err, f"flush says so: {done.text}")
    walden.check_archived(primary.segment(name))
    process.wait(30)


# ---- keys that are rotated (E3) ------------------------------------------------------------------


def rotated_environment(scenario):
    primary, segments = plain_wal(scenario)
    walden = Walden(scenario, primary, agent={"enabled": True})
    walden.init()
    text = next(line for line in walden.key_file.read_text().splitlines()
                if line and not line.startswith("#"))
    walden.configure(encryption={"key_file": None, "key_env": "WALDEN_E2E_KEY"})
    wal = primary.data / "pg_wal"
    step("the key comes from the environment of who starts the agent")
    for path in segments:
        (wal / path.name).write_bytes(path.read_bytes())
        scenario.own(wal / path.name)
    good = {"WALDEN_E2E_KEY": text}
    check_equal(walden.push(f"pg_wal/{segments[0].name}", env=good).code, 0, "a push")
    pid = agent_pid(walden)
    check(pid is not None, "an agent runs")
    check_equal(walden.push(f"pg_wal/{segments[0].name}", env=good).code, 0, "another push")
    check_equal(agent_pid(walden), pid, "the same agent answered")
    step("another value there: the agent of the old one leaves")
    other = {"WALDEN_E2E_KEY": text + " "}
    check_equal(walden.push(f"pg_wal/{segments[1].name}", env=other).code, 0, "a push")
    wait_for(lambda: agent_pid(walden) != pid, "the old agent to leave", 30)
    step("who has no such variable, as a person, is served")
    check_equal(walden.push(f"pg_wal/{segments[1].name}", env=other).code, 0, "a push")
    pid = agent_pid(walden)
    walden.run("walden", "flush", "--timeout", "60")
    check_equal(agent_pid(walden), pid, "the agent has stayed")
    walden.run("walden", "agent", "--stop")


# ---- whatever limit it runs under (A6) -----------------------------------------------------------


def thread_count(account):
    """Threads of the user, which is what RLIMIT_NPROC counts."""
    count = 0
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and entry.stat().st_uid == account.pw_uid:
                count += len(list((entry / "task").iterdir()))
        except OSError:
            continue
    return count


def limited(scenario):
    """Pairs of a name and the options that start a program under the limit."""
    def limit(which, value):
        return {"preexec_fn": lambda: resource.setrlimit(which, (value, value))}

    for count in (4, 6, 7, 8, 9, 10, 12, 16, 24):
        yield f"{count} descriptors", limit(resource.RLIMIT_NOFILE, count)
    if scenario.record:
        for more in (1, 4, 18, 24):
            yield (f"{more} threads more",
                   limit(resource.RLIMIT_NPROC, thread_count(scenario.record) + more))
    for size in (32, 96, 160, 256):
        yield f"{size} MiB of addresses", limit(resource.RLIMIT_AS, size * MIB)
    for size in (0, 4096):
        yield f"files of {size} bytes", limit(resource.RLIMIT_FSIZE, size)
    yield "no HOME and PATH", {"env": {"HOME": "", "PATH": ""}}


def start_limited(walden, argv, options):
    """An agent, or None if it could not begin under the limit and has ended by itself."""
    process = walden.scenario.start(argv, cwd=walden.pgdata, **options)
    wait_for(lambda: process.poll() is not None or agent_pid(walden) == process.pid,
             "an agent that answers or has ended", 30)
    return process if process.poll() is None else None


def check_leaves(walden, argv, options, segment):
    process = start_limited(walden, argv, options)
    if process is None:
        return False
    done = walden.push(f"pg_wal/{segment.name}")
    check_equal(done.code, 0, f"a push beside it: {done.text}")
    walden.check_archived(segment)
    # By itself, or because it could not do what the push could.
    wait_for(lambda: process.poll() is not None, "the agent to leave by itself", 30)
    process = start_limited(walden, argv, options)
    if process is not None:
        done = walden.run("walden", "agent", "--stop", ok=False)
        check_equal(done.code, 0, f"stopping it: {done.text}")
        wait_for(lambda: process.poll() is not None, "the stopped agent to end", 30)
    return True


def every_limit(scenario):
    primary, segments = plain_wal(scenario, batches=1)
    walden = Walden(scenario, primary, agent={"enabled": True, "idle_timeout": "700ms"})
    walden.init()
    target = primary.data / "pg_wal" / segments[0].name
    target.write_bytes(segments[0].read_bytes())
    scenario.own(target)
    argv = walden.argv("walden", "agent")
    began = []
    for name, options in limited(scenario):
        step(f"under a limit: {name}")
        if check_leaves(walden, argv, options, segments[0]):
            began.append(name)
    check(len(began) > 5, f"some limits are wide enough to begin: {began}")
    step("closed standard files")
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *argv]
    check(check_leaves(walden, closed, {}, segments[0]), "it runs without them")
    step("a /tmp that cannot be written")
    process = start_in_namespace(walden, ["mount -t tmpfs -o ro none /tmp"])
    check_equal(walden.run("walden", "agent", "--stop").code, 0, "stopping it")
    process.wait(30)


# ---- no state directory (A2) ---------------------------------------------------------------------


def without_state(scenario):
    primary, segments = plain_wal(scenario)
    walden = Walden(scenario, primary, agent={"enabled": True})
    parent = scenario.make_directory(scenario.directory / "locked", 0o755)
    walden.init()
    if scenario.record:
        os.chown(parent, 0, 0)
    else:
        parent.chmod(0o555)
    walden.configure(state_dir=parent / "state")
    step("check and init say with which command a state directory is made")
    for command in (["init"], ["check", "--no-server"]):
        done = walden.run("walden", *command, ok=False)
        check_equal(done.code, 1, f"exit code of {command[0]}")
        check("install -d" in done.text and str(parent / "state") in done.text, done.text)
    step("pushes have an agent all the same, in a private place")
    wal = primary.data / "pg_wal"
    for path in segments:
        (wal / path.name).write_bytes(path.read_bytes())
        scenario.own(wal / path.name)
        done = walden.push(f"pg_wal/{path.name}")
        check_equal(done.code, 0, f"a push: {done.text}")
        check("belongs to another instance" not in done.text, done.text)
        walden.check_archived(path)
    status = agent_status(walden)
    check(status is not None, "an agent runs")
    check("cannot be written" in status["state_note"], f"status says so: {status}")
    place = status["state_note"].split('"')[3]
    mode = pathlib.Path(place).stat()
    check_equal(mode.st_mode & 0o077, 0, f"others in {place}")
    walden.run("walden", "agent", "--stop")
    for path in pathlib.Path(place).glob("*"):
        if "main" in path.name:
            path.unlink()


# ---- a copy restored beside the original (A2) ----------------------------------------------------


def beside(scenario):
    archive = archiving_primary(scenario, agent={"enabled": True})
    primary, walden = archive.primary, archive.walden
    backup = primary.base_backup(scenario.directory / "backup")
    for batch in range(8):
        add_rows(primary, batch)
        primary.archive_now()
    rows = primary.count("t")
    step("a copy in another directory, with the same configuration, is fetched ahead for")
    copies = []
    for name in ("copy", "second"):
        copy = type(primary).from_backup(scenario, name, backup,
                                         restore_command=walden.restore_command(),
                                         archive_mode="off", recovery_target_timeline="latest")
        copy.launch()
        copies.append(copy)
    for copy in copies:
        copy.wait_until_answers()
        wait_for(lambda: copy.state() == "running", f"end of recovery of {copy.name}", 120)
        check_equal(copy.count("t"), rows, "rows")
    status = agent_status(walden)
    directories = {one["data_directory"]: one for one in status["recoveries"]}
    for copy in copies:
        one = directories.get(str(copy.data.resolve()))
        check(one is not None, f"{copy.data} in {list(directories)}")
        check(one["prefetched"] + one["awaited"] > 0, f"was fetched ahead for: {one}")
    check_equal(status["declined"]["count"], 0, "questions that were declined")


BODIES = {"blind": blind_agent, "environment": rotated_environment, "limits": every_limit,
          "stateless": without_state, "beside": beside}


def body(scenario):
    BODIES[sys.argv[1]](scenario)


if __name__ == "__main__":
    main(body)
