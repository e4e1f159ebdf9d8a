#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""measure_limits.py BUILD_DIR   Where each detector begins to find: made-up signals of known strength are put into recorded background
(the ordinary captures kept beside the tree, each once, at random times), sent through sensor, collector and ledger, and looked for with
`flowproof findings`. Writes docs/limits.md. Not part of the tests: `make limits`."""
import collections
import os
import random
import struct
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "golden"), os.path.join(TESTS, "findings")]
from harness import ROOT, build_dir, folder, run, write  # noqa: E402
from shared import classes, data_folder  # noqa: E402
import make_captures as make  # noqa: E402
import run_findings as rf  # noqa: E402

TRIALS = 20
PERIODS, JITTERS, CALLS = (7, 10, 20, 30, 60, 600, 3600), (0, 10, 20, 30, 50, 70), (6, 11, 21, 48)
NAMES, LENGTHS = (5, 10, 20, 40, 80, 250), (6, 12, 24, 48)
ALPHABETS = {"hex": rf.HEX, "base32": rf.B32, "base64": "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789-_",
             "letters as in English": "eeeeeeeeeeeetttttttttaaaaaaaaooooooooiiiiiiinnnnnnnsssssshhhhhhrrrrrrddddllllcccuuummmwwwffggyyppbbvk"}


class Signals:
    """Packets, and which remote address or parent domain belongs to which strength."""

    def __init__(self, seed):
        self.rng, self.packets, self.of, self.n = random.Random(seed), [], {}, 0

    def remote(self, what):
        self.n += 1
        address = f"198.{18 + (self.n >> 16)}.{self.n >> 8 & 255}.{self.n & 255}"
        self.of[address] = what
        return address

    def domain(self, what):
        self.n += 1
        name = f"d{self.n}.example"
        self.of[name] = what
        return name


def beacons(calls):
    s = Signals(calls)
    for period in PERIODS:
        for jitter in JITTERS:
            for _ in range(TRIALS):
                remote, t = s.remote((period, jitter)), s.rng.uniform(0, 3600)
                for _ in range(calls):
                    s.packets.append(make.udp_packet(rf.at(t), rf.ME, remote, 4000, 4444, 60))
                    t += period * (1 + jitter / 100 * s.rng.uniform(-1, 1))
    return s


def at_random():
    """Calls of no rhythm: what beacons must be told from."""
    s = Signals(99)
    for mean in (5, 15, 60, 600):
        for calls in CALLS:
            for _ in range(3 * TRIALS):
                remote, t = s.remote((mean, calls)), s.rng.uniform(0, 3600)
                for _ in range(calls):
                    s.packets.append(make.udp_packet(rf.at(t), rf.ME, remote, 4000, 4444, 60))
                    t += 5 + s.rng.expovariate(1 / mean)
    return s


def tunnels(alphabet):
    s = Signals(len(alphabet))
    for count in NAMES:
        for length in LENGTHS:
            for _ in range(TRIALS // 2):
                parent = s.domain((count, length))
                for _ in range(count):
                    name = "".join(s.rng.choice(ALPHABETS[alphabet]) for _ in range(length)) + "." + parent
                    s.packets += rf.dns(s.rng.uniform(0, 6 * 3600), name, 1, s.rng.randrange(1024, 60000))
    return s


def transfers():
    """TCP connections of 200 bytes up, so many over so many hours."""
    s = Signals(5)
    for count in (2, 3, 4, 6, 12):
        for hours in (0.5, 0.9, 1, 3, 24):
            for _ in range(TRIALS):
                remote = s.remote((count, hours))
                for i in range(count):
                    s.packets += rf.talk(hours * 3600 * i / (count - 1), remote, 443, 2000 + i)
    return s


def probes():
    s = Signals(6)
    for count in (3, 4, 5, 6, 7, 8):
        for trial in range(TRIALS):
            remote = s.remote(("scan", count))
            for i in range(count):
                s.packets.append(make.tcp_packet(rf.at(trial * 60 + i), rf.ME, remote, 2000, 1000 + i, rf.SYN))
            port = 10000 + 100 * count + trial
            for i in range(count):
                target = s.remote(("sweep", count))
                s.of[(target, port)] = ("sweep", count)
                s.packets.append(make.tcp_packet(rf.at(trial * 60 + i), rf.ME, target, 2000, port, rf.SYN))
    return s


def echoes():
    s = Signals(7)
    for size in (56, 100, 150, 172, 200, 400):
        for change in (0, 8, 16, 64):
            for _ in range(TRIALS):
                remote = s.remote((size, change))
                for minute in range(3):
                    for i in range(3):
                        t = 60 * minute + i + 1
                        data = size + (change if minute == 1 else 0)
                        s.packets += [make.ping(rf.at(t), rf.ME, remote, data), make.ping(rf.at(t + .01), remote, rf.ME, data, reply=True)]
    return s


def uploads():
    s = Signals(8)
    for kib in (256, 512, 900, 1000, 1100, 2048):
        for _ in range(3):
            remote = s.remote((kib,))
            s.packets += rf.talk(0, remote, 443, 2000)[:4]
            s.packets += [make.tcp_packet(rf.at(1 + i / 200), rf.ME, remote, 2000, 443, rf.ACK, 1400) for i in range(kib * 1024 // 1440 + 1)]
    return s


# ---- background -----------------------------------------------------------------------------------------------


def frames_of(path):
    """(nanoseconds, frame, length on the wire) of an Ethernet pcap; None for other files."""
    with open(path, "rb") as f:
        raw = f.read()
    if raw[:4] not in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4"):
        return None
    order = "<" if raw[0] == 0xd4 else ">"
    if struct.unpack_from(order + "I", raw, 20)[0] != 1:
        return None
    ret, place = [], 24
    while place + 16 <= len(raw):
        sec, usec, kept, wire = struct.unpack_from(order + "IIII", raw, place)
        ret.append((sec * make.NS + usec * 1000, raw[place + 16:place + 16 + kept], wire))
        place += 16 + kept
    return ret


def background(data, hours):
    rng, packets, used = random.Random(1), [], []
    listed = classes(data)
    for name in sorted(listed["ordinary, several windows"] | listed["TCP flags"]):
        frames = frames_of(os.path.join(data, "pcaps", name))
        if not frames or frames[-1][0] - frames[0][0] > hours * 3600 * make.NS:
            continue
        used.append(name)
        start = make.ns(make.T0) + round(rng.uniform(0, hours * 3600) * make.NS)
        packets += [make.Packet(start + ns - frames[0][0], frame, wire, None) for ns, frame, wire in frames]
    return packets, used


# ---- measuring ------------------------------------------------------------------------------------------------

RUNS = {**{f"beacon-{n}": (lambda n=n: beacons(n)) for n in CALLS}, "random": at_random,
        **{f"dns-{i}": (lambda a=a: tunnels(a)) for i, a in enumerate(ALPHABETS)},
        "drip": transfers, "probes": probes, "icmp": echoes, "volume": uploads}
KINDS = {"beacon": "beacon", "random": "beacon", "dns": "dns_tunnel", "drip": "drip", "icmp": "icmp_tunnel", "volume": "volume"}


def measure(data):
    """{run: {strength: (found, all)}}, and the findings about the background."""
    recorded, used = background(data, 6)
    signals = {name: make_it() for name, make_it in RUNS.items()}
    with folder() as d:
        captures = {}
        for name, s in signals.items():
            packets = sorted(s.packets + recorded, key=lambda p: p.ns)
            captures[name] = (write(os.path.join(d, name + ".pcap"), make.pcap(packets)), ())
        store = rf.Store(d, captures)
        rows = store.findings()
    found, others = collections.defaultdict(set), collections.Counter()
    for f in rows:
        s = signals[f["sensor"]]
        key = f["name"] if f["kind"] == "dns_tunnel" else (f["remote"], f["port"]) if f["kind"] == "sweep" else f["remote"]
        if key in s.of:
            found[f["sensor"]].add((f["kind"], key))
        elif f["sensor"] == "random" and not f["kind"].startswith("unexpected"):
            others[(f["kind"], f["severity"])] += 1
    results = {}
    for name, s in signals.items():
        sums = collections.defaultdict(lambda: [0, 0])
        for key, what in s.of.items():
            kind = what[0] if name == "probes" else KINDS[name.split("-")[0]]
            if (kind == "sweep") != isinstance(key, tuple):
                continue
            sums[what][0] += (kind, key) in found[name]
            sums[what][1] += 1
        results[name] = dict(sums)
    # Of a sweep's addresses the first one stands for all.
    for what, (hits, total) in list(results["probes"].items()):
        if what[0] == "sweep":
            results["probes"][what] = [hits, total // what[1]]
    return results, others, used, len(recorded)


def percent(pair):
    return f"{round(100 * pair[0] / pair[1])} %"


def table(head, rows):
    return "\n".join(["| " + " | ".join(str(c) for c in row) + " |" for row in [head, ["---"] * len(head), *rows]]) + "\n"


def page(results, others, used, n):
    beacon = {calls: results[f"beacon-{calls}"] for calls in CALLS}
    parts = [f"""# What the detectors find, measured

