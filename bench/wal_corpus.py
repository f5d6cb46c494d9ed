#!/usr/bin/env python3
"""Makes the WAL that the benchmarks read, by running a throwaway PostgreSQL.

Each kind becomes a folder of whole segments; corpus.json beside them says how they were made.
README.md describes the kinds. The server listens on a unix socket only and is gone, with its
data, when this program ends.
"""

import argparse
import hashlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import wal_shop

SEGMENT_SIZE = 16 * 1024 * 1024
CLIENTS = 4

# Checkpoints happen only where the corpus asks for one, and nothing is recycled before it is
# copied. fsync=off makes the same records, sooner.
SETTINGS = {
    "listen_addresses": "''",
    "fsync": "off",
    "wal_level": "replica",
    "full_page_writes": "on",
    "wal_compression": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "64GB",
    "wal_keep_size": "64GB",
    "shared_buffers": "512MB",
    "archive_mode": "off",
}

# An application's rows: random keys, timestamps, amounts, words that repeat as words do, a
# document; three indexes and updates of some of what was inserted.
APP_SCHEMA = """
CREATE TABLE words AS
    SELECT i AS id, substr(md5((i * 7919 + {seed})::text), 1, 3 + i % 8) AS word
    FROM generate_series(1, 2000) i;
CREATE UNIQUE INDEX ON words (id);
CREATE TABLE orders (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), customer int NOT NULL,
    created timestamptz NOT NULL DEFAULT clock_timestamp(), amount numeric(12, 2),
    status text NOT NULL, note text, doc jsonb);
CREATE INDEX ON orders (customer);
CREATE INDEX ON orders (created);
CREATE TABLE customers (id int PRIMARY KEY, name text, balance numeric(14, 2), seen timestamptz);
INSERT INTO customers SELECT i, 'customer ' || i, 0, now() FROM generate_series(1, 100000) i;
"""

APP_TRANSACTION = """
\\set customer random_zipfian(1, 100000, 1.05)
\\set a random_zipfian(1, 2000, 1.2)
\\set b random_zipfian(1, 2000, 1.2)
\\set c random_zipfian(1, 2000, 1.2)
\\set d random_zipfian(1, 2000, 1.2)
\\set amount random(100, 99999)
BEGIN;
INSERT INTO orders (customer, amount, status, note, doc)
    SELECT :customer, :amount / 100.0, 'new', w.note,
           jsonb_build_object('source', 'web', 'lines', :amount % 9, 'tags', w.note)
    FROM (SELECT string_agg(word, ' ') AS note FROM words WHERE id IN (:a, :b, :c, :d)) w;
UPDATE customers SET balance = balance + :amount, seen = clock_timestamp() WHERE id = :customer;
UPDATE orders SET status = 'paid' WHERE id IN
    (SELECT id FROM orders WHERE customer = :customer AND status = 'new' LIMIT 2);
COMMIT;
"""


class Server:
    """One PostgreSQL of our own; leaving the `with` block stops it and removes its data."""

    def __init__(self, bin_directory, settings):
        self.bin_directory = bin_directory
        self.settings = settings
        # PostgreSQL refuses to run as root.
        self.user = "postgres" if os.geteuid() == 0 else None

    def __enter__(self):
        self.home = tempfile.mkdtemp(prefix="walden-corpus-")
        try:
            if self.user:
                account = pwd.getpwnam(self.user)
                os.chown(self.home, account.pw_uid, account.pw_gid)
            self.data = os.path.join(self.home, "data")
            self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync",
                     "--data-checksums")
            with open(os.path.join(self.data, "postgresql.conf"), "a") as conf:
                for name, value in self.settings.items():
                    conf.write(f"{name} = {value}\n")
                conf.write(f"unix_socket_directories = '{self.home}'\n")
            self.log = open(os.path.join(self.home, "log"), "wb")
            self.process = subprocess.Popen(
                [os.path.join(self.bin_directory, "postgres"), "-D", self.data],
                stdout=self.log, stderr=self.log, cwd=self.home, **self.as_user())
            self.wait_ready()
            self.version = int(self.sql("SHOW server_version_num"))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        if hasattr(self, "process"):
            self.process.send_signal(signal.SIGINT)  # fast shutdown
            self.process.wait()
        shutil.rmtree(self.home)

    def as_user(self):
        return {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}

    def path(self, program):
        """The server's own, else that of PATH: clients speak to older and newer servers."""
        own = os.path.join(self.bin_directory, program)
        return own if os.access(own, os.X_OK) else shutil.which(program) or own

    def run(self, program, *arguments):
        done = subprocess.run([self.path(program), *arguments],
                              capture_output=True, text=True, cwd=self.home, **self.as_user())
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def wait_ready(self):
        for _ in range(300):
            ready = subprocess.run([self.path("pg_isready"), "-q", "-h", self.home, "-U",
                                    "postgres"], check=False)
            if ready.returncode == 0:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        with open(os.path.join(self.home, "log")) as log:
            raise RuntimeError("the server did not start: " + log.read())

    def sql(self, text):
        return self.run("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.home, "-U",
                        "postgres", "-c", text)

    def pgbench(self, *arguments):
        self.run("pgbench", "-h", self.home, "-U", "postgres", *arguments, "postgres")

    def segment_number(self):
        return int(self.sql(f"SELECT div(pg_current_wal_insert_lsn() - '0/0', {SEGMENT_SIZE})"))

    def next_segment(self):
        """Completes the segment in progress; the number of the one that follows."""
        self.sql("SELECT pg_switch_wal()")
        return self.segment_number()

    def segment_path(self, number):
        per_log = 0x1_0000_0000 // SEGMENT_SIZE
        name = f"{1:08X}{number // per_log:08X}{number % per_log:08X}"
        return os.path.join(self.data, "pg_wal", name)


