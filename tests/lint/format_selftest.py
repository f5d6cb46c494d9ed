#!/usr/bin/env python3
"""Plants files that are not formatted, and requires that format.py finds them."""

import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import format as formatting  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = formatting.find_program()
GOOD = "#pragma once\n\nint add(int left, int right) {\n    return left + right;\n}\n"


class FormatTest(unittest.TestCase):
    def findings(self, files):
        with tempfile.TemporaryDirectory(prefix="walden-lint-") as directory:
            root = pathlib.Path(directory)
            shutil.copy(ROOT / ".clang-format", root)
            for name, text in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return formatting.violations(PROGRAM, root)

    def test_formatted_files_have_no_findings(self):
        self.assertEqual(self.findings({"lib/a.h": GOOD, "lib/a.py": "x=1\n"}), [])

    def test_each_unformatted_file_is_named_once_with_its_line(self):
        bad = GOOD.replace("    return left + right", "  return left+right")
        found = self.findings({"lib/a.h": GOOD, "tests/b.cc": bad, "bench/c.h": bad})
        self.assertEqual(sorted(found), [
            f"{name}: clang-format 14 writes this differently" for name in ("bench/c.h:3", "tests/b.cc:3")])

    def test_every_file_is_looked_at_when_there_are_many(self):
        files = {f"lib/f{number}.h": GOOD.replace("    ", "  ") for number in range(formatting.BATCH * 2 + 1)}
        self.assertEqual(len(self.findings(files)), len(files))

    def test_a_style_that_cannot_be_read_is_no_success(self):
        with tempfile.TemporaryDirectory(prefix="walden-lint-") as directory:
            root = pathlib.Path(directory)
            (root / "lib").mkdir()
            (root / "lib/a.h").write_text(GOOD)
            (root / ".clang-format").write_text("BasedOnStyle: Nobody\n")
            self.assertEqual(len(formatting.violations(PROGRAM, root)), 1)


if __name__ == "__main__":
    if PROGRAM is None:
        print(f"skipped: there is no clang-format {formatting.VERSION} here")
        sys.exit(formatting.SKIPPED)
    unittest.main()
