#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_fields.py BUILD_DIR   One table of fields: proto/fields.def, --help and the manual page agree with one another and, on Amazon's
fields, with vpc-flow-logs-fields.tsv, which was written from Amazon's documentation and not from our table."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import ROOT, Tap, check, equal, run  # noqa: E402


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
        return f.read()


def amazon():
    """[name, version, Parquet type, form in text] of each field."""
    lines = read("tests", "fields", "vpc-flow-logs-fields.tsv").splitlines()
    equal(lines[0].split("\t"), ["name", "version", "parquet_type", "text_type"], "columns")
    return [line.split("\t") for line in lines[1:]]


def table():
    """The rows of fields.def: [name, version, Parquet type, form, origin, help]."""
    rows = []
    for line in read("proto", "fields.def").splitlines():
        m = re.fullmatch(r'FIELD\(\w+, *"([^"]+)", *(\d+), *(\w+), *(\w+), *(\w+), *"([^"]+)".*\)', line)
        t = re.fullmatch(r'TEXT\( *\w+, *"([^"]+)", *(\d+), *(\w+), *"([^"]+)"\)', line)
        check(m or t or not re.match(r"(FIELD|TEXT)\(", line), f"a row that this test cannot read: {line}")
        if m:
            rows.append(list(m.groups()))
        elif t:
            rows.append([t[1], t[2], "STRING", t[3], "INTERFACE", t[4]])
    return rows


def mark(origin):
    return {"INTERFACE": "*", "UNKNOWN": "-"}.get(origin, "")


def against_amazon():
    ours = [[n, v, p, f.lower()] for n, v, p, f, _, _ in table() if v != "0"]
    equal(ours, amazon(), "fields.def and the list of Amazon's fields")
    counts = [sum(1 for _, v, _, _ in ours if int(v) <= upto) for upto in (2, 3, 4, 5, 7, 8, 9, 10, 11)]
    equal(counts, [14, 21, 25, 29, 39, 40, 41, 42, 54], "fields up to version 2, 3, 4, 5, 7, 8, 9, 10, 11")


def own_fields():
    for name, version, _, _, _, _ in table():
        equal(name.startswith("fp-"), version == "0", name)


def against_help():
    text = run("flowproof-sensor", "--help").expect(0).out
    listed = text.split("\nFields (", 1)[1].split("\n\n")[0].splitlines()[2:]
    want = [f"  {n:<27}{'' if v == '0' else v:>2} {mark(o) or ' '}  {h}" for n, v, _, _, o, h in table()]
    equal(listed, want, "--help")


def against_manual():
    """The manual's rows, which a failure prints as they should be."""
    listed = [line for line in read("docs", "flowproof-fields.5").splitlines() if re.match(r"\.It (?!Sy )\S+ Ta ", line)]
    want = [".It " + " Ta ".join((cell or "&").replace("-", r"\-").replace("&", r"\&") for cell in
                                 (n, "" if v == "0" else v, mark(o), p, h)) for n, v, p, _, o, h in table()]
    equal(listed, want, "docs/flowproof-fields.5")


def main():
    tap = Tap()
    for what in (against_amazon, own_fields, against_help, against_manual):
        with tap.case(what.__name__.replace("_", " ")):
            what()
    tap.done()


if __name__ == "__main__":
    main()
