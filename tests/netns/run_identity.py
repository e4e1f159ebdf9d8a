#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_identity.py BUILD_DIR   Who the machine is, from a stand-in for EC2's instance metadata: what it says, refuses and does wrong.

An instance with two interfaces and, beyond both, the service at its two addresses, in namespaces of the test's own.
"""
import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Daemon, Tap, check, equal, folder, match, run, write  # noqa: E402
from imds import V4, V6, Imds, tree  # noqa: E402
import net  # noqa: E402
from pki import Pki, collector  # noqa: E402

SENSOR, COLLECTOR = "10.9.0.2", "10.9.0.1"
INSTANCE = {"instance-id": "i-0123456789abcdef0", "placement/region": "eu-west-1", "placement/availability-zone-id": "euw1-az2"}
ENIS = [{"interface-id": "eni-00000000000000001", "owner-id": "111122223333", "vpc-id": "vpc-0aaaaaaaaaaaaaaa1",
         "subnet-id": "subnet-0bbbbbbbbbbbbbbb1", "subnet-ipv4-cidr-block": "10.9.0.0/24", "local-ipv4s": "10.9.0.2\n10.9.0.77",
         "ipv6s": "2001:db8::2", "public-ipv4s": "203.0.113.9"},
        {"interface-id": "eni-00000000000000002", "owner-id": "444455556666", "vpc-id": "vpc-0aaaaaaaaaaaaaaa2",
         "subnet-id": "subnet-0bbbbbbbbbbbbbbb2", "subnet-ipv4-cidr-block": "10.8.0.0/24", "local-ipv4s": "10.8.0.2"}]
FIELDS = "account-id interface-id vpc-id subnet-id instance-id region az-id"


def said(eni):
    """A record's FIELDS, as the service says them."""
    e = ENIS[eni]
    return " ".join([e["owner-id"], e["interface-id"], e["vpc-id"], e["subnet-id"], *INSTANCE.values()])


def events(store, kind=None):
    out = [json.loads(line) for line in run("flowproof", "records", "-d", store, "--events", "--json").expect(0).out.splitlines()]
    return [e for e in out if kind in (None, e["event"])]


def stored(store):
    """{device: its FIELDS} of the records in the ledger."""
    out = run("flowproof", "records", "-d", store, "-F", "fp-interface log-status " + FIELDS).expect(0).out
    return {line.split()[0]: " ".join(line.split()[2:]) for line in out.splitlines()[1:]}


def sources(store):
    """{(device, field): (value, who said it)} by the last events."""
    who = {0: "unknown", 1: "configured", 2: "imds"}
    return {tuple(e["text"].split()[:2]): (e["text"].split()[2], who[e["source"]]) for e in events(store, "identity")}


class World:
    def __init__(self, ns, d):
        self.ns, self.d, self.n = ns, d, 0
        self.pki = Pki(os.path.join(d, "keys"))
        self.pki.issue("i-id")
        macs = [net.mac(ns.inst, dev).hex(":") for dev in ("eth0", "eth1")]
        self.paths = tree(INSTANCE, dict(zip(macs, ENIS)))
        self.c = None

    def store(self):
        self.n += 1
        return os.path.join(self.d, f"store{self.n}")

    def sensor(self, *options, prefix=()):
        return Daemon("flowproof-sensor", "-i", "eth0", "-i", "eth1", "-s", self.c.address, "--id", "i-id", *self.pki.options("i-id"), *options,
                      prefix=[*net.prefix(self.ns.inst), *prefix])

    def collector(self, store):
        self.c = collector(store, f"{COLLECTOR}:4739", self.pki.options("collector"), prefix=net.prefix(self.ns.aws))
        return self.c

    def spoken(self, mode, *options, until=None, families=(4, 6), prefix=()):
        """(store, server, what the sensor said) of a run that ends when `until` was seen: by default the end of the asking."""
        store = self.store()
        with self.collector(store) as c, Imds(self.ns.aws, self.paths, mode, families) as server, \
                self.sensor("--identity", "imds", *options, prefix=prefix) as s:
            if until:
                until(s, server)
            else:
                s.wait_for(r"identity: instance metadata ", "err")
                s.wait_for("uplink: connected", "err")
            result = s.stop().expect(0)
            c.stop().expect(0)
        return store, server, result.err


