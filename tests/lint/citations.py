#!/usr/bin/env python3
"""Checks the numbers that sources and tests cite against tests/INVARIANTS.md.

usage: citations.py [ROOT] [--unbuilt | --settle]

- "invariant 16", "faults 36 to 47, 51" or "rows 1 and 30" (rows are faults), "pitfall 7": each
  number must be in tests/INVARIANTS.md;
- each number in there is cited by a test, or says for which feature it waits: "*Not yet: restore.*";
- a number that waits is cited by no test: whoever builds the feature takes the words away, by hand
  or by --settle, which does it for all numbers that a test cites.

Prints one line per finding and ends with 1 if there was any. --unbuilt lists what waits instead.
"""

import argparse
import pathlib
import re
import sys

DOCUMENT = "tests/INVARIANTS.md"
TOPS = ("lib", "storage", "tools", "tests", "bench")
KINDS = ("invariant", "fault", "pitfall")
# Texts that plant citations, or explain them.
EXEMPT = (DOCUMENT, "tests/lint/citations.py", "tests/lint/citations_selftest.py")
BINARY = re.compile(r"/(golden|corpus)/|\.(seg|bin|zst|png)$")

DEFINITION = re.compile(r"^\*\*(Invariant|Fault|Pitfall) (\d+)\.\*\*", re.MULTILINE)
UNBUILT = re.compile(r"\*Not yet: ([^*]+)\.\*")

# A line break inside a list of numbers, with the comment sign or quotation marks around it.
BREAK = r'(?:"?\s*\n\s*(?://+|\#|\*)?\s*"?)'
GAP = rf"(?:[ ]|{BREAK})+"
RANGE = rf"\d+(?:{GAP}to{GAP}\d+|-\d+)?"
CITATION = re.compile(
    rf"\b(?P<kind>invariant|fault|row|pitfall)s?{GAP}(?P<numbers>{RANGE}"
    rf"(?:(?:,(?:{GAP}and)?|{GAP}and){GAP}{RANGE})*)\b(?!\.\d)", re.IGNORECASE)


def definitions(text):
    """What the document defines: {(kind, number): (line, feature it waits for or None)}, and what
    is wrong with it: [(line, complaint)]."""
    found, wrong = {}, []
    last = dict.fromkeys(KINDS, 0)
    starts = [*DEFINITION.finditer(text)]
    for match, after in zip(starts, [*starts[1:], None]):
        kind, number = match[1].lower(), int(match[2])
        line = text.count("\n", 0, match.start()) + 1
        if number != last[kind] + 1:
            wrong.append((line, f"{kind} {number} stands after {kind} {last[kind]}"))
        last[kind] = number
        body = text[match.end():after.start() if after else len(text)].split("\n\n", 1)[0]
        waits = UNBUILT.search(body)
        found[kind, number] = (line, " ".join(waits[1].split()) if waits else None)
    return found, wrong


def citations(text):
    """Each citation in `text` as (kind, number, line)."""
    for match in CITATION.finditer(text):
        kind = match["kind"].lower().replace("row", "fault")
        for part in re.finditer(rf"(\d+)(?:(?:{GAP}to{GAP}|-)(\d+))?", match["numbers"]):
            line = text.count("\n", 0, match.start("numbers") + part.start()) + 1
            first = int(part[1])
            # A range that runs backwards is cited by its ends: neither may be missing.
            last = int(part[2]) if part[2] else first
            for number in range(first, last + 1) if first <= last else (first, last):
                yield kind, number, line


def sources(root):
    """The files that may cite: [(path relative to the root, its text)]."""
    for top in TOPS:
        for path in sorted((root / top).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_dir() or "__pycache__" in path.parts or name in EXEMPT or BINARY.search(name):
                continue
            try:
                yield name, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                pass  # no text


def all_citations(root):
    """Each citation under `root` as (file, line, (kind, number)), and where the first test is that
    cites a number: {(kind, number): "path:line"}."""
    cited, tested = [], {}
    for name, text in sources(root):
        for kind, number, line in citations(text):
            cited.append((name, line, (kind, number)))
            if name.startswith("tests/"):
                tested.setdefault((kind, number), f"{name}:{line}")
    return cited, tested


def violations(root):
    """Every finding under `root` as "path:line: complaint"."""
    defined, wrong = definitions((root / DOCUMENT).read_text(encoding="utf-8"))
    found = [f"{DOCUMENT}:{line}: {complaint}" for line, complaint in wrong]
    cited, tested = all_citations(root)
    found += [f"{name}:{line}: {DOCUMENT} has no {key[0]} {key[1]}"
              for name, line, key in cited if key not in defined]
    for (kind, number), (line, feature) in defined.items():
        if feature is None and (kind, number) not in tested:
            found.append(f"{DOCUMENT}:{line}: no test cites {kind} {number}")
        elif feature is not None and (kind, number) in tested:
            found.append(f"{DOCUMENT}:{line}: {kind} {number} waits for {feature}, and "
                         f"{tested[kind, number]} cites it")
    return found


def unbuilt(root):
    """What waits, by feature, as lines."""
    defined, _ = definitions((root / DOCUMENT).read_text(encoding="utf-8"))
    by_feature = {}
    for (kind, number), (_, feature) in defined.items():
        if feature is not None:
            by_feature.setdefault(feature, {}).setdefault(kind, []).append(number)
    for feature, kinds in sorted(by_feature.items()):
        parts = [f"{kind}s {', '.join(map(str, numbers))}" for kind, numbers in kinds.items()]
        yield f"{feature}: {'; '.join(parts)}"


def settle(root):
    """Takes the words away from all numbers that a test cites by now."""
    document = root / DOCUMENT
    _, tested = all_citations(root)
    paragraphs = document.read_text(encoding="utf-8").split("\n\n")
    for at, paragraph in enumerate(paragraphs):
        match = DEFINITION.search(paragraph)
        if match and (match[1].lower(), int(match[2])) in tested:
            paragraphs[at] = re.sub(rf"\s*{UNBUILT.pattern}", "", paragraph)
    document.write_text("\n\n".join(paragraphs), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("root", nargs="?", default=".", type=pathlib.Path)
    parser.add_argument("--unbuilt", action="store_true")
    parser.add_argument("--settle", action="store_true")
    options = parser.parse_args()
    if options.settle:
        settle(options.root)
    if options.unbuilt:
        print(*unbuilt(options.root), sep="\n")
        return 0
    found = violations(options.root)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
