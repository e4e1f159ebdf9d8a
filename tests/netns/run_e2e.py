#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_e2e.py BUILD_DIR   The whole path with known traffic: instance - router - {outside, collector}, each a namespace.

What is sent is counted in advance by arithmetic; what TCP makes of a transfer is counted by a packet socket in the router.
Both must be found in the ledger, packet by packet and byte by byte.
"""
import contextlib
import ipaddress
import json
import os
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Daemon, Tap, check, equal, folder, run, summary, write  # noqa: E402
import net  # noqa: E402
from pki import Pki, collector  # noqa: E402

INST, INST6 = "10.77.1.2", "fd77:1::2"
OUT, OUT6 = "10.77.2.2", "fd77:2::2"
RESOLVER, OTHER_RESOLVER = "10.77.2.53", "10.77.2.54"
COLLECTOR = "10.77.3.2"
BLACKHOLE = "203.0.113.7"
SENSOR = "i-test"
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
PORT_SENSOR_LISTENS = 2222

POLICY = f"""
expect collector
expect out udp 7000 to {OUT} as "known-service"
expect out tcp 8080 to {OUT}
expect out udp 53 to {RESOLVER} as "the-resolver"
expect out icmpv6 to {OUT6}
expect out icmpv6 to ff02::/16 as "multicast-listener-reports"
"""
# What no rule expects, and why it is in the traffic below: (kind, remote, port, protocol).
FLAGGED = {
    ("unexpected_egress", OUT6, 7001, UDP),
    ("unexpected_egress", OUT6, 8081, TCP),
    ("unexpected_egress", OUT, 0, ICMP),
    ("unexpected_egress", OUT, 9, TCP),
    ("unexpected_egress", BLACKHOLE, 443, TCP),
    ("unexpected_egress", OTHER_RESOLVER, 53, UDP),
    ("unexpected_inbound", OUT, PORT_SENSOR_LISTENS, TCP),
}
# What the detectors add to it; pings of 248 bytes are expected, and longer than a plain one.
DETECTED = {("dns_other_resolver", OTHER_RESOLVER, 53, UDP), ("icmp_tunnel", OUT6, 0, ICMP6)}


def canonical(address):
    return str(ipaddress.ip_address(address))


class World:
    """The namespaces, the cables and a socket maker for each end."""

    def __init__(self, ns):
        self.ns = ns
        net.veth(ns.inst, "eth0", [INST + "/24", INST6 + "/64"], ns.router, "inst", ["10.77.1.1/24", "fd77:1::1/64"])
        net.veth(ns.out, "eth0", [OUT + "/24", RESOLVER + "/24", OTHER_RESOLVER + "/24", OUT6 + "/64"],
                 ns.router, "out", ["10.77.2.1/24", "fd77:2::1/64"])
        net.veth(ns.col, "eth0", [COLLECTOR + "/24"], ns.router, "col", ["10.77.3.1/24"])
        for end, n in ((ns.inst, 1), (ns.out, 2), (ns.col, 3)):
            net.ip("-n", end, "route", "add", "default", "via", f"10.77.{n}.1")
        for end, n in ((ns.inst, 1), (ns.out, 2)):
            net.ip("-n", end, "-6", "route", "add", "default", "via", f"fd77:{n}::1")
        net.sysctl(ns.router, "ipv4/ip_forward", 1)
        net.sysctl(ns.router, "ipv6/conf/all/forwarding", 1)
        net.ip("-n", ns.router, "route", "add", "blackhole", "203.0.113.0/24")

    def socket(self, where, address, kind, port=0):
        s = net.sock(getattr(self.ns, where), socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.settimeout(10)
        s.bind((address, port))
        return s


class Counts:
    """What must be in the ledger: {(src, dst, sport, dport, proto): [packets, bytes]}."""

    def __init__(self):
        self.flows = {}

    def add(self, src, dst, sport, dport, proto, packets, size):
        row = self.flows.setdefault((canonical(src), canonical(dst), sport, dport, proto), [0, 0])
        row[0] += packets
        row[1] += packets * size


def ip_head(address):
    return 40 if ":" in address else 20


def datagrams(world, counts, src, dst, port, packets, size, answers=0, answer_size=0):
    """`packets` of `size` bytes of payload; the first `answers` of them are answered."""
    with world.socket("inst", src, socket.SOCK_DGRAM) as a, world.socket("out", dst, socket.SOCK_DGRAM, port) as b:
        local = a.getsockname()[1]
        for i in range(packets):
            a.sendto(b"q" * size, (dst, port))
            equal(len(b.recvfrom(65536)[0]), size, "datagram that arrived")
            if i < answers:
                b.sendto(b"r" * answer_size, (src, local))
                equal(len(a.recvfrom(65536)[0]), answer_size, "answer that arrived")
    counts.add(src, dst, local, port, UDP, packets, ip_head(src) + 8 + size)
    if answers:
        counts.add(dst, src, port, local, UDP, answers, ip_head(src) + 8 + answer_size)


def transfer(world, witness, client, client_address, server_address, port, up, down):
    """A TCP connection with `up` bytes from the client, then `down` from the server, closed by both. Its two keys."""
    server = "out" if client == "inst" else "inst"
    with world.socket(server, server_address, socket.SOCK_STREAM, port) as listener:
        listener.listen(1)

        def serve():
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(20)
                got = 0
                while part := peer.recv(65536):
                    got += len(part)
                received.append(got)
                peer.sendall(b"d" * down)

        received = []
        thread = threading.Thread(target=serve)
        thread.start()
        with world.socket(client, client_address, socket.SOCK_STREAM) as c:
            c.connect((server_address, port))
            local = c.getsockname()[1]
            c.sendall(b"u" * up)
            c.shutdown(socket.SHUT_WR)
            got = 0
            while part := c.recv(65536):
                got += len(part)
        thread.join(20)
    equal((received, got), ([up], down), "bytes transferred")
    there = (canonical(client_address), canonical(server_address), local, port, TCP)
    back = (there[1], there[0], port, local, TCP)
    # Two CPUs may swap what they send: a FIN alone does not prove that the data was seen.
    witness.wait_until(lambda f: all(k in f and f[k][2] & 1 and f[k][3] >= size for k, size in ((there, up), (back, down))), 10,
                       "the whole transfer and both FINs")
    return there, back


def ping(world, counts, src, dst, packets, size):
    p = subprocess.run([*net.prefix(world.ns.inst), "ping", "-n", "-q", "-c", str(packets), "-s", str(size), "-i", "0.05", "-W", "5",
                        "-I", src, dst], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    check(p.returncode == 0 and f"{packets} received" in p.stdout, p.stdout)
    proto = ICMP6 if ":" in dst else ICMP
    counts.add(src, dst, 0, 0, proto, packets, ip_head(src) + 8 + size)
    counts.add(dst, src, 0, 0, proto, packets, ip_head(src) + 8 + size)


def syn_to_closed(world):
    with world.socket("inst", INST, socket.SOCK_STREAM) as s:
        local = s.getsockname()[1]
        try:
            s.connect((OUT, 9))
            check(False, "a closed port took a connection")
        except ConnectionRefusedError:
            pass
    return (INST, OUT, local, 9, TCP), (OUT, INST, 9, local, TCP)


def syn_to_nowhere(world, witness):
    with world.socket("inst", INST, socket.SOCK_STREAM) as s:
        s.setblocking(False)
        s.connect_ex((BLACKHOLE, 443))
        key = (INST, BLACKHOLE, s.getsockname()[1], 443, TCP)
        witness.wait_until(lambda f: key in f, 10, "the SYN to nowhere")
    return key


def ledger(store):
    out = run("flowproof", "records", "-d", store, "--json", "-F",
              "fp-sensor interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status tcp-flags "
              "type flow-direction fp-initiator fp-verdict fp-rule").expect(0).out
    return [json.loads(line) for line in out.splitlines()]


def by_flow(records):
    """Over all windows: {key: [packets, bytes, flags]}, and the facts that hold for a flow in each window."""
    sums, facts = {}, {}
    for r in records:
        if r["log-status"] != "OK":
            continue
        key = (canonical(r["srcaddr"]), canonical(r["dstaddr"]), r["srcport"], r["dstport"], r["protocol"])
        row = sums.setdefault(key, [0, 0, 0])
        row[0] += r["packets"]
        row[1] += r["bytes"]
        row[2] |= r["tcp-flags"]
        facts.setdefault(key, set()).add((r["flow-direction"], r["fp-initiator"], r["fp-verdict"]))
    return sums, facts


def is_noise(key):
    """Multicast listener reports, behind a hop-by-hop header (0) or not, which the kernel sends when it likes."""
    return key[4] in (0, ICMP6) and ipaddress.ip_address(key[1]).is_multicast


class Run:
    """Everything that happens, once; the cases then look at what came of it."""

    def __init__(self, d, ns):
        self.world = world = World(ns)
        self.store = os.path.join(d, "store")
        self.counts = counts = Counts()
        self.notes = []
        keys = Pki(os.path.join(d, "keys"))
        keys.issue(SENSOR)
        policy = write(os.path.join(d, "policy"), POLICY)
        self.witness = witness = net.Witness(ns.router, "inst")
        with contextlib.ExitStack() as stack:
            self.collector = stack.enter_context(
                collector(self.store, COLLECTOR + ":0", keys.options("collector"), net.prefix(ns.col)))
            self.port = int(self.collector.address.rsplit(":", 1)[1])
            self.sensor = stack.enter_context(
                Daemon("flowproof-sensor", "-i", "eth0", "-s", self.collector.address, "--id", SENSOR, *keys.options(SENSOR), "-p", policy,
                       prefix=net.prefix(ns.inst)))
            self.sensor.wait_for("uplink: connected")
            self.begin = time.monotonic()

            datagrams(world, counts, INST, OUT, 7000, 25, 700, 25, 100)
            datagrams(world, counts, INST6, OUT6, 7001, 13, 1100)
            self.alert("first alert", OUT6)
            self.tcp = [transfer(world, witness, "inst", INST, OUT, 8080, 300000, 120000),
                        transfer(world, witness, "inst", INST6, OUT6, 8081, 50000, 200000),
                        transfer(world, witness, "out", OUT, INST, PORT_SENSOR_LISTENS, 1000, 1)]
            ping(world, counts, INST, OUT, 5, 100)
            ping(world, counts, INST6, OUT6, 4, 200)
            self.closed = syn_to_closed(world)
            self.nowhere = syn_to_nowhere(world, witness)
            datagrams(world, counts, INST, RESOLVER, 53, 6, 33, 6, 61)
            datagrams(world, counts, INST, OTHER_RESOLVER, 53, 1, 33)
            witness.wait_until(lambda f: (INST, OTHER_RESOLVER) in {k[:2] for k in f}, 10, "the last datagram")
            for address in (BLACKHOLE, OTHER_RESOLVER):
                self.alert("alert", address)
            self.heartbeats()
            self.seen_before_stop = self.collector.text("out")
            self.sensor_result = self.sensor.stop()
            self.traffic = witness.seen()
            self.collector_result = self.collector.stop()
        self.witness_lost = witness.stop()
        self.records = ledger(self.store)
        self.sums, self.facts = by_flow(self.records)
        self.endpoints = [json.loads(line) for line in
                          run("flowproof", "records", "-d", self.store, "--endpoints", "--json").expect(0).out.splitlines()]
        self.findings = [json.loads(line) for line in
                         run("flowproof", "findings", "-d", self.store, "--json").expect(0).out.splitlines()]

    def alert(self, what, address):
        """The collector shows it while the sensor still runs: nothing waits for the end of a window."""
        _, when = self.collector.wait_for(rf"{address}\b", "out", 30)
        self.notes.append(f"{what} {address}: shown {when - self.begin:.2f} s after the traffic began")

    def uplink_keys(self, flows):
        return [k for k in flows if k[4] == TCP and self.port in k[2:4] and COLLECTOR in k[:2]]

    def heartbeats(self):
        """Nothing else moves, and yet the sensor goes on sending."""
        def payload(flows):
            return sum(flows[k][3] for k in self.uplink_keys(flows) if k[1] == COLLECTOR)

        others = {k: v for k, v in self.witness.seen().items() if k not in self.uplink_keys(self.witness.seen()) and not is_noise(k)}
        said = []
        last = payload(self.witness.seen())
        for _ in range(3):
            self.witness.wait_until(lambda flows: payload(flows) > last, 30, "a further batch")
            last = payload(self.witness.seen())
            said.append(time.monotonic())
        after = {k: v for k, v in self.witness.seen().items() if k in others}
        equal(after, others, "traffic while it should be silent")
        self.notes.append("silent, and three batches came within "
                          f"{said[-1] - said[0]:.1f} s")


def main():
    net.need_root("run_e2e")
    tap = Tap()
    with folder() as d, net.Namespaces("inst", "router", "out", "col") as ns:
        r = None
        with tap.case("the run: traffic, alerts while the window is open, batches in silence"):
            r = Run(d, ns)
        if r:
            for note in r.notes:
                print(f"# {note}")
            cases(tap, r)
    tap.done()


def cases(tap, r):
    with tap.case("the witness missed nothing, and no packet is longer than the MTU"):
        equal(r.witness_lost, 0, "packets lost by the witness")
        check(r.witness.biggest <= 1500, f"a packet of {r.witness.biggest} bytes: offloads are on")
    with tap.case("datagrams and pings: exact packets and bytes, both directions"):
        got = {k: r.sums.get(k, [0, 0, 0])[:2] for k in r.counts.flows}
        equal(got, r.counts.flows)
        equal({k: list(r.traffic[k][:2]) for k in r.counts.flows}, r.counts.flows, "arithmetic and witness differ")
    with tap.case("TCP: exact packets, bytes and flags, both directions"):
        for there, back in r.tcp:
            for key, flags in ((there, 2 | 1), (back, 18 | 1)):
                equal(tuple(r.sums[key]), (*r.traffic[key][:2], flags), f"{key}")
    with tap.case("a refused connection: a SYN, a RST"):
        there, back = r.closed
        equal(tuple(r.sums[there]), (1, r.traffic[there][1], 2), "SYN")
        equal(tuple(r.sums[back]), (1, 40, 4), "RST")
    with tap.case("an unanswered connection: SYNs and nothing back"):
        equal(tuple(r.sums[r.nowhere]), (*r.traffic[r.nowhere][:2], 2))
        equal([k for k in r.sums if k[0] == BLACKHOLE], [], "records from nowhere")
    known = {*r.counts.flows, *(k for pair in r.tcp for k in pair), *r.closed, r.nowhere}
    uplink = r.uplink_keys(r.sums)
    with tap.case("the ledger holds these flows and the sensor's own stream, and no other"):
        equal(sorted(k for k in r.sums if k not in known and k not in uplink and not is_noise(k)), [])
        equal(known - r.sums.keys(), set(), "flows that are missing")
    with tap.case("the sensor's own stream is recorded and expected"):
        equal(len(uplink), 2, "directions")
        for k in uplink:
            equal({f[2] for f in r.facts[k]}, {"expected"}, f"verdict of {k}")
            check(1 < r.sums[k][0] <= r.traffic[k][0], f"{k}: {r.sums[k]} recorded, {r.traffic[k]} seen")
            # All but what was sent after the last window was closed: its batch, the goodbye, the end of the connection.
            check(r.traffic[k][0] - r.sums[k][0] <= 12, f"{k}: {r.sums[k]} recorded, {r.traffic[k]} seen")
    with tap.case("direction and initiator of each flow"):
        for key in known:
            direction = "egress" if canonical(key[0]) in (INST, INST6) else "ingress"
            began = canonical(key[0]) in (INST, INST6)
            if PORT_SENSOR_LISTENS in key[2:4] and key[4] == TCP:
                began = not began
            equal({f[:2] for f in r.facts[key]}, {(direction, "src" if began else "dst")}, f"{key}")
    with tap.case("verdict of each flow"):
        for key in known:
            remote = key[0] if canonical(key[1]) in (INST, INST6) else key[1]
            flagged = {kind for kind, address, port, proto in FLAGGED
                       if address == remote and proto == key[4] and (proto == ICMP or port in key[2:4])}
            equal({f[2] for f in r.facts[key]}, flagged or {"expected"}, f"{key}")
    with tap.case("rules are named in the records"):
        rules = {(rec["dstport"], rec["fp-rule"]) for rec in r.records if rec["protocol"] == UDP and rec["fp-initiator"] == "src"}
        check({(7000, "known-service"), (53, "the-resolver"), (53, None), (7001, None)} <= rules, f"{rules}")
    with tap.case("identity and type"):
        equal({rec["fp-sensor"] for rec in r.records}, {SENSOR}, "fp-sensor")
        equal({rec["type"] for rec in r.records if rec["log-status"] == "OK"}, {"IPv4", "IPv6"}, "type")
        equal({rec["action"] for rec in r.records if rec["log-status"] == "OK"}, {"ACCEPT"}, "action")
        equal([rec for rec in r.records if rec["log-status"] == "SKIPDATA"], [], "SKIPDATA")
    with tap.case("findings name the unexpected endpoints, and no other"):
        got = {(f["kind"], canonical(f["remote"]), f["port"] or 0, f["protocol"]) for f in r.findings}
        equal(sorted(got), sorted(FLAGGED | DETECTED))
        equal(len(r.findings), len(got), "findings, each endpoint once")
        for f in r.findings:
            check(f["severity"] and f["first"] and f["last"], f"{f}")
    with tap.case("the digests of the endpoints agree with the records, and say how far each got"):
        want = {}
        for key, (packets, size, _) in r.sums.items():
            src, dst, sport, dport, proto = key
            if is_noise(key):
                continue
            out, by_src = canonical(src) in (INST, INST6), {f[1] for f in r.facts[key]} == {"src"}
            end = ("egress" if by_src == out else "ingress", dst if out else src, dport if by_src else sport, proto)
            row = want.setdefault(end, [0, 0, 0, 0])
            row[0 if out else 2] += packets
            row[1 if out else 3] += size
        got = {(e["direction"], canonical(e["remote"]), e["port"], e["protocol"]):
               [e[k] for k in ("packets_out", "bytes_out", "packets_in", "bytes_in")]
               for e in r.endpoints if not ipaddress.ip_address(e["remote"]).is_multicast}
        equal(got, want)
        outcome = {(canonical(e["remote"]), e["port"], e["protocol"]): e["outcome"] for e in r.endpoints}
        equal([outcome[OUT, 9, TCP], outcome[OUT, 8080, TCP], outcome[OUT6, 8081, TCP], outcome[OUT, PORT_SENSOR_LISTENS, TCP]],
              ["refused", "data_out", "data_out", "data_out"], "how far")
        for silent in ((BLACKHOLE, 443, TCP), (OUT6, 7001, UDP)):
            check(outcome[silent] in ("sent", "unanswered"), f"{silent}: {outcome[silent]}")
    with tap.case("all unexpected endpoints were shown by the collector while the sensor ran; the expected ones were not"):
        for _, address, *_ in FLAGGED:
            check(address in r.seen_before_stop, f"{address} is not in:\n{r.seen_before_stop}")
        check(RESOLVER not in r.seen_before_stop, f"{RESOLVER} was flagged:\n{r.seen_before_stop}")
    with tap.case("the sensor ends with 0 and a packet equation that agrees with the ledger"):
        r.sensor_result.expect(0)
        equation = summary(r.sensor_result.err)
        equal(equation["kernel"], "0", "kernel dropped")
        equal(equation["recorded"], sum(v[0] for v in r.sums.values()), "packets recorded")
        equal((equation["malformed"], equation["cut"]), (0, 0), "malformed, cut")
    with tap.case("the collector ends with 0"):
        r.collector_result.expect(0)
    with tap.case("the ledger as text: a header, and as many lines as JSON has"):
        out = run("flowproof", "records", "-d", r.store).expect(0).out.splitlines()
        equal(out[0].split()[:5], ["version", "account-id", "interface-id", "srcaddr", "dstaddr"])
        equal(len(out) - 1, len(r.records))
    with tap.case("records of another sensor, and of another time, are left out"):
        for args in (("--to", "2001-01-01"), ("--from", "2100-01-01")):
            equal(run("flowproof", "records", "-d", r.store, "--json", *args).expect(0).out, "", f"{args}")
        other = run("flowproof", "records", "-d", r.store, "--sensor", "i-other").expect(0)
        check("i-other" in other.err and other.out.count("\n") <= 1, other.err)
        equal(len(run("flowproof", "records", "-d", r.store, "--json", "--sensor", SENSOR, "--from", "2001-01-01", "--to",
                      "2100-01-01").expect(0).out.splitlines()), len(r.records))


if __name__ == "__main__":
    main()