def answers(tap, w):
    with tap.case("each interface's records bear what the service says of it, and the Hello does"):
        store, server, err = w.spoken("")
        equal(stored(store), {"eth0": said(0), "eth1": said(1)}, "records")
        check("given up" not in err, err)
    with tap.case("every field and address, and who said it, is an event"):
        got = sources(store)
        for dev, eni in (("eth0", 0), ("eth1", 1)):
            for field, value in zip(FIELDS.split(), said(eni).split()):
                equal(got[dev, field], (value, "imds"), f"{dev} {field}")
        texts = {e["text"] for e in events(store, "identity")}
        for text in ("eth0 local-ipv4s 10.9.0.2", "eth0 local-ipv4s 10.9.0.77", "eth0 ipv6s 2001:db8::2", "eth0 public-ipv4s 203.0.113.9",
                     "eth0 subnet-ipv4-cidr-block 10.9.0.0/24", "eth1 local-ipv4s 10.8.0.2"):
            check(text in texts, f"{text} is not among {texts}")
    with tap.case("one token, one connection, no item twice; what there is not is a 404"):
        equal(len(server.asked), len(set(server.asked)), "requests")
        equal([a for a in server.asked if a[0] == "PUT"], [("PUT", "/latest/api/token", 200)], "tokens")
        equal({a[2] for a in server.asked}, {200, 404}, "statuses")
        equal(len(server.ports), 1, "connections")
        end = events(store, "metadata")
        equal([(e["requests"], e["failures"], e["interfaces"], e["text"]) for e in end], [(len(server.asked), 0, 2, "answered")], "the end")
    with tap.case("its own requests are expected, raise no finding, and are told by their port"):
        equal({e["local_port"] for e in events(store, "metadata-connection")}, server.ports, "ports")
        out = run("flowproof", "records", "-d", store, "--json", "-F", "srcaddr dstaddr srcport dstport fp-verdict").expect(0).out
        rows = [json.loads(line) for line in out.splitlines()]
        mine = [r for r in rows if V4 in (r["srcaddr"], r["dstaddr"])]
        equal({r["fp-verdict"] for r in mine}, {"expected"}, "verdicts")
        equal({r["srcport"] if r["dstaddr"] == V4 else r["dstport"] for r in mine}, server.ports, "ports in the records")
        equal(run("flowproof", "findings", "-d", store, "--json").expect(0).out, "", "findings")
    with tap.case("connections that end with each answer do as well, and each is told"):
        store, server, err = w.spoken("close")
        equal(stored(store), {"eth0": said(0), "eth1": said(1)}, "records")
        equal(len(server.ports), len(server.asked), "connections")
        equal([(e["requests"], e["failures"]) for e in events(store, "metadata")], [(len(server.asked), 0)], "no request to a connection that ends")
        equal({e["local_port"] for e in events(store, "metadata-connection")}, server.ports, "ports")
        equal(run("flowproof", "findings", "-d", store, "--json").expect(0).out, "", "findings")
    with tap.case("a token that runs out is asked for anew"):
        store, server, err = w.spoken("expire")
        equal(stored(store), {"eth0": said(0), "eth1": said(1)}, "records")
        equal((server.given, sum(a[2] == 401 for a in server.asked)), (2, 1), "tokens, refusals")
    with tap.case("the IPv6 endpoint, where the other is not there"):
        store, server, err = w.spoken("", families=(6,))
        equal(stored(store), {"eth0": said(0), "eth1": said(1)}, "records")
        equal({e["text"].rsplit(":", 1)[0] for e in events(store, "metadata-connection")} - {V4}, {f"[{V6}]"}, "endpoints")


