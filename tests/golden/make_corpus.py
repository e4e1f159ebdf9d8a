#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make_corpus.py FOLDER   Writes the corpus: small captures, the Flow Logs lines that must come of each, and cases.json.

Frames and sums come from make_captures.py: a packet's count is stated beside its bytes, by arithmetic. Where Amazon has published
the numbers of an example, the packets are built to add up to them, and the published lines themselves must be among the expected.
tests/golden/corpus is what this writes, and run_golden_corpus.py holds it to that.
"""
import json
import os
import struct
import sys

import make_captures as make
from make_captures import (ACK, CWR, ECE, FIN, GRE, ESP, ICMP, ICMP6, MPLS, NS, PPPOE, PSH, QINQ, RST, SCTP, SYN, T0, T0_600, TCP, UDP, UDPLITE,
                           DCCP, URG, VLAN, Count, Packet, frame, ip4, ip6, ns, ping, tcp, tcp_packet, udp, udp_packet)

A, B, C = make.A, make.B, make.C
A6, B6 = make.A6, make.B6
DEFAULT, GOLDEN = make.DEFAULT, make.GOLDEN
LOCAL = ("10.0.0.0/8", "2001:db8::/48")
EXAMPLES = "Amazon VPC User Guide, Flow log record examples"
RECORDS = "Amazon VPC User Guide, Flow log records"
STAMPS = bytes.fromhex("0101080a0000000100000000")  # a data segment's TCP options, 12 bytes: timestamps
SYN_OPTIONS = bytes.fromhex("020405b40402080a00000001000000000103") + b"\x03\x07"  # a SYN's, 20 bytes
MSS_ONLY = bytes.fromhex("020405b4")


def cut(packets, size):
    """Frames cut at `size` bytes by the capture: they count by their headers."""
    return [p._replace(data=p.data[:size]) for p in packets]


def merged(*streams):
    return sorted((p for s in streams for p in s), key=lambda p: p.ns)


def segments(src, dst, sport, dport, flags, count, total, start, end, order=0):
    """`count` TCP packets of `total` bytes, the first at `start` with these flags, the last at `end`: a first one with SYN has 20 bytes
    of options, all others timestamps, and payload makes up the sum, 1448 at most each. `order` tells flows of one second apart."""
    ip = make.ip_size(src)
    first = ip + 20 + (20 if flags & SYN else 12)
    payload = total - first - (count - 1) * (ip + 20 + 12)
    assert 0 <= payload <= 1448 * (count - 1)
    packets = [tcp_packet(ns(start, order), src, dst, sport, dport, flags, 0, SYN_OPTIONS if flags & SYN else STAMPS)]
    for i in range(1, count):
        size = min(payload, 1448)
        payload -= size
        packets.append(tcp_packet(ns(start, order) + (end - start) * NS * i // (count - 1), src, dst, sport, dport,
                                  PSH | ACK if size else ACK, size, STAMPS))
    assert sum(p.what.bytes for p in packets) == total and packets[-1].ns // NS == end
    return packets


class Case:
    """packets and what is asked of the sensor; said: values given to it, identity: as they are printed; published: lines
    of the expected output as Amazon published them."""

    def __init__(self, name, packets, covers, source, fields=GOLDEN, window=60, local=(), said=None, identity=None, published=(),
                 compare="lines", pcap=make.pcap):
        self.name, self.packets, self.pcap = name, packets, pcap
        self.about = {"name": name, "covers": covers, "source": source, "fields": fields, "window": window, "local": list(local),
                      "values": said or identity or {}, "published": len(published), "compare": compare}
        self.expected = make.expected(packets, fields, window, identity, local)
        for line in published:
            assert line in self.expected.splitlines(), f"{name}: not what was published: {line}\n{self.expected}"


# ---- Amazon's published examples ----------------------------------------------------------------------

TCP_FLAGS_FORMAT = ("version vpc-id subnet-id instance-id interface-id account-id type srcaddr dstaddr srcport dstport pkt-srcaddr "
                    "pkt-dstaddr protocol bytes packets start end action tcp-flags log-status")
EXAMPLE = {"vpc-id": "vpc-abcdefab012345678", "subnet-id": "subnet-aaaaaaaa012345678", "instance-id": "i-01234567890123456",
           "interface-id": "eni-1235b8ca123456789", "account-id": "123456789010"}
OWNER = {n: EXAMPLE[n] for n in ("account-id", "interface-id")}


def amazon():
    outside, inside = "203.0.113.12", "172.31.16.139"
    requests = [ping(ns(t), outside, inside) for t in (1432917027, 1432917028, 1432917029, 1432917142)]  # 4 x (20 + 8 + 56) = 336
    replies = [ping(ns(t, 1), inside, outside, reply=True) for t in (1432917094, 1432917095, 1432917096, 1432917142)]
    yield Case("aws-ping", merged(requests, replies), "ICMP echo: 4 packets of 84 bytes, 336; ports 0 0. (Amazon's example has the reply refused by a network "
               "ACL: REJECT. No capture shows that.)", EXAMPLES + ": Security group and network ACL rules", DEFAULT, 600, identity=OWNER,
               published=("2 123456789010 eni-1235b8ca123456789 203.0.113.12 172.31.16.139 0 0 1 4 336 1432917027 1432917142 ACCEPT OK",))
    yield Case("aws-ssh", cut(segments(inside, "172.31.16.21", 20641, 22, SYN, 20, 4249, 1418530010, 1418530070), 96),
               "20 packets, 4249 bytes", EXAMPLES + ": Accepted and rejected traffic", DEFAULT, 600, identity=OWNER,
               published=("2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK",))
    a, b = "2001:db8:1234:a100:8d6e:3477:df66:f105", "2001:db8:1234:a102:3304:8879:34cf:4071"
    yield Case("aws-ipv6", cut(segments(a, b, 34892, 22, SYN, 54, 8855, 1477913708, 1477913820), 96), "IPv6: 54 packets, 8855 bytes",
               EXAMPLES + ": IPv6 traffic", DEFAULT, 600, identity=OWNER,
               published=(f"2 123456789010 eni-1235b8ca123456789 {a} {b} 34892 22 6 54 8855 1477913708 1477913820 ACCEPT OK",))
    far, near, span = "52.213.180.42", "10.0.0.62", (1566848875, 1566848933)
    flows = [segments(far, near, 43416, 5001, SYN, 8, 568, *span, 0), segments(near, far, 5001, 43416, SYN | ACK, 7, 376, *span, 1),
             segments(far, near, 43418, 5001, SYN, 70, 100701, *span, 2), segments(near, far, 5001, 43418, SYN | ACK, 12, 632, *span, 3)]
    head = "3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 "
    yield Case("aws-tcp-flags", cut(merged(*flows), 96), "TCP flags of connections that go on: SYN 2, SYN-ACK 18. 632 = 60 + 11 x 52 exactly",
               EXAMPLES + ": TCP flag sequence", TCP_FLAGS_FORMAT, 600, identity=EXAMPLE, published=tuple(head + line for line in (
                   "52.213.180.42 10.0.0.62 43416 5001 52.213.180.42 10.0.0.62 6 568 8 1566848875 1566848933 ACCEPT 2 OK",
                   "10.0.0.62 52.213.180.42 5001 43416 10.0.0.62 52.213.180.42 6 376 7 1566848875 1566848933 ACCEPT 18 OK",
                   "52.213.180.42 10.0.0.62 43418 5001 52.213.180.42 10.0.0.62 6 100701 70 1566848875 1566848933 ACCEPT 2 OK",
                   "10.0.0.62 52.213.180.42 5001 43418 10.0.0.62 52.213.180.42 6 632 12 1566848875 1566848933 ACCEPT 18 OK")))
    last = segments(near, far, 5001, 43418, ACK, 1218, 1218 * 52, T0, T0 + 58) + [tcp_packet(ns(T0 + 59), near, far, 5001, 43418, FIN | ACK, 0, STAMPS)]
    yield Case("aws-tcp-last", cut(last, 54), "the end of that connection: 1219 packets of 52 bytes, 63388, FIN 1 (times are ours)",
               EXAMPLES + ": TCP flag sequence")
    client, server = "10.20.33.164", "10.40.2.236"
    ids = {"interface-id": "eni-33333333333333333", "account-id": "123456789010", "vpc-id": "vpc-abcdefab012345678",
           "subnet-id": "subnet-22222222bbbbbbbbb", "instance-id": "i-01234567890123456"}
    head = "3 eni-33333333333333333 123456789010 vpc-abcdefab012345678 subnet-22222222bbbbbbbbb i-01234567890123456 "
    yield Case("aws-tcp-short", make.connection(ns(T0), client, server, 39812, 80, [100], [200]), "a whole connection in one window: client 3, server 19",
               EXAMPLES + ": Traffic through a transit gateway",
               "version interface-id account-id vpc-id subnet-id instance-id srcaddr dstaddr srcport dstport protocol tcp-flags type pkt-srcaddr "
               "pkt-dstaddr action log-status", identity=ids, published=(
                   head + "10.20.33.164 10.40.2.236 39812 80 6 3 IPv4 10.20.33.164 10.40.2.236 ACCEPT OK",
                   head + "10.40.2.236 10.20.33.164 80 39812 6 19 IPv4 10.40.2.236 10.20.33.164 ACCEPT OK"))
    t = ns(T0 + 7)
    scans = [tcp_packet(t, B, A, 52284, 23, SYN), tcp_packet(t + 1, C, A, 40000, 8080, SYN, 0, MSS_ONLY)]
    windows = [ping(t + 2 + i, "203.0.113.20", A, 32) for i in range(2)] + [ping(t + 9, "203.0.113.21", A, 32)]
    yield Case("padding", scans + windows, "scanners' SYNs count 40 bytes, with an MSS option 44, Windows' ping 60: never the 46 and more of the padded "
               "Ethernet payload", "records of real scans (`6 1 40`, `6 1 44`, `1 1 60`, `1 2 120`): IP total length")


# ---- protocols, ports, lengths --------------------------------------------------------------------------

def tcp_flags():
    """Each row of the table, a flow each; ACK counts only beside SYN."""
    rows = ((ACK,), (PSH | ACK, ACK), (SYN,), (SYN | ECE | CWR,), (SYN | ACK,), (SYN | ACK | ECE,), (FIN | ACK,), (FIN | PSH | ACK,), (RST | ACK,), (RST,),
            (SYN, ACK, FIN | ACK), (SYN | ACK, ACK, FIN | ACK), (SYN, RST), (ACK, FIN | ACK, ACK), (PSH | ACK | URG, ACK), (0,))
    return [tcp_packet(ns(T0 + i, k), A, B, 40000 + i, 443, flags) for i, row in enumerate(rows) for k, flags in enumerate(row)]


def ports():
    """Port 0 is a port; what has none is told by its protocol."""
    t = ns(T0 + 1)
    return [tcp_packet(t, B, A, 0, 80, SYN), tcp_packet(t + 1, A, B, 80, 0, RST | ACK), udp_packet(t + 2, B, A, 0, 0, 4), udp_packet(t + 3, B, A, 65535, 1, 4),
            udp_packet(t + 4, A6, B6, 0, 65535, 4), ping(t + 5, B, A)]


def portless():
    t = ns(T0 + 2)
    ah = struct.pack(">BBHII", TCP, 4, 0, 1, 1) + b"\0" * 12
    inner = ip4("192.0.2.1", "192.0.2.2", UDP, udp(1, 2, b""))  # 28 bytes
    inner6 = ip6("2001:db8::1", "2001:db8::2", UDP, udp(1, 2, b""))  # 48 bytes
    return [frame(t, A, B, GRE, b"\0\0\x08\0" + inner, 20 + 4 + 28), frame(t + 1, A, B, ESP, b"\0" * 33, 20 + 33),
            frame(t + 2, A, B, 51, ah + tcp(1, 2, SYN, b""), 20 + 24 + 20), frame(t + 3, A, "224.0.0.22", 2, b"\x22" + b"\0" * 15, 20 + 16),
            frame(t + 4, A, B, 4, inner, 20 + 28), frame(t + 5, A, B, 41, inner6, 20 + 48), frame(t + 6, A6, B6, ESP, b"\0" * 40, 40 + 40),
            frame(t + 7, A6, B6, 4, inner, 40 + 28), frame(t + 8, A, B, 255, b"\0" * 8, 20 + 8), frame(t + 9, A, B, 89, b"\2" * 44, 20 + 44)]


def other_ports():
    t = ns(T0 + 3)
    return [frame(t, A, B, SCTP, struct.pack(">HHII", 3868, 3869, 1, 0) + b"\0" * 16, 20 + 12 + 16, 3868, 3869),
            frame(t + 1, A6, B6, UDPLITE, struct.pack(">HHHH", 7, 8, 8, 0) + b"l" * 9, 40 + 8 + 9, 7, 8),
            frame(t + 2, A6, B6, DCCP, struct.pack(">HH", 21, 22) + b"\0" * 12, 40 + 16, 21, 22)]


def icmp():
    t = ns(T0 + 4)
    quoted = ip4(A, B, UDP, udp(33434, 33435, b""))
    p = []
    for i in range(3):
        p += [ping(t + i * NS, A, B), ping(t + i * NS + 1, B, A, reply=True)]
    # An error is of its sender's flow, whatever it quotes; type and code are recorded nowhere.
    return p + [frame(t + 4 * NS, C, A, ICMP, bytes.fromhex("0303000000000000") + quoted, 20 + 8 + 28), ping(t + 5 * NS, C, A)]


def icmp6():
    t = ns(T0 + 5)
    return [ping(t, A6, B6), ping(t + 1, B6, A6, reply=True), ping(t + 2, A6, B6, 1200),
            frame(t + 3, "fe80::1", "ff02::1:ff00:5", ICMP6, struct.pack(">BBHI", 135, 0, 0, 0) + b"\x20\x01" * 8, 40 + 24)]


def addresses():
    """RFC 5952, section 4; of IPv6 Amazon shows no address with a run of zeros."""
    t = ns(T0 + 6)
    pairs = (("::1", "1::"), ("2001:db8::1", "2001:db8:0:1:1:1:1:1"), ("2001:0:0:1::1", "2001:db8::1:0:0:1"), ("2001:db8::abcd", "::"),
             ("ff02::fb", "fe80::200:ff:fe00:1"))
    return [udp_packet(t + i, a, b, 1, 2, 3) for i, (a, b) in enumerate(pairs)] + [udp_packet(t + 9, "0.0.0.0", "255.255.255.255", 68, 67, 300)]


def ip_options():
    """IPv4 options and IPv6 extension headers are bytes of the packet and hide neither protocol nor ports."""
    t = ns(T0 + 7)
    p = [udp_packet(t, A, B, 100, 200, 30, options=b"\x94\x04\0\0"), udp_packet(t + 1, A, B, 100, 201, 30, options=b"\x01" * 40),
         tcp_packet(t + 2, A, B, 100, 202, SYN, 0, b"\x01" * 40)]
    hop, dest, route = struct.pack(">BB6x", 60, 0), struct.pack(">BB14x", 43, 1), struct.pack(">BB6x", UDP, 0)
    chain = frame(t + 3, A6, B6, 0, hop + dest + route + udp(300, 400, b"v" * 64), 40 + 8 + 16 + 8 + 8 + 64)
    return p + [chain._replace(what=chain.what._replace(sport=300, dport=400, proto=UDP))]


def fragments():
    """The first fragment has the ports, all others are recorded under 0 0: two records of one datagram. Flags likewise."""
    t = ns(T0 + 8)
    whole = udp(111, 222, b"f" * 3000)  # 3008
    p = [frame(t, A, B, UDP, whole[:1480], 20 + 1480, 111, 222, more=True),
         frame(t + 1, A, B, UDP, whole[1480:2960], 20 + 1480, fragment=1480, more=True),
         frame(t + 2, A, B, UDP, whole[2960:], 20 + 48, fragment=2960)]
    whole = tcp(80, 81, SYN, b"f" * 100)
    p += [frame(t + 3, B, A, TCP, whole[:24], 20 + 24, 80, 81, SYN, more=True), frame(t + 4, B, A, TCP, whole[24:], 20 + 96, fragment=24)]
    whole = udp(333, 444, b"s" * 1500)  # 1508
    for i, (offset, more) in enumerate(((0, 1), (1232, 0))):
        part = whole[offset:offset + 1232] if more else whole[offset:]
        packet = frame(t + 5 + i, A6, B6, 44, struct.pack(">BBHI", UDP, 0, offset | more, 5) + part, 40 + 8 + len(part))
        what = packet.what._replace(proto=UDP, sport=0 if offset else 333, dport=0 if offset else 444)
        p.append(packet._replace(what=what))
    return p


def lengths():
    """No payload; jumbo frames; frames cut by the capture; lengths of 0, as offloaded captures have them: what was on the wire counts."""
    t = ns(T0 + 9)
    p = [udp_packet(t, A, B, 1, 1, 0), udp_packet(t + 1, A6, B6, 1, 1, 0), tcp_packet(t + 2, A, B, 1, 2, ACK), frame(t + 3, A, B, 253, b"", 20)]
    p += cut([udp_packet(t + 4, A, B, 1, 3, 8973), tcp_packet(t + 5, A6, B6, 1, 4, PSH | ACK, 8941)], 80)  # 9001 each
    zero = [frame(t + 6, A, B, TCP, tcp(1, 5, ACK, b"z" * 3000), 20 + 20 + 3000, 1, 5, total=0),
            frame(t + 7, A6, B6, TCP, tcp(1, 5, ACK, b"z" * 3000), 40 + 20 + 3000, 1, 5, length=0)]
    return p + cut(zero, 80)


def tags():
    t = ns(T0 + 10)
    p = [udp_packet(t, A, B, 1000, 2000, 100, tags=[(VLAN, 7)]), udp_packet(t + 1, A, B, 1000, 2000, 100),
         tcp_packet(t + 2, A6, B6, 1000, 2000, SYN, tags=[(QINQ, 5), (VLAN, 0x6007)]), ping(t + 3, A, B, tags=[(VLAN, n) for n in range(3)]),
         make.arp(t + 4, tags=[(VLAN, 7)])]
    label = struct.pack(">II", 16 << 12 | 64, 17 << 12 | 1 << 8 | 64)
    data = make.ethernet(MPLS, label + ip4(B, A, UDP, udp(9, 10, b"x" * 50)))
    p += [Packet(t + 5, data, len(data), Count(B, A, 9, 10, UDP, 20 + 8 + 50, 0))]
    inner = ip6(B6, A6, UDP, udp(9, 10, b"x" * 50))
    data = make.ethernet(PPPOE, struct.pack(">BBHHH", 0x11, 0, 1, len(inner) + 2, 0x0057) + inner)
    return p + [Packet(t + 6, data, len(data), Count(B6, A6, 9, 10, UDP, 40 + 8 + 50, 0))]


def raw():
    """Link type 101: the packet without a frame."""
    packets = [udp_packet(ns(T0 + 11), A, B, 1, 2, 3), tcp_packet(ns(T0 + 11, 1), A6, B6, 1, 2, SYN), ping(ns(T0 + 11, 2), B, A)]
    sizes = (20 + 8 + 3, 40 + 20, 20 + 8 + 56)
    return [p._replace(data=p.data[14:14 + n], wire=n) for p, n in zip(packets, sizes)]


def cooked():
    """Link type 113: Linux's cooked header, 16 bytes."""
    out = []
    for p in (udp_packet(ns(T0 + 12), A, B, 1, 2, 300), tcp_packet(ns(T0 + 12, 1), A6, B6, 1, 2, SYN)):
        data = struct.pack(">HHH8x", 0, 1, 6) + p.data[12:]
        out.append(p._replace(data=data, wire=len(data)))
    return out


