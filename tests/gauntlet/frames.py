# SPDX-License-Identifier: Apache-2.0
"""Packets with right checksums and sequence numbers, whole enough for a router and a peer's kernel; and a capture file of them over time.

The IP headers and the file format are those of golden/make_captures.py; nothing comes from the programs under test.
"""
import ipaddress
import os
import random
import struct
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden"))
import make_captures as make  # noqa: E402

ICMP, IGMP, TCP, UDP, ICMP6 = 1, 2, 6, 17, 58
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
NS = 10**9
T0 = 1_780_012_800  # 29 May 2026, 00:00 UTC
PING_SIZE = 56


def noise(size, seed=1):
    """What looks like ciphertext, the same each time."""
    return random.Random(seed).randbytes(size)


def packed(address):
    return ipaddress.ip_address(address).packed


def summed(src, dst, proto, data, at):
    """`data` with the checksum at `at` filled in, pseudo-header included (RFC 768, RFC 8200 section 8.1)."""
    pseudo = packed(src) + packed(dst) + struct.pack(">IxxxB", len(data), proto)
    value = make.checksum(pseudo + data + b"\0" * (len(data) % 2)) or 0xffff
    return data[:at] + struct.pack(">H", value) + data[at + 2:]


def udp(src, dst, sport, dport, payload):
    return summed(src, dst, UDP, make.udp(sport, dport, payload), 6)


def tcp(src, dst, sport, dport, flags, payload=b"", seq=1000, ack=0, options=b""):
    head = struct.pack(">HHIIBBHHH", sport, dport, seq, ack, (5 + len(options) // 4) << 4, flags, 65535, 0, 0)
    return summed(src, dst, TCP, head + options + payload, 16)


def echo(src, dst, payload, ident=77, number=1, reply=False):
    if ":" in src:
        return summed(src, dst, ICMP6, struct.pack(">BBHHH", 129 if reply else 128, 0, 0, ident, number) + payload, 2)
    data = struct.pack(">BBHHH", 0 if reply else 8, 0, 0, ident, number) + payload
    return data[:2] + struct.pack(">H", make.checksum(data + b"\0" * (len(data) % 2))) + data[4:]


def ip(src, dst, proto, payload, **how):
    return make.l3(src, dst, proto, payload, **how)


class Capture:
    """A capture file in the making: what `local` sends and receives, at times in seconds from its start."""

    def __init__(self, local, remote):
        self.local, self.remote = local, remote
        self.packets = []
        self.random = random.Random(f"{local} {remote}")

    def put(self, second, packet, wire=None):
        """wire: bytes on the wire when fewer are kept."""
        data = make.ethernet(0x86dd if packet[0] >> 4 == 6 else 0x0800, packet)
        self.packets.append(make.Packet(T0 * NS + round(second * NS), data, wire + 14 if wire else len(data), ""))

    def udp(self, second, sport, dport, payload, back=None, remote=None, rtt=0.02):
        remote = remote or self.remote
        self.put(second, ip(self.local, remote, UDP, udp(self.local, remote, sport, dport, payload)))
        if back is not None:
            self.put(second + rtt, ip(remote, self.local, UDP, udp(remote, self.local, dport, sport, back)))

    def echo(self, second, payload, back=None, number=1):
        self.put(second, ip(self.local, self.remote, ICMP, echo(self.local, self.remote, payload, number=number)))
        if back is not None:
            self.put(second + 0.02, ip(self.remote, self.local, ICMP, echo(self.remote, self.local, back, number=number, reply=True)))

    def segment(self, second, there, sport, dport, flags, payload=b"", seq=0, ack=0):
        a, b, ap, bp = (self.local, self.remote, sport, dport) if there else (self.remote, self.local, dport, sport)
        self.put(second, ip(a, b, TCP, tcp(a, b, ap, bp, flags, payload, seq & 0xffffffff, ack & 0xffffffff)))

    def bytes(self):
        return make.pcap(sorted(self.packets, key=lambda p: p.ns), nano=True)


class Connection:
    """A TCP connection of a Capture, its sequence numbers kept."""

    def __init__(self, capture, second, sport, dport, rtt=0.02):
        self.c, self.sport, self.dport, self.rtt = capture, sport, dport, rtt
        self.seq = {True: 1000, False: 5000}
        self._put(second, True, SYN)
        self._put(second + rtt, False, SYN | ACK)
        self._put(second + rtt * 1.01, True, ACK)

    def _put(self, second, there, flags, payload=b""):
        self.c.segment(second, there, self.sport, self.dport, flags, payload, self.seq[there], self.seq[not there] if flags & ACK else 0)
        self.seq[there] += len(payload) + (1 if flags & (SYN | FIN) else 0)

    def say(self, second, payload, back=b""):
        """Sent and acknowledged, with what comes back; at most a segment each."""
        self._put(second, True, PSH | ACK, payload)
        self._put(second + self.rtt, False, PSH | ACK if back else ACK, back)
        if back:
            self._put(second + self.rtt * 1.01, True, ACK)

    def end(self, second):
        self._put(second, True, FIN | ACK)
        self._put(second + self.rtt, False, FIN | ACK)
        self._put(second + self.rtt * 1.01, True, ACK)
