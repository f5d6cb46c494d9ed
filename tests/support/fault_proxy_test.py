#!/usr/bin/env python3
"""Tries fault_proxy.py: latency that costs no throughput, and each fault on cue."""

import http.client
import time
import unittest
import urllib.error

from http_requests import RequestCounter
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
        # A new connection pays for its handshake.
        self.assertGreaterEqual(self.seconds(lambda: self.get(self.connect())), 0.4)
        # 8 MiB in two windows: a latency for each 64 KiB, say, would be 13 s.
        body = b"y" * (8 << 20)
        self.assertLess(self.seconds(
            lambda: self.client.call("PUT", "walden-test", "big", body=body)), 6)
        self.proxy.settings(window=1 << 20)
        self.assertGreaterEqual(self.seconds(
            lambda: self.client.call("PUT", "walden-test", "big", body=body)), 1.4)

    def test_counts_connections_bytes_and_requests(self):
        self.proxy.control("POST", "reset")
        client = self.connect()
        self.get(client)
        client.call("GET", "walden-test", query={"list-type": "2"})
        client.call("PUT", "walden-test", "other", body=b"GET /walden-test/k HTTP/1.1\r\n\r\n" * 100)
        state = self.proxy.state()
        self.assertEqual(state["requests"], {"GET": 1, "LIST": 1, "PUT": 1})
        self.assertEqual(state["connections"], 1)
        self.assertGreater(state["down"], 500000)
        self.assertEqual(self.proxy.control("POST", "reset")["requests"], {})

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

    def test_requests_are_counted_wherever_the_stream_is_cut(self):
        stream = (b"PUT /b/key HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nGET / HTTP/1"
                  b"HEAD /b/key HTTP/1.1\r\n\r\n"
                  b"GET /b/?list-type=2&prefix=p HTTP/1.1\r\ncontent-length:0\r\n\r\n"
                  b"GET /b/key?partNumber=1 HTTP/1.1\r\n\r\n"
                  b"POST /b/key?uploads= HTTP/1.1\r\n\r\n")
        for size in range(1, len(stream) + 1):
            counter = RequestCounter({})
            for at in range(0, len(stream), size):
                counter.read(stream[at:at + size])
            self.assertEqual(counter.counts, {"GET": 1, "HEAD": 1, "LIST": 1, "POST": 1, "PUT": 1})

    def test_what_is_not_plain_http_counts_as_unreadable_once(self):
        for sent in (b"\x16\x03\x01\x02", b"A" * 100_000,
                     b"PUT /k HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                     b"PUT /k HTTP/1.1\r\nContent-Length: 9x\r\n\r\n"):
            counter = RequestCounter({})
            for _ in range(3):
                counter.read(sent)
            self.assertEqual(counter.counts, {"unreadable": 1})

    def test_nonsense_is_refused(self):
        for name, content in (("settings", {"latency": 1}), ("cue", {"direction": "up"}),
                              ("cue", {"direction": "left", "what": "reset"}), ("nothing", {})):
            with self.assertRaises(urllib.error.HTTPError):
                self.proxy.control("POST", name, content)


if __name__ == "__main__":
    unittest.main()
