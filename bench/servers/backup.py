#!/usr/bin/env python3
"""walden-bench backup: the same databases saved and brought back by walden and its peers.

See bench/README.md for what each figure means. Contenders take turns within each step.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests"))
from archive import environment  # noqa: E402
from contenders import parse_settings  # noqa: E402
from figures import Figures, per  # noqa: E402
from harness import databases, dumps  # noqa: E402
from harness.accounts import Account  # noqa: E402
from harness.outcomes import Failed, Skip, check_equal  # noqa: E402
from harness.postgres import MIB, Server  # noqa: E402
from harness.processes import cpu_seconds, raise_descriptor_limit  # noqa: E402
from harness.stores import tree_bytes  # noqa: E402
from harness.walden import PROGRAMS, install_programs  # noqa: E402
from savers import KINDS, Bench, make_savers  # noqa: E402
from stores import PosixStore, S3Store  # noqa: E402

GIB = 1 << 30
REQUESTS = ("PUT", "POST", "GET", "HEAD", "LIST")


class Original(Server):
    """The server that is saved. Nothing but the benchmark changes its data."""

    defaults = {"listen_addresses": "", "fsync": "off", "shared_buffers": "512MB",
                "autovacuum": "off", "wal_level": "replica", "archive_mode": "on",
                "archive_command": "/bin/true", "checkpoint_timeout": "1d", "max_wal_size": "16GB",
                "max_locks_per_transaction": "1024"}
    settings_file = "bench.conf"


class Copy(Server):
    """A restored server, which archives nothing."""

    defaults = {**Original.defaults, "archive_mode": "off", "hot_standby": "on"}
    settings_file = Original.settings_file


def provide(account, directory, name, scale):
    """The directory of a stopped database of that kind and scale, which is made unless it is there."""
    home = pathlib.Path(directory).resolve() / name
    description, wanted = home / "made.json", {"kind": name, "scale": scale}
    if description.exists():
        made = json.loads(description.read_text(encoding="utf-8"))
        check_equal({key: made[key] for key in wanted}, wanted, f"what \"{home}\" holds")
        return home / "data"
    if home.exists():
        raise Failed(f"\"{home}\" was left unfinished: remove it")
    print(f"making the database {name}, scale {scale:g}", file=sys.stderr, flush=True)
    account.make_directory(home)
    server = Original(account, home / "data")
    with server.initdb():
        databases.KINDS[name](server, scale).make()
        version = server.psql("SHOW server_version")
    description.write_text(json.dumps({**wanted, "server": version}, indent=2), encoding="utf-8")
    return home / "data"


class Cycle:
    """One round with one database: a copy of it runs, is saved, changes, is saved again and is
    brought back, by each contender in turn."""

    def __init__(self, run, name, figures, number):
        self.run = run
        self.name = name
        self.figures = figures
        self.number = number
        account, scratch = run.account, run.scratch
        self.data = scratch / "original"
        account.remove_tree(self.data)
        account.run(["cp", "-a", "--reflink=auto", run.databases[name], self.data], as_root=True)
        self.server = Original(account, self.data, log_path=scratch / "original.log")
        self.database = databases.KINDS[name](self.server, run.options.scale)
        self.bench = Bench(account, self.server, run.store, scratch, run.programs,
                           parse_settings(run.options.set))
        self.savers = []
        self.archive = None  # who archives the server's WAL

    def play(self):
        with self.server:
            self.savers = [saver for saver in make_savers(self.run.options.contenders, self.bench)
                           if saver.name not in self.run.failed]
            try:
                self.steps()
            finally:
                for saver in self.savers:
                    saver.stop()

    def steps(self):
        self.in_turn("", lambda saver: saver.prepare())
        self.archive = next((saver for saver in self.savers if saver.archive_command()), None)
        if self.archive:
            self.server.configure(archive_command=self.archive.archive_command()).reload()
        self.server.psql("CHECKPOINT")
        self.step("full", lambda saver: saver.backup(is_first=True))
        self.step("unchanged", lambda saver: saver.backup(is_first=False))
        self.database.change()
        self.server.psql("CHECKPOINT")
        self.server.archive_now(600)
        self.step(f"after {self.database.change_name}", lambda saver: saver.backup(is_first=False))
        self.step("restore", lambda saver: self.restore(saver, is_delta=False))
        self.step("delta restore", lambda saver: self.restore(saver, is_delta=True),
                  lambda saver: saver.has_delta())
        if self.run.options.check:
            self.in_turn("check", self.check)
        for saver in self.savers:
            self.run.account.remove_tree(self.target(saver))

    def target(self, saver):
        return self.run.scratch / f"restored.{saver.name}"

    def restore(self, saver, is_delta):
        if not is_delta:
            self.run.account.remove_tree(self.target(saver))
        return saver.restore(self.target(saver), is_delta)

    def in_turn(self, step, action, takes_part=lambda saver: True):
        """Calls action(saver) for each, beginning with another one each round. One that fails is left
        out from then on."""
        turn = self.number % len(self.savers) if self.savers else 0
        for saver in self.savers[turn:] + self.savers[:turn]:
            if not takes_part(saver):
                continue
            try:
                action(saver)
            except Failed as reason:
                print(f"{saver.name}: {self.name} {step}: failed: {reason}", file=sys.stderr, flush=True)
                self.savers.remove(saver)
                self.run.failed.add(saver.name)
        if not self.savers:
            raise Failed("no contender is left")

    def step(self, step, action, takes_part=lambda saver: True):
        measured = {}
        self.in_turn(step, lambda saver: measured.update({saver.name: self.sample(saver, action)}),
                     takes_part)
        peer = measured.get("pgbackrest")
        for name, values in measured.items():
            if peer and name != "pgbackrest":
                values.update({f"x {metric}": per(values[metric], peer[metric])
                               for metric in ("wall s", "cpu s", "stored KiB") if peer[metric]})
            self.figures.add({"database": self.name, "step": step, "contender": name}, values)
        print(f"{self.name}: {step} done", file=sys.stderr, flush=True)

    def sample(self, saver, action):
        """One measured call: {metric: value}."""
        os.sync()
        plain = tree_bytes(self.data) - tree_bytes(self.data / "pg_wal")
        saved, server_cpu = saver.saved_bytes(), cpu_seconds(self.server.process.pid)
        self.run.store.begin(self.run.options.latency)
        wall, usage = action(saver)
        traffic = self.run.store.traffic()
        values = {"plain MiB": plain / MIB, "wall s": wall, "cpu s": usage.cpu_seconds,
                  "cpu s/GiB": usage.cpu_seconds / (plain / GIB),
                  "server cpu s": cpu_seconds(self.server.process.pid) - server_cpu,
                  "stored KiB": (saver.saved_bytes() - saved) / 1024,
                  "peak MiB": usage.peak_memory / MIB}
        if traffic:
            values.update({f"{name}/GiB": per(traffic.get(name, 0), plain / GIB) for name in REQUESTS})
        return values

    def check(self, saver):
        """The restored server has the rows of the original."""
        if self.archive is None:
            raise Failed("nobody here archives the WAL that a restored server needs")
        copy = Copy(self.run.account, self.target(saver), name=saver.name,
                    log_path=self.run.scratch / f"{saver.name}.log")
        copy.configure(restore_command=self.archive.restore_command())
        if saver is not self.archive:
            self.run.account.write(copy.data / "recovery.signal", "")
        self.server.archive_now(600)
        begin = time.perf_counter()
        try:
            copy.finish_recovery(600)
            self.figures.add({"database": self.name, "step": "start to open", "contender": saver.name},
                             {"wall s": time.perf_counter() - begin,
                              "segments": copy.log().count("restored log file")})
            dumps.require_same(self.server, copy)
        finally:
            copy.stop()


class Run:
    """One command: databases, a store, a scratch directory."""

    def __init__(self, options):
        self.options = options
        self.failed = set()
        self.account = Account()
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="walden-bench-", dir=options.scratch))
        self.scratch.chmod(0o755)
        self.store = None
        try:
            self.account.own(self.scratch)
            self.store = PosixStore(self.account, self.scratch) if options.store == "posix" else S3Store()
            self.account.variables = self.store.variables
            there = {name: pathlib.Path(options.programs) / name for name in PROGRAMS}
            self.programs = install_programs(
                self.account, {name: path for name, path in there.items() if path.exists()},
                self.scratch / "bin")
            self.databases = {name: provide(self.account, options.databases or self.scratch / "databases",
                                            name, options.scale) for name in options.database}
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.store:
            self.store.stop()
        shutil.rmtree(self.scratch, ignore_errors=True)


def cycle(options):
    figures = Figures("backup", environment())
    run = Run(options)
    try:
        for number in range(options.rounds):
            for name in options.database:
                Cycle(run, name, figures, number).play()
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr, flush=True)
    finally:
        run.close()
        options.failed = bool(run.failed)
    return figures


def make_databases(options):
    if not options.databases:
        raise Failed("name their directory by --databases")
    account = Account()
    for name in options.database:
        provide(account, options.databases, name, options.scale)


def add_common(parser):
    parser.add_argument("--databases", metavar="DIR",
                        help="where the databases are, or are made and then kept; without it, they "
                             "are made and removed again")
    parser.add_argument("--database", type=lambda text: text.split(","), metavar="NAME,...",
                        default=list(databases.KINDS), help=f"of {', '.join(databases.KINDS)}")
    parser.add_argument("--scale", type=float, default=1.0,
                        help="1: 1.6 GiB of pgbench, 1.1 GiB of the shop, 20,000 files")


def command_line():
    parser = argparse.ArgumentParser(prog="walden-bench backup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add_common(commands.add_parser("databases", help="only make the databases"))
    one = commands.add_parser("cycle", help="backups, changes and restores")
    add_common(one)
    one.add_argument("--contenders", type=lambda text: text.split(","), metavar="NAME,...",
                     default=list(KINDS), help=f"of {', '.join(KINDS)}; those not installed are skipped")
    one.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    one.add_argument("--check", action="store_true",
                     help="start each restored server and compare its rows with the original's")
    one.add_argument("--store", choices=("posix", "s3"), default="posix",
                     help="a directory, or Ceph radosgw, which is started (walden alone)")
    one.add_argument("--latency", type=int, default=0, metavar="MS",
                     help="a round trip to the S3 store, put in between (default: 0)")
    one.add_argument("--scratch", metavar="DIR", default="/var/tmp",
                     help="on the disk to measure (default: %(default)s)")
    one.add_argument("--programs", metavar="DIR", default=os.environ.get("WALDEN_BENCH_PROGRAMS"),
                     help="with walden (default: of this build)")
    one.add_argument("--set", metavar="NAME=VALUE", action="append", default=[],
                     help="another setting of walden.toml for walden, as codec.level=3")
    one.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(failed=False)
    return parser.parse_args()


def main():
    options = command_line()
    if options.command == "cycle" and not options.programs:
        print("walden-bench: error: name the directory with walden by --programs", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    os.umask(0o022)
    try:
        raise_descriptor_limit()
        figures = {"databases": make_databases, "cycle": cycle}[options.command](options)
    except (Failed, Skip) as reason:
        print(f"walden-bench: error: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    if figures:
        print(figures.json_lines() if options.json else figures.table(), end="")
    return 1 if options.failed else 0


if __name__ == "__main__":
    sys.exit(main())