class Corpus:
    """The workloads, in the order in which they build on each other."""

    def __init__(self, server, options):
        self.server = server
        self.options = options
        self.batch = 0  # each pgbench call gets a seed of its own

    # How pgbench sends its statements.
    mode = "prepared"

    def fill_segments(self, *arguments):
        """Runs the transaction until enough whole segments lie behind; their numbers."""
        first = self.server.next_segment()
        while self.server.segment_number() < first + self.options.segments:
            self.batch += 1
            self.server.pgbench("-n", "-M", self.mode, "-c", str(CLIENTS), "-t", "2000",
                                f"--random-seed={self.options.seed + self.batch}", *arguments)
        return list(range(first, first + self.options.segments))

    def bulk(self):
        first = self.server.next_segment()
        self.server.pgbench("-i", "-q", "-s", str(self.options.scale))
        count = self.server.next_segment() - first - 1  # the last one is not full
        wanted = min(count, self.options.segments)
        return [first + i * count // wanted for i in range(wanted)]

    def oltp_fresh(self):
        self.server.sql("CHECKPOINT")
        return self.fill_segments()

    def oltp(self):
        # A row of every heap page and of every leaf of the primary key: from here on there are
        # no full-page images left to write.
        self.server.sql("UPDATE pgbench_accounts SET abalance = abalance WHERE aid % 40 = 0")
        return self.fill_segments()

    def app(self):
        self.server.sql(APP_SCHEMA.format(seed=self.options.seed))
        script = os.path.join(self.server.home, "app.sql")
        with open(script, "w") as file:
            file.write(APP_TRANSACTION)
        os.chmod(script, 0o644)
        self.server.pgbench("-n", "-c", str(CLIENTS), "-t", "5000", "-f", script,
                            f"--random-seed={self.options.seed}")
        self.server.sql("CHECKPOINT")
        return self.fill_segments("-f", script)

    def set(self, name, value):
        self.server.sql(f"ALTER SYSTEM SET {name} = {value}")
        self.server.sql("SELECT pg_reload_conf()")

    def compressed(self, method):
        """oltp-fresh with the server's own compression of page images."""
        # Before 15 there was only pglz, and no name for it.
        named = self.server.version >= 150000 or method != "pglz"
        self.set("wal_compression", method if named else "on")
        self.server.sql("CHECKPOINT")
        numbers = self.fill_segments()
        self.set("wal_compression", "off")
        return numbers

    def idle(self):
        self.server.sql("CREATE TABLE heartbeat (at timestamptz)")
        first = self.server.next_segment()
        for _ in range(self.options.segments):
            self.server.sql("INSERT INTO heartbeat VALUES (now())")
            self.server.next_segment()
        return list(range(first, first + self.options.segments))


class ShopCorpus(Corpus):
    """The application of wal_shop.py, on a server of its own."""

    # As prepared statements its parameters would have no types.
    mode = "simple"

    def __init__(self, server, options, *more_sql):
        super().__init__(server, options)
        fill = {"seed": options.seed, "users": 2000 * options.scale}
        for text in (wal_shop.FUNCTIONS.split("CREATE FUNCTION phrase")[0],
                     wal_shop.SCHEMA.format(**fill),
                     "CREATE FUNCTION phrase" +
                     wal_shop.FUNCTIONS.split("CREATE FUNCTION phrase")[1], *more_sql):
            server.sql(text)
        self.script = os.path.join(server.home, "shop.sql")
        with open(self.script, "w") as file:
            file.write(wal_shop.TRANSACTION.format(**fill))
        os.chmod(self.script, 0o644)
        self.work(5000)  # so that there is something to update and to split pages of

    def work(self, transactions):
        self.batch += 1
        self.server.pgbench("-n", "-M", self.mode, "-c", str(CLIENTS), "-t",
                            str(transactions // CLIENTS), "-f", self.script,
                            f"--random-seed={self.options.seed + self.batch}")

    def fresh(self):
        self.server.sql("CHECKPOINT")
        return self.fill_segments("-f", self.script)

    def steady(self):
        # Every page that is there is written once, then enough work for the rest.
        self.server.sql("UPDATE users SET seen = seen")
        self.work(20000)
        return self.fill_segments("-f", self.script)

    def images(self):
        """A checkpoint every 400 transactions: more than half of the bytes are page images."""
        first = self.server.next_segment()
        while self.server.segment_number() < first + self.options.segments:
            self.server.sql("CHECKPOINT")
            self.work(400)
        return list(range(first, first + self.options.segments))


def copy_segments(server, numbers, directory):
    os.makedirs(directory)
    digests = {}
    for number in numbers:
        source = server.segment_path(number)
        target = os.path.join(directory, os.path.basename(source))
        shutil.copyfile(source, target)
        with open(target, "rb") as file:
            digests[os.path.basename(source)] = hashlib.sha256(file.read()).hexdigest()
    return digests


def find_bin_directory():
    pg_config = shutil.which("pg_config")
    if not pg_config:
        sys.exit("wal_corpus: no pg_config in PATH, please pass --pgbin")
    return subprocess.run([pg_config, "--bindir"], capture_output=True, text=True,
                          check=True).stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", help="folder to create")
    parser.add_argument("--pgbin", help="folder of postgres and initdb, and of psql and "
                        "pgbench unless those of PATH are to do")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=int, default=20, help="pgbench scale (default: 20)")
    parser.add_argument("--wal-compression", nargs="*", default=["lz4", "zstd", "pglz"],
                        help="methods that this server was built with (13 and 14: pglz alone; "
                        "default: lz4 zstd pglz)")
    parser.add_argument("--segments", type=int, default=4, help="segments per kind (default: 4)")
    options = parser.parse_args()
    if os.path.exists(options.out):
        sys.exit(f"wal_corpus: \"{options.out}\" exists")
    description = {"seed": options.seed, "scale": options.scale, "clients": CLIENTS,
                   "settings": SETTINGS, "kinds": {}}
    # The folder gets its name when it is complete, so half a corpus is never measured.
    unfinished = options.out.rstrip("/") + ".unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    programs = options.pgbin or find_bin_directory()

    def keep(server, kinds):
        description["server"] = server.sql("SELECT version()")
        for kind, make in kinds:
            numbers = make()
            description["kinds"][kind] = copy_segments(server, numbers,
                                                       os.path.join(unfinished, kind))
            print(f"{kind}: {len(numbers)} segments", flush=True)

    with Server(programs, SETTINGS) as server:
        corpus = Corpus(server, options)
        # Idle comes first, before there is anything that autovacuum might work on.
        keep(server, [("idle", corpus.idle), ("bulk", corpus.bulk),
                      ("oltp-fresh", corpus.oltp_fresh), ("oltp", corpus.oltp),
                      *((f"oltp-{method}", lambda method=method: corpus.compressed(method))
                        for method in options.wal_compression),
                      ("app", corpus.app)])
    with Server(programs, SETTINGS) as server:
        shop = ShopCorpus(server, options, wal_shop.GIN_INDEX)
        keep(server, [("app-fresh", shop.fresh), ("app-steady", shop.steady)])
    with Server(programs, SETTINGS | {"wal_level": "logical"}) as server:
        shop = ShopCorpus(server, options, wal_shop.GIN_INDEX, wal_shop.FULL_IDENTITY)
        keep(server, [("app-logical", shop.steady)])
    with Server(programs, SETTINGS) as server:
        keep(server, [("app-images", ShopCorpus(server, options).images)])
    with open(os.path.join(unfinished, "corpus.json"), "w") as file:
        json.dump(description, file, indent=2)
    os.rename(unfinished, options.out)


if __name__ == "__main__":
    main()
