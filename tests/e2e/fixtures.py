"""Situations that several scenarios begin with."""

import dataclasses
import pathlib

from pg import Cluster, add_rows, require_postgres
from scenario import step
from walden import Walden


@dataclasses.dataclass
class Archive:
    """A primary that archives through walden and keeps plain copies beside, to compare with."""

    primary: Cluster
    walden: Walden
    side: pathlib.Path  # byte-for-byte copies of everything that was archived

    def copies(self, suffix=""):
        """The plain copies of segments (suffix "") or of ".history", ".backup", ... by name."""
        return sorted(path for path in self.side.iterdir()
                      if (path.name.endswith(suffix) if suffix else len(path.name) == 24))


def archiving_primary(scenario, wal_segsize=1, settings=None, store=None, **walden_settings):
    """A running primary whose archive_command is walden-push, on a new repository in `store`."""
    require_postgres()
    primary = Cluster(scenario, "primary", wal_segsize)
    walden = Walden(scenario, primary, store=store, **walden_settings)
    step(f"a primary with {wal_segsize} MiB segments archives into a new repository")
    primary.initdb()
    walden.init()
    side = scenario.make_directory(scenario.directory / "side")
    primary.configure(archive_mode="on", **(settings or {}),
                      archive_command=f"{walden.archive_command()} && cp %p {side}/%f")
    primary.start()
    return Archive(primary, walden, side)


def plain_wal(scenario, name="primary", batches=3):
    """A stopped cluster and plain copies of its first complete segments, made without walden.

    Each segment is nearly full of incompressible rows, so that its bytes do not fit in an entry.
    Returns (cluster, [paths of segments]).
    """
    require_postgres()
    cluster = Cluster(scenario, name)
    cluster.initdb()
    side = scenario.make_directory(scenario.directory / f"{name}.side")
    cluster.configure(archive_mode="on", archive_command=f"cp %p {side}/%f").start()
    for batch in range(batches):
        add_rows(cluster, batch)
        cluster.archive_now()
    cluster.stop()
    return cluster, sorted(path for path in side.iterdir() if len(path.name) == 24)


def diverge(scenario, cluster, name="clone"):
    """Two futures of the stopped `cluster`: it and a copy write different WAL of the same names.

    Returns (clone, {segment name: (path of the original's, path of the clone's)}); both are
    stopped again.
    """
    clone = Cluster(scenario, name)
    scenario.copy_tree(cluster.data, clone.data)
    sides = []
    for number, one in enumerate((cluster, clone)):
        side = scenario.make_directory(scenario.directory / f"{one.name}.future")
        one.configure(archive_mode="on", archive_command=f"cp %p {side}/%f").start()
        add_rows(one, 100 + number)
        one.archive_now()
        one.stop()
        sides.append({path.name: path for path in side.iterdir() if len(path.name) == 24})
    both = {}
    for segment in sorted(set(sides[0]) & set(sides[1])):
        pair = (sides[0][segment], sides[1][segment])
        if pair[0].read_bytes() != pair[1].read_bytes():
            both[segment] = pair
    return clone, both
