#!/usr/bin/env python3
"""Plants each kind of wrong number, and requires that citations.py finds it."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import citations  # noqa: E402

DOCUMENT = """# Promises

**Invariant 1.** One.
Its second line.

**Invariant 2.** Two waits for a feature with a long
name. *Not yet: time
travel.*

**Fault 1.** One.

**Fault 2.** Two.

**Fault 3.** Three.

**Pitfall 1.** One. *Not yet: time travel.*
"""
TEST = 'TEST_CASE("true (invariant 1, faults 1 to 3)") {}\n'


class CitationsTest(unittest.TestCase):
    def findings(self, files, document=DOCUMENT):
        with tempfile.TemporaryDirectory(prefix="walden-lint-") as directory:
            root = pathlib.Path(directory)
            for name, text in {citations.DOCUMENT: document, "tests/unit/a_test.cc": TEST, **files}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return citations.violations(root)

    def test_a_clean_tree_has_no_findings(self):
        self.assertEqual(self.findings({"lib/a.h": "// (invariants 1 and 2, row 3, pitfall 1)\n"}), [])

    def test_a_number_that_does_not_exist_is_found_wherever_it_is_cited(self):
        for path, text, line, missing in [
                ("lib/a.cc", "// (invariant 16)\n", 1, "invariant 16"),
                ("tools/a.cc", "\n// Rows 1, 9\n", 2, "fault 9"),
                ("storage/a.cc", "// faults 1,\n// 2 and 7: why\n", 2, "fault 7"),
                ("bench/a.py", "# fault\n# 4\n", 2, "fault 4"),
                ("tests/e2e/a.py", "step('faults 1-4')\n", 1, "fault 4"),
                ("tests/unit/b_test.cc", '"of two (faults 3 to "\n    "5)"\n', 1, "fault 5"),
                ("tests/README.md", "fault 2, row 3, pitfall 2\n", 1, "pitfall 2")]:
            with self.subTest(path=path):
                self.assertIn(f"{path}:{line}: tests/INVARIANTS.md has no {missing}",
                              self.findings({path: text}))

    def test_a_number_without_a_test_is_found_though_a_source_cites_it(self):
        test = {"tests/unit/a_test.cc": 'TEST_CASE("true (invariant 1, faults 1, 3)") {}\n',
                "lib/a.cc": "// fault 2\n"}
        self.assertEqual(self.findings(test), ["tests/INVARIANTS.md:12: no test cites fault 2"])

    def test_a_number_that_waits_though_a_test_cites_it_is_found(self):
        self.assertEqual(self.findings({"tests/unit/b_test.cc": "\n// pitfall 1\n"}), [
            "tests/INVARIANTS.md:16: pitfall 1 waits for time travel, and tests/unit/b_test.cc:2 cites it"])

    def test_settling_takes_the_words_from_what_is_cited_and_nothing_else(self):
        with tempfile.TemporaryDirectory(prefix="walden-lint-") as directory:
            root = pathlib.Path(directory)
            for name, text in ((citations.DOCUMENT, DOCUMENT), ("tests/unit/a_test.cc", TEST),
                               ("tests/unit/b_test.cc", "// (invariant 2)\n")):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            citations.settle(root)
            self.assertEqual(citations.violations(root), [])
            self.assertEqual((root / citations.DOCUMENT).read_text(),
                             DOCUMENT.replace(" *Not yet: time\ntravel.*", ""))

    def test_a_number_left_out_or_doubled_is_found(self):
        self.assertEqual(self.findings({}, DOCUMENT.replace("**Fault 2.**", "**Fault 1.**")), [
            "tests/INVARIANTS.md:12: fault 1 stands after fault 1",
            "tests/INVARIANTS.md:14: fault 3 stands after fault 1",
            "tests/unit/a_test.cc:1: tests/INVARIANTS.md has no fault 2"])

    def test_other_numbers_are_no_citations(self):
        self.assertEqual(self.findings({"lib/a.cc": "// 40 rows, fault 0x12 row, rows 1.5, default 99\n"}), [])

    def test_what_waits_is_listed_by_feature(self):
        with tempfile.TemporaryDirectory(prefix="walden-lint-") as directory:
            (pathlib.Path(directory) / "tests").mkdir()
            (pathlib.Path(directory) / citations.DOCUMENT).write_text(DOCUMENT)
            self.assertEqual([*citations.unbuilt(pathlib.Path(directory))],
                             ["time travel: invariants 2; pitfalls 1"])


if __name__ == "__main__":
    unittest.main()
