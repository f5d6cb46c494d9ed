"""The archive that restore_faults damages, and the lists of damages.

Two timelines: the primary's, and that of a successor which was recovered from the archive. The
victim is a segment in the middle of timeline 2. "All rows" are those archived up to the end.

The old primary has gone on with timeline 1 by itself and archives no more: pg_rewind has to bring
it back. It reads timeline 1 backwards from where the successor left, and has none of it in its
pg_wal; there the victim is the last segment of timeline 1.
"""

import dataclasses
import json
import re
import typing

from fixtures import archiving_primary
from pg import Cluster, add_rows
from scenario import check, step
from walden import Walden


@dataclasses.dataclass
class Situation:
    scenario: typing.Any
    store: typing.Any
    backup: typing.Any
    rows: int
    victim: str     # a segment of timeline 2 with segments before and after it
    neighbour: str  # the one after it
    last: str       # the last segment of timeline 1 before the one in which 2 begins
    foreign: str    # a segment of another cluster in the same repository
    diverged: typing.Any   # data directory of the old primary
    successor: typing.Any  # and of the successor, stopped
    key_file: typing.Any
    key: bytes
    server: typing.Any = None  # the server under test
    reader: typing.Any = None  # and its Walden

    def before_the_victim_on_timeline_1(self):
        """A segment of timeline 1 that is not the victim."""
        return next(name for name in self.store.segments()
                    if name.startswith("00000001") and name < self.last)

    def repair(self):
        """Everything as before any damage."""
        self.store.reset()
        self.scenario.write(self.key_file, self.key)
        self.reader.configure(store=self.store.settings())


def other_cluster(scenario, walden):
    """Archives another cluster into the same repository; returns one of its segment names."""
    other = Cluster(scenario, "other")
    other.initdb()
    own = Walden(scenario, other, name="other.walden", label="other", store=walden.store,
                 key_file=walden.key_file)
    own.init()  # each cluster is registered in the repository by its own init
    other.configure(archive_mode="on", archive_command=own.archive_command()).start()
    before = set(walden.store.segments())
    add_rows(other, 0)
    # As long a name as the main cluster's does not have, so that it stands for itself.
    name = other.archive_now()
    while name in before:
        add_rows(other, 1, rows=2000)
        name = other.archive_now()
    other.stop()
    return name


def diverge(scenario, primary):
    """The old primary, started again, goes on with timeline 1; returns its data directory."""
    primary.configure(archive_mode="off").start()
    add_rows(primary, 99, rows=500)
    primary.stop()
    archived = [name for name in primary.done() if len(name) == 24]
    diverged = scenario.copy_tree(primary.data, scenario.directory / "diverged")
    for name in archived:
        (diverged / "pg_wal" / name).unlink(missing_ok=True)
    return diverged


def prepare(scenario, store=None):
    archive = archiving_primary(scenario, store=store)
    primary, walden = archive.primary, archive.walden
    backup = primary.base_backup(scenario.directory / "backup")
    for batch in range(2):
        add_rows(primary, batch)
        primary.archive_now()
    primary.stop()
    diverged = diverge(scenario, primary)
    step("a successor goes on with timeline 2")
    successor = Cluster.from_backup(scenario, "successor", backup, archive_mode="on",
                                    restore_command=walden.restore_command())
    own = Walden(scenario, successor, name="successor.walden", store=walden.store,
                 key_file=walden.key_file)
    successor.configure(archive_command=own.archive_command()).finish_recovery()
    for batch in range(2, 7):
        add_rows(successor, batch)
        successor.archive_now()
    rows = successor.count("t")
    check(rows == 7 * 4000, f"the successor has all rows, found {rows}")
    successor.stop()
    second = [name for name in walden.store.segments() if name.startswith("00000002")]
    check(len(second) >= 5, f"segments of timeline 2: {second}")
    middle = len(second) // 2
    last = max(name for name in walden.store.segments()
               if name.startswith("00000001") and name[8:] < second[0][8:])
    foreign = other_cluster(scenario, walden)
    walden.store.save()
    return Situation(scenario, walden.store, backup, rows, second[middle], second[middle + 1],
                     last, foreign, diverged, successor.data, walden.key_file,
                     walden.key_file.read_bytes())


