#!/usr/bin/env python3
"""What walden says of a command line that is wrong: exit status 2, the word, and what there is.

usage: command_line_test.py WALDEN
"""

import json
import subprocess
import sys

WRONG = {
    ("foo",): ('unknown command "foo"', "init, check, backup, restore, preview, agent, push, flush, status, info, verify, unpack, expire, backfill, fetch, keys, adopt"),
    ("inof", "--json"): ('unknown command "inof"', '"walden --help"'),
    ("keys", "foo"): ('unknown command "keys foo"', "list, add, remove, rotate, test, generate"),
    ("keys", "foo", "bar"): ('unknown command "keys foo"', '"walden keys --help"'),
    (): ("a command is missing", "init, check"),
    ("--config", "info"): ("a command is missing", "init, check"),
    ("keys",): ("a command is missing", "list, add"),
    ("info", "foo"): ('unexpected argument "foo"', '"walden info --help"'),
    ("check", "--no-sevrer"): ('unexpected argument "--no-sevrer"', '"walden check --help"'),
    ("adopt",): ("--timeline", "--help"),
    ("adopt", "--timeline", "0"): ("--timeline", "--help"),
    ("keys", "add", "--bundle", "all"): ("--bundle", "--help"),
    # Neither needs a configuration to be wrong.
    ("keys", "add"): ("name either --key-file or --passphrase", "walden keys add --key-file FILE"),
    ("stauts",): ('Did you mean "walden status"?', '"walden --help"'),
    ("chekc",): ('Did you mean "walden check"?',),
    ("version",): ('Did you mean "walden --version"?',),
    ("wal-push",): ('Did you mean "walden push"?',),
    ("keys", "lits"): ('Did you mean "walden keys list"?',),
}


def main():
    failures = []
    for arguments, words in WRONG.items():
        done = subprocess.run([sys.argv[1], *arguments], check=False, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True)
        for word in words:
            if done.returncode != 2 or done.stdout or word not in done.stderr:
                failures.append(f"walden {' '.join(arguments)}: status 2 and {word!r} on stderr, got "
                                f"{done.returncode}: {done.stdout}{done.stderr}")
    for arguments in (("--help",), ("keys", "--help"), ("--version",)):
        done = subprocess.run([sys.argv[1], *arguments], check=False, text=True, capture_output=True)
        if done.returncode != 0 or not done.stdout or done.stderr:
            failures.append(f"walden {' '.join(arguments)}: {done}")
    done = subprocess.run([sys.argv[1], "--config", "/nowhere.toml", "info", "--json"], check=False,
                          text=True, capture_output=True)
    report = json.loads(done.stdout)
    if done.returncode != 1 or report["schema"] != 1 or report["error"]["kind"] != "usage":
        failures.append(f"info --json without a configuration prints an object: {done}")
    print("\n".join(failures) or f"{len(WRONG)} wrong command lines, each explained")
    return 1 if failures else 0


sys.exit(main())
