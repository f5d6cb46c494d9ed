"""What recovery is compared by: each contender of contenders.py, and how it brings segments back."""

import json

from contenders import PgBackRest, Walden
from harness.outcomes import Failed

QUEUES = {"pgbackrest-async": None, "pgbackrest-async-1GiB": "1GiB"}


class Restorer:
    """`archive()` once; then for each recovery `command(data)` and `stop()`."""

    name = ""
    stores = ("posix", "s3")

    def __init__(self, bench):
        self.bench = bench

    def missing(self):
        return "" if self.bench.store.name in self.stores else "for a directory only"

    def linked(self):
        """The segments that lie in pg_wal already."""
        return ()

    def archive(self):
        """Brings all segments of the cluster where they are restored from."""

    def command(self, data):
        """The restore_command of a server in `data`, with no state of an earlier recovery."""
        raise NotImplementedError

    def told(self):
        """{metric: value} that it tells itself about the recovery that has just ended."""
        return {}

    def stop(self):
        """Asks what still runs to end."""


class Limit(Restorer):
    """All WAL is in pg_wal: nothing but PostgreSQL's redo, and a command that has nothing."""

    name = "limit"
    stores = ("posix", "s3")

    def linked(self):
        return self.bench.cluster.names

    def command(self, data):
        return "/bin/false"


class Link(Restorer):
    """PostgreSQL's own price of a call: no byte is copied."""

    name = "link"

    def command(self, data):
        return f"ln {self.bench.cluster.data}/pg_wal/%f %p"


class Copied(Restorer):
    name = "cp"

    def command(self, data):
        return f"cp {self.bench.cluster.data}/pg_wal/%f %p"


class WaldenRestorer(Restorer):
    """`settings` change some of walden's."""

    def __init__(self, bench, name, settings):
        super().__init__(bench)
        self.name = name
        self.settings = settings
        self.walden = Walden(bench, name, {**settings, "agent.enabled": False})

    def missing(self):
        return self.walden.missing()

    def archive(self):
        self.walden.reset()
        self.bench.cluster.mark(ready=self.bench.cluster.names)
        self.walden.installed.run("walden", "flush")

    def command(self, data):
        # The data directory to recover is another one than that of the server that archived.
        self.installed = self.walden.configured("restore", data, **{
            "agent.enabled": self.settings.get("agent.enabled", True)})
        return self.installed.restore_command()

    def fetch_words(self):
        return self.installed.argv("walden-fetch")

    def use_agent(self):
        """The words of a call that asks an agent, whatever the settings say."""
        self.installed.configure(agent={"enabled": True})
        return self.fetch_words()

    def recovery_told(self):
        text = self.ask("status", "--json").out
        return (json.loads(text).get("recovery") if text else None) or {}

    def told(self):
        recovery = self.recovery_told()
        delivered = sum(recovery.get(how, 0) for how in ("prefetched", "awaited", "fetched"))
        if not delivered:
            return {}
        return {"hit %": 100 * recovery["prefetched"] / delivered,
                "agent's wait ms": 1000 * recovery["waited_seconds"] / delivered}

    def stop(self):
        self.ask("agent", "--stop")

    def ask(self, *words):
        return self.installed.run("walden", *words, ok=False)


class PgBackRestRestorer(Restorer):
    def __init__(self, bench, name, queue):
        super().__init__(bench)
        self.name = name
        self.queue = queue
        self.peer = PgBackRest(bench, is_async=True)

    def missing(self):
        return self.peer.missing()

    def archive(self):
        cluster = self.bench.cluster
        self.peer.reset()
        cluster.mark(ready=cluster.names)
        self.peer.work_ahead(cluster.names)

    def command(self, data):
        spool = self.peer.home / "spool"
        self.bench.account.run(["rm", "-rf", spool / "archive"], cwd=self.peer.home)
        text = self.peer.config.read_text(encoding="utf-8")
        text = text.replace(f"pg1-path={self.bench.cluster.data}", f"pg1-path={data}")
        if self.queue:
            text = text.replace("[global]\n", f"[global]\narchive-get-queue-max={self.queue}\n")
        config = self.peer.home / "restore.conf"
        self.bench.account.write(config, text)
        return f"pgbackrest --config={config} --stanza=bench archive-get %f \"%p\""


NAMES = ["limit", "link", "cp", "walden", "walden-no-agent", *QUEUES]


def make_restorer(name, bench, settings):
    if name == "walden":
        return WaldenRestorer(bench, name, settings)
    if name == "walden-no-agent":
        return WaldenRestorer(bench, name, {**settings, "agent.enabled": False})
    if name in QUEUES:
        return PgBackRestRestorer(bench, name, QUEUES[name])
    for kind in (Limit, Link, Copied):
        if kind.name == name:
            return kind(bench)
    raise Failed(f"there is no contender \"{name}\": {', '.join(NAMES)}")