def others(tap, w):
    """What somebody else asks of the service is judged as ever, also while the sensor asks."""
    def until(s, server):
        server.wait_asked(1)
        with net.sock(w.ns.inst, socket.AF_INET, socket.SOCK_STREAM) as a:
            a.settimeout(10)
            a.connect((V4, 80))
            a.sendall(f"GET /latest/meta-data/iam/security-credentials/admin HTTP/1.1\r\nHost: {V4}\r\n\r\n".encode())
            a.recv(1000)
        s.wait_for(r"identity: instance metadata ", "err")

    with tap.case("another's read of credentials is found beside the sensor's own requests"):
        store, server, _ = w.spoken("", until=until)
        found = [json.loads(line) for line in run("flowproof", "findings", "-d", store, "--json").expect(0).out.splitlines()]
        equal([(f["kind"], f["remote"]) for f in found], [("metadata_credentials", V4)], "findings")
        own = {e["local_port"] for e in events(store, "metadata-connection")}
        out = run("flowproof", "records", "-d", store, "--json", "-F", "srcaddr dstaddr srcport dstport fp-verdict").expect(0).out
        verdicts = {}
        for r in map(json.loads, out.splitlines()):
            if r["dstaddr"] == V4:
                verdicts.setdefault(r["srcport"] in own, set()).add(r["fp-verdict"])
        equal(verdicts, {True: {"expected"}, False: {"watched"}}, "verdicts, by whether the port is our own")


def refusals(tap, w):
    unknown = "- - - - - - -"
    with tap.case("403: it ends at once, what the configuration says stands, and who said what is told"):
        store, server, err = w.spoken("off", "--vpc-id", "vpc-0f", "--interface-id", "eth1=eni-0f")
        equal(server.asked, [("PUT", "/latest/api/token", 403)], "requests")
        equal(stored(store), {"eth0": "- - vpc-0f - - - -", "eth1": "- eni-0f vpc-0f - - - -"}, "records")
        got = sources(store)
        equal((got["eth0", "vpc-id"], got["eth1", "interface-id"], got["eth0", "interface-id"]),
              (("vpc-0f", "configured"), ("eni-0f", "configured"), ("-", "unknown")), "sources")
        match("identity: instance metadata was given up .*403", err)
    for mode, why in (("silent", "no answer in time"), ("trickle", "no answer in time"), ("garbage", "no HTTP"), ("endless", "too long")):
        with tap.case(f"a service that is {mode}: it is tried again, capture and stream go on, what is configured stands"):
            store, server, err = w.spoken(mode, "--region", "conf-1", until=lambda s, server: server.wait_asked(2))
            equal(stored(store), {"eth0": "- - - - - conf-1 -", "eth1": "- - - - - conf-1 -"}, "records")
            match(f"given up .*{why}", err)
            check(events(store, "metadata")[0]["failures"] >= 1, "failures")
    with tap.case("nobody there: the stream does not wait for it for more than some seconds"):
        store, server, err = w.spoken("unreachable", until=lambda s, server: s.wait_for("uplink: connected", "err"))
        equal(stored(store), {"eth0": unknown, "eth1": unknown}, "records")
        match("given up .*refused", err)
    with tap.case("values without their form are counted and not believed"):
        store, server, err = w.spoken("bad")
        equal(stored(store), {"eth0": unknown, "eth1": unknown}, "records")
        match(r"instance metadata has answered: .* [1-9]\d* values that are none", err)
    with tap.case("where the two differ the configuration's word stands, and the difference is an event"):
        store, server, err = w.spoken("", "--vpc-id", "vpc-0f", "--region", "eu-west-1")
        equal(stored(store), {dev: said(i).replace(ENIS[i]["vpc-id"], "vpc-0f") for i, dev in enumerate(("eth0", "eth1"))}, "records")
        equal([e["text"] for e in events(store, "identity-differs")],
              [f"eth{i} vpc-id configured vpc-0f metadata {ENIS[i]['vpc-id']}" for i in (0, 1)], "differences")


