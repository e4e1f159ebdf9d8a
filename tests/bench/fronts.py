#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""fronts.py BUILD_DIR   Records a second through 0 (a collector on its own), 1, 2 and 4 fronts, three NATS servers and a writer, all on this machine.

CPU is told by part, since all of them share the processors: docs/scale.md's model is made of these figures. A benchmark, never a test.
"""
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), name) for name in ("lib", "faults", "jetstream")]
from cluster import Cluster  # noqa: E402

SENSORS = 48  # in all
CASES = ((60, 500, (0, 1, 2, 4)), (200, 23, (0, 1)))  # batches of each, records of a batch, fronts


def cpu(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def child_of(pid):
    """The relay of a collector: its first child."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return int(f.read().split()[0])


def peak_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1]) / 1024


class Collector:
    def __init__(self, build, d, name, *args):
        self.log = os.path.join(d, f"{name}.log")
        with open(self.log, "wb") as err:
            self.process = subprocess.Popen([f"{build}/flowproof-collector", "-q", "-d", os.path.join(d, name), *args, "--ca", f"{d}/ca.crt",
                                             "--cert", f"{d}/collector.crt", "--key", f"{d}/collector.key"], stderr=err)

    @property
    def pid(self):
        return self.process.pid

    def address(self):
        while not (found := re.search(r"listening on (\S+)", open(self.log, encoding="utf-8").read())):
            time.sleep(0.01)
        return found[1]

    def stop(self):
        self.process.terminate()
        self.process.wait()


def in_ledger(store):
    return sum(os.path.getsize(os.path.join(top, n)) for top, _, names in os.walk(store) if "@" not in top for n in names)


def bench(build, d, fronts, batches, records):
    cluster = Cluster(os.path.join(d, f"nats-{fronts}-{records}")).ready() if fronts else None
    to = cluster.options("to") if cluster else []
    collectors = [Collector(build, d, f"front-{fronts}-{records}-{i}", "-l", "127.0.0.1:0", *to) for i in range(max(fronts, 1))]
    addresses = [c.address() for c in collectors]
    writer = Collector(build, d, f"ledger-{fronts}-{records}", *cluster.options("from")) if fronts else None
    begin = time.monotonic()
    share = SENSORS // len(collectors)
    loads = [subprocess.Popen([f"{build}/tests/bench/ingest_load", a, str(share), str(batches), str(records), "64", str(i * share)], cwd=d,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for i, a in enumerate(addresses)]
    for load in loads:
        load.stdout.readline()
    wall = time.monotonic() - begin
    n = share * len(collectors) * batches * records
    if writer:
        size = -1
        while size != in_ledger(os.path.join(d, f"ledger-{fronts}-{records}")):  # until it has caught up
            size = in_ledger(os.path.join(d, f"ledger-{fronts}-{records}"))
            time.sleep(0.5)
    parts = {"front": [c.pid for c in collectors], "relay": [child_of(c.pid) for c in collectors] if fronts else [],
             "NATS": [s.pid for s in cluster.servers] if cluster else [], "writer": [writer.pid, child_of(writer.pid)] if writer else []}
    spent = {name: cpu(pids) for name, pids in parts.items()}
    print(f"{fronts:>6} {n:>9} {wall:>7.2f} {n / wall:>10.0f} " + " ".join(f"{1e6 * s / (n / records):>9.0f}" for s in spent.values())
          + f" {peak_mib(collectors[0].pid):>9.1f} {max((peak_mib(p) for p in parts['NATS']), default=0):>9.1f}", flush=True)
    for load in loads:
        load.stdin.close()
        load.wait()
    for c in [*collectors, *([writer] if writer else [])]:
        c.stop()
    if cluster:
        cluster.close()


def main():
    build = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="flowproof-bench-") as d:
        os.chmod(d, 0o755)
        subprocess.run([f"{build}/flowproof", "pki", "init", "-d", d], check=True, stdout=subprocess.DEVNULL)
        for batches, records, all_fronts in CASES:
            print(f"{SENSORS} sensors, batches of {records} records; microseconds of CPU a batch by part")
            print(f"{'fronts':>6} {'records':>9} {'wall s':>7} {'records/s':>10} {'fronts':>9} {'relays':>9} {'3 NATS':>9} {'writer':>9}"
                  f" {'front MiB':>9} {'NATS MiB':>9}")
            for fronts in all_fronts:
                bench(build, d, fronts, batches, records)


if __name__ == "__main__":
    main()
