#!/usr/bin/env python3
"""What PosixStorage acknowledges survives a power failure right after it (faults 13 and 18), and
durability_trace would notice if not.

    durability_test.py PUT_OBJECT
"""

import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from crash_points import can_trace  # noqa: E402
from durability_trace import NoVerdict, trace  # noqa: E402

KEY = "clusters/main/7/content/00000001/0000000A/segment"
PUT_OBJECT = ""


class Sandbox(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="walden-durability-")
        self.addCleanup(directory.cleanup)
        self.work = os.path.realpath(directory.name)
        self.store = os.path.join(self.work, "store")
        os.mkdir(self.store)
        self.source = os.path.join(self.work, "source")
        with open(self.source, "wb") as file:
            file.write(os.urandom(100_000))

    def shell(self, script, **options):
        return trace(["sh", "-c", script], [self.store], cwd=self.work, **options)

    def put(self, key=KEY, **options):
        report = trace([PUT_OBJECT, self.store, key, self.source], [self.store], **options)
        self.assertEqual(report.exit_code, 0, report)
        return report

    def put_untraced(self, key=KEY):
        subprocess.run([PUT_OBJECT, self.store, key, self.source], check=True,
                       stdout=subprocess.DEVNULL)


class TheModel(Sandbox):
    """A checker that never finds anything proves nothing: known cases both ways."""

    def assert_flagged(self, report, *words):
        self.assertFalse(report.is_durable, "not flagged")
        for word in words:
            self.assertIn(word, str(report))

    def test_cp_is_not_durable(self):
        self.assert_flagged(self.shell("cp source store/x"), "its data", "its name")

    def test_cp_and_mv_is_not_durable(self):
        self.assert_flagged(self.shell("cp source store/.x && mv store/.x store/x"),
                            "renamed while its data was not synced", "its data", "its name")

    def test_dd_with_fsync_leaves_the_name_open(self):
        report = self.shell("dd if=source of=store/x conv=fsync status=none")
        self.assert_flagged(report, "its name")
        self.assertNotIn("its data", str(report))

    def test_a_synced_directory_leaves_the_data_open(self):
        report = self.shell("cp source store/x && sync store")
        self.assert_flagged(report, "its data")
        self.assertNotIn("its name", str(report))

    def test_a_write_after_the_fsync_is_not_durable(self):
        self.assert_flagged(self.shell("cp source store/x; sync store/x store; echo >>store/x"),
                            "its data")

    def test_a_new_directory_needs_its_parent_synced(self):
        script = "mkdir store/d && cp source store/d/x && sync store/d/x store/d"
        self.assert_flagged(self.shell(script), "/store/d: its name")

    def test_a_link_needs_the_directory_synced_after_it(self):
        self.assert_flagged(
            self.shell("cp source store/.x; sync store/.x store; ln store/.x store/x"), "its name")

    def test_a_removal_needs_the_directory_synced(self):
        with open(os.path.join(self.store, "x"), "wb"):
            pass
        self.assert_flagged(self.shell("rm store/x"), "its removal")

    def test_all_steps_together_are_durable(self):
        report = self.shell("mkdir store/d && sync store && cp source store/d/.x && "
                            "sync store/d/.x && mv store/d/.x store/d/x && sync store/d")
        self.assertTrue(report.is_durable, report)

    def test_a_plain_sync_makes_everything_durable(self):
        self.assertTrue(self.shell("cp source store/x && sync").is_durable)

    def test_an_fsync_that_only_claims_success_counts_for_nothing(self):
        script = "rm -f store/x && sync && cp source store/x && sync store/x store"
        self.assertTrue(self.shell(script).is_durable)
        for number in ("1", "2"):
            # sync(1) makes both calls in one process.
            self.assert_flagged(self.shell(script, inject=[f"fsync:retval=0:when={number}"]))

    def test_a_second_fsync_after_a_failed_one_counts_for_nothing(self):
        script = ("import os\nd = os.open('store', os.O_RDONLY)\n"
                  "f = os.open('store/x', os.O_CREAT | os.O_WRONLY)\nos.write(f, b'x')\n"
                  "def again(fd):\n  try: os.fsync(fd)\n  except OSError: os.fsync(fd)\n"
                  "again(f); again(d)\n")
        command = [sys.executable, "-c", script]
        for number, what in ((1, "its data"), (2, "its name")):
            os.system(f"rm -f {self.store}/x")
            self.assert_flagged(trace(command, [self.store], cwd=self.work,
                                      inject=[f"fsync:error=EIO:when={number}"]), what)
        os.system(f"rm -f {self.store}/x")
        self.assertTrue(trace(command, [self.store], cwd=self.work).is_durable)

    def test_a_shared_mapping_gives_no_verdict(self):
        script = ("import mmap\nf = open('store/x', 'w+b')\nf.truncate(10)\n"
                  "mmap.mmap(f.fileno(), 10)[0] = 1")
        with self.assertRaises(NoVerdict):
            trace([sys.executable, "-c", script], [self.store], cwd=self.work)


