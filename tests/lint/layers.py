#!/usr/bin/env python3
"""Checks who may include whom: the layer table of the design and the one-door rule.

usage: layers.py [ROOT]

Prints one line per violation:
    lib/wal/lsn.cc:37: lib/wal may not include "vault/object_storage.h"
Ends with 1 if there was any. The table below is the law; change it here, with a reason.
"""

import pathlib
import re
import sys

# What each folder may include of ours, itself apart. The arrow is always tools -> storage -> lib.
BELOW_CATALOG = ["lib/base", "lib/wal", "lib/codec", "lib/crypto", "lib/pg", "lib/vault"]
BELOW_WORK = BELOW_CATALOG + ["lib/catalog"]
# Siblings: what one of them needs to know of the archive's contents is the catalogue's.
WORK = ["lib/archive", "lib/recovery", "lib/backup", "lib/restore", "lib/retention", "lib/inspect"]
# Made of several kinds of work.
COMPOUND_WORK = ["lib/drill", "lib/receive"]
ALL_WORK = WORK + COMPOUND_WORK
LAYERS = {
    "lib/base": [],
    "lib/wal": ["lib/base"],
    "lib/codec": ["lib/base", "lib/wal"],
    "lib/crypto": ["lib/base"],
    "lib/pg": ["lib/base", "lib/wal"],
    "lib/vault": ["lib/base", "lib/codec", "lib/crypto"],
    "lib/catalog": BELOW_CATALOG,
    **{folder: BELOW_WORK for folder in WORK},
    **{folder: BELOW_WORK + WORK for folder in COMPOUND_WORK},
    "lib/agent": BELOW_WORK + ALL_WORK,
    "storage": ["lib/base", "lib/crypto"],
    "tools": BELOW_WORK + ALL_WORK + ["lib/agent", "storage"],
    "bench": ["*"],
    "tests": ["*"],
}
# Single headers beyond the table: the port, which the engine owns and the backends implement.
EXTRA_HEADERS = {"storage": ["vault/object_storage.h"]}

# Bytes in, values out: no file, socket or console is within reach of these folders.
PURE = ["lib/wal", "lib/codec", "lib/crypto"]
# Where keys come from: files and commands.
PURE_EXCEPT = ["lib/crypto/key_source.cc", "lib/crypto/key_command.cc"]
IO_HEADERS = re.compile(
    r"base/file\.h|fstream|iostream|filesystem|fcntl\.h|unistd\.h|dirent\.h|poll\.h"
    r"|sys/(socket|stat|uio|epoll|sendfile)\.h")

# Third-party libraries: headers, and the folder in which the one file that includes them lives.
# Tests and benchmarks are not bound by it: they compare us with the library itself.
DOORS = {
    "fmt": (r"fmt/(?!format-inl).*", ["lib/base"]),
    "fmt, its compiled part": (r"fmt/format-inl\.h", ["lib/base"]),
    "xxhash": (r"xxh.*\.h", ["lib/base"]),
    "zstd": (r"zstd.*\.h|zdict\.h", ["lib/codec"]),
    "lz4": (r"lz4.*\.h", ["lib/codec"]),
    "zlib": (r"zlib\.h", []),
    "OpenSSL": (r"openssl/.*", ["lib/crypto"]),
    "libpq": (r"libpq-fe\.h|libpq/.*|postgresql/.*|pg_config.*\.h|postgres_ext\.h", ["lib/pg"]),
    "libcurl": (r"curl/.*", ["storage"]),
    "expat": (r"expat.*\.h", ["storage"]),
    "pugixml": (r"pugi.*\.hpp", ["storage"]),
    "libarchive": (r"archive(_entry)?\.h", ["lib/backup"]),
    "toml++": (r"toml\+\+/.*|toml\.hpp", ["tools"]),
    "nlohmann-json": (r"nlohmann/.*", ["tools", "lib/vault", "lib/drill"]),
    "CLI11": (r"CLI/.*", ["tools"]),
    "Catch2": (r"catch2/.*", []),
    "Google Benchmark": (r"benchmark/.*", []),
}
WHOLE_FOLDER = ["OpenSSL"]  # a cipher, a hash and a key exchange do not fit in one file