`flowproof findings --limits` says what each detector needs; this is how often it then finds. `make limits` makes this page: signals of known
strength are put into {n:,} recorded packets of {len(used)} captures at random times of six hours, and go through sensor, collector and ledger.
{TRIALS} trials for each figure, unless said otherwise; a figure is the share that was found.

## beacon

Single datagrams that nobody answers, intervals uniform within the jitter on both sides of the period.
"""]
    for calls in CALLS:
        parts.append(f"\n{calls} calls:\n\n" + table(
            ["period", *(f"jitter {j} %" for j in JITTERS)],
            [[f"{p} s", *(percent(beacon[calls][(p, j)]) for j in JITTERS)] for p in PERIODS]))
    parts.append("\nCalls at random, exponential intervals behind the five seconds of silence that a call needs: found wrongly "
                 f"({3 * TRIALS} trials).\n\n" +
                 table(["mean", *(f"{c} calls" for c in CALLS)],
                       [[f"5 + {m} s", *(percent(results["random"][(m, c)]) for c in CALLS)] for m in (5, 15, 60, 600)]))
    parts.append("\n## dns_tunnel\n\nA questions for so many names below one domain, one label of so many letters each, at random times of six "
                 f"hours ({TRIALS // 2} trials).\n")
    for i, alphabet in enumerate(ALPHABETS):
        parts.append(f"\n{alphabet}:\n\n" + table(["names", *(f"{n} letters" for n in LENGTHS)],
                                                   [[c, *(percent(results[f"dns-{i}"][(c, n)]) for n in LENGTHS)] for c in NAMES]))
    parts.append("\n## icmp_tunnel\n\nThree pings a minute for three minutes, answered in kind; those of the second minute longer.\n\n" + table(
        ["data", *(f"change {c}" for c in (0, 8, 16, 64))],
        [[f"{z} bytes", *(percent(results["icmp"][(z, c)]) for c in (0, 8, 16, 64))] for z in (56, 100, 150, 172, 200, 400)]))
    parts.append("\n## drip\n\nConnections that send 200 bytes, evenly over so long.\n\n" + table(
        ["connections", *(f"{h} h" for h in (0.5, 0.9, 1, 3, 24))],
        [[c, *(percent(results["drip"][(c, h)]) for h in (0.5, 0.9, 1, 3, 24))] for c in (2, 3, 4, 6, 12)]))
    parts.append("\n## sweep, scan\n\nSYNs that nobody answers.\n\n" + table(
        ["", *(str(c) for c in (3, 4, 5, 6, 7, 8))],
        [[kind, *(percent(results["probes"][(kind, c)]) for c in (3, 4, 5, 6, 7, 8))] for kind in ("sweep", "scan")]))
    parts.append("\n## volume\n\nAn upload of so much payload and its headers (3 trials).\n\n" + table(
        [f"{k} KiB" for k in (256, 512, 900, 1000, 1100, 2048)],
        [[percent(results["volume"][(k,)]) for k in (256, 512, 900, 1000, 1100, 2048)]]))
    parts.append("\n## The background\n\nUnder the built-in policy nothing in it is expected. What detectors said of it, once each:\n\n" + table(
        ["kind", "severity", "findings"], [[k, s, c] for (k, s), c in sorted(others.items())]))
    return "".join(parts)


def main():
    build_dir()
    data = data_folder()
    if not data:
        sys.exit("the recorded captures are not there: tests/lib/shared.py says where they are looked for")
    text = page(*measure(data))
    write(os.path.join(ROOT, "docs", "limits.md"), text.encode())
    print(text)


if __name__ == "__main__":
    main()
