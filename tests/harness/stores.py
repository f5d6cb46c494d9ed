"""S3 servers of tests/support for tests and benchmarks, and the objects that are in them.

Kinds: "radosgw", "swift" (real ones) and "strict" (s3_server.py, which misbehaves on cue).
"""

import html
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from own_servers import FaultProxy, StrictS3  # noqa: E402
from radosgw import Radosgw  # noqa: E402
from s3_processes import Missing, free_ports, make_certificates  # noqa: E402
from swift import Swift  # noqa: E402

from harness.outcomes import Failed, Skip  # noqa: E402

__all__ = ["FaultProxy", "StrictS3", "free_ports", "list_objects", "make_certificates",
           "start_real", "store_settings", "tree_bytes"]

REAL = {"radosgw": Radosgw, "swift": Swift}
OBJECT = re.compile("<Contents>(.*?)</Contents>", re.DOTALL)


def start_real(kind, directory, memory=None):
    """A running real server, of whose objects `memory` bytes are kept if it has the choice. Raises
    Skip where it is not installed."""
    try:
        server = REAL[kind](directory)
    except Missing as reason:
        raise Skip(str(reason)) from None
    if memory:
        server.memory = memory
    return server.start()


def list_objects(client, bucket, prefix):
    """{key: size} of all objects whose keys begin with `prefix`."""
    found, query = {}, {"list-type": "2", "prefix": prefix}
    while True:
        answer = client.call("GET", bucket, query=query)
        if answer.status != 200:
            raise Failed(f"listing the bucket: {answer.status} {answer.body[:300]}")
        text = answer.body.decode()
        for item in OBJECT.findall(text):
            key = html.unescape(re.search("<Key>([^<]*)</Key>", item)[1])
            found[key] = int(re.search(r"<Size>(\d+)</Size>", item)[1])
        token = re.search("<NextContinuationToken>([^<]*)<", text)
        if not token:
            return found
        query["continuation-token"] = html.unescape(token[1])


def store_settings(bucket, prefix, endpoint, ca_file=None):
    """The table [store] of walden's configuration."""
    settings = {"url": f"s3://{bucket}/{prefix}", "endpoint": endpoint, "region": "us-east-1",
                "path_style": True}
    return {**settings, "ca_file": ca_file} if ca_file else settings


def tree_bytes(directory):
    """Bytes of all files below."""
    return sum(os.lstat(os.path.join(folder, name)).st_size
               for folder, _, files in os.walk(directory) for name in files)