# ---- windows ----------------------------------------------------------------------------------------------

def edges(start, length):
    """The last nanosecond of a window and the first of the next."""
    return [udp_packet(ns(start + at, nanos), *pair, 10) for at, nanos in
            ((0, 0), (length - 1, NS - 1), (length, 0), (2 * length - 1, 999_999_999)) for pair in ((A, B, 1, 2), (B, A, 2, 1))]


def long_connection():
    return make.connection(ns(T0 + 50), A6, B6, 50000, 8443, [100] * 10, [300] * 10, step=2 * NS)


def late():
    """Back and forth inside a window: start is the least stamp, end the greatest."""
    return [udp_packet(ns(T0 + at), *pair, at) for at in (30, 10, 59, 0, 20) for pair in ((A, B, 1, 2), (C, A, 3, 4))]


def very_late():
    return [udp_packet(ns(T0 + at), A, B, 1, 2, at) for at in (10, 70, 20, 130, 75, 5, 131, 64)]


def reused():
    """Two connections of the same ports in one window are one flow."""
    return make.connection(ns(T0 + 1), A, B, 40000, 80, [10], [20]) + make.connection(ns(T0 + 30), A, B, 40000, 80, [30], [40])


def silence():
    return [p for minute in (0, 1, 3, 7, 8) for p in (udp_packet(ns(T0 + 60 * minute), A, B, 10, 20, 100), udp_packet(ns(T0 + 60 * minute + 59), B, A, 20, 10, 50))]


