"""An application for benchmarks and tests: a shop with uuid, timestamptz, numeric, text and jsonb.

Users, orders, events and sessions; twelve btrees and one GIN index; inserts, updates, upserts and
deletes. Texts are words drawn by Zipf's law from a list, as long as English ones; uuids are random,
so about a tenth of the WAL cannot be compressed by anybody.
"""

# A number from 0 to 1 that depends on its argument alone.
FRACTION = """
CREATE FUNCTION fraction_of(n bigint) RETURNS double precision IMMUTABLE LANGUAGE sql AS
    $$ SELECT (('x' || substr(md5(n::text), 1, 7))::bit(28)::int)::double precision / (1 << 28) $$;
"""

SCHEMA = """
CREATE TABLE words AS
    SELECT i AS id, (SELECT string_agg(substr('etaoinshrdlucmfwypvbgkjqxz',
               1 + floor(26 * power(fraction_of(i * 31 + n + {seed}), 2.2))::int, 1), '')
           FROM generate_series(1, 2 + i % 9) n) AS word
    FROM generate_series(1, {words}) i;
CREATE UNIQUE INDEX ON words (id);
CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL, name text NOT NULL,
    balance numeric(14, 2) NOT NULL DEFAULT 0, settings jsonb, seen timestamptz);
CREATE UNIQUE INDEX ON users (email);
CREATE INDEX ON users (seen);
CREATE TABLE orders (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id int NOT NULL,
    created timestamptz NOT NULL DEFAULT clock_timestamp(), amount numeric(12, 2) NOT NULL,
    status text NOT NULL, address text, note text);
CREATE INDEX ON orders (user_id, created);
CREATE INDEX ON orders (created);
CREATE INDEX ON orders (status) WHERE status <> 'done';
CREATE TABLE events (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
    user_id int NOT NULL, kind text NOT NULL, payload jsonb NOT NULL);
CREATE INDEX ON events (user_id);
CREATE INDEX ON events (at);
CREATE TABLE sessions (token uuid PRIMARY KEY, user_id int NOT NULL, expires timestamptz NOT NULL,
    data jsonb);
CREATE INDEX ON sessions (expires);
INSERT INTO users
    SELECT i, 'user' || i || '@example.org', initcap(w.word) || ' ' || initcap(v.word), 0,
           jsonb_build_object('lang', w.word, 'mail', i % 3 = 0), now()
    FROM generate_series(1, {users}) i
    JOIN words w ON w.id = 1 + i % {words} JOIN words v ON v.id = 1 + (i * 7) % {words};
"""

# PL/pgSQL keeps the plan, which takes longer to make than to run.
PHRASE = """
CREATE FUNCTION phrase(length int) RETURNS text VOLATILE LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT string_agg((SELECT word FROM words WHERE id = d.id), ' ') FROM
              (SELECT least({words}, floor(1 / (random() * (1 - {tail}) + {tail}) ^ 1.1)::int) AS id
               FROM generate_series(1, length)) d);
END $$;
"""

GIN_INDEX = "CREATE INDEX ON events USING gin (payload jsonb_path_ops);"

FULL_IDENTITY = """
ALTER TABLE users REPLICA IDENTITY FULL;
ALTER TABLE orders REPLICA IDENTITY FULL;
ALTER TABLE events REPLICA IDENTITY FULL;
ALTER TABLE sessions REPLICA IDENTITY FULL;
"""

TRANSACTION = """
\\set user random_zipfian(1, {users}, 1.02)
\\set other random(1, {users})
\\set amount random(100, 99999)
\\set words random(3, 25)
BEGIN;
INSERT INTO orders (user_id, amount, status, address, note)
    VALUES (:user, :amount / 100.0, 'new', phrase(6), phrase(:words));
UPDATE users SET balance = balance + :amount / 100.0, seen = clock_timestamp() WHERE id = :user;
INSERT INTO events (user_id, kind, payload)
    VALUES (:user, 'order', jsonb_build_object('amount', :amount, 'page', phrase(2), 'agent',
            'Mozilla/5.0 (X11; Linux x86_64)', 'tags', to_jsonb(string_to_array(phrase(3), ' ')))),
           (:other, 'view', jsonb_build_object('page', phrase(2), 'ms', :amount % 900));
UPDATE orders SET status = 'done' WHERE id IN
    (SELECT id FROM orders WHERE user_id = :other AND status = 'new' LIMIT 2);
INSERT INTO sessions VALUES (md5(:user::text)::uuid, :user, clock_timestamp() + interval '1 day',
                             jsonb_build_object('cart', phrase(3)))
    ON CONFLICT (token) DO UPDATE SET expires = excluded.expires, data = excluded.data;
DELETE FROM sessions WHERE token = md5(:other::text)::uuid;
COMMIT;
"""

# The same work without the client's round trips. Users are drawn with probabilities of 1 / n, which is
# Zipf's law with exponent 1; two sessions with another `part` of 2 have no user in common, so neither
# waits for the other.
PROCEDURE = """
CREATE PROCEDURE shop_work(count int, users int, part int) LANGUAGE plpgsql AS $$
DECLARE buyer int; other int; amount int;
BEGIN
    FOR i IN 1..count LOOP
        buyer := 2 * floor(power(users / 2, random())) - part;
        other := 2 + 2 * floor(random() * (users / 2)) - part;
        amount := 100 + floor(random() * 99900);
        INSERT INTO orders (user_id, amount, status, address, note)
            VALUES (buyer, amount / 100.0, 'new', phrase(6), phrase(3 + floor(random() * 23)::int));
        UPDATE users SET balance = balance + amount / 100.0, seen = clock_timestamp() WHERE id = buyer;
        INSERT INTO events (user_id, kind, payload)
            VALUES (buyer, 'order', jsonb_build_object('amount', amount, 'page', phrase(2), 'agent',
                    'Mozilla/5.0 (X11; Linux x86_64)', 'tags',
                    to_jsonb(string_to_array(phrase(3), ' ')))),
                   (other, 'view', jsonb_build_object('page', phrase(2), 'ms', amount % 900));
        UPDATE orders SET status = 'done' WHERE id IN
            (SELECT id FROM orders WHERE user_id = other AND status = 'new' LIMIT 2);
        INSERT INTO sessions VALUES (md5(buyer::text)::uuid, buyer, clock_timestamp() + interval '1 day',
                                     jsonb_build_object('cart', phrase(3)))
            ON CONFLICT (token) DO UPDATE SET expires = excluded.expires, data = excluded.data;
        DELETE FROM sessions WHERE token = md5(other::text)::uuid;
        COMMIT;
    END LOOP;
END $$;
"""


class Shop:
    """The application in the database postgres of a running server."""

    def __init__(self, server, users, seed=1, words=3000, tail=0.001):
        """The last words of the list are drawn as rarely as once in 1 / `tail`."""
        self.server = server
        self.seed = seed
        self.fill = {"seed": seed, "users": users, "words": words, "tail": tail}
        self.script = server.account.write(server.data.parent / "shop.sql",
                                           TRANSACTION.format(**self.fill))

    def create(self, *more_sql):
        for text in (FRACTION, SCHEMA, PHRASE, *more_sql):
            self.server.psql(text.format(**self.fill))

    def work(self, transactions, clients=4):
        """Another seed each time, so that two calls do not do the same."""
        self.seed += 1
        # As prepared statements the script's parameters would have no types.
        self.server.pgbench("-n", "-M", "simple", "-c", clients, "-t", max(1, transactions // clients),
                            "-f", self.script, f"--random-seed={self.seed}")
