"""S3 stores for the scenarios: the servers of tests/support, and their objects seen from outside.

Kinds: "radosgw", "radosgw-tls", "swift" (real ones) and "strict", "strict-tls" (s3_server.py, which
misbehaves on cue). A store ends with its scenario.
"""

import hashlib
import pathlib

from scenario import check  # first: it makes the harness known
from harness.stores import (FaultProxy, StrictS3, free_ports, list_objects, make_certificates,
                            start_real, store_settings)
from s3_client import S3Client
from walden import Objects

__all__ = ["S3Store", "StrictS3", "free_ports", "open_store"]


class S3Store(Objects):
    """A bucket and a prefix of it, as walden is told of them."""

    def __init__(self, scenario, kind, prefix="archive", server_options=()):
        self.scenario = scenario
        self.prefix = prefix
        self.is_tls = kind.endswith("-tls")
        self.proxy = None
        name = kind.removesuffix("-tls")
        directory = scenario.make_directory(scenario.directory / f"s3.{kind}", 0o755)
        self.ca_file = None
        if name == "strict":
            options = list(server_options)
            if self.is_tls:
                self.ca_file, certificate, key = make_certificates(directory)
                options += ["--tls", certificate, key]
            self.server = StrictS3(*options, is_tls=self.is_tls)
            self.port = self.server.port
        else:
            self.server = start_real(name, directory)
            self.port = self.server.tls_port if self.is_tls else self.server.port
            self.ca_file = self.server.ca_file if self.is_tls else None
        scenario.at_end.append(self.server.stop)
        # The keys come from the environment: of the server, and with it of its commands.
        scenario.variables.update(self.server.environment())

    @property
    def endpoint(self):
        port = self.proxy.port if self.proxy else self.port
        return f"{'https' if self.is_tls else 'http'}://127.0.0.1:{port}"

    def settings(self):
        """The table [store] of walden's configuration."""
        return store_settings(self.server.bucket, self.prefix, self.endpoint, self.ca_file)

    def put_proxy_between(self):
        """From now on settings() lead through a fault proxy, which is returned."""
        self.proxy = FaultProxy(self.port)
        self.scenario.at_end.append(self.proxy.stop)
        return self.proxy

    # ---- its objects -------------------------------------------------------------------------

    def client(self):
        return S3Client(f"{'https' if self.is_tls else 'http'}://127.0.0.1:{self.port}",
                        self.server.credentials, self.ca_file and str(self.ca_file))

    def call(self, method, key="", **more):
        """One request for an object of the prefix; the answer must be a success."""
        client = self.client()
        try:
            answer = client.call(method, self.server.bucket, key and f"{self.prefix}/{key}", **more)
        finally:
            client.close()
        check(answer.status in (200, 204), f"{method} {key}: {answer.status} {answer.body[:300]}")
        return answer

    def objects(self):
        """{key: key} of all objects below the prefix; the values name them to the functions below."""
        client = self.client()
        try:
            found = list_objects(client, self.server.bucket, f"{self.prefix}/")
        finally:
            client.close()
        keys = [key.removeprefix(f"{self.prefix}/") for key in found]
        return {key: pathlib.PurePosixPath(key) for key in keys}

    def read(self, key):
        return self.call("GET", str(key)).body

    def rewrite(self, key, content):
        self.call("PUT", str(key), body=content)

    def remove(self, key):
        self.call("DELETE", str(key))

    def contents_only(self):
        """{key: hash} of the objects."""
        return {key: hashlib.sha256(self.read(key)).hexdigest() for key in self.objects()}

    def fingerprint(self):
        return self.contents_only()

    def save(self):
        """For Situation: what can be undone here are the faults of the strict server."""

    def reset(self):
        self.server.faults()


def open_store(scenario, kind, **more):
    """The store of that kind; None for "posix", which is a scenario's own way."""
    return None if kind == "posix" else S3Store(scenario, kind, **more)
