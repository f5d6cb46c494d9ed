#!/usr/bin/env python3
"""A TCP proxy between a client and a real server, which is slow, breaks on cue, and counts.

usage: fault_proxy.py --upstream HOST:PORT --port-file FILE [--port N] [--latency-ms N]
           [--bandwidth N] [--window N]

Listens on 127.0.0.1, writes "PORT CONTROL_PORT\\n" to FILE, and ends when its stdin does. It goes
before any server; of HTTP it only counts requests, where it can read them.

Control, plain HTTP on CONTROL_PORT, answers with the state that GET /state shows:
  POST /settings  a JSON object; what it names changes, for all connections and at once:
    latency_ms    added in each direction, so that a request takes twice as much longer; a new
                  connection costs another round trip, as its handshake would; no slow start
    bandwidth     bytes a second, in each direction of each connection; 0 for no limit
    window        bytes that may be under way in each direction of a connection until their receipt
                  is known, a round trip: this bounds its throughput as TCP's window does. The
                  default, 4 MiB, is Linux's limit for a sender (net.ipv4.tcp_wmem)
    stalled       nothing is forwarded, connections stay open
    refusing      new connections are reset
  POST /cue       a JSON object, a fault for the next connections that forward in that direction,
                  new or old:
    direction     "up" (from the client) or "down"
    after         so many bytes still pass (default 0)
    what          "reset" (both sides, by RST), "close" (by FIN), "stall" (this connection, for
                  ever), "flip" (one bit of the next byte; the rest goes on)
    times         how many connections (default 1)
  POST /cut       resets all connections now
  POST /clear     back to the settings of the start; drops the cues not yet taken
  POST /reset     counts from 0 again
  GET  /state     {"settings", "cues", "connections": opened, "open", "up", "down": bytes, "taken":
                  cues taken, "requests": by method as in http_requests.py}
"""

import argparse
import asyncio
import collections
import json
import os
import socket
import struct
import sys
import threading

from http_requests import RequestCounter

READ_SIZE = 1 << 18
WINDOW = 4 << 20
CUE_KEYS = {"direction", "after", "what", "times"}


class Proxy:
    def __init__(self, host, port, settings):
        self.upstream = (host, port)
        self.first_settings = dict(settings)
        self.settings = dict(settings)
        self.cues = []
        self.open = set()
        self.counts = {}
        self.requests = {}
        self.count_anew()
        self.changed = asyncio.Event()

    def state(self):
        return {"settings": self.settings, "cues": self.cues, "open": len(self.open), **self.counts,
                "requests": self.requests}

    def count_anew(self):
        self.counts.update({"connections": 0, "up": 0, "down": 0, "taken": 0})
        self.requests.clear()

    def change(self, settings):
        """Takes new settings; ValueError for one that does not exist."""
        unknown = set(settings) - set(self.settings)
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
        self.settings.update(settings)
        self.announce()

    def announce(self):
        """Wakes those that wait for other settings."""
        self.changed.set()
        self.changed = asyncio.Event()

    def add_cue(self, cue):
        if (set(cue) - CUE_KEYS or cue.get("direction") not in ("up", "down")
                or cue.get("what") not in ("reset", "close", "stall", "flip")):
            raise ValueError(f"this is no cue: {cue}")
        self.cues.append({"after": 0, "times": 1, **cue})

    def take_cue(self, direction):
        for cue in self.cues:
            if cue["direction"] == direction and cue["times"] > 0:
                cue["times"] -= 1
                self.counts["taken"] += 1
                return dict(cue)
        return None

    def clear(self):
        self.settings = dict(self.first_settings)
        self.cues = []
        self.announce()

    def cut(self):
        for connection in list(self.open):
            connection.reset()

    async def accept(self, reader, writer):
        self.counts["connections"] += 1
        connection = Connection(self, writer)
        if self.settings["refusing"]:
            connection.reset()
            return
        try:
            up_reader, up_writer = await asyncio.open_connection(*self.upstream, limit=READ_SIZE)
        except OSError:
            connection.reset()
            return
        connection.writers.append(up_writer)
        self.open.add(connection)
        try:
            await run_together(Line(connection, "up").run(reader, up_writer),
                               Line(connection, "down").run(up_reader, writer))
            connection.close()
        except OSError:
            connection.reset()
        finally:
            self.open.discard(connection)


