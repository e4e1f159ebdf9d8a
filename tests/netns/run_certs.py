#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_certs.py BUILD_DIR   Who may talk to whom: each wrong peer is refused, the side that refuses logs why, good ones go on.

On loopback. The sensors replay a capture file; hand-made peers come from lib/wire.py.
"""
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden"))
from harness import Daemon, Tap, check, equal, folder, match, run, summary, write  # noqa: E402
import make_captures as make  # noqa: E402
import net  # noqa: E402
from pki import Pki, collector  # noqa: E402
import wire  # noqa: E402

LISTEN = "127.0.0.1:0"
ROUNDS = 200


class World:
    def __init__(self, d):
        self.d = d
        self.packets = make.udp_both() + make.tcp_flags()
        self.packets.sort(key=lambda p: p.ns)
        self.capture = write(os.path.join(d, "replay.pcap"), make.pcap(self.packets))
        self.pki = Pki(os.path.join(d, "keys"))
        self.other = Pki(os.path.join(d, "other-keys"))
        self.store = os.path.join(d, "store")
        for name in ("i-good", "i-late", "i-raw", "i-random"):
            self.pki.issue(name)

    def sensor(self, name, address, options):
        return ("flowproof-sensor", "-r", self.capture, "-s", address, "--id", name, *options)

    def good(self, c, name="i-good"):
        """A good sensor beside whatever went wrong: all is delivered. What it gave is added to the ledger once more."""
        before = len(self.stored(name))
        result = run(*self.sensor(name, c.address, self.pki.options(name)), limit=30).expect(0)
        sent = summary(result.err)
        equal(sent["received"], len(self.packets), "frames")
        records = self.stored(name)[before:]
        equal(sum(r["packets"] or 0 for r in records), sent["recorded"], "packets that the ledger holds")

    def stored(self, name):
        result = run("flowproof", "records", "-d", self.store, "--sensor", name, "--json", "-F", "fp-sensor packets")
        if result.code == 3:
            match(re.escape(name), result.err, "the message does not name the sensor that the ledger has nothing of")
            return []
        return [json.loads(line) for line in result.expect(0).out.splitlines()]

    def refused(self, c, name, options, sensor_says=None, collector_says=None):
        """A sensor that is not let in: it goes on trying, says why or is told why, and ends when told to."""
        with Daemon(*self.sensor(name, c.address, options)) as s:
            if collector_says:
                c.wait_for(collector_says, "err")
            if sensor_says:
                s.wait_for(sensor_says, "err")
            check("uplink: connected" not in s.text("err"), f"it was let in:\n{s.text('err')}")
            check(s.stop().code in (0, 3), "exit code of a sensor that could not deliver")
        equal([r for r in self.stored(name) if name != "i-good"], [], f"records of {name}")


def openssl_peer(w, c, cert=None, key=None):
    """The reason why a hand-made client got no answer to its Hello; None if it got one."""
    try:
        with wire.connect(c.address, w.pki.ca, cert, key) as s:
            s.sendall(wire.frame(wire.HELLO, wire.hello("i-raw", os.urandom(16), certificate=cert)))
            return None if wire.read_frame(s) else "closed"
    except (ssl.SSLError, ConnectionError) as e:
        return str(e)


def versions(w, c):
    cert, key = w.pki.pair("i-raw")
    with wire.connect(c.address, w.pki.ca, cert, key) as s:
        s.sendall(wire.frame(wire.HELLO, wire.hello("i-raw", os.urandom(16), protocol=99, certificate=cert)))
        answer = wire.read_frame(s)
        check(answer, "closed without a word")
        equal(answer[0], wire.REFUSAL, "type of frame")
        reason = wire.parse(answer[1])[1][0].decode()
        match(r"\b99\b", reason, "the refusal does not name the version that was offered")
        match(r"\b1\b", reason, "the refusal does not name the version that is spoken")
        equal(wire.read_frame(s), None, "after the refusal")
    c.wait_for(r"\b99\b", "err")


def by_hand(w, c):
    """The other end of the wire in Python: a Hello is welcomed, batches are acknowledged, a batch that breaks the chain is not."""
    cert, key = w.pki.pair("i-raw")
    stream = os.urandom(16)
    with wire.connect(c.address, w.pki.ca, cert, key) as s:
        s.sendall(wire.frame(wire.HELLO, wire.hello("i-raw", stream, certificate=cert)))
        kind, message = wire.read_frame(s)
        equal(kind, wire.WELCOME, "answer to the Hello")
        welcome = wire.parse(message)
        equal((welcome[1], welcome.get(2, [0])), ([1], [0]), "protocol and what is durable")
        check(abs(welcome[3][0] - time.time_ns()) < 60 * 10**9, "the collector's clock")
        first = wire.batch(1, wire.chain_start(stream))
        second = wire.batch(2, hashlib.sha256(first).digest())
        s.sendall(wire.frame(wire.BATCH, first) + wire.frame(wire.BATCH, second))
        durable = 0
        while durable < 2:
            answer = wire.read_frame(s)
            check(answer and answer[0] == wire.ACK, f"expected an Ack, got {answer}")
            durable = wire.parse(answer[1])[1][0]
    with wire.connect(c.address, w.pki.ca, cert, key) as s:
        s.sendall(wire.frame(wire.HELLO, wire.hello("i-raw", stream, certificate=cert)))
        kind, message = wire.read_frame(s)
        equal((kind, wire.parse(message)[2]), (wire.WELCOME, [2]), "what is durable after a new connection")
        third = wire.batch(3, b"\0" * 32)
        s.sendall(wire.frame(wire.BATCH, third))
        frames = []
        while (answer := wire.read_frame(s)):
            frames.append(answer)
        check(all(wire.parse(m).get(1) != [3] for k, m in frames if k == wire.ACK), "a batch outside the chain was acknowledged")
        equal([k for k, _ in frames], [wire.REFUSAL], "answer to a batch outside the chain")


def wrong_first_frame(w, c):
    cert, key = w.pki.pair("i-raw")
    for kind, message in ((wire.BATCH, wire.batch(1, b"\0" * 32)), (wire.ACK, b"\x08\1"), (77, b"")):
        with wire.connect(c.address, w.pki.ca, cert, key) as s:
            s.sendall(wire.frame(kind, message))
            answer = wire.read_frame(s)
            check(answer is None or answer[0] == wire.REFUSAL, f"frame of type {kind} first: got {answer}")


def random_bytes(w, c):
    """Bytes of every kind of wrong from a peer with a good certificate."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"# seed {seed}", flush=True)
    rng = random.Random(seed)
    cert, key = w.pki.pair("i-random")

    def noise(n):
        return bytes(rng.randrange(256) for _ in range(n))

    def damaged(data):
        data = bytearray(data)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(data)

    def good_batch(stream):
        records = wire.field(1, 3) + wire.field(2, noise(8)) + b"".join(
            wire.field(n, bytes(rng.randrange(128) for _ in range(3))) for n in range(4, 17))
        return wire.batch(1, wire.chain_start(stream)) + wire.field(4, records) + wire.field(5, wire.field(1, 3) + wire.field(3, noise(4)))

    for _ in range(ROUNDS):
        stream = noise(16)
        hello = wire.frame(wire.HELLO, wire.hello("i-random", stream, certificate=cert))
        batch = wire.frame(wire.BATCH, good_batch(stream))
        data = rng.choice((
            lambda: noise(rng.randrange(1, 2000)),
            lambda: damaged(hello),
            lambda: hello[:rng.randrange(len(hello))],
            lambda: hello + noise(rng.randrange(1, 2000)),
            lambda: hello + wire.frame(wire.BATCH, noise(rng.randrange(0, 500))),
            lambda: hello + batch,
            lambda: hello + damaged(batch),
            lambda: hello + batch[:rng.randrange(len(batch))],
            lambda: hello + hello,
            lambda: hello + wire.frame(rng.randrange(256), noise(30)),
            lambda: hello + b"\xff\xff\xff\xff" + noise(50),
            lambda: hello + b"\0\0\0\0" + noise(50),
            lambda: hello + b"\0\x0f\xff\xff\3" + noise(70000),
        ))()
        with contextlib.suppress(ssl.SSLError, ConnectionError, TimeoutError), wire.connect(c.address, w.pki.ca, cert, key) as s:
            s.sendall(data)
            s.settimeout(0.2)  # the answer to a frame that never ends would be long in coming
            if rng.random() < 0.5:
                wire.read_frame(s)
        check(c.alive(), f"the collector ended (seed {seed}, {data[:60].hex()}...):\n{c.text('err')[-2000:]}")
    check("Sanitizer" not in c.text("err") and "runtime error" not in c.text("err"), c.text("err")[-3000:])