# ---- the damages -----------------------------------------------------------------------------

SPEAKER = re.compile("walden[- ]fetch:")  # the second where it went over to walden, for S3
CORRUPT = ("corrupt", "truncat", "damage", "authentic", "checksum", "short", "does not match",
           "integrity", "invalid", "size", "missing", "mismatch", "malformed", "empty", "swapped")
ABSENT = ("missing", "hole", "gap", "absent")
STORE = ("store", "repository", "directory", "mount")
DENIED = ("denied", "permission", "unreadable")


@dataclasses.dataclass
class Damage:
    """A line of walden-fetch in the server's log must have one of `words` and the `subject`, a
    file name, or an attribute of Situation that holds one."""

    name: str
    apply: typing.Callable
    words: tuple
    subject: str = ""
    is_harmless: bool = False  # slow, say: recovery has to go on
    spares_rewind: bool = False  # what pg_rewind does not ask for

    def is_reported(self, situation, log):
        subject = str(getattr(situation, self.subject, self.subject) if self.subject else "")
        lines = [line.lower() for line in log.splitlines() if SPEAKER.search(line)]
        return any(subject.lower() in line and any(word in line for word in self.words)
                   for line in lines)


def on_body(method, *others):
    """A damage to the object that holds the victim's bytes."""
    def apply(s):
        getattr(s.store, method)(s.store.body(s.victim), *[s.store.body(o(s)) for o in others])
    return apply


def on_entry(method, *others):
    """A damage to the victim's entry."""
    def apply(s):
        getattr(s.store, method)(s.store.entry(s.victim), *[s.store.entry(o(s)) for o in others])
    return apply


def swap_all(s):
    """Both objects of two segments change places: a consistent lie."""
    s.store.swap(s.store.entry(s.victim), s.store.entry(s.neighbour))
    s.store.swap(s.store.body(s.victim), s.store.body(s.neighbour))


def another_key(s):
    """A well-formed key file, of another repository."""
    stranger = Walden(s.scenario, s.server, name="stranger",
                      store=type(s.store)(s.scenario, s.scenario.directory / "stranger.store"))
    if not stranger.key_file.exists():
        stranger.init()
    s.scenario.write(s.key_file, stranger.key_file.read_bytes())


def neighbour(s):
    return s.neighbour


def other_timeline(s):
    return s.before_the_victim_on_timeline_1()


def foreign(s):
    return s.foreign


def remove_before_switch(s):
    """What a primary leaves that died before it archived its last complete segment. A standby is told
    "not there", because it may have the segment in pg_wal or get it by streaming, until it is
    promoted; this one cannot."""
    s.store.remove(s.store.entry(s.last))


