#!/usr/bin/env python3
"""A database host that holds only the `put` keys can archive and cannot read."""

from fixtures import archiving_primary
from pg import add_rows
from scenario import check, check_equal, main, step
from walden import Walden, check_refused


def body(s):
    archive = archiving_primary(s)
    primary, full = archive.primary, archive.walden
    step("the owner of all keys makes a put-only key file")
    put_file = s.directory / "put.key"
    full.run("walden", "keys", "add", "--bundle", "put", "--key-file", put_file, "--label", "db1")
    check_equal(put_file.stat().st_mode & 0o777, 0o600, "mode of the new key file")
    full.run("walden", "keys", "test")
    done = full.run("walden", "keys", "test", "--key-file", put_file, ok=False)
    check_equal(done.code, 1, "a put key does not pass for a copy that can restore")
    check("CANNOT restore" in done.out, f"and keys test says so: {done.text}")
    tested = full.json("keys", "test", "--key-file", put_file, ok=False)
    check_equal((tested["ok"], tested["bundle"]), (False, "put"), "keys test as JSON")
    check("db1" in full.run("walden", "keys", "list").text, "keys list shows the label")

    step("the host archives with it alone")
    # The same host: its state directory stays, its key file is exchanged.
    put = Walden(s, primary, name="walden", key_file=put_file, store=full.store)
    full_key = full.key_file.rename(full.key_file.with_suffix(".vault"))
    for batch in range(3):
        add_rows(primary, batch)
        primary.archive_now()
    check_equal(primary.archiver()["failed_count"], 0, "failed pushes")
    primary.stop()
    copies = archive.copies()
    for copy in copies:
        check_equal(put.push(copy).code, 0, f"the same again with put keys ({copy.name})")

    step("and cannot read")
    target = s.directory / "target"
    for name in (copies[0].name, copies[-1].name):
        check_refused(put.fetch(name, target), range(200, 220), "fetch with put keys", "put", "key")
        check(not target.exists(), "nothing was delivered")
    done = put.run("walden", "verify", ok=False)
    check(done.code in range(1, 126), f"verify of contents ends with {done.code}")
    check("key" in done.text.lower() or "bundle" in done.text.lower(),
          f"and says that keys are missing: {done.text}")

    step("the owner reads all of it")
    reader = Walden(s, primary, name="reader", key_file=full_key, store=full.store)
    for copy in copies:
        reader.check_archived(copy)
    check(reader.json("verify")["ok"], "verify with all keys")


main(body)
