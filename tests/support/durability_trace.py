#!/usr/bin/env python3
"""Runs a command under strace and tells what a power failure right after its end could take away.

The model is pessimistic, as POSIX is: the data of a file is durable only after an fsync of that
file that began after the write ended; a name (new, replaced or removed) only after an fsync of its
directory that began after the change; and a file is only as durable as the names of all directories
on the way to it. What a real file system does beyond that (ext4 commits everything in one journal)
does not count. After an fsync that failed the kernel may take the lost pages for clean: a later
fsync of the same file counts for nothing, and one of the same directory only if it was changed
again in between.

    durability_trace.py [--volatile] [--inject EXPR] PREFIX... -- COMMAND [ARGUMENT...]

reports everything below the PREFIXes that is not durable and exits with 0 (all durable), 1 (not),
or 2 (no verdict). The verdict is about the command's success; its own exit code is printed.

Limits: io_uring and shared writable mappings cannot be seen and are refused, as is chdir() together
with relative names. An fsync on one host says nothing of a server that lies.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

TRACED = ",".join(
    """open openat openat2 creat write pwrite64 writev pwritev pwritev2 copy_file_range sendfile
    splice fallocate ftruncate truncate fsync fdatasync sync syncfs link linkat symlink symlinkat
    rename renameat renameat2 unlink unlinkat rmdir mkdir mkdirat mknod mknodat chdir fchdir mmap
    ioctl io_uring_setup""".split())


class NoVerdict(Exception):
    """The trace holds something that the model cannot follow."""


@dataclass
class Node:
    """A file or directory. Versions count changes; those up to durable_version are safe."""
    is_directory: bool
    version: int = 0
    durable_version: int = 0
    failed_version: int | None = None  # as of the last fsync that failed

    def change(self):
        self.version += 1

    def synced(self, version):
        """An fsync that began at `version` succeeded."""
        if self.failed_version is not None:
            if not self.is_directory or version <= self.failed_version:
                return
            self.failed_version = None
        self.durable_version = max(self.durable_version, version)


@dataclass
class Entry:
    """A name in a directory: durable once the directory's durable_version reached `since`."""
    node: Node | None  # None: the name was removed
    since: int = 0
    was_durable: bool = False  # for a removal: the name could come back


@dataclass
class Finding:
    path: str
    what: str

    def __str__(self):
        return f"NOT DURABLE: {self.path}: {self.what}"


@dataclass
class Report:
    exit_code: int
    findings: list = field(default_factory=list)
    fsync_count: int = 0
    injected_count: int = 0
    log: list = field(default_factory=list)

    @property
    def is_durable(self):
        return not self.findings

    def findings_on_the_way_to(self, path):
        """Only what endangers one file: its data, its name, and the directories above it."""
        path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        return [f for f in self.findings if path == f.path or path.startswith(f.path + "/")]

    def __str__(self):
        lines = [str(finding) for finding in self.findings] or ["DURABLE"]
        return "\n".join(lines)