# What comes with the compiler, the C library and the kernel.
SYSTEM = re.compile(
    r"[a-z0-9_]+|(sys|netinet|arpa|net|linux|asm|bits)/[a-z0-9_/]+\.h|[a-z0-9]*intrin\.h"
    r"|(aio|alloca|arm_acle|arm_neon|assert|cpuid|ctype|dirent|dlfcn|elf|endian|errno|execinfo"
    r"|fcntl|fnmatch|getopt|glob|grp|ifaddrs|inttypes|libgen|limits|link|locale|malloc|math|mntent"
    r"|netdb|poll|pthread|pty|pwd|regex|sched|semaphore|setjmp|signal|spawn|stdarg|stddef|stdint"
    r"|stdio|stdlib|string|strings|syslog|termios|time|unistd|utime|wait|wchar)\.h")

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def layer_of(path):
    """The folder of the table that `path`, relative to the root, lies in; None if in none."""
    parts = path.split("/")
    if parts[0] == "lib":
        return "/".join(parts[:2]) if len(parts) > 2 else None
    return parts[0] if len(parts) > 1 else None


def sources(root):
    for top in ("lib", "storage", "tools", "tests", "bench"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".h", ".cc") and path.is_file():
                yield path.relative_to(root).as_posix()


def resolve(root, path, name):
    """Where `#include "name"` of the file `path` leads, relative to the root; None if nowhere."""
    for candidate in (f"lib/{name}", name):
        if (root / candidate).is_file():
            return candidate
    if layer_of(path) in ("tests", "bench"):
        beside_us = (root / path).parent
        if (beside_us / f"{name}.in").is_file():  # made by the build
            return (beside_us / name).resolve().relative_to(root.resolve()).as_posix()
        for beside in (beside_us / name, root / "tests" / name):
            if beside.is_file():
                return beside.resolve().relative_to(root.resolve()).as_posix()
    return None


def check_ours(root, path, name):
    """The complaint about a quoted include, or None."""
    layer = layer_of(path)
    # The folder is read off the name, so that a missing header is still judged by its layer.
    target = resolve(root, path, name)
    by_name = target or (name if name.split("/")[0] in LAYERS else f"lib/{name}")
    other = layer_of(by_name)
    allowed = LAYERS[layer]
    if other in LAYERS and "*" not in allowed and other != layer and other not in allowed:
        if name not in EXTRA_HEADERS.get(layer, []):
            return f'{layer} may not include "{name}"'
    if layer in PURE and path not in PURE_EXCEPT and IO_HEADERS.fullmatch(name):
        return f'{layer} is pure and may not include "{name}"'
    if target is None:
        return f'there is no "{name}" under lib or the root'
    return None


def check_foreign(path, name, doors):
    """The complaint about an include in angle brackets, or None. Notes it in `doors`."""
    layer = layer_of(path)
    if layer in PURE and path not in PURE_EXCEPT and IO_HEADERS.fullmatch(name):
        return f"{layer} is pure and may not include <{name}>"
    if layer in ("tests", "bench"):
        return None
    for library, (pattern, folders) in DOORS.items():
        if not re.fullmatch(pattern, name):
            continue
        if layer not in folders:
            return f"{layer} may not include <{name}>: {library} belongs to {folders or 'tests'}"
        door = doors.setdefault(library, path)
        if door != path and library not in WHOLE_FOLDER:
            return f"<{name}> has another door: {library} is included by {door} only"
        return None
    if SYSTEM.fullmatch(name):
        return None
    return f"<{name}> is of no known library; tests/lint/layers.py lists them"


def violations(root):
    """Every violation under `root` as "path:line: complaint"."""
    found = []
    doors = {}
    for path in sources(root):
        if layer_of(path) not in LAYERS:
            found.append(f"{path}:1: {path.rpartition('/')[0]} is not in the layer table")
            continue
        lines = (root / path).read_text(encoding="utf-8", errors="replace").splitlines()
        for number, line in enumerate(lines, start=1):
            match = INCLUDE.match(line)
            if match is None:
                continue
            ours = match[1] == '"'
            name = match[2]
            complaint = check_ours(root, path, name) if ours else check_foreign(path, name, doors)
            if complaint:
                found.append(f"{path}:{number}: {complaint}")
    return found


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    found = violations(root)
    if not any(True for _ in sources(root)):
        found.append(f"{root}: no sources here")
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
