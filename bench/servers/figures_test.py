#!/usr/bin/env python3
"""Tests of what these benchmarks compute and reads, without running anything."""

import json
import os
import pathlib
import sys
import tempfile
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent),
                str(pathlib.Path(__file__).resolve().parents[2] / "tests")]
from contenders import parse_settings  # noqa: E402
from figures import Figures, cell_of, per, spread_of, text_of  # noqa: E402
from harness.accounts import Account  # noqa: E402
from harness.outcomes import Failed, Skip  # noqa: E402
from harness.processes import children_of, cpu_seconds, time_calls  # noqa: E402
from harness.toml import tables_of, toml_document  # noqa: E402
from stores import count_gateway_requests  # noqa: E402


class FiguresTest(unittest.TestCase):
    def test_the_spread_is_median_smallest_and_largest_in_any_order(self):
        self.assertEqual(spread_of([3, 1, 9]), {"median": 3, "min": 1, "max": 9})
        self.assertEqual(spread_of([4, 1, 2, 100])["median"], 3)

    def test_numbers_have_three_digits(self):
        self.assertEqual([text_of(n) for n in (0, 7, 1234, 0.01234, 2.345, 23.45, 234.5)],
                         ["0", "7", "1234", "0.012", "2.35", "23.4", "234"])
        self.assertEqual(cell_of(spread_of([1.5])), "1.50")
        self.assertEqual(cell_of(spread_of([1, 2, 4])), "2 (1..4)")

    def test_samples_of_the_same_labels_meet_in_one_figure(self):
        figures = Figures("drain", {"commit": "c0ffee"})
        figures.add({"contender": "a"}, {"rate": 2.0})
        figures.add({"contender": "b"}, {"rate": 10.0, "extra": 1})
        figures.add({"contender": "a"}, {"rate": [4.0, 3.0]})
        first, second = [json.loads(line) for line in figures.json_lines().splitlines()]
        self.assertEqual(first["rate"], {"median": 3.0, "min": 2.0, "max": 4.0})
        self.assertEqual((first["figure"], first["contender"], first["samples"], first["commit"]),
                         ("drain", "a", 3, "c0ffee"))
        self.assertEqual(second["contender"], "b")
        head, row, _ = figures.table().splitlines()
        self.assertEqual(head.split(), ["contender", "rate", "extra", "load"])
        self.assertEqual(row.split()[:4], ["a", "3", "(2..4)", "-"])

    def test_nothing_divided_by_nothing_is_nothing(self):
        self.assertEqual((per(3, 2), per(3, 0)), (1.5, 0.0))


class ReadingTest(unittest.TestCase):
    def test_requests_are_counted_from_the_log_of_radosgw(self):
        line = ('2026-11-22T14:00:00.000+0000 7f 1 beast: 0x7f: 127.0.0.1 - walden '
                '[22/Nov/2026:14:00:00.000 +0000] "{}" 200 0 - - - latency=0.001s\n')
        log = "".join(line.format(request) for request in (
            "PUT /b/k HTTP/1.1", "PUT /b/l HTTP/1.1", "GET /b/?list-type=2&prefix=p HTTP/1.1",
            "GET /b/k?partNumber=1 HTTP/1.1", "POST /b/k?uploads HTTP/1.1",
            "HEAD /b/k HTTP/1.1")) + "2026-11-22 7f 1 ====== starting new request =====\n"
        self.assertEqual(count_gateway_requests(log),
                         {"PUT": 2, "LIST": 1, "GET": 1, "POST": 1, "HEAD": 1})

    def test_settings_become_the_tables_of_a_configuration(self):
        settings = parse_settings(["codec.level=3", "agent.memory=1GiB", "agent.enabled=false"])
        self.assertEqual(settings, {"codec.level": 3, "agent.memory": "1GiB",
                                    "agent.enabled": False})
        self.assertEqual(toml_document(tables_of({"agent.memory": "1GiB", "cluster": "c",
                                                  "codec.level": 3})),
                         'cluster = "c"\n\n[agent]\nmemory = "1GiB"\n\n[codec]\nlevel = 3\n')
        self.assertRaises(Failed, parse_settings, ["codec.level"])


class ProcessesTest(unittest.TestCase):
    def test_the_time_of_a_child_counts_once_it_was_waited_for(self):
        before = cpu_seconds(os.getpid())
        child = os.fork()
        if child == 0:
            while os.times().user < 0.2:
                pass
            os._exit(0)
        self.assertIn(child, children_of(os.getpid()))
        os.waitpid(child, 0)
        self.assertGreaterEqual(cpu_seconds(os.getpid()) - before, 0.15)
        self.assertNotIn(child, children_of(os.getpid()))

    def test_calls_are_timed_one_by_one_and_must_succeed(self):
        try:
            account = Account()
        except Skip as reason:
            self.skipTest(str(reason))
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o755)
            times = time_calls(account, ["/bin/true"], 3, directory)
            self.assertEqual(len(times), 3)
            self.assertGreater(min(times), 0)
            self.assertRaises(Failed, time_calls, account, ["/bin/false"], 1,
                              directory)


if __name__ == "__main__":
    unittest.main()
