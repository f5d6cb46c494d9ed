#!/usr/bin/env python3
"""walden-bench archive: PostgreSQL archives the same segments through walden and its peers.

See bench/README.md for what each figure means. Contenders run in turn, round after round.
"""

import argparse
import os
import pathlib
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests"))
from cluster import MIB, Cluster  # noqa: E402
from contenders import NAMES, Bench, Walden, make_contenders, parse_settings  # noqa: E402
from figures import Figures, per  # noqa: E402
from harness.accounts import Account  # noqa: E402
from harness.outcomes import Failed, Skip  # noqa: E402
from harness.processes import Watch, become_subreaper, raise_descriptor_limit, time_calls  # noqa: E402
from harness.walden import PROGRAMS, install_programs  # noqa: E402
from stores import PosixStore, S3Store  # noqa: E402

GIB = 1 << 30
REQUESTS = ("PUT", "POST", "GET", "HEAD", "LIST")
MULTIPART = {"multipart": "8MiB", "single": "64MiB"}  # store.multipart_threshold


def environment():
    return {name.lower(): os.environ.get(f"WALDEN_BENCH_{name}", "unknown")
            for name in ("COMMIT", "COMPILER", "MACHINE")}


class Run:
    """One command: a cluster, a store, a scratch directory, and all that it started."""

    def __init__(self, options, wanted, cluster_directory=None, cluster_class=Cluster):
        self.options = options
        self.account = Account()
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="walden-bench-", dir=options.scratch))
        self.scratch.chmod(0o755)
        self.store = self.cluster = None
        try:
            self.account.own(self.scratch)
            self.store = self.make_store()
            directory = cluster_directory or options.cluster
            place = pathlib.Path(directory).resolve() if directory else self.scratch / "cluster"
            self.account.variables = self.store.variables
            self.cluster = cluster_class(self.account, place)
            self.cluster.provide(wanted)
            self.bench = Bench(self.account, self.cluster, self.store, self.scratch,
                               self.copy_programs())
            self.warm_up()
            # What it writes by itself would be work beside the archiver's.
            self.cluster.start(fsync=options.fsync)
        except BaseException:
            self.close()
            raise

    def make_store(self):
        if self.options.store == "posix":
            return PosixStore(self.account, self.scratch)
        return S3Store()

    def copy_programs(self):
        there = {name: pathlib.Path(self.options.programs) / name for name in PROGRAMS}
        return install_programs(self.account, {name: path for name, path in there.items()
                                               if path.exists()}, self.scratch / "bin")

    def warm_up(self):
        """The kernel has the segments in memory, as it has those just written."""
        for name in self.cluster.names:
            with open(self.cluster.data / "pg_wal" / name, "rb") as file:
                while file.read(MIB):
                    pass

    def close(self):
        for part in (self.cluster, self.store):
            if part:
                part.stop()
        shutil.rmtree(self.scratch, ignore_errors=True)


def drain_once(run, contender, latency_ms):
    """One sample of `drain`: {metric: value}."""
    cluster, names = run.cluster, run.cluster.names
    skipped = names[:run.options.after]
    names = names[run.options.after:]
    cluster.mark(ready=[])
    run.store.begin(latency_ms=0)
    contender.reset()
    watch = Watch(cluster.archiver())
    try:
        if skipped:
            cluster.mark(ready=skipped)
            cluster.drain(skipped, contender.command())
        cluster.mark(ready=names)
        stored_before = run.store.stored_bytes(contender.name)
        run.store.begin(latency_ms)
        wall = cluster.drain(names, contender.command())
        traffic = run.store.traffic()
        watch.note_memory()
    finally:
        contender.stop()
        usage = watch.finish()
    count, plain = len(names), len(names) * cluster.segment_size
    stored = run.store.stored_bytes(contender.name) - stored_before
    run.store.clear(contender.name)
    archived = plain + len(skipped) * cluster.segment_size
    values = {"segments/s": count / wall, "MiB/s": plain / wall / MIB,
              "cpu s/GiB": usage.cpu_seconds / (archived / GIB),
              "stored MiB": stored / MIB, "ratio": per(plain, stored)}
    if usage.peak_memory:
        values["peak MiB"] = usage.peak_memory / MIB
    if traffic:
        values.update({f"{name}/segment": per(traffic.get(name, 0), count) for name in REQUESTS})
        values["connections/1000"] = per(1000 * traffic["connections"], count)
    return values


