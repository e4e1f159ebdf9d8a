# SPDX-License-Identifier: Apache-2.0
"""Network namespaces for tests: made with names of their own, taken down on every way out.

Sockets of a namespace are made in this process: setns(2) moves the calling thread, a socket stays where it was made.
"""
import atexit
import contextlib
import ctypes
import fcntl
import ipaddress
import os
import signal
import socket
import struct
import subprocess
import sys
import threading

CLONE_NEWNET = 0x40000000
SIOCETHTOOL, SIOCGIFHWADDR = 0x8946, 0x8927
ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO = 0x17, 0x1f, 0x24, 0x2c
ETH_P_ALL, SOL_PACKET, PACKET_STATISTICS, SO_RCVBUFFORCE = 3, 263, 6, 33
_libc = ctypes.CDLL(None, use_errno=True)


def need_root(suite):
    if os.geteuid() != 0:
        sys.exit(f"{suite}: needs root (network namespaces, capture)")


def ip(*args):
    p = subprocess.run(["ip", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if p.returncode:
        raise RuntimeError(f"ip {' '.join(args)}: {p.stdout.strip()}")
    return p.stdout


def ip_batch(namespace, *lines):
    """Many in one process, each line the words of one."""
    p = subprocess.run(["ip", "-n", namespace, "-batch", "-"], input="\n".join(lines) + "\n", stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, check=False)
    if p.returncode:
        raise RuntimeError(f"ip -n {namespace} -batch: {p.stdout.strip()}")


class Namespaces:
    """with Namespaces("a", "b") as ns: ns.a is the name of the first."""

    def __init__(self, *names):
        self.full = {n: f"fp{os.getpid()}-{n}" for n in names}
        self.made = []

    def __getattr__(self, name):
        try:
            return self.__dict__["full"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __enter__(self):
        atexit.register(self.remove)
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(sig, lambda *_: sys.exit(1))
        for name in self.full.values():
            self.made.append(name)
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *exc):
        self.remove()

    def remove(self):
        while self.made:
            name = self.made.pop()
            with contextlib.suppress(RuntimeError):
                ip("netns", "del", name)


def prefix(namespace):
    return ("ip", "netns", "exec", namespace)


@contextlib.contextmanager
def inside(namespace):
    """The calling thread works in the namespace."""
    with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{namespace}", "rb") as there:
        if _libc.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            if _libc.setns(home.fileno(), CLONE_NEWNET):
                os._exit(3)  # a thread lost in a namespace must not go on


def sock(namespace, family, kind, proto=0):
    with inside(namespace):
        return socket.socket(family, kind, proto)


def sysctl(namespace, name, value):
    with inside(namespace), open("/proc/sys/net/" + name, "w", encoding="ascii") as f:
        f.write(str(value))


def ethtool(namespace, device, on, *commands):
    with sock(namespace, socket.AF_INET, socket.SOCK_DGRAM) as s:
        for command in commands:
            value = ctypes.create_string_buffer(struct.pack("II", command, on), 8)
            fcntl.ioctl(s, SIOCETHTOOL, struct.pack("16sP16x", device.encode(), ctypes.addressof(value)))


def offloads(namespace, device, on):
    """Off: one skb is one packet, no TSO, GSO, GRO."""
    ethtool(namespace, device, on, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO)


def mac(namespace, device):
    with sock(namespace, socket.AF_INET, socket.SOCK_DGRAM) as s:
        return fcntl.ioctl(s, SIOCGIFHWADDR, struct.pack("16s16x", device.encode()))[18:24]


def counter(namespace, device, name):
    """Of /sys/class/net, which `ip netns exec` mounts anew."""
    return int(subprocess.run([*prefix(namespace), "cat", f"/sys/class/net/{device}/statistics/{name}"], stdout=subprocess.PIPE,
                              check=True).stdout)


def veth(ns_a, dev_a, addresses_a, ns_b, dev_b, addresses_b):
    """A cable with fixed neighbours on both ends: no ARP, no neighbour discovery, no router solicitation."""
    ip("link", "add", dev_a, "netns", ns_a, "type", "veth", "peer", "name", dev_b, "netns", ns_b)
    ends = ((ns_a, dev_a, addresses_a, ns_b, dev_b, addresses_b), (ns_b, dev_b, addresses_b, ns_a, dev_a, addresses_a))
    for ns, dev, addresses, *_ in ends:
        for name, value in (("accept_ra", 0), ("router_solicitations", 0), ("addr_gen_mode", 1), ("accept_dad", 0)):
            sysctl(ns, f"ipv6/conf/{dev}/{name}", value)
        offloads(ns, dev, 0)
        ip_batch(ns, *(f"addr add {a} dev {dev}{' nodad' if ':' in a else ''}" for a in addresses), f"link set {dev} up")
    for ns, dev, _, peer_ns, peer_dev, peer_addresses in ends:
        lladdr = mac(peer_ns, peer_dev).hex(":")
        ip_batch(ns, *(f"neigh replace {a.split('/')[0]} lladdr {lladdr} dev {dev} nud permanent" for a in peer_addresses))


class Witness(threading.Thread):
    """Counts what passes an interface, by key, on a packet socket of its own: the tests' second opinion."""

    def __init__(self, namespace, device):
        super().__init__(daemon=True)
        self.s = sock(namespace, socket.AF_PACKET, socket.SOCK_RAW)  # of no protocol: until it is bound it would hear all devices
        self.s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        with inside(namespace):
            self.s.bind((device, ETH_P_ALL))
        self.s.settimeout(0.1)
        self.flows = {}  # (src, dst, sport, dport, proto): [packets, bytes, flags, payload bytes]
        self.biggest = 0
        self.changed = threading.Condition()
        self.ended = False
        self.start()

    def run(self):
        while not self.ended:
            try:
                frame = self.s.recv(65536)
            except socket.timeout:
                continue
            self.count(frame)

    def count(self, frame):
        kind = int.from_bytes(frame[12:14], "big")
        if kind == 0x0800:
            head, length, proto = 14 + (frame[14] & 15) * 4, int.from_bytes(frame[16:18], "big"), frame[23]
            src, dst = frame[26:30], frame[30:34]
        elif kind == 0x86dd:
            head, length, proto = 54, int.from_bytes(frame[18:20], "big") + 40, frame[20]
            src, dst = frame[22:38], frame[38:54]
        else:
            return
        sport = dport = flags = payload = 0
        if proto in (6, 17):
            sport, dport = struct.unpack_from(">HH", frame, head)
        if proto == 6:
            f = frame[head + 13]
            flags = (f & 7) | (16 if f & 18 == 18 else 0)
            payload = length - (head - 14) - (frame[head + 12] >> 4) * 4
        key = (str(ipaddress.ip_address(src)), str(ipaddress.ip_address(dst)), sport, dport, proto)
        with self.changed:
            row = self.flows.setdefault(key, [0, 0, 0, 0])
            row[0] += 1
            row[1] += length
            row[2] |= flags
            row[3] += payload
            self.biggest = max(self.biggest, length)
            self.changed.notify_all()

    def wait_until(self, condition, limit, what):
        """condition(flows) within `limit` seconds."""
        with self.changed:
            if not self.changed.wait_for(lambda: condition(self.flows), limit):
                raise AssertionError(f"the witness did not see within {limit} s: {what}; it saw {self.flows}")

    def seen(self):
        with self.changed:
            return {k: tuple(v) for k, v in self.flows.items()}

    def stop(self):
        """Ends; how many packets it missed."""
        self.ended = True
        self.join()
        lost = struct.unpack("II", self.s.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        self.s.close()
        return lost