class Model:
    """The file system below some prefixes, as far as the trace touched it."""

    def __init__(self, prefixes, volatile):
        self.prefixes = prefixes
        self.entries = {}  # path -> Entry
        self.directories = {}  # path -> Node
        self.ghosts = {}  # path of an unlinked file -> Node
        self.warnings = []
        for prefix in prefixes:
            # The prefix is where the user put it; what lies below is ours to make durable.
            self.directories[prefix] = Node(True)
            for directory, subdirectories, files in os.walk(prefix):
                for name in subdirectories:
                    self.add_existing(os.path.join(directory, name), True, volatile)
                for name in files:
                    self.add_existing(os.path.join(directory, name), False, volatile)

    def add_existing(self, path, is_directory, volatile):
        node = Node(is_directory)
        parent = self.directories[os.path.dirname(path)]
        if volatile:  # written by somebody who died before any fsync
            parent.change()
            if not is_directory:
                node.change()
        self.entries[path] = Entry(node, parent.version)
        if is_directory:
            self.directories[path] = node

    def covers(self, path):
        return any(path == p or path.startswith(p + "/") for p in self.prefixes)

    def node_of(self, path):
        if path in self.directories:
            return self.directories[path]
        entry = self.entries.get(path)
        return entry.node if entry and entry.node else self.ghosts.get(path)

    def parent_of(self, path):
        parent = self.directories.get(os.path.dirname(path))
        if parent is None:
            raise NoVerdict(f"the directory of {path} is unknown to the model")
        return parent

    def is_entry_durable(self, path):
        entry = self.entries.get(path)
        return bool(entry and entry.node
                    and self.parent_of(path).durable_version >= entry.since)

    def set_name(self, path, node):
        parent = self.parent_of(path)
        parent.change()
        self.entries[path] = Entry(node, parent.version)
        if node.is_directory:
            self.directories[path] = node

    def remove_name(self, path):
        old = self.entries.get(path)
        was_durable = self.is_entry_durable(path) or bool(old and old.was_durable)
        parent = self.parent_of(path)
        parent.change()
        if old and old.node:
            self.ghosts[path] = old.node
        self.directories.pop(path, None)
        self.entries[path] = Entry(None, parent.version, was_durable)

    def create(self, path):
        """open(O_CREAT) succeeded; whether it made the file is known from the model."""
        entry = self.entries.get(path)
        if not (entry and entry.node):
            self.set_name(path, Node(False))

    def link(self, old, new):
        self.set_name(new, self.require_node(old))

    def rename(self, old, new, exchange):
        node = self.require_node(old)
        if exchange:
            other = self.require_node(new)
            self.set_name(new, node)
            self.set_name(old, other)
            return
        if not node.is_directory and node.durable_version < node.version:
            self.warnings.append(Finding(new, "renamed while its data was not synced"))
        self.set_name(new, node)
        if node.is_directory:
            for table in (self.entries, self.directories):
                for path in [p for p in table if p.startswith(old + "/")]:
                    table[new + path[len(old):]] = table.pop(path)
        self.remove_name(old)

    def require_node(self, path):
        node = self.node_of(path)
        if node is None:
            raise NoVerdict(f"{path} is unknown to the model")
        return node

    def sync_all(self):
        for entry in self.entries.values():
            if entry.node:
                entry.node.durable_version = entry.node.version
        for node in self.directories.values():
            node.durable_version = node.version

    def findings(self):
        found = list(self.warnings)
        for path, entry in sorted(self.entries.items()):
            parent = self.directories.get(os.path.dirname(path))
            if parent is None:
                continue  # below a directory that is gone
            name_is_durable = parent.durable_version >= entry.since
            if entry.node is None:
                if not name_is_durable and entry.was_durable:
                    found.append(Finding(path, "its removal is not synced (no fsync of the "
                                               "directory after it)"))
                continue
            if not name_is_durable:
                found.append(Finding(path, "its name is not synced (no fsync of the directory "
                                           "after it)"))
            if not entry.node.is_directory and entry.node.durable_version < entry.node.version:
                found.append(Finding(path, "its data is not synced (no fsync of the file after "
                                           "the last write)"))
        return found


CALL = re.compile(r"^(\d+) +(\w+)\((.*)$", re.S)
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$", re.S)
RESULT = re.compile(r"\) += (-?\d+|\?|0x[0-9a-f]+)(<.*?>)?(\(deleted\))?( .*)?$")
UNFINISHED = " <unfinished ...>"


def split_arguments(text):
    """The arguments of a call, split at the commas of the outermost level."""
    parts, depth, is_quoted, is_escaped, part = [], 0, False, False, ""
    for c in text:
        if is_quoted:
            is_quoted = is_escaped or c != '"'
            is_escaped = c == "\\" and not is_escaped
        elif c == '"':
            is_quoted = True
        elif c in "([{<":
            depth += 1
        elif c in ")]}>":
            depth -= 1
        if c == "," and depth == 0 and not is_quoted:
            parts.append(part.strip())
            part = ""
        else:
            part += c
    return parts + [part.strip()]


def unquote(text):
    """The path of a quoted argument."""
    match = re.fullmatch(r'"(.*)"', text, re.S)
    if not match:
        raise NoVerdict(f"cannot read the name {text}")
    return match.group(1).encode("latin-1").decode("unicode_escape")


def path_of_descriptor(text):
    """The path that strace -y shows in "3</a/b>"; None for a pipe, a socket and the like."""
    match = re.search(r"<(/.*?)>(?:\(deleted\))?$", text)
    if not match:
        return None
    return re.sub(r" \(deleted\)$", "", match.group(1))


