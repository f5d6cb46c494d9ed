#!/usr/bin/env python3
"""Tries fault_proxy.py: latency that costs no throughput, and each fault on cue."""

import http.client
import time
import unittest
import urllib.error

from own_servers import FaultProxy, StrictS3
from s3_client import S3Client

BROKEN = (OSError, http.client.HTTPException)


class Faults(unittest.TestCase):
    def setUp(self):
        self.server = StrictS3()
        self.proxy = FaultProxy(self.server.port)
        self.clients = []
        self.client = self.connect()
        self.assertEqual(self.client.call("PUT", "walden-test", "k", body=b"x" * 500000).status, 200)

    def connect(self, timeout=10):
        client = S3Client(f"http://127.0.0.1:{self.proxy.port}", self.server.credentials,
                          timeout=timeout)
        self.clients.append(client)
        return client

    def tearDown(self):
        for client in self.clients:
            client.close()
        self.proxy.stop()
        self.server.stop()

    def get(self, client=None):
        return (client or self.client).call("GET", "walden-test", "k").body

    def seconds(self, action):
        begin = time.monotonic()
        action()
        return time.monotonic() - begin

    def test_latency_is_twice_and_costs_no_throughput(self):
        self.proxy.settings(latency_ms=100)
        self.assertGreaterEqual(self.seconds(self.get), 0.2)
        # 8 MiB in two windows: a latency for each 64 KiB, say, would be 13 s.
        body = b"y" * (8 << 20)
        self.assertLess(self.seconds(
            lambda: self.client.call("PUT", "walden-test", "big", body=body)), 6)
        self.proxy.settings(window=1 << 20)
        self.assertGreaterEqual(self.seconds(
            lambda: self.client.call("PUT", "walden-test", "big", body=body)), 0.7)

    def test_bandwidth(self):
        self.proxy.settings(bandwidth=1_000_000)
        self.assertGreaterEqual(self.seconds(self.get), 0.45)
        self.proxy.clear()
        self.assertEqual(len(self.get()), 500000)

    def test_breaks_on_cue(self):
        for what in ("reset", "close"):
            # Down amid the body: Python's client takes a cut head for a short one.
            for direction, after in (("up", 20), ("down", 5000)):
                self.proxy.cue(direction, what, after=after)
                with self.assertRaises(BROKEN):
                    self.get()
                self.assertEqual(len(self.get()), 500000)
        self.assertEqual(self.proxy.state()["taken"], 4)
        self.proxy.cut()
        with self.assertRaises(BROKEN):
            self.get()

    def test_flips_one_bit(self):
        self.proxy.cue("down", "flip", after=100000)
        body = self.get()
        self.assertEqual((len(body), body.count(b"x")), (500000, 499999))
        self.assertEqual(self.get().count(b"x"), 500000)

    def test_stalls_and_refuses(self):
        self.proxy.settings(stalled=True)
        impatient = self.connect(timeout=0.3)
        with self.assertRaises(TimeoutError):
            self.get(impatient)
        self.proxy.settings(stalled=False, refusing=True)
        with self.assertRaises(BROKEN):
            self.get(self.connect())
        self.proxy.clear()
        self.proxy.cue("down", "stall", after=10)
        impatient = self.connect(timeout=0.3)
        with self.assertRaises(TimeoutError):
            self.get(impatient)
        self.assertEqual(len(self.get(self.connect())), 500000)

    def test_a_server_that_is_gone_is_a_reset(self):
        self.server.process.kill()
        with self.assertRaises(BROKEN):
            self.get(self.connect())

    def test_nonsense_is_refused(self):
        for name, content in (("settings", {"latency": 1}), ("cue", {"direction": "up"}),
                              ("cue", {"direction": "left", "what": "reset"}), ("nothing", {})):
            with self.assertRaises(urllib.error.HTTPError):
                self.proxy.control("POST", name, content)


if __name__ == "__main__":
    unittest.main()
