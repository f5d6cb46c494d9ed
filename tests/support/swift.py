"""OpenStack Swift with its S3 interface on one device, on 127.0.0.1.

It answers 501 to a conditional PUT: the store on which walden must refuse to work unless it is told
that there is no fencing. It also checks what radosgw does not: the region, and unsigned headers.
"""

import getpass
import json
import os
import subprocess

from s3_processes import SECRET_KEY, NotStarted, RealServer, free_ports

STORAGE_SERVER = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
swift_dir = {directory}/etc
devices = {directory}/srv
mount_check = false
workers = 0
disable_fallocate = true
log_udp_host = 127.0.0.1
log_udp_port = 9
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
[{kind}-replicator]
[{kind}-auditor]
[{kind}-updater]
"""

FILTERS = {
    "catch_errors": "", "gatekeeper": "", "healthcheck": "", "listing_formats": "", "copy": "",
    "dlo": "", "symlink": "", "slo": "max_manifest_segments = 10000",
    "cache": "memcache_servers = 127.0.0.1:{memcached}",
    "s3api": "location = us-east-1\ndns_compliant_bucket_names = true\ns3_acl = false\n"
             "storage_domain = s3.localhost\ncheck_bucket_owner = false",
    "tempauth": "user_{user}_{role} = {secret} .admin",
    "versioned_writes": "allow_versioned_writes = true\nallow_object_versioning = true",
}
ENTRY_POINTS = {"cache": "memcache"}
PIPELINE = ("catch_errors gatekeeper healthcheck cache listing_formats s3api tempauth copy slo dlo "
            "versioned_writes symlink proxy-server")
PROXY_SERVER = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
swift_dir = {directory}/etc
workers = 0
log_udp_host = 127.0.0.1
log_udp_port = 9
[pipeline:main]
pipeline = {pipeline}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
"""
HASH_SUFFIX = """
[swift-hash]
swift_hash_path_suffix = walden
swift_hash_path_prefix = walden
[swift-constraints]
max_header_size = 16384
"""
# Through the library: swift-ring-builder would be nine programs of a second each. The interpreter is
# that of the package, which need not be the one that runs the tests.
SYSTEM_PYTHON = "/usr/bin/python3"
RINGS = """
import json, sys
from swift.common.ring import RingBuilder
for kind, port in json.loads(sys.argv[1]).items():
    builder = RingBuilder(4, 1, 0)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": port,
                     "device": "d1", "weight": 1.0})
    builder.rebalance()
    builder.get_ring().save(kind + ".ring.gz")
"""


class Swift(RealServer):
    """Plain HTTP only. The directory must be on a file system with user attributes, which tmpfs
    is not before Linux 6.6."""

    name = "swift"
    programs = {"swift-proxy-server": "swift-proxy", "swift-account-server": "swift-account",
                "swift-container-server": "swift-container", "swift-object-server": "swift-object",
                "memcached": "memcached"}
    access_key = "walden:archiver"

    def launch(self):
        etc = self.directory / "etc"
        for place in (etc, self.directory / "srv" / "d1", self.directory / "log"):
            place.mkdir(parents=True, exist_ok=True)
        self.port, memcached, *ports = free_ports(5)
        kinds = dict(zip(("account", "container", "object"), ports))
        (etc / "swift.conf").write_text(HASH_SUFFIX)
        for kind, port in kinds.items():
            (etc / f"{kind}-server.conf").write_text(STORAGE_SERVER.format(
                kind=kind, port=port, user=getpass.getuser(), directory=self.directory))
        self.make_rings(kinds)
        (etc / "proxy-server.conf").write_text(self.proxy_configuration(memcached))
        self.spawn("memcached", "memcached", "-l", "127.0.0.1", "-p", memcached, "-m", "64", "-u",
                   getpass.getuser())
        for kind in kinds:
            self.spawn(kind, f"swift-{kind}-server", etc / f"{kind}-server.conf")
        self.spawn("proxy", "swift-proxy-server", etc / "proxy-server.conf")
        self.wait_for(self.answers_http, "answer of the proxy")

    def proxy_configuration(self, memcached):
        user, _, role = self.access_key.partition(":")
        names = {"memcached": memcached, "user": user, "role": role, "secret": SECRET_KEY}
        text = PROXY_SERVER.format(port=self.port, user=getpass.getuser(), pipeline=PIPELINE,
                                   directory=self.directory)
        for name, settings in FILTERS.items():
            text += f"[filter:{name}]\nuse = egg:swift#{ENTRY_POINTS.get(name, name)}\n"
            text += settings.format(**names) + "\n"
        return text

    def make_rings(self, ports):
        """One partition table for one device for each kind of server."""
        done = subprocess.run([SYSTEM_PYTHON, "-c", RINGS, json.dumps(ports)], check=False,
                              cwd=self.directory / "etc", capture_output=True, text=True)
        if done.returncode != 0:
            raise NotStarted(f"no rings: {done.stderr}")

    def stop(self):
        super().stop()
        for name in ("etc", "srv"):
            if os.path.exists(self.directory / name):
                subprocess.run(["rm", "-rf", str(self.directory / name)], check=True)
