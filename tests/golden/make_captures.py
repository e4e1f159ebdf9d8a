#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The project's own captures, and the Flow Logs lines that must come of them.

A packet is made by a function that builds its bytes from header fields and, beside that, states by arithmetic what the record
must count: the key, header sizes plus payload, flags. expected() adds these statements up by window. Nothing here reads a frame
back and nothing comes from the programs under test; what stays random comes from a fixed seed.

    make_captures.py FOLDER     writes all captures and, beside each, NAME.expected
"""
import collections
import ipaddress
import os
import random
import struct
import sys

NS = 10**9
T0 = 1_700_000_040  # a multiple of 60 and not of 600: 22:14:00 UTC on 14 November 2023
T0_600 = 1_700_000_400  # a multiple of 600
DEFAULT = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
GOLDEN = DEFAULT + " tcp-flags type"
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
ICMP, TCP, UDP, ICMP6, SCTP, GRE, ESP, UDPLITE, DCCP = 1, 6, 17, 58, 132, 47, 50, 136, 33
VLAN, QINQ, MPLS, PPPOE = 0x8100, 0x88a8, 0x8847, 0x8864

# ---- packets -----------------------------------------------------------------------------------------

# One frame: stamp in nanoseconds, its bytes, its length on the wire, and what must come of it: a Count, or a string,
# "not-ip" or "malformed".
Packet = collections.namedtuple("Packet", "ns data wire what")
Count = collections.namedtuple("Count", "src dst sport dport proto bytes flags")


def ns(seconds, nanos=0):
    return seconds * NS + nanos


def aws_flags(flags):
    """FIN, SYN, RST; ACK only beside SYN."""
    return (flags & (FIN | SYN | RST)) | (ACK if flags & SYN and flags & ACK else 0)


def ethernet(ethertype, payload, tags=(), pad=True):
    """tags: (ethertype of the tag, id). Padded to the 60 bytes of the shortest frame, as on a wire."""
    head = bytes.fromhex("020000000002020000000001")
    for kind, number in tags:
        head += struct.pack(">HH", kind, number)
    frame = head + struct.pack(">H", ethertype) + payload
    return frame + b"\0" * (60 - len(frame)) if pad and len(frame) < 60 else frame


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip4(src, dst, proto, payload, options=b"", total=None, version=4, ihl=None, fragment=0, more=False, ident=1):
    """fragment: offset in bytes. total and ihl: what the header claims, if not the truth."""
    words = 5 + len(options) // 4
    total = words * 4 + len(payload) if total is None else total
    head = struct.pack(">BBHHHBBH", version << 4 | (words if ihl is None else ihl), 0, total, ident,
                       (0x2000 if more else 0) | fragment // 8, 64, proto, 0)
    head += ipaddress.IPv4Address(src).packed + ipaddress.IPv4Address(dst).packed + options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def ip6(src, dst, proto, payload, length=None, version=6):
    length = len(payload) if length is None else length
    return struct.pack(">IHBB", version << 28, length, proto, 64) + ipaddress.IPv6Address(src).packed + \
        ipaddress.IPv6Address(dst).packed + payload


def tcp(sport, dport, flags, payload, options=b""):
    return struct.pack(">HHIIBBHHH", sport, dport, 1000, 2000, (5 + len(options) // 4) << 4, flags, 65535, 0, 0) + options + payload


def udp(sport, dport, payload):
    return struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload


def is6(address):
    return ":" in address


def l3(src, dst, proto, payload, **how):
    return ip6(src, dst, proto, payload, **how) if is6(src) else ip4(src, dst, proto, payload, **how)


def frame(at, src, dst, proto, payload, count_bytes, sport=0, dport=0, flags=0, tags=(), **how):
    """An IP packet in Ethernet. count_bytes is the caller's own sum."""
    data = ethernet(0x86dd if is6(src) else 0x0800, l3(src, dst, proto, payload, **how), tags)
    return Packet(at, data, len(data), Count(src, dst, sport, dport, proto, count_bytes, aws_flags(flags)))


def ip_size(src):
    return 40 if is6(src) else 20


def tcp_packet(at, src, dst, sport, dport, flags, size=0, options=b"", tags=()):
    return frame(at, src, dst, TCP, tcp(sport, dport, flags, b"t" * size, options),
                 ip_size(src) + 20 + len(options) + size, sport, dport, flags, tags)


def udp_packet(at, src, dst, sport, dport, size, tags=(), **how):
    extra = len(how.get("options", b""))
    return frame(at, src, dst, UDP, udp(sport, dport, b"u" * size), ip_size(src) + extra + 8 + size, sport, dport,
                 tags=tags, **how)


def ping(at, src, dst, size=56, reply=False, tags=()):
    if is6(src):
        kind, proto = (129 if reply else 128), ICMP6
    else:
        kind, proto = (0 if reply else 8), ICMP
    return frame(at, src, dst, proto, struct.pack(">BBHHH", kind, 0, 0, 77, 1) + b"p" * size, ip_size(src) + 8 + size, tags=tags)


def other(at, data, what, wire=None):
    return Packet(at, data, len(data) if wire is None else wire, what)


def arp(at, tags=()):
    return other(at, ethernet(0x0806, bytes.fromhex("0001080006040001") + b"\1" * 20, tags), "not-ip")


