#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_mirror.py BUILD_DIR   --mirror: frames inside VXLAN are recorded under the interface of their VNI, all else under the capture's.

The inner frames are those of make_captures.py, whose counts are arithmetic; the outer headers must not show in any of them.
"""
import json
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Tap, check, equal, folder, match, run, summary, write  # noqa: E402
import make_captures as make  # noqa: E402
from pki import Pki, collector  # noqa: E402

FIELDS = make.GOLDEN + " vpc-id fp-interface"
SOURCE, TARGET, SOURCE6, TARGET6 = "10.9.0.1", "10.9.0.2", "fd09::1", "fd09::2"
WEB, DB = 4242, 0xffffff
TABLE = {WEB: {"interface-id": "eni-0a", "account-id": "111122223333", "vpc-id": "vpc-0c"}, DB: {"interface-id": "eni-0b"}}
OPTIONS = ["--mirror"] + [x for vni, row in TABLE.items()
                          for x in ("--mirror-vni", f"{vni} " + " ".join(f"{k}={v}" for k, v in row.items()))]


def vxlan(vni, inner, flags=8):
    return struct.pack(">B3xI", flags, vni << 8) + inner


def mirrored(vni, packet, outer=make.ethernet, v6=False, dport=4789, **how):
    """(whose, frame): the packet's frame in VXLAN in UDP. What must come of it is what must come of the packet."""
    payload = make.udp(61000, dport, vxlan(vni, packet.data))
    net = make.ip6(SOURCE6, TARGET6, make.UDP, payload, **how) if v6 else make.ip4(SOURCE, TARGET, make.UDP, payload, **how)
    data = outer(0x86dd if v6 else 0x0800, net)
    lost = packet.wire - len(packet.data)
    return f"vni-{vni}" if vni in TABLE else "vni-unlisted", packet._replace(data=data, wire=len(data) + lost)


def own(packet):
    return "file", packet


def tagged(kind, payload):
    return make.ethernet(kind, payload, [(make.VLAN, 9)])


