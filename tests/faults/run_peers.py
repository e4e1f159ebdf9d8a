#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_peers.py BUILD_DIR   Bad peers at a collector, each beside a sensor that stays connected and one that comes: ten thousand connections
without a certificate, handshakes left open, half frames held open, huge lengths, random bytes, a sensor that lies about its sequence.

The collector's memory is bounded, who is connected is not cut off, who comes delivers all of its records, once. The seed is printed;
FLOWPROOF_SEED gives it.
"""
import contextlib
import os
import random
import resource
import socket
import ssl
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Daemon, Tap, check, equal, folder, run  # noqa: E402
import net  # noqa: E402
from world import FLOWS, World, all_of, check_audit, records, stream_sums, wait_until  # noqa: E402

SEED = int(os.environ.get("FLOWPROOF_SEED") or random.randrange(1 << 30))
STRANGERS, STRANGERS_THERE = 256, 64  # collector/ingest.h
CROWD = 10_000
TLS_BYTES = 44 * 1024  # of a stranger: two records of 16 KiB and more (mbedTLS 2.28), our buffers, the allocator's share
SLACK = 8 << 20
HALVES = 48
HELLO, WELCOME, BATCH, ACK, REFUSAL, GAP = range(1, 7)


def rss(pid, name="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith(name + ":"))


class Scene:
    """A collector, a sensor that is connected to it all the time, and what comes beside."""

    def __init__(self, w):
        self.w, self.guests = w, 0
        self.c = w.collector("peers", 0)
        host, port = self.c.address.rsplit(":", 1)
        self.at = (host, int(port))
        self.steady = Daemon("flowproof-sensor", "-i", "lo", "-s", self.c.address, *w.options("steady"), "-f", "icmp")
        self.steady.wait_for("uplink: connected", "err")
        self.rng = random.Random(SEED)

    def connect(self, source=None):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if source:
            s.bind((source, 0))
        s.settimeout(20)
        s.connect(self.at)
        return s

    def tls(self, name=None):
        """As a peer with this certificate, or without one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.w.pki.ca)
        if name:
            self.w.options(name)
            context.load_cert_chain(*self.w.pki.pair(name))
        return context.wrap_socket(self.connect(), do_handshake_on_connect=True)

    def guest(self):
        """A sensor that comes now delivers all it has."""
        self.guests += 1
        name = f"guest-{self.guests}"
        with self.w.replay(name, self.c.address) as s:
            s.wait(60).expect(0)
        store = os.path.join(self.w.d, "peers")
        equal(records(store, name), all_of(FLOWS), f"records of {name}")
        equal([(s["goodbye"], s["gaps"]) for s in stream_sums(store, name)], [(True, 0)], f"streams of {name}")

    def unharmed(self):
        check(self.c.alive(), f"the collector has ended:\n{self.c.text()[-2000:]}")
        self.guest()
        before = self.batches()
        wait_until(lambda: self.batches() > before, "the connected sensor's batches arrive", 30)
        equal(self.steady.text("err").count("uplink: connected"), 1, "connections of the sensor that was there")

    def batches(self):
        return stream_sums(os.path.join(self.w.d, "peers"), "steady")[0]["batches"]

    def end(self):
        self.steady.stop().expect(0)
        self.c.stop().expect(0)
        check_audit(self.w, os.path.join(self.w.d, "peers"), 1)  # the liar's


def check_memory(grown, bound):
    """A build with sanitizers keeps what was freed: nothing can be said of it."""
    if "sanitizers" not in run("flowproof-collector", "--self-test").expect(0, 1).out:
        check(grown <= bound, f"the collector grew by {grown >> 10} KiB, at most {bound >> 10} are allowed")


