"""What the real S3 servers of the tests share: a scratch directory with their files and logs, free
ports, children that end with the test, certificates."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from s3_client import S3Client
from s3_signature import Credentials

SECRET_KEY = "waldentestsecret00000000000000000000test1"


class Missing(Exception):
    """A program of the server is not installed; the text says which package has it."""


class NotStarted(Exception):
    """The server did not come up; the text holds the end of its logs."""


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens on now. Another may take one before we do: then the
    server does not come up, and the caller tries again with others."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def require_programs(programs):
    """`programs`: {program: package}."""
    for program, package in programs.items():
        if shutil.which(program) is None and not pathlib.Path("/usr/sbin", program).exists():
            raise Missing(f"there is no {program} (Debian package {package})")


def make_certificates(directory):
    """A CA and a server certificate signed by it, for 127.0.0.1 and (*.)s3.localhost.
    Returns (CA, certificate, key)."""
    ca, ca_key = directory / "ca.pem", directory / "ca.key"
    certificate, key = directory / "server.pem", directory / "server.key"
    request, extensions = directory / "server.csr", directory / "server.ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:s3.localhost,DNS:*.s3.localhost\n",
                          encoding="ascii")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    commands = [
        ["req", "-x509", *new_key, "-days", "2", "-subj", "/CN=walden test CA", "-keyout", ca_key,
         "-out", ca],
        ["req", *new_key, "-subj", "/CN=s3.localhost", "-keyout", key, "-out", request],
        ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
         "-extfile", extensions, "-out", certificate],
    ]
    for command in commands:
        subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)
    ca.chmod(0o644)
    return ca, certificate, key


class RealServer:
    """One S3 server of several processes. Subclasses define name, programs, launch()."""

    name = ""
    programs = {}
    access_key = ""
    bucket = "walden-test"

    def __init__(self, directory):
        require_programs(self.programs)
        self.directory = pathlib.Path(directory)
        self.processes = {}
        self.ca_file = None
        self.port = None  # of plain HTTP
        self.tls_port = None

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_endpoint(self):
        return f"https://127.0.0.1:{self.tls_port}"

    @property
    def credentials(self):
        return Credentials(self.access_key, SECRET_KEY)

    def client(self, timeout=60):
        return S3Client(self.endpoint, self.credentials, timeout=timeout)

    def environment(self):
        """How an S3 client finds its keys."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
                "AWS_REGION": "us-east-1"}

    # ---- processes ---------------------------------------------------------------------------

    def spawn(self, name, *argv):
        """Starts one of the server's programs; it ends with this process at the latest."""
        logs = self.directory / "log"
        logs.mkdir(exist_ok=True)
        with open(logs / f"{name}.out", "ab") as out:
            self.processes[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *map(str, argv)], stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, cwd=self.directory, start_new_session=True,
                env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"})
        return self.processes[name]

    def require_running(self):
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise NotStarted(f"{self.name}: {name} ended with {process.returncode}:\n"
                                 + self.log_tail(name))

    def log_tail(self, name):
        text = (self.directory / "log" / f"{name}.out").read_text(errors="replace")
        return "\n".join(text.splitlines()[-20:])

    def wait_for(self, condition, what, seconds=60.0):
        """Waits until `condition()` is true, while all processes run."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.require_running()
            if time.monotonic() > deadline:
                tails = "\n".join(self.log_tail(name) for name in self.processes)
                raise NotStarted(f"{self.name}: no {what} within {seconds:g} s\n{tails}")
            time.sleep(0.05)

    def answers_http(self):
        try:
            client = self.client(timeout=5)
            client.call("GET", self.bucket, query={"list-type": "2", "max-keys": "1"})
            client.close()
            return True
        except OSError:
            return False

    def make_bucket(self):
        """Creates the bucket unless it is there, also where the server needs a moment first."""
        answers = []

        def is_made():
            client = self.client()
            answers.append(client.call("PUT", self.bucket))
            client.close()
            return answers[-1].status == 200 or answers[-1].code == "BucketAlreadyOwnedByYou"

        self.wait_for(is_made, "bucket", 20)

    # ---- for scenarios -----------------------------------------------------------------------

    def start(self):
        """Starts the server with its bucket; with other ports if one was taken meanwhile."""
        for attempt in range(3):
            try:
                self.launch()
                self.make_bucket()
                return self
            except NotStarted:
                self.stop()
                if attempt == 2:
                    raise
        return self

    def launch(self):
        raise NotImplementedError

    def signal(self, names, number):
        for name in names:
            if name in self.processes:
                self.processes[name].send_signal(number)

    def end(self, names):
        """Kills these processes and waits for their end."""
        # A stopped one is killed just as well.
        self.signal(names, signal.SIGKILL)
        for name in names:
            if name in self.processes:
                self.processes.pop(name).wait(30)

    def stop(self):
        self.end(list(self.processes))