def expected(frames):
    """As make.expected(), with an interface for each frame."""
    lines = [FIELDS]
    windows = {}
    for who, p in frames:
        if not isinstance(p.what, str):
            second, c = p.ns // make.NS, p.what
            row = windows.setdefault(second // 60, {}).setdefault((who, *c[:5]), [0, 0, second, second, 0])
            row[:] = [row[0] + 1, row[1] + c.bytes, min(row[2], second), max(row[3], second), row[4] | c.flags]
    for number in sorted(windows):
        for (who, *key), row in windows[number].items():
            identity = next((r for v, r in TABLE.items() if who == f"vni-{v}"), {})
            lines.append(" ".join(str(x) for x in (
                3, identity.get("account-id", "-"), identity.get("interface-id", "-"), *key, *row[:4], "ACCEPT OK", row[4],
                "IPv6" if make.is6(key[0]) else "IPv4", identity.get("vpc-id", "-"), who)))
    return "\n".join(lines) + "\n"


def mixed():
    t = make.ns(make.T0)
    frames = []
    # The same addresses and ports in two VNIs, and in one that is not listed, are three flows.
    for vni in (WEB, DB, 7):
        frames += [mirrored(vni, p, v6=vni == DB) for p in make.connection(t, make.A, make.B, 40000, 443, [100, vni % 50], [900])]
    frames += [mirrored(WEB, p) for p in make.udp_both() + make.tagged() + make.icmp() + make.fragments() + make.other_protocols()]
    # Outer headers of every kind.
    ping = make.ping(t, make.A6, make.B6)
    frames += [mirrored(DB, ping, outer=tagged), mirrored(DB, ping, options=b"\1" * 8), mirrored(DB, ping, v6=True, outer=tagged)]
    # A mirror session inside a mirrored frame is that machine's own traffic: it is not entered.
    once = make.udp_packet(t, make.A, make.B, 1, 2, 3)
    payload = vxlan(DB, once.data)
    frames += [mirrored(WEB, make.frame(t, make.A, make.C, make.UDP, make.udp(5, 4789, payload), 20 + 8 + len(payload), 5, 4789))]
    # Inner frames that are no IP, or are broken.
    frames += [mirrored(WEB, p) for p in make.not_ip() + [x for x in make.malformed() if len(x.data) == x.wire]]
    # The target's own traffic: other ports, other protocols, no VNI, too short for VXLAN, a later fragment of the outer datagram.
    frames += [own(p) for p in make.connection(t, make.C, TARGET, 50000, 22, [10], [20])] + [own(make.arp(t))]
    frames += [("file", mirrored(WEB, once, dport=4788)[1]._replace(what=make.Count(SOURCE, TARGET, 61000, 4788, 17, outer_size(once), 0)))]
    for data, sport, dport in ((vxlan(WEB, once.data, flags=0xf7), 9, 4789), (vxlan(WEB, once.data), 4789, 9), (b"\x08" * 7, 9, 4789)):
        frames += [own(make.frame(t, SOURCE, TARGET, make.UDP, make.udp(sport, dport, data), 20 + 8 + len(data), sport, dport))]
    frames += [own(make.frame(t, SOURCE, TARGET, make.UDP, vxlan(WEB, once.data), 20 + 8 + len(once.data), fragment=1480))]
    # Cut by the capture within the VXLAN header, behind it, and within the inner headers.
    whole = mirrored(WEB, make.udp_packet(t, make.A, make.C, 100, 200, 900))
    for n, what in ((14 + 28 + 7, "malformed"), (14 + 28 + 8 + 13, "malformed"), (14 + 36 + 14 + 19, "malformed"), (14 + 36 + 14 + 24, None)):
        who = "file" if n < 14 + 28 + 8 else whole[0]
        frames.append((who, whole[1]._replace(data=whole[1].data[:n], what=what or whole[1].what)))
    # Offloaded on the source: the inner length is 0, so what the outer datagram holds counts, and not a trailer behind it.
    zero = make.frame(t, make.A, make.B, make.TCP, make.tcp(500, 600, make.ACK, b"z" * 3000), 20 + 20 + 3000, 500, 600, total=0)
    who, packet = mirrored(DB, zero)
    frames.append((who, packet._replace(data=packet.data + b"fcs!", wire=packet.wire + 4)))
    # Cut by the mirror to its MTU: the inner header still says how long the packet was.
    big = make.udp_packet(t, make.A, make.C, 300, 400, 2000)
    frames.append(mirrored(WEB, big._replace(data=big.data[:1400], wire=1400)))
    return frames


def outer_size(packet):
    return 20 + 8 + 8 + len(packet.data)


def whose(frames):
    """What the summary's line must say: frames by interface."""
    names = ["file", *(f"vni-{v}" for v in TABLE), "vni-unlisted"]
    return "mirror: " + " ".join(f"{n}={sum(who == n for who, _ in frames)}" for n in names)


def files(d, form):
    frames = mixed()
    packets = [p for _, p in frames]
    path = write(os.path.join(d, "mixed." + form), make.FORMATS[form](packets))
    result = run("flowproof-sensor", "-r", path, "-o", "-", "-F", FIELDS, *OPTIONS).expect(0)
    equal(result.out, expected(frames))
    said = summary(result.err)
    equal({k: said[k] for k in ("received", "recorded", "not-ip", "malformed")}, make.totals(packets), "counters")
    equal(said["malformed reasons"]["vxlan-header-cut"], 1, "VXLAN header cut")
    check(whose(frames) in result.err.splitlines(), f"no line '{whose(frames)}' in:\n{result.err}")


def without(d):
    """The same capture without --mirror: nothing is entered."""
    frames = [mirrored(WEB, p) for p in make.udp_both()]
    path = write(os.path.join(d, "without"), make.pcap([p for _, p in frames]))
    result = run("flowproof-sensor", "-r", path, "-o", "-", "-F", "srcaddr dstaddr dstport packets bytes").expect(0)
    equal(result.out.splitlines()[1:], [f"{SOURCE} {TARGET} 4789 {len(frames)} {sum(len(p.data) - 14 for _, p in frames)}"])


def silence(d):
    """Each listed interface, and the capture's own, has its NODATA line."""
    frames = [mirrored(WEB, p) for p in (make.udp_packet(make.ns(make.T0 + 60 * m), make.A, make.B, 1, 2, 3) for m in (0, 5))]
    path = write(os.path.join(d, "silence"), make.pcap([p for _, p in frames]))
    out = run("flowproof-sensor", "-r", path, "-o", "-", "-F", "log-status start end interface-id fp-interface", *OPTIONS).expect(0).out
    begin, end = make.T0 + 60, make.T0 + 300
    equal(sorted(line for line in out.splitlines() if line.startswith("NODATA")),
          sorted(f"NODATA {begin} {end} {i} {n}" for i, n in (("-", "file"), ("eni-0a", f"vni-{WEB}"), ("eni-0b", f"vni-{DB}"))))


def judged(d):
    """Mirrored machines are judged by --local; the target's own traffic is not, whatever its addresses are."""
    t = make.ns(make.T0)
    frames = [mirrored(WEB, make.tcp_packet(t, "10.0.0.5", make.B, 1000, 443, make.SYN)),
              own(make.tcp_packet(t, "10.0.0.6", make.B, 1001, 443, make.SYN))]
    path = write(os.path.join(d, "judged"), make.pcap([p for _, p in frames]))
    result = run("flowproof-sensor", "-r", path, "-o", "-", "-F", "srcaddr flow-direction fp-verdict", *OPTIONS,
                 "--local", "10.0.0.0/8").expect(0)
    equal(result.out.splitlines()[1:], ["10.0.0.5 egress unexpected_egress", "10.0.0.6 - -"])
    match(r"unexpected egress: 10\.0\.0\.5:1000", result.err)


def fragments(d):
    """Numbers of datagrams are those of each machine: what VNIs have in common is not mixed up."""
    t = make.ns(make.T0)
    frames = []
    for vni, sport in ((WEB, 111), (DB, 222)):
        frames.append(mirrored(vni, make.frame(t, make.A, make.B, make.UDP, make.udp(sport, 9, b"f" * 1472), 1500, sport, 9, more=True)))
    for vni, sport in ((WEB, 111), (DB, 222)):
        frames.append(mirrored(vni, make.frame(t, make.A, make.B, make.UDP, b"f" * 100, 120, sport, 9, fragment=1480)))
    path = write(os.path.join(d, "fragments"), make.pcap([p for _, p in frames]))
    result = run("flowproof-sensor", "-r", path, "-o", "-", "-F", FIELDS, *OPTIONS, "--fragments", "ports").expect(0)
    equal(result.out, expected(frames))


def settings(d):
    """A file of settings does what the command line does, and --check writes it."""
    conf = write(os.path.join(d, "sensor.conf"), "mirror = yes\n" + "".join(
        f"mirror-vni = {vni} " + " ".join(f"{k}={v}" for k, v in row.items()) + "\n" for vni, row in TABLE.items()))
    path = os.path.join(d, "mixed.pcap")
    want = run("flowproof-sensor", "-r", path, "-F", FIELDS, *OPTIONS).expect(0).out
    equal(run("flowproof-sensor", "-c", conf, "-r", path, "-F", FIELDS).expect(0).out, want)
    again = write(os.path.join(d, "again.conf"), run("flowproof-sensor", "-c", conf, "-r", path, "-F", FIELDS, "--check").expect(0).out)
    equal(run("flowproof-sensor", "-c", again).expect(0).out, want, "what --check prints, read again")


def identities(d):
    """--field speaks of this machine's interface, or of a VNI by its name; of a mirrored machine nothing that was not said of it."""
    t = make.ns(make.T0)
    frames = [mirrored(vni, make.udp_packet(t, make.A, make.B, 1, 2, 3)) for vni in (WEB, DB, 7)]
    packets = [p for _, p in frames] + [make.udp_packet(t, make.A, make.B, 1, 2, 3)]
    path = write(os.path.join(d, "identities"), make.pcap(packets))
    said = ["--region", "r-0", "--field", "vpc-id=v-0", "--interface-id", "eni-0", "--mirror", "--mirror-vni", f"{WEB} vpc-id=v-1,ecs-task-id=0f",
            "--mirror-vni", str(DB), "--field", f"vni-{WEB}:instance-tag=a b", "--field", "vni-unlisted:vpc-id=v-7"]
    names = "fp-interface interface-id vpc-id region ecs-task-id instance-tag"
    out = run("flowproof-sensor", "-r", path, "-F", names, *said).expect(0).out
    equal(sorted(out.splitlines()[1:]), ["file eni-0 v-0 r-0 - -", f"vni-{DB} - - - - -", f"vni-{WEB} - v-1 - 0f a%20b", "vni-unlisted - v-7 - - -"])


def stream(d):
    """To a collector: the Hello lists the interfaces, so the records read back bear the identity of their VNI."""
    pki = Pki(os.path.join(d, "pki"))
    pki.issue("i-mirror")
    store, path = os.path.join(d, "store"), os.path.join(d, "mixed.pcap")
    with collector(store, "127.0.0.1:0", pki.options("collector")) as c:
        run("flowproof-sensor", "-r", path, "-s", c.address, "--id", "i-mirror", *pki.options("i-mirror"), *OPTIONS).expect(0)
        c.stop()
    names = FIELDS.split()[1:]
    out = run("flowproof", "records", "-d", store, "--json", "-F", FIELDS).expect(0).out
    got = sorted(" ".join("-" if r[n] is None else str(r[n]) for n in names) for r in map(json.loads, out.splitlines()))
    equal(got, sorted(line.split(" ", 1)[1] for line in expected(mixed()).splitlines()[1:]), "records of the ledger")


def refused():
    for pattern, *args in (("needs --mirror", "--mirror-vni", "5"),
                           ("begins with a VNI", "--mirror", "--mirror-vni", "x"),
                           ("begins with a VNI", "--mirror", "--mirror-vni", "16777216"),
                           ("begins with a VNI", "--mirror", "--mirror-vni", "-1"),
                           ("begins with a VNI", "--mirror", "--mirror-vni", ""),
                           ("colour", "--mirror", "--mirror-vni", "5 colour=red"),
                           ("interface-id", "--mirror", "--mirror-vni", "5 interface-id=a interface-id=b"),
                           ("vpc-id", "--mirror", "--mirror-vni", "5 vpc-id="),
                           ("vpc-id", "--mirror", "--mirror-vni", "5 vpc-id"),
                           ("unknown field ''", "--mirror", "--mirror-vni", "5 =x"),
                           ("vni-6", "--mirror", "--mirror-vni", "5", "--field", "vni-6:vpc-id=x"),
                           ("a VNI", "--mirror", "--mirror-vni", "5x vpc-id=a"),
                           ("5 is given twice", "--mirror", "--mirror-vni", "5", "--mirror-vni", "5 vpc-id=a"),
                           ("at most 14", "--mirror", *(x for i in range(15) for x in ("--mirror-vni", str(i))))):
        match(pattern, run("flowproof-sensor", "-r", "-", *args).expect(2).err, f"{args}")
    match("--local", run("flowproof-sensor", "-i", "lo", "--mirror", "-o", "-").expect(2).err)
    run("flowproof-sensor", "-r", "-", "--check", "--mirror", *(x for i in range(14) for x in ("--mirror-vni", str(i)))).expect(0)


def main():
    tap = Tap()
    with folder() as d:
        for form in ("pcap", "pcapng"):
            with tap.case(f"mirrored and own traffic: {form}"):
                files(d, form)
        for name, function in (("without --mirror nothing is entered", without), ("identities", identities), ("silence of every interface", silence),
                               ("who is judged", judged), ("--fragments ports, by VNI", fragments),
                               ("settings from a file", settings), ("to a collector", stream)):
            with tap.case(name):
                function(d)
        with tap.case("settings that are refused"):
            refused()
    tap.done()


if __name__ == "__main__":
    main()