async def run_together(*coroutines):
    """Runs them until all have ended, or one has failed: then the others are cancelled, and its
    exception is raised."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Connection:
    def __init__(self, proxy, writer):
        self.proxy = proxy
        self.writers = [writer]
        for_latency = writer.get_extra_info("socket")
        for_latency.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def reset(self):
        for writer in self.writers:
            raw = writer.get_extra_info("socket")
            if raw is not None and raw.fileno() >= 0:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def close(self):
        for writer in self.writers:
            writer.close()


class Line:
    """One direction of a connection: what comes in goes out later, but not slower."""

    def __init__(self, connection, direction):
        self.connection = connection
        self.proxy = connection.proxy
        self.direction = direction
        self.waiting = collections.deque()  # of (moment, bytes); no bytes are the end
        self.size = 0  # of what is under way, or whose receipt is not known yet
        self.moved = asyncio.Event()
        self.cue = None
        self.free_at = 0.0  # when the bandwidth allows the next bytes
        self.counter = RequestCounter(self.proxy.requests) if direction == "up" else None

    async def run(self, reader, writer):
        await run_together(self.take_in(reader), self.let_out(writer))

    async def take_in(self, reader):
        loop = asyncio.get_running_loop()
        opened = loop.time()
        while True:
            while self.size >= self.proxy.settings["window"]:
                self.moved.clear()
                await self.moved.wait()
            data = await reader.read(READ_SIZE)
            delay = self.proxy.settings["latency_ms"] / 1000
            # The client is connected to us at once; over a real line it would have sent its first
            # byte only after the server's answer to its SYN.
            sent = max(loop.time(), opened + 2 * delay) if self.direction == "up" else loop.time()
            due = sent + delay
            if self.counter:
                self.counter.read(data)
            self.waiting.append((due, data))
            self.size += len(data)
            self.moved.set()
            if not data:
                return

    async def let_out(self, writer):
        while True:
            while not self.waiting:
                self.moved.clear()
                await self.moved.wait()
            due, data = self.waiting.popleft()
            await self.wait_for_moment(due)
            await self.wait_for_thaw()
            if not data:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            await self.forward(writer, data)
            delay = self.proxy.settings["latency_ms"] / 1000
            if delay:
                asyncio.get_running_loop().call_later(delay, self.hear_of, len(data))
            else:
                self.hear_of(len(data))

    def hear_of(self, size):
        """So many bytes have arrived, and the sender knows."""
        self.size -= size
        self.moved.set()

    async def forward(self, writer, data):
        rate = self.proxy.settings["bandwidth"]
        step = max(1, int(rate / 50)) if rate else len(data)
        for start in range(0, len(data), step):
            piece = self.under_cue(data[start:start + step])
            if rate:
                self.free_at = max(self.free_at, asyncio.get_running_loop().time()) + len(piece) / rate
                await self.wait_for_moment(self.free_at)
            writer.write(piece)
            await writer.drain()
            self.proxy.counts[self.direction] += len(piece)
            if self.cue is not None and self.cue["after"] <= 0:
                await self.end_by_cue()

    def under_cue(self, piece):
        """What of `piece` may pass, changed if the cue is to change it."""
        if self.cue is None:
            self.cue = self.proxy.take_cue(self.direction)
        if self.cue is None:
            return piece
        after = self.cue["after"]
        self.cue["after"] -= len(piece)
        if after >= len(piece):
            return piece
        if self.cue["what"] != "flip":
            return piece[:after]
        self.cue = None
        return piece[:after] + bytes([piece[after] ^ 1]) + piece[after + 1:]

    async def end_by_cue(self):
        what = self.cue["what"]
        if what == "flip":
            return  # its byte is the first of the next piece
        if what == "stall":
            await asyncio.Event().wait()
        if what == "reset":
            self.connection.reset()
        else:
            self.connection.close()
        raise ConnectionResetError

    async def wait_for_moment(self, moment):
        """Waits until the loop's clock shows `moment`: the latency itself."""
        left = moment - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)

    async def wait_for_thaw(self):
        """Waits until the proxy is not stalled."""
        while self.proxy.settings["stalled"]:
            await self.proxy.changed.wait()


class Control:
    def __init__(self, proxy):
        self.proxy = proxy

    async def accept(self, reader, writer):
        try:
            method, path, _ = (await reader.readline()).decode().split()
            size = 0
            while (line := (await reader.readline()).decode().strip()):
                if line.lower().startswith("content-length:"):
                    size = int(line.partition(":")[2])
            status, answer = self.answer(method, path, await reader.readexactly(size))
            body = json.dumps(answer).encode()
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close"
                         f"\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def answer(self, method, path, body):
        try:
            if (method, path) == ("POST", "/settings"):
                self.proxy.change(json.loads(body))
            elif (method, path) == ("POST", "/cue"):
                self.proxy.add_cue(json.loads(body))
            elif (method, path) == ("POST", "/cut"):
                self.proxy.cut()
            elif (method, path) == ("POST", "/clear"):
                self.proxy.clear()
            elif (method, path) == ("POST", "/reset"):
                self.proxy.count_anew()
            elif (method, path) != ("GET", "/state"):
                return 404, {"error": f"no {method} {path}"}
        except (ValueError, TypeError) as error:
            return 400, {"error": str(error)}
        return 200, self.proxy.state()


async def run(arguments):
    host, _, port = arguments.upstream.rpartition(":")
    proxy = Proxy(host, int(port), {
        "latency_ms": arguments.latency_ms, "bandwidth": arguments.bandwidth,
        "window": arguments.window, "stalled": False, "refusing": False})
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", arguments.port, limit=READ_SIZE,
                                        backlog=256)
    control = await asyncio.start_server(Control(proxy).accept, "127.0.0.1", 0)
    ports = [str(one.sockets[0].getsockname()[1]) for one in (server, control)]
    # Under a new name first: who waits for the file must not read a part of it.
    with open(arguments.port_file + ".new", "w", encoding="ascii") as file:
        file.write(" ".join(ports) + "\n")
    os.rename(arguments.port_file + ".new", arguments.port_file)
    async with server, control:
        await asyncio.gather(server.serve_forever(), control.serve_forever())


def end_with_stdin():
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--bandwidth", type=int, default=0)
    parser.add_argument("--window", type=int, default=WINDOW)
    arguments = parser.parse_args()
    threading.Thread(target=end_with_stdin, daemon=True).start()
    asyncio.run(run(arguments))


if __name__ == "__main__":
    main()
