# SPDX-License-Identifier: Apache-2.0
"""The network of the gauntlet: rooms - router - {outside, services, collector}, each a namespace.

A room is a machine of its own for one technique, with a sensor of its own, so that no technique is found by another's traffic. Outside is
every address that is not ours; 203.0.113.0/24 swallows what is sent there. The services are the resolver (VPC base + 2 and
169.254.169.253), metadata and time. A wire at the router's end of each room proves what has left it.
"""
import contextlib
import socket
import ssl
import struct
import threading
import time

from harness import Daemon, check
import frames
import net
import payloads

RESOLVER, RESOLVER_LINK, METADATA, TIME = "10.77.0.2", "169.254.169.253", "169.254.169.254", "169.254.169.123"
METADATA6, RESOLVER6 = "fd00:ec2::254", "fd00:ec2::253"
COLLECTOR = "10.77.3.2"
NAMES = ("router", "out", "svc", "col")
IP_FREEBIND, IPV6_FREEBIND = 15, 78
LIMIT_S = 60
ROLE = b'{"Code":"Success","AccessKeyId":"ASIA","SecretAccessKey":"x","Token":"y","Expiration":"2026-11-26T08:00:00Z"}'


def bound(namespace, address, port, kind):
    """A socket of an address that may be none of an interface."""
    six = ":" in address
    s = net.sock(namespace, socket.AF_INET6 if six else socket.AF_INET, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP, IPV6_FREEBIND if six else IP_FREEBIND, 1)
    s.settimeout(LIMIT_S)
    s.bind((address, port))
    return s


def serve(listener, handle):
    """Each connection in a thread, until the listener is shut down."""
    def one(conn):
        with conn, contextlib.suppress(OSError):
            conn.settimeout(LIMIT_S)
            handle(conn)

    def loop():
        while True:
            try:
                conn, _ = listener.accept()
            except socket.timeout:
                continue
            except OSError:
                return
            threading.Thread(target=one, args=(conn,), daemon=True).start()

    listener.listen(64)
    threading.Thread(target=loop, daemon=True).start()


def reply_once(conn, reply=b"r" * 200):
    """Reads what comes first, answers, and waits for the end."""
    if conn.recv(65536):
        conn.sendall(reply)
    while conn.recv(65536):
        pass


def swallow(conn):
    while conn.recv(1 << 16):
        pass


def exactly(conn, n):
    data = b""
    while len(data) < n:
        part = conn.recv(n - len(data))
        if not part:
            raise OSError("closed")
        data += part
    return data


def dns_over_tcp(conn):
    while True:
        message = exactly(conn, struct.unpack(">H", exactly(conn, 2))[0])
        reply = payloads.answer(message)
        conn.sendall(struct.pack(">H", len(reply)) + reply)


