# SPDX-License-Identifier: Apache-2.0
"""What the suites of deliveries share: sensors with known traffic, a store, and Flow Logs files read as others read them."""
import gzip
import json
import os
import re
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), os.path.join(os.path.dirname(HERE), "golden")]
from harness import check, equal, match, run, write  # noqa: E402
import make_captures as make  # noqa: E402
from pki import Pki, collector  # noqa: E402
import parquet  # noqa: E402

SLOT = 300
FLOW, COMPLEMENT, DNS = "vpcflowlogs", "flowproofcomplement", "flowproofdns"
ACCOUNT, REGION = "123456789012", "eu-west-1"
ME, RESOLVER, CLOCK = "10.0.0.5", "10.0.0.2", "169.254.169.123"
IDENTITY = ["--account-id", ACCOUNT, "--region", REGION, "--interface-id", "eni-0a1b2c3d4e5f60718", "--instance-id", "i-0abc", "--vpc-id", "vpc-1",
            "--subnet-id", "subnet-1", "--az-id", "euw1-az1"]

# Amazon VPC User Guide, "Flow log files"; the folders of each layout.
FOLDERS = {
    "default": r"AWSLogs/{account}/{service}/{region}/(\d{{4}})/(\d\d)/(\d\d)/",
    "hourly": r"AWSLogs/{account}/{service}/{region}/(\d{{4}})/(\d\d)/(\d\d)/(\d\d)/",
    "hive": r"AWSLogs/aws-account-id={account}/aws-service={service}/aws-region={region}/year=(\d{{4}})/month=(\d\d)/day=(\d\d)/",
    "hive-hourly": r"AWSLogs/aws-account-id={account}/aws-service={service}/aws-region={region}/year=(\d{{4}})/month=(\d\d)/day=(\d\d)/hour=(\d\d)/",
}
NAME = r"{account}_{service}_{region}_fl-[0-9a-f]{{8,17}}_(\d{{4}})(\d\d)(\d\d)T(\d\d)(\d\d)Z_[0-9a-f]{{8}}\.{end}$"


def question(start, name, sport, answer=True):
    labels = b"".join(bytes([len(x)]) + x for x in name.encode().split(b".")) + b"\0"
    ask, reply = (struct.pack(">HHHHHH", sport, flags, 1, 0, 0, 0) + labels + struct.pack(">HH", 1, 1) for flags in (0x0100, 0x8180))
    ret = [make.frame(start, ME, RESOLVER, make.UDP, make.udp(sport, 53, ask), 28 + len(ask), sport, 53)]
    if answer:
        ret.append(make.frame(start + make.NS // 100, RESOLVER, ME, make.UDP, make.udp(53, sport, reply), 28 + len(reply), 53, sport))
    return ret


def packets(number, minutes, flows=3, begin=make.T0):
    """Of one machine: each minute some flows out and what comes back, IPv6 too, a DNS question, the clock."""
    ret = []
    for m in range(minutes):
        t = make.ns(begin + 60 * m)
        for i in range(flows):
            port, peer = 20000 + (m * flows + i) % 30000, f"203.0.{number}.{1 + (m + i) % 250}"
            ret += [make.udp_packet(t + make.NS * (1 + i % 50), ME, peer, port, 9000, 10 + i), make.udp_packet(t + make.NS * (2 + i % 50), peer, ME, 9000, port, 20)]
        ret += [make.tcp_packet(t + make.NS * 3, "2001:db8::5", f"2001:db8:{number}::9", 30000 + m, 443, make.SYN)]
        ret += question(t + make.NS * 4, f"h{m}.example.com", 1024 + m, answer=m % 5 != 0)
        ret += [make.udp_packet(t + make.NS * 5, ME, CLOCK, 123, 123, 48)]
    return sorted(ret, key=lambda p: p.ns)


class World:
    def __init__(self, d):
        self.d = d
        self.pki = Pki(os.path.join(d, "keys"))
        self.n = 0

    def path(self, name):
        self.n += 1
        return os.path.join(self.d, f"{name}-{self.n}")

    def collector(self, store, *options):
        return collector(store, "127.0.0.1:0", [*self.pki.options("collector"), *options])

    def capture(self, *args, **how):
        return write(self.path("capture"), make.pcap(packets(*args, **how)))

    def send(self, c, name, capture, *options, identity=IDENTITY):
        if not os.path.exists(os.path.join(self.pki.folder, name + ".crt")):
            self.pki.issue(name)
        run("flowproof-sensor", "-r", capture, "-s", c.address, "--id", name, "--local", "10.0.0.0/8", "--local", "2001:db8::5/128", *identity,
            *options, *self.pki.options(name), limit=60).expect(0)


def records(store, *options):
    return run("flowproof", "records", "-d", store, *options).expect(0).out.splitlines()


class Files:
    """The files below a folder, each checked by its name; lines by service."""

    def __init__(self, top, layout="default", end=r"log\.gz", account=ACCOUNT, region=REGION):
        self.names, self.lines = {}, {FLOW: [], COMPLEMENT: [], DNS: []}
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                if not name.endswith(".new"):
                    self.take(os.path.relpath(path, top), path, layout, end, account, region)

    def take(self, key, path, layout, end, account, region):
        found = re.search(r"_(vpcflowlogs|flowproof[a-z]+)_", key)
        check(found, key)
        service = found[1]
        pattern = (FOLDERS[layout] + NAME).format(account=account, region=region, service=service, end=end if service != DNS else r"log\.gz")
        m = match("^" + pattern, key, "name")
        n = len(m.groups()) - 5
        equal(m.groups()[:n], m.groups()[n:][:n], "folder and name")
        slot = int(time.mktime(time.strptime("".join(m.groups()[n:]), "%Y%m%d%H%M"))) - time.timezone
        equal(slot % SLOT, 0, "slot")
        self.names[key] = service
        if path.endswith(".parquet"):
            names, _, _, rows = parquet.read(path)
            lines = [["-" if v is None else str(v) for v in row] for row in rows]
            ends = [row[names.index("end")] for row in lines]
            self.lines[service] += [" ".join(row) for row in lines]
        else:
            with gzip.open(path, "rt", encoding="utf-8") as f:
                lines = f.read().splitlines()
            if service == DNS:
                rows = [json.loads(line) for line in lines]
                ends = [time.mktime(time.strptime(r["query_timestamp"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone for r in rows]
            elif "json" in end:
                ends = [json.loads(line)["end_time"] // 1000 for line in lines]
            else:
                header, *lines = lines
                ends = [line.split(" ")[header.split(" ").index("end")] for line in lines]
                self.header = header
            self.lines[service] += lines
        check(lines, "a file without a record: " + key)
        for e in ends:
            check(slot <= int(e) < slot + SLOT, f"{e} in the slot of {slot}: {key}")


def until(condition, what, limit=30):
    """Looks until it holds."""
    end = time.monotonic() + limit
    while not condition():
        check(time.monotonic() < end, f"not within {limit} s: {what()}" if callable(what) else what)
        time.sleep(0.02)
