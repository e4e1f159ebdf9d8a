#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_truth.py BUILD_DIR   Real captures against truth tables that an independent program computed (truth/README.md).

One test a capture: every record, and the counters of the packet equation.
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Tap, check, equal, match, run, summary  # noqa: E402
import shared  # noqa: E402

FIELDS = ("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action "
          "log-status tcp-flags type")
PACKETS, BYTES, START, END, STATUS, FLAGS = (FIELDS.split().index(n) - 1 for n in
                                             ("packets", "bytes", "start", "end", "log-status", "tcp-flags"))
LINK_NAMES = {"127": r"802\.11|radiotap", "149": r"149|user2", "178": r"178|juniper", "242": r"242|infiniband|ip-ib"}
WINDOW_S = 60


def read_truth(path):
    counters, links, notes, records = {}, "", {}, []
    with open(path, encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n")
            if line.startswith("# links "):
                links = line[8:]
            elif line.startswith("# notes ") and line != "# notes -":
                notes = {k: int(v) for k, v in (item.split("=") for item in line[8:].split())}
            elif line.startswith("# frames="):
                counters = {k: int(v) for k, v in (item.split("=") for item in line[2:].split())}
            elif not line.startswith("#"):
                records.append(line.split(" ")[1:])
    return counters, links, notes, sorted(records)


def read_output(text):
    lines = text.splitlines()
    equal(lines[:1], [FIELDS], "header line")
    records = [line.split(" ")[1:] for line in lines[1:]]
    equal({line.split(" ")[0] for line in lines[1:]} - {"3"}, set(), "version column")
    return sorted(r for r in records if r[STATUS] != "NODATA")


def merged(records):
    """Records of equal key and minute added up: where stamps run backwards a stream may cut a minute in two."""
    by_key = {}
    for r in records:
        r = list(r)
        key = (*r[:PACKETS], int(r[START]) // WINDOW_S)
        if key in by_key:
            have = by_key[key]
            have[PACKETS], have[BYTES] = (str(int(have[i]) + int(r[i])) for i in (PACKETS, BYTES))
            have[START] = str(min(int(have[START]), int(r[START])))
            have[END] = str(max(int(have[END]), int(r[END])))
            have[FLAGS] = str(int(have[FLAGS]) | int(r[FLAGS]))
        else:
            by_key[key] = r
    return sorted(by_key.values())


def runs_backwards(path):
    newest = 0
    for s in shared.stamps(path):
        if s // WINDOW_S < newest // WINDOW_S:
            return True
        newest = max(newest, s)
    return False


def text(records):
    return "\n".join(" ".join(r) for r in records)


def compare(result, path, counters, notes, records):
    got = read_output(result.out)
    if runs_backwards(path):
        got, records = merged(got), merged(records)
    equal(text(got), text(records), "records (from column 2 on)")
    equation = summary(result.err)
    equal({"frames": equation["received"], "not_ip": equation["not-ip"], "unparsed": equation["malformed"] + equation["cut"],
           "ip": equation["recorded"]},
          {"frames": counters["frames"], "not_ip": counters["not_ip"], "unparsed": counters["unparsed"],
           "ip": counters["ipv4"] + counters["ipv6"]}, "counters")
    equal((equation["noted"]["snapped"], equation["noted"]["length-beyond-wire"]),
          (notes.get("captured_short", 0), notes.get("ip_len_gt_wire", 0)), "frames snapped, lengths beyond the wire")


def stopped(result, row, counters, records):
    """libpcap gives up on this file: the sensor says why, exits 3, and what it wrote so far is no more than the truth."""
    result.expect(3)
    reason = re.search(r'\*\*libpcap: (?:(\d+) frames|no frames), "([^"]+)"', row)
    check(reason[2] in result.err, f"the message does not say why ({reason[2]}):\n{result.err}")
    frames = int(reason[1] or 0)
    if not result.out and frames == 0:
        return
    equal(summary(result.err)["received"], frames, "frames before libpcap stopped")
    truth = {tuple(r[:PACKETS]): r for r in merged(records)}
    got = read_output(result.out)
    equal(sum(int(r[PACKETS]) for r in got), min(frames, counters["ipv4"] + counters["ipv6"]), "packets recorded")
    for r in got:
        want = truth.get(tuple(r[:PACKETS]))
        check(want, f"a record that is not in the truth: {r}")
        check(int(r[PACKETS]) <= int(want[PACKETS]) and int(r[BYTES]) <= int(want[BYTES]), f"{r} exceeds {want}")


def capture(path, truth, row):
    counters, links, notes, records = read_truth(truth)
    result = run("flowproof-sensor", "-r", path, "-F", FIELDS, "-o", "-")
    if "**libpcap" in row:
        stopped(result, row, counters, records)
    elif counters["unsupported_link"]:
        result.expect(2, 3)
        match(LINK_NAMES[links.split("=")[0]], result.err.lower(), "the message does not name the link type")
        equal(result.out.count("\n") <= 1, True, "nothing but a header line may come of it")
    else:
        compare(result.expect(0), path, counters, notes, records)


def main():
    tap = Tap()
    data = shared.data_folder()
    if not data:
        for name, count in shared.CLASSES.items():
            tap.skip(f"{name}: {count} captures left out", shared.ABSENT)
        tap.done()
    listed = shared.classes(data)
    with tap.case("the captures are those that are counted where they are absent"):
        equal({k: len(v) for k, v in listed.items()}, shared.CLASSES, "captures by class")
        equal(sorted(n for rows in listed.values() for n in rows), sorted(os.listdir(os.path.join(data, "pcaps"))), "files")
    for name, rows in listed.items():
        for file, row in sorted(rows.items()):
            with tap.case(f"{name}: {file}"):
                capture(os.path.join(data, "pcaps", file), os.path.join(data, "truth", file + ".flows"), row)
    tap.done()


if __name__ == "__main__":
    main()
