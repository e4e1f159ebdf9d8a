# SPDX-License-Identifier: Apache-2.0
"""Frames and protobuf by hand (proto/wire.h, proto/flowproof.proto): the other side of the wire, sharing no code with it."""
import hashlib
import socket
import ssl
import struct
import time

HELLO, WELCOME, BATCH, ACK, REFUSAL = 1, 2, 3, 4, 5


def varint(v):
    out = b""
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value) if value else b""
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def parse(message):
    """{field number: [values]}; raises on anything that is not protobuf of varints and byte strings."""
    ret, at = {}, 0

    def number():
        nonlocal at
        v = shift = 0
        while True:
            b = message[at]
            at += 1
            v |= (b & 127) << shift
            shift += 7
            if b < 128:
                return v

    while at < len(message):
        tag = number()
        if tag & 7 == 0:
            value = number()
        elif tag & 7 == 2:
            size = number()
            value = message[at:at + size]
            if len(value) != size:
                raise ValueError("protobuf: cut")
            at += size
        else:
            raise ValueError(f"protobuf: wire type {tag & 7}")
        ret.setdefault(tag >> 3, []).append(value)
    return ret


def frame(kind, message):
    return struct.pack(">IB", len(message) + 1, kind) + message


def hello(sensor, stream, protocol=1, window=60, certificate=None):
    """`certificate`: the PEM file that the connection uses too."""
    der = b""
    if certificate:
        with open(certificate, encoding="ascii") as f:
            der = ssl.PEM_cert_to_DER_cert(f.read())
    return b"".join((field(1, protocol), field(2, sensor), field(3, stream), field(4, "boot"), field(5, "test"),
                     field(6, b"\1" * 32), field(7, b"\2" * 32), field(8, field(1, "eth0")), field(10, time.time_ns()),
                     field(12, window), field(15, der)))


def batch(sequence, previous, goodbye=False):
    """An empty one."""
    return field(1, sequence) + field(2, previous) + field(3, time.time_ns()) + field(8, int(goodbye))


def chain_start(stream):
    return hashlib.sha256(stream).digest()


def connect(address, ca, cert=None, key=None, limit=10):
    """TLS as a client whose certificate may be missing. The server's name is not checked here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(ca)
    if cert:
        context.load_cert_chain(cert, key)
    host, port = address.rsplit(":", 1)
    raw = socket.create_connection((host.strip("[]"), int(port)), timeout=limit)
    try:
        return context.wrap_socket(raw)
    except BaseException:
        raw.close()
        raise


def read_frame(s):
    """(kind, message), or None when the peer closed."""
    def exactly(n):
        data = b""
        while len(data) < n:
            part = s.recv(n - len(data))
            if not part:
                return None
            data += part
        return data

    try:
        head = exactly(5)
        if not head:
            return None
        size, kind = struct.unpack(">IB", head)
        message = exactly(size - 1) if size > 1 else b""
    except (ssl.SSLError, ConnectionError):
        return None
    return None if message is None else (kind, message)