class Trace:
    """Feeds the lines of strace to a Model."""

    def __init__(self, model, cwd):
        self.model = model
        self.cwd = cwd
        self.moved = False  # somebody called chdir
        self.pending = {}  # pid -> (name, text so far, versions at the start)
        self.fsync_count = 0
        self.injected_count = 0

    def feed(self, line):
        resumed = RESUMED.match(line)
        if resumed:
            pid, name, rest = resumed.groups()
            if pid in self.pending:
                _, text, versions = self.pending.pop(pid)
                self.call(name, text + rest, versions)
            return
        match = CALL.match(line)
        if not match:
            return  # exits and signals
        pid, name, text = match.groups()
        if text.endswith(UNFINISHED):
            text = text[:-len(UNFINISHED)]
            self.pending[pid] = (name, text, self.versions_of(name, text))
        else:
            self.call(name, text, self.versions_of(name, text))

    def versions_of(self, name, text):
        """What an fsync that begins now will cover."""
        if name in ("fsync", "fdatasync"):
            descriptor = re.match(r"\d+<.*?>(\(deleted\))?", text)
            path = path_of_descriptor(descriptor.group()) if descriptor else None
            node = self.model.node_of(path) if path else None
            return node.version if node else None
        return None

    def call(self, name, text, version):
        if name == "io_uring_setup":
            raise NoVerdict("io_uring is in use, whose writes strace does not show")
        result = RESULT.search(text)
        if not result:
            return  # killed in the middle: no success that could be believed
        tail = result.group(4) or ""
        is_injected = "(INJECTED)" in tail
        self.injected_count += is_injected
        if name in ("fsync", "fdatasync") and result.group(1) == "-1":
            self.failed_sync(text)
        if result.group(1) == "?" or result.group(1).startswith("-") or is_injected:
            return  # failed, or did not happen whatever it said
        arguments = split_arguments(text[:result.start()])
        handler = getattr(self, "on_" + name, None)
        if handler:
            handler(arguments, version, result)

    # Names

    def resolve(self, directory, quoted):
        name = unquote(quoted)
        if name.startswith("/"):
            return os.path.normpath(name)
        base = self.cwd if directory is None else path_of_descriptor(directory)
        if directory is None and self.moved:
            raise NoVerdict(f"relative name {name} after chdir()")
        if base is None:
            raise NoVerdict(f"cannot tell the directory of {name}")
        return os.path.normpath(os.path.join(base, name))

    def on_chdir(self, *_):
        self.moved = True

    on_fchdir = on_chdir

    def opened(self, flags, result):
        # The path of the result is the real one, whatever links were on the way.
        path = path_of_descriptor(result.group(2) or "")
        if path is None or not self.model.covers(path):
            return
        if "O_TMPFILE" in flags:
            raise NoVerdict("O_TMPFILE is in use, which the model does not follow")
        if "O_CREAT" in flags:
            self.model.create(path)
        if "O_TRUNC" in flags:
            self.changed(path)

    def on_open(self, arguments, _, result):
        self.opened(arguments[1], result)

    def on_openat(self, arguments, _, result):
        self.opened(arguments[2], result)

    on_openat2 = on_openat

    def on_creat(self, _arguments, _, result):
        self.opened("O_CREAT|O_TRUNC", result)

    def linked(self, old, new):
        if self.model.covers(new):
            if not self.model.covers(old):
                raise NoVerdict(f"{new} comes from {old}, outside of what is watched")
            self.model.link(old, new)

    def on_link(self, arguments, *_):
        self.linked(self.resolve(None, arguments[0]), self.resolve(None, arguments[1]))

    def on_linkat(self, arguments, *_):
        self.linked(self.resolve(arguments[0], arguments[1]),
                    self.resolve(arguments[2], arguments[3]))

    def renamed(self, old, new, flags=""):
        if self.model.covers(old) != self.model.covers(new):
            raise NoVerdict(f"rename of {old} to {new} crosses the border of what is watched")
        if self.model.covers(new):
            self.model.rename(old, new, "RENAME_EXCHANGE" in flags)

    def on_rename(self, arguments, *_):
        self.renamed(self.resolve(None, arguments[0]), self.resolve(None, arguments[1]))

    def on_renameat(self, arguments, *_):
        self.renamed(self.resolve(arguments[0], arguments[1]),
                     self.resolve(arguments[2], arguments[3]), ",".join(arguments[4:]))

    on_renameat2 = on_renameat

    def removed(self, path):
        if self.model.covers(path):
            self.model.remove_name(path)

    def on_unlink(self, arguments, *_):
        self.removed(self.resolve(None, arguments[0]))

    on_rmdir = on_unlink

    def on_unlinkat(self, arguments, *_):
        self.removed(self.resolve(arguments[0], arguments[1]))

    def made(self, path, is_directory):
        if self.model.covers(path):
            self.model.set_name(path, Node(is_directory))

    def on_mkdir(self, arguments, *_):
        self.made(self.resolve(None, arguments[0]), True)

    def on_mkdirat(self, arguments, *_):
        self.made(self.resolve(arguments[0], arguments[1]), True)

    def on_mknod(self, arguments, *_):
        self.made(self.resolve(None, arguments[0]), False)

    def on_mknodat(self, arguments, *_):
        self.made(self.resolve(arguments[0], arguments[1]), False)

    def on_symlink(self, arguments, *_):
        self.made(self.resolve(None, arguments[1]), False)

    def on_symlinkat(self, arguments, *_):
        self.made(self.resolve(arguments[1], arguments[2]), False)

    # Data

    def changed(self, path):
        if path and self.model.covers(path):
            self.model.require_node(path).change()

    def on_write(self, arguments, *_):
        self.changed(path_of_descriptor(arguments[0]))

    on_pwrite64 = on_writev = on_pwritev = on_pwritev2 = on_ftruncate = on_fallocate = on_write
    on_sendfile = on_write

    def on_copy_file_range(self, arguments, *_):
        self.changed(path_of_descriptor(arguments[2]))

    on_splice = on_copy_file_range

    def on_truncate(self, arguments, *_):
        self.changed(self.resolve(None, arguments[0]))

    def on_ioctl(self, arguments, *_):
        if len(arguments) > 1 and re.search("CLONE|DEDUPE", arguments[1]):
            self.changed(path_of_descriptor(arguments[0]))

    def on_mmap(self, arguments, *_):
        path = path_of_descriptor(arguments[4])
        if path and self.model.covers(path) and "MAP_SHARED" in arguments[3] \
                and "PROT_WRITE" in arguments[2]:
            raise NoVerdict(f"{path} is written through a mapping, which strace does not show")

    # Durability. sync_file_range() is not here: it promises nothing (sync_file_range(2)).

    def on_fsync(self, arguments, version, _result):
        path = path_of_descriptor(arguments[0])
        if path is None or not self.model.covers(path):
            return
        self.fsync_count += 1
        node = self.model.node_of(path)
        if node is not None and version is not None:
            node.synced(version)

    on_fdatasync = on_fsync

    def failed_sync(self, text):
        descriptor = re.match(r"\d+<.*?>(\(deleted\))?", text)
        node = self.model.node_of(path_of_descriptor(descriptor.group())) if descriptor else None
        if node is not None:
            node.failed_version = node.version

    def on_sync(self, *_):
        self.model.sync_all()

    on_syncfs = on_sync