def connection(at, client, server, cport, sport, up, down, step=NS // 100):
    """A whole TCP connection: handshake with options, `up` and `down` lists of payload sizes, FIN from both sides."""
    mss = bytes.fromhex("020405b40402080a0000000100000000") + bytes.fromhex("01030307")
    packets, clock = [], [at]

    def put(sender, flags, size=0, options=b""):
        a, b, ap, bp = (client, server, cport, sport) if sender == "c" else (server, client, sport, cport)
        packets.append(tcp_packet(clock[0], a, b, ap, bp, flags, size, options))
        clock[0] += step

    put("c", SYN, 0, mss)
    put("s", SYN | ACK, 0, mss)
    put("c", ACK)
    for size in up:
        put("c", PSH | ACK, size)
        put("s", ACK)
    for size in down:
        put("s", PSH | ACK, size)
        put("c", ACK)
    put("c", FIN | ACK)
    put("s", FIN | ACK)
    put("c", ACK)
    return packets


# ---- what must come of them --------------------------------------------------------------------------

FIELD_VERSIONS = {
    **dict.fromkeys(DEFAULT.split(), 2),
    **dict.fromkeys("vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr".split(), 3),
    **dict.fromkeys("region az-id sublocation-type sublocation-id".split(), 4),
    **dict.fromkeys("pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path".split(), 5),
    **dict.fromkeys("ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id ecs-container-id "
                    "ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id".split(), 7),
    "reject-reason": 8, "resource-id": 9, "encryption-status": 10,
    **dict.fromkeys("instance-tag instance-tag-2 interface-tag interface-tag-2 asg-tag asg-tag-2 interface-type next-hop-interface-id "
                    "next-hop-subnet-id next-hop-az-id next-hop-vpc-id next-hop-interface-type".split(), 11),
}
SHORT = ("account-id", "interface-id", "vpc-id", "subnet-id", "instance-id", "region", "az-id")  # with an option of their own


def totals(packets):
    """received, recorded, not-ip, malformed."""
    kinds = collections.Counter(p.what if isinstance(p.what, str) else "recorded" for p in packets)
    return {"received": len(packets), "recorded": kinds["recorded"], "not-ip": kinds["not-ip"], "malformed": kinds["malformed"]}


def records(packets, window_s):
    """[(window, [[Count key, packets, bytes, start, end, flags], ...])] in order, the empty windows left out."""
    windows = {}
    for p in packets:
        if isinstance(p.what, str):
            continue
        second, c = p.ns // NS, p.what
        table = windows.setdefault(second // window_s, {})
        row = table.setdefault(c[:5], [c[:5], 0, 0, second, second, 0])
        row[1] += 1
        row[2] += c.bytes
        row[3], row[4] = min(row[3], second), max(row[4], second)
        row[5] |= c.flags
    return [(w, list(windows[w].values())) for w in sorted(windows)]


def expected(packets, fields=DEFAULT, window_s=60, identity=None, local=(), outcomes=None):
    """The whole text output. Meant for packets in the order of their windows. identity: what stands in lines of every status;
    outcomes: see outcomes()."""
    names = fields.split()
    identity = identity or {}
    version = max([FIELD_VERSIONS[n] for n in names if n in FIELD_VERSIONS] + [2])
    nets = [ipaddress.ip_network(n) for n in local]

    def is_local(address):
        return any(ipaddress.ip_address(address) in n for n in nets if n.version == ipaddress.ip_address(address).version)

    def line(values):
        common = {"version": version, **identity}
        return " ".join(str({**common, **values}.get(n, "-")) for n in names)

    out, previous = [fields], None
    for window, rows in records(packets, window_s):
        if previous is not None and window > previous + 1:
            out.append(line({"start": (previous + 1) * window_s, "end": window * window_s, "log-status": "NODATA"}))
        previous = window
        for (src, dst, sport, dport, proto), count, size, start, end, flags in rows:
            out.append(line({
                "srcaddr": src, "dstaddr": dst, "pkt-srcaddr": src, "pkt-dstaddr": dst, "srcport": sport, "dstport": dport,
                "protocol": proto, "packets": count, "bytes": size, "start": start, "end": end, "action": "ACCEPT",
                "log-status": "OK", "tcp-flags": flags, "type": "IPv6" if is6(src) else "IPv4",
                "flow-direction": "egress" if is_local(src) else "ingress" if is_local(dst) else "-",
                "fp-outcome": outcomes[(window - packets[0].ns // NS // window_s, *sorted(((src, sport), (dst, dport))), proto)]
                if outcomes else "-",
            }))
    return "\n".join(out) + "\n"


# ---- capture files -----------------------------------------------------------------------------------

def pcap(packets, order="<", nano=False, link=1, snaplen=262144):
    out = struct.pack(order + "IHHiIII", 0xa1b23c4d if nano else 0xa1b2c3d4, 2, 4, 0, 0, snaplen, link)
    records = [struct.pack(order + "IIII", p.ns // NS, p.ns % NS // (1 if nano else 1000), len(p.data), p.wire) + p.data
               for p in packets]
    return out + b"".join(records)


def pcapng(packets, order="<", nano=False, link=1):
    def block(kind, body):
        body += b"\0" * (-len(body) % 4)
        return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)

    resolution = struct.pack(order + "HHB3xHH", 9, 1, 9, 0, 0) if nano else b""
    out = block(0x0a0d0d0a, struct.pack(order + "IHHq", 0x1a2b3c4d, 1, 0, -1))
    out += block(1, struct.pack(order + "HHI", link, 0, 262144) + resolution)
    stamps = [p.ns if nano else p.ns // 1000 for p in packets]
    return out + b"".join(block(6, struct.pack(order + "IIIII", 0, s >> 32, s & 0xffffffff, len(p.data), p.wire) + p.data)
                          for s, p in zip(stamps, packets))


FORMATS = {
    "pcap": lambda p: pcap(p),
    "pcap-be": lambda p: pcap(p, ">"),
    "pcap-ns": lambda p: pcap(p, nano=True),
    "pcap-be-ns": lambda p: pcap(p, ">", nano=True),
    "pcapng": lambda p: pcapng(p),
    "pcapng-be": lambda p: pcapng(p, ">"),
    "pcapng-ns": lambda p: pcapng(p, nano=True),
    "pcapng-be-ns": lambda p: pcapng(p, ">", nano=True),
}

# ---- the captures ------------------------------------------------------------------------------------

A, B, C = "10.0.0.5", "203.0.113.9", "198.51.100.77"
A6, B6 = "2001:db8::5", "2001:db8:0:1:2::9"


class Case:
    """A capture and how the sensor is asked about it. said: what it is told of the fields in `identity`, if not the same."""

    def __init__(self, name, packets, args=(), fields=GOLDEN, window_s=60, identity=None, said=None, local=(), formats=("pcap",),
                 outcomes=None):
        self.outcomes = outcomes
        self.name, self.packets, self.formats = name, packets, formats
        self.fields, self.window_s, self.identity, self.local = fields, window_s, identity, local
        self.args = list(args)
        if fields != DEFAULT:
            self.args += ["-F", fields]
        if window_s != 60:
            self.args += ["-t", str(window_s)]
        for key, value in (said or identity or {}).items():
            self.args += ["--" + key, value] if key in SHORT else ["--field", f"{key}={value}"]
        for net in local:
            self.args += ["--local", net]

    def expected(self):
        return expected(self.packets, self.fields, self.window_s, self.identity, self.local, self.outcomes)


def tcp_flags():
    t = ns(T0)
    p = connection(t, A, B, 40000, 443, [517, 1000], [1460, 1460, 99])
    p += [tcp_packet(t + NS + i, A, B, 40001, 23, f) for i, f in enumerate((SYN | ECE | CWR, ACK | PSH | URG))]
    p += [tcp_packet(t + 2 * NS, B, A, 23, 40001, RST | ACK)]
    p += [tcp_packet(t + 3 * NS, A, C, 40002, 80, PSH | ACK, 10), tcp_packet(t + 3 * NS, C, A, 80, 40002, FIN | ACK)]
    p += [tcp_packet(t + 4 * NS, A, C, 40003, 80, 0), tcp_packet(t + 4 * NS, C, A, 80, 40003, 0xff)]
    return p


def tcp_windows():
    """One connection over two minutes: SYN only in the first, nothing in the middle, FIN in the last."""
    p = connection(ns(T0 + 50), A6, B6, 50000, 8443, [100] * 10, [300] * 10, step=2 * NS)
    return p


def udp_both():
    t = ns(T0 + 5)
    p = [udp_packet(t + i * NS, A, B, 5353, 53, 40 + i) for i in range(4)]
    p += [udp_packet(t + i * NS, B, A, 53, 5353, 200) for i in range(3)]
    p += [udp_packet(t + i, A6, B6, 6000, 6001, 1200 + i) for i in range(5)]
    p += [udp_packet(t + 9 * NS, "0.0.0.0", "255.255.255.255", 68, 67, 300), udp_packet(t + 9 * NS, A, B, 1, 65535, 0)]
    return p


def tagged():
    t = ns(T0 + 1)
    p = [udp_packet(t, A, B, 1000, 2000, 100, tags=[(VLAN, 7)]), udp_packet(t, A, B, 1000, 2000, 100)]
    p += [tcp_packet(t, A6, B6, 1000, 2000, SYN, tags=[(QINQ, 5), (VLAN, 0x6007)])]
    p += [ping(t, A, B, tags=[(VLAN, n) for n in range(5)]), arp(t, tags=[(VLAN, 7)])]
    label = struct.pack(">II", 16 << 12 | 64, 17 << 12 | 1 << 8 | 64)
    data = ethernet(MPLS, label + ip4(B, A, UDP, udp(9, 10, b"x" * 50)))
    p += [Packet(t, data, len(data), Count(B, A, 9, 10, UDP, 20 + 8 + 50, 0))]
    inner = ip6(B6, A6, UDP, udp(9, 10, b"x" * 50))
    data = ethernet(PPPOE, struct.pack(">BBHHH", 0x11, 0, 1, len(inner) + 2, 0x0057) + inner)
    p += [Packet(t, data, len(data), Count(B6, A6, 9, 10, UDP, 40 + 8 + 50, 0))]
    inner = bytes.fromhex("aaaa03000000") + struct.pack(">H", 0x0800) + ip4(C, A, UDP, udp(9, 10, b"x" * 50))
    data = ethernet(len(inner), inner)
    p += [Packet(t, data, len(data), Count(C, A, 9, 10, UDP, 20 + 8 + 50, 0))]
    return p


def icmp():
    t = ns(T0 + 30)
    p = []
    for i in range(3):
        p += [ping(t + i * NS, A, B), ping(t + i * NS + 1, B, A, reply=True)]
        p += [ping(t + i * NS, A6, B6, 1000), ping(t + i * NS + 1, B6, A6, 1000, reply=True)]
    quoted = ip4(A, B, UDP, udp(33434, 33435, b""))
    p += [frame(t + 9 * NS, C, A, ICMP, bytes.fromhex("0303000000000000") + quoted, 20 + 8 + 28)]
    return p


def other_protocols():
    t = ns(T0)
    p = [frame(t, A, B, GRE, b"\0" * 4 + ip4("1.1.1.1", "2.2.2.2", UDP, udp(1, 2, b"")), 20 + 4 + 28),
         frame(t, A, B, ESP, b"\0" * 33, 20 + 33),
         frame(t, A, B, SCTP, struct.pack(">HHII", 3868, 3869, 1, 0) + b"\0" * 16, 20 + 12 + 16, 3868, 3869),
         frame(t, A6, B6, UDPLITE, struct.pack(">HHHH", 7, 8, 8, 0), 40 + 8, 7, 8),
         frame(t, A6, B6, DCCP, struct.pack(">HH", 21, 22) + b"\0" * 12, 40 + 16, 21, 22),
         frame(t, A, "224.0.0.1", 2, b"\x11\0\0\0" + b"\0" * 4, 20 + 8),
         frame(t, A6, B6, 59, b"none", 40 + 4),
         frame(t, A, B, 255, b"\0" * 8, 20 + 8)]
    return p


def options_and_chains():
    """IPv4 options and IPv6 extension headers count as bytes and do not hide the ports."""
    t = ns(T0 + 2)
    p = [udp_packet(t, A, B, 100, 200, 30, options=b"\x94\x04\0\0"), udp_packet(t, A, B, 100, 201, 30, options=b"\x01" * 40)]
    segment = udp(300, 400, b"v" * 64)
    hop, dest = struct.pack(">BB6x", 60, 0), struct.pack(">BB14x", 43, 1)
    route, fragment = struct.pack(">BB6x", 44, 0), struct.pack(">BBHI", UDP, 0, 0, 9)
    chain = hop + dest + route + fragment
    p += [frame(t, A6, B6, 0, chain + segment, 40 + 8 + 16 + 8 + 8 + 72)]
    p[-1] = p[-1]._replace(what=p[-1].what._replace(sport=300, dport=400, proto=UDP))
    ah = struct.pack(">BBHII", TCP, 1, 0, 1, 1)
    p += [frame(t, A6, B6, 51, ah + tcp(1, 2, SYN, b""), 40 + 12 + 20)]  # AH is the protocol, as the rule says
    cut = struct.pack(">BB6x", TCP, 200)  # says 1608 bytes, 8 are there
    p += [frame(t, A6, B6, 60, cut, 40 + 8)]
    return p


def fragments():
    """The first fragment has the ports, the others stand under 0 0; flags only from the first."""
    t = ns(T0 + 3)
    whole = udp(111, 222, b"f" * 2000)
    p = [frame(t, A, B, UDP, whole[:1480], 20 + 1480, 111, 222, more=True),
         frame(t, A, B, UDP, whole[1480:], 20 + 528, fragment=1480)]
    whole = tcp(80, 81, SYN, b"f" * 100)
    p += [frame(t, B, A, TCP, whole[:8], 20 + 8, 80, 81, more=True),  # too short for the flags: 0
          frame(t, B, A, TCP, whole[8:], 20 + 112, fragment=8)]
    whole = udp(333, 444, b"s" * 1500)
    for offset, more in ((0, 1), (1232, 0)):
        part = whole[offset:offset + 1232] if more else whole[offset:]
        head = struct.pack(">BBHI", UDP, 0, offset | more, 5)
        packet = frame(t, A6, B6, 44, head + part, 40 + 8 + len(part))
        ports = {"sport": 333, "dport": 444} if offset == 0 else {}
        p.append(packet._replace(what=packet.what._replace(proto=UDP, **ports)))
    # The least offset that there is: what looks like ports is none. And a datagram of one fragment: the ports are there.
    for offset, more in ((8, 0), (8, 1), (0, 0)):
        packet = frame(t, A6, B6, 44, struct.pack(">BBHI", UDP, 0, offset | more, 6) + udp(555, 666, b"s" * 24), 40 + 8 + 32)
        ports = {"sport": 555, "dport": 666} if offset == 0 else {}
        p.append(packet._replace(what=packet.what._replace(proto=UDP, **ports)))
    return p


def fragments_with_ports():
    """--fragments ports: later fragments are counted with their first, if it came before them within 60 s."""
    t = ns(T0 + 3)

    def four(at, ident, sport, offset, size, more, proto=UDP, src=A, dst=B, known=True):
        head = b"" if offset else tcp(sport, 222, ACK, b"") if proto == TCP else udp(sport, 222, b"")
        payload = head + b"f" * (size - len(head))
        ports = (sport, 222) if known else (0, 0)
        return frame(at, src, dst, proto, payload, 20 + size, *ports, fragment=offset, more=more, ident=ident)

    p = [four(t, 7, 111, 0, 1480, True), four(t, 7, 111, 1480, 1480, True), four(t, 7, 111, 2960, 500, False)]
    p += [four(t, 8, 112, 1480, 99, False, known=False), four(t, 8, 112, 0, 1480, True)]  # the wrong way round
    p += [four(t, 7, 113, 0, 1480, True, proto=TCP), four(t, 7, 113, 1480, 10, False, proto=TCP)]  # id 7 again, of TCP
    p += [four(t, 7, 111, 3480, 20, False), four(t, 7, 0, 1480, 30, False, src=B, dst=A, known=False)]  # both sides number alone
    p += [four(t + NS, 7, 114, 0, 1480, True), four(t + 2 * NS, 7, 114, 1480, 40, False)]  # id 7 comes round
    p += [four(t + 61 * NS, 7, 114, 1520, 50, False), four(t + 62 * NS, 7, 114, 1528, 60, False, known=False)]  # 60 s, 61 s
    # IPv6: behind the fragment header come destination options, then UDP; later fragments name the options.
    for ident, first_seen in ((5, True), (6, False)):
        inner = struct.pack(">BB6x", UDP, 0) + udp(333, 444, b"s" * 1232)
        for offset, size, more in ((0, 1200, 1), (1200, len(inner) - 1200, 0)):
            if offset or first_seen:
                part = frame(t + 62 * NS, A6, B6, 44, struct.pack(">BBHI", 60, 0, offset | more, ident) + inner[offset:][:size],
                             40 + 8 + size, 333 if first_seen else 0, 444 if first_seen else 0)
                p.append(part._replace(what=part.what._replace(proto=UDP if first_seen else 60)))
    return p


def lengths():
    """Zero lengths (offload) are replaced by what was on the wire, others stand as they are; snapped frames count whole."""
    t = ns(T0 + 4)
    p = [frame(t, A, B, TCP, tcp(500, 600, ACK, b"z" * 3000), 20 + 20 + 3000, 500, 600, total=0)]
    p += [frame(t, A6, B6, TCP, tcp(500, 600, ACK, b"z" * 3000), 40 + 20 + 3000, 500, 600, length=0)]
    p += [frame(t, A, B, UDP, udp(7, 8, b"q" * 80), 9000, 7, 8, total=9000)]
    p += [frame(t, A, B, UDP, udp(7, 9, b"q" * 80), 24, 7, 9, total=24)]  # 80 bytes more than the header claims: not counted
    # Padding is no payload: what lies behind the claimed length gives neither ports nor flags.
    p += [frame(t, A, B, UDP, udp(7, 10, b""), 23, total=23), frame(t, A, B, TCP, tcp(7, 10, SYN, b""), 33, 7, 10, total=33)]
    p += [frame(t, A6, B6, UDP, udp(7, 10, b""), 43, length=3), frame(t, A6, B6, TCP, tcp(7, 10, SYN, b""), 53, 7, 10, length=13)]
    big = udp_packet(t, A, B, 11, 12, 1000)
    p += [big._replace(data=big.data[:64]), big._replace(data=big.data[:14 + 20 + 4])]
    ports_cut = udp_packet(t, A, C, 11, 12, 1000)
    p += [ports_cut._replace(data=ports_cut.data[:14 + 20 + 3], what=ports_cut.what._replace(sport=0, dport=0))]
    flags_cut = tcp_packet(t, A, C, 13, 14, SYN, 1000)
    p += [flags_cut._replace(data=flags_cut.data[:14 + 20 + 13], what=flags_cut.what._replace(flags=0)),
          tcp_packet(t, A, C, 13, 15, SYN, 1000)._replace(data=tcp_packet(t, A, C, 13, 15, SYN, 1000).data[:14 + 20 + 14])]
    return p


def not_ip():
    t = ns(T0 + 6)
    p = [udp_packet(t, A, B, 1, 2, 3), arp(t), arp(t + 1)]
    p += [other(t, ethernet(38, bytes.fromhex("424203") + b"\0" * 35), "not-ip")]  # spanning tree
    p += [other(t, ethernet(0x88cc, b"\2\7\4" + b"\0" * 60), "not-ip")]  # LLDP
    p += [other(t, ethernet(0x9000, b"\0" * 46), "not-ip")]
    p += [other(t, ethernet(0x8863, b"\x11\x09\0\0\0\0"), "not-ip")]  # PPPoE discovery
    p += [other(t, ethernet(MPLS, struct.pack(">I", 1 << 12 | 1 << 8 | 64) + b"\0" * 50), "not-ip")]  # pseudo-wire
    return p


def malformed():
    """Each kind, cut on the wire and cut by the capture."""
    t = ns(T0 + 7)
    good, good6 = ip4(A, B, UDP, udp(1, 2, b"m" * 60)), ip6(A6, B6, UDP, udp(1, 2, b"m" * 60))
    whole, whole6 = ethernet(0x0800, good), ethernet(0x86dd, good6)
    p = [udp_packet(t, A, B, 1, 2, 3)]
    for data in (b"", whole[:1], whole[:13], whole[:14], whole[:14 + 19], whole6[:14 + 39],
                 ethernet(VLAN, b"\0", pad=False), ethernet(VLAN, b"\0\7\x08", pad=False),
                 ethernet(0x0800, good[:1], [(VLAN, 9)], pad=False), ethernet(MPLS, b"\0\1\0", pad=False)):
        p += [other(t, data, "malformed"), other(t, data, "malformed", wire=500)]
    p += [other(t, ethernet(0x0800, ip4(A, B, UDP, b"", version=v) + b"\0" * 60), "malformed") for v in (0, 5, 6, 15)]
    p += [other(t, ethernet(0x86dd, ip6(A6, B6, UDP, b"", version=v) + b"\0" * 60), "malformed") for v in (0, 4, 7)]
    p += [other(t, ethernet(0x0800, ip4(A, B, UDP, b"\0" * 40, ihl=n)), "malformed") for n in (0, 1, 4)]
    p += [other(t, ethernet(0x0800, ip4(A, B, UDP, b"\0" * 40, total=n)), "malformed") for n in (1, 19)]
    p += [other(t, ethernet(0x0800, ip4(A, B, UDP, b"\0" * 40, options=b"\1" * 8, total=27)), "malformed")]
    return p


def silence():
    """Packets in minutes 0, 1, 3, 7, 8 and 200000: three silent gaps, each one line; none before and none after."""
    p = []
    for minute in (0, 1, 3, 7, 8, 200000):
        t = ns(T0 + 60 * minute)
        p += [udp_packet(t, A, B, 10, 20, 100), udp_packet(t + 59 * NS + NS - 1, B, A, 20, 10, 50)]
    return p


def three_windows():
    p = []
    for window, size in ((0, 10), (3, 20), (4, 30)):
        p += connection(ns(T0 + 60 * window + 10), A, B, 40000 + window, 443, [size] * 3, [size * 10])
    return p


def ten_minutes():
    p = []
    for at in (0, 599, 600, 1199, 3000):
        p += [udp_packet(ns(T0_600 + at), A, B, 10, 20, at), ping(ns(T0_600 + at), B6, A6)]
    return p


def late_stamps():
    """2037, the second before and after 31 bits of seconds run out, and 2100."""
    p = []
    for at in (2_145_916_800, 2**31 - 1, 2**31, 4_102_444_800, 2**32 - 1):
        p += [udp_packet(ns(at, 5), A, B, 10, 20, 100)]
    return p


def late_stamps_64():
    """Beyond 32 bits only pcapng can go: the year 2200."""
    return [udp_packet(ns(at), A, B, 10, 20, 100) for at in (2**32 + 5, 7_258_118_400)]


def unordered():
    """Stamps run back and forth inside one window: start is the least, end the greatest; order is that of arrival."""
    p = []
    for i in (30, 10, 59, 0, 20):
        p += [udp_packet(ns(T0 + i), A, B, 1, 2, i), udp_packet(ns(T0 + i), C, A, 3, 4, i)]
    return p


def backwards():
    """Stamps run back over a window's end: sums by window must come out, in any number of lines."""
    order = (10, 70, 20, 130, 75, 5, 131, 64)
    return [udp_packet(ns(T0 + at), A, B, 1, 2, at) for at in order]


def many_flows(count=3000, packets=12000):
    rng = random.Random(20231114)
    p, names = [], []
    for i in range(count):
        peer = f"198.{18 + i % 2}.{i // 2 % 256}.{i % 251 + 1}" if i % 4 else f"2001:db8:f:{i:x}::{i % 9 + 1:x}"
        names.append((A6 if is6(peer) else A, peer, 1024 + i, (80, 443, 22, 8080)[i % 4]))
    names = [(a, str(ipaddress.ip_address(b)), sp, dp) for a, b, sp, dp in names]
    for i in range(packets):
        at = ns(T0) + i * 180 * NS // packets
        a, b, sp, dp = names[rng.randrange(count)]
        if rng.random() < 0.4:
            a, b, sp, dp = b, a, dp, sp
        if rng.random() < 0.5:
            p.append(tcp_packet(at, a, b, sp, dp, rng.choice((ACK, SYN, SYN | ACK, FIN | ACK, RST)), rng.randrange(400)))
        else:
            p.append(udp_packet(at, a, b, sp, dp, rng.randrange(400)))
    return p


def refusal(at, sender, quoted, kind, code):
    """An ICMP error to who sent the quoted packet, which is (source, destination, protocol, payload): as much as RFC 792 and
    RFC 4443 ask for."""
    src, dst, proto, payload = quoted
    inner = l3(src, dst, proto, payload)
    inner = inner[:28] if not is6(src) else inner
    return frame(at, sender, src, ICMP6 if is6(src) else ICMP, struct.pack(">BBHI", kind, code, 0, 0) + inner,
                 ip_size(src) + 8 + len(inner))


def outcomes():
    """Flows that get as far as each step, and what `fp-outcome` must say of each in window 0 and 1: by window (from the first
    packet's on), both ends in sorted order, protocol. Times are seconds from the window's begin."""
    p, want = [], {}

    def flow(window, client, cport, server, sport, proto, outcome):
        want[(window, *sorted(((client, cport), (server, sport))), proto)] = outcome

    def attempt(at, cport, *more, server=B, proto=TCP):
        t = ns(T0 + at)
        p.append(tcp_packet(t, A, server, cport, 80, SYN) if proto == TCP else udp_packet(t, A, server, cport, 80, 30))
        for sender, flags, size in more:
            a, b, ap, bp = (A, server, cport, 80) if sender == "c" else (server, A, 80, cport)
            p.append(tcp_packet(t, a, b, ap, bp, flags, size) if proto == TCP else udp_packet(t, a, b, ap, bp, size))

    ack = [("s", SYN | ACK, 0), ("c", ACK, 0)]
    attempt(1, 1001)  # nothing comes
    flow(0, A, 1001, B, 80, TCP, "unanswered")
    attempt(1, 1002, ("s", RST | ACK, 0))
    flow(0, A, 1002, B, 80, TCP, "refused")
    attempt(1, 1003, *ack)
    flow(0, A, 1003, B, 80, TCP, "answered")
    attempt(1, 1004, *ack, ("c", PSH | ACK, 100))
    flow(0, A, 1004, B, 80, TCP, "data_out")
    attempt(1, 1005, *ack, ("s", RST, 0))
    flow(0, A, 1005, B, 80, TCP, "answered")
    attempt(2, 1006, proto=UDP)
    flow(0, A, 1006, B, 80, UDP, "unanswered")
    attempt(2, 1007, ("s", 0, 9), proto=UDP)
    flow(0, A, 1007, B, 80, UDP, "answered")
    attempt(2, 1008, ("s", 0, 9), ("c", 0, 9), proto=UDP)
    flow(0, A, 1008, B, 80, UDP, "data_out")
    attempt(2, 1009, ("s", 0, 9), ("c", 0, 0), proto=UDP)
    flow(0, A, 1009, B, 80, UDP, "answered")
    # A router, C, says that nobody is there: by ICMP of a datagram and of a SYN. Its own flow, which it began, is nobody's answer and gets none.
    attempt(3, 1010, proto=UDP)
    p.append(refusal(ns(T0 + 3), C, (A, B, UDP, udp(1010, 80, b"u" * 30)), 3, 1))
    flow(0, A, 1010, B, 80, UDP, "refused")
    attempt(3, 1011)
    p.append(refusal(ns(T0 + 3), C, (A, B, TCP, tcp(1011, 80, SYN, b"")), 3, 13))
    flow(0, A, 1011, B, 80, TCP, "refused")
    flow(0, C, 0, A, 0, ICMP, "unanswered")
    # "Too big" refuses nothing, nor does an error that quotes another port.
    attempt(4, 1012, proto=UDP)
    p.append(refusal(ns(T0 + 4), C, (A, B, UDP, udp(1012, 80, b"u" * 30)), 3, 4))
    flow(0, A, 1012, B, 80, UDP, "unanswered")
    attempt(4, 1013, proto=UDP)
    p.append(refusal(ns(T0 + 4), C, (A, B, UDP, udp(1014, 80, b"u" * 30)), 3, 1))
    flow(0, A, 1013, B, 80, UDP, "unanswered")
    # The refusal was forged, the answer comes after it.
    attempt(5, 1015, proto=UDP)
    p.append(refusal(ns(T0 + 5), C, (A, B, UDP, udp(1015, 80, b"u" * 30)), 3, 3))
    p.append(udp_packet(ns(T0 + 5), B, A, 80, 1015, 9))
    flow(0, A, 1015, B, 80, UDP, "answered")
    # IPv6, and a peer that begins.
    p += [udp_packet(ns(T0 + 6), A6, B6, 1016, 80, 10), refusal(ns(T0 + 6), B6, (A6, B6, UDP, udp(1016, 80, b"u" * 10)), 1, 4)]
    flow(0, A6, 1016, B6, 80, UDP, "refused")
    flow(0, B6, 0, A6, 0, ICMP6, "unanswered")
    p += [tcp_packet(ns(T0 + 7), C, A, 1017, 22, SYN), tcp_packet(ns(T0 + 7), A, C, 22, 1017, RST | ACK)]
    flow(0, A, 22, C, 1017, TCP, "refused")
    p += [ping(ns(T0 + 8), A, "203.0.113.10"), ping(ns(T0 + 8), "203.0.113.10", A, reply=True)]
    flow(0, A, 0, "203.0.113.10", 0, ICMP, "answered")
    # 4 s before the window's end it is too early to say; the next window's record knows, and so does the last one of the file,
    # which ends 5 s after this packet, but not the one that comes 4 s before the file's end.
    attempt(56, 1018)
    flow(0, A, 1018, B, 80, TCP, "sent")
    attempt(57, 1019)
    flow(0, A, 1019, B, 80, TCP, "sent")
    p += [tcp_packet(ns(T0 + 62), B, A, 80, 1018, SYN | ACK)]
    flow(1, A, 1018, B, 80, TCP, "answered")
    attempt(80, 1020)
    flow(1, A, 1020, B, 80, TCP, "unanswered")
    attempt(81, 1021)
    flow(1, A, 1021, B, 80, TCP, "sent")
    p += [udp_packet(ns(T0 + 85), B, A, 80, 1008, 10)]  # what it reached stays over the window's end
    flow(1, A, 1008, B, 80, UDP, "data_out")
    return p, want


def custom_fields():
    p = connection(ns(T0 + 1), A, B, 40000, 443, [100], [200]) + [ping(ns(T0 + 200), B6, A6)]
    p += [udp_packet(ns(T0 + 201), B, A, 9, 9, 9), udp_packet(ns(T0 + 202), C, B, 9, 9, 9)]
    return p


IDENTITY_4 = {"account-id": "012345678901", "interface-id": "eni-0123456789abcdef0", "vpc-id": "vpc-0a", "subnet-id": "subnet-0b",
              "instance-id": "i-0c", "region": "eu-west-1", "az-id": "euw1-az2"}
ARN = "arn:aws:ecs:us-east-2:123456789012:"
# All that may be said of an interface; tags as they are, and percent-encoded (RFC 3986) by hand.
ALL_SAID = {
    **IDENTITY_4, "sublocation-type": "outpost", "sublocation-id": "op-0d", "ecs-cluster-arn": ARN + "cluster/c1", "ecs-cluster-name": "c1",
    "ecs-container-instance-arn": ARN + "container-instance/c1/0e", "ecs-container-instance-id": "0e", "ecs-container-id": "k5iv-2248247952",
    "ecs-second-container-id": "k5iv-3192794795", "ecs-service-name": "svc1", "ecs-task-definition-arn": ARN + "task-definition/td:236",
    "ecs-task-arn": ARN + "task/c1/0f", "ecs-task-id": "0f", "resource-id": "nat-0123456789abcdef0", "instance-tag": "prod",
    "instance-tag-2": "two words", "interface-tag": "50% = 1/2", "interface-tag-2": "-._~aZ09", "asg-tag": "caf\u00e9", "asg-tag-2": "a+b:c@d%20",
    "interface-type": "nat_gateway"}
ALL_IDENTITY = {**ALL_SAID, "instance-tag-2": "two%20words", "interface-tag": "50%25%20%3D%201%2F2", "asg-tag": "caf%C3%A9",
                "asg-tag-2": "a%2Bb%3Ac%40d%2520"}
V2_11 = list(FIELD_VERSIONS)


def cases():
    rng = random.Random(5)
    shuffled = [rng.sample(V2_11, len(V2_11)) for _ in range(3)]
    local = ("10.0.0.0/8", "2001:db8::/48")
    yield Case("tcp", tcp_flags(), formats=FORMATS)
    yield Case("tcp-windows", tcp_windows())
    yield Case("default-format", tcp_flags(), fields=DEFAULT)
    yield Case("udp", udp_both(), formats=("pcap", "pcapng"))
    yield Case("tags", tagged())
    yield Case("icmp", icmp())
    yield Case("protocols", other_protocols())
    yield Case("options", options_and_chains())
    yield Case("fragments", fragments())
    yield Case("fragments-zero", fragments(), args=["--fragments", "zero"])
    yield Case("fragments-ports", fragments_with_ports(), args=["--fragments", "ports"])
    yield Case("lengths", lengths(), formats=("pcap", "pcapng"))
    yield Case("not-ip", not_ip())
    yield Case("malformed", malformed(), formats=("pcap", "pcapng"))
    yield Case("silence", silence())
    yield Case("three-windows", three_windows(), formats=("pcap", "pcap-be-ns", "pcapng-ns"))
    yield Case("ten-minutes", ten_minutes(), window_s=600)
    yield Case("late-stamps", late_stamps(), formats=FORMATS)
    yield Case("late-stamps-64", late_stamps_64(), formats=("pcapng", "pcapng-be", "pcapng-ns"))
    yield Case("unordered", unordered())
    yield Case("many-flows", many_flows())
    p, how_far = outcomes()
    yield Case("outcomes", p, fields=GOLDEN + " fp-outcome", outcomes=how_far)
    p = custom_fields()
    yield Case("fields-of-version-2", p, fields=" ".join(rng.sample(DEFAULT.split(), 14)), identity=IDENTITY_4)
    yield Case("fields-of-version-3", p, fields="type tcp-flags dstaddr srcaddr", identity=IDENTITY_4)
    yield Case("fields-of-version-4", p, fields="az-id bytes version region", identity=IDENTITY_4)
    for version, name in ((5, "traffic-path"), (7, "ecs-task-id"), (8, "reject-reason"), (9, "resource-id"), (10, "encryption-status"),
                          (11, "asg-tag-2")):
        yield Case(f"fields-of-version-{version}", p, fields=f"{name} version end subnet-id log-status", identity=ALL_IDENTITY, said=ALL_SAID)
    yield Case("flow-direction", p, fields="flow-direction version srcaddr", local=local)
    for i, names in enumerate(shuffled):
        yield Case(f"fields-all-{i}", p, fields=" ".join(names), identity=ALL_IDENTITY if i else None,
                   said=ALL_SAID if i else None, local=local)
    for name in V2_11:
        yield Case(f"field-{name}", p, fields=name, identity=ALL_IDENTITY, said=ALL_SAID, local=local)


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    for case in cases():
        for form in case.formats:
            with open(os.path.join(sys.argv[1], f"{case.name}.{form}"), "wb") as f:
                f.write(FORMATS[form](case.packets))
        with open(os.path.join(sys.argv[1], f"{case.name}.expected"), "w", encoding="ascii") as f:
            f.write(case.expected())


if __name__ == "__main__":
    main()
