#!/usr/bin/env python3
"""Proves the lints: every planted violation is found, and a clean tree gives no finding."""

import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import layers  # noqa: E402
import tidy  # noqa: E402

# A small tree that obeys every rule, close to its limits.
CLEAN = {
    "lib/base/bytes.h": "#pragma once\n#include <vector>\nusing Bytes = std::vector<int>;\n",
    "lib/base/file.h": '#pragma once\n#include <fcntl.h>\n#include "base/bytes.h"\n',
    "lib/base/format.h": "#pragma once\n#include <fmt/format.h>\n",
    "lib/wal/lsn.h": '#pragma once\n#include "base/bytes.h"\n',
    "lib/wal/lsn.cc": '#include "wal/lsn.h"\n#include <string>\n// printf("in a comment")\n',
    "lib/vault/object_storage.h": '#pragma once\n#include "base/bytes.h"\n',
    "lib/vault/entry.h": "#pragma once\n",
    "lib/crypto/hash.cc": "#include <openssl/evp.h>\n",
    "lib/crypto/cipher.cc": '#include <openssl/evp.h>\nconst char* s = "printf(1)";\n',
    "lib/archive/push.h": '#pragma once\n#include "vault/entry.h"\n#include "wal/lsn.h"\n',
    "lib/recovery/fetch.cc": '#include "vault/entry.h"\n#include <stdio.h>\nint n = snprintf(nullptr, 0, "x");\n',
    "lib/catalog/holes.h": '#pragma once\n#include "vault/entry.h"\n#include "wal/lsn.h"\n',
    "lib/restore/restore.cc": '#include "catalog/holes.h"\n',
    "lib/drill/drill.h": '#pragma once\n#include "archive/push.h"\n#include "catalog/holes.h"\n',
    "lib/agent/agent.cc": '#include "archive/push.h"\n#include "drill/drill.h"\n',
    "storage/posix/posix_storage.cc": '#include "vault/object_storage.h"\n#include <sys/stat.h>\n',
    "tools/cli/main.cc": '#include "archive/push.h"\n#include <CLI/CLI.hpp>\n#include <cstdio>\nint m() { return std::printf("x"); }\n',
    "tests/unit/wait.cc": "#include <catch2/catch.hpp>\n#include <zstd.h>\n"
                          "bool wait_for_file(int n) {\n    while (n) { usleep(5); }\n    return true;\n}\n",
    "tests/e2e/wait.py": 'import time\ndef wait_for(x):\n    """Waits for x."""\n    time.sleep(0.1)\n',
    "bench/bench.cc": '#include "wal/lsn.h"\n#include <zstd.h>\n',
}

