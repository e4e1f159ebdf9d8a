#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""report.py BUILD_DIR   CPU and memory of `flowproof report` over a day of 1 M records: 1,440 batches of 695, of few endpoints and of many. A benchmark, never a test."""
import os
import re
import subprocess
import sys
import tempfile
import time

BATCHES, RECORDS = 1440, 695


def measured(argv):
    """(CPU seconds, peak MiB, wall seconds)"""
    begin = time.monotonic()
    p = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(p.pid, 0)
    wall = time.monotonic() - begin
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, wall


def ledger(build, d, hosts):
    """A store of a day in which a machine spoke to so many."""
    store, log = os.path.join(d, f"store-{hosts}"), os.path.join(d, "log")
    with open(log, "wb") as err:
        c = subprocess.Popen([f"{build}/flowproof-collector", "-q", "-d", store, "-l", "127.0.0.1:0", "--ca", f"{d}/ca.crt",
                              "--cert", f"{d}/collector.crt", "--key", f"{d}/collector.key"], stderr=err)
    try:
        while not (found := re.search(r"listening on (\S+)", open(log, encoding="utf-8").read())):
            time.sleep(0.01)
        with subprocess.Popen([f"{build}/tests/bench/ingest_load", found[1], "1", str(BATCHES), str(RECORDS), str(hosts)], cwd=d, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as load:
            print(load.stdout.readline().strip())
    finally:
        c.terminate()
        c.wait()
    return store


def main():
    build = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="flowproof-bench-") as d:
        os.chmod(d, 0o755)
        subprocess.run([f"{build}/flowproof", "pki", "init", "-d", d], check=True, stdout=subprocess.DEVNULL)
        # Of the last each endpoint is unexpected, and a finding.
        for hosts in (64, 10_000, 100_000):
            report = [f"{build}/flowproof", "report", "-d", ledger(build, d, hosts)]
            print(f"{hosts:>7} endpoints {'':<16} {'CPU s':>6} {'peak MiB':>8} {'wall s':>7}")
            for name, options in (("verdict", []), ("verdict, audit", ["--ca", f"{d}/ca.crt"]),
                                  ("verdict, audit, HTML and JSON", ["--ca", f"{d}/ca.crt", "--html", f"{d}/r.html", "--json", f"{d}/r.json"])):
                cpu, peak, wall = measured([*report, *options])
                print(f"{name:<34} {cpu:>6.2f} {peak:>8.1f} {wall:>7.2f}")


if __name__ == "__main__":
    main()