def impostor(w, cert, key, says):
    """A server that would take anybody, with a certificate that no sensor may trust: it gets no byte of a Hello."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    got = []

    def serve():
        with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError):
            raw, _ = listener.accept()
            with raw:
                raw.settimeout(10)
                with context.wrap_socket(raw, server_side=True) as s:
                    got.append(s.recv(4096))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        thread = threading.Thread(target=serve)
        thread.start()
        with Daemon(*w.sensor("i-good", f"127.0.0.1:{listener.getsockname()[1]}", w.pki.options("i-good"))) as sensor:
            sensor.wait_for(r"(?i)uplink: .*(" + says + ")", "err")
            thread.join(20)
            equal(sensor.stop().code, 3, "exit code of a sensor that could not deliver")
    equal(b"".join(got), b"", "what the impostor was told")


def main():
    net.need_root("run_certs")
    tap = Tap()
    with folder() as d:
        w = World(d)
        with collector(w.store, LISTEN, w.pki.options("collector")) as c:
            cases(tap, w, c)
            with tap.case("after all that: a good sensor, and a clean end"):
                w.good(c, "i-late")
                c.stop().expect(0)
        wrong_collectors(tap, w)
        revocation(tap, w)
        canary_port(tap, w)
        with tap.case("the ledger can be read after all that"):
            check(w.stored("i-good") and w.stored("i-late"), "no records")
    tap.done()


def welcomed(w, c, name, stream):
    """A connection of the sensor `name` whose Hello was answered by a Welcome."""
    cert, key = w.pki.pair(name)
    s = wire.connect(c.address, w.pki.ca, cert, key)
    s.sendall(wire.frame(wire.HELLO, wire.hello(name, stream, certificate=cert)))
    equal(wire.read_frame(s)[0], wire.WELCOME, "answer to the Hello")
    return s


def ends_with(s, reason):
    kind, message = wire.read_frame(s)
    equal(kind, wire.REFUSAL, "type of the last frame")
    match(reason, wire.parse(message)[1][0].decode())
    equal(wire.read_frame(s), None, "after the refusal")


def goes_on(s, stream):
    """The collector still takes batches from this connection, whose stream is new."""
    s.sendall(wire.frame(wire.BATCH, wire.batch(1, wire.chain_start(stream))))
    equal(wire.read_frame(s)[0], wire.ACK, "answer to a batch")


def revocation(tap, w):
    crl, keys = os.path.join(w.d, "crl"), w.pki.folder
    made = os.path.join(keys, "revoked.crl")

    def revoke(name):
        run("flowproof", "pki", "revoke", "-d", keys, name).expect(0)
        shutil.copyfile(made, crl)

    w.pki.issue("i-revoked")
    w.pki.issue("i-first")
    revoke("i-first")
    with tap.case("a list of revoked certificates that is none, or another CA's, stops the start"):
        for path, says in ((w.pki.ca, "no list of revoked"), ("none", "cannot read none"), (other_list(w), "not signed by our CA")):
            result = run("flowproof-collector", "-d", w.store, "-l", LISTEN, "--crl", path, *w.pki.options("collector"))
            match(re.escape(path) + "|" + says, result.expect(2, 3).err)
            match(says, result.err)
    with collector(w.store, LISTEN, [*w.pki.options("collector"), "--crl", crl]) as c:
        with tap.case("a revoked certificate is refused"):
            w.refused(c, "i-first", w.pki.options("i-first"), collector_says="(?i)revoked")
            w.good(c)
        with tap.case("SIGHUP: whose certificate was revoked since is cut off, the others go on"):
            streams = [os.urandom(16) for _ in range(2)]
            with welcomed(w, c, "i-revoked", streams[0]) as bad, welcomed(w, c, "i-raw", streams[1]) as good:
                revoke("i-revoked")
                c.p.send_signal(signal.SIGHUP)
                ends_with(bad, "certificate was revoked")
                goes_on(good, streams[1])
            check(openssl_peer(w, c, *w.pki.pair("i-revoked")), "a revoked peer came in again")
        with tap.case("SIGHUP: a damaged list is told, and the one before stays in force"):
            with open(crl, "r+b") as f:
                f.truncate(100)
            c.p.send_signal(signal.SIGHUP)
            c.wait_for("no list of revoked certificates.*the list read before stays", "err")
            check(openssl_peer(w, c, *w.pki.pair("i-revoked")), "a revoked peer came in again")
        with tap.case("SIGHUP: a list that was moved into place is told, with the remedy"):
            os.replace(shutil.copyfile(made, crl + ".new"), crl)
            c.p.send_signal(signal.SIGHUP)
            c.wait_for("replaced by another file: copy onto it instead", "err")
        with tap.case("two connections of one sensor: the later is kept, both are named"):
            stream = os.urandom(16)
            with welcomed(w, c, "i-raw", stream) as early, welcomed(w, c, "i-raw", stream) as late:
                ends_with(early, "replaced by a connection of the same sensor")
                goes_on(late, stream)
                for s in (early, late):
                    c.wait_for(rf"i-raw connects.*{re.escape(s.getsockname()[0])}:{s.getsockname()[1]}", "err")
        c.stop().expect(0)


def canary_port(tap, w):
    """proto/canary.h draws the datagram."""
    def datagram(kind, size, head=b"fpcanary", rest=b"\0" * 7):
        return (head + kind + rest + os.urandom(16) + (1).to_bytes(8, "big")).ljust(size, b"x")

    with collector(w.store, LISTEN, [*w.pki.options("collector"), "--canary", "127.0.0.1:0"]) as c:
        address = c.wait_for(r"canaries are sent back at 127\.0\.0\.1:(\d+)", "err")[0][1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("127.0.0.1", int(address)))
            s.settimeout(20)
            with tap.case("the canary port sends canaries of every length back, as answers"):
                for size in (40, 41, 599, 600):
                    sent = datagram(b"q", size)
                    s.send(sent)
                    equal(s.recv(2000), sent[:8] + b"a" + sent[9:], f"answer to {size} bytes")
            with tap.case("the canary port answers nothing else"):
                for bad in (datagram(b"a", 40), datagram(b"x", 40), datagram(b"q", 601), datagram(b"q", 40)[:39], b"",
                            datagram(b"q", 40, head=b"fpCANARY"), datagram(b"q", 40, rest=b"\0" * 6 + b"\1")):
                    s.send(bad)
                last = datagram(b"q", 77)
                s.send(last)  # in order: what comes back first is the answer to this one
                equal(s.recv(2000), last[:8] + b"a" + last[9:], "the first answer")
        c.stop().expect(0)


def other_list(w):
    w.other.issue("i-revoked")
    run("flowproof", "pki", "revoke", "-d", w.other.folder, "i-revoked").expect(0)
    return os.path.join(w.other.folder, "revoked.crl")


def cases(tap, w, c):
    with tap.case("a good sensor"):
        w.good(c)
    with tap.case("a sensor's certificate of another CA"):
        w.other.issue("i-foreign")
        cert, key = w.other.pair("i-foreign")
        # Our own sensor sees it before it begins; a hand-made client shows that the collector sees it too.
        own = run(*w.sensor("i-foreign", c.address, ["--ca", w.pki.ca, "--cert", cert, "--key", key])).expect(3)
        match("not signed by the CA", own.err, "the sensor does not say what is wrong with its own certificate")
        check(openssl_peer(w, c, cert, key), "a peer of another CA was welcomed")
        c.wait_for("not signed by our CA", "err")
        w.good(c)
    with tap.case("an expired certificate"):
        w.pki.issue("i-old", "--valid-from", "2020-01-01", "--days", "1")
        w.refused(c, "i-old", w.pki.options("i-old"), collector_says="(?i)expired")
        w.good(c)
    with tap.case("a certificate that is not yet valid"):
        w.pki.issue("i-soon", "--valid-from", "2090-01-01", "--days", "1")
        w.refused(c, "i-soon", w.pki.options("i-soon"), collector_says="(?i)(not yet valid|future)")
        w.good(c)
    with tap.case("no certificate"):
        why = openssl_peer(w, c)
        check(why, "a peer without a certificate was welcomed")
        c.wait_for(r"(?i)(no|without|missing).{0,30}certificate|certificate.{0,30}missing", "err")
        w.good(c)
    with tap.case("a certificate and another's key"):
        result = run(*w.sensor("i-good", c.address, ["--ca", w.pki.ca, "--cert", w.pki.pair("i-good")[0], "--key",
                                                     w.pki.pair("i-late")[1]])).expect(2, 3)
        match(r"i-late\.key|i-good\.crt", result.err, "the message does not name the file")
    with tap.case("a sensor whose id is not its certificate's name"):
        # The sensor sees it first, having both in hand; the collector refuses it.
        p = Daemon(*w.sensor("i-impostor", c.address, w.pki.options("i-good")))
        with p:
            p.wait_for(r"i-impostor.*i-good", "err")
            p.wait_for(r"refused by the collector: .*i-impostor.*i-good", "err")
            check(p.stop().code == 3, "exit code of a sensor that could not deliver")
        cert, key = w.pki.pair("i-good")
        with wire.connect(c.address, w.pki.ca, cert, key) as s:
            s.sendall(wire.frame(wire.HELLO, wire.hello("i-impostor", os.urandom(16))))
            answer = wire.read_frame(s)
            check(answer and answer[0] == wire.REFUSAL, f"expected a refusal, got {answer}")
            match("i-good", wire.parse(answer[1])[1][0].decode(), "the refusal does not say whose certificate it is")
        c.wait_for(r"i-impostor", "err")
        equal(w.stored("i-impostor"), [], "records")
        w.good(c)
    with tap.case("the collector's certificate used by a sensor"):
        cert, key = w.pki.pair("collector")
        check(openssl_peer(w, c, cert, key), "a peer with the collector's certificate was welcomed as a sensor")
        w.good(c)
    with tap.case("not TLS at all"):
        host, port = c.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                while s.recv(4096):
                    pass
        w.good(c)
    with tap.case("another protocol version is refused with both named"):
        versions(w, c)
        w.good(c)
    with tap.case("by hand: Hello, batches, acknowledgements, a break of the chain"):
        by_hand(w, c)
        w.good(c)
    with tap.case("a first frame that is no Hello"):
        wrong_first_frame(w, c)
        w.good(c)
    with tap.case(f"{ROUNDS} connections of random bytes from a peer with a good certificate"):
        random_bytes(w, c)
        w.good(c)


def wrong_collectors(tap, w):
    """Now it is the sensor who must refuse, and say why."""
    for name, options, says in (
            ("a collector's certificate of another CA",
             ["--ca", w.pki.ca, "--cert", w.other.pair("collector")[0], "--key", w.other.pair("collector")[1]],
             r"not trusted|not signed|another CA"),
            ("a sensor's certificate used by the collector", w.pki.options("i-late"), "flowproof-collector|server|role|usage")):
        with tap.case(name):
            store = os.path.join(w.d, "store-" + str(tap.n))
            # A collector may refuse at once to start with such a certificate; then it must say why.
            c = Daemon("flowproof-collector", "-d", store, "-l", LISTEN, *options)
            with c:
                c.wait_for(r"(?i)listening on (\S+)|" + says, "err")
                if "listening on" not in c.text("err"):
                    check(c.wait().code in (2, 3), "exit code")
                else:
                    c.address = c.wait_for(r"listening on (\S+)", "err")[0][1]
                    w.refused(c, "i-good", w.pki.options("i-good"), sensor_says="(?i)" + says)
                    c.stop().expect(0)
    for name, pair, says in (("another CA's certificate", w.other.pair("collector"), "not trusted|not signed|another CA"),
                             ("a sensor's certificate", w.pki.pair("i-late"), "not a collector|flowproof-collector|role|usage")):
        with tap.case(f"a server that poses as a collector with {name}"):
            impostor(w, *pair, says)


if __name__ == "__main__":
    main()
