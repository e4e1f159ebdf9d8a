#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_fields.py BUILD_DIR   One table of fields: proto/fields.def, --help and the manual page agree with one another and, on Amazon's
fields, with vpc-flow-logs-fields.tsv, which was written from Amazon's documentation and not from our table. And what is configured is
printed, by the sensor and by the analyst."""
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), part) for part in ("lib", "golden")]
import make_captures as make  # noqa: E402
import net  # noqa: E402
from harness import ROOT, Daemon, Tap, check, equal, folder, run, write  # noqa: E402
from pki import Pki, collector  # noqa: E402


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
    want = [f"  {n:<27}{'' if v == '0' else v:>2} {mark(o) or ' '}  {h}" for n, v, _, _, o, h in table()]
    for argv in (("flowproof-sensor", "--help"), ("flowproof", "records", "--help")):
        text = run(*argv).expect(0).out
        equal(text.split("\nFields (", 1)[1].split("\n\n")[0].splitlines()[2:], want, " ".join(argv))


def against_manual():
    """The manual's rows, which a failure prints as they should be."""
    listed = [line for line in read("docs", "flowproof-fields.5").splitlines() if re.match(r"\.It (?!Sy )\S+ Ta ", line)]
    want = [".It " + " Ta ".join((cell or "&").replace("-", r"\-").replace("&", r"\&") for cell in
                                 (n, "" if v == "0" else v, mark(o), p, h)) for n, v, p, _, o, h in table()]
    equal(listed, want, "docs/flowproof-fields.5")


def through_the_ledger(d):
    """All that a sensor can print of a file it can stream: the collector's records are the sensor's, as text and as JSON, where numbers
    are numbers by Amazon's types, `-` is null, and all else a string."""
    pki = Pki(os.path.join(d, "pki"))
    pki.issue("i-fields")
    path, store = write(os.path.join(d, "f.pcap"), make.pcap(make.custom_fields())), os.path.join(d, "store")
    names = [row[0] for row in table()]
    said = [w for n, v in make.ALL_SAID.items() for w in ("--field", f"file:{n}={v}")] + ["--local", "10.0.0.0/8"]
    with collector(store, "127.0.0.1:0", pki.options("collector")) as c:
        run("flowproof-sensor", "-r", path, "-s", c.address, "--id", "i-fields", *pki.options("i-fields"), *said).expect(0)
        c.stop()
    text = run("flowproof-sensor", "-r", path, "-o", "-", "-F", " ".join(names), "--id", "i-fields", *said).expect(0).out
    equal(run("flowproof", "records", "-d", store, "-F", " ".join(names)).expect(0).out, text, "records of the ledger as text")
    fields = [n for n, v, *_ in table() if v != "0"]
    want = make.expected(make.custom_fields(), " ".join(fields), identity=make.ALL_IDENTITY, local=("10.0.0.0/8",))
    equal(run("flowproof", "records", "-d", store, "-F", ",".join(fields)).expect(0).out, want, "Amazon's fields, by arithmetic")
    types = {n: p for n, _, p, _ in amazon()}
    lines = run("flowproof", "records", "-d", store, "-F", " ".join(fields), "--json").expect(0).out.splitlines()
    objects = [[None if word == "-" else int(word) if types[n].startswith("INT") else word for n, word in zip(fields, line.split(" "))]
               for line in want.splitlines()[1:]]
    equal([list(json.loads(line).items()) for line in lines], [list(zip(fields, o)) for o in objects], "JSON")


def live(ns):
    """Two silent interfaces: each NODATA line has the values of its interface, or the general ones, and nothing of a flow."""
    net.ip("-n", ns, "link", "add", "quiet0", "type", "veth", "peer", "name", "quiet1")
    for name in ("quiet0", "quiet1"):
        net.sysctl(ns, f"ipv6/conf/{name}/disable_ipv6", 1)
        net.ip("-n", ns, "link", "set", name, "up")
    own = "vpc-id asg-tag srcaddr version log-status traffic-path fp-interface interface-id fp-verdict region bytes"
    with Daemon("flowproof-sensor", "-i", "quiet0", "-i", "quiet1", "-o", "-", "-F", own, "--region", "r-0", "--field", "quiet1:region=r-1",
                "--field", "vpc-id=v-0", "--field", "quiet1:asg-tag=a b", "--interface-id", "quiet0=eni-0", "--interface-id", "quiet1=eni-1",
                prefix=net.prefix(ns)) as sensor:
        sensor.wait_for("watching quiet1", "err")
        result = sensor.stop().expect(0)
    lines = set(result.out.splitlines()[1:])
    equal(lines, {"v-0 - - 11 NODATA - quiet0 eni-0 - r-0 -", "v-0 a%20b - 11 NODATA - quiet1 eni-1 - r-1 -"})


def main():
    net.need_root("fields/run_fields")
    tap = Tap()
    for what in (against_amazon, own_fields, against_help, against_manual):
        with tap.case(what.__name__.replace("_", " ")):
            what()
    with folder() as d, tap.case("from the sensor through the ledger: text and JSON"):
        through_the_ledger(d)
    with net.Namespaces("fields") as ns, tap.case("live: each interface has its values, in NODATA lines too"):
        live(ns.fields)
    tap.done()


if __name__ == "__main__":
    main()