def is_closed(s):
    try:
        return s.recv(4096) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def crowd(scene):
    """They come from 200 addresses, say nothing or the begin of a handshake, and stay. A guest delivers meanwhile."""
    peak = rss(scene.c.p.pid)
    guest_ok = []
    with contextlib.ExitStack() as ends:
        people = []
        for i in range(CROWD):
            s = ends.enter_context(scene.connect(f"127.0.{1 + i % 200}.{1 + i // 200 % 250}" if i % 2 else "127.1.1.1"))
            if i % 3 == 0:
                s.sendall(b"\x16\x03\x01\x02\x00")  # a record of 512 bytes that does not come
            s.setblocking(False)
            people.append(s)
            if i == CROWD // 4:
                t = threading.Thread(target=lambda: (scene.guest(), guest_ok.append(True)))
                t.start()
                ends.callback(t.join)
        wait_until(lambda: sum(not is_closed(s) for s in people) <= STRANGERS, "all but some of the crowd are sent away", 8)
        still, there = (sum(not is_closed(s) for s in p) for p in (people, people[::2]))
        check(there <= STRANGERS_THERE, f"{there} of one address are still there")
        t.join()
        check(guest_ok, "the guest that came amid the crowd did not deliver")
        grown = rss(scene.c.p.pid, "VmHWM") - peak
        check_memory(grown, STRANGERS * TLS_BYTES + SLACK)
        scene.unharmed()
    return f"{CROWD} connections, {still} of them at a time, {grown >> 10} KiB more at the peak"


def no_certificate(scene):
    """They finish the handshake but for the certificate."""
    def come():
        with contextlib.suppress(ssl.SSLError, OSError):
            with scene.tls() as s:
                s.sendall(frame(HELLO, b""))
                check(s.recv(1) == b"", "a peer without a certificate was answered")
        return "no certificate presented" in scene.c.text("err")  # some refusals are counted only
    for _ in range(20):
        come()
    wait_until(come, "the collector says why it refuses", 20)
    scene.unharmed()


def open_handshakes(scene):
    """A real ClientHello, and no more."""
    with contextlib.ExitStack() as ends:
        for i in range(2 * STRANGERS_THERE):
            out = ssl.MemoryBIO()
            half = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            half.check_hostname, half.verify_mode = False, ssl.CERT_NONE
            with contextlib.suppress(ssl.SSLWantReadError):
                half.wrap_bio(ssl.MemoryBIO(), out).do_handshake()
            ends.enter_context(scene.connect(f"127.0.3.{1 + i % 4}")).sendall(out.read())
        scene.unharmed()
    del half


def frame(kind, message, length=None):
    return struct.pack(">IB", length if length is not None else len(message) + 1, kind) + message


