#!/usr/bin/env python3
"""Checks that the man pages say what the programs say.

usage: man_pages.py WALDEN [DIRECTORY OF THE MAN PAGES]

WALDEN is the built program. Compares its help with walden.1 and walden.toml.5, both ways:

- every setting is in walden.toml.5 with the same default, and no other setting is;
- every command has a section in walden.1, and no other command has one;
- every long option is in the section of its command or in OPTIONS, which holds for all commands,
  and no section has an option that its command does not know.

Prints one line per finding and ends with 1 if there was any.
"""

import pathlib
import re
import subprocess
import sys

SETTINGS_BEGIN = "Settings of the configuration file"
# "  store.url        where the repository is (required)", "  codec.level   1 to 19 [1]"
SETTING = re.compile(r"^  ([a-z_.]+) +\S.* (?:\((required)\)|\[(.*)\])$")
# "  --config TEXT    ...", "  -h,--help   ...", "  --bundle TEXT:{read,put}   ..."
OPTION = re.compile(r"^  (?:-\w,)?(--[a-z][a-z-]*)")
SUBCOMMAND = re.compile(r"^  ([a-z]+)(?: |$)")


def sections(help_text):
    """Blocks of a help text by their heading: {"Options": [lines]}."""
    result, lines = {}, []
    for line in help_text.splitlines():
        heading = re.match(r"^([A-Z][A-Za-z ]*)(?: \(TOML\))?:$", line)
        if heading:
            lines = result.setdefault(heading[1], [])
        elif line and not line.startswith(" "):
            lines = []
        else:
            lines.append(line)
    return result


def help_settings(help_text):
    """{setting: default as in TOML, or "" if it is required}."""
    result = {}
    for line in sections(help_text).get(SETTINGS_BEGIN, []):
        match = SETTING.match(line)
        if match:
            result[match[1]] = "" if match[2] else match[3]
        elif line.strip():
            raise ValueError(f"cannot read the setting in the help: {line!r}")
    return result


def matches(pattern, lines):
    return [match[1] for match in map(pattern.match, lines) if match]


def help_commands(ask, command=()):
    """{("keys", "add"): {long options}} of `command`, () being the program, and all below it.

    `ask` returns the help of a command."""
    blocks = sections(ask(command))
    result = {command: set(matches(OPTION, blocks.get("Options", [])))}
    for name in matches(SUBCOMMAND, blocks.get("Subcommands", [])):
        result.update(help_commands(ask, (*command, name)))
    return result


def plain(roff):
    """The text of a line of man(7) without its request and its escapes."""
    text = roff
    request = re.match(r"^\.([A-Z]{1,2}) +", roff)
    if request:
        text = roff[request.end():]
        if request[1] in ("BI", "BR", "IB", "IR", "RB", "RI"):  # fonts take turns, no space between
            text = "".join(quoted or word for quoted, word in re.findall(r'"([^"]*)"|(\S+)', text))
    text = re.sub(r"\\f[A-Z]", "", text)
    return text.replace("\\-", "-").replace("\\(dq", '"').replace("\\&", "").strip()


def man_settings(page):
    """{setting: default as in TOML, or "" if it is required}; None where the page says neither."""
    result = {}
    lines = page.splitlines()
    for i, line in enumerate(lines[:-3]):
        if line != ".TP" or not lines[i + 1].startswith(".B "):
            continue
        default = None
        if lines[i + 2] == "Required.":
            default = ""
        elif lines[i + 2] == "Default:":
            default = plain(lines[i + 3]).removesuffix(".")
        result[plain(lines[i + 1])] = default
    return result


def man_commands(page):
    """{("keys", "add"): {long options}} of the sections in COMMANDS; () has those of OPTIONS."""
    result, current, in_commands = {(): set()}, None, False
    lines = page.splitlines()
    for i, line in enumerate(lines[:-1]):
        if line.startswith(".SH "):
            in_commands = line == ".SH COMMANDS"
            current = () if line == ".SH OPTIONS" else None
        elif line.startswith(".SS walden ") and in_commands:
            current = tuple(plain(line).split()[1:])
            result[current] = set()
        elif line == ".TP" and current is not None:
            result[current].update(re.findall(r"--[a-z]+(?:-[a-z]+)*", plain(lines[i + 1])))
    return result


def compare_settings(program, page):
    for name in sorted(program.keys() - page.keys()):
        yield f"walden.toml.5: has no setting {name}"
    for name in sorted(page.keys() - program.keys()):
        yield f"walden.toml.5: there is no setting {name}"
    for name in sorted(program.keys() & page.keys()):
        if program[name] != page[name]:
            yield (f"walden.toml.5: {name}: default {page[name]!r}, "
                   f"the program says {program[name]!r} (empty: required)")


def compare_commands(program, page):
    for command in sorted(program.keys() - page.keys()):
        yield f"walden.1: has no section \"walden {' '.join(command)}\""
    for command in sorted(page.keys() - program.keys()):
        yield f"walden.1: there is no command \"walden {' '.join(command)}\""
    for command in sorted(program.keys() & page.keys()):
        name = " ".join(("walden", *command))
        for option in sorted(program[command] - page[command] - page[()]):
            yield f"walden.1: {name}: has no option {option}"
        # OPTIONS holds what the program knows, and what every command takes.
        known = program[command] if command else set().union(*program.values())
        for option in sorted(page[command] - known):
            yield f"walden.1: {name}: there is no option {option}"


def main(arguments):
    if len(arguments) not in (1, 2):
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    program = arguments[0]
    here = pathlib.Path(__file__).resolve().parent
    directory = pathlib.Path(arguments[1]) if len(arguments) == 2 else here / "../../tools/man"

    def ask(command):
        return subprocess.run([program, *command, "--help"], check=True, capture_output=True,
                              text=True).stdout

    settings, commands = help_settings(ask(())), help_commands(ask)
    if not settings or len(commands) < 2:
        print("the program's help has no settings or no commands", file=sys.stderr)
        return 1
    findings = [
        *compare_settings(settings, man_settings((directory / "walden.toml.5").read_text())),
        *compare_commands(commands, man_commands((directory / "walden.1").read_text()))]
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
