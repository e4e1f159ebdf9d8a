#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""reconcile.py BUILD_DIR [LINES]   Reading gzip Flow Logs beside bare inflate, and reconciling LINES lines with as many records, beside DuckDB loading and joining
the same files on one thread. CPU is user + system; a benchmark, never a test.

DUCKDB=/path/to/libduckdb.so, else its npm package is fetched into BUILD_DIR/bench (npm install @duckdb/node-bindings-linux-x64); without npm its columns stay empty.
"""
import glob
import os
import re
import subprocess
import sys

ENI = "eni-0123456789abcdef0"
LOAD = "CREATE TABLE {} AS SELECT * FROM read_csv('{}', delim=' ', header=true, nullstr='-')"
FLOW = "srcaddr, dstaddr, srcport, dstport, protocol"
JOIN = f"""SELECT count(*), count(*) FILTER (WHERE hp IS NULL), count(*) FILTER (WHERE hp <> ap OR hb <> ab)
FROM (SELECT {FLOW}, sum(packets) hp, sum(bytes) hb FROM h GROUP BY ALL) FULL JOIN (SELECT {FLOW}, sum(packets) ap, sum(bytes) ab FROM a GROUP BY ALL) USING ({FLOW})"""


def duckdb(build):
    if "DUCKDB" in os.environ:
        return os.environ["DUCKDB"]
    where = os.path.join(build, "bench")
    os.makedirs(where, exist_ok=True)
    pattern = os.path.join(where, "node_modules/@duckdb/*/libduckdb.so")
    if not glob.glob(pattern):
        try:
            subprocess.run(["npm", "install", "--prefix", where, "@duckdb/node-bindings-linux-x64"], check=True, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError):
            return None
    return (glob.glob(pattern) or [None])[0]


def measured(argv):
    """(CPU seconds, peak MiB) of a program."""
    p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    assert p.returncode in (0, 1), argv
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def make(build, lines, side, path):
    if not os.path.exists(path):
        with open(path + ".new", "wb") as f:
            subprocess.run([f"{build}/tests/bench/make_flowlogs", str(lines), side], check=True, stdout=f)
        os.rename(path + ".new", path)
    if side == "aws" and not os.path.exists(path + ".gz"):
        subprocess.run(["gzip", "-6", "-k", path], check=True)


def main():
    build, lines = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2000000
    where = os.path.join(build, "bench")
    os.makedirs(where, exist_ok=True)
    host, aws = f"{where}/host-{lines}.log", f"{where}/aws-{lines}.log"
    make(build, lines, "host", host)
    make(build, lines, "aws", aws)
    library, peer = duckdb(build), f"{build}/tests/bench/duckdb_query"
    print(f"reading {lines} lines, {os.path.getsize(aws) >> 20} MiB in {os.path.getsize(aws + '.gz') >> 20} MiB of gzip, one thread")
    text = subprocess.run([f"{build}/tests/bench/read_flowlogs", aws + ".gz", "7"], check=True, stdout=subprocess.PIPE, text=True).stdout
    print(f"  flowproof: {text.strip()}", flush=True)
    if library:
        cpu, _ = measured([peer, library, f"SELECT count(*), sum(packets), sum(bytes) FROM read_csv('{aws}.gz', delim=' ', header=true, nullstr='-')"])
        mine = float(re.search(r"reader ([0-9.]+) s", text)[1])
        print(f"  DuckDB: {cpu:.2f} s; flowproof reads {cpu / mine:.1f} times as fast", flush=True)
    print(f"reconciling {lines} lines with {lines} records, CPU seconds and peak MiB")
    base = measured([peer, library, LOAD.format("h", host), LOAD.format("a", aws), JOIN]) if library else (0, 0)
    if library:
        print(f"  DuckDB, both sides plain text: {base[0]:.2f} s, {base[1]:.0f} MiB", flush=True)
    for memory in (256, 512, 65536):
        cpu, peak = measured([f"{build}/flowproof", "reconcile", "--records", host, "--interface", ENI, "--flow-logs", aws + ".gz", "--memory", str(memory)])
        print(f"  flowproof --memory {memory}, Flow Logs packed: {cpu:.2f} s, {peak:.0f} MiB" +
              (f"; {cpu / base[0]:.2f} of DuckDB's time, {peak / base[1]:.2f} of its memory" if library else ""), flush=True)


main()
