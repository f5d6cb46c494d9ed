#!/usr/bin/env python3
"""walden-bench recover: PostgreSQL replays the same WAL, brought by walden and its peers.

See bench/README.md for what each figure means. Contenders run in turn, round after round.
"""

import argparse
import os
import pathlib
import signal
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests"))
from archive import Run, environment, in_turn, numbers  # noqa: E402
from cluster import MIB  # noqa: E402
from contenders import parse_settings  # noqa: E402
from figures import Figures, per  # noqa: E402
from harness.outcomes import Failed, Skip, wait_for  # noqa: E402
from harness.processes import become_subreaper, raise_descriptor_limit, time_calls  # noqa: E402
from recovering import Recovery, ReplayedCluster  # noqa: E402
from restorers import NAMES, make_restorer  # noqa: E402

REQUESTS = ("GET", "HEAD", "LIST", "PUT")


def restorers(run, options):
    """Those that can run here, everything archived; says of the others why not."""
    found = []
    for name in options.contenders:
        restorer = make_restorer(name, run.bench, parse_settings(options.set))
        reason = restorer.missing()
        if reason:
            print(f"{name}: skipped, {reason}", file=sys.stderr, flush=True)
            continue
        restorer.archive()
        found.append(restorer)
    return found


def replay_once(run, restorer, latency_ms):
    """One sample: {metric: value}."""
    recovery = Recovery(run.cluster, run.scratch / "recovered")
    recovery.prepare(restorer.command(recovery.data), restorer.linked())
    run.store.begin(latency_ms)
    try:
        replay = recovery.run(restorer)
        traffic = run.store.traffic()
    finally:
        run.store.begin(latency_ms=0)
    count = len(run.cluster.names)
    values = {"seconds": replay.seconds, "ms/segment": 1000 * replay.seconds / count,
              "cpu s/1000": 1000 * replay.cpu_seconds / count,
              "helper cpu s/1000": 1000 * replay.helper_cpu_seconds / count}
    values.update(replay.told)
    if replay.helper_peak:
        values["peak MiB"] = replay.helper_peak / MIB
    if traffic and restorer.name not in ("limit", "link", "cp"):
        values.update({f"{name}/segment": per(traffic.get(name, 0), count) for name in REQUESTS})
        values["connections/1000"] = per(1000 * traffic["connections"], count)
    return values


def replay(options):
    figures = Figures("replay", environment())
    wanted = {"count": options.segments, "workload": options.workload, "segment_size": 16 * MIB}
    run = Run(options, wanted, cluster_class=ReplayedCluster)
    run.cluster.stop()
    limits = {}  # of the round: what the others are compared with
    try:
        def measure(restorer):
            for latency_ms in options.latency:
                is_local = restorer.name in ("limit", "link", "cp")
                if is_local and latency_ms != options.latency[0]:
                    continue
                values = replay_once(run, restorer, latency_ms)
                if restorer.name == "limit":
                    limits["now"] = values["seconds"]
                if "now" in limits:
                    values["x limit"] = values["seconds"] / limits["now"]
                    values["waited %"] = max(0, 100 * (1 - limits["now"] / values["seconds"]))
                figures.add({"wal": options.workload, "store": run.store.name,
                             "latency ms": "-" if is_local else latency_ms,
                             "contender": restorer.name},
                            {"segments": len(run.cluster.names), **values})

        in_turn(options, restorers(run, options), measure)
    finally:
        run.close()
    return figures


def make_cluster(options):
    if not options.cluster:
        raise Failed("name its directory by --cluster")
    Run(options, {"count": options.segments, "workload": options.workload,
                  "segment_size": 16 * MIB}, cluster_class=ReplayedCluster).close()


def has_all_ahead(recovery):
    """Whether the agent has what it wants to have."""
    return recovery["in_flight"] == 0 and recovery["ahead"]["count"] > 0


def time_warm(restorer, recovery, count):
    """Milliseconds of calls for segments that the agent has ahead. Of the server that recovers only
    the traces are there that the agent looks at: recovery.signal, and a process that lives."""
    account, target = recovery.account, pathlib.Path("pg_wal/RECOVERYXLOG")
    words = restorer.use_agent()
    account.write(recovery.data / "postmaster.pid", f"{os.getpid()}\n{recovery.data}\n")
    times = []
    for name in recovery.cluster.names[:count + 1]:
        times += time_calls(account, [*words, name, target], 1, recovery.data, removed=target)
        wait_for(lambda: has_all_ahead(restorer.recovery_told()), "segments ahead", 120, pause=0.01)
    hits = restorer.recovery_told()["prefetched"]
    if hits != count:
        raise Failed(f"of {count} segments {hits} were there")
    restorer.stop()
    return times[1:]  # the first one starts the agent