def trace(command, prefixes, *, cwd=None, env=None, inject=(), volatile=False):
    """Runs `command` (a list) and returns a Report about everything below `prefixes`.

    volatile: what exists below the prefixes beforehand is taken for written but not synced, as if
    its writer had died; then the command has to make durable what it relies on, and what it does
    not touch is reported too.
    inject: strace fault expressions such as "fsync:retval=0:when=2", which turns the second fsync
    into a lie that the model sees through.
    """
    cwd = os.path.realpath(cwd or os.getcwd())
    prefixes = [os.path.realpath(prefix) for prefix in prefixes]
    model = Model(prefixes, volatile)
    with tempfile.NamedTemporaryFile("r", prefix="walden-strace-", encoding="latin-1") as log:
        argv = ["strace", "-f", "-y", "-s", "0", "-o", log.name, "-e", f"trace={TRACED}",
                "-e", "signal=none"]
        for expression in inject:
            argv += ["-e", f"inject={expression}"]
        done = subprocess.run(argv + ["--"] + command, cwd=cwd, env=env, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        lines = log.read().splitlines()
    if not lines:
        raise NoVerdict("strace traced nothing: " + done.stdout.decode(errors="replace"))
    reader = Trace(model, cwd)
    for line in lines:
        reader.feed(line)
    return Report(done.returncode, model.findings(), reader.fsync_count, reader.injected_count,
                  lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0],
                                     usage="%(prog)s [options] PREFIX... -- COMMAND [ARGUMENT...]")
    parser.add_argument("--volatile", action="store_true",
                        help="take what exists beforehand for written but not synced")
    parser.add_argument("--inject", action="append", default=[], metavar="EXPR",
                        help="strace fault expression, e.g. fsync:retval=0:when=1")
    parser.add_argument("prefixes", nargs="+", metavar="PREFIX")
    if "--" not in sys.argv:
        parser.error("no -- COMMAND")
    border = sys.argv.index("--")
    options = parser.parse_args(sys.argv[1:border])
    try:
        report = trace(sys.argv[border + 1:], options.prefixes, inject=options.inject,
                       volatile=options.volatile)
    except NoVerdict as reason:
        print(f"NO VERDICT: {reason}")
        return 2
    print(report)
    print(f"exit code {report.exit_code}, {report.fsync_count} fsyncs")
    return 0 if report.is_durable else 1


if __name__ == "__main__":
    sys.exit(main())
