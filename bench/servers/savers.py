"""What base backups are compared by: each saves the same server and brings it back."""

import dataclasses
import re
import shutil

from contenders import PEER_LEVEL, PEER_WORKERS
from harness import walden
from harness.outcomes import Failed
from harness.processes import measure
from harness.stores import tree_bytes
from harness.toml import tables_of


@dataclasses.dataclass
class Bench:
    """What all savers are given."""

    account: object
    server: object  # harness.postgres.Server, running
    store: object
    scratch: object
    programs: object  # with walden
    settings: dict  # more of walden.toml


class Saver:
    """`name` is what --contenders takes and a figure is labelled with. A call that is measured
    returns (seconds, harness.processes.Usage)."""

    name = ""
    stores = ("posix", "s3")

    def __init__(self, bench):
        self.bench = bench
        self.home = bench.account.make_directory(bench.scratch / self.name)

    def missing(self):
        """A word on why it cannot run here; "" if it can."""
        store = self.bench.store.name
        return "" if store in self.stores else f"does not save to {store}"

    def version(self):
        raise NotImplementedError

    def has_delta(self):
        """Whether it can restore onto existing files."""
        return True

    def prepare(self):
        """An empty place to save to."""
        self.bench.store.clear(self.name)

    def archive_command(self):
        """What the server must do with its WAL; "" if nothing."""
        return ""

    def backup(self, is_first):
        """The first backup is a full one, a later one whatever the tool makes by itself."""
        raise NotImplementedError

    def restore(self, directory, is_delta):
        raise NotImplementedError

    def restore_command(self):
        """How a restored server gets its WAL; "" if it is told by the restore itself."""
        return ""

    def saved_bytes(self):
        """Of all backups, without WAL."""
        raise NotImplementedError

    def stop(self):
        """Ends what still runs."""

    def measure(self, *argv, **options):
        return measure(self.bench.account, argv, cwd=self.home, **options)


class Walden(Saver):
    name = "walden"

    def __init__(self, bench):
        super().__init__(bench)
        self.installed = None

    def missing(self):
        program = self.bench.programs / "walden"
        if not program.exists():
            return f"there is no {program}"
        help_text = self.bench.account.run([program, "--help"]).out
        if not re.search(r"^ +backup ", help_text, re.MULTILINE):
            return f"{program} has no command \"backup\""
        return super().missing()

    def version(self):
        return self.bench.account.run([self.bench.programs / "walden", "--version"]).out.split()[-1]

    def has_delta(self):
        words = [self.bench.programs / "walden", "restore", "--help"]
        return "--delta" in self.bench.account.run(words).out

    def prepare(self):
        super().prepare()
        state = self.home / "state"
        shutil.rmtree(state, ignore_errors=True)
        self.bench.account.make_directory(state)
        key = self.home / "key"
        key.unlink(missing_ok=True)
        tables = tables_of({"cluster": "bench", "pgdata": self.bench.server.data, "state_dir": state,
                            "encryption.key_file": key, **self.bench.settings})
        tables["store"] = {**self.bench.store.settings(self.name), **tables.get("store", {})}
        self.installed = walden.Walden(self.bench.account, self.bench.programs,
                                       self.home / "walden.toml", tables)
        self.installed.init()

    def archive_command(self):
        return self.installed.archive_command()

    def restore_command(self):
        return self.installed.restore_command()

    def backup(self, is_first):
        server = self.bench.server
        return self.measure(*self.installed.argv("walden", "backup", *(["--full"] if is_first else [])),
                            env={"PGHOST": str(server.sockets), "PGPORT": str(server.port),
                                 "PGUSER": "postgres", "PGDATABASE": "postgres"})

    def restore(self, directory, is_delta):
        delta = ["--delta"] if is_delta else []
        return self.measure(*self.installed.argv("walden", "restore", "--latest", *delta, directory))

    def saved_bytes(self):
        return sum(size for key, size in self.bench.store.objects(self.name).items()
                   if "/backups/" in key)

    def stop(self):
        if self.installed:
            self.installed.run("walden", "agent", "--stop", ok=False)


