#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_report.py BUILD_DIR   Verdicts on machines that were really watched, in namespaces, beside a second witness on the other end of the cable.

The benign machine asks the resolver, sends canaries and its records, and nothing else: its verdict must be none_observed. Each of the others does
one thing more, and its verdict must not be. tests/report breaks the gates that no machine of a test can break (clock, full tables).
"""
import concurrent.futures
import json
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Daemon, Tap, check, equal, folder, run, write  # noqa: E402
import net  # noqa: E402
from flowlogs import FlowLogs  # noqa: E402
from pki import Pki, collector  # noqa: E402

MACHINES = ("benign", "filtered", "uncaptured", "uncounted", "killed", "calling", "connected")
CANARY, PORT, ELSEWHERE = 4799, 4739, "203.0.113.9"


class Machine:
    """A namespace on a cable of its own to the collector's, where resolver, canary port and witness are too."""

    def __init__(self, w, name):
        self.w, self.name, self.n = w, name, MACHINES.index(name)
        self.ns, self.me, self.there = getattr(w.ns, name), f"10.9.{self.n}.2", f"10.9.{self.n}.1"
        self.device = f"v{self.n}"
        net.veth(self.ns, "eth0", [self.me + "/24"], w.ns.col, self.device, [self.there + "/24"])
        net.ip("-n", self.ns, "route", "add", "default", "via", self.there)
        self.address = f"{self.there}:{PORT + (name == 'killed')}"

    def sensor(self, *options):
        canary = [] if self.name == "uncounted" else ["--canary", f"{self.there}:{CANARY}", "--canary-s", "1"]
        return Daemon("flowproof-sensor", "-i", "eth0", "-s", self.address, "--id", self.name, *self.w.pki.options(self.name), "--resolver", self.there,
                      *canary, *options, prefix=net.prefix(self.ns))

    def ask(self):
        """Three DNS questions, and their answers."""
        with net.sock(self.ns, socket.AF_INET, socket.SOCK_DGRAM) as client, net.sock(self.w.ns.col, socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind((self.there, 53))
            client.settimeout(10)
            server.settimeout(10)
            for i in range(3):
                name = b"\x04host\x07example\x03com\0"
                client.sendto(struct.pack(">6H", i, 0x100, 1, 0, 0, 0) + name + b"\0\1\0\1", (self.there, 53))
                message, peer = server.recvfrom(1500)
                server.sendto(message[:2] + b"\x81\x80" + message[4:6] + b"\0\1\0\0\0\0" + message[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\1", peer)
                client.recvfrom(1500)

    def more(self):
        """What this machine does beside that."""
        if self.name == "uncaptured":
            net.veth(self.ns, "other", ["10.8.0.1/24"], self.w.ns.col, "other", ["10.8.0.2/24"])
            self.send("10.8.0.2")
        if self.name == "calling":
            self.send(ELSEWHERE)
        if self.name == "connected":
            self.connection.sendall(b"still here")

    def send(self, address):
        with net.sock(self.ns, socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"x" * 100, (address, 7000))

    def connect(self):
        """A connection that is older than the watch."""
        listener = net.sock(self.w.ns.col, socket.AF_INET, socket.SOCK_STREAM)
        listener.bind((self.there, 8080))
        listener.listen(1)
        self.connection = net.sock(self.ns, socket.AF_INET, socket.SOCK_STREAM)
        self.connection.connect((self.there, 8080))
        self.peer = listener.accept()[0]
        listener.close()

    def run(self):
        if self.name == "connected":
            self.connect()
        witness = FlowLogs(self.w.ns.col, self.device, interface=f"eni-{self.name}", resolver=self.there)
        options = ["-f", "not udp port 9"] if self.name == "filtered" else []
        with self.sensor(*options) as s:
            s.wait_for("uplink: connected")
            self.ask()
            self.more()
            if self.name != "uncounted":
                witness.wait_until(lambda flows: sum(v[0] for k, v in flows.items() if k[2] == CANARY) >= 3, 60, "three canaries come back")
            if self.name == "killed":
                s.kill()
            else:
                s.stop().expect(0)
        equal(witness.stop(), 0, "packets lost by the witness")
        self.logs = write(os.path.join(self.w.d, f"{self.name}.log"), witness.text())

    def report(self, code, *options):
        store = self.w.store[self.name == "killed"]
        r = run("flowproof", "report", "-d", store, "--sensor", self.name, "--ca", self.w.pki.ca, "--flow-logs", self.logs, "--json", "-",
                *options)
        if r.code != code:
            o = run("flowproof", "reconcile", "-d", store, "--sensor", self.name, "--flow-logs", self.logs)
            raise AssertionError(f"exit {r.code}, expected {code}: {r.err}{o.out}")
        return json.loads(r.out)


class World:
    def __init__(self, d, ns):
        self.d, self.ns, self.pki = d, ns, Pki(os.path.join(d, "keys"))
        self.store = [os.path.join(d, "store"), os.path.join(d, "store-of-the-killed")]
        self.machines = {name: Machine(self, name) for name in MACHINES}
        for name in MACHINES:
            self.pki.issue(name)
        keys = self.pki.options("collector")
        with collector(self.store[0], f"0.0.0.0:{PORT}", [*keys, "--canary", f"0.0.0.0:{CANARY}"], prefix=net.prefix(ns.col)) as one, \
             collector(self.store[1], f"0.0.0.0:{PORT + 1}", keys, prefix=net.prefix(ns.col)) as two:
            with concurrent.futures.ThreadPoolExecutor(len(MACHINES)) as pool:
                list(pool.map(lambda m: m.run(), self.machines.values()))
            one.stop().expect(0)
            two.stop().expect(0)


def unmet(said):
    return {o["number"] for o in said["obligations"] if o["kind"] == "gate" and o["state"] != "met"}


def cases(tap, w):
    m = w.machines
    with tap.case("the benign machine: every gate met, none_observed, exit status 0"):
        said = m["benign"].report(0)
        equal((said["verdict"], unmet(said)), ("none_observed", set()))
        figures = {f["id"]: f["n"] for o in said["obligations"] for f in o["figures"]}
        equal((figures["dns_messages"], figures["allowed_destinations"], figures["hidden"], figures["unjudged"]), (6, 3, 0, 0))
        check(figures["canaries"] >= 3 and figures["packets"] >= 6 + figures["canaries"], f"{figures}")
    for name, gates, why in (("filtered", {7}, "a filter"), ("uncaptured", {2}, "an interface that is not captured carries a packet"),
                             ("uncounted", {3}, "no canaries"),
                             ("connected", {22}, "a connection older than the watch")):
        with tap.case(f"{why}: gates {gates} alone are not met"):
            said = m[name].report(1)
            equal(unmet(said), gates)
            check(said["verdict"] != "none_observed", said["verdict"])
    with tap.case("the sensor was killed in its first window: no goodbye, and the ledger's end is not signed"):
        said = m["killed"].report(1)
        check(unmet(said) >= {19, 20} and said["verdict"] == "inconclusive", f"{unmet(said)} {said['verdict']}")
    with tap.case("one datagram to somewhere else: unexpected_egress, attempted"):
        said = m["calling"].report(1)
        equal((said["verdict"], said["reached"], unmet(said)), ("unexpected_egress", "attempted", set()))
        equal([f["finding"]["remote"] for f in said["findings"] if f["weight"] == "egress"], [ELSEWHERE])
    with tap.case("Flow Logs that have a flow more: hidden from this machine, inconclusive"):
        lines = open(m["benign"].logs, encoding="ascii").read()
        start = m["benign"].report(0)["from"]
        write(m["benign"].logs, lines + f"2 - eni-benign {m['benign'].me} {ELSEWHERE} 999 443 6 9 900 {start + 1} {start + 1} ACCEPT OK\n")
        said = m["benign"].report(1, "--span", f"{start},{start + 2}")
        equal((said["verdict"], unmet(said)), ("inconclusive", {4}))
        equal([f["n"] for o in said["obligations"] for f in o["figures"] if f["id"] == "hidden"], [1])


def main():
    net.need_root("run_report")
    tap = Tap()
    with folder() as d, net.Namespaces("col", *MACHINES) as ns:
        w = None
        with tap.case("seven machines run, each with a sensor and a witness"):
            w = World(d, ns)
        if w:
            cases(tap, w)
    tap.done()


if __name__ == "__main__":
    main()
