# SPDX-License-Identifier: Apache-2.0
"""What the techniques put into their packets: DNS messages by hand (RFC 1035), ClientHellos by OpenSSL, a QUIC Initial (RFC 9000)."""
import base64
import ipaddress
import random
import ssl
import struct

import frames

A, CNAME, NULL, PTR, MX, TXT, AAAA = 1, 5, 10, 12, 15, 16, 28


def name(text):
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in text.split(".") if label) + b"\0"


def query(text, qtype=A, ident=1):
    return struct.pack(">HHHHHH", ident, 0x0100, 1, 0, 0, 0) + name(text) + struct.pack(">HH", qtype, 1)


def question(message):
    """(name, type, end of the question) of a query made here or by a resolver's client."""
    labels, at = [], 12
    while size := message[at]:
        labels.append(message[at + 1:at + 1 + size].decode("latin-1"))
        at += 1 + size
    return ".".join(labels), struct.unpack_from(">H", message, at + 1)[0], at + 5


def rdata(qtype, seed, zone=None):
    """An answer as a resolver would give it; `zone` holds addresses of known names."""
    if qtype == A:
        return ipaddress.ip_address(zone or f"192.0.2.{seed % 200 + 1}").packed
    if qtype == AAAA:
        return ipaddress.ip_address(f"2001:db8::{seed % 9999 + 1}").packed
    if qtype in (CNAME, PTR):
        return name("k" + frames.noise(12, seed).hex() + ".back.example")
    if qtype == MX:
        return struct.pack(">H", 10) + name("m" + frames.noise(12, seed).hex() + ".back.example")
    if qtype == TXT:
        text = base64.b64encode(frames.noise(45, seed))
        return bytes([len(text)]) + text
    return frames.noise(40, seed)


def answer(message, zone=None, ttl=60):
    text, qtype, end = question(message)
    data = rdata(qtype, sum(text.encode("latin-1")), zone)
    return message[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + message[12:end] + \
        struct.pack(">HHHIH", 0xc00c, qtype, 1, ttl, len(data)) + data


ALPHABETS = {
    "base32": lambda data: base64.b32encode(data).decode().rstrip("=").lower(),
    "base64": lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
    "hex": bytes.hex,
}


def tunnel_names(data, domain, alphabet, per_query=90, label=60):
    """The names that carry `data` out, `per_query` bytes each."""
    out = []
    for i in range(0, len(data), per_query):
        text = ALPHABETS[alphabet](data[i:i + per_query])
        out.append(".".join([text[j:j + label] for j in range(0, len(text), label)] + [domain]))
    return out


def client_hello(sni=None, alpn=()):
    """The first flight of a real TLS client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=sni).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def quic_initial(seed=1):
    """1,200 bytes with the long header of a version 1 Initial; what follows is sealed, so it is noise."""
    r = random.Random(seed)
    dcid, scid = r.randbytes(8), r.randbytes(8)
    head = b"\xc3" + struct.pack(">I", 1) + bytes([8]) + dcid + bytes([8]) + scid + b"\0"
    rest = 1200 - len(head) - 2
    return head + struct.pack(">H", 0x4000 | rest) + r.randbytes(rest)


def ntp(second=0):
    return b"\x23" + b"\0" * 39 + struct.pack(">II", 0xe9000000 + second, 0)


def dhcp(mac, options=b""):
    """A DHCPREQUEST (RFC 2131)."""
    return struct.pack(">BBBBIHHIIII", 1, 1, 6, 0, 0x1234, 0, 0, 0, 0, 0, 0) + mac + b"\0" * 202 + \
        bytes.fromhex("63825363350103") + options + b"\xff"
