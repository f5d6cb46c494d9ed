"""Ceph radosgw on a cluster of one monitor and one object store in memory, on 127.0.0.1.

It starts in under two seconds, mostly through the two settings of paxos. Beyond what Ceph's manual
says together in one place:
- without authentication ("none") radosgw must be told not to want the encrypted mode of the
  messenger towards the monitor, which cannot be had then;
- no global "public addr": the monitor would ignore the port of its map;
- deleted objects go after seconds, not two hours: a full store does not fail, it hangs.
"""

import os
import signal
import subprocess
import uuid

from s3_processes import SECRET_KEY, RealServer, free_ports, make_certificates

CONFIGURATION = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_port}]
ms bind msgr1 = false
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
auth cluster required = none
auth service required = none
auth client required = none
run dir = {directory}/run
admin socket = {directory}/run/$name.asok
log file = {directory}/log/$name.log
mon cluster log file = {directory}/log/cluster.log
crash dir = {directory}/log
pid file =
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 1000
[mon]
mon data = {directory}/mon
mon data avail warn = 2
mon data avail crit = 1
paxos propose interval = 0.02
paxos min wait = 0.01
[osd]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
osd data = {directory}/osd
osd objectstore = memstore
memstore device bytes = {memory}
osd class load list = *
osd class default list = *
osd crush chooseleaf type = 0
osd numa auto affinity = false
osd op num shards = 2
[client.rgw]
ms mon client mode = crc
rgw data = {directory}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port} ssl_endpoint=127.0.0.1:{tls_port} ssl_certificate={certificate} ssl_private_key={key}
rgw dns name = s3.localhost
rgw thread pool size = 64
rgw gc obj min wait = 2
rgw gc processor period = 3
rgw gc processor max time = 3
rgw dynamic resharding = false
rgw override bucket index max shards = 1
"""


class Radosgw(RealServer):
    """Plain HTTP and TLS at once. Its gateway may be killed and started again: the objects lie
    in the other processes."""

    name = "radosgw"
    programs = {"radosgw": "radosgw", "radosgw-admin": "radosgw", "ceph-mon": "ceph-mon",
                "ceph-osd": "ceph-osd", "ceph": "ceph-common", "monmaptool": "ceph-base",
                "openssl": "openssl"}
    access_key = "waldentestkey0000001"
    memory = 4 << 30

    def launch(self):
        for name in ("mon", "osd", "log", "run", "rgw"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        self.port, self.tls_port, mon_port = free_ports(3)
        self.ca_file, certificate, key = make_certificates(self.directory)
        fsid = str(uuid.uuid4())
        self.configuration = self.directory / "ceph.conf"
        self.configuration.write_text(CONFIGURATION.format(
            fsid=fsid, mon_port=mon_port, directory=self.directory, port=self.port,
            tls_port=self.tls_port, certificate=certificate, key=key, memory=self.memory))
        monmap = self.directory / "monmap"
        self.tool("monmaptool", "--create", "--clobber", "--addv", "a",
                  f"[v2:127.0.0.1:{mon_port}]", "--fsid", fsid, monmap)
        self.tool("ceph-mon", "-c", self.configuration, "--mkfs", "-i", "a", "--monmap", monmap)
        self.spawn("mon", "ceph-mon", "-c", self.configuration, "-f", "-i", "a")
        osd_id = str(uuid.uuid4())
        self.ceph("osd", "new", osd_id)
        self.tool("ceph-osd", "-c", self.configuration, "-i", "0", "--mkfs", "--osd-uuid", osd_id)
        self.spawn("osd", "ceph-osd", "-c", self.configuration, "-f", "-i", "0")
        self.wait_for(lambda: "1 up" in self.ceph("osd", "stat"), "object store")
        self.start_gateway()
        self.admin("user", "create", "--uid=walden", "--display-name=walden",
                   f"--access-key={self.access_key}", f"--secret-key={SECRET_KEY}")

    def start_gateway(self):
        """Starts the S3 gateway, for the first time or after stop_gateway()."""
        self.spawn("rgw", "radosgw", "-c", self.configuration, "-f", "-n", "client.rgw")
        self.wait_for(self.answers_http, "answer of the gateway")

    def stop_gateway(self):
        """As a crash of the gateway: connections end, what was acknowledged stays. For 30 s from
        now admin() waits for the watch that the dead gateway could not give back."""
        self.end(["rgw"])

    def freeze(self):
        """Requests hang from now on: the gateway accepts them, its store does not answer."""
        self.signal(["osd"], signal.SIGSTOP)

    def thaw(self):
        self.signal(["osd"], signal.SIGCONT)

    def suspend_user(self):
        """The keys are refused from now on: 403 UserSuspended."""
        self.admin("user", "suspend", "--uid=walden")

    def enable_user(self):
        self.admin("user", "enable", "--uid=walden")

    def stop(self):
        super().stop()
        # A new start is a new cluster.
        for name in ("mon", "osd"):
            subprocess.run(["rm", "-rf", str(self.directory / name)], check=True)

    def tool(self, program, *arguments):
        done = subprocess.run(
            [program, *map(str, arguments)], check=False, capture_output=True, text=True,
            timeout=60, env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"})
        if done.returncode != 0:
            raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def ceph(self, *arguments):
        return self.tool("ceph", "-c", self.configuration, "--connect-timeout", "20", *arguments)

    def admin(self, *arguments):
        return self.tool("radosgw-admin", "-c", self.configuration, "-n", "client.rgw", *arguments)