def calls(options):
    """One walden-fetch by itself: of a segment that the agent has ahead, cold (no agent), and of a
    name that is not there."""
    figures = Figures("calls", environment())
    wanted = {"count": options.segments, "workload": options.workload, "segment_size": 16 * MIB}
    run = Run(options, wanted, cluster_class=ReplayedCluster)
    run.cluster.stop()
    try:
        restorer, = restorers(run, argparse.Namespace(**{
            **vars(options), "contenders": ["walden-no-agent"]}))
        recovery = Recovery(run.cluster, run.scratch / "recovered")
        recovery.prepare(restorer.command(recovery.data))
        names, words = run.cluster.names, restorer.fetch_words()
        target = pathlib.Path("pg_wal/RECOVERYXLOG")
        absent = names[-1][:8] + "000000FF000000AA"
        for _ in range(options.rounds):
            # PostgreSQL removes what is there before each call (RestoreArchivedFile): to replace
            # a file costs ext4 its allocation within the rename.
            cold = time_calls(run.account, [*words, names[len(names) // 2], target], options.calls,
                                          recovery.data, removed=target)
            copy = time_calls(run.account, 
                ["cp", run.cluster.data / "pg_wal" / names[0], target], options.calls,
                recovery.data, removed=target)
            script = f"{' '.join(map(str, words))} {absent} {target}; test $? = 1"
            missing = time_calls(run.account, ["sh", "-c", script], options.calls, recovery.data)
            shell = time_calls(run.account, ["sh", "-c", "/bin/true; test $? = 0"], options.calls,
                                           recovery.data)
            warm = time_warm(restorer, recovery, min(options.calls, len(names) - 2))
            figures.add({"store": run.store.name, "wal": options.workload},
                        {"warm ms": statistics.median(warm), "cold ms": statistics.median(cold), "cp ms": statistics.median(copy),
                         "404 ms": statistics.median(missing),
                         "sh + true ms": statistics.median(shell)})
    finally:
        run.close()
    return figures


def add_common(parser):
    parser.add_argument("--cluster", metavar="DIR",
                        help="where the cluster with its WAL is, or is made and then kept")
    parser.add_argument("--segments", type=int, default=200,
                        help="that are made (default: %(default)s)")
    parser.add_argument("--workload", choices=("oltp", "random", "idle"), default="oltp",
                        help="pgbench's transactions; rows of random hex; nearly empty segments")
    parser.add_argument("--scratch", metavar="DIR", default="/var/tmp",
                        help="on the disk to measure (default: %(default)s)")
    parser.add_argument("--programs", metavar="DIR", default=None,
                        help="with walden and walden-fetch (default: of this build)")
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[],
                        help="another setting of walden.toml for walden")
    parser.add_argument("--store", choices=("posix", "s3"), default="posix",
                        help="a directory, or Ceph radosgw, which is started")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(fsync="off", latency=[0], failed=False)


def command_line():
    parser = argparse.ArgumentParser(prog="walden-bench recover", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add_common(commands.add_parser("cluster", help="only make the cluster with its WAL"))
    one = commands.add_parser("replay", help="recovery from the first segment to the last")
    add_common(one)
    one.add_argument("--contenders", type=lambda text: text.split(","), metavar="NAME,...",
                     default=NAMES, help=f"of {', '.join(NAMES)}")
    one.add_argument("--latency", type=numbers(0, 10000), default=[0], metavar="MS,...",
                     help="round trips to the S3 store, put in between (default: 0)")
    one = commands.add_parser("calls", help="one walden-fetch by itself")
    add_common(one)
    one.add_argument("--calls", type=int, default=50, help="of each kind (default: %(default)s)")
    return parser.parse_args()


def main():
    options = command_line()
    options.programs = options.programs or os.environ.get("WALDEN_BENCH_PROGRAMS")
    if not options.programs:
        print("walden-bench: error: name the directory with walden by --programs", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    try:
        become_subreaper()
        raise_descriptor_limit()
        action = {"cluster": make_cluster, "replay": replay, "calls": calls}
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
