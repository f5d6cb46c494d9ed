"""What a server holds, as pg_dump writes it: two servers with the same dump have the same rows.

Left out is what recovery does not bring back: rows of unlogged tables, and how many of the next 32
values of a sequence were used.
"""

import difflib
import hashlib

from harness.outcomes import Failed

# psql's guard against hostile dumps, whose word is another one each time; values of sequences.
IGNORED = ("\\restrict ", "\\unrestrict ", "SELECT pg_catalog.setval(")
TOO_LONG = 64 << 20  # bytes of a dump that is still shown line by line


def databases(server):
    return server.psql("select datname from pg_database where datallowconn and datname <> 'template1' "
                       "order by 1").splitlines()


def dump(server, database):
    """The lines of a dump of one database, in the order in which rows lie in their tables."""
    return lines_of(server.client("pg_dump", "--no-unlogged-table-data", "-d", database).out)


def lines_of(text):
    return [line for line in text.splitlines() if not line.startswith(IGNORED)]


def digests(server):
    """{database: hash of its dump} of all databases, and of the roles and tablespaces under ""."""
    roles = server.client("pg_dumpall", "-g").out
    texts = {"": lines_of(roles), **{name: dump(server, name) for name in databases(server)}}
    return {name: hashlib.sha256("\n".join(lines).encode()).hexdigest() for name, lines in texts.items()}


def require_same(one, other, database="postgres"):
    """Raises Failed with the first lines that differ between the databases of two servers."""
    first, second = dump(one, database), dump(other, database)
    if first == second:
        return
    if sum(map(len, first)) > TOO_LONG:
        at = next((i for i, pair in enumerate(zip(first, second)) if pair[0] != pair[1]),
                  min(len(first), len(second)))
        lines = [f"line {at + 1}:", *first[at:at + 1], *second[at:at + 1]]
    else:
        lines = [line for line in difflib.unified_diff(first, second, one.name, other.name, n=0)][:20]
    raise Failed(f"the dumps of {one.name} and {other.name} differ:\n" + "\n".join(lines))
