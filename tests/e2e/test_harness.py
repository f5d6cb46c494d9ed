#!/usr/bin/env python3
"""The harness itself: a plain `cp` archive shows what it can see, and that it cleans up.

A scenario that cannot fail proves nothing. Here the well-known faults of `cp` as an archive are
found with the same means: exit code 1 ends recovery early, and a killed server comes back.
"""

import pathlib

from pg import Cluster, ServerStopped, add_rows, require_postgres
from scenario import Failed, Scenario, check, check_equal, main, step, wait_for
from walden import Store, toml_document


def end_of_everything():
    step("whatever a scenario leaves running is ended by its pid, and its directory is removed")
    inner = Scenario("inner")
    stray = inner.start(["sh", "-c", "cd / && exec tail -f /dev/null"])
    wait_for(lambda: stray.pid in inner.leftovers(), "stray process")
    server = Cluster(inner, "stray")
    server.initdb().start()
    inner.close()
    check(stray.poll() is not None and server.process.poll() is not None, "both are gone")
    check(not inner.directory.exists(), "so is the directory")


def damages(scenario):
    step("the store's damages are what they are called")
    store = Store(scenario, scenario.make_directory(scenario.directory / "store"))
    folder = store.root / "clusters" / "main" / "1" / "wal" / "00000001"
    folder.mkdir(parents=True)
    one = scenario.write(folder / ("0" * 23 + "1"), b"abcd", mode=0o400)
    other = scenario.write(folder / ("0" * 23 + "2"), b"efgh")
    scenario.write(folder / ".temporary", b"x")
    check_equal(store.segments(), [one.name, other.name], "segments")
    store.save()
    before = store.fingerprint()
    for damage, wanted in ((lambda: store.truncate(one), b"ab"), (lambda: store.flip(one), b"abbd"),
                           (lambda: store.zero(one), bytes(4)),
                           (lambda: store.append(one), b"abcd\0"),
                           (lambda: store.swap(one, other), b"efgh"),
                           (lambda: store.replace(one, other), b"efgh")):
        damage()
        check_equal(one.read_bytes(), wanted, "bytes of a damaged object")
        check_equal(one.stat().st_mode & 0o777, 0o400, "mode of a damaged object")
        check(store.fingerprint() != before, "the fingerprint shows it")
        store.reset()
        check_equal(store.fingerprint(), before, "the fingerprint after the repair")
    store.empty()
    check_equal(store.objects(), {}, "objects of an empty store")
    store.reset()
    check_equal(toml_document({"a": 1, "t": {"b": True, "c": ["x", pathlib.Path("/y")]}}),
                'a = 1\n\n[t]\nb = true\nc = ["x", "/y"]\n', "TOML")


def cp_loses_rows(scenario):
    step("a cp archive with an unreadable segment: PostgreSQL opens early, and that is seen")
    primary = Cluster(scenario, "primary").initdb()
    side = scenario.make_directory(scenario.directory / "side")
    primary.configure(archive_mode="on", archive_command=f"test ! -f {side}/%f && cp %p {side}/%f")
    primary.start()
    backup = primary.base_backup(scenario.directory / "backup")
    names = []
    for batch in range(4):
        add_rows(primary, batch, rows=2000)
        names.append(primary.archive_now())
    wanted = primary.checksum("t")
    step("a killed server recovers from the crash")
    primary.kill()
    primary.start()
    check_equal(primary.checksum("t"), wanted, "rows after a crash")
    primary.stop()
    check_equal(primary.ready(), [], "files left to archive")

    (side / names[2]).rename(side / "hidden")
    early = Cluster.from_backup(scenario, "early", backup, restore_command=f"cp {side}/%f %p")
    early.finish_recovery()
    check(early.count("t") < 8000, "exit code 1 of cp lost rows without a word")
    early.stop()
    (side / "hidden").rename(side / names[2])
    whole = Cluster.from_backup(scenario, "whole", backup, restore_command=f"cp {side}/%f %p")
    whole.finish_recovery()
    check_equal(whole.checksum("t"), wanted, "rows with a whole archive")
    whole.stop()
    stops = Cluster.from_backup(scenario, "stops", backup, restore_command="exit 200")
    try:
        stops.start()
        raise Failed("exit code 200 stops the server")
    except ServerStopped as error:
        check("exit code 200" in str(error), f"the log tells why: {error}")


def body(scenario):
    require_postgres()
    end_of_everything()
    damages(scenario)
    cp_loses_rows(scenario)


main(body)
