#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""deliver.py BUILD_DIR   What a delivery costs ingest: none, one that is dead, S3 and CloudWatch Logs that nobody answers for, one that stands still, one that
works, in turn. Then what `flowproof export` makes of the store, a CPU second.

CPU is the collector's own (user + system), wall time that of the load until all is acknowledged. A benchmark, never a test.
"""
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile

from ingest import cpu, peak_mib, size
import time

SENSORS, BATCHES, RECORDS, ROUNDS = 4, 250, 1000, 3
KINDS = ("none", "dead", "away", "stopped", "working")


def child(pid):
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{p}/stat", encoding="ascii", errors="replace") as f:
                if int(f.read().rsplit(")", 1)[1].split()[1]) == pid:
                    return int(p)
        except OSError:
            pass
    return 0


def ingest(build, d, kind, n):
    store, out, log = (os.path.join(d, f"{what}-{kind}-{n}") for what in ("store", "out", "log"))
    options = [] if kind == "none" else ["--deliver-files", out, "--deliver-state", os.path.join(d, f"state-{kind}-{n}"), "--deliver-every-s", "1",
                                         "--deliver-late-s", "0"]
    if kind == "away":  # port 9 of this machine: nobody listens
        options[:2] = ["--s3-bucket", "evidence", "--s3-endpoint", "http://127.0.0.1:9", "--cloudwatch-group", "flow", "--cloudwatch-endpoint", "http://127.0.0.1:9",
                       "--cloudwatch-every-s", "1", "--aws-region", "us-east-1"]
        os.environ.update(AWS_ACCESS_KEY_ID="A", AWS_SECRET_ACCESS_KEY="S")
    if kind == "dead":
        os.makedirs(os.path.join(out, "AWSLogs"), 0o755)
        os.chmod(os.path.join(out, "AWSLogs"), 0o500)
        os.chown(os.path.join(out, "AWSLogs"), 1, 1)
    with open(log, "wb") as err:
        c = subprocess.Popen([f"{build}/flowproof-collector", "-q", "-d", store, "-l", "127.0.0.1:0", "--ca", f"{d}/ca.crt", "--cert",
                              f"{d}/collector.crt", "--key", f"{d}/collector.key", *options], stderr=err)
    while not (found := re.search(r"listening on (\S+)", open(log, encoding="utf-8").read())):
        time.sleep(0.01)
    beside = child(c.pid)
    if kind == "stopped":
        os.kill(beside, signal.SIGSTOP)
    before = cpu(c.pid)
    with subprocess.Popen([f"{build}/tests/bench/ingest_load", found[1], str(SENSORS), str(BATCHES), str(RECORDS)], cwd=d, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as load:
        said = load.stdout.readline().split()
        spent = cpu(c.pid) - before
    peak = 0
    if kind == "working":
        while sum(len(names) for _, _, names in os.walk(out)) == 0:
            time.sleep(0.1)
        peak = peak_mib(beside)
    if kind == "stopped":
        os.kill(beside, signal.SIGCONT)
    c.terminate()
    c.wait()
    return float(said[3]), spent, peak, store


def main():
    build = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="flowproof-bench-") as d:
        os.chmod(d, 0o755)
        subprocess.run([f"{build}/flowproof", "pki", "init", "-d", d], check=True, stdout=subprocess.DEVNULL)
        got = {k: [] for k in KINDS}
        for n in range(ROUNDS):
            for kind in KINDS if n % 2 == 0 else KINDS[::-1]:
                got[kind].append(ingest(build, d, kind, n))
        print(f"ingest of {SENSORS} x {BATCHES} x {RECORDS} records, median of {ROUNDS}\n{'delivery':>10} {'wall s':>7} {'CPU s':>6} {'its peak MiB':>12}")
        for kind in KINDS:
            print(f"{kind:>10} {statistics.median(g[0] for g in got[kind]):>7.2f} {statistics.median(g[1] for g in got[kind]):>6.2f}"
                  f" {max(g[2] for g in got[kind]):>12.1f}", flush=True)
        store = got["none"][0][3]
        print(f"export\n{'format':>10} {'CPU s':>6} {'records/CPU s':>13} {'MiB':>7} {'files':>6} {'peak MiB':>9}")
        for form in ("text", "parquet", "ocsf"):
            out = os.path.join(d, form)
            p = subprocess.Popen([f"{build}/flowproof", "export", "-d", store, "--out", out, "--format", form], stdout=subprocess.DEVNULL)
            _, _, usage = os.wait4(p.pid, 0)
            spent = usage.ru_utime + usage.ru_stime
            n = SENSORS * BATCHES * RECORDS
            print(f"{form:>10} {spent:>6.2f} {n / spent:>13.0f} {size(out) / 2 ** 20:>7.1f} {sum(len(x) for _, _, x in os.walk(out)):>6}"
                  f" {usage.ru_maxrss / 1024:>9.1f}", flush=True)


if __name__ == "__main__":
    main()
