#!/usr/bin/env python3
"""Three generations of timelines, and what cannot follow them.

- A standby that lives from the archive alone follows two promotions while it runs.
- Recovery from the oldest backup follows 1, 2, 3; a target timeline of 1 ends on the old line.
- A backup that the old primary took behind the fork cannot follow: PostgreSQL refuses, and
  `walden check` tells which timeline, where it left, and the ways out. They work.
"""

import sys

from fixtures import archiving_primary
from pg import Cluster, add_rows
from scenario import check, check_equal, main, step, wait_for
from walden import Walden


def own_walden(scenario, cluster, archive):
    return Walden(scenario, cluster, name=f"{cluster.name}.walden", store=archive.walden.store,
                  key_file=archive.walden.key_file, agent=archive.walden.settings["agent"])


def promoted(scenario, name, archive, backup, batch):
    """A server that recovered along the latest timeline and goes on with one of its own."""
    step(f"{name} goes on with a timeline of its own")
    server = Cluster.from_backup(scenario, name, backup,
                                 restore_command=archive.walden.restore_command())
    own = own_walden(scenario, server, archive)
    server.configure(archive_mode="on", archive_command=own.archive_command()).finish_recovery()
    add_rows(server, batch)
    server.archive_now()
    return server


def follows(follower, leader, what):
    """The follower has what the leader archived."""
    wanted = leader.checksum("t")
    wait_for(lambda: follower.checksum("t") == wanted, f"rows of {what} on the follower", 90)


def switch_point(walden, timeline):
    """Where `timeline` left its parent, as the archive's history says."""
    origin, = [item["origin"] for item in walden.json("info")["clusters"][0]["timelines"]
               if item["timeline"] == timeline]
    return origin.split(" at ")[1]


def findings(walden, *options, ok=True):
    done = walden.json("check", "--no-server", *options, ok=False)
    check_equal(done["ok"], ok, f"verdict of check {options}: {done}")
    return done["findings"]


def refuses(server, own, message):
    """The server does not start, with `message`; check explains it."""
    server.launch()
    wait_for(lambda: server.state() == "stopped", "refusal")
    server.reap()
    check(message in server.log(), f"PostgreSQL's refusal is \"{message}\"")
    problem, = [item for item in findings(own, ok=False) if item["level"] == "problem"]
    fork = switch_point(own, 2)
    for words in ("timeline 3 is not a child", "on timeline 1",
                  f"timeline 3 left timeline 1 before that, at {fork}"):
        check(words in problem["text"], f"check says \"{words}\": {problem}")
    check("recovery_target_timeline = '1'" in problem["hint"], f"the way out: {problem}")
    check(all(item["level"] != "problem" for item in findings(own, "--target-timeline", "1")),
          "check is content with timeline 1")


def late_backup_cannot_follow(scenario, archive, late, wanted):
    step("a backup from behind the fork: PostgreSQL refuses, walden check explains")
    server = Cluster.from_backup(scenario, "late", late,
                                 restore_command=archive.walden.restore_command())
    # It looks for the backup's checkpoint in the newest timeline's segment of that number.
    refuses(server, own_walden(scenario, server, archive),
            "could not locate required checkpoint record")
    step("the way out works: recovery_target_timeline = 1")
    server.configure(recovery_target_timeline="1").finish_recovery()
    check_equal(server.checksum("t"), wanted, "rows of the old line")
    server.stop()


def old_primary_cannot_follow(scenario, archive):
    step("the old primary as a standby of the new line: the same, in PostgreSQL's other words")
    archive.primary.stop()
    scenario.write(archive.primary.data / "standby.signal", "")
    archive.primary.configure(restore_command=archive.walden.restore_command())
    refuses(archive.primary, archive.walden,
            "requested timeline 3 is not a child of this server's history")


def body(scenario):
    archive = archiving_primary(scenario, agent={"enabled": "agent" in sys.argv[1:]})
    primary, walden = archive.primary, archive.walden
    backup = primary.base_backup(scenario.directory / "backup")
    add_rows(primary, 0)
    primary.archive_now()
    follower = Cluster.from_backup(scenario, "follower", backup, "standby.signal",
                                   restore_command=walden.restore_command()).start()
    follows(follower, primary, "timeline 1")
    second = promoted(scenario, "second", archive, backup, 10)
    follows(follower, second, "timeline 2")

    step("the old primary goes on, and takes a backup behind the fork")
    add_rows(primary, 1)
    late = primary.base_backup(scenario.directory / "late.backup")
    add_rows(primary, 2)
    primary.archive_now()
    old_line = primary.checksum("t")
    warnings = [item["text"] for item in findings(walden) if item["level"] == "warning"]
    check(any("does not follow this server" in text and "timeline 2 left timeline 1" in text
              for text in warnings), f"check warns on the old primary: {warnings}")

    second.stop()
    third = promoted(scenario, "third", archive, backup, 20)
    check("new timeline ID: 3" in third.log(), "the next timeline is 3")
    follows(follower, third, "timeline 3")
    check("new target timeline is 3" in follower.log(), "the follower followed to timeline 3")
    wanted = third.checksum("t")

    step("recovery from the oldest backup follows all three")
    restored = Cluster.from_backup(scenario, "restored", backup,
                                   restore_command=walden.restore_command())
    restored_walden = own_walden(scenario, restored, archive)
    check(any(item["text"].endswith("can follow timeline 3") for item in findings(restored_walden)),
          "check says that the backup can follow")
    restored.finish_recovery()
    check_equal(restored.checksum("t"), wanted, "rows of timeline 3")
    restored.stop()
    late_backup_cannot_follow(scenario, archive, late, old_line)
    old_primary_cannot_follow(scenario, archive)
    report = walden.json("verify")
    check(report["ok"], f"verify is content: {report['problems']}")


main(body)
