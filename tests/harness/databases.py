"""Databases to back up, as they are after years: made once, aged by transactions, then vacuumed.

Each kind has a name, make() for a new running server, and change(), the work between two backups.
`scale` 1 is the size at which backups are compared: 1.6 GiB of pgbench, 1.1 GiB of the shop; tests
take a hundredth.
"""

from harness.shop import GIN_INDEX, PROCEDURE, Shop

CLIENTS = 2

# The statements of pgbench's TPC-B, each transaction committed, without the client's round trips:
# the same records, sooner.
TPCB = """
CREATE PROCEDURE tpcb(count int, scale int) LANGUAGE plpgsql AS $$
DECLARE account int; teller int; branch int; delta int; balance int;
BEGIN
    FOR i IN 1..count LOOP
        account := 1 + floor(random() * 100000 * scale);
        teller := 1 + floor(random() * 10 * scale);
        branch := 1 + floor(random() * scale);
        delta := floor(random() * 10001) - 5000;
        UPDATE pgbench_accounts SET abalance = abalance + delta WHERE aid = account;
        SELECT abalance INTO balance FROM pgbench_accounts WHERE aid = account;
        UPDATE pgbench_tellers SET tbalance = tbalance + delta WHERE tid = teller;
        UPDATE pgbench_branches SET bbalance = bbalance + delta WHERE bid = branch;
        INSERT INTO pgbench_history (tid, bid, aid, delta, mtime)
            VALUES (teller, branch, account, delta, clock_timestamp());
        COMMIT;
    END LOOP;
END $$;
"""

RANDOM_ROWS = """
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid IN
    (SELECT 1 + floor(random() * {rows})::int FROM generate_series(1, {count}))
"""

SMALL_TABLES = """
CREATE PROCEDURE make_tables(first int, last int) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN first..last LOOP
        EXECUTE format('CREATE TABLE small_%s AS SELECT %s AS n', i, i);
        IF i % 500 = 0 THEN COMMIT; END IF;
    END LOOP;
END $$;
"""


def call_together(server, call, count):
    """Has `CLIENTS` sessions together do `count` pieces of work, in calls of at most 1000 each."""
    size = max(1, min(1000, count // CLIENTS))
    script = server.account.write(server.data.parent / "call.sql", call.format(count=size) + ";\n")
    server.pgbench("-n", "-c", CLIENTS, "-t", max(1, count // (size * CLIENTS)), "-f", script)


class Pgbench:
    """pgbench at scale 100, aged by 350,000 transactions."""

    name = "pgbench"
    change_name = "1 % random rows"

    def __init__(self, server, scale=1.0):
        self.server = server
        self.scale = max(1, round(100 * scale))
        self.transactions = max(200, round(350_000 * scale))

    def make(self):
        self.server.pgbench("-i", "-q", "-s", self.scale)
        self.server.psql(TPCB)
        call_together(self.server, f"CALL tpcb({{count}}, {self.scale})", self.transactions)
        self.server.psql("VACUUM ANALYZE")

    def change(self):
        rows = 100_000 * self.scale
        self.server.psql(RANDOM_ROWS.format(rows=rows, count=rows // 100))


class Application:
    """The shop, with words of a list of 20,000, aged by 540,000 transactions."""

    name = "app"
    change_name = "20,000 transactions"

    def __init__(self, server, scale=1.0):
        self.server = server
        self.scale = scale
        self.users = max(1000, round(100_000 * scale))
        self.shop = Shop(server, self.users, words=20_000, tail=0.000_123)

    def make(self):
        self.shop.create(GIN_INDEX, PROCEDURE)
        self.work(540_000)
        self.server.psql("VACUUM ANALYZE")

    def change(self):
        self.work(20_000)

    def work(self, transactions):
        call_together(self.server, f"CALL shop_work({{count}}, {self.users}, :client_id)",
                      max(200, round(transactions * self.scale)))


class SmallFiles:
    """20,000 tables of one row."""

    name = "files"
    change_name = "100 rows"

    def __init__(self, server, scale=1.0):
        self.server = server
        self.count = max(100, round(20_000 * scale))

    def make(self):
        self.server.psql(SMALL_TABLES)
        self.server.psql(f"CALL make_tables(1, {self.count})")

    def change(self):
        self.server.psql("DO $$ BEGIN FOR i IN 1..100 LOOP "
                         "EXECUTE format('UPDATE small_%s SET n = n + 1', i); END LOOP; END $$")


KINDS = {kind.name: kind for kind in (Pgbench, Application, SmallFiles)}
