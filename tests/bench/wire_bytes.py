#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""wire_bytes.py BUILD_DIR [CAPTURE...]   Bytes on the wire a record, TLS included, beside what NetFlow v9 and IPFIX take for the same flows.

Each capture is replayed through a proxy that counts TCP payload from the sensor to the collector and back. `handshake` is what a
connection costs that delivers nothing else. NetFlow v9 (RFC 3954) and IPFIX (RFC 7011) are counted by their formats, over UDP and
without its headers, with as many records in a datagram as fit in 1,464 bytes, templates left out: both addresses, ports, protocol, TCP flags,
packets, bytes, first and last; counters of 4 and times of 4 bytes in v9, of 8 in IPFIX. They have neither direction, verdict, rule nor chain, and lose
a datagram without knowing. Without captures the largest of ../shared are taken. A benchmark, never a test.
"""
import glob
import json
import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "faults")]
CAPTURES, LEAST = 6, 500  # of those with so many records
DATAGRAM = 1464


def arguments():
    """Takes the captures out of what the harness looks at."""
    captures = sys.argv[2:]
    del sys.argv[2:]
    return captures


GIVEN = arguments()
from harness import Daemon, folder, run  # noqa: E402
from pki import Pki, collector  # noqa: E402
from world import Proxy  # noqa: E402
import shared  # noqa: E402


class Counter(Proxy):
    """A proxy that counts: [from the sensor, to it]."""

    def __init__(self, target):
        self.bytes = [0, 0]
        super().__init__(target, [])

    def pump(self, a, b, left, reset):
        way = 0 if b.getpeername()[1] == self.target[1] else 1
        while data := a.recv(65536):
            self.bytes[way] += len(data)
            b.sendall(data)
        b.shutdown(1)


def datagrams(four, six, head, set_head, of_four, of_six):
    """Bytes of datagrams with so many records of IPv4 and IPv6, each kind in datagrams of its own."""
    total = 0
    for n, size in ((four, of_four), (six, of_six)):
        fit = (DATAGRAM - head - set_head) // size
        total += n * size + -(-n // fit) * (head + set_head)
    return total


def one(d, pki, c, number, path):
    name = f"wire-{number}"
    pki.issue(name)
    proxy = Counter(c.address)
    with Daemon("flowproof-sensor", "-r", path, "-s", proxy.address, "--id", name, *pki.options(name)) as s:
        s.wait(120).expect(0)
    proxy.close()
    lines = run("flowproof", "records", "-d", os.path.join(d, "store"), "--sensor", name, "--json", "-F", "type log-status").out.splitlines()
    kinds = [r["type"] for r in map(json.loads, lines) if r["log-status"] == "OK"]
    return kinds.count("IPv4"), kinds.count("IPv6"), proxy.bytes


def records_of(path):
    """About: the lines that the sensor prints."""
    result = run("flowproof-sensor", "-r", path)
    return result.out.count("\n") if result.code == 0 else 0


def main():
    captures = GIVEN
    if not captures:
        place = shared.data_folder()
        every = glob.glob(os.path.join(place, "pcaps", "*")) if place else []
        captures = [p for n, p in sorted(((records_of(p), p) for p in every), reverse=True)[:CAPTURES] if n >= LEAST]
    print(f"{'capture':<40} {'records':>8} {'bytes':>9} {'a record':>8} {'back':>6} {'v9':>6} {'IPFIX':>6}   (bytes a record; handshake in `bytes`)")
    with folder() as d:
        pki = Pki(os.path.join(d, "keys"))
        empty = os.path.join(d, "empty.pcap")
        with open(empty, "wb") as f:
            f.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
        with collector(os.path.join(d, "store"), "127.0.0.1:0", pki.options("collector")) as c:
            _, _, handshake = one(d, pki, c, 0, empty)
            print(f"{'(nothing: handshake, hello, goodbye)':<40} {0:>8} {handshake[0]:>9} {'':>8} {handshake[1]:>6}")
            for i, path in enumerate(captures):
                four, six, sent = one(d, pki, c, i + 1, path)
                n = four + six
                if n == 0:
                    continue
                v9, ipfix = datagrams(four, six, 20, 4, 30, 54), datagrams(four, six, 16, 4, 46, 70)
                print(f"{os.path.basename(path)[:40]:<40} {n:>8} {sent[0]:>9} {(sent[0] - handshake[0]) / n:>8.1f} {(sent[1] - handshake[1]) / n:>6.2f}"
                      f" {v9 / n:>6.1f} {ipfix / n:>6.1f}", flush=True)


if __name__ == "__main__":
    main()