# No right to read is not a passing trouble: on a standby exit code 1 would make PostgreSQL ask
# again, and open with what it has when it is promoted meanwhile, because the history is readable.
OBJECTS = [
    Damage("content truncated", on_body("truncate"), CORRUPT, "victim"),
    Damage("content cut to nothing", lambda s: s.store.truncate(s.store.body(s.victim), 0),
           CORRUPT, "victim"),
    Damage("content flipped", on_body("flip"), CORRUPT, "victim"),
    Damage("content zeroed", on_body("zero"), CORRUPT, "victim"),
    Damage("content swapped with the neighbour's", on_body("swap", neighbour), CORRUPT, "victim"),
    Damage("content of another cluster", on_body("replace", foreign), CORRUPT, "victim"),
    Damage("content unreadable", on_body("deny"), DENIED, "victim"),
    Damage("content removed, entry stays", on_body("remove"), ABSENT + CORRUPT, "victim"),
    Damage("entry truncated", on_entry("truncate"), CORRUPT, "victim"),
    Damage("entry flipped", on_entry("flip"), CORRUPT, "victim"),
    Damage("entry zeroed", on_entry("zero"), CORRUPT, "victim"),
    Damage("entry swapped with the neighbour's", on_entry("swap", neighbour), CORRUPT, "victim"),
    Damage("entry of another cluster", on_entry("replace", foreign), CORRUPT, "victim"),
    Damage("entry and content swapped with the neighbour's", swap_all, CORRUPT, "victim"),
    Damage("entry of another segment of timeline 1", on_entry("replace", other_timeline), CORRUPT,
           "victim"),
    Damage("entry unreadable", on_entry("deny"), DENIED, "victim"),
    # A later entry exists on the timeline, so this is a hole and not the end of WAL.
    Damage("entry removed in the middle", on_entry("remove"), ABSENT, "victim"),
    Damage("entry removed just before the switch to timeline 2", remove_before_switch, ABSENT, "last"),
]
WORLD = [
    Damage("history emptied", lambda s: s.store.truncate(s.store.history(2), 0), CORRUPT,
           "00000002.history", spares_rewind=True),
    Damage("history flipped", lambda s: s.store.flip(s.store.history(2)), CORRUPT,
           "00000002.history", spares_rewind=True),
    # The timeline has entries, so its history is lost and not unborn.
    Damage("history removed", lambda s: s.store.remove(s.store.history(2)), ABSENT,
           "00000002.history", spares_rewind=True),
    Damage("store renamed away", lambda s: s.store.unmount(), STORE),
    Damage("store replaced by an empty directory", lambda s: s.store.empty(), STORE),
    Damage("store unreadable", lambda s: s.store.deny(s.store.root), DENIED + STORE),
    Damage("folder of the victim unreadable",
           lambda s: s.store.deny(s.store.entry(s.victim).parent), DENIED, "0000000"),
    Damage("descriptor flipped", lambda s: s.store.flip(s.store.root / "walden.repository"),
           CORRUPT + STORE),
    Damage("key file missing", lambda s: s.key_file.unlink(), ("key",)),
    Damage("key of another repository", another_key, ("key", "repository")),
    Damage("configuration missing", lambda s: s.reader.config.unlink(), ("config",)),
    Damage("configuration cut off", lambda s: s.reader.write_config("cluster = \"ma"), ("toml",)),
]


# ---- what an S3 store can answer ------------------------------------------------------------


def answering(action, match=None):
    """The store's answers to reads of the victim are spoilt, or those that `match` names."""
    def apply(s):
        only = {"key_contains": s.victim} if match is None else match
        s.store.server.faults({"match": {"method": "GET", **only}, "times": -1, "action": action})
    return apply


def unreachable(s):
    s.reader.configure(store={"endpoint": "http://127.0.0.1:9"})  # discard: nobody listens


UNREACHABLE = ("connect", "reach", "refused")
NETWORK = [
    Damage("store unreachable", unreachable, UNREACHABLE),
    Damage("403", answering({"status": 403, "code": "AccessDenied"}), DENIED, "victim"),
    Damage("404 of the bucket", answering({"status": 404, "code": "NoSuchBucket"}), ("bucket",)),
    Damage("404 of a web server", answering({"status": 404, "code": "x", "body": "<html>no</html>"}),
           ("404", "answer")),
    Damage("storm of 500", answering({"status": 500}, {}), ("500", "internal", "server error")),
    Damage("503 for the victim", answering({"status": 503, "code": "SlowDown"}), ("503", "slow")),
    Damage("stall", answering({"stall": -1}), ("time", "stall", "slow")),
    Damage("stall amid a body", answering({"stall": -1, "truncate": 100}), ("time", "stall", "slow")),
    Damage("truncated", answering({"truncate": 100}), ("ended", "clos", "end of", "short", "cut",
                                                       "connection", "transfer", "partial")),
    Damage("flipped", answering({"flip": -100}), CORRUPT, "victim"),
    Damage("slow", answering({"slow": 4_000_000}), (), is_harmless=True),
]
GROUPS = {"objects": OBJECTS, "world": WORLD, "network": NETWORK}


def describe(situation):
    return json.dumps({"victim": situation.victim, "neighbour": situation.neighbour,
                       "last": situation.last, "foreign": situation.foreign, "rows": situation.rows})