def late(tap, w):
    def until(s, server):
        s.wait_for("uplink: connected", "err")
        server.mode = ""
        s.wait_for("identity: instance metadata has answered", "err")
        s.wait_for("uplink: connected", "err", count=2)

    with tap.case("an identity that comes after the Hello is told by another, and no record is lost or doubled"):
        store, server, err = w.spoken("silent", until=until)
        equal(stored(store), {"eth0": said(0), "eth1": said(1)}, "records")
        match(r"residual 0\)", err)
        run("flowproof", "audit", "-d", store, "--ca", w.pki.ca).expect(0)


def choices(tap, w):
    with tap.case("auto: where the firmware does not say EC2 nothing is asked; config: never"):
        for mode in ("auto", "config"):
            store = w.store()
            with w.collector(store) as c, Imds(w.ns.aws, w.paths) as server, w.sensor("--identity", mode) as s:
                s.wait_for("uplink: connected", "err")
                s.stop().expect(0)
                c.stop().expect(0)
            equal(server.asked, [], "requests")
            equal(events(store, "metadata"), [], "events")
    with tap.case("auto: where it does, it is asked, without a word of the configuration"):
        sh = "mount -t tmpfs none /sys && mkdir -p /sys/class/dmi/id && echo 'Amazon EC2' >/sys/class/dmi/id/sys_vendor && exec \"$@\""
        store = w.store()
        with w.collector(store) as c, Imds(w.ns.aws, w.paths) as server, w.sensor(prefix=("unshare", "-m", "sh", "-c", sh, "sh")) as s:
            s.wait_for("identity: instance metadata has answered", "err")
            s.wait_for("uplink: connected", "err")
            s.stop().expect(0)
            c.stop().expect(0)
        equal(stored(store), {"eth0": said(0), "eth1": said(1)}, "records")
    with tap.case("without a collector the text bears it"):
        out = os.path.join(w.d, "text")
        with Imds(w.ns.aws, w.paths), Daemon("flowproof-sensor", "-i", "eth0", "-i", "eth1", "-o", out, "--identity", "imds", "-F",
                                             "fp-interface " + FIELDS, prefix=net.prefix(w.ns.inst)) as s:
            s.wait_for("identity: instance metadata has answered", "err")
            s.stop().expect(0)
        with open(out, encoding="ascii") as f:
            equal({line.rstrip("\n") for line in f.readlines()[1:]}, {"eth0 " + said(0), "eth1 " + said(1)}, "lines")
    with tap.case("--check says where each field will come from"):
        conf = write(os.path.join(w.d, "id.conf"), "interface = lo\nvpc-id = vpc-0f\nidentity = imds\n")
        out = run("flowproof-sensor", "--check", "-c", conf).expect(0).out
        match(r"^# identity lo vpc-id vpc-0f configured$", out)
        match(r"^# identity lo region - imds$", out)
        match(r"^# identity lo region - unknown$", run("flowproof-sensor", "--check", "-i", "lo", "--identity", "config").expect(0).out)
    with tap.case("a word that is none, and imds of a file, are refused"):
        match("--identity 'dns': it is auto, imds or config", run("flowproof-sensor", "-i", "lo", "--identity", "dns").expect(2).err)
        match("--identity imds is for live capture", run("flowproof-sensor", "-r", "-", "--identity", "imds").expect(2).err)


def main():
    net.need_root("run_identity")
    tap = Tap()
    with folder() as d, net.Namespaces("inst", "aws") as ns:
        net.veth(ns.inst, "eth0", [SENSOR + "/24", "2001:db8::2/64"], ns.aws, "eth0", [COLLECTOR + "/24", V4 + "/32", V6 + "/128"])
        net.veth(ns.inst, "eth1", ["10.8.0.2/24"], ns.aws, "eth1", ["10.8.0.1/24"])
        net.ip_batch(ns.aws, "route add 2001:db8::2 dev eth0")
        net.ip_batch(ns.inst, f"route add {V4} dev eth0", f"route add {V6} dev eth0")
        w = World(ns, d)
        for part in (answers, others, refusals, late, choices):
            part(tap, w)
    tap.done()


if __name__ == "__main__":
    main()
