#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_reconcile.py BUILD_DIR   A machine and the router beside it: what the sensor recorded, and Flow Logs that a second decoder makes of a second capture.

An honest machine agrees with its router in all. One whose capture is blinded for an address is found out: that address and nothing else.
"""
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden"))
from harness import Daemon, Tap, check, equal, folder, run, write  # noqa: E402
import net  # noqa: E402
import reference  # noqa: E402
from pki import Pki, collector  # noqa: E402

INST, INST6, OUT, OUT6, HIDDEN, COLLECTOR = "10.78.1.2", "fd78:1::2", "10.78.1.1", "fd78:1::1", "10.78.1.66", "10.78.9.1"
ENI = "eni-0123456789abcdef0"
NAMES = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"


class Recorder(net.Witness):
    """Keeps the frames themselves, with the second in which each came."""

    def __init__(self, namespace, device):
        self.frames = []
        super().__init__(namespace, device)

    def count(self, frame):
        # A VPC carries no multicast: the kernels' listener reports, which they send when they like, are not in Flow Logs.
        if frame[0] & 1:
            return
        self.frames.append(reference.Frame(int(time.time()), frame, len(frame), reference.ETHERNET))
        super().count(frame)

    def flow_logs(self, windows):
        """The text of a flow log, its stamps the bounds of windows of a minute or the packets' times, and silence before and after."""
        flows, _ = reference.meter(self.frames)
        lines = [NAMES]
        for (_, src, dst, sport, dport, proto, minute), (packets, size, start, end, _) in flows.items():
            if windows:
                start, end = 60 * minute, 60 * minute + 60
            lines.append(f"2 123456789012 {ENI} {src} {dst} {sport} {dport} {proto} {packets} {size} {start} {end} ACCEPT OK")
        first = min(f.sec for f in self.frames) // 60 * 60
        for start in range(first - 300, first + 600, 60):
            lines.append(f"2 123456789012 {ENI} - - - - - - - {start} {start + 60} - NODATA")
        return "\n".join(lines) + "\n"

    def span(self):
        """The minutes in which there was traffic."""
        times = [f.sec for f in self.frames]
        return f"{min(times) // 60 * 60},{max(times) // 60 * 60 + 60}"

    def keys(self, address):
        return {k for k in self.seen() if address in k[:2]}


def exchange(w, here, there, port, n):
    """`n` datagrams each way."""
    family = socket.AF_INET6 if ":" in here else socket.AF_INET
    with net.sock(w["ns"].inst, family, socket.SOCK_DGRAM) as a, net.sock(w["ns"].router, family, socket.SOCK_DGRAM) as b:
        for s, address in ((a, (here, 0)), (b, (there, port))):
            s.settimeout(10)
            s.bind(address)
        for i in range(n):
            a.sendto(b"q" * (10 + i), (there, port))
            data, peer = b.recvfrom(2000)
            b.sendto(data * 2, peer)
            a.recvfrom(4000)


def transfer(w, here, there, port, size):
    family = socket.AF_INET6 if ":" in here else socket.AF_INET
    with net.sock(w["ns"].router, family, socket.SOCK_STREAM) as listener, net.sock(w["ns"].inst, family, socket.SOCK_STREAM) as c:
        listener.bind((there, port))
        listener.listen(1)
        c.settimeout(10)
        c.connect((there, port))
        peer, _ = listener.accept()
        with peer:
            peer.settimeout(10)
            c.sendall(b"u" * size)
            c.shutdown(socket.SHUT_WR)
            while peer.recv(65536):
                pass
            peer.sendall(b"d" * size)
        while c.recv(65536):
            pass


def sensor(w, c, namespace, device, name, *options):
    d = Daemon("flowproof-sensor", "-i", device, "-s", c.address, "--id", name, *w["pki"].options(name), "--interface-id", ENI, *options,
               prefix=net.prefix(namespace))
    try:
        d.wait_for("uplink: connected", "err")
    except BaseException:
        d.kill()
        raise
    return d


def traffic(w):
    """Some of everything, to an address that will be hidden too; what the router saw of it."""
    witness = Recorder(w["ns"].router, "inst")
    exchange(w, INST, OUT, 7000, 5)
    exchange(w, INST6, OUT6, 7001, 3)
    exchange(w, INST, HIDDEN, 4444, 4)
    transfer(w, INST, OUT, 8080, 100000)
    transfer(w, INST6, OUT6, 8081, 20000)
    transfer(w, INST, HIDDEN, 8443, 50000)
    # Twelve keys, and the last packet of each connection.
    witness.wait_until(lambda flows: sum(k[4] in (6, 17) for k in flows) == 12 and all(v[2] & 1 for k, v in flows.items() if k[4] == 6), 20, "all of it")
    return witness