def half_frames(scene):
    """Sensors with certificates, each in the middle of a frame that would be large. A thousand such fit in 128 MiB."""
    with contextlib.ExitStack() as ends:
        before = rss(scene.c.p.pid)
        for i in range(HALVES):
            s = ends.enter_context(scene.tls("half"))
            s.sendall(frame(HELLO, b"\0" * (250 * i), 1 << 20))
        scene.unharmed()
        grown = rss(scene.c.p.pid, "VmHWM") - before
        check_memory(grown, HALVES * (128 << 20) // 1000)
    print(f"# {HALVES} sensors: {grown >> 10} KiB more")


def refused(scene, name, *frames):
    """What the collector says, or b"" when it only closes."""
    with scene.tls(name) as s:
        with contextlib.suppress(OSError):
            for f in frames:
                s.sendall(f)
        got = b""
        with contextlib.suppress(OSError):
            while piece := s.recv(4096):
                got += piece
    return got


def huge_lengths(scene):
    for length in (0, (1 << 20) + 1, 1 << 31, (1 << 32) - 1):
        said = refused(scene, "huge", frame(HELLO, b"x" * 100, length))
        check(b"frame" in said, f"a length of {length} is not refused by name: {said!r}")
    scene.unharmed()


def random_bytes(scene):
    for i in range(40):
        noise = scene.rng.randbytes(scene.rng.randrange(1, 5000))
        if i % 2:
            with scene.connect() as s, contextlib.suppress(OSError):
                s.sendall(noise)
                while s.recv(4096):
                    pass
        else:
            got = refused(scene, "noise", frame(scene.rng.choice((HELLO, BATCH, GAP)), noise))
            check(not got or got[4] == REFUSAL, got[:50])
    scene.unharmed()


class Liar:
    """A sensor whose hello and first batch were recorded from a real one, so that all in them is right but what the test changes."""

    def __init__(self, scene):
        self.frames = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*scene.w.pki.pair("collector"))
        context.load_verify_locations(scene.w.pki.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        with socket.create_server(("127.0.0.1", 0)) as listener:
            with scene.w.replay("liar", "127.0.0.1:%d" % listener.getsockname()[1]) as s:
                peer, _ = listener.accept()
                with context.wrap_socket(peer, server_side=True) as self.s:
                    self.take(HELLO)
                    self.s.sendall(frame(WELCOME, b"\x08\x01"))  # protocol 1; durable 0
                    for _ in range(3):
                        self.take(BATCH)
                s.kill()

    def take(self, kind):
        head = self.exactly(5)
        equal(head[4], kind, "frame of the real sensor")
        self.frames.append(head + self.exactly(struct.unpack(">I", head[:4])[0] - 1))

    def exactly(self, n):
        got = b""
        while len(got) < n:
            piece = self.s.recv(n - len(got))
            check(piece, "the real sensor went away")
            got += piece
        return got


def liar(scene):
    """Batches of a real stream: out of order, left out, changed, twice. Only what follows is taken, and that once."""
    hello, one, two, three = Liar(scene).frames
    store = os.path.join(scene.w.d, "peers")
    # Field 1 of a batch is its sequence, the first byte of it: 1 becomes 9.
    check(one[5:7] == b"\x08\x01", f"a batch begins with its sequence: {one[:10]!r}")
    lies = {"the second first": [two], "a wrong number": [one[:6] + b"\x09" + one[7:]], "one left out": [one, three],
            "a changed byte in the chain": [one, two[:20] + bytes([two[20] ^ 1]) + two[21:]], "the hello twice": [hello]}
    for what, frames in lies.items():
        got = refused(scene, "liar", hello, *frames)
        check(bytes([REFUSAL]) == last_kind(got), f"{what}: {got!r}")
    # Twice is harmless, by the way of a sensor that did not hear.
    with scene.tls("liar") as s:
        s.sendall(hello + one + one + two + one)
        wait_until(lambda: [t["batches"] for t in stream_sums(store, "liar")] == [2], "two batches of the liar", 20)
    equal([t["batches"] for t in stream_sums(store, "liar")], [2], "batches of the liar")
    scene.unharmed()


def last_kind(got):
    """The kind of the last whole frame."""
    kind = b""
    while len(got) >= 5:
        n = struct.unpack(">I", got[:4])[0]
        kind, got = got[4:5], got[4 + n:]
    return kind


def main():
    net.need_root("run_peers")
    print(f"# FLOWPROOF_SEED={SEED}", flush=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (CROWD + 1000, max(CROWD + 1000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    tap = Tap()
    with folder("/dev/shm") as d:
        scene = Scene(World(d))
        with tap.case("half frames held open: bounded memory, others unharmed"):  # first: what was freed would be used again
            half_frames(scene)
        with tap.case("ten thousand connections without a certificate: bounded memory, others unharmed"):
            print("# " + crowd(scene))
        for what, play in (("peers without a certificate", no_certificate), ("handshakes left open", open_handshakes),
                           ("huge lengths", huge_lengths), ("random bytes", random_bytes),
                           ("a sensor that lies about its sequence", liar)):
            with tap.case(f"{what}: others unharmed"):
                play(scene)
        with tap.case("the sensor that was there stayed connected; the ledger is intact but for the liar's end"):
            scene.end()
    tap.done()


if __name__ == "__main__":
    main()
