#!/usr/bin/env python3
"""WAL that is bad in pg_wal already: archived as what it is, loudly, and never replayed by mistake.

usage: test_damaged_source.py [agent]

- on_damaged_wal = "archive": the push succeeds with a warning in the server's log, archiving goes on;
  info, check and verify name the segment from then on, also when it is not the newest.
- fetch refuses it, so recovery stops there with a message; with "deliver" and a target before the
  damage recovery gets as far as that, and no further.
- on_damaged_wal = "refuse": the file stays in pg_wal, and the archiver says why.
"""

import sys

from fixtures import archiving_primary
from pg import Cluster, add_rows
from scenario import check, check_equal, main, step, wait_for
from walden import Walden, check_refused


def archiver(primary, command):
    primary.configure(archive_command=command)
    primary.reload()
    wait_for(lambda: primary.psql("show archive_command") == command, "the new archive_command")


def damage(path):
    """One bit in the middle of the file, where a record is."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def damaged_segment(primary):
    """Writes segments that are not archived yet and spoils one of them. Returns its name, a target
    before it, and how many rows there were then."""
    archiver(primary, "false")
    add_rows(primary, 5, rows=500)
    rows = primary.count("t")
    primary.psql("select pg_create_restore_point('before')")
    first = primary.switch_wal()
    add_rows(primary, 6, rows=5000)
    primary.switch_wal()
    victim = [name for name in primary.ready() if name > first][0]
    damage(primary.segment(victim))
    return victim, rows


def refused_by_policy(primary, walden, command, victim):
    step('on_damaged_wal = "refuse": it stays in pg_wal, and the log says why')
    walden.configure(archive={"on_damaged_wal": "refuse"})
    archiver(primary, command)
    wait_for(lambda: primary.archiver()["last_failed_wal"] == victim, "failed attempts", 90)
    check("WAL is damaged at" in primary.log() and "damage is in pg_wal itself" in primary.log(),
          "the log names damage and place")
    check(victim not in walden.store.segments(), "nothing is archived under its name")
    walden.configure(archive={"on_damaged_wal": "archive"})


def told_everywhere(walden, victim):
    step("info, check and verify name it, though it is not the newest")
    check(walden.store.segments()[-1] > victim, "later segments are archived")
    told, = walden.json("info")["clusters"][0]["damaged"]
    check_equal(told["segment"], victim, "what info names")
    check(f"DAMAGED AT ITS SOURCE: {victim}" in walden.run("walden", "info").out, "info in words")
    done = walden.run("walden", "check", "--no-server", ok=False)
    check_equal(done.code, 1, "exit code of check")
    check(f"problem  {victim} was damaged when it was archived" in done.out, done.out)
    report = walden.json("verify", ok=False)
    kinds = [(item["kind"], item["object"].split("/")[-1]) for item in report["problems"]]
    check_equal(kinds, [("wal_damaged", victim)], "problems that verify finds")


def never_replayed_by_mistake(scenario, archive, backup, victim, rows):
    walden = archive.walden
    step("fetch refuses it, and recovery stops there")
    check_refused(walden.fetch(victim, scenario.directory / "fetched"), 202, "the damaged segment",
                  "damaged already when it was archived")
    server = Cluster.from_backup(scenario, "restored", backup)
    own = Walden(scenario, server, name="restored.walden", store=walden.store,
                 key_file=walden.key_file, agent=walden.settings["agent"])
    server.configure(restore_command=own.restore_command()).launch()
    wait_for(lambda: server.state() in ("stopped", "running"), "end of recovery")
    check_equal(server.state(), "stopped", "a server without a target")
    check(f"fetch {victim}: segment was damaged already" in server.log(), "the log says why")
    server.reap()
    step("a target before it, and the damaged segment delivered on demand")
    own.configure(fetch={"on_damaged_wal": "deliver"})
    server.configure(recovery_target_name="before", recovery_target_action="promote")
    server.finish_recovery()
    check_equal(server.count("t"), rows, "rows at the target")
    server.stop()


def body(scenario):
    archive = archiving_primary(scenario, agent={"enabled": "agent" in sys.argv[1:]})
    primary, walden = archive.primary, archive.walden
    backup = primary.base_backup(scenario.directory / "backup")
    add_rows(primary, 0)
    primary.archive_now()
    command = primary.settings["archive_command"]
    victim, rows = damaged_segment(primary)
    refused_by_policy(primary, walden, command, victim)
    step('on_damaged_wal = "archive": the warning is in the server\'s log, archiving goes on')
    archiver(primary, command)
    add_rows(primary, 7, rows=100)
    primary.archive_now(120)
    check(any("warning" in line and "marked as damaged; no recovery can pass it. Take a base backup "
              "now" in line for line in primary.log().splitlines()), "the warning of walden-push")
    primary.stop()
    told_everywhere(walden, victim)
    never_replayed_by_mistake(scenario, archive, backup, victim, rows)


main(body)
