#!/usr/bin/env python3
"""Checks what a reviewer should not have to look for.

usage: tidy.py [ROOT] [--cache DIR]

- a source file has at most 600 lines and no tabs;
- no unfinished business in the sources: that belongs into an issue;
- the names of .h and .cc files are unique across the tree;
- each header compiles alone (results are kept in DIR by content, so only changes cost time);
- libraries do not print;
- tests do not sleep, except in a function called wait_for... that says what it waits for.

Prints one line per finding and ends with 1 if there was any.
"""

import argparse
import ast
import concurrent.futures
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

LINES_MAX = 600
TOPS = ("lib", "storage", "tools", "tests", "bench")
# Split, so that this file passes its own check.
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX"]) + r")\b")
PRINTING = re.compile(
    r"std::(cout|cerr|clog|printf|puts|perror)\b|(?<![\w:.>])(v?f?printf|puts|putchar|perror)\s*\(")
SLEEPING = re.compile(r"\b(sleep_for|sleep_until)\b|(?<![\w.>])(sleep|usleep|nanosleep)\s*\(")
SHELL_SLEEPING = re.compile(r"(^|[;&|(\s])sleep\s+[\d$]")
SLEEP_COMPLAINT = "a test does not sleep, it waits for something"
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def files(root):
    """All files of the project's folders: [(path relative to the root, absolute path)]."""
    result = []
    for top in TOPS:
        for path in sorted((root / top).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                result.append((path.relative_to(root).as_posix(), path))
    return result


def is_shell(name, text):
    shebangs = ("#!/bin/sh", "#!/bin/bash", "#!/usr/bin/env bash")
    return name.endswith(".sh") or text.startswith(shebangs)


def blank_out_comments_and_strings(text):
    """C++ `text` with comments, strings and character literals blanked, line breaks kept."""
    token = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^()\s]*)\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'", re.DOTALL)
    return token.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def check_text(name, text):
    lines = text.splitlines()
    if len(lines) > LINES_MAX:
        yield f"{name}:{LINES_MAX + 1}: {len(lines)} lines, at most {LINES_MAX} are allowed"
    for number, line in enumerate(lines, start=1):
        if "\t" in line:
            yield f"{name}:{number}: a tab"
        match = UNFINISHED.search(line)
        if match:
            yield f"{name}:{number}: {match[0]} belongs into an issue"


def check_unique_names(names):
    first = {}
    for name in names:
        if name.startswith("tests/fuzz/"):
            continue  # a fuzz target is called as what it fuzzes
        base = name.rpartition("/")[2]
        if name.endswith((".h", ".cc")) and first.setdefault(base, name) != name:
            yield f"{name}:1: {first[base]} has the same file name"


def check_no_printing(name, text):
    code = blank_out_comments_and_strings(text)
    for match in PRINTING.finditer(code):
        number = line_of(code, match.start())
        yield f"{name}:{number}: a library does not print: {match[0].strip()}"


def check_no_sleep_cc(name, text):
    code = blank_out_comments_and_strings(text)
    for match in SLEEPING.finditer(code):
        openings = []  # of each brace open here: what stands before it
        last = 0
        for brace in re.finditer(r"[{};]", code[:match.start()]):
            if brace[0] == "{":
                openings.append(code[last:brace.start()])
            elif brace[0] == "}" and openings:
                openings.pop()
            last = brace.end()
        if not any(re.search(r"\bwait_for\w*\s*\(", opening) for opening in openings):
            yield f"{name}:{line_of(code, match.start())}: {SLEEP_COMPLAINT}"


def check_no_sleep_py(name, text):
    def walk(node, inside):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            inside = node.name.startswith("wait_for") and ast.get_docstring(node) is not None
        if isinstance(node, ast.Call) and not inside:
            if getattr(node.func, "attr", getattr(node.func, "id", "")) == "sleep":
                yield f"{name}:{node.lineno}: {SLEEP_COMPLAINT}"
        for child in ast.iter_child_nodes(node):
            yield from walk(child, inside)

    try:
        yield from walk(ast.parse(text), False)
    except SyntaxError as error:
        yield f"{name}:{error.lineno or 1}: not Python 3: {error.msg}"


def check_no_sleep_shell(name, text):
    for number, line in enumerate(text.splitlines(), start=1):
        if SHELL_SLEEPING.search(line.partition("#")[0]):
            yield f"{name}:{number}: {SLEEP_COMPLAINT}"


def check_file(name, text):
    if name.endswith((".h", ".cc", ".py")) or is_shell(name, text):
        yield from check_text(name, text)
    if name.startswith(("lib/", "storage/")) and name.endswith((".h", ".cc")):
        yield from check_no_printing(name, text)
    if name.startswith("tests/"):
        if name.endswith((".h", ".cc")):
            yield from check_no_sleep_cc(name, text)
        elif name.endswith(".py"):
            yield from check_no_sleep_py(name, text)
        elif is_shell(name, text):
            yield from check_no_sleep_shell(name, text)


class HeaderCompiler:
    """Compiles headers alone; remembers by content which ones passed."""

    def __init__(self, root, cache):
        self.root = root
        self.cache = cache
        self.compiler = shutil.which(os.environ.get("CXX", "")) or shutil.which("g++") or "c++"
        self.flags = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Ilib", "-I.", "-Itests"]
        if pathlib.Path("/usr/include/postgresql").is_dir():
            self.flags.append("-I/usr/include/postgresql")

    def fingerprint(self, name):
        """Of the compiler, its flags, and every file of ours that `name` pulls in."""
        digest = hashlib.sha256(repr([self.compiler, self.flags, name]).encode())
        seen = set()
        todo = [self.root / name]
        while todo:
            path = pathlib.Path(os.path.normpath(todo.pop()))
            if path in seen or not path.is_file():
                continue
            seen.add(path)
            text = path.read_text(encoding="utf-8", errors="replace")
            for included in INCLUDE.findall(text):
                # Existing files only; which of these the compiler takes does not matter here.
                todo += [self.root / "lib" / included, self.root / included, path.parent / included]
        for path in sorted(seen):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(self.root)} {len(content)}\n".encode() + content)
        return digest.hexdigest()

    def check(self, name):
        """The complaint about the header `name`, or None."""
        mark = self.cache / self.fingerprint(name) if self.cache else None
        if mark and mark.exists():
            return None
        # Through a line on stdin: as a main file a header would warn about its "#pragma once".
        done = subprocess.run([self.compiler, *self.flags, "-x", "c++", "-"], cwd=self.root, text=True,
                              input=f'#include "{name}"\n', capture_output=True, check=False)
        if done.returncode != 0 or done.stderr:
            reasons = [line for line in done.stderr.splitlines() if re.search("error|warning", line)]
            return f"{name}:1: does not compile alone: {(reasons or [''])[0]}"
        if mark:
            mark.touch()
        return None


def violations(root, cache=None):
    """Every finding under `root` as "path:line: complaint"."""
    found = []
    everything = files(root)
    for name, path in everything:
        text = path.read_bytes().decode("utf-8", errors="replace")
        found += check_file(name, text)
    names = [name for name, _ in everything]
    found += check_unique_names(names)
    if cache:
        cache.mkdir(parents=True, exist_ok=True)
    compiler = HeaderCompiler(root.resolve(), cache)
    headers = [name for name in names if name.endswith(".h")]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        found += [complaint for complaint in pool.map(compiler.check, headers) if complaint]
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root", nargs="?", default=".", type=pathlib.Path)
    parser.add_argument("--cache", type=pathlib.Path)
    arguments = parser.parse_args()
    found = violations(arguments.root, arguments.cache)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
