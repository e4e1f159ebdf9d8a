# SPDX-License-Identifier: Apache-2.0
"""Techniques by odd packets: tunnels and other protocols, segments, fragments and headers out of the ordinary, ports that pretend. See live.py."""
import socket
import struct

import frames
from frames import ACK, FIN, PSH, RST, SYN, TCP, UDP, URG
from live import MARK, live, outside_ping, ping
import payloads
from world import RESOLVER


# ---- segments ----

@live
def syn_with_data(room):
    room.frame(room.ip(TCP, frames.tcp(room.address, room.remote, 40001, 8080, SYN, MARK * 20)))


@live
def ack_only(room):
    for i in range(4):
        room.frame(room.ip(TCP, frames.tcp(room.address, room.remote, 40002, 443, PSH | ACK, MARK * 20, 1000 + 260 * i, 77)))


@live
def null_fin_xmas(room):
    for port, flags in ((1001, 0), (1002, FIN), (1003, FIN | PSH | URG)):
        room.frame(room.ip(TCP, frames.tcp(room.address, room.remote, 40003, port, flags)))


@live
def syn_ack_data(room):
    """As if the outside had asked."""
    for i in range(4):
        room.frame(room.ip(TCP, frames.tcp(room.address, room.remote, 40013, 40014, SYN | ACK, MARK * 20, 1000 + i, 77)))


@live
def rst_data(room):
    for i in range(4):
        room.frame(room.ip(TCP, frames.tcp(room.address, room.remote, 40015, 40016, RST | ACK, MARK * 20, 1000 + i, 77)))


@live
def ack_from_low_port(room):
    """The lower port looks like the server's."""
    for i in range(4):
        room.frame(room.ip(TCP, frames.tcp(room.address, room.remote, 80, 40017, PSH | ACK, MARK * 20, 1000 + 260 * i, 77)))


@live
def ack_from_served_port(room):
    """The same from a port that everybody may call."""
    for i in range(4):
        room.frame(room.ip(TCP, frames.tcp(room.address, room.remote, 443, 40018, PSH | ACK, MARK * 20, 1000 + 260 * i, 77)))


@live
def ack_unanswered(room):
    ack_from_served_port(room)


# ---- tunnels and other protocols ----

@live
def icmp_tunnel(room):
    ping(room, [frames.noise(900, i) for i in range(8)])


@live
def icmp6_tunnel(room):
    ping(room, [frames.noise(900, i) for i in range(8)])


@live
def icmp_tunnel_small(room):
    """Of ping's own size, its content aside."""
    ping(room, [frames.noise(frames.PING_SIZE, i) for i in range(20)])


@live
def icmp_other_type(room):
    for i in range(4):  # timestamp requests (RFC 792)
        room.raw(frames.ICMP, icmp(13, struct.pack(">HH", 1, i) + frames.noise(12, i)))


def icmp(kind, rest):
    data = struct.pack(">BBH", kind, 0, 0) + rest
    return data[:2] + struct.pack(">H", frames.make.checksum(data)) + data[4:]


@live
def icmp_answers(room):
    """Echo replies that nobody asked for."""
    for i in range(8):
        room.raw(frames.ICMP, frames.echo(room.address, room.remote, frames.noise(900, i), number=i, reply=True))


@live
def icmp_errors(room):
    """Errors about nothing, with data where the quoted packet stands."""
    for i in range(8):
        room.raw(frames.ICMP, icmp(3, struct.pack(">BHI", 3, 0, 0)[1:5] + frames.noise(500, i)))


@live
def icmp_behind_allowed_ping(room):
    """The intruder's machine may ping this one; then this one's pings carry data to it."""
    outside_ping(room)
    ping(room, [frames.noise(900, i) for i in range(8)])


@live
def gre(room):
    room.raw(47, struct.pack(">HH", 0, 0x0800) + inner())


@live
def ipip(room):
    room.raw(4, inner())


@live
def six_in_four(room):
    room.raw(41, frames.ip("2001:db8::1", "2001:db8::2", UDP, frames.udp("2001:db8::1", "2001:db8::2", 1, 2, MARK)))


@live
def sctp(room):
    room.raw(132, struct.pack(">HHII", 5000, 5001, 0, 0) + b"\1\0\0\24" + b"\0" * 16)


@live
def esp(room):
    room.raw(50, struct.pack(">II", 1, 1) + frames.noise(64))


