#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_readers.py BUILD_DIR   Exported files read by programs of others: DuckDB, hyparquet and arrow-rs (parquet-wasm) from npm, gzip(1). Each must read
what `flowproof records` prints; and the queries of configs/queries/duckdb*.sql must answer what follows from those records. Part of make test-deliver.
"""
import collections
import json
import os
import random
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from world import COMPLEMENT, FLOW, HERE, ME, Files, World, check, equal, make, records, run, write  # noqa: E402
from harness import ROOT, Tap, build_dir, folder  # noqa: E402
import parquet  # noqa: E402

FIELDS = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status tcp-flags type region " \
         "flow-direction traffic-path fp-sensor"


class Readers:
    """The npm packages, in the build folder."""

    def __init__(self):
        self.home = os.path.join(build_dir(), "deliver")
        os.makedirs(self.home, exist_ok=True)
        for name in ("package.json", "readers.cjs"):
            shutil.copy(os.path.join(HERE, name), self.home)
        subprocess.run(["npm", "install", "--no-fund", "--no-audit", "--silent"], cwd=self.home, check=True, timeout=300)

    def read(self, reader, what):
        """(names, rows of texts)"""
        p = subprocess.run(["node", "readers.cjs", reader, what], cwd=self.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300,
                           check=False)
        check(p.returncode == 0, f"{reader}: {p.stderr[-2000:]}")
        names, *rows = map(json.loads, p.stdout.splitlines())
        return names, rows


def crowd(seed, minutes=3, flows=20000):
    """More values in five minutes than a dictionary, a page or a row group holds."""
    rng, ret = random.Random(seed), []
    for m in range(minutes):
        for i in range(flows):
            t = make.ns(make.T0 + 60 * (m + 1)) + i * make.NS // flows * 50
            peer = f"{rng.randrange(20, 100)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
            ret.append(make.udp_packet(t, ME, peer, rng.randrange(1024, 65536), 9000, rng.randrange(200)))
            if i % 2:
                ret.append(make.udp_packet(t + make.NS, peer, ME, 9000, 1024, 20))
    return sorted(ret, key=lambda p: p.ns)


def parquet_files(tap, w, readers, store):
    out = w.path("out")
    run("flowproof", "export", "-d", store, "--out", out, "--format", "parquet", "-F", FIELDS).expect(0)
    files = Files(out, end=r"log\.parquet")
    paths = {s: [os.path.join(out, n) for n, service in files.names.items() if service == s] for s in (FLOW, COMPLEMENT)}
    numbers = {"version", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end", "tcp-flags", "traffic-path"}
    want = sorted(json.dumps([None if v == "-" and n in numbers else v for n, v in zip(FIELDS.split(), line.split(" "))])
                  for line in records(store, "--no-header", "-F", FIELDS))
    names = [n.replace("-", "_") for n in FIELDS.split()]
    with tap.case("Parquet: there is a file of several row groups and pages, with PLAIN columns and dictionaries"):
        largest = max(paths[FLOW], key=os.path.getsize)
        check(len(parquet.read(largest)[2]) > 1, "row groups")
        _, rows = readers.read("duckdb", f"select path_in_schema, encodings from parquet_metadata('{largest}')")
        check(any("RLE_DICTIONARY" not in r[1] for r in rows) and any("RLE_DICTIONARY" in r[1] for r in rows), rows)
    for reader in ("hyparquet", "arrow-rs"):
        with tap.case(f"Parquet: {reader} reads the records"):
            got = []
            for path in paths[FLOW] + paths[COMPLEMENT]:
                said, rows = readers.read(reader, path)
                equal(said, names, "names")
                got += map(json.dumps, rows)
            equal(sorted(got), want, "rows")
    with tap.case("Parquet: DuckDB reads the records, all files at once, and knows AWS's types"):
        said, rows = readers.read("duckdb", f"select * from read_parquet(['{out}/**/*_vpcflowlogs_*.parquet', '{out}/**/*_flowproofcomplement_*.parquet'])")
        equal(said, names, "names")
        equal(sorted(map(json.dumps, rows)), want, "rows")
        _, rows = readers.read("duckdb", f"select name, type, converted_type, repetition_type from parquet_schema('{paths[FLOW][0]}') where type is not null")
        kind = {"INT32": "INT_32", "INT64": "INT_64", "BYTE_ARRAY": "UTF8"}
        equal([[r[0], r[2], r[3]] for r in rows], [[n, kind[r[1]], "OPTIONAL"] for n, r in zip(names, rows)], "columns")
    with tap.case("Parquet: statistics let DuckDB leave out row groups, and the answer stays right"):
        _, rows = readers.read("duckdb", f"select count(*) from read_parquet('{out}/**/*.parquet') where \"end\" < {make.T0 + 60}")
        equal(rows, [[str(sum(int(json.loads(x)[11]) < make.T0 + 60 for x in want))]], "records of the first minute")
    hive = w.path("out")
    with tap.case("Parquet under the Hive layout: year, month and day are columns"):
        run("flowproof", "export", "-d", store, "--out", hive, "--format", "parquet", "--layout", "hive").expect(0)
        _, rows = readers.read("duckdb", f"select year, month, day, count(*) from read_parquet('{hive}/**/*.parquet', hive_partitioning = true) group by all")
        equal(rows, [["2023", "11", "14", str(len(want))]], "partitions")


def queries(path):
    with open(os.path.join(ROOT, "configs", "queries", path), encoding="utf-8") as f:
        return dict(re.findall(r"^-- name: (\w+)\n(?:--[^\n]*\n)*(.*?;)\n", f.read(), re.M | re.S))


def text_files(tap, w, readers, store):
    out = w.path("out")
    run("flowproof", "export", "-d", store, "--out", out).expect(0)
    with open(os.path.join(ROOT, "configs", "queries", "duckdb-tables.sql"), encoding="utf-8") as f:
        tables = f"SET VARIABLE dir = '{out}';\n" + f.read()
    all_of = queries("duckdb.sql")
    beside = {line for line in records(store, "--no-header", "--complement")}
    rows = [line.split(" ") for line in records(store, "--no-header")]
    flows = [r for r in rows if " ".join(r) not in beside]
    ok = [r for r in flows if r[13] == "OK"]

    def ask(name):
        return readers.read("duckdb", tables + all_of[name])[1]

    with tap.case("text: gzip(1) finds every file whole"):
        paths = [os.path.join(d, n) for d, _, names in os.walk(out) for n in names]
        subprocess.run(["gzip", "-t", *paths], check=True)
    with tap.case("text: DuckDB's `everything` is the ledger"):
        said, want = ask("everything"), [["complement" if " ".join(r) in beside else "flow", *(None if v == "-" else v for v in r)] for r in rows]
        equal(sorted(map(str, said)), sorted(map(str, want)), "rows")
    with tap.case("text: DuckDB's `destinations`"):
        sums = collections.defaultdict(list)
        for r in ok:
            sums[r[4], r[6], r[7]].append([int(r[i]) for i in (8, 9, 10, 11)])
        want = [[*key, *map(str, (sum(x[0] for x in v), sum(x[1] for x in v), min(x[2] for x in v), max(x[3] for x in v)))] for key, v in sums.items()]
        want.sort(key=lambda r: (-int(r[4]), r[0], int(r[1]), int(r[2])))
        equal(ask("destinations"), want, "rows")
    with tap.case("text: DuckDB's `volume` and `gaps`"):
        sums = collections.defaultdict(list)
        for r in ok:
            sums[int(r[11]) // 300 * 300, r[2]].append((int(r[8]), int(r[9])))
        equal(ask("volume"), [[str(k[0]), k[1], str(len(v)), str(sum(x[0] for x in v)), str(sum(x[1] for x in v))] for k, v in sorted(sums.items())], "volume")
        equal(sorted(ask("gaps")), sorted([r[13], r[2], r[10], r[11]] for r in flows if r[13] != "OK"), "gaps")
    with tap.case("text: DuckDB's `questions` are those of records --dns"):
        asked = [json.loads(line) for line in records(store, "--dns")]
        want = collections.Counter((r["query_name"], r["query_type"], r["rcode"]) for r in asked)
        equal(sorted(r[:4] for r in ask("questions")), sorted([*k, str(n)] for k, n in want.items()), "rows")
    with tap.case("Athena's statements: each is there once, and ends"):
        for path, names in (("athena.sql", {"everything", "hidden", "destinations", "questions"}),):
            equal(set(queries(path)), names, path)


def ocsf_files(tap, w, readers, store):
    with tap.case("OCSF: DuckDB reads the lines as JSON"):
        out = w.path("out")
        run("flowproof", "export", "-d", store, "--out", out, "--format", "ocsf").expect(0)
        _, rows = readers.read("duckdb", f"select sum(traffic.bytes), count(distinct dst_endpoint.ip) from read_json('{out}/**/*.ocsf.json.gz')")
        flows = [line.split(" ") for line in records(store, "--no-header") if line.endswith(" OK")]
        equal(rows, [[str(sum(int(r[9]) for r in flows)), str(len({r[4] for r in flows}))]], "sums")


def main():
    tap = Tap()
    with folder() as d:
        w, readers = World(d), Readers()
        store = w.path("store")
        with w.collector(store) as c:
            w.send(c, "one", w.capture(1, 30))
            w.send(c, "two", w.capture(2, 30, begin=make.T0 + 7))
            w.send(c, "crowd", write(w.path("capture"), make.pcap(crowd(5))))
            c.stop().expect(0)
        parquet_files(tap, w, readers, store)
        text_files(tap, w, readers, store)
        ocsf_files(tap, w, readers, store)
    tap.done()


if __name__ == "__main__":
    main()
