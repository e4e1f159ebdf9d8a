#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run.py BUILD_DIR [files|live] [PACKETS]   The sensor beside a bare libpcap loop and the flow meters that are installed.

files: each program reads each capture in turn, ROUNDS times after one that warms the cache. Printed are medians: user + system
seconds of all its processes, multiples of the bare loop (pair by pair), nanoseconds a packet, the peak of its memory, and how many
of the packets it accounts for by its own word.

live (root): frames go into one end of a veth pair at rising rates, a program captures at the other, each pair in namespaces of its
own. Printed are what was offered, what was lost, CPU a packet. The sender takes one core.

A benchmark, never a test: it asserts nothing about time.
"""
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import net  # noqa: E402
from peers import peers  # noqa: E402

KINDS = ("mixed", "distinct", "minimum", "elephants")
ROUNDS, SLOW_ROUNDS, SLOW_S = 5, 1, 12  # who takes longer than SLOW_S has one round: its multiple is clear enough
LIMIT_S = 300
RATES = (100000, 200000, 400000, 600000, 0)  # packets a second; 0: as many as the sender can
LIVE_S, LIVE_MAX = 3, 1500000                # so long at each rate, so many packets at most


class Run:
    """One program under measure(1): its CPU seconds, peak KiB and words."""

    def __init__(self, build, folder, command, prefix=()):
        self.result = os.path.join(folder, "measured")
        self.log = open(os.path.join(folder, "words"), "w+", encoding="utf-8", errors="replace")
        self.child = subprocess.Popen([*prefix, f"{build}/tests/bench/measure", self.result, *command], stdout=self.log,
                                      stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True)

    def end(self, limit_s=LIMIT_S):
        try:
            self.child.wait(limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()
            return None
        with open(self.result, encoding="ascii") as f:
            user, system, peak, self.status = f.read().split()
        self.cpu, self.peak = float(user) + float(system), int(peak)
        self.log.seek(0)
        self.words = self.log.read()
        self.log.close()
        return self


def show(*columns):
    print(f"{columns[0]:<11}" + "".join(f"{c:>13}" for c in columns[1:]), flush=True)


def number(value, digits=2):
    return "-" if value is None else f"{value:,.{digits}f}"


def one_file(build, peer, path):
    with tempfile.TemporaryDirectory(prefix="flowproof-bench-") as d:
        run = Run(build, d, peer.files(path, d)).end()
        if not run or run.status != "0":
            return None
        run.accounted = peer.accounted(run.words, d)
        return run


def files(build, packets):
    print(f"files: {packets:,} packets a capture, medians of {ROUNDS}; CPU in seconds, peak in MiB")
    for kind in KINDS:
        with tempfile.TemporaryDirectory(prefix="flowproof-bench-") as d:
            path = os.path.join(d, kind + ".pcap")
            subprocess.run([f"{build}/tests/bench/make_capture", kind, str(packets), path], check=True)
            table, taking_part = {}, [p for p in peers(build) if p.files]
            for turn in range(ROUNDS + 1):
                for p in list(taking_part):
                    run = one_file(build, p, path)
                    if not run:
                        taking_part.remove(p)
                        print(f"{p.name}: failed, or took longer than {LIMIT_S} s", file=sys.stderr)
                        continue
                    if turn == 0 and run.cpu < SLOW_S:
                        table[p.name] = []
                        continue
                    table.setdefault(p.name, []).append(run)
                    if run.cpu >= SLOW_S and len(table[p.name]) >= SLOW_ROUNDS:
                        taking_part.remove(p)
            print()
            show(kind, "CPU", "x bare loop", "ns/packet", "peak", "accounted", "rounds")
            for name, runs in table.items():
                floors = table["bare loop"]
                cpu = statistics.median(r.cpu for r in runs)
                ratio = statistics.median(r.cpu / f.cpu for r, f in zip(runs, floors))
                show(name, number(cpu), number(ratio), number(cpu / packets * 1e9, 0),
                     number(statistics.median(r.peak for r in runs) / 1024, 1), number(runs[-1].accounted, 0), len(runs))


# ---- live ----

def wait_for(what, condition, limit_s=20):
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.05)


def captures_in(namespace):
    """Packet sockets that are open in the namespace."""
    with net.inside(namespace), open("/proc/thread-self/net/packet", encoding="ascii") as f:
        return len(f.readlines()) - 1


def statistic(namespace, name):
    fields = net.ip("-n", namespace, "-s", "link", "show", "in").split("RX:")[1].splitlines()
    return int(dict(zip(fields[0].split(), fields[1].split()))[name])


def one_rate(build, peer, path, rate):
    """(packets offered, a second, lost, CPU seconds) or None."""
    with net.Namespaces("out", "in") as ns, tempfile.TemporaryDirectory(prefix="flowproof-bench-") as d:
        net.veth(ns.out, "out", [], getattr(ns, "in"), "in", [])
        inside = getattr(ns, "in")
        run = Run(build, d, peer.live("in", d), net.prefix(inside))
        try:
            wait_for(f"{peer.name} captures", lambda: captures_in(inside) > 0 or run.child.poll() is not None)
            before = statistic(inside, "packets")
            count = min(LIVE_MAX, (rate or 500000) * LIVE_S)
            sender = subprocess.run([*net.prefix(ns.out), f"{build}/tests/bench/send_frames", "out", path, str(count), str(rate)],
                                    capture_output=True, text=True, check=True, timeout=LIMIT_S)
            _, seconds = sender.stdout.split()
            arrived = statistic(inside, "packets") - before
            time.sleep(1)  # what is in a ring is handed over within its time-out
        finally:
            run.child.send_signal(signal.SIGINT)
            ended = run.end(60)
        if not ended:
            return None
        accounted = peer.accounted(run.words, d)
        return arrived, arrived / float(seconds), None if accounted is None else arrived - accounted, run.cpu


def live(build):
    net.need_root("bench live")
    print(f"\nlive: {LIVE_S} s at each rate, at most {LIVE_MAX:,} packets; CPU in microseconds a packet offered")
    with tempfile.TemporaryDirectory(prefix="flowproof-bench-") as d:
        path = os.path.join(d, "mixed.pcap")
        subprocess.run([f"{build}/tests/bench/make_capture", "mixed", "65536", path], check=True)
        for rate in RATES:
            print()
            show(f"{rate:,}/s" if rate else "all", "packets", "a second", "lost", "lost %", "us/packet")
            for p in peers(build):
                if not p.live:
                    continue
                try:
                    got = one_rate(build, p, path, rate)
                except (TimeoutError, subprocess.SubprocessError) as e:
                    print(f"{p.name}: {e}", file=sys.stderr)
                    continue
                if got:
                    offered, speed, lost, cpu = got
                    show(p.name, number(offered, 0), number(speed, 0), number(lost, 0),
                         number(None if lost is None else lost / offered * 100), number(cpu / offered * 1e6, 3))


def main():
    build = sys.argv[1]
    part = sys.argv[2] if len(sys.argv) > 2 else ""
    packets = int(sys.argv[3]) if len(sys.argv) > 3 else 3000000
    if part not in ("", "files", "live"):
        sys.exit(__doc__)
    if part != "live":
        files(build, packets)
    if part != "files":
        live(build)


if __name__ == "__main__":
    main()
