# SPDX-License-Identifier: Apache-2.0
"""Ceph's S3 gateway on loopback, for the time of a test: monitor, one OSD in memory, radosgw, users; and a client by botocore to look what is there.

Three processes of Debian's ceph-mon, ceph-osd and radosgw (scripts/deps.sh deliver), up in about three seconds.
"""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
import xml.etree.ElementTree as ET

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib")]
from harness import check, write  # noqa: E402

import botocore.auth  # noqa: E402
import botocore.awsrequest  # noqa: E402
import botocore.credentials  # noqa: E402

ACCESS, SECRET, REGION = "AKIDTESTTEST", "PlantedSecret0123456789abcdefghijklmnopq", "us-east-1"
CONF = """[global]
fsid = {fsid}
mon_initial_members = a
mon_host = [v2:127.0.0.1:{mon},v1:127.0.0.1:{mon1}]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
keyring = {d}/keyring
auth_allow_insecure_global_id_reclaim = false
osd_pool_default_size = 1
osd_pool_default_min_size = 1
mon_allow_pool_size_one = true
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_objectstore = memstore
memstore_device_bytes = 2147483648
mon_data_avail_warn = 2
mon_data_avail_crit = 1
mon_max_pg_per_osd = 1000
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
ms_bind_ipv6 = false
ms_bind_port_min = {low}
ms_bind_port_max = {high}
run_dir = {d}
admin_socket = {d}/$name.asok
log_file = {d}/log/$name.log
pid_file = {d}/$name.pid
[mon.a]
mon_data = {d}/mon
[osd.0]
osd_data = {d}/osd0
[client.rgw.a]
rgw_data = {d}/rgw
rgw_frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw_s3_auth_use_sts = true
rgw_sts_key = abcdefghijklmnop
rgw_dns_name = s3.localhost
rgw_thread_pool_size = 16
rgw_enable_quota_threads = false
rgw_enable_gc_threads = false
rgw_enable_lc_threads = false
rgw_run_sync_thread = false
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Rgw:
    def __init__(self, d):
        self.d = os.path.join(d, "ceph")
        for name in ("mon", "osd0", "log", "rgw"):
            os.makedirs(os.path.join(self.d, name))
        self.port, mon = free_port(), 20000 + os.getpid() % 1000 * 10
        self.conf = write(os.path.join(self.d, "ceph.conf"), CONF.format(fsid=uuid.uuid4(), d=self.d, mon=mon, mon1=mon + 1, low=mon + 2, high=mon + 9,
                                                                         port=self.port))
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.mon = mon

    def ceph(self, *argv):
        p = subprocess.run(argv, env=dict(os.environ, CEPH_ARGS=f"-c {self.conf}"), capture_output=True, text=True, timeout=60, check=False)
        check(p.returncode == 0, f"{argv}: {p.stderr[-1500:]}")
        return p.stdout

    def start(self):
        d, mon = self.d, self.mon
        with open(self.conf, encoding="utf-8") as f:
            fsid = f.read().split("fsid = ")[1].split("\n")[0]
        self.ceph("ceph-authtool", f"{d}/keyring", "--create-keyring", "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        for name, caps in (("client.admin", ("mon", "allow *", "osd", "allow *", "mgr", "allow *")), ("osd.0", ("mon", "allow profile osd", "osd", "allow *")),
                           ("client.rgw.a", ("mon", "allow rw", "osd", "allow rwx"))):
            pairs = [x for i in range(0, len(caps), 2) for x in ("--cap", caps[i], caps[i + 1])]
            self.ceph("ceph-authtool", f"{d}/keyring", "--gen-key", "-n", name, *pairs)
        self.ceph("monmaptool", "--create", "--addv", "a", f"[v2:127.0.0.1:{mon},v1:127.0.0.1:{mon + 1}]", "--fsid", fsid, f"{d}/monmap")
        self.ceph("ceph-mon", "--mkfs", "-i", "a", "--monmap", f"{d}/monmap", "--keyring", f"{d}/keyring")
        self.ceph("ceph-mon", "-i", "a")
        osd = str(uuid.uuid4())
        self.ceph("ceph", "osd", "new", osd, "0")
        self.ceph("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", osd)
        self.ceph("ceph-osd", "-i", "0")
        self.ceph("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=vm")
        self.ceph("radosgw-admin", "user", "create", "--uid=t", "--display-name=t", f"--access-key={ACCESS}", f"--secret-key={SECRET}")
        self.ceph("radosgw-admin", "caps", "add", "--uid=t", "--caps=user-policy=*;roles=*")
        self.start_gateway()

    def start_gateway(self):
        self.ceph("radosgw", "-n", "client.rgw.a")
        end = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(self.endpoint, timeout=5):
                    return
            check(time.monotonic() < end, "radosgw does not answer")
            time.sleep(.05)

    def pid(self, name):
        with open(os.path.join(self.d, name + ".pid"), encoding="utf-8") as f:
            return int(f.read())

    def kill_gateway(self):
        """As a machine that fails."""
        pid = self.pid("client.rgw.a")
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 20
        while os.path.exists(f"/proc/{pid}"):
            check(time.monotonic() < end, "radosgw survives SIGKILL")
            time.sleep(.02)

    def stop(self):
        for name, sig in (("client.rgw.a", signal.SIGKILL), ("osd.0", signal.SIGKILL), ("mon.a", signal.SIGKILL)):
            with contextlib.suppress(OSError, ValueError):
                os.kill(self.pid(name), sig)

    # ---- a client that is not ours

    def ask(self, method, path, query="", body=b"", headers=(), service="s3", credentials=None, expect=(200, 204)):
        """(body, headers) of an answer whose status is expected; botocore signs."""
        request = botocore.awsrequest.AWSRequest(method, f"{self.endpoint}{path}{'?' + query if query else ''}", data=body, headers=dict(headers))
        (botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth)(
            botocore.credentials.Credentials(*(credentials or (ACCESS, SECRET))), service, REGION).add_auth(request)
        got = urllib.request.Request(request.url, data=body or None, method=method, headers=dict(request.headers.items()))
        try:
            with urllib.request.urlopen(got, timeout=30) as answer:
                status, text, head = answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as e:
            status, text, head = e.code, e.read(), e.headers
        check(status in expect, f"{method} {path}: {status} {text[:500]!r}")
        return text, head

    def bucket(self, name, lock=False):
        self.ask("PUT", f"/{name}", headers={"x-amz-bucket-object-lock-enabled": "true"} if lock else {})
        return name

    def keys(self, bucket):
        """{key: size}"""
        found, marker = {}, ""
        while True:
            root = ET.fromstring(self.ask("GET", f"/{bucket}", "list-type=2" + marker)[0])
            ns = root.tag[:root.tag.index("}") + 1]
            for item in root.iter(ns + "Contents"):
                found[item.find(ns + "Key").text] = int(item.find(ns + "Size").text)
            if root.findtext(ns + "IsTruncated") != "true":
                return found
            marker = "&continuation-token=" + urllib.parse.quote(root.findtext(ns + "NextContinuationToken"), safe="")

    def get(self, bucket, key):
        return self.ask("GET", f"/{bucket}/{urllib.parse.quote(key)}")[0]

    def uploads(self, bucket):
        root = ET.fromstring(self.ask("GET", f"/{bucket}", "uploads=")[0])
        ns = root.tag[:root.tag.index("}") + 1]
        return [u.findtext(ns + "Key") for u in root.iter(ns + "Upload")]

    def session(self, seconds=900):
        """(access, secret, token) of RGW's own STS."""
        policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:*","s3:*"],"Resource":["*"]}]}'
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self.ask("POST", "/", body=b"Action=PutUserPolicy&PolicyName=p&UserName=t&Version=2010-05-08&PolicyDocument=" +
                 urllib.parse.quote(policy, safe="").encode(), headers=form, service="iam")
        text, _ = self.ask("POST", "/", body=f"Action=GetSessionToken&DurationSeconds={seconds}&Version=2011-06-15".encode(), headers=form,
                           service="sts")
        root = ET.fromstring(text)
        tags = {e.tag.split("}")[-1]: e.text for e in root.iter()}
        return tags["AccessKeyId"], tags["SecretAccessKey"], tags["SessionToken"]


@contextlib.contextmanager
def gateway(d):
    check(shutil.which("radosgw") and shutil.which("ceph-osd"), "Ceph is not installed: scripts/deps.sh deliver")
    g = Rgw(d)
    try:
        g.start()
        yield g
    finally:
        g.stop()
