#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_offload.py BUILD_DIR   Frames that stand for several packets of the wire are given back as those packets.

instance (offloads on) - router (offloads off on the link to outside) - outside. What the instance sends in long frames the router has
to cut, as a network card would; a packet socket on its second link counts what is on the wire. Three sensors see the instance's
interface at once: one that asks the kernel, one that estimates, one that leaves frames as they are.
"""
import contextlib
import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden"))
from harness import Daemon, Tap, check, equal, folder, match, run, summary, write  # noqa: E402
import make_captures as make  # noqa: E402
import net  # noqa: E402

INST, INST6 = "10.78.1.2", "fd78:1::2"
OUT, OUT6 = "10.78.2.2", "fd78:2::2"
TCP, UDP = 6, 17
SOL_UDP, UDP_SEGMENT = 17, 103
MIB = 1 << 20
MODES = ("kernel", "estimate", "as-is")


class World:
    def __init__(self, ns):
        self.ns = ns
        net.veth(ns.inst, "eth0", [INST + "/24", INST6 + "/64"], ns.router, "inst", ["10.78.1.1/24", "fd78:1::1/64"])
        net.veth(ns.out, "eth0", [OUT + "/24", OUT6 + "/64"], ns.router, "out", ["10.78.2.1/24", "fd78:2::1/64"])
        for end, n in ((ns.inst, 1), (ns.out, 2)):
            net.ip("-n", end, "route", "add", "default", "via", f"10.78.{n}.1")
            net.ip("-n", end, "-6", "route", "add", "default", "via", f"fd78:{n}::1")
        net.sysctl(ns.router, "ipv4/ip_forward", 1)
        net.sysctl(ns.router, "ipv6/conf/all/forwarding", 1)
        net.offloads(ns.inst, "eth0", 1)
        net.offloads(ns.router, "inst", 1)
        # A veth merges what it gets only from an end that does not cut itself.
        net.ethtool(ns.router, "inst", 0, net.ETHTOOL_STSO)
        # Without checksums by the card no UDP is cut by it either.
        net.ethtool(ns.router, "out", 0, net.ETHTOOL_STXCSUM)
        self.witness = net.Witness(ns.router, "out")

    def socket(self, where, address, kind):
        s = net.sock(getattr(self.ns, where), socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        s.settimeout(20)
        s.bind((address, 0))
        return s


class Transfer:
    """A TCP connection from the instance. `up` and `down`: pieces, each written at once."""

    def __init__(self, world, name, source, target, mss=0, no_delay=False):
        self.world, self.name = world, name
        listener = world.socket("out", target, socket.SOCK_STREAM)
        if mss:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
        listener.listen(1)
        self.near = world.socket("inst", source, socket.SOCK_STREAM)
        if no_delay:
            self.near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.near.connect(listener.getsockname()[:2])
        self.far, _ = listener.accept()
        self.far.settimeout(20)
        listener.close()
        near, far = self.near.getsockname()[:2], self.far.getsockname()[:2]
        self.there = (near[0], far[0], near[1], far[1], TCP)
        self.back = (far[0], near[0], far[1], near[1], TCP)

    @staticmethod
    def move(sender, receiver, pieces):
        def send():
            for piece in pieces:
                sender.sendall(piece)

        total, got = sum(len(p) for p in pieces), 0
        thread = threading.Thread(target=send)
        thread.start()
        while got < total:
            part = receiver.recv(MIB)
            check(part, "the connection ended early")
            got += len(part)
        thread.join()

    def up(self, *pieces):
        self.move(self.near, self.far, pieces)

    def down(self, *pieces):
        self.move(self.far, self.near, pieces)

    def close(self):
        """Both FINs are out, and what they acknowledge: nothing of it moves any more."""
        self.near.shutdown(socket.SHUT_WR)
        equal(self.far.recv(1), b"", "more than was sent")
        self.far.close()
        equal(self.near.recv(1), b"", "more than was sent")
        self.near.close()
        self.world.witness.wait_until(lambda f: f[self.there][2] & 1 and f[self.back][2] & 1, 10, f"both FINs of {self.name}")


def udp_gso(world, size, piece, port):
    """One write that the kernel cuts into datagrams."""
    with world.socket("inst", INST, socket.SOCK_DGRAM) as s, world.socket("out", OUT, socket.SOCK_DGRAM) as t:
        s.setsockopt(SOL_UDP, UDP_SEGMENT, piece)
        s.sendto(b"q" * size, t.getsockname())
        got = 0
        while got < size:
            got += len(t.recv(65536))
        return (INST, OUT, s.getsockname()[1], t.getsockname()[1], UDP)


def tagged(world):
    """A frame of 400 bytes with a VLAN tag: one packet, to nobody. The kernel takes the tag out, libpcap puts it back."""
    s = net.sock(world.ns.router, socket.AF_PACKET, socket.SOCK_RAW)
    with net.inside(world.ns.router):
        s.bind(("inst", 0))
    mac = net.ip("-n", world.ns.inst, "-br", "link", "show", "dev", "eth0").split()[2]
    packet = make.ip4(OUT, INST, UDP, make.udp(7, 9, b"v" * 354))
    s.send(bytes.fromhex(mac.replace(":", "")) + b"\x02" + bytes(5) + struct.pack(">HHH", 0x8100, 5, 0x0800) + packet)
    s.close()
    return (OUT, INST, 7, 9, UDP), len(packet)


class Run:
    def __init__(self, ns):
        self.world = world = World(ns)
        with contextlib.ExitStack() as stack:
            early = Transfer(world, "under way before the sensors", INST, OUT)
            sensors = {mode: stack.enter_context(Daemon("flowproof-sensor", "-i", "eth0", "--offload", mode, "-F",
                                                        "srcaddr dstaddr srcport dstport protocol packets bytes",
                                                        prefix=net.prefix(ns.inst))) for mode in MODES}
            for s in sensors.values():
                s.wait_for("watching eth0")
            self.before = world.witness.seen()
            early.up(b"e" * (4 * MIB))
            v4 = Transfer(world, "IPv4", INST, OUT)
            v4.up(b"u" * (20 * MIB))
            v4.down(b"d" * (8 * MIB))
            v6 = Transfer(world, "IPv6", INST6, OUT6)
            v6.up(b"u" * (4 * MIB))
            v6.down(b"d" * (4 * MIB))
            small = Transfer(world, "small MSS", INST, OUT, mss=536)
            small.up(b"s" * (2 * MIB))
            chatter = Transfer(world, "small pieces", INST, OUT, no_delay=True)
            chatter.up(*[b"c" * 100] * 2000)
            chatter.down(*[b"c" * 100] * 2000)
            for t in (early, v4, v6, small, chatter):
                t.close()
            self.flows = {t.name: (t.there, t.back) for t in (early, v4, v6, small, chatter)}
            self.udp = udp_gso(world, 60000, 1200, 7000)
            self.vlan, self.vlan_bytes = tagged(world)
            world.witness.wait_until(lambda f: self.udp in f and f[self.udp][0] == 50, 10, "50 datagrams")
            self.results = {mode: s.stop().expect(0) for mode, s in sensors.items()}
        self.lost = world.witness.stop()
        self.dropped = net.counter(ns.router, "inst", "tx_dropped")
        seen = world.witness.seen()
        zero = (0,) * 4
        self.wire = {k: tuple(a - b for a, b in zip(v[:2], self.before.get(k, zero)[:2])) for k, v in seen.items()}
        self.records = {mode: by_flow(r.out) for mode, r in self.results.items()}


def by_flow(text):
    sums = {}
    for line in text.splitlines()[1:]:
        src, dst, sport, dport, proto, packets, size = line.split()
        if packets == "-":
            continue
        row = sums.setdefault((src, dst, int(sport), int(dport), int(proto)), [0, 0])
        row[0] += int(packets)
        row[1] += int(size)
    return {k: tuple(v) for k, v in sums.items()}


def cases(tap, r):
    with tap.case("the witness missed nothing, and what it saw are packets of the wire"):
        equal(r.lost, 0, "packets lost by the witness")
        check(r.world.witness.biggest <= 1500, f"a packet of {r.world.witness.biggest} bytes: the router does not cut")
    with tap.case("offload was on: as they are, 20 MiB are a tenth of the wire's packets at most"):
        there = r.flows["IPv4"][0]
        frames = r.records["as-is"][there]
        check(frames[0] * 10 < r.wire[there][0], f"{frames} frames, {r.wire[there]} on the wire")
        equal(r.records["as-is"][r.udp], (1, 60000 + 28), "one write of UDP")
    with tap.case("as the kernel says: packets and bytes of every flow are the wire's, exactly"):
        sent = [there for there, _ in r.flows.values()] + [r.udp]
        equal({k: r.records["kernel"][k] for k in sent}, {k: r.wire[k] for k in sent})
        # What is received passes the witness first, and then a cable that drops packets when 256 wait at its end, and counts them.
        received = [back for _, back in r.flows.values()]
        missing = {k: (r.wire[k][0] - r.records["kernel"][k][0], r.wire[k][1] - r.records["kernel"][k][1]) for k in received}
        equal(sum(packets for packets, _ in missing.values()), r.dropped, f"packets missing, and dropped by the cable: {missing}")
        for k, (packets, size) in missing.items():
            check(40 * packets <= size <= 1500 * packets, f"{k}: {packets} packets, {size} bytes are missing")
        equal(r.records["kernel"][r.udp], (50, 60000 + 50 * 28), "UDP, by arithmetic")
    with tap.case("estimated: what was sent in full segments is exact, also where no SYN was seen or the peer's MSS is small"):
        # The kernel cuts a long frame into pieces of the MSS less this frame's options and a rest: the very rule of the estimate.
        for name in ("under way before the sensors", "IPv4", "IPv6", "small MSS"):
            there = r.flows[name][0]
            equal(r.records["estimate"][there], r.wire[there], name)
    with tap.case("estimated: what was received is never too much, and of bulk 1 % too little at most"):
        # A frame may have been merged of shorter pieces, where the sender's window ended within a segment; and small pieces that were
        # merged to no more than an MTU do not show.
        for name, pair in r.flows.items():
            for key in pair:
                got, wire = r.records["estimate"][key], r.records["kernel"][key]
                check(r.records["as-is"][key][0] <= got[0] <= wire[0] and got[1] <= wire[1], f"{name} {key}: {got}, on the wire {wire}")
        for name in ("IPv4", "IPv6"):
            back = r.flows[name][1]
            got, wire = r.records["estimate"][back], r.records["kernel"][back]
            check(got[0] >= 0.99 * wire[0] and got[1] >= 0.99 * wire[1], f"{name}: {got}, on the wire {wire}")
    with tap.case("estimated: UDP is taken for full packets, which is known to be too few"):
        # 60,000 bytes in pieces of 1,200 are 50; in pieces of 1,472 they are 41.
        equal(r.records["estimate"][r.udp], (41, 60000 + 41 * 28))
    with tap.case("a VLAN tag that the kernel took out does not pass for segments"):
        for mode in MODES:
            equal(r.records[mode].get(r.vlan), (1, r.vlan_bytes), mode)
    with tap.case("the equation: offload is a term of its own, and is what the records have more than frames"):
        for mode in MODES:
            equation = summary(r.results[mode].err)
            equal(equation["kernel"], "0", f"{mode}: kernel dropped")
            equal(equation["recorded"], sum(v[0] for v in r.records[mode].values()), f"{mode}: recorded")
        keys = [k for pair in r.flows.values() for k in pair] + [r.udp]
        for mode in MODES:
            added, size = (sum(r.records[mode][k][i] - r.records["as-is"][k][i] for k in keys) for i in (0, 1))
            equal(summary(r.results[mode].err)["offload"], added, f"{mode}: added packets")
            if mode == "as-is":
                match(r"^offload: \d+ frames longer than the wire's packets, each counted as one$", r.results[mode].err)
            else:
                m = match(r"^offload: (\d+) frames longer than the wire's packets, counted as (\d+) packets and (\d+) bytes more$",
                          r.results[mode].err)
                equal((int(m[2]) - int(m[1]), int(m[3])), (added, size), f"{mode}: packets and bytes that were added")
    with tap.case("each says at its start what is on and how it counts"):
        for mode, how in zip(MODES, ("the kernel tells wire packets", "wire packets are estimated", "frames are counted as they are")):
            match(rf"watching eth0, .*offload: tso gso gro\b.*; {how}$", r.results[mode].err)


def filtered(tap, r):
    with tap.case("with a filter the kernel cannot tell: estimated, and whoever asks for it is told so"):
        with Daemon("flowproof-sensor", "-i", "eth0", "-f", "udp", prefix=net.prefix(r.world.ns.inst)) as s:
            s.wait_for("watching eth0.*wire packets are estimated")
            s.stop().expect(0)
        refused = run("flowproof-sensor", "-i", "eth0", "-f", "udp", "--offload", "kernel").expect(2)
        match("--offload kernel: .*--filter", refused.err)


def of_a_file(tap, d):
    """A frame of 6,000 bytes of payload; the SYNs announced 1,400 and 1,000, the frame has 12 bytes of options: 988 a piece."""
    options = bytes.fromhex("0101080a0000000100000002")
    sent = [make.ip4(INST, OUT, TCP, make.tcp(40000, 443, 0x02, b"", struct.pack(">BBH", 2, 4, 1400))),
            make.ip4(OUT, INST, TCP, make.tcp(443, 40000, 0x12, b"", struct.pack(">BBH", 2, 4, 1000))),
            make.ip4(INST, OUT, TCP, make.tcp(40000, 443, 0x10, b"p" * 6000, options))]
    header = 20 + 20 + len(options)
    frames = [make.other(make.ns(10 + i), make.ethernet(0x0800, data), "tcp") for i, data in enumerate(sent)]
    path = write(os.path.join(d, "long.pcap"), make.pcap(frames))
    with tap.case("a file is taken as it is"):
        result = run("flowproof-sensor", "-r", path, "-F", "srcaddr dstaddr srcport dstport protocol packets bytes").expect(0)
        equal(by_flow(result.out)[(INST, OUT, 40000, 443, TCP)], (2, len(sent[0]) + header + 6000))
        equal(summary(result.err)["offload"], 0, "offload")
    with tap.case("a file, estimated: by the lesser MSS"):
        result = run("flowproof-sensor", "-r", path, "--offload", "estimate", "-F",
                     "srcaddr dstaddr srcport dstport protocol packets bytes").expect(0)
        pieces = 7  # 6 * 988 + 72
        equal(by_flow(result.out)[(INST, OUT, 40000, 443, TCP)], (1 + pieces, len(sent[0]) + pieces * header + 6000))
        equal(by_flow(result.out)[(OUT, INST, 443, 40000, TCP)], (1, len(sent[1])))
        equal(summary(result.err)["offload"], pieces - 1, "offload")
    with tap.case("a file, asked of the kernel, and a word that is none: refused"):
        match("--offload kernel: .*live", run("flowproof-sensor", "-r", path, "--offload", "kernel").expect(2).err)
        match("--offload maybe: give kernel, estimate or as-is", run("flowproof-sensor", "-r", path, "--offload", "maybe").expect(2).err)


def main():
    net.need_root("run_offload")
    tap = Tap()
    with folder() as d, net.Namespaces("inst", "router", "out") as ns:
        r = None
        with tap.case("the run: bulk both ways, a small MSS, small pieces, UDP in one write, a VLAN tag"):
            r = Run(ns)
        if r:
            for name, (there, back) in r.flows.items():
                for what, key in (("sent", there), ("received", back)):
                    print(f"# {name}, {what}: wire {r.wire[key]}, " + ", ".join(f"{m} {r.records[m][key]}" for m in MODES))
            cases(tap, r)
            filtered(tap, r)
        of_a_file(tap, d)
    tap.done()


if __name__ == "__main__":
    main()
