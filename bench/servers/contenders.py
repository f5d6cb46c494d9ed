"""What is measured: each archives the same segments through PostgreSQL's own archiver."""

import dataclasses
import json
import pathlib
import shutil

from harness import walden
from harness.outcomes import Failed, wait_for
from harness.toml import tables_of

# The same for all whose tool has such a choice.
PEER_WORKERS = 2
PEER_LEVEL = 3


@dataclasses.dataclass
class Bench:
    """What all contenders are given."""

    account: object
    cluster: object
    store: object
    scratch: pathlib.Path
    programs: pathlib.Path  # with walden and walden-push


class Contender:
    """`name` is what --contenders takes and a figure is labelled with. Subclasses say what the
    archive command is, and how to begin anew and end."""

    name = ""
    stores = ("posix", "s3")

    def __init__(self, bench):
        self.bench = bench
        self.home = bench.account.make_directory(bench.scratch / self.name)

    def missing(self):
        """A word on why it cannot run here; "" if it can."""
        if self.bench.store.name not in self.stores:
            return f"does not archive to {self.bench.store.name}"
        return ""

    def reset(self):
        """Nothing archived, no state, ready to archive."""
        self.bench.store.clear(self.name)

    def command(self):
        raise NotImplementedError

    def work_ahead(self, _segments):
        """Has everything that is ready archived, without PostgreSQL's knowing. False if it never
        works ahead."""
        return False

    def stop(self):
        """Asks what still runs to end."""

    def run(self, *argv, **options):
        return self.bench.account.run(argv, cwd=self.bench.cluster.data, **options)


class Floor(Contender):
    """What PostgreSQL's archiver takes by itself. Stores nothing, nowhere."""

    name = "floor"

    def command(self):
        return "/bin/true"


class Copy(Contender):
    """Not even durable: PostgreSQL's own example."""

    name = "cp"
    stores = ("posix",)

    def command(self):
        place = self.bench.store.place(self.name)
        return f"test ! -f {place}/%f && cp %p {place}/%f"


class Walden(Contender):
    """With its agent and otherwise default settings; `settings` change some of them."""

    name = "walden"

    def __init__(self, bench, name=None, settings=None):
        self.name = name or self.name
        super().__init__(bench)
        self.settings = settings or {}
        self.key = self.home / "key"
        self.installed = None  # harness.walden.Walden, since reset()

    def missing(self):
        for program in ("walden", "walden-push"):
            if not (self.bench.programs / program).exists():
                return f"there is no {program} in {self.bench.programs}"
        return super().missing()

    def configured(self, name, pgdata, **settings):
        """walden as it is told by the file `name`, with a new state directory."""
        account, state = self.bench.account, self.home / f"{name}.state"
        shutil.rmtree(state, ignore_errors=True)
        account.make_directory(state)
        tables = tables_of({"cluster": "bench", "pgdata": pgdata, "state_dir": state,
                            "encryption.key_file": self.key, **self.settings, **settings})
        tables["store"] = {**self.bench.store.settings(self.name), **tables.get("store", {})}
        return walden.Walden(account, self.bench.programs, self.home / f"{name}.toml", tables)

    def reset(self):
        super().reset()
        self.key.unlink(missing_ok=True)
        self.installed = self.configured("walden", self.bench.cluster.data)
        self.installed.init()

    def push_words(self):
        return self.installed.argv("walden-push")

    def command(self):
        return self.installed.archive_command()

    def has_agent(self):
        return self.settings.get("agent.enabled", True)

    def work_ahead(self, segments):
        if not self.has_agent():
            return False
        # The first question starts the agent, which then looks ahead.
        self.installed.run("walden-push", f"pg_wal/{segments[0]}")
        self.installed.run("walden", "flush")
        return True

    def stop(self):
        # Whether it ends is seen by whoever waits for it.
        if self.has_agent():
            self.installed.run("walden", "agent", "--stop", ok=False)


