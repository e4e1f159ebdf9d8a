# SPDX-License-Identifier: Apache-2.0
"""A capture file as a live run: the sensor reads it for a collector that is this test, and what it said is told to a real one, as if it had watched.

All that differs from one run to the next is fixed: the stream's id, digests of build and configuration, clocks by the packets' own stamps. What a file
cannot tell is added as a story has it: the host's interfaces, counters of losses, canaries. Records, endpoints, names, bursts, the packet
equation and the sensor's tables stay as the sensor wrote them.
"""
import hashlib
import socket
import ssl
import subprocess
import threading

from harness import run
import story
from story import event, packed, sint, zigzag
import wire
from wire import field, parse


def listen_once(pki):
    """(address, {"hello": ..., "batches": [...]}, thread): takes all that one sensor sends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pki.pair("collector"))
    context.load_verify_locations(pki.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(60)
    taken = {"batches": []}

    def take():
        conn, _ = listener.accept()
        with context.wrap_socket(conn, server_side=True) as s:
            while got := wire.read_frame(s):
                kind, message = got
                if kind == wire.HELLO:
                    taken["hello"] = parse(message)
                    s.sendall(wire.frame(wire.WELCOME, field(1, 1) + field(3, 1)))
                elif kind == wire.BATCH:
                    taken["batches"].append(parse(message))
                    s.sendall(wire.frame(wire.ACK, field(1, len(taken["batches"])) + field(2, 1)))
        listener.close()

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    return f"127.0.0.1:{listener.getsockname()[1]}", taken, thread


def read(path, sensor, pki, *args):
    """What the sensor says of the capture file: (hello, batches), each as {field number: [values]}."""
    address, taken, thread = listen_once(pki)
    run("flowproof-sensor", "-r", path, "-s", address, "--id", sensor, *pki.options(sensor), *args, limit=120).expect(0)
    thread.join(30)
    return taken["hello"], taken["batches"]


def numbers(column):
    """Of a packed column."""
    out, v, shift = [], 0, 0
    for b in column:
        v |= (b & 127) << shift
        shift += 7
        if b < 128:
            out.append(v)
            v = shift = 0
    return out


def end_of(batch):
    """The last second of its records; None without any."""
    if 4 not in batch:
        return None
    records = parse(batch[4][0])
    start, last = 0, 0
    for delta, duration in zip(numbers(records[13][0]), numbers(records[14][0])):
        start += delta >> 1 ^ -(delta & 1)
        last = max(last, start + duration)
    return last


def packets_of(batch):
    return sum(numbers(parse(batch[4][0]).get(10, [b""])[0])) if 4 in batch else 0


def records_of(batch):
    return parse(batch[4][0])[1][0] if 4 in batch else 0


def known(account):
    """The account with losses that were counted, and are none."""
    return b"".join(field(k, v) for k, values in sorted(parse(account).items()) for v in values if k not in (9, 10)) + bytes([9 << 3, 0, 10 << 3, 0])


class Live:
    """The run again, from `begin` to `end` (Unix seconds): a batch a minute at least, the goodbye signed."""

    def __init__(self, sensor, hello, batches, begin, end, canaries=4):
        self.sensor, self.stream = sensor, b"\7" * 16
        keep = {k: v for k, v in hello.items() if k not in (3, 5, 6, 10, 11, 15)}
        keep[8] = [v + field(6, 1) for v in keep[8]]  # the driver counts no allowances
        self.hello = b"".join(field(k, v) for k, values in sorted(keep.items()) for v in values) + field(3, self.stream) + \
            field(5, "0.1.0 (golden)") + field(6, b"\1" * 32) + field(10, begin * 10**9)
        up = [event(story.START, 0, text="sandbox"), event(story.INTERFACE, 0, 1, story.UP, 0, 0, text="lo"),
              event(story.INTERFACE, 0, 2, story.UP | story.CAPTURED, 0, 0, text="eth0"), event(story.HOST, 0, 60, 2), event(story.CONNECTED, 0, 1, text="collector")]
        last = [event(story.CANARIES, end - begin, canaries, canaries, 0, 0, text="collector"), event(story.BLIND_CHECK, end - begin, 0, 0, 9, 0)]
        at, self.batches = begin, [(begin, {}, up)]
        for i, batch in enumerate(batches):
            to = max(at, min(end_of(batch) or at, end)) if i + 1 < len(batches) else end
            while to > at + 60:
                at += 60
                self.batches.append((at, {}, []))
            self.batches.append((to, {k: v for k, v in batch.items() if k not in (1, 2, 3, 8, 9, 10, 11, 12, 100)}, last if i + 1 == len(batches) else []))
            at = to

    def encode(self, key):
        """Each batch's bytes, as a chain."""
        previous, records, packets, t0 = hashlib.sha256(self.stream).digest(), 0, 0, 0
        for i, (at, content, events) in enumerate(self.batches):
            is_last = i + 1 == len(self.batches)
            out = [field(1, i + 1), field(2, previous), field(3, at * 10**9), field(8, int(is_last)), field(9, records), field(10, packets),
                   field(11, sint(1, 0) + field(2, 2000000))]
            out += [field(12, field(1, e["kind"]) + field(2, (at + t0) * 10**9) + packed(3, [zigzag(v) for v in e["values"]]) + field(4, e["text"])) for e in events]
            for number, values in sorted(content.items()):
                out += [field(number, known(v) if number == 6 else v) for v in values]
            encoded = b"".join(out)
            if is_last:
                encoded += field(100, subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=b"flowproof-batch-1" + self.stream + encoded,
                                                     stdout=subprocess.PIPE, check=True).stdout)
            records += records_of(content)
            packets += packets_of(content)
            previous = hashlib.sha256(encoded).digest()
            yield encoded

    def send(self, address, pki):
        cert, key = pki.pair(self.sensor)
        with open(cert, encoding="ascii") as f:
            der = ssl.PEM_cert_to_DER_cert(f.read())
        with wire.connect(address, pki.ca, cert, key) as s:
            s.sendall(wire.frame(wire.HELLO, self.hello + field(15, der)))
            got = wire.read_frame(s)
            if got[0] != wire.WELCOME:
                raise AssertionError(f"no welcome: {got}")
            for encoded in self.encode(key):
                s.sendall(wire.frame(wire.BATCH, encoded))
            durable = 0
            while durable < len(self.batches):
                got = wire.read_frame(s)
                if not got or got[0] != wire.ACK:
                    raise AssertionError(f"{self.sensor}: no acknowledgement of batch {durable + 1}: {got}")
                durable = parse(got[1])[1][0]
