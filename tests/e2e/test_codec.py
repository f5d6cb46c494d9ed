#!/usr/bin/env python3
"""Segments as the WAL codec stores them: restored, counted, and unpacked one by one."""

from fixtures import plain_wal
from scenario import check, check_equal, main, step
from walden import Store, Walden


def counts(walden):
    cluster, = walden.json("info")["clusters"]
    return cluster["timelines"][0]["newest_codecs"]


def mixed_methods(s, walden, wal):
    step("one store holds every method, each segment is fetched whatever it is encoded with")
    methods = [{"method": "wal"}, {"method": "wal", "wal_back_end": "lz4"}, {"method": "zstd"},
               {"method": "lz4"}, {"method": "none"}]
    for number, path in enumerate(wal):
        walden.configure(codec=methods[number % len(methods)])
        check_equal(walden.push(path).code, 0, f"push of {path.name}")
    walden.configure(codec={"method": "zstd"})
    target = s.make_directory(s.directory / "fetched")
    for path in wal:
        check_equal(walden.fetch(path.name, target / path.name).code, 0, f"fetch of {path.name}")
        check((target / path.name).read_bytes() == path.read_bytes(), f"bytes of {path.name}")
    found = counts(walden)
    check_equal(found["contents"], len(wal), "contents that info counts")
    check_equal(found["by_codec"]["wal"], len([n for n in range(len(wal)) if n % 5 < 2]),
                "of them as WAL")
    check_equal(found["not_as_wal"], {}, "fallbacks")
    report = walden.json("verify")
    check(report["ok"], f"verify: {report['problems']}")
    check_equal(report["codecs"], found, "what verify counts")


def unpack(s, walden, wal):
    step("walden unpack turns one object into the segment it was, and overwrites nothing")
    copies = s.make_directory(s.directory / "copies")
    unpacked = 0
    for path in wal:
        for content in walden.store.contents(path.name):
            copy = s.write(copies / content.name, content.read_bytes())
            out = copies / f"{path.name}.out"
            check_equal(walden.run("walden", "unpack", copy, "-o", out).code, 0, "unpack")
            check(out.read_bytes() == path.read_bytes(), f"{path.name} is unpacked")
            check(walden.run("walden", "unpack", copy, "-o", out, ok=False).code != 0,
                  "an existing file is not overwritten")
            other = s.write(copies / "renamed", content.read_bytes())
            check(walden.run("walden", "unpack", other, "-o", copies / "x", ok=False).code != 0,
                  "another name tells nothing")
            key = content.relative_to(walden.store.root).as_posix()
            renamed = copies / f"{path.name}.renamed"
            check_equal(walden.run("walden", "unpack", other, "--object", key, "-o", renamed).code, 0,
                        "unpack of a renamed copy")
            check(renamed.read_bytes() == path.read_bytes(), "which is the segment, too")
            damaged = bytearray(content.read_bytes())
            damaged[len(damaged) // 2] ^= 1
            s.write(copy, bytes(damaged))
            check(walden.run("walden", "unpack", copy, "-o", copies / "x", ok=False).code != 0,
                  "a damaged object is refused")
            check(not (copies / "x").exists(), "and nothing is written")
            unpacked += 1
    check(unpacked > 0, "there were contents to unpack")


def fallback(s, walden, wal):
    step("what is not WAL as the codec knows it is stored plainly and counted by reason")
    spoilt = bytearray(wal[-1].read_bytes())
    spoilt[8192] ^= 0xFF  # the magic of the second page
    path = s.write(walden.pgdata / "pg_wal" / wal[-1].name, bytes(spoilt))
    walden.configure(codec={"method": "wal"})
    check_equal(walden.push(path).code, 0, "push of a damaged segment")
    found = counts(walden)
    check_equal(sum(found["not_as_wal"].values()), 1, f"fallbacks: {found}")
    check_equal(found["by_codec"].get("zstd", 0) + found["by_codec"].get("none", 0), 1,
                "contents that are stored plainly")


def body(s):
    cluster, wal = plain_wal(s, batches=5)
    walden = Walden(s, cluster)
    walden.init()
    mixed_methods(s, walden, wal)
    unpack(s, walden, wal)
    other = Walden(s, cluster, name="other", store=Store(s, s.directory / "other.store"))
    other.init()
    fallback(s, other, wal)


main(body)
