#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_names.py BUILD_DIR   Names live: what a machine asks and is answered over a link, in frames longer than what is kept of others."""
import json
import os
import socket
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), part) for part in ("lib", "golden")]
import net  # noqa: E402
import run_names as golden  # noqa: E402  (tests/golden: the makers of messages)
from harness import Daemon, Tap, equal, folder, match, write  # noqa: E402

CLIENT, SERVER, METADATA = "10.7.0.5", "10.7.0.2", "169.254.169.254"
TEXT = b"\xff" + b"t" * 255
POLICY = b'expect out udp+tcp 53 to 10.7.0.0/16\nwatch out tcp 80 to 169.254.169.254\nexpect out tcp 443 to name www.example.com as "by-name"\n'


def big_hello(name, padding):
    """A ClientHello whose server name comes after so much padding (RFC 7685)."""
    sni = struct.pack(">HBH", len(name) + 3, 0, len(name)) + name
    ext = struct.pack(">HH", 21, padding) + b"\0" * padding + struct.pack(">HH", 0, len(sni)) + sni
    body = b"\3\3" + b"R" * 32 + b"\0" + b"\0\2\x13\1" + b"\1\0" + struct.pack(">H", len(ext)) + ext
    body = b"\1" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\3\1" + struct.pack(">H", len(body)) + body


def take(s, n):
    got = b""
    while len(got) < n:
        part = s.recv(n - len(got))
        if not part:
            raise AssertionError(f"the connection ended after {len(got)} of {n} bytes")
        got += part
    return got


def dns(ns, kind):
    """A query and an answer of 1,000 bytes; over TCP the client reads it all."""
    query = golden.message(7, b"big.example.com", golden.TXT)
    reply = golden.message(7, b"big.example.com", golden.TXT, [(b"big.example.com", golden.TXT, TEXT * 3), (b"big.example.com", golden.TXT, b"\3end")])
    with net.sock(ns.names2, socket.AF_INET, kind) as server, net.sock(ns.names1, socket.AF_INET, kind) as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((SERVER, 53))
        for s in (server, client):
            s.settimeout(10)
        if kind == socket.SOCK_DGRAM:
            client.sendto(query, (SERVER, 53))
            _, peer = server.recvfrom(2000)
            server.sendto(reply, peer)
            equal(client.recv(2000), reply, "reply")
            return
        server.listen(1)
        client.connect((SERVER, 53))
        with server.accept()[0] as s:
            client.sendall(struct.pack(">H", len(query)) + query)
            take(s, 2 + len(query))
            s.sendall(struct.pack(">H", len(reply)) + reply)
            take(client, 2 + len(reply))


def say(ns, address, port, data):
    """What the client says first on a connection."""
    with net.sock(ns.names2, socket.AF_INET, socket.SOCK_STREAM) as server, net.sock(ns.names1, socket.AF_INET, socket.SOCK_STREAM) as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen(1)
        for s in (server, client):
            s.settimeout(10)
        client.connect((address, port))
        with server.accept()[0] as s:
            s.settimeout(10)
            client.sendall(data)
            take(s, len(data))


def live(ns, d):
    log, policy = os.path.join(d, "dns.log"), write(os.path.join(d, "policy"), POLICY)
    token = f"PUT /latest/api/token HTTP/1.1\r\nHost: {METADATA}\r\nX-Long: {'x' * 600}\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n".encode()
    with Daemon("flowproof-sensor", "-i", "n1", "-o", "-", "-F", "dstaddr dstport protocol fp-verdict", "-p", policy, "--dns-log", log,
                "--field", "n1:instance-id=i-live", prefix=net.prefix(ns.names1)) as sensor:
        sensor.wait_for("watching n1", "err")
        dns(ns, socket.SOCK_DGRAM)
        dns(ns, socket.SOCK_STREAM)
        say(ns, METADATA, 80, token)
        say(ns, SERVER, 443, big_hello(b"www.example.com", 1000))
        result = sensor.stop()
    result.expect(0)
    with open(log, encoding="ascii") as f:
        lines = [json.loads(line) for line in f]
    text = '"' + "t" * 255 + '"'
    equal([(x["query_name"], x["query_type"], x["rcode"], x["srcaddr"], x["transport"], x["srcids"]) for x in lines],
          [("big.example.com.", "TXT", "NOERROR", CLIENT, transport, {"instance": "i-live"}) for transport in ("UDP", "TCP")], "DNS log")
    equal([x["answers"][-1]["Rdata"] for x in lines], ['"end"'] * 2, "what stands at the end of the answers")
    equal([x["answers"][0]["Rdata"] for x in lines], [text[:255]] * 2, "a text that is cut")
    told = golden.counted(result.err)
    equal({k: told.get(k, "0") for k in ("dns-queries", "dns-responses", "dns-cut", "dns-unasked", "tls", "tls-unread", "http", "http-unread", "metadata")},
          {"dns-queries": "2", "dns-responses": "2", "dns-cut": "0", "dns-unasked": "0", "tls": "1", "tls-unread": "0", "http": "1", "http-unread": "0",
           "metadata": "1"}, "counts")
    verdicts = {tuple(line.split()[:3]): line.split()[3] for line in result.out.splitlines()[1:]}
    equal(verdicts[SERVER, "443", "6"], "expected", "a name in the 1,000th byte")
    match(r"alerts: 0$", result.err, "alerts")


def main():
    net.need_root("netns/run_names")
    tap = Tap()
    with net.Namespaces("names1", "names2") as ns, folder() as d:
        net.veth(ns.names1, "n1", [CLIENT + "/24"], ns.names2, "n2", [SERVER + "/24", METADATA + "/32"])
        net.ip_batch(ns.names1, f"route add {METADATA}/32 dev n1")
        with tap.case("a link: long answers, a ClientHello of 1,100 bytes, a request for a token"):
            live(ns, d)
    tap.done()


if __name__ == "__main__":
    main()