def in_turn(options, contenders, measure):
    """Calls measure(contender) round after round; one that fails is left out from then on."""
    for number in range(options.rounds):
        for contender in list(contenders):
            try:
                measure(contender)
            except Failed as reason:
                print(f"{contender.name}: failed: {reason}", file=sys.stderr, flush=True)
                contenders.remove(contender)
                options.failed = True
        print(f"round {number + 1} of {options.rounds} done", file=sys.stderr, flush=True)


def walden_variants(run, settings):
    """walden once for each concurrency that is to be compared."""
    return [Walden(run.bench, f"walden-{count}-in-flight", {**settings, "agent.in_flight": count})
            for count in run.options.in_flight]


def drain(options):
    figures = Figures("drain", environment())
    wanted = {"count": options.segments, "workload": options.workload,
              "segment_size": options.wal_segsize * MIB}
    run = Run(options, wanted)
    try:
        settings = parse_settings(options.set)
        contenders = make_contenders(options.contenders, run.bench, settings)
        contenders += walden_variants(run, settings)

        def measure(contender):
            for latency_ms in options.latency:
                figures.add({"store": run.store.name, "latency ms": latency_ms,
                             "contender": contender.name},
                            {"segments": len(run.cluster.names) - options.after,
                             **drain_once(run, contender, latency_ms)})

        in_turn(options, contenders, measure)
    finally:
        run.close()
    return figures


def push_once(run, contender):
    """One sample of `push`: {metric: value or list}."""
    cluster, names = run.cluster, run.cluster.names
    values = {}
    cluster.mark(ready=names)
    contender.reset()
    watch = Watch(cluster.archiver())
    try:
        # Work that is done: what is left is asking for it.
        words = contender.push_words() + [f"pg_wal/{names[-1]}"] \
            if hasattr(contender, "push_words") else ["/bin/true"]
        if contender.work_ahead(names) or contender.name == "floor":
            values["done alone ms"] = time_calls(run.account, words, run.options.calls, cluster.data)
            values["done ms"] = 1000 * cluster.drain(names, contender.command()) / len(names)
    finally:
        contender.stop()
        watch.finish()
    cluster.mark(ready=[])
    contender.reset()
    watch = Watch(cluster.archiver())
    try:
        walls = cluster.drain_one_by_one(names, contender.command())
        values["first fresh ms"] = 1000 * walls[0]
        values["fresh ms"] = [1000 * wall for wall in walls[1:]]
    finally:
        contender.stop()
        watch.finish()
    return values


def push(options):
    figures = Figures("push", environment())
    wanted = {"count": options.segments, "workload": "oltp", "segment_size": 16 * MIB}
    run = Run(options, wanted)
    try:
        contenders = make_contenders(options.contenders, run.bench, parse_settings(options.set))
        in_turn(options, contenders, lambda contender: figures.add(
            {"store": run.store.name, "contender": contender.name}, push_once(run, contender)))
    finally:
        run.close()
    return figures


def large_variants(run, settings):
    return [Walden(run.bench, f"{upload}-{codec}",
                   {**settings, "codec.method": codec, "store.multipart_threshold": threshold})
            for upload, threshold in MULTIPART.items() for codec in ("zstd", "none")]


def large(options):
    """One segment of each size, after a small first one has started the agent."""
    figures = Figures("large", environment())
    options.store, options.after = "s3", 1
    for size in options.wal_segsize:
        wanted = {"count": 2, "workload": "random", "segment_size": size * MIB}
        directory = f"{options.cluster}/{size}" if options.cluster else None
        run = Run(options, wanted, directory)
        try:
            def measure(contender):
                for latency_ms in options.latency:
                    values = drain_once(run, contender, latency_ms)
                    figures.add({"segment MiB": size, "latency ms": latency_ms,
                                 "upload": contender.name},
                                {"seconds": 1 / values.pop("segments/s"), **values})

            in_turn(options, large_variants(run, parse_settings(options.set)), measure)
        finally:
            run.close()
    return figures