def metadata_http(conn):
    """Enough of the metadata service, one request a connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = conn.recv(65536)
        if not part:
            return
        data += part
    path = data.split(b" ")[1]
    body = b"TOKEN==" if path.endswith(b"/token") else b"app-role" if path.endswith(b"security-credentials/") else \
        ROLE if b"security-credentials" in path else b"value"
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)


def answer_datagrams(s, make_answer):
    def loop():
        while True:
            try:
                data, peer = s.recvfrom(65536)
            except socket.timeout:
                continue
            except OSError:
                return
            with contextlib.suppress(Exception):
                s.sendto(make_answer(data), peer)

    threading.Thread(target=loop, daemon=True).start()


class World:
    def __init__(self, ns, certificate):
        self.ns, self.certificate = ns, certificate
        for name, devices in (("out", ["10.77.1.2/24", "fd77:1::2/64"]), ("svc", [RESOLVER + "/24", "fd77::2/64"]), ("col", [COLLECTOR + "/24"])):
            number = {"out": 1, "svc": 0, "col": 3}[name]
            end = getattr(ns, name)
            router = [f"10.77.{number}.1/24"] + ([f"fd77:{number}::1/64" if number else "fd77::1/64"] if len(devices) > 1 else [])
            net.veth(end, "eth0", devices, ns.router, name, router)
            net.ip("-n", end, "route", "add", "10.77.0.0/16", "via", f"10.77.{number}.1")
            if len(devices) > 1:
                net.ip("-n", end, "-6", "route", "add", "fd77::/16", "via", router[1].split("/")[0])
        net.sysctl(ns.router, "ipv4/ip_forward", 1)
        net.sysctl(ns.router, "ipv6/conf/all/forwarding", 1)
        for name in ("out", "router"):
            # Answers are techniques' traffic here: none may be held back.
            net.sysctl(getattr(ns, name), "ipv4/icmp_ratelimit", 0)
            net.sysctl(getattr(ns, name), "ipv6/icmp/ratelimit", 0)
        net.ip("-n", ns.router, "route", "add", "default", "via", "10.77.1.2")
        net.ip("-n", ns.router, "-6", "route", "add", "default", "via", "fd77:1::2")
        net.ip("-n", ns.router, "route", "add", "169.254.169.0/24", "via", RESOLVER)
        net.ip("-n", ns.router, "-6", "route", "add", "fd00:ec2::/32", "via", "fd77::2")
        net.ip("-n", ns.router, "route", "add", "blackhole", "203.0.113.0/24")
        net.ip("-n", ns.out, "route", "add", "local", "default", "dev", "lo", "table", "main")
        net.ip("-n", ns.out, "-6", "route", "add", "local", "2000::/3", "dev", "lo", "table", "main")
        for address in (RESOLVER_LINK, METADATA, TIME):
            net.ip("-n", ns.svc, "addr", "add", address + "/32", "dev", "lo")
        for address in (METADATA6, RESOLVER6):
            net.ip("-n", ns.svc, "addr", "add", address + "/128", "dev", "lo", "nodad")
        self.zone = {}  # names that the resolver knows
        for address in (RESOLVER, RESOLVER_LINK, RESOLVER6):
            answer_datagrams(bound(ns.svc, address, 53, socket.SOCK_DGRAM), self.resolve)
            serve(bound(ns.svc, address, 53, socket.SOCK_STREAM), dns_over_tcp)
        for address in (METADATA, METADATA6):
            serve(bound(ns.svc, address, 80, socket.SOCK_STREAM), metadata_http)
        answer_datagrams(bound(ns.svc, TIME, 123, socket.SOCK_DGRAM), lambda _: payloads.ntp())

    def resolve(self, message):
        return payloads.answer(message, self.zone.get(payloads.question(message)[0]))


class Wire:
    """All that arrives at the router from a room."""

    def __init__(self, namespace, device):
        self.s = net.sock(namespace, socket.AF_PACKET, socket.SOCK_RAW)  # of no protocol: until it is bound it would hear all devices
        self.s.setsockopt(socket.SOL_SOCKET, net.SO_RCVBUFFORCE, 64 << 20)
        with net.inside(namespace):
            self.s.bind((device, net.ETH_P_ALL))

    def wait_for(self, proof, limit=30):
        """A frame that the room sent and that has these bytes."""
        end = time.monotonic() + limit
        seen = 0
        while (left := end - time.monotonic()) > 0:
            self.s.settimeout(left)
            try:
                frame, (_, _, kind, _, _) = self.s.recvfrom(65536)
            except socket.timeout:
                break
            seen += 1
            if kind != socket.PACKET_OUTGOING and proof in frame:
                return
        raise AssertionError(f"nothing with {proof.hex()} left the room within {limit} s; {seen} frames passed")


class Room:
    """A machine of its own, number `n` from 10 on."""

    def __init__(self, world, n, remote, stack):
        self.world, self.ns, self.stack, self.number = world, getattr(world.ns, f"r{n}"), stack, n
        self.address, self.address6, self.link6, self.second = f"10.77.{n}.2", f"fd77:{n}::2", "fe80::2", f"10.77.{n}.3"
        self.remote, self.collector = remote, None
        device = f"r{n}"
        net.veth(self.ns, "eth0", [self.address + "/24", self.second + "/24", self.address6 + "/64", self.link6 + "/64"],
                 world.ns.router, device, [f"10.77.{n}.1/24", f"fd77:{n}::1/64", "fe80::1/64"])
        net.ip_batch(self.ns, f"route add default via 10.77.{n}.1 src {self.address}",
                     f"route add default via fd77:{n}::1 src {self.address6}")
        self.mac, self.router_mac = net.mac(self.ns, "eth0"), net.mac(world.ns.router, device)
        self.wire = Wire(world.ns.router, device)
        stack.callback(self.wire.s.close)

    def sensor(self, name, collector, options, policy, more):
        d = self.stack.enter_context(Daemon(
            "flowproof-sensor", "-i", "eth0", "-s", collector, "--id", name, *options, *(["-p", policy] if policy else []),
            "--resolver", RESOLVER, *more, prefix=net.prefix(self.ns)))
        d.wait_for("uplink: connected", limit=LIMIT_S)
        self.collector = collector
        return d

    # ---- this machine's sockets ----

    def own(self, kind, address=None, port=0, remote=None):
        """Bound to an address of this machine that suits the remote."""
        address = address or (self.address6 if ":" in (remote or self.remote) else self.address)
        return self.stack.enter_context(bound(self.ns, address, port, kind))

    def raw(self, proto, payload):
        """An IP packet of the protocol, the header by the kernel."""
        self.raw_socket(proto).sendto(payload, (self.remote, 0))

    def raw_socket(self, proto):
        s = self.stack.enter_context(net.sock(self.ns, socket.AF_INET6 if ":" in self.remote else socket.AF_INET, socket.SOCK_RAW, proto))
        s.settimeout(LIMIT_S)
        return s

    def frame(self, packet, src=None, dst=None, ethertype=None):
        """A frame of its own making, past the kernel's stack."""
        if ethertype is None:
            ethertype = 0x86dd if packet[0] >> 4 == 6 else 0x0800
        # Between two looks of the sensor for packet sockets: these techniques are about what they send.
        with net.sock(self.ns, socket.AF_PACKET, socket.SOCK_RAW, 0) as s:
            with net.inside(self.ns):
                s.bind(("eth0", 0))
            s.send((dst or self.router_mac) + (src or self.mac) + struct.pack(">H", ethertype) + packet)

    def ip(self, proto, payload, src=None, remote=None, **how):
        remote = remote or self.remote
        return frames.ip(src or (self.address6 if ":" in remote else self.address), remote, proto, payload, **how)

    # ---- the outside ----

    def listen(self, port, handle=reply_once, remote=None):
        listener = bound(self.world.ns.out, remote or self.remote, port, socket.SOCK_STREAM)
        serve(listener, handle)
        self.stack.callback(lambda: (listener.shutdown(socket.SHUT_RDWR), listener.close()))

    def outside(self, port=0, kind=socket.SOCK_DGRAM, remote=None):
        return self.stack.enter_context(bound(self.world.ns.out, remote or self.remote, port, kind))

    # ---- whole exchanges ----

    def connect(self, port, remote=None, sport=0):
        s = self.own(socket.SOCK_STREAM, remote=remote, port=sport)
        s.connect((remote or self.remote, port))
        return s

    def exchange(self, port, data=b"q" * 300, remote=None, sport=0):
        """A connection, data out, an answer, closed by both. The answer."""
        s = self.connect(port, remote, sport)
        s.sendall(data)
        got = s.recv(65536)
        s.shutdown(socket.SHUT_WR)
        while part := s.recv(65536):
            got += part
        s.close()
        check(got, "the outside did not answer")
        return got

    def datagrams(self, port, payloads_out=(b"q" * 300,), sport=0, remote=None, reply=b"r" * 120):
        """Each is answered from outside if `reply`."""
        a = self.own(socket.SOCK_DGRAM, port=sport, remote=remote)
        b = self.outside(port, remote=remote)
        for data in payloads_out:
            a.sendto(data, (remote or self.remote, port))
            _, peer = b.recvfrom(65536)
            if reply:
                b.sendto(reply, peer)
                a.recv(65536)

    def tls(self, port, sni=None, alpn=(), data=b"GET / HTTP/1.1\r\n\r\n", remote=None, server=True):
        """A real TLS session with a server outside."""
        if server:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.world.certificate)
            if alpn:
                context.set_alpn_protocols(list(alpn))

            def handle(conn):
                with context.wrap_socket(conn, server_side=True) as t:
                    reply_once(t)

            self.listen(port, handle, remote)
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        if alpn:
            client.set_alpn_protocols(list(alpn))
        with client.wrap_socket(self.connect(port, remote), server_hostname=sni) as t:
            t.sendall(data)
            check(t.recv(65536), "no answer over TLS")

    def ask(self, text, qtype=payloads.A, server=RESOLVER, s=None, ident=1):
        """A question to a resolver of the services, answered."""
        s = s or self.own(socket.SOCK_DGRAM, remote=server)
        s.sendto(payloads.query(text, qtype, ident), (server, 53))
        return s.recv(65536)

    def http(self, request, server=METADATA, pieces=None):
        """A request to the metadata service; the whole answer. pieces: bytes a segment."""
        s = self.connect(80, server)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(0, len(request), pieces or len(request)):
            s.sendall(request[i:i + (pieces or len(request))])
        got = b""
        while part := s.recv(65536):
            got += part
        s.close()
        check(b"200 OK" in got, f"metadata said {got!r}")
        return got.split(b"\r\n\r\n", 1)[1]
