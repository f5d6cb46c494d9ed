#!/usr/bin/env python3
"""The configuration file: what is wrong in it is refused with its line, and secrets stay secret.

Faults 53, 94, 95 and invariant 38, for walden-push (1..125), walden-fetch (201) and walden (1).
"""

import os
import re

from fixtures import plain_wal
from scenario import check, check_equal, main, step
from walden import Walden, check_push_refused, check_refused

OUTPUTS = []  # everything any program printed here


def refuse_everywhere(s, walden, segment, what, *words):
    """All three programs refuse, each with its own code; the outputs are kept."""
    target = s.directory / "target"
    done = [walden.push(segment), walden.fetch(segment.name, target),
            walden.run("walden", "check", ok=False)]
    OUTPUTS.extend(one.text for one in done)
    check_push_refused(done[0], f"push with {what}", *words)
    check_refused(done[1], 201, f"fetch with {what}", *words)
    check(done[2].code in range(1, 126), f"check with {what}: exit code {done[2].code}")
    check(not target.exists(), f"fetch with {what} left no file")


def bad_files(s, walden, segment):
    step("each fault of the file is refused (fault 94)")
    good = walden.config.read_text(encoding="utf-8")
    top, bottom = good.split("\n[", 1)
    bottom = "\n[" + bottom
    cases = {
        "an unknown key": top + "\nclustre = \"x\"\n" + bottom,
        "an unknown key in a table": good + "\n[codec]\nmethid = \"zstd\"\n",
        "an unknown table": good + "\n[stoer]\nurl = \"x\"\n",
        "a duplicate key": top + "\ncluster = \"other\"\n" + bottom,
        "a duplicate table": good + "\n[store]\nurl = \"file:///x\"\n",
        "a wrong type": good + "\n[codec]\nlevel = \"3 MB\"\n",
        "a bad choice": good + "\n[fetch]\nstandby_on_error = \"maybe\"\n",
        "a NUL byte": good + "\0\n",
        "an open string": good + "\n[codec]\nmethod = \"zst\n",
        "a line of 1 MB": good + "#" + "x" * (1 << 20) + "\n",
    }
    for what, text in cases.items():
        walden.write_config(text)
        refuse_everywhere(s, walden, segment, what, "walden.toml", "configuration")
    walden.write_config(cases["an unknown key"])
    done = walden.push(segment)
    line = top.count("\n") + 2
    check(re.search(rf"(line |:){line}\b", done.text), f"the line {line} is named: {done.text}")
    check("clustre" in done.text, f"the key is named: {done.text}")
    for what, text in {"CRLF": good.replace("\n", "\r\n"), "a BOM": "\ufeff" + good}.items():
        # TOML allows the first and many editors write the second: refused or understood, no third.
        walden.write_config(text)
        done = walden.push(segment)
        check(done.code == 0 or "walden.toml" in done.text, f"{what}: {done.code} {done.text}")
    walden.configure()


def bad_keys(s, walden, segment):
    step("key files that others can read, are missing or broken (fault 95)")
    content = walden.key_file.read_bytes()
    for mode in (0o644, 0o640, 0o604):
        walden.key_file.chmod(mode)
        refuse_everywhere(s, walden, segment, f"key file mode {mode:o}", "mode", "permission")
    walden.key_file.unlink()
    refuse_everywhere(s, walden, segment, "no key file", "key")
    for what, bad in {"an empty": b"", "a cut": content[:len(content) // 2],
                      "a garbage": b"\0garbage" * 10}.items():
        s.write(walden.key_file, bad)
        refuse_everywhere(s, walden, segment, f"{what} key file", "key")
    s.write(walden.key_file, content)


def other_ways(s, walden, segment):
    step("$WALDEN_CONFIG names the file; without any file the refusal names it (fault 53)")
    env = {"WALDEN_CONFIG": str(walden.config)}
    done = s.run([walden.bin / "walden-push", segment], cwd=walden.pgdata, env=env, ok=False)
    check_equal(done.code, 0, f"push with $WALDEN_CONFIG: {done.text}")
    nowhere = s.directory / "nowhere.toml"
    target = s.directory / "target"
    done = s.run([walden.bin / "walden-fetch", "--config", nowhere, segment.name, target], ok=False)
    check_refused(done, 201, "no configuration", "nowhere.toml")
    done = s.run([walden.bin / "walden-push", "--config", nowhere, segment], ok=False)
    check_push_refused(done, "no configuration", "nowhere.toml")
    done = s.run([walden.bin / "walden-fetch", "--config", walden.config, segment.name], ok=False)
    check_refused(done, range(200, 220), "one argument too few")
    check_refused(walden.fetch("--no-such-option", target), range(200, 220), "an unknown option")


def secrets_stay(s, walden, segment):
    step("no secret in any output (invariant 38)")
    # Comment lines say where the key is for; what is secret is the line that is none.
    key_lines = [line for line in walden.key_file.read_text().splitlines()
                 if not line.startswith("#")]
    words = {word for word in re.findall(r"[A-Za-z0-9+/=_]{40,}", " ".join(key_lines))
             if re.search(r"\d", word) and re.search(r"[A-Za-z]", word)}
    check(words, "the key file holds a secret to look for")
    for arguments in (("info",), ("verify",), ("keys", "list"), ("check",), ("init",)):
        OUTPUTS.append(walden.run("walden", *arguments, ok=False).text)
    # A key given through the environment must not be echoed when it is wrong, either.
    planted = "planted" + os.urandom(16).hex()
    walden.configure(encryption={"key_file": None, "key_env": "WALDEN_TEST_KEY"})
    for program, arguments in (("walden-push", [segment]), ("walden", ["check"]),
                               ("walden-fetch", [segment.name, s.directory / "target"])):
        done = walden.run(program, *arguments, ok=False, env={"WALDEN_TEST_KEY": planted})
        check(done.code != 0, f"{program} refuses a key that is none")
        OUTPUTS.append(done.text)
    walden.configure(encryption={"key_file": walden.key_file, "key_env": None})
    for output in OUTPUTS:
        for word in {planted, *words}:
            check(word not in output, f"a secret in an output: {output.replace(word, '<secret>')}")
    stored = b"".join(p.read_bytes() for p in walden.store.objects().values())
    check(not any(word.encode() in stored for word in words), "no secret in the store")


def body(s):
    cluster, wal = plain_wal(s, batches=2)
    walden = Walden(s, cluster)
    OUTPUTS.append(walden.init().text)
    check_equal(walden.push(wal[0]).code, 0, "push with the good configuration")
    bad_files(s, walden, wal[0])
    bad_keys(s, walden, wal[0])
    other_ways(s, walden, wal[0])
    secrets_stay(s, walden, wal[0])
    check_equal(walden.push(wal[1]).code, 0, "push after all that")


main(body)
