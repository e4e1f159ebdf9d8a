#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run_corpus.py --command 'SENSOR -r {pcap} -F {fields} -t {window}' [options]   Runs a program over the corpus and compares its lines.

In the command (split like a shell's words, run without a shell) {pcap}, {fields} and {window} are put in. What the program prints is
read as Flow Logs lines; a first line of field names is a header. Exit status: 0 all cases agree, 1 some do not, 2 usage.
Needs nothing but Python 3.7. README.md says what the cases mean.
"""
import argparse
import collections
import difflib
import json
import os
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DEFAULT = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
KEY = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "action")


def arguments(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--command", required=True, help="the program; {pcap}, {fields}, {window} are put in")
    p.add_argument("--each-local", metavar="WORDS", help="added for each network of the machine itself: '--local {network}'")
    p.add_argument("--each-value", metavar="WORDS", help="added for each value of an interface: '--field {name}={value}'")
    p.add_argument("--fields", default=DEFAULT, help="the program's own fields, if it prints no header and the command has no {fields}")
    p.add_argument("--any-order", action="store_true", help="lines may come in any order")
    p.add_argument("--case", action="append", help="only this case; may be repeated")
    p.add_argument("--quiet", action="store_true", help="only what fails")
    return p.parse_args(argv)


def cases():
    with open(os.path.join(HERE, "cases.json"), encoding="utf-8") as f:
        return json.load(f)


def missing(case, options):
    """What the command lacks for a case, or None."""
    custom = "{fields}" in options.command
    if case["window"] != 60 and "{window}" not in options.command:
        return f"a window of {case['window']} s: {{window}}"
    if not custom and not {"srcaddr", "dstaddr"} <= set(case["fields"].split()):
        return "a list of fields: {fields}"
    if custom and case["local"] and options.each_local is None:
        return "the networks of the machine: --each-local"
    if custom and case["values"] and options.each_value is None:
        return "values of the interface: --each-value"
    return None


def command(case, options):
    words = [w.format(pcap=os.path.join(HERE, case["name"] + ".pcap"), fields=case["fields"], window=case["window"])
             for w in shlex.split(options.command)]
    for network in case["local"]:
        words += [w.format(network=network) for w in shlex.split(options.each_local or "")]
    for name, value in case["values"].items():
        words += [w.format(name=name, value=value) for w in shlex.split(options.each_value or "")]
    return words


def table(text, names):
    """(names, rows) of lines; a header line gives the names."""
    lines = [line.split(" ") for line in text.splitlines()]
    known = set(DEFAULT.split())
    if lines and known & set(lines[0]):
        names = lines.pop(0)
    for line in lines:
        if len(line) != len(names):
            raise ValueError(f"{len(line)} fields where {len(names)} are named: {' '.join(line)}")
    return names, lines


def added(names, rows):
    """Lines of one key and window (of 60 s) added up."""
    sums = collections.OrderedDict()
    for row in rows:
        r = dict(zip(names, row))
        if r.get("log-status", "OK") != "OK":
            continue
        key = tuple(r.get(n, "-") for n in KEY) + (int(r["start"]) // 60,)
        s = sums.setdefault(key, {"packets": 0, "bytes": 0, "tcp-flags": 0, "start": int(r["start"]), "end": 0})
        s["packets"] += int(r["packets"])
        s["bytes"] += int(r["bytes"])
        s["tcp-flags"] |= int(r["tcp-flags"]) if r.get("tcp-flags", "-") != "-" else 0
        s["start"], s["end"] = min(s["start"], int(r["start"])), max(s["end"], int(r["end"]))
    return sorted(" ".join(map(str, (*key, *s.values()))) for key, s in sums.items())


def differences(case, text, options):
    """Lines that tell how the program's output differs; none: it agrees."""
    with open(os.path.join(HERE, case["name"] + ".expected"), encoding="utf-8") as f:
        want_names, want = table(f.read(), None)
    custom = "{fields}" in options.command
    names, got = table(text, case["fields"].split() if custom else options.fields.split())
    if custom and names != want_names:
        return [f"fields: {' '.join(names)}", f"asked:  {' '.join(want_names)}"]
    if not custom:  # the program's own fields: what both have is compared, `version` not, for it depends on the list
        unasked = {"version"}
        if options.each_value is None:
            unasked |= set(case["values"])
        if options.each_local is None:
            unasked.add("flow-direction")
        common = [n for n in want_names if n in names and n not in unasked]
        want = [[row[want_names.index(n)] for n in common] for row in want]
        got = [[row[names.index(n)] for n in common] for row in got]
        names = want_names = common
    if case["compare"] == "sums":
        want, got = added(want_names, want), added(names, got)
    else:
        want, got = ([" ".join(row) for row in rows] for rows in (want, got))
        if options.any_order:
            want, got = sorted(want), sorted(got)
    return list(difflib.unified_diff(want, got, "expected", "got", lineterm="", n=0))


def run(case, options):
    """('ok', []), ('skipped', [why]) or ('FAILED', lines)."""
    lacks = missing(case, options)
    if lacks:
        return "skipped", ["needs " + lacks]
    try:
        p = subprocess.run(command(case, options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        if p.returncode:
            return "FAILED", [f"exit status {p.returncode}", *p.stderr.decode(errors="replace").splitlines()[-3:]]
        lines = differences(case, p.stdout.decode("utf-8"), options)
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as e:
        return "FAILED", [str(e)]
    return ("FAILED" if lines else "ok"), lines


def main():
    options = arguments()
    chosen = [c for c in cases() if not options.case or c["name"] in options.case]
    unknown = set(options.case or ()) - {c["name"] for c in chosen}
    if unknown:
        print(f"no case {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    counts = collections.Counter()
    for case in chosen:
        result, lines = run(case, options)
        counts[result] += 1
        if result != "ok" or not options.quiet:
            print(f"{result:<8} {case['name']}: {case['covers']}")
        for line in lines[:30]:
            print("         " + line)
    print(f"{counts['ok']} agree, {counts['FAILED']} do not, {counts['skipped']} skipped")
    return 1 if counts["FAILED"] or not counts["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
