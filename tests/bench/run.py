#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run.py BUILD_DIR [PACKETS]   CPU of the sensor against a bare pcap_dispatch loop over the same captures.

Each capture is read by both in turn, five times; printed is the median of user + system seconds, their ratio pair by pair (median),
nanoseconds a packet above the floor, and the peak of the sensor's memory. A benchmark, never a test: it asserts nothing about time.
"""
import os
import statistics
import subprocess
import sys
import tempfile

KINDS = ("mixed", "distinct", "elephants", "minimum")
ROUNDS = 5


def cpu(*args):
    """(CPU seconds, peak KiB) of one run; what it prints is thrown away."""
    with open(os.devnull, "w", encoding="utf-8") as null:
        p = subprocess.Popen(args, stdout=null, stderr=null)
        _, status, usage = os.wait4(p.pid, 0)
    if status:
        sys.exit(f"{' '.join(args)}: status {status}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def main():
    build = sys.argv[1]
    packets = int(sys.argv[2]) if len(sys.argv) > 2 else 3000000
    print(f"{packets} packets a capture, {ROUNDS} rounds, medians")
    print(f"{'capture':<10} {'bare loop s':>11} {'sensor s':>9} {'ratio':>6} {'ns/packet above':>16} {'peak MiB':>9}")
    with tempfile.TemporaryDirectory(prefix="flowproof-bench-") as d:
        for kind in KINDS:
            path = os.path.join(d, kind + ".pcap")
            subprocess.run([f"{build}/tests/bench/make_capture", kind, str(packets), path], check=True)
            rounds = []
            for _ in range(ROUNDS + 1):
                floor, _ = cpu(f"{build}/tests/bench/bare_loop", path)
                sensor, peak = cpu(f"{build}/flowproof-sensor", "-r", path, "-o", os.devnull)
                rounds.append((floor, sensor, sensor / floor, peak))
            floor, sensor, ratio, peak = (statistics.median(column) for column in zip(*rounds[1:]))  # the first warms the cache
            print(f"{kind:<10} {floor:>11.3f} {sensor:>9.3f} {ratio:>6.2f} {(sensor - floor) / packets * 1e9:>16.0f} {peak / 1024:>9.1f}")
            os.unlink(path)


if __name__ == "__main__":
    main()
