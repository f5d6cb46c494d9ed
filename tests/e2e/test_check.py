#!/usr/bin/env python3
"""walden check against a running server names each wrong setting and ends with 1 (fault 98)."""

import json
import re

from fixtures import require_postgres
from pg import Cluster, add_rows
from scenario import check, check_equal, main, step, wait_for
from walden import Walden


def conninfo(server):
    return f"host={server.sockets} port={server.port} user=postgres dbname=postgres"


def run_check(walden, server, *options):
    """(exit code, {level: [text and hint of each finding]}) of check; the text form must agree."""
    # Two runs are compared, so the first must not archive anything by itself.
    arguments = ["check", *(options or ["--no-switch", "--conninfo", conninfo(server)])]
    plain = walden.run("walden", *arguments, ok=False)
    done = walden.run("walden", *arguments, "--json", ok=False)
    report = json.loads(done.out)
    check_equal(done.code, 0 if report["ok"] else 1, "exit code and verdict")
    check_equal(plain.code, done.code, "exit code of the text form")
    findings = {"ok": [], "warning": [], "problem": []}
    for finding in report["findings"]:
        check(re.fullmatch(r"(repository|keys|store|archive|server)(\.[a-z_]+)?", finding["id"]),
              f"the id of {finding}")
        findings[finding["level"]].append(f"{finding['text']} {finding['hint']}")
        check(f"{finding['level']:<8} {finding['text']}" in plain.out.splitlines(),
              f"the text form has {finding}: {plain.out}")
    check_equal(report["ok"], not findings["problem"], "verdict and problems")
    return done.code, findings


def require_problems(walden, server, what, *texts):
    """check ends with 1 and its problems are those that begin with `texts`, no others."""
    step(f"check: {what}")
    code, findings = run_check(walden, server)
    check_equal(code, 1, f"exit code, {what}")
    check_equal(len(findings["problem"]), len(texts), f"problems, {what}: {findings}")
    for text in texts:
        check(any(problem.startswith(text) for problem in findings["problem"]),
              f"{what}: a problem is \"{text}\": {findings['problem']}")


def require_good(walden, server, what, *texts):
    """check ends with 0, and findings of level ok begin with `texts`. Returns all findings."""
    step(f"check: {what}")
    code, findings = run_check(walden, server)
    check_equal(code, 0, f"exit code, {what}: {findings}")
    for text in texts:
        check(any(line.startswith(text) for line in findings["ok"]), f"{what}: {text}: {findings}")
    return findings


def wrong_settings(walden, server, good):
    """PostgreSQL accepts all of them."""
    def reloaded(name, value):
        server.configure(**{**good, "archive_library": "", name: value}).reload()
        wait_for(lambda: server.psql(f"show {name}") == value, f"effect of {name}")
    reloaded("archive_command", "cp %p /nowhere/%f")
    require_problems(walden, server, "an archive_command that is not ours",
                     'archive_command is not ours: "cp %p /nowhere/%f"')
    reloaded("archive_command", "")
    require_problems(walden, server, "no archive_command", 'archive_command is not ours: ""')
    reloaded("archive_command", good["archive_command"].replace("%p", "%f"))
    require_problems(walden, server, "walden-push without %p", "archive_command gives walden-push no")
    for ending in ("|| true", "; true"):
        reloaded("archive_command", f"{good['archive_command']} {ending}")
        findings = require_good(walden, server, f"archive_command ends in \"{ending}\"")
        check(any("goes on where walden-push fails" in text for text in findings["warning"]),
              f"\"{ending}\" is warned of: {findings}")
    reloaded("archive_library", "basic_archive")
    require_problems(walden, server, "an archive_library", "archive_library is set")
    reloaded("archive_command", good["archive_command"])
    server.configure(archive_mode="off").restart()
    require_problems(walden, server, "archive_mode off", "archive_mode is off")
    server.configure(wal_level="minimal", max_wal_senders="0").restart()
    require_problems(walden, server, "wal_level minimal", "archive_mode is off",
                     "wal_level is minimal")
    server.configure(**good, wal_level="replica", max_wal_senders="5").restart()


def failing_archiver(walden, server, good):
    broken = good["archive_command"].replace(".toml", ".missing")
    server.configure(archive_command=broken).reload()
    name = server.switch_wal()
    wait_for(lambda: server.archiver()["failed_count"] > 0, "failed attempt to archive")
    require_problems(walden, server, "an archiver that fails",
                     f"the server's last attempt to archive failed: {name} at ")
    server.configure(**good).reload()
    server.wait_archived()
    wait_for(lambda: server.archiver()["last_archived_wal"] == name, "statistics of the archiver")
    findings = require_good(walden, server, "the archiver works again",
                            f"last archived by the server: {name}")
    check(not any("failed" in text for text in findings["warning"]), f"no warning: {findings}")


def end_to_end(walden, server, good):
    """Without --no-switch: the server's own archiver has to bring a segment into this archive."""
    step("check: from end to end")
    done = walden.run("walden", "check", "--conninfo", conninfo(server))
    check("the server ended 0000000" in done.text and "archived it within" in done.text, done.text)
    check("archived nothing yet" not in done.text, f"no stale warning: {done.text}")
    step("check: the archive_command looks right and archives nothing")
    server.configure(archive_command="true " + good["archive_command"]).reload()
    done = walden.run("walden", "check", "--conninfo", conninfo(server), ok=False)
    check_equal(done.code, 1, "exit code")
    check("is archived, and it is not in this archive" in done.text, done.text)
    server.configure(**good).reload()


def wrong_server(s, walden, server):
    other = Cluster(s, "other")
    other.initdb().start()
    code, findings = run_check(walden, other)
    step("check: another cluster's server")
    check_equal(code, 1, "exit code for another cluster's server")
    check(len(findings["problem"]) == 1 and str(other.system_identifier()) in findings["problem"][0]
          and str(server.system_identifier()) in findings["problem"][0],
          f"both system identifiers are named: {findings}")
    other.stop()
    code, findings = run_check(walden, other)
    step("check: no server")
    check_equal(code, 1, "exit code without a server")
    check(len(findings["problem"]) == 1 and "--no-server" in findings["problem"][0],
          f"the hint says how to leave it out: {findings}")
    code, findings = run_check(walden, other, "--no-server")
    check_equal(code, 0, f"exit code with --no-server: {findings}")


def body(s):
    require_postgres()
    server = Cluster(s, "primary")
    server.initdb()
    walden = Walden(s, server)
    walden.init()
    good = {"archive_mode": "on", "archive_command": walden.archive_command()}
    server.configure(**good).start()
    findings = require_good(walden, server, "right settings, nothing archived yet",
                            "archive_mode is on, archive_command is ")
    check(any("archived nothing yet" in text for text in findings["warning"]), f"told: {findings}")
    add_rows(server, 0)
    name = server.archive_now()
    wait_for(lambda: server.archiver()["last_archived_wal"] == name, "statistics of the archiver")
    require_good(walden, server, "right settings", f"last archived by the server: {name}")
    wrong_settings(walden, server, good)
    failing_archiver(walden, server, good)
    end_to_end(walden, server, good)
    wrong_server(s, walden, server)


main(body)