@live
def udplite(room):
    room.raw(136, struct.pack(">HHHH", 5002, 5003, 8, 0) + MARK)


@live
def unassigned_protocol(room):
    room.raw(200, MARK)


@live
def experimental_protocol(room):
    room.raw(253, MARK)


@live
def vxlan(room):
    room.datagrams(4789, [bytes.fromhex("0800000000002a00") + b"\2" * 14 + inner()], reply=None)


def inner():
    return frames.ip("10.1.1.1", "10.2.2.2", UDP, frames.udp("10.1.1.1", "10.2.2.2", 1000, 2000, MARK))


# ---- packets out of the ordinary ----

@live
def fragments(room):
    room.datagrams(9004, [b"f" * 4000], reply=None)


@live
def tiny_fragments(room):
    """The TCP header cut after its first 8 bytes (RFC 1858): the flags come in the second."""
    segment = frames.tcp(room.address, room.remote, 40004, 8444, SYN, MARK)
    room.frame(room.ip(TCP, segment[:8], more=True, ident=9))
    room.frame(room.ip(TCP, segment[8:], fragment=8, ident=9))


@live
def ports_in_second_fragment(room):
    """The first fragment is an extension header alone (forbidden by RFC 7112)."""
    datagram = frames.udp(room.address6, room.remote, 40005, 9005, MARK)
    chain = struct.pack(">BB", UDP, 0) + b"\1\4\0\0\0\0"  # destination options, padding only
    for offset, more, part in ((0, 1, chain), (8, 0, datagram)):
        head = struct.pack(">BBHI", 60, 0, offset | more, 7)
        room.frame(room.ip(44, head + part))


@live
def only_later_fragments(room):
    for i in range(4):
        room.frame(room.ip(UDP, MARK + b"\0" * 3, fragment=16 + 16 * i, ident=10 + i))


@live
def extension_headers(room):
    datagram = frames.udp(room.address6, room.remote, 40006, 9006, MARK)
    chain = struct.pack(">BB", 60, 0) + b"\1\4\0\0\0\0" + struct.pack(">BB", UDP, 1) + b"\x1e\x0c" + MARK[:12]
    room.frame(room.ip(0, chain + datagram))


@live
def ip_options(room):
    room.frame(room.ip(UDP, frames.udp(room.address, room.remote, 40007, 9007, MARK), options=b"\x44\x0c\x05\0" + b"\0" * 8))


@live
def low_ttl(room):
    s = room.own(socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
    s.sendto(MARK, (room.remote, 33434))


@live
def forged_source_address(room):
    src = "192.0.2.99"
    room.frame(room.ip(UDP, frames.udp(src, room.remote, 40008, 9008, MARK), src=src))


@live
def forged_source_mac(room):
    room.frame(room.ip(UDP, frames.udp(room.address, room.remote, 40009, 9009, MARK)), src=b"\x02\xde\xad\xbe\xef\x01")


@live
def vlan_tag(room):
    packet = room.ip(UDP, frames.udp(room.address, room.remote, 40010, 9010, MARK))
    room.frame(struct.pack(">HH", 100, 0x0800) + packet, ethertype=0x8100)


@live
def udp_port_zero(room):
    room.frame(room.ip(UDP, frames.udp(room.address, room.remote, 40011, 0, MARK)))


@live
def wrong_checksum(room):
    packet = room.ip(UDP, frames.udp(room.address, room.remote, 40012, 9012, MARK))
    room.frame(packet[:10] + b"\xde\xad" + packet[12:])


# ---- ports that pretend ----

@live
def source_port_53(room):
    room.datagrams(40053, sport=53)


@live
def source_port_123(room):
    room.datagrams(40123, sport=123)


@live
def source_port_443(room):
    room.listen(40443)
    room.exchange(40443, sport=443)


@live
def port_53_not_dns(room):
    room.datagrams(53, [frames.noise(400, i) for i in range(10)])


@live
def port_123_not_ntp(room):
    room.datagrams(123, [frames.noise(400, i) for i in range(10)])


@live
def ntp_elsewhere(room):
    room.datagrams(123, [payloads.ntp()], reply=payloads.ntp())


@live
def resolver_not_dns(room):
    s = room.own(socket.SOCK_DGRAM)
    for i in range(10):
        s.sendto(frames.noise(400, i), (RESOLVER, 53))
    return frames.noise(400, 9)


