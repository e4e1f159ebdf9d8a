#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ingest.py BUILD_DIR   Records a second that the collector makes durable and acknowledges, with 1 and with 1,000 sensors; and its audit.

CPU is the collector's own (user + system): what one core can do, whatever else the machine does. A benchmark, never a test.
"""
import os
import re
import resource
import subprocess
import sys
import tempfile
import time

# Sensors, batches of each, records of each. The second is a day of a million records: a batch every 2 s.
CASES = ((1, 1000, 2000), (1, 43200, 23), (1000, 5, 500))


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1]) / 1024


def size(store):
    return sum(os.path.getsize(os.path.join(d, n)) for d, _, names in os.walk(store) for n in names)


def bench(build, d, store, log, c, sensors, batches, records):
    while not (found := re.search(r"listening on (\S+)", open(log, encoding="utf-8").read())):
        time.sleep(0.01)
    before = cpu(c.pid)
    with subprocess.Popen([f"{build}/tests/bench/ingest_load", found[1], str(sensors), str(batches), str(records)], cwd=d,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        said = load.stdout.readline().split()  # all its sensors are connected still
        spent, peak = cpu(c.pid) - before, peak_mib(c.pid)
    c.terminate()
    c.wait()
    costs = []
    for command in ([f"{build}/flowproof", "audit", "-d", store, "--ca", f"{d}/ca.crt"],
                    ["sh", "-c", f"find {store} -type f -exec sha256sum {{}} +"]):
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime)
    n = int(said[1])
    print(f"{sensors:>7} {n:>9} {said[3]:>7} {spent:>6.2f} {n / spent:>13.0f} {peak:>8.1f} {size(store) / n:>12.1f} {costs[0]:>11.2f}"
          f" {costs[1]:>15.2f}", flush=True)


def main():
    build = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="flowproof-bench-") as d:
        os.chmod(d, 0o755)
        subprocess.run([f"{build}/flowproof", "pki", "init", "-d", d], check=True, stdout=subprocess.DEVNULL)
        print(f"{'sensors':>7} {'records':>9} {'wall s':>7} {'CPU s':>6} {'records/CPU s':>13} {'peak MiB':>8} {'bytes/record':>12}"
              f" {'audit CPU s':>11} {'sha256sum CPU s':>15}")
        for sensors, batches, records in CASES:
            store, log = os.path.join(d, f"store-{sensors}"), os.path.join(d, "log")
            with open(log, "wb") as err:
                c = subprocess.Popen([f"{build}/flowproof-collector", "-q", "-d", store, "-l", "127.0.0.1:0", "--ca", f"{d}/ca.crt",
                                      "--cert", f"{d}/collector.crt", "--key", f"{d}/collector.key"], stderr=err)
            try:
                bench(build, d, store, log, c, sensors, batches, records)
            finally:
                c.terminate()
                c.wait()


if __name__ == "__main__":
    main()