SLEEP = "sleep"
LAYER_CASES = [
    # (path, text, line, part of the complaint)
    ("lib/wal/page.cc", '#include "wal/lsn.h"\n\n#include "vault/object_storage.h"\n', 3,
     'lib/wal may not include "vault/object_storage.h"'),
    ("lib/base/up.h", '#include "wal/lsn.h"\n', 1, "lib/base may not include"),
    ("lib/codec/c.cc", '#include "vault/entry.h"\n', 1, "lib/codec may not include"),
    ("lib/crypto/c.cc", '#include "wal/lsn.h"\n', 1, "lib/crypto may not include"),
    ("lib/pg/p.cc", '#include "vault/entry.h"\n', 1, "lib/pg may not include"),
    ("lib/vault/v.cc", '#include "wal/lsn.h"\n', 1, "lib/vault may not include"),
    ("lib/archive/a.cc", '#include "recovery/fetch.h"\n', 1, 'lib/archive may not include "recovery/fetch.h"'),
    ("lib/vault/up.cc", '#include "catalog/holes.h"\n', 1, "lib/vault may not include"),
    ("lib/catalog/c.cc", '#include "archive/push.h"\n', 1, "lib/catalog may not include"),
    ("lib/restore/r.cc", '#include "archive/push.h"\n', 1, "lib/restore may not include"),
    ("lib/archive/d.cc", '#include "drill/drill.h"\n', 1, "lib/archive may not include"),
    ("lib/drill/d.cc", '#include "agent/agent.h"\n', 1, "lib/drill may not include"),
    ("lib/receive/d.cc", '#include "drill/drill.h"\n', 1, "lib/receive may not include"),
    ("lib/agent/t.cc", '#include "tools/cli/x.h"\n', 1, "lib/agent may not include"),
    ("lib/vault/s.cc", '#include "storage/posix/posix_storage.h"\n', 1, "lib/vault may not include"),
    ("storage/s3/s.cc", '#include "vault/entry.h"\n', 1, 'storage may not include "vault/entry.h"'),
    ("storage/s3/w.cc", '#include "wal/lsn.h"\n', 1, "storage may not include"),
    ("tools/cli/t.cc", '#include "tests/support/x.h"\n', 1, "tools may not include"),
    ("lib/base/ghost.cc", '#include "base/ghost.h"\n', 1, 'there is no "base/ghost.h"'),
    ("lib/wal/near.cc", '#include "lsn.h"\n', 1, 'there is no "lsn.h"'),
    ("lib/wal/io.cc", "#include <fstream>\n", 1, "lib/wal is pure"),
    ("lib/wal/io2.cc", '#include "base/file.h"\n', 1, "lib/wal is pure"),
    ("lib/crypto/io3.cc", "#include <fcntl.h>\n", 1, "lib/crypto is pure"),
    ("lib/wal/zip.cc", "  #  include <zstd.h>\n", 1, "lib/wal may not include <zstd.h>"),
    ("lib/vault/ssl.cc", "#include <openssl/sha.h>\n", 1, "OpenSSL belongs to ['lib/crypto']"),
    ("lib/base/other_format.h", "#include <fmt/chrono.h>\n", 1, "fmt is included by lib/base/format.h only"),
    ("tools/cli/second.cc", "#include <CLI/App.hpp>\n", 1, "CLI11 is included by tools/cli/main.cc only"),
    ("lib/base/odd.h", "#include <boost/asio.hpp>\n", 1, "is of no known library"),
    ("lib/util/x.h", "\n", 1, "lib/util is not in the layer table"),
    ("lib/loose.h", "\n", 1, "is not in the layer table"),
]
TIDY_CASES = [
    ("lib/base/long.cc", "int a;\n" * 601, 601, "601 lines"),
    ("tests/e2e/long.py", "a = 1\n" * 601, 601, "601 lines"),
    ("lib/base/tab.cc", "int a;\n\tint b;\n", 2, "a tab"),
    ("tests/e2e/tab.py", "if True:\n\tpass\n", 2, "a tab"),
    ("tools/cli/later.cc", "\n// TO" + "DO: later\n", 2, "belongs into an issue"),
    ("tests/e2e/later.py", "# FIX" + "ME\n", 1, "belongs into an issue"),
    ("storage/posix/lsn.cc", "\n", 1, "lib/wal/lsn.cc has the same file name"),
    ("lib/base/alone.h", "#pragma once\ninline std::string text;\n", 1, "does not compile alone"),
    ("lib/base/print.cc", '#include <iostream>\nvoid f() { std::cout << 1; }\n', 2, "does not print"),
    ("lib/base/print2.cc", '#include <cstdio>\nvoid f() { printf("x"); }\n', 2, "does not print"),
    ("storage/posix/print3.cc", '\nvoid f() { fprintf(stderr, "x"); }\n', 2, "does not print"),
    ("tests/unit/s.cc", "#include <thread>\nvoid f() { std::this_thread::sleep_for(x); }\n", 2, "does not sleep"),
    ("tests/unit/s2.cc", "void wait_for_x() {}\nvoid f() { usleep(5); }\n", 2, "does not sleep"),
    ("tests/e2e/s.py", f"import time\ndef f():\n    '''doc'''\n    time.{SLEEP}(1)\n", 4, "does not sleep"),
    ("tests/e2e/s2.py", f"from time import {SLEEP}\n{SLEEP}(1)\n", 2, "does not sleep"),
    ("tests/e2e/s3.py", f"import time\ndef wait_for(x):\n    time.{SLEEP}(1)\n", 3, "does not sleep"),
    ("tests/e2e/s4.py", "def f(:\n", 1, "not Python 3"),
    ("tests/support/s.sh", f"true; {SLEEP} 1\n", 1, "does not sleep"),
    ("tests/e2e/run", f"#!/usr/bin/env bash\n{SLEEP} 0.5\n", 2, "does not sleep"),
]


class Tree(tempfile.TemporaryDirectory):
    """The clean tree with some files on top, in a temporary directory."""

    def __init__(self, extra):
        super().__init__(prefix="walden-lint-")
        self.path = pathlib.Path(self.name)
        for name, text in {**CLEAN, **extra}.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    def __enter__(self):
        return self.path


class LintTest(unittest.TestCase):
    def test_a_clean_tree_has_no_findings(self):
        with Tree({}) as root:
            self.assertEqual(layers.violations(root), [])
            self.assertEqual(tidy.violations(root), [])

    def check(self, lint, cases):
        for path, text, line, complaint in cases:
            with self.subTest(path=path), Tree({path: text}) as root:
                found = [f for f in lint(root) if f.startswith(f"{path}:{line}: ") and complaint in f]
                self.assertEqual(len(found), 1, f"{path}: {complaint}: {lint(root)}")

    def test_every_planted_layer_violation_is_found(self):
        self.check(layers.violations, LAYER_CASES)

    def test_every_planted_untidiness_is_found(self):
        with tempfile.TemporaryDirectory(prefix="walden-lint-") as cache:
            # One cache for all trees: only a header that a case plants is compiled again.
            self.check(lambda root: tidy.violations(root, pathlib.Path(cache)), TIDY_CASES)

    def test_a_cached_header_is_compiled_again_when_what_it_includes_changes(self):
        with Tree({}) as root, tempfile.TemporaryDirectory(prefix="walden-lint-") as cache:
            self.assertEqual(tidy.violations(root, pathlib.Path(cache)), [])
            (root / "lib/base/bytes.h").write_text("#pragma once\n#include <vector>\nstd::strin x;\n")
            found = tidy.violations(root, pathlib.Path(cache))
            self.assertTrue(any(f.startswith("lib/wal/lsn.h:1: does not compile") for f in found), found)


if __name__ == "__main__":
    unittest.main()