def formats():
    return make.connection(ns(T0 + 1), A, B, 40000, 443, [100], [200]) + [
        ping(ns(T0 + 200), B6, A6), udp_packet(ns(T0 + 201), B, A, 9, 9, 9), udp_packet(ns(T0 + 202), C, B, 9, 9, 9)]


def not_recorded():
    return make.not_ip() + [p for p in make.malformed() if p.what == "malformed"]


# ---- all of it --------------------------------------------------------------------------------------------

def cases():
    unconfirmed = "not documented by Amazon: by analogy"
    yield from amazon()
    yield Case("tcp-flags", tcp_flags(), "each documented combination of TCP flags", RECORDS + ": tcp-flags")
    yield Case("connection", make.connection(ns(T0), A, B, 40000, 443, [517, 1000], [1460, 1460, 99]), "both directions of a connection, MSS-sized data", RECORDS)
    yield Case("udp", make.udp_both(), "UDP, both directions, broadcast, no payload", RECORDS)
    yield Case("icmp", icmp(), "echo and an error: ports 0 0", EXAMPLES + ": ping")
    yield Case("icmpv6", icmp6(), "echo, neighbour solicitation: ports 0 0 (Amazon may leave neighbour discovery out)", unconfirmed + " with ICMP")
    yield Case("port-0", ports(), "port 0 of TCP and UDP is told from no port by the protocol alone", "reports of real records with port 0")
    yield Case("portless", portless(), "GRE, ESP, AH, IGMP, IPIP, 6in4, OSPF and unassigned numbers: ports 0 0, the outer header counts", unconfirmed + " with ICMP")
    yield Case("other-ports", other_ports(), "ports of SCTP, UDP-Lite and DCCP", unconfirmed + " with TCP")
    yield Case("ipv6-text", addresses(), "addresses in the text of RFC 5952", "RFC 5952, section 4; " + unconfirmed)
    yield Case("ip-options", ip_options(), "IPv4 options, IPv6 extension headers, TCP options", "bytes are IP total lengths (aws-tcp-flags); " + unconfirmed)
    yield Case("fragments", fragments(), "IPv4 and IPv6 fragments: only the first has ports and flags", unconfirmed + ": the others have no ports to record")
    yield Case("lengths", lengths(), "no payload, jumbo frames, frames cut by the capture, lengths of 0", "bytes are IP total lengths (aws-tcp-flags); RFC 791, RFC 8200")
    yield Case("tags", tags(), "VLAN, QinQ, MPLS, PPPoE: no byte of them counts, and they tell no flows apart", "bytes are IP total lengths (aws-tcp-flags)")
    yield Case("link-raw", raw(), "link type 101, raw IP", "tcpdump.org, link-layer header types", pcap=lambda p: make.pcap(p, link=101))
    yield Case("link-cooked", cooked(), "link type 113, Linux cooked", "tcpdump.org, link-layer header types", pcap=lambda p: make.pcap(p, link=113))
    yield Case("big-endian-ns", tcp_flags(), "a capture file of the other byte order, with nanoseconds", "IETF draft-ietf-opsawg-pcap", DEFAULT,
               pcap=lambda p: make.pcap(p, ">", nano=True))
    yield Case("not-recorded", not_recorded(), "ARP, spanning tree, LLDP, PPPoE discovery, pseudo-wires and broken headers give no record", "Flow Logs are of IP traffic")
    yield Case("edges-60", edges(T0, 60), "windows of 60 s, aligned; the last nanosecond of one and the first of the next", "a choice: Amazon's windows are not aligned",
               pcap=lambda p: make.pcap(p, nano=True))
    yield Case("edges-600", edges(T0_600, 600), "windows of 600 s", "a choice: Amazon's windows are not aligned", window=600, pcap=lambda p: make.pcap(p, nano=True))
    yield Case("long-connection", long_connection(), "a connection over two windows: SYN only in the first, FIN only in the last", RECORDS + ": tcp-flags")
    yield Case("reused-ports", reused(), "two connections of the same ports in one window are one record each way", RECORDS + ": a record is a 5-tuple in a window")
    yield Case("late", late(), "stamps that run back inside a window", RECORDS + ": start and end")
    yield Case("very-late", very_late(), "stamps that run back over windows' ends: any number of lines, but the sums of each window", "a choice", compare="sums")
    yield Case("nodata", silence(), "silence between packets: NODATA from the end of the last window to the begin of the next one with packets", RECORDS +
               ": log-status; that one line spans it is a choice", DEFAULT, identity=OWNER)
    f = formats()
    yield Case("format-3", f, "a custom format of version 3, with NODATA", RECORDS + ": Custom format", "type tcp-flags dstaddr srcaddr subnet-id version log-status",
               identity=EXAMPLE)
    yield Case("format-5-direction", f, "flow-direction by the addresses that are this machine's", RECORDS, "version flow-direction srcaddr dstaddr traffic-path",
               local=LOCAL)
    for version, names in ((2, "end start bytes packets version"), (4, "region az-id sublocation-type sublocation-id version srcaddr log-status"),
                           (5, "version traffic-path pkt-src-aws-service pkt-dst-aws-service log-status"),
                           (7, "ecs-cluster-arn ecs-task-id version ecs-service-name bytes"), (8, "reject-reason action version"),
                           (9, "resource-id version log-status"), (10, "encryption-status version protocol")):
        yield Case(f"format-{version}", f, f"`version` is {version}, the highest among the fields; what a host cannot know is -", RECORDS + ": Available fields",
                   names, said=make.ALL_SAID, identity=make.ALL_IDENTITY)
    every = list(make.FIELD_VERSIONS)
    for name, names in (("format-11", every), ("format-11-alphabetical", sorted(every)), ("format-11-reversed", every[::-1])):
        yield Case(name, f, f"all 54 fields, {name.partition('-11-')[2] or 'in the order of the versions'}; tags percent-encoded", RECORDS + ": Available fields",
                   " ".join(names), local=LOCAL, said=make.ALL_SAID, identity=make.ALL_IDENTITY)


def write(folder):
    os.makedirs(folder, exist_ok=True)
    index = []
    for case in cases():
        with open(os.path.join(folder, case.name + ".pcap"), "wb") as f:
            f.write(case.pcap(case.packets))
        with open(os.path.join(folder, case.name + ".expected"), "w", encoding="utf-8") as f:
            f.write(case.expected)
        index.append(case.about)
    with open(os.path.join(folder, "cases.json"), "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(json.dumps(about, ensure_ascii=False) for about in index) + "\n]\n")


if __name__ == "__main__":
    write(sys.argv[1])
