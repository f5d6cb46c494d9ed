"""The project's own servers, s3_server.py and fault_proxy.py, as processes of a test in Python.
They end with the test, since their stdin is its pipe."""

import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

from s3_client import S3Client
from s3_signature import Credentials

HERE = pathlib.Path(__file__).resolve().parent


class OwnServer:
    """A script of this folder that writes its ports to a file and ends with its stdin."""

    control_prefix = ""

    def __init__(self, script, *options):
        self.directory = tempfile.TemporaryDirectory(prefix="walden-own-")
        port_file = pathlib.Path(self.directory.name) / "port"
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / script), "--port-file", str(port_file),
             *map(str, options)], stdin=subprocess.PIPE)
        ports = self.wait_for_ports(port_file)
        self.port, self.control_port = ports[0], ports[-1]

    def wait_for_ports(self, port_file):
        """Waits until the server listens; returns its ports."""
        deadline = time.monotonic() + 60
        while not port_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.process.args[1]} did not come up")
            time.sleep(0.01)
        return [int(text) for text in port_file.read_text(encoding="ascii").split()]

    def control(self, method, name, content=None):
        """A request to the control interface; HTTPError when it is refused."""
        body = json.dumps(content).encode() if content is not None else b""
        url = f"http://127.0.0.1:{self.control_port}{self.control_prefix}/{name}"
        request = urllib.request.Request(url, body if method == "POST" else None, method=method)
        # Without the proxies that the environment may name.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            return json.load(answer)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.directory.cleanup()


class StrictS3(OwnServer):
    """s3_server.py with the bucket `bucket`."""

    bucket = "walden-test"
    credentials = Credentials("AKIAWALDENTEST000001", "walden/test+secret/key/0000000000000001")
    control_prefix = "/_control"

    def __init__(self, *options, is_tls=False):
        super().__init__("s3_server.py", "--bucket", self.bucket, *options)
        self.scheme = "https" if is_tls else "http"

    @property
    def endpoint(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def client(self, ca_file=None, timeout=60):
        return S3Client(self.endpoint, self.credentials, ca_file, timeout)

    def environment(self):
        """How an S3 client finds its keys."""
        return {"AWS_ACCESS_KEY_ID": self.credentials.access_key,
                "AWS_SECRET_ACCESS_KEY": self.credentials.secret_key,
                "AWS_REGION": self.credentials.region}

    def faults(self, *rules):
        self.control("POST", "faults", list(rules))

    def set_options(self, **changes):
        self.control("POST", "options", changes)

    def log(self):
        return self.control("GET", "log")

    def state(self):
        return self.control("GET", "state")


class FaultProxy(OwnServer):
    """fault_proxy.py before the port `upstream` of this machine."""

    def __init__(self, upstream, *options):
        super().__init__("fault_proxy.py", "--upstream", f"127.0.0.1:{upstream}", *options)

    def settings(self, **changes):
        return self.control("POST", "settings", changes)

    def cue(self, direction, what, **more):
        return self.control("POST", "cue", {"direction": direction, "what": what, **more})

    def cut(self):
        return self.control("POST", "cut")

    def clear(self):
        return self.control("POST", "clear")

    def state(self):
        return self.control("GET", "state")
