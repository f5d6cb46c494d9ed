"""Where contenders archive to: a directory, or a bucket of Ceph radosgw behind proxies of ours."""

import pathlib
import re
import shutil
import tempfile

from harness.outcomes import Failed
from harness.stores import FaultProxy, list_objects, start_real, store_settings, tree_bytes
from http_requests import request_name

MEMORY = 8 << 30  # of the gateway's object store: some GiB of segments, uncompressed

# What one line of radosgw's log says of a request: method and target.
GATEWAY_LINE = re.compile(r'beast: .* "(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP')


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

    def settings(self, contender):
        """The table [store] of walden's configuration."""
        return {"url": f"file://{self.place(contender)}"}

    def objects(self, contender):
        """{path: size} of the files that are stored for the contender."""
        return {str(path): path.stat().st_size for path in self.place(contender).rglob("*")
                if path.is_file()}

    def stored_bytes(self, contender):
        return tree_bytes(self.place(contender))

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

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="walden-bench-s3-", dir="/var/tmp")
        self.proxies = []
        self.server = None
        try:
            self.server = start_real("radosgw", self.directory, MEMORY)
            self.plain = FaultProxy(self.server.port)
            self.proxies.append(self.plain)
            self.tls = FaultProxy(self.server.tls_port)
            self.proxies.append(self.tls)
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

    def settings(self, contender):
        return store_settings(self.bucket, contender, self.endpoint)

    def objects(self, contender):
        """{key: size} of what is stored for the contender."""
        client = self.server.client()
        try:
            return list_objects(client, self.bucket, f"{contender}/")
        finally:
            client.close()

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
            proxy.settings(latency_ms=latency_ms / 2)
            proxy.control("POST", "reset")
        self.log_read = self.log_path.stat().st_size if self.log_path.exists() else 0

    def traffic(self):
        """{"connections": n, "PUT": n, ...} since begin(); ends the latency."""
        states = [proxy.settings(latency_ms=0) for proxy in self.proxies]
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
        name = request_name(method, target)
        counts[name] = counts.get(name, 0) + 1
    return counts