class PgBackRest(Contender):
    """zstd at its default level and the only cipher that it has."""

    def __init__(self, bench, is_async):
        self.name = "pgbackrest-async" if is_async else "pgbackrest-sync"
        super().__init__(bench)
        self.is_async = is_async
        self.config = self.home / "pgbackrest.conf"

    def missing(self):
        return super().missing() or ("" if shutil.which("pgbackrest") else "not installed")

    def repository(self):
        store = self.bench.store
        if store.name == "posix":
            return {"repo1-path": store.place(self.name)}
        # It speaks to S3 over TLS only.
        return {"repo1-type": "s3", "repo1-path": f"/{self.name}", "repo1-s3-bucket": store.bucket,
                "repo1-s3-endpoint": "s3.localhost", "repo1-s3-region": "us-east-1",
                "repo1-s3-key": store.access_key, "repo1-s3-key-secret": store.secret_key,
                "repo1-s3-uri-style": "path", "repo1-storage-host": "127.0.0.1",
                "repo1-storage-port": store.tls.port, "repo1-storage-verify-tls": "n"}

    def reset(self):
        super().reset()
        folders = {name: self.home / name for name in ("log", "lock", "spool")}
        for folder in folders.values():
            shutil.rmtree(folder, ignore_errors=True)
            self.bench.account.make_directory(folder)
        settings = {
            **self.repository(), "repo1-cipher-type": "aes-256-cbc",
            "repo1-cipher-pass": "walden-bench-not-a-secret", "compress-type": "zst",
            "compress-level": PEER_LEVEL, "process-max": PEER_WORKERS,
            "archive-async": "y" if self.is_async else "n", "spool-path": folders["spool"],
            "log-path": folders["log"], "lock-path": folders["lock"], "log-level-console": "warn",
            "log-level-file": "off"}
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        self.bench.account.write(self.config, "[global]\n" + "".join(lines)
                                 + f"\n[bench]\npg1-path={self.bench.cluster.data}\n")
        self.run(*self.words(), "--no-online", "stanza-create")

    def words(self):
        return ["pgbackrest", f"--config={self.config}", "--stanza=bench"]

    def command(self):
        return " ".join(map(str, self.words())) + " archive-push %p"

    def push_words(self):
        return [*self.words(), "archive-push"]

    def work_ahead(self, segments):
        if not self.is_async:
            return False
        # Starts a process that archives all that is ready and ends.
        self.run(*self.push_words(), f"pg_wal/{segments[0]}")
        done = self.home / "spool" / "archive" / "bench" / "out"
        wait_for(lambda: all((done / f"{name}.ok").exists() for name in segments[1:]),
                 "work ahead of pgBackRest", 600)
        return True


class WalG(Contender):
    """With libsodium's encryption where it was built in."""

    name = "wal-g"

    def missing(self):
        return super().missing() or ("" if shutil.which("wal-g") else "not installed")

    def reset(self):
        super().reset()
        store = self.bench.store
        settings = {"WALG_COMPRESSION_METHOD": "zstd", "WALG_UPLOAD_CONCURRENCY": PEER_WORKERS,
                    "WALG_LIBSODIUM_KEY": "2a" * 32, "WALG_LIBSODIUM_KEY_TRANSFORM": "hex",
                    "PGDATA": self.bench.cluster.data}
        if store.name == "posix":
            settings["WALG_FILE_PREFIX"] = store.place(self.name)
        else:
            settings.update({
                "WALG_S3_PREFIX": f"s3://{store.bucket}/{self.name}",
                "AWS_ENDPOINT": store.endpoint, "AWS_S3_FORCE_PATH_STYLE": "true",
                "AWS_REGION": "us-east-1"})
        self.config = self.home / "walg.json"
        self.bench.account.write(self.config, json.dumps(
            {name: str(value) for name, value in settings.items()}))

    def push_words(self):
        return ["wal-g", "--config", self.config, "wal-push"]

    def command(self):
        return " ".join(map(str, self.push_words())) + " %p"


class BarmanCloud(Contender):
    """barman-cloud-wal-archive, which does not encrypt."""

    name = "barman-cloud"
    stores = ("s3",)

    def missing(self):
        program = "barman-cloud-wal-archive"
        return super().missing() or ("" if shutil.which(program) else "not installed")

    def push_words(self):
        store = self.bench.store
        return ["barman-cloud-wal-archive", "--gzip", "--endpoint-url", store.endpoint,
                f"s3://{store.bucket}/{self.name}", "bench"]

    def command(self):
        return " ".join(self.push_words()) + " %p"


def parse_settings(texts):
    """{"codec.level": 3} of ["codec.level=3"]; a value that is not JSON is a text."""
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise Failed(f"\"{text}\" is not NAME=VALUE")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings


NAMES = ["floor", "cp", "walden", "walden-no-agent", "pgbackrest-sync", "pgbackrest-async", "wal-g",
         "barman-cloud"]


def make_contender(name, bench, settings):
    """`settings` are of walden."""
    if name == "walden":
        return Walden(bench, name, settings)
    if name == "walden-no-agent":
        return Walden(bench, name, {**settings, "agent.enabled": False})
    if name.startswith("pgbackrest-"):
        return PgBackRest(bench, is_async=name.endswith("-async"))
    for kind in (Floor, Copy, WalG, BarmanCloud):
        if kind.name == name:
            return kind(bench)
    raise Failed(f"there is no contender \"{name}\": {', '.join(NAMES)}")


def make_contenders(names, bench, settings):
    """Those that can run here; says of the others why not."""
    found = []
    for name in names:
        contender = make_contender(name, bench, settings)
        reason = contender.missing()
        if reason:
            print(f"{name}: skipped, {reason}", flush=True)
        else:
            found.append(contender)
    if not found:
        raise Failed("nothing to measure")
    return found