def reconcile(d, w, name, witness, windows, code):
    path = os.path.join(d, name + ".log")
    write(path, witness.flow_logs(windows))
    return json.loads(run("flowproof", "reconcile", "-d", w["store"], "--sensor", name, "--span", witness.span(), "--flow-logs", path, "--json").expect(code).out)


def key_of(e):
    return (e["srcaddr"], e["dstaddr"], e["srcport"], e["dstport"], e["protocol"])


def main():
    net.need_root("run_reconcile")
    tap = Tap()
    with folder() as d, net.Namespaces("inst", "router") as ns:
        w = {"ns": ns, "pki": Pki(os.path.join(d, "pki")), "store": os.path.join(d, "store")}
        for name in ("i-honest", "i-blind", "appliance"):
            w["pki"].issue(name)
        net.veth(ns.inst, "eth0", [INST + "/24", INST6 + "/64"], ns.router, "inst", [OUT + "/24", HIDDEN + "/24", OUT6 + "/64"])
        # The way to the collector is another one: after the sensor's last look at eth0 nothing passes there.
        net.veth(ns.inst, "eth1", ["10.78.9.2/24"], ns.router, "mgmt", [COLLECTOR + "/24"])
        with collector(w["store"], COLLECTOR + ":0", w["pki"].options("collector"), net.prefix(ns.router)) as c:
            with tap.case("an honest machine agrees with its router in every flow, packet and byte, whatever the stamps are"):
                with sensor(w, c, ns.inst, "eth0", "i-honest") as s:
                    witness = traffic(w)
                    s.stop().expect(0)
                equal(witness.stop(), 0, "the witness missed frames")
                seen = witness.seen().values()
                for windows in (True, False):
                    out = reconcile(d, w, "i-honest", witness, windows, 0)
                    equal((out["hidden"], out["unexplained"], out["edge"], out["unclear"]), ([], [], [], []))
                    equal(out["summary"]["agreement_percent"], {"flows": 100.0, "packets": 100.0, "bytes": 100.0})
                    agree = out["summary"]["classes"]["agree"]
                    equal((agree["packets"], agree["bytes"]), (sum(v[0] for v in seen), sum(v[1] for v in seen)))
            with tap.case("a capture that is blinded for one address: all its flows are hidden, and no other"):
                with sensor(w, c, ns.inst, "eth0", "i-blind", "-f", f"not host {HIDDEN}") as s, \
                        collector(w["store"] + "2", COLLECTOR + ":0", w["pki"].options("collector"), net.prefix(ns.router)) as c2, \
                        sensor(w, c2, ns.router, "inst", "appliance") as appliance:
                    witness = traffic(w)
                    s.stop().expect(0)
                    appliance.stop().expect(0)
                equal(witness.stop(), 0, "the witness missed frames")
                for windows in (True, False):
                    out = reconcile(d, w, "i-blind", witness, windows, 1)
                    equal((out["unexplained"], out["edge"], out["unclear"]), ([], [], []))
                    equal({key_of(e): (e["packets"], e["bytes"]) for e in out["hidden"]}, {k: v[:2] for k, v in witness.seen().items() if HIDDEN in k[:2]})
                    equal(len(out["hidden"]), 4)
            with tap.case("as text the hidden flows stand first, with their direction"):
                r = run("flowproof", "reconcile", "-d", w["store"], "--sensor", "i-blind", "--span", witness.span(), "--flow-logs",
                        os.path.join(d, "i-blind.log")).expect(1)
                lines = r.out[r.out.index("HIDDEN FROM THIS MACHINE"):].splitlines()[1:5]
                equal(sorted(" egress " in line for line in lines), [False, False, True, True])
                check(all(HIDDEN in line for line in lines), r.out)
            with tap.case("two ledgers: beside the appliance's the same four flows are hidden"):
                r = run("flowproof", "reconcile", "-d", w["store"], "--sensor", "i-blind", "--against", w["store"] + "2", "--span", witness.span(), "--json").expect(1)
                out = json.loads(r.out)
                equal({key_of(e) for e in out["hidden"]}, witness.keys(HIDDEN))
                equal(out["unexplained"], [])
            with tap.case("... and an honest machine's agrees"):
                r = run("flowproof", "reconcile", "-d", w["store"] + "2", "--against", w["store"] + "2", "--span", witness.span(), "--json").expect(0)
                equal(json.loads(r.out)["summary"]["agreement_percent"]["packets"], 100.0)
    tap.done()


main()