def make_cluster(options):
    if not options.cluster:
        raise Failed("name its directory by --cluster")
    Run(options, {"count": options.segments, "workload": options.workload,
                  "segment_size": options.wal_segsize * MIB}).close()


# ---- the command line -------------------------------------------------------------------------

def numbers(low, high):
    def parse(text):
        values = [int(word) for word in text.split(",")]
        if not all(low <= value <= high for value in values):
            raise ValueError
        return values
    parse.__name__ = f"list of numbers from {low} to {high}"
    return parse


def add_common(parser, segments):
    parser.add_argument("--cluster", metavar="DIR",
                        help="where the cluster with its WAL is, or is made and then kept; without "
                             "it, one is made and removed again")
    if segments:
        parser.add_argument("--segments", type=int, default=segments, help="default: %(default)s")
    parser.add_argument("--scratch", metavar="DIR", default="/var/tmp",
                        help="on the disk to measure (default: %(default)s)")
    parser.add_argument("--programs", metavar="DIR",
                        default=os.environ.get("WALDEN_BENCH_PROGRAMS"),
                        help="with walden and walden-push (default: of this build)")
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[],
                        help="another setting of walden.toml for walden, as codec.level=3")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--fsync", choices=("on", "off"), default="on",
                        help="of PostgreSQL, which syncs each change of archive_status "
                             "(default: %(default)s)")
    parser.set_defaults(store="posix", workload="oltp", wal_segsize=16, after=0, latency=[0],
                        in_flight=[], failed=False)


def add_contenders(parser, default):
    parser.add_argument("--store", choices=("posix", "s3"), default="posix",
                        help="a directory, or Ceph radosgw, which is started "
                             "(default: %(default)s)")
    parser.add_argument("--contenders", type=lambda text: text.split(","), metavar="NAME,...",
                        default=default, help=f"of {', '.join(NAMES)}; those not installed are "
                                              f"skipped (default: {','.join(default)})")


def command_line():
    parser = argparse.ArgumentParser(prog="walden-bench archive", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("cluster", help="only make the cluster with its WAL")
    add_common(one, 200)
    one = commands.add_parser("drain", help="how fast the archiver gets rid of ready segments")
    add_common(one, 200)
    add_contenders(one, NAMES)
    one.add_argument("--latency", type=numbers(0, 10000), default=[0], metavar="MS,...",
                     help="round trips to the S3 store, put in between (default: 0)")
    one.add_argument("--in-flight", type=numbers(1, 64), default=[], metavar="N,...",
                     help="walden also with each of these values of agent.in_flight")
    one.add_argument("--after", type=int, default=0, metavar="N",
                     help="archive N of the segments before, not measured: the steady state")
    one = commands.add_parser("push", help="one call whose work is done, and one fresh segment")
    add_common(one, 40)
    add_contenders(one, NAMES)
    one.add_argument("--calls", type=int, default=200,
                     help="of a command alone whose work is done (default: %(default)s)")
    one = commands.add_parser("large", help="one large segment on S3: in parts and in one request")
    add_common(one, 0)
    one.add_argument("--wal-segsize", type=numbers(1, 1024), default=[64, 1024], metavar="MIB,...",
                     help="default: 64,1024")
    one.add_argument("--latency", type=numbers(0, 10000), default=[100], metavar="MS,...",
                     help="round trips to the store (default: 100)")
    return parser.parse_args()


def main():
    options = command_line()
    if not options.programs:
        print("walden-bench: error: name the directory with walden by --programs", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    os.umask(0o022)
    try:
        become_subreaper()
        raise_descriptor_limit()
        action = {"cluster": make_cluster, "drain": drain, "push": push, "large": large}
        figures = action[options.command](options)
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