class PgBackRest(Saver):
    """Two processes, zst 3, bundles, and blocks where it has them; without a cipher. It does not wait
    for its WAL (archive-check is off), which walden archives here."""

    name = "pgbackrest"
    stores = ("posix",)

    def missing(self):
        return super().missing() or ("" if shutil.which("pgbackrest") else "not installed")

    def version(self):
        return self.bench.account.run(["pgbackrest", "version"]).out.split()[-1]

    def has_blocks(self):
        """Block incremental backups came with 2.46."""
        major, minor = re.match(r"(\d+)\.(\d+)", self.version()).groups()
        return (int(major), int(minor)) >= (2, 46)

    def prepare(self):
        super().prepare()
        folders = {name: self.home / name for name in ("log", "lock", "spool")}
        for folder in folders.values():
            shutil.rmtree(folder, ignore_errors=True)
            self.bench.account.make_directory(folder)
        settings = {
            "repo1-path": self.bench.store.place(self.name), "repo1-bundle": "y",
            "repo1-retention-full": 9, "compress-type": "zst", "compress-level": PEER_LEVEL,
            "process-max": PEER_WORKERS, "start-fast": "y", "archive-check": "n",
            "log-path": folders["log"], "lock-path": folders["lock"], "spool-path": folders["spool"],
            "log-level-console": "warn", "log-level-file": "off"}
        if self.has_blocks():
            settings["repo1-block"] = "y"
        server = self.bench.server
        cluster = {"pg1-path": server.data, "pg1-socket-path": server.sockets, "pg1-port": server.port,
                   "pg1-user": "postgres", "pg1-database": "postgres"}
        self.config = self.bench.account.write(self.home / "pgbackrest.conf", "".join(
            f"[{section}]\n" + "".join(f"{name}={value}\n" for name, value in lines.items())
            for section, lines in (("global", settings), ("bench", cluster))))
        self.bench.account.run([*self.words(), "stanza-create"], cwd=self.home)

    def words(self):
        return ["pgbackrest", f"--config={self.config}", "--stanza=bench"]

    def backup(self, is_first):
        return self.measure(*self.words(), f"--type={'full' if is_first else 'incr'}", "backup")

    def restore(self, directory, is_delta):
        delta = ["--delta"] if is_delta else []
        return self.measure(*self.words(), f"--pg1-path={directory}", "--type=none", *delta,
                            "restore")

    def saved_bytes(self):
        return tree_bytes(self.bench.store.place(self.name) / "backup")


class PgBaseBackup(Saver):
    """A compressed tar, made by one process; each one is full. Restored by tar and zstd."""

    name = "pg_basebackup"
    stores = ("posix",)

    def has_delta(self):
        return False

    def prepare(self):
        super().prepare()
        self.count = 0

    def version(self):
        return self.bench.account.run([self.bench.server.program("pg_basebackup"), "--version"]).out.split()[2]

    def missing(self):
        return super().missing() or ("" if shutil.which("zstd") else "there is no zstd")

    def backup(self, is_first):
        self.count += 1
        server = self.bench.server
        return self.measure(server.program("pg_basebackup"), "-h", server.sockets, "-p", server.port, "-U",
                            "postgres", "-D", self.last(), "-Ft", "-X", "none", "-c", "fast",
                            f"--compress=client-zstd:{PEER_LEVEL}")

    def last(self):
        return self.bench.store.place(self.name) / str(self.count)

    def restore(self, directory, is_delta):
        self.bench.account.make_directory(directory)
        used = self.measure("tar", "-x", "-I", "zstd -d", "-f", self.last() / "base.tar.zst", "-C", directory)
        # The others are durable when they end.
        return used[0] + self.measure("sync", "-f", directory)[0], used[1]

    def saved_bytes(self):
        return tree_bytes(self.bench.store.place(self.name))


KINDS = {kind.name: kind for kind in (Walden, PgBackRest, PgBaseBackup)}


def make_savers(names, bench):
    """Those that can run here; says of the others why not."""
    found = []
    for name in names:
        if name not in KINDS:
            raise Failed(f"there is no contender \"{name}\": {', '.join(KINDS)}")
        saver = KINDS[name](bench)
        reason = saver.missing()
        print(f"{name}: {'skipped, ' + reason if reason else saver.version()}", flush=True)
        if not reason:
            found.append(saver)
    if not found:
        raise Failed("nothing to measure")
    return found
