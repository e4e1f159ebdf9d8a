# SPDX-License-Identifier: Apache-2.0
"""What the suites of faults share: a capture whose flows are known by arithmetic, what the ledger holds of it, and a proxy that breaks
links. Flow number i has 1 + i % 3 datagrams."""
import collections
import contextlib
import json
import os
import random
import socket
import struct
import threading
import time

from harness import Daemon, check, equal, run, write
from pki import Pki, collector

FLOWS = 6000  # of the capture: three batches, 75 KB
BASE = 1_700_000_040  # a whole minute


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def frame(i):
    """A UDP datagram of flow i."""
    src = struct.pack(">BBBB", 10, 1, i >> 8, i & 255)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 33, 0, 0, 64, 17, 0, src, bytes((192, 0, 2, 1)))
    return b"\2" * 6 + b"\4" * 6 + b"\x08\0" + ip + struct.pack(">HHHH", 1024 + i, 53, 13, 0) + b"fault"


def capture(path, flows):
    packets = sorted((BASE + i * 600 // flows, i) for i in range(flows) for _ in range(1 + i % 3))
    return write(path, struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(
        struct.pack("<IIII", s, 0, 47, 47) + frame(i) for s, i in packets))


def records(store, sensor):
    """Counter of (source port, packets) of the records with traffic."""
    lines = run("flowproof", "records", "-d", store, "--sensor", sensor, "--json", "-F",
                "srcport packets log-status").expect(0).out.splitlines()
    return collections.Counter((r["srcport"], r["packets"]) for r in map(json.loads, lines) if r["log-status"] == "OK")


def all_of(flows):
    return collections.Counter((1024 + i, 1 + i % 3) for i in range(flows))


def stream_sums(store, sensor):
    out = json.loads(run("flowproof", "records", "-d", store, "--sensor", sensor, "--summary", "--json").expect(0).out)
    return [s for one in out["sensors"] for s in one["streams"]]


def events(store, sensor):
    return [json.loads(line) for line in run("flowproof", "records", "-d", store, "--sensor", sensor, "--events", "--json").expect(0).out.splitlines()]


class Proxy(threading.Thread):
    """Forwards connections; `limits` says for each in turn after how many bytes up and down it is cut (None: never), by reset or by
    a plain end. Those after the last are left alone. Pieces wait up to `delay` seconds, as `rng` says."""

    def __init__(self, target, limits, delay=0.0, rng=random):
        super().__init__(daemon=True)
        self.delay, self.rng = delay, rng
        host, port = target.rsplit(":", 1)
        self.target, self.limits = (host, int(port)), list(limits)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.cut = 0
        self.silent = threading.Event()  # from then on nothing is forwarded and nothing closed
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client, self.limits.pop(0) if self.limits else None), daemon=True).start()

    def serve(self, client, limit):
        try:
            server = socket.create_connection(self.target, 5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        up, down, reset = limit or (None, None, False)
        threads = [threading.Thread(target=self.pump, args=(client, server, up, reset), daemon=True),
                   threading.Thread(target=self.pump, args=(server, client, down, reset), daemon=True)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for s in (client, server):
            s.close()

    def pump(self, a, b, left, reset):
        with contextlib.suppress(OSError):
            while left is None or left > 0:
                data = a.recv(65536 if left is None else min(left, 65536))
                if not data:
                    break
                if self.delay:
                    time.sleep(self.rng.random() * self.delay)
                while self.silent.is_set():
                    time.sleep(1)  # the test ends before
                b.sendall(data)
                left = None if left is None else left - len(data)
            if left == 0:
                self.cut += 1
                if reset:
                    for s in (a, b):
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for s in (a, b):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()


class World:
    def __init__(self, d):
        self.d = d
        self.pki = Pki(os.path.join(d, "keys"))
        self.pcap = capture(os.path.join(d, "flows.pcap"), FLOWS)
        self.issued = set()

    def options(self, name):
        if name not in self.issued:
            self.pki.issue(name)
            self.issued.add(name)
        return ["--id", name, *self.pki.options(name)]

    def replay(self, name, address, *args, **more):
        return Daemon("flowproof-sensor", "-r", self.pcap, "--local", "10.1.0.0/16", "-s", address, *args, *self.options(name), **more)

    def collector(self, store, port):
        return collector(os.path.join(self.d, store), f"127.0.0.1:{port}", self.pki.options("collector"))


def stored_bytes(store):
    return sum(os.path.getsize(os.path.join(top, f)) for top, _, names in os.walk(store) if "@" not in top for f in names)


def wait_until(condition, what, limit=90):
    end = time.monotonic() + limit
    while not condition():
        check(time.monotonic() < end, f"{what}: not within {limit} s")
        time.sleep(0.05)


def in_spool(path):
    """Entries in a spool's file: marks of type hello or batch at a multiple of 64 bytes."""
    with open(path, "rb") as f:
        ring = f.read()[8192:]
    return sum(ring[at:at + 4] in (b"fpS\1", b"fpS\2") for at in range(0, len(ring), 64))


def check_audit(w, store, unclean, clock_stepped=False):
    """Broken is nothing; incomplete are the ends that were kills, and the gaps."""
    said = json.loads(run("flowproof", "audit", "-d", store, "--ca", w.pki.ca, "--json").expect(0, 1).out)
    check(said["verdict"] != "broken", said["faults"])
    reasons = [f["reason"] for f in said["faults"] if not (clock_stepped and "signed nothing after" in f["reason"])]
    equal(len([r for r in reasons if "without goodbye" in r]), unclean, f"ends without goodbye in {reasons}")
    equal([r for r in reasons if "without goodbye" not in r and "gave up" not in r], [], "what else is incomplete")
