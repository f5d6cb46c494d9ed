#!/usr/bin/env python3
"""Tries the real S3 servers: that they are what the tests take them for. 77 where none is installed.

usage: real_servers_test.py radosgw|swift
"""

import http.client
import sys
import tempfile

from radosgw import Radosgw
from s3_client import S3Client
from s3_processes import Missing
from s3_signature import Credentials
from swift import Swift

BUCKET = Radosgw.bucket
BROKEN = (OSError, http.client.HTTPException)


def check(condition, what):
    print(f"-- {what}", flush=True)
    if not condition:
        raise AssertionError(what)


def create(client, key, body):
    return client.call("PUT", BUCKET, key, body=body, headers={"if-none-match": "*"})


def try_radosgw(server):
    client = server.client()
    check([create(client, "k", body).status for body in (b"1", b"2")] == [200, 412],
          "the second create is refused")
    check(client.call("GET", BUCKET, "k").body == b"1", "the first body stays")
    secure = S3Client(server.tls_endpoint, server.credentials, str(server.ca_file))
    check(secure.call("GET", BUCKET, "k").body == b"1", "TLS under our CA shows the same")
    other = S3Client(server.endpoint, Credentials(server.access_key, "wrong"))
    check(other.call("GET", BUCKET, "k").status == 403, "another secret key is refused")
    server.suspend_user()
    check(client.call("GET", BUCKET, "k").code == "UserSuspended", "a suspended user is refused")
    server.enable_user()
    server.stop_gateway()
    try:
        client.call("GET", BUCKET, "k")
        check(False, "a stopped gateway does not answer")
    except BROKEN:
        pass
    server.start_gateway()
    check(client.call("GET", BUCKET, "k").body == b"1", "a restart loses nothing")
    server.freeze()
    impatient = server.client(timeout=0.5)
    try:
        impatient.call("PUT", BUCKET, "frozen", body=b"1")
        check(False, "a frozen store does not answer")
    except TimeoutError:
        pass
    server.thaw()
    check(client.call("GET", BUCKET, "k").body == b"1", "a thawed store answers")


def try_swift(server):
    client = server.client()
    check(create(client, "k", b"1").status == 501, "there is no conditional create")
    check(client.call("PUT", BUCKET, "k", body=b"1").status == 200, "a plain PUT is taken")
    check(client.call("GET", BUCKET, "k").body == b"1", "and comes back")
    abroad = Credentials(server.access_key, server.credentials.secret_key, "eu-west-1")
    check(S3Client(server.endpoint, abroad).call("GET", BUCKET, "k").status == 400,
          "another region is refused")


def main():
    kind, body = {"radosgw": (Radosgw, try_radosgw), "swift": (Swift, try_swift)}[sys.argv[1]]
    with tempfile.TemporaryDirectory(prefix="walden-s3-", dir="/var/tmp") as directory:
        try:
            server = kind(directory)
        except Missing as reason:
            print(f"skipped: {reason}")
            return 77
        try:
            body(server.start())
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
