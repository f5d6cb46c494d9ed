"""Where contenders archive to: a directory, or a bucket of Ceph radosgw behind proxies of ours."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

from processes import Failed

SUPPORT = pathlib.Path(__file__).resolve().parent.parent.parent / "tests" / "support"
sys.path.insert(0, str(SUPPORT))
from radosgw import Radosgw  # noqa: E402
from s3_processes import Missing  # noqa: E402

MEMORY = 8 << 30  # of the gateway's object store: some GiB of segments, uncompressed

# What one line of radosgw's log says of a request: method and target.
GATEWAY_LINE = re.compile(r'beast: .* "(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP')


class Proxy:
    """One `walden-bench proxy` before a port of this machine."""

    def __init__(self, bench, directory, upstream):
        port_file = pathlib.Path(directory) / f"proxy.{upstream}"
        self.process = subprocess.Popen(
            [bench, "proxy", "--upstream", str(upstream), "--port-file", port_file],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 30
        while not port_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failed("the latency proxy did not come up")
            time.sleep(0.01)
        self.port = int(port_file.read_text(encoding="ascii"))

    def tell(self, command):
        """The proxy's state after the command; latency_proxy.h describes both."""
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(30)


class PosixStore:
    """Each contender gets a directory of its own below `directory`."""

    name = "posix"
    variables = {}

    def __init__(self, account, directory):
        self.account = account
        self.directory = directory

    def place(self, contender):
        return self.directory / contender / "store"

    def clear(self, contender):
        """An empty place for the contender."""
        shutil.rmtree(self.place(contender), ignore_errors=True)
        self.account.make_directory(self.place(contender))

    def stored_bytes(self, contender):
        total = 0
        for folder, _, files in os.walk(self.place(contender)):
            total += sum(os.lstat(os.path.join(folder, name)).st_size for name in files)
        return total

    def begin(self, latency_ms):
        if latency_ms:
            raise Failed("a directory has no latency: use --store s3")

    def traffic(self):
        return {}

    def stop(self):
        pass


class S3Store:
    """Each contender gets a prefix of its own. Requests are counted by a proxy where it can read
    them and else, over TLS, in the gateway's log; connections always by the proxies."""

    name = "s3"

    def __init__(self, bench):
        self.directory = tempfile.mkdtemp(prefix="walden-bench-s3-", dir="/var/tmp")
        self.proxies = []
        self.server = None
        try:
            self.server = Radosgw(self.directory)
            self.server.memory = MEMORY
            self.server.start()
            self.plain = Proxy(bench, self.directory, self.server.port)
            self.proxies.append(self.plain)
            self.tls = Proxy(bench, self.directory, self.server.tls_port)
            self.proxies.append(self.tls)
        except Missing as reason:
            self.stop()
            raise Failed(f"no S3 store: {reason}") from None
        except BaseException:
            self.stop()
            raise
        self.variables = self.server.environment()
        self.bucket = self.server.bucket
        self.access_key = self.variables["AWS_ACCESS_KEY_ID"]
        self.secret_key = self.variables["AWS_SECRET_ACCESS_KEY"]
        self.log_path = pathlib.Path(self.directory) / "log" / "client.rgw.log"
        self.log_read = 0

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.plain.port}"

    def objects(self, contender):
        """{key: size} of what is stored for the contender."""
        client = self.server.client()
        found, query = {}, {"list-type": "2", "prefix": f"{contender}/"}
        while True:
            answer = client.call("GET", self.bucket, query=query)
            if answer.status != 200:
                raise Failed(f"listing the bucket: {answer.status} {answer.code}")
            page = xml.etree.ElementTree.fromstring(answer.body)
            space = {"s3": page.tag[1:].partition("}")[0]}
            for item in page.findall("s3:Contents", space):
                found[item.find("s3:Key", space).text] = int(item.find("s3:Size", space).text)
            token = page.find("s3:NextContinuationToken", space)
            if token is None:
                client.close()
                return found
            query["continuation-token"] = token.text

    def clear(self, contender):
        client = self.server.client()
        for key in self.objects(contender):
            client.call("DELETE", self.bucket, key)
        client.close()
        # The memory of what is deleted comes back only then, and a full store hangs.
        self.server.admin("gc", "process", "--include-all")

    def stored_bytes(self, contender):
        return sum(self.objects(contender).values())

    def begin(self, latency_ms):
        """Counts from now on; `latency_ms` is a round trip's."""
        for proxy in self.proxies:
            proxy.tell("reset")
            proxy.tell(f"delay {latency_ms // 2}")
        self.log_read = self.log_path.stat().st_size if self.log_path.exists() else 0

    def traffic(self):
        """{"connections": n, "PUT": n, ...} since begin(); ends the latency."""
        states = [proxy.tell("delay 0") for proxy in self.proxies]
        counts = dict(states[0]["requests"])
        if states[1]["connections"]:
            counts = self.requests_in_log()
        return {"connections": sum(state["connections"] for state in states), **counts}

    def requests_in_log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            file.seek(self.log_read)
            return count_gateway_requests(file.read())

    def stop(self):
        for proxy in self.proxies:
            proxy.stop()
        if self.server:
            self.server.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def count_gateway_requests(log):
    """As the proxy counts: by method, with listings apart."""
    counts = {}
    for method, target in GATEWAY_LINE.findall(log):
        query = target.partition("?")[2].split("&")
        is_list = method == "GET" and any(
            word.startswith(("list-type=", "uploads=")) or word == "uploads" for word in query)
        name = "LIST" if is_list else method
        counts[name] = counts.get(name, 0) + 1
    return counts
