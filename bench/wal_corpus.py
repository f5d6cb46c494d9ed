#!/usr/bin/env python3
"""Makes the WAL that the benchmarks read, by running a throwaway PostgreSQL.

Each kind becomes a folder of whole segments; corpus.json beside them says how they were made.
README.md describes the kinds. The server listens on a unix socket only and is gone, with its
data, when this program ends.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from harness.accounts import Account  # noqa: E402
from harness.outcomes import Failed, Skip  # noqa: E402
from harness.postgres import Server  # noqa: E402
from harness.shop import FULL_IDENTITY, GIN_INDEX, Shop  # noqa: E402

CLIENTS = 4

# Checkpoints happen only where the corpus asks for one, and nothing is recycled before it is
# copied. fsync=off makes the same records, sooner.
SETTINGS = {
    "listen_addresses": "",
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


@contextlib.contextmanager
def server_of(programs, settings):
    """A running PostgreSQL of our own, which is stopped and removed in the end."""
    account = Account()
    with tempfile.TemporaryDirectory(prefix="walden-corpus-") as home:
        account.own(pathlib.Path(home))
        server = Server(account, pathlib.Path(home) / "data", programs=programs)
        with server.initdb().configure(**settings):
            yield server


class Corpus:
    """The workloads, in the order in which they build on each other."""

    def __init__(self, server, options):
        self.server = server
        self.options = options
        self.version = int(server.psql("SHOW server_version_num"))
        self.home = server.data.parent
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
        self.server.psql("CHECKPOINT")
        return self.fill_segments()

    def oltp(self):
        # A row of every heap page and of every leaf of the primary key: from here on there are
        # no full-page images left to write.
        self.server.psql("UPDATE pgbench_accounts SET abalance = abalance WHERE aid % 40 = 0")
        return self.fill_segments()

    def app(self):
        self.server.psql(APP_SCHEMA.format(seed=self.options.seed))
        script = self.server.account.write(self.home / "app.sql", APP_TRANSACTION)
        self.server.pgbench("-n", "-c", str(CLIENTS), "-t", "5000", "-f", script,
                            f"--random-seed={self.options.seed}")
        self.server.psql("CHECKPOINT")
        return self.fill_segments("-f", script)

    def set(self, name, value):
        self.server.psql(f"ALTER SYSTEM SET {name} = {value}")
        self.server.psql("SELECT pg_reload_conf()")

    def compressed(self, method):
        """oltp-fresh with the server's own compression of page images."""
        # Before 15 there was only pglz, and no name for it.
        named = self.version >= 150000 or method != "pglz"
        self.set("wal_compression", method if named else "on")
        self.server.psql("CHECKPOINT")
        numbers = self.fill_segments()
        self.set("wal_compression", "off")
        return numbers

    def idle(self):
        self.server.psql("CREATE TABLE heartbeat (at timestamptz)")
        first = self.server.next_segment()
        for _ in range(self.options.segments):
            self.server.psql("INSERT INTO heartbeat VALUES (now())")
            self.server.next_segment()
        return list(range(first, first + self.options.segments))


class ShopCorpus(Corpus):
    """The application of harness/shop.py, on a server of its own."""

    # As prepared statements its parameters would have no types.
    mode = "simple"

    def __init__(self, server, options, *more_sql):
        super().__init__(server, options)
        self.batch = 1000  # seeds that the shop does not use
        self.shop = Shop(server, 2000 * options.scale, options.seed)
        self.shop.create(*more_sql)
        self.shop.work(5000)  # so that there is something to update and to split pages of

    def fresh(self):
        self.server.psql("CHECKPOINT")
        return self.fill_segments("-f", self.shop.script)

    def steady(self):
        # Every page that is there is written once, then enough work for the rest.
        self.server.psql("UPDATE users SET seen = seen")
        self.shop.work(20000)
        return self.fill_segments("-f", self.shop.script)

    def images(self):
        """A checkpoint every 400 transactions: more than half of the bytes are page images."""
        first = self.server.next_segment()
        while self.server.segment_number() < first + self.options.segments:
            self.server.psql("CHECKPOINT")
            self.shop.work(400)
        return list(range(first, first + self.options.segments))


def copy_segments(server, numbers, directory):
    os.makedirs(directory)
    digests = {}
    for number in numbers:
        name = server.segment_name(number)
        target = os.path.join(directory, name)
        shutil.copyfile(server.segment(name), target)
        with open(target, "rb") as file:
            digests[name] = hashlib.sha256(file.read()).hexdigest()
    return digests


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

    def keep(server, kinds):
        description["server"] = server.psql("SELECT version()")
        for kind, make in kinds:
            numbers = make()
            description["kinds"][kind] = copy_segments(server, numbers,
                                                       os.path.join(unfinished, kind))
            print(f"{kind}: {len(numbers)} segments", flush=True)

    with server_of(options.pgbin, SETTINGS) as server:
        corpus = Corpus(server, options)
        # Idle comes first, before there is anything that autovacuum might work on.
        keep(server, [("idle", corpus.idle), ("bulk", corpus.bulk),
                      ("oltp-fresh", corpus.oltp_fresh), ("oltp", corpus.oltp),
                      *((f"oltp-{method}", lambda method=method: corpus.compressed(method))
                        for method in options.wal_compression),
                      ("app", corpus.app)])
    with server_of(options.pgbin, SETTINGS) as server:
        shop = ShopCorpus(server, options, GIN_INDEX)
        keep(server, [("app-fresh", shop.fresh), ("app-steady", shop.steady)])
    with server_of(options.pgbin, SETTINGS | {"wal_level": "logical"}) as server:
        shop = ShopCorpus(server, options, GIN_INDEX, FULL_IDENTITY)
        keep(server, [("app-logical", shop.steady)])
    with server_of(options.pgbin, SETTINGS) as server:
        keep(server, [("app-images", ShopCorpus(server, options).images)])
    with open(os.path.join(unfinished, "corpus.json"), "w") as file:
        json.dump(description, file, indent=2)
    os.rename(unfinished, options.out)


if __name__ == "__main__":
    try:
        main()
    except (Failed, Skip) as reason:
        sys.exit(f"wal_corpus: {reason}")
