#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_findings.py BUILD_DIR   What `flowproof findings` says of captures: the attack captures kept beside the tree, as a reader of their
README expects, and made-up ones whose findings are arithmetic. One collector, one store; each capture is a sensor of its own."""
import collections
import gzip
import json
import os
import random
import re
import struct
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "golden")]
from harness import ROOT, Tap, check, equal, folder, match, run, write  # noqa: E402
from pki import Pki, collector  # noqa: E402
from shared import ABSENT, data_folder  # noqa: E402
import make_captures as make  # noqa: E402

TCP, UDP, ICMP, GRE = 6, 17, 1, 47

# Capture: options of the sensor, and the findings that its README line asks for: (kind, remote, port, protocol, reached).
ATTACKS = {
    "ndpi-icmp-tunnel.pcap": ((), [("icmp_tunnel", "192.168.154.132", 0, ICMP, "data_out")]),
    "ndpi-emotet.pcap": ((), [("spam", "193.252.22.84", 587, TCP, "data_out")]),
    "ndpi-tcp_scan.pcapng": ((), [("scan", "192.168.1.2", 0, TCP, "answered")]),
    "zeek-nmap-vsn.pcap": ((), [("sweep", None, 80, TCP, "answered")]),
    "zeek-ssh-reverse-ssh.pcap": ((), [("unexpected_egress", "13.13.13.37", 22, TCP, "data_out")]),
    "zeek-ssh-sshguess.pcap": ((), [("unexpected_egress", "192.168.56.103", 22, TCP, "data_out")]),
    "sv-bug-5713-01-TLSv1-Extracted-MaliciousC2.pcap": ((), [("unexpected_egress", "91.254.215.167", 443, TCP, "data_out")]),
    "zeek-tunnels-gre-sample.pcap": ((), [("odd_protocol", "66.59.109.137", 0, GRE, "data_out")]),
    "ndpi-dns-exf.pcap": ((), [("dns_other_resolver", "192.168.2.134", 53, UDP, "answered"),
                               ("dns_tunnel", "192.168.2.134", 53, UDP, "data_out")]),
    "ndpi-dns-tunnel-iodine.pcap": ((), [("dns_tunnel", "10.0.2.20", 53, UDP, "data_out")]),
    "pcapattack-cmds_over_dns_txt_queries_and_reponses.pcap": ((), [("dns_other_resolver", "8.8.8.8", 53, UDP, "answered"),
                                                                    ("dns_tunnel", None, 53, UDP, "data_out")]),
}


class Store:
    """A collector's store of captures, each under a sensor's name."""

    def __init__(self, d, captures):
        """captures: {sensor: (path, options)}"""
        self.path = os.path.join(d, "store")
        keys = Pki(os.path.join(d, "keys"))
        with collector(self.path, "127.0.0.1:0", keys.options("collector")) as c:
            for sensor, (path, options) in captures.items():
                keys.issue(sensor)
                run("flowproof-sensor", "-r", path, "-s", c.address, "--id", sensor, *keys.options(sensor), *options,
                    limit=60).expect(0)
            c.stop()

    def findings(self, *args, form="--json"):
        out = run("flowproof", "findings", "-d", self.path, form, *args).expect(0).out
        return [json.loads(line) for line in out.splitlines()]


# ---- captures whose findings follow from how they are made ---------------------------------------------

ME, PEER, RESOLVER, MIRROR, SSM, CLOCK, METADATA = ("10.0.0.5", "203.0.113.9", "10.0.0.2", "10.0.8.8", "10.0.9.9", "169.254.169.123",
                                                    "169.254.169.254")
SYN, ACK, FIN, RST = make.SYN, make.ACK, make.FIN, make.RST


def at(seconds):
    return make.ns(make.T0) + round(seconds * make.NS)


def talk(start, peer, port, sport, up=200, down=300):
    """A connection that sends and receives."""
    return [make.tcp_packet(at(start), ME, peer, sport, port, SYN), make.tcp_packet(at(start + .01), peer, ME, port, sport, SYN | ACK),
            make.tcp_packet(at(start + .02), ME, peer, sport, port, ACK, up),
            make.tcp_packet(at(start + .03), peer, ME, port, sport, ACK, down),
            make.tcp_packet(at(start + .04), ME, peer, sport, port, FIN | ACK),
            make.tcp_packet(at(start + .05), peer, ME, port, sport, FIN | ACK)]


def knocks(start, peer, port, sport):
    """SYNs that nobody answers, as Linux repeats them."""
    return [make.tcp_packet(at(start + wait), ME, peer, sport, port, SYN) for wait in (0, 1, 3, 7, 15, 31)]


def jittered(count, period, percent, seed):
    """Times of calls: intervals uniform within the jitter."""
    rng, t, ret = random.Random(seed), 0.0, []
    for _ in range(count):
        ret.append(t)
        t += period * (1 + percent / 100 * rng.uniform(-1, 1))
    return ret


def dns(start, name, kind, sport, answer=True, server=RESOLVER):
    """A question, and an answer without records."""
    labels = b"".join(bytes([len(label)]) + label for label in name.encode().split(b".")) + b"\0"
    question = struct.pack(">HHHHHH", sport, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">HH", kind, 1)
    reply = struct.pack(">HHHHHH", sport, 0x8180, 1, 0, 0, 0) + labels + struct.pack(">HH", kind, 1)
    ret = [make.frame(at(start), ME, server, UDP, make.udp(sport, 53, question), 28 + len(question), sport, 53)]
    if answer:
        ret.append(make.frame(at(start + .01), server, ME, UDP, make.udp(53, sport, reply), 28 + len(reply), 53, sport))
    return ret


def http(start, path, token, sport, version=b"HTTP/1.1"):
    """A request to instance metadata, and some answer."""
    head = b"GET " + path.encode() + b" " + version + b"\r\nHost: 169.254.169.254\r\n"
    head += (b"X-aws-ec2-metadata-token: AQAEAFakeToken==\r\n" if token else b"") + b"\r\n"
    packets = talk(start, METADATA, 80, sport)
    packets[2] = make.frame(at(start + .02), ME, METADATA, TCP, make.tcp(sport, 80, ACK, head), 40 + len(head), sport, 80, ACK)
    return packets


def flat(lists):
    return [p for packets in lists for p in packets]


def in_one_connection():
    packets = talk(0, PEER, 443, 2000)[:4]
    for i in range(1, 14):
        packets += [make.tcp_packet(at(45 * i), ME, PEER, 2000, 443, ACK, 64), make.tcp_packet(at(45 * i + .02), PEER, ME, 443, 2000, ACK, 32)]
    return packets


def upload(size):
    packets = talk(0, PEER, 443, 2000)[:4]
    return packets + [make.tcp_packet(at(1 + i / 1000), ME, PEER, 2000, 443, ACK, 1400) for i in range(size // 1400 + 1)]


def poisson(count, mean, seed):
    rng, t, packets = random.Random(seed), 0.0, []
    for i in range(count):
        packets += talk(t, PEER, 443, 2000 + i)
        t += 5 + rng.expovariate(1 / mean)
    return packets


def encoded(count, length, alphabet, kind, gap, seed=1):
    rng = random.Random(seed)
    names = ["".join(rng.choice(alphabet) for _ in range(length)) + ".t.evil-tunnel.example" for _ in range(count)]
    return flat(dns(i * gap, name, kind, 3000 + i) for i, name in enumerate(names))


def benign():
    """Two hours of a machine that does what its policy says."""
    packets = [make.arp(at(0))]
    packets += flat([make.udp_packet(at(64 * i), ME, CLOCK, 4000, 123, 48), make.udp_packet(at(64 * i + .01), CLOCK, ME, 123, 4000, 48)]
                    for i in range(110))
    packets += flat(talk(300 * i, SSM, 443, 5000 + i, 900, 500) for i in range(24))
    for i in range(8):  # apt: 60 KB down each
        packets += talk(900 * i, MIRROR, 80, 6000 + i)
        packets += [make.tcp_packet(at(900 * i + .03 + k / 10000), MIRROR, ME, 80, 6000 + i, ACK, 1400) for k in range(40)]
    names = ["ssm.eu-west-1.amazonaws.com", "ec2messages.eu-west-1.amazonaws.com", "security.debian.example", "deb.debian.example",
             "s3.dualstack.eu-west-1.amazonaws.com", "ssmmessages.eu-west-1.amazonaws.com"]
    packets += flat(dns(150 * i, names[i % len(names)], (1, 28)[i % 2], 7000 + i) for i in range(48))
    packets += flat(http(1800 * i, "/latest/meta-data/instance-id", True, 8000 + i) for i in range(4))
    packets += [make.udp_packet(at(1), "0.0.0.0", "255.255.255.255", 68, 67, 300)]
    return sorted(packets, key=lambda p: p.ns)


BENIGN_POLICY = f"""expect out udp 67 to 255.255.255.255
expect out udp 123 to {CLOCK}
expect out tcp 443 to {SSM}
expect out tcp 80 to {MIRROR}
watch out tcp+udp 53 to {RESOLVER}
watch out tcp 80 to {METADATA}
"""

BREACH_POLICY = f"""breach out tcp 8443 to {PEER} severity critical as "the-worst"
breach out tcp 8444 to {PEER} severity info
"""

B32, HEX = "abcdefghijklmnopqrstuvwxyz234567", "0123456789abcdef"

# Name: packets, what must be found (kind, remote, port, protocol, reached), kinds that must not.
MADE = {
    "beacon, nobody answers, 20 % jitter": (
        lambda: flat(knocks(t, PEER, 443, 2000 + i) for i, t in enumerate(jittered(15, 60, 20, 1))),
        [("beacon", PEER, 443, TCP, "attempted")], ["drip", "volume"]),
    "beacon, 50 % jitter, answered": (
        lambda: flat(talk(t, PEER, 8443, 2000 + i) for i, t in enumerate(jittered(40, 60, 50, 2))),
        [("beacon", PEER, 8443, TCP, "data_out")], []),
    "beacon within one connection": (in_one_connection, [("beacon", PEER, 443, TCP, "data_out")], []),
    "beacon of single datagrams": (
        lambda: [make.udp_packet(at(30 * i), ME, PEER, 2000, 9999, 40) for i in range(10)],
        [("beacon", PEER, 9999, UDP, "attempted")], []),
    "six calls are enough": (lambda: [make.udp_packet(at(60 * i), ME, PEER, 2000, 9998, 40) for i in range(6)],
                             [("beacon", PEER, 9998, UDP, "attempted")], []),
    "five are not": (lambda: [make.udp_packet(at(60 * i), ME, PEER, 2000, 9997, 40) for i in range(5)], [], ["beacon"]),
    "calls at random": (lambda: poisson(60, 55, 3), [("unexpected_egress", PEER, 443, TCP, "data_out")], ["beacon"]),
    "a drip an hour": (
        lambda: flat(talk(t, PEER, 443, 2000 + i) for i, t in enumerate(jittered(12, 3600, 50, 4))),
        [("drip", PEER, 443, TCP, "data_out")], ["volume"]),
    "two megabytes out": (lambda: upload(2 << 20), [("volume", PEER, 443, TCP, "data_out")], ["drip", "beacon"]),
    "a sweep": (
        lambda: [make.tcp_packet(at(i / 10), ME, f"198.51.100.{i + 1}", 2000 + i, 22, SYN) for i in range(12)],
        [("sweep", "198.51.100.1", 22, TCP, "attempted")], ["scan"]),
    "a scan": (
        lambda: flat([make.tcp_packet(at(i / 10), ME, PEER, 2000, 20 + i, SYN), make.tcp_packet(at(i / 10 + .01), PEER, ME, 20 + i, 2000, RST | ACK)]
                     for i in range(12)),
        [("scan", PEER, 0, TCP, "attempted")], ["sweep"]),
    "hex names, one a minute": (lambda: encoded(40, 20, HEX, 1, 60), [("dns_tunnel", RESOLVER, 53, UDP, "data_out")], []),
    "base32 names, TXT": (lambda: encoded(30, 30, B32, 16, 1), [("dns_tunnel", RESOLVER, 53, UDP, "data_out")], []),
    "credentials, IMDSv1": (
        lambda: http(0, "/latest/meta-data/iam/security-credentials/web", False, 2000),
        [("metadata_credentials", METADATA, 80, TCP, "data_out")], []),
    "what a benign machine does": (benign, [], []),
}


# ---- what others take ------------------------------------------------------------------------------------

AWS = {"account-id": "123456789012", "region": "eu-west-1", "instance-id": "i-0123456789abcdef0", "interface-id": "eni-0123456789abcdef0"}


def at_path(obj, path):
    for part in path.split("."):
        obj = obj[int(part)] if isinstance(obj, list) else obj[part]
    return obj


def ocsf(f):
    """OCSF 1.5.0, base_event, finding, detection_finding and the objects in it: what is required, and what is of a fixed value."""
    for path, want in (("class_uid", 2004), ("category_uid", 2), ("activity_id", 1), ("type_uid", 2004 * 100 + 1), ("metadata.version", "1.5.0"),
                       ("metadata.profiles", ["cloud"]), ("cloud.provider", "AWS"), ("status_id", 1)):
        equal(at_path(f, path), want, path)
    for path, kind in (("time", int), ("severity_id", int), ("finding_info.uid", str), ("finding_info.title", str), ("message", str),
                       ("metadata.product.vendor_name", str), ("metadata.product.name", str), ("cloud.region", str), ("cloud.account.uid", str),
                       ("evidences.0.connection_info.direction_id", int), ("finding_info.analytic.type_id", int), ("is_alert", bool),
                       ("resources.0.uid", str), ("observables.0.value", str), ("observables.0.name", str)):
        check(isinstance(at_path(f, path), kind), f"{path} in {f}")
    check(1 <= f["severity_id"] <= 5 and f["start_time"] <= f["time"] and f["start_time"] > 10 ** 12, "severity, milliseconds")
    equal(f["severity"], ["Informational", "Low", "Medium", "High", "Critical"][f["severity_id"] - 1], "severity")
    equal(at_path(f, "observables.0.type_id"), 2, "an IP address")
    for end in ("src_endpoint", "dst_endpoint"):
        check({"ip", "name", "hostname", "uid", "instance_uid"} & set(f["evidences"][0][end]), f"{end} names nothing")


# Security Hub User Guide, "Required attributes" and their forms.
RFC3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
ASFF_TYPES = {"TTPs", "Effects", "Unusual Behaviors", "Software and Configuration Checks", "Sensitive Data Identifications"}


def asff(f):
    for name in ("AwsAccountId", "CreatedAt", "Description", "GeneratorId", "Id", "ProductArn", "Resources", "SchemaVersion", "Severity", "Title",
                 "Types", "UpdatedAt"):
        check(f[name], f"{name} in {f}")
    equal(f["SchemaVersion"], "2018-10-08", "SchemaVersion")
    match(r"^\d{12}$", f["AwsAccountId"], "AwsAccountId")
    match(r"^arn:aws:securityhub:[a-z0-9-]+:\d{12}:product/\d{12}/default$", f["ProductArn"], "ProductArn")
    check(len(f["Id"]) <= 512 and len(f["Title"]) <= 256 and len(f["Description"]) <= 1024, "lengths")
    check(f["Severity"]["Label"] in ("INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"), "Label")
    for name in ("CreatedAt", "UpdatedAt", "FirstObservedAt", "LastObservedAt"):
        match(f"^{RFC3339}$", f[name], name)
    check(f["CreatedAt"] <= f["UpdatedAt"], "times")
    for kind in f["Types"]:
        check(kind.split("/")[0] in ASFF_TYPES and 2 <= len(kind.split("/")) <= 3, kind)
    for resource in f["Resources"]:
        check(resource["Type"] and resource["Id"], "Resources")
    equal(f["Action"]["ActionType"], "NETWORK_CONNECTION", "ActionType")


def exports(tap, store, sensor):
    plain = store.findings()
    with tap.case("OCSF: what the schema requires"):
        rows = store.findings(form="--ocsf")
        equal(len(rows), len(plain), "as many")
        for row in rows:
            ocsf(row)
        equal(len({row["finding_info"]["uid"] for row in rows}), len(rows), "ids")
        mine = [row for row in rows if f"/{sensor}/" in row["finding_info"]["uid"]]
        equal({(row["cloud"]["region"], row["cloud"]["account"]["uid"], row["resources"][0]["uid"]) for row in mine},
              {(AWS["region"], AWS["account-id"], AWS["instance-id"])}, "identity")
    with tap.case("ASFF: what Security Hub requires"):
        rows = store.findings(form="--asff")
        equal(len(rows), len(plain), "as many")
        for row in rows:
            asff(row)
        equal(len({row["Id"] for row in rows}), len(rows), "ids")
        mine = [row for row in rows if f"/{sensor}/" in row["Id"]]
        equal({(row["Resources"][0]["Type"], row["Resources"][0]["Id"]) for row in mine},
              {("AwsEc2Instance", "arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0")}, "identity")
    with tap.case("text: a line a finding, but for what a sweep or scan consists of"):
        text = run("flowproof", "findings", "-d", store.path).expect(0).out.splitlines()
        parts = int(match(r"^and (\d+) unexpected_egress that the sweeps and scans", text[-1])[1])
        equal((parts, len(text) - 2), (12 + 12, len(plain) - 24), "those of the sweep and of the scan, and all others")
        equal(text[0].split()[:3], ["severity", "kind", "first"], "header")
    with tap.case("a breach has the severity that its rule gives"):
        got = {f["port"]: f["severity"] for f in plain if f["kind"] == "unexpected_egress" and f["port"] in (8443, 8444) and f["sensor"] == "breach"}
        equal(got, {8443: "critical", 8444: "info"}, "severities")
    with tap.case("limits: every detector has one, with the numbers of the code"):
        rows = [json.loads(line) for line in run("flowproof", "findings", "--limits", "--json").expect(0).out.splitlines()]
        header = open(os.path.join(ROOT, "evidence", "limits.h"), encoding="ascii").read()
        numbers = {name: eval(value) for name, value in re.findall(r"\t([A-Z0-9_]+) = ([0-9 *]+),", header)}  # pylint: disable=eval-used
        text = {row["kind"]: row["needs"] for row in rows}
        for kind, names in (("beacon", ("BEACON_GAP_S", "BEACON_NEAR")), ("volume", ("VOLUME_BYTES", "VOLUME_EXPECTED")),
                            ("drip", ("DRIP_MINUTES", "DRIP_SPAN_S", "DRIP_BYTES")), ("sweep", ("SWEEP_ADDRESSES",)), ("scan", ("SCAN_PORTS",)),
                            ("icmp_tunnel", ("ICMP_PACKETS", "ICMP_SIZE", "ICMP_CHANGE")),
                            ("dns_tunnel", ("TUNNEL_NULLS", "TUNNEL_TYPED", "TUNNEL_NAMES", "TUNNEL_LETTERS", "TUNNEL_MANY", "TUNNEL_LABEL"))):
            for name in names:
                check(re.search(rf"\b{numbers[name]}\b", text[kind]), f"{name} is not in '{text[kind]}'")
        check(all(row["needs"] and row["cannot_see"] for row in rows), "nothing is left empty")


def made(tap):
    with folder() as d:
        policy = write(os.path.join(d, "benign.policy"), BENIGN_POLICY)
        captures = {}
        for i, (name, (packets, _, _)) in enumerate(MADE.items()):
            path = write(os.path.join(d, f"{i}.pcap"), make.pcap(sorted(packets(), key=lambda p: p.ns)))
            captures[f"m{i:02}"] = (path, ("-p", policy) if packets is benign else ())
        sweep = f"m{list(MADE).index('a sweep'):02}"
        captures[sweep] = (captures[sweep][0], [w for k, v in AWS.items() for w in ("--field", f"{k}={v}")])
        breach = write(os.path.join(d, "breach.pcap"), make.pcap(talk(0, PEER, 8443, 2000) + talk(1, PEER, 8444, 2001)))
        captures["breach"] = (breach, ("-p", write(os.path.join(d, "breach.policy"), BREACH_POLICY)))
        store = Store(d, captures)
        found = collections.defaultdict(list)
        for f in store.findings():
            found[f["sensor"]].append(f)
        for i, (name, (packets, wanted, unwanted)) in enumerate(MADE.items()):
            with tap.case(name):
                rows = found[f"m{i:02}"]
                got = [(f["kind"], f["remote"], f["port"], f["protocol"], f["reached"]) for f in rows]
                for want in wanted:
                    check(want in got, f"{want} is not among {got}")
                equal([row for row in got if row[0] in unwanted], [], "what must not be found")
                if packets is benign:
                    equal([f["what"] for f in rows if f["severity"] != "info"], [], "above info")
        with tap.case("credentials tell version and role, beacons their period"):
            by_kind = {f["kind"]: f for rows in found.values() for f in rows}
            equal((by_kind["metadata_credentials"]["name"], by_kind["metadata_credentials"]["severity"]), ("web", "high"))
            for name, said in (("beacon within one connection", "every 45.0 s"), ("beacon of single datagrams", "every 30.0 s, jitter 0%")):
                beacon = [f["what"] for f in found[f"m{list(MADE).index(name):02}"] if f["kind"] == "beacon"]
                check(len(beacon) == 1 and said in beacon[0], f"{name}: {beacon}")
        exports(tap, store, sweep)


def suspects(tap, data):
    """The clients of real access logs, read here by another way, and a machine that calls one of them."""
    logs = {"alb-opensearch-catalog.log": None, "alb-lambda-promtail.log.gz": None}
    if not data:
        tap.skip("suspects", ABSENT)
        return
    with tap.case("the clients of ALB access logs are suspects"), folder() as d:
        for name in logs:
            path = os.path.join(data, "awslogs", name)
            with (gzip.open if name.endswith(".gz") else open)(path, "rt", encoding="ascii") as f:
                logs[name] = [line.split(" ")[3].rpartition(":")[0] for line in f if line.strip()]
        plain = sorted({a for a in logs["alb-opensearch-catalog.log"]})
        check(plain, "none in the log")
        capture = write(os.path.join(d, "calls.pcap"), make.pcap(talk(0, plain[0], 443, 2000) + talk(1, PEER, 443, 2001)))
        packed = os.path.join(d, "log.gz")
        with gzip.open(packed, "wb") as out, open(os.path.join(data, "awslogs", "alb-opensearch-catalog.log"), "rb") as f:
            out.write(f.read())
        store = Store(d, {"s": (capture, ())})
        for path in (os.path.join(data, "awslogs", "alb-opensearch-catalog.log"), packed):
            p = run("flowproof", "findings", "-d", store.path, "--json", "--suspects", path).expect(0)
            match(rf": {len(plain)} clients; 0 lines", p.err, "what was read")
            got = [json.loads(line) for line in p.out.splitlines()]
            equal([(f["remote"], f["name"], f["severity"]) for f in got if f["kind"] == "watch_list"], [(plain[0], plain[0], "high")], "found")
        masked = run("flowproof", "findings", "-d", store.path, "--suspects", os.path.join(data, "awslogs", "alb-lambda-promtail.log.gz")).expect(0)
        match(rf": 0 clients; {len(logs['alb-lambda-promtail.log.gz'])} lines whose client is no address", masked.err, "masked")
        for bad in (os.path.join(data, "awslogs", "waf-opensearch-catalog.log"), "/nowhere"):
            match(re.escape(bad), run("flowproof", "findings", "-d", store.path, "--suspects", bad).expect(2).err, "refused")


def attacks(tap, data):
    if not data:
        for file in ATTACKS:
            tap.skip(file, ABSENT)
        return
    with folder() as d:
        store = Store(d, {f"a{i:02}": (os.path.join(data, "pcaps", file), ATTACKS[file][0]) for i, file in enumerate(ATTACKS)})
        found = collections.defaultdict(list)
        for f in store.findings():
            found[f["sensor"]].append((f["kind"], f["remote"], f["port"], f["protocol"], f["reached"]))
        for i, (file, (_, wanted)) in enumerate(ATTACKS.items()):
            with tap.case(file):
                got = found[f"a{i:02}"]
                for want in wanted:
                    check(any(all(w is None or w == g for w, g in zip(want, row)) for row in got), f"{want} is not among {got}")


def main():
    tap = Tap()
    made(tap)
    suspects(tap, data_folder())
    attacks(tap, data_folder())
    tap.done()


if __name__ == "__main__":
    main()