class PutNew(Sandbox):
    def assert_durable_and_minimal(self, **options):
        """Durable as it is, and with any one fsync turned into a lie no longer: so the verdict
        hangs on each of them, and none is made for nothing."""
        states = options.pop("prepare")
        states()
        report = self.put(**options)
        target = os.path.join(self.store, options.get("key", KEY))
        self.assertEqual([], [str(f) for f in report.findings_on_the_way_to(target)])
        self.assertGreater(report.fsync_count, 0)
        for number in range(1, report.fsync_count + 1):
            with self.subTest(silent_fsync=number):
                states()
                mutant = self.put(**options, inject=[f"fsync:retval=0:when={number}"])
                self.assertEqual(mutant.injected_count, 1)
                self.assertTrue(mutant.findings_on_the_way_to(target), "not flagged")
        return report

    def empty_store(self):
        subprocess.run(["rm", "-rf", self.store], check=True)
        os.mkdir(self.store)

    def test_the_first_object(self):
        report = self.assert_durable_and_minimal(prepare=self.empty_store)
        self.assertTrue(report.is_durable, report)  # nothing else was left open either
        print(f"\nfirst put: {report.fsync_count} fsyncs in {KEY.count('/')} new directories")

    def test_an_object_of_a_store_without_directories(self):
        report = self.assert_durable_and_minimal(prepare=self.empty_store, key="descriptor")
        self.assertEqual(report.fsync_count, 2)

    def test_an_object_beside_another(self):
        def one_object():
            self.empty_store()
            self.put_untraced(KEY + ".other")
        one_object()
        self.assertTrue(self.put().is_durable)
        # The directories' maker may have died before syncing them.
        report = self.assert_durable_and_minimal(prepare=one_object, volatile=True)
        print(f"\nsecond put of another process: {report.fsync_count} fsyncs")

    def test_an_object_whose_writer_died_before_any_fsync(self):
        def same_object():
            self.empty_store()
            self.put_untraced()
        report = self.assert_durable_and_minimal(prepare=same_object, volatile=True)
        self.assertTrue(report.is_durable, report)

    def test_a_kernel_without_openat2_changes_nothing(self):
        report = self.put(inject=["openat2:error=ENOSYS"])
        self.assertTrue(report.is_durable, report)
        self.assertGreater(report.injected_count, 0)

    def test_a_failing_fsync_is_a_failing_put_and_is_not_asked_again(self):
        for number in range(1, self.put().fsync_count + 1):
            with self.subTest(failing_fsync=number):
                self.empty_store()
                report = trace([PUT_OBJECT, self.store, KEY, self.source], [self.store],
                               inject=[f"fsync:error=EIO:when={number}"])
                self.assertEqual(report.exit_code, 1)
                calls = [line for line in report.log if " fsync(" in line]
                self.assertEqual(len(calls), number, "fsync was called after its failure")


    def test_a_put_repeated_by_its_process_after_a_failed_fsync_is_durable(self):
        # The way of a long-running agent: the kernel's lie after a failure must not reach it.
        for number in range(1, self.put().fsync_count + 1):
            with self.subTest(failing_fsync=number):
                self.empty_store()
                report = trace([PUT_OBJECT, self.store, KEY, self.source, "retry"], [self.store],
                               inject=[f"fsync:error=EIO:when={number}"])
                self.assertEqual((report.exit_code, report.injected_count), (0, 1))
                self.assertTrue(report.is_durable, report)


if __name__ == "__main__":
    if not can_trace():
        print("skipped: strace is missing or may not trace")
        sys.exit(77)
    PUT_OBJECT = sys.argv.pop(1)
    unittest.main(verbosity=2)
