#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_files.py BUILD_DIR   Flow Logs files: exported, and delivered while the ledger grows, with whatever happens meanwhile. What is there in the
end is the ledger, record for record.

Names and folders are held to Amazon's text, gzip is taken apart by Python, Parquet by tests/lib/parquet.py, OCSF by its own schema.
"""
import json
import os
import random
import signal
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from world import ACCOUNT, COMPLEMENT, DNS, FLOW, HERE, IDENTITY, REGION, Files, World, check, equal, match, records, run, until, write  # noqa: E402
from chroot import private_mounts, tmpfs  # noqa: E402
from harness import Tap, folder  # noqa: E402
import page  # noqa: E402
import parquet  # noqa: E402
import prometheus  # noqa: E402
import jsonschema  # noqa: E402

ALL = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status vpc-id subnet-id " \
      "instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id flow-direction traffic-path fp-sensor fp-verdict"
SOON = ("--deliver-every-s", "1", "--deliver-late-s", "0")


def export(store, out, *options, code=0):
    return run("flowproof", "export", "-d", store, "--out", out, *options).expect(code)


def same(files, store, *options):
    """What is in the files is in the ledger, as often; what Flow Logs never record stands apart."""
    whole = sorted(records(store, "--no-header", *options))
    beside = sorted(records(store, "--no-header", "--complement", *options))
    equal(sorted(files.lines[COMPLEMENT]), beside, "complement")
    equal(sorted(files.lines[FLOW] + files.lines[COMPLEMENT]), whole, "records")
    equal(sorted(files.lines[DNS]), sorted(records(store, "--dns")), "DNS")
    check(beside and len(beside) < len(whole), "both kinds are there")


def exported(tap, w, store):
    for layout in ("default", "hourly", "hive", "hive-hourly"):
        with tap.case(f"export, layout {layout}: named as AWS names them, each record in the slot of its end, all of the ledger"):
            out = w.path("out")
            export(store, out, "--layout", layout)
            same(Files(out, layout), store)
    with tap.case("export: the header is the fields, and other fields in another order are those of records"):
        out, fields = w.path("out"), "end fp-sensor bytes dstaddr srcaddr flow-direction"
        export(store, out, "-F", fields, "--prefix", "one/two")
        files = Files(os.path.join(out, "one", "two"))
        equal(files.header, fields, "header")
        same(files, store, "-F", fields)
    with tap.case("export: done twice it is the same files; a span of time and a sensor are those of records"):
        out = w.path("out")
        export(store, out)
        before = {n: os.stat(os.path.join(out, n)).st_mtime_ns for n in Files(out).names}
        export(store, out)
        equal({n: os.stat(os.path.join(out, n)).st_mtime_ns for n in Files(out).names}, before, "files")
        part, span = w.path("out"), ("--from", "1700000640", "--to", "1700001000", "--sensor", "one")
        said = json.loads(export(store, part, *span, "--json").out)
        lines = Files(part).lines
        equal(sorted(lines[FLOW] + lines[COMPLEMENT]), sorted(records(store, "--no-header", *span)), "records")
        equal(said, {"files": len(Files(part).names), "records": sum(map(len, lines.values())), "bytes": sum(
            os.path.getsize(os.path.join(part, n)) for n in Files(part).names)}, "what it says of itself")
    with tap.case("export: reconcile takes the files for Flow Logs, and finds full agreement"):
        out = w.path("out")
        export(store, out, "--sensor", "one")
        said = json.loads(run("flowproof", "reconcile", "-d", store, "--flow-logs", out, "--sensor", "one", "--json").expect(0).out)
        equal(said["hidden"], [], "hidden")
        check(said["summary"], said)
    for how, args, why in (("a format", ("--format", "csv"), r"--format csv: it is one of text, parquet, ocsf"),
                           ("a prefix that climbs", ("--prefix", "a/../b"), "--prefix a/../b"), ("AWSLogs as prefix", ("--prefix", "AWSLogs"), "AWSLogs"),
                           ("an id", ("--flow-log-id", "fl-12"), "8 or 17"), ("fields of OCSF", ("--format", "ocsf", "-F", "end"), "ocsf"),
                           ("a field", ("-F", "nope"), "nope")):
        with tap.case(f"export refuses {how}, and makes nothing"):
            out = w.path("out")
            match(why, export(store, out, *args, code=2).err)
            check(not os.path.exists(out), "a folder was made")


def as_parquet(tap, w, store):
    with tap.case("export, Parquet: AWS's names and types, NULL for numbers that are not there, statistics that hold, all of the ledger"):
        out = w.path("out")
        export(store, out, "--format", "parquet", "-F", ALL)
        files = Files(out, end=r"log\.parquet")
        same(files, store, "-F", ALL)
        path = os.path.join(out, next(n for n, service in files.names.items() if service == FLOW))
        names, types, _, rows = parquet.read(path)
        equal(names, [n.replace("-", "_") for n in ALL.split()], "names")
        # Amazon VPC User Guide, "Available fields".
        small = {"version", "srcport", "dstport", "protocol", "tcp_flags", "traffic_path"}
        equal([n for n, t in zip(names, types) if t == "INT32"], [n for n in names if n in small], "INT_32")
        equal([n for n, t in zip(names, types) if t == "INT64"], ["packets", "bytes", "start", "end"], "INT_64")
        equal({row[names.index("traffic_path")] for row in rows}, {None}, "traffic-path")


def as_ocsf(tap, w, store):
    with tap.case("export, OCSF: each line holds to the schema, and says what the record says"):
        out = w.path("out")
        export(store, out, "--format", "ocsf")
        lines = Files(out, end=r"ocsf\.json\.gz").lines
        with open(os.path.join(HERE, "ocsf-4001.schema.json"), encoding="utf-8") as f:
            validator = jsonschema.Draft202012Validator(json.load(f))
        got, checked = [], set()
        for line in lines[FLOW] + lines[COMPLEMENT]:
            e = json.loads(line)
            got.append(said_by(e))
            shape = (e["activity_id"], e.get("connection_info", {}).get("direction"), e.get("connection_info", {}).get("protocol_ver"), e["unmapped"]["fp-sensor"])
            if shape in checked and len(got) % 10:  # the validator takes its time
                continue
            checked.add(shape)
            errors = [f"{list(x.path)}: {x.message}" for x in validator.iter_errors(e)]
            equal(errors, [], line)
        want = [meant_by(json.loads(line)) for line in records(store, "--json", "-F", ALL)]
        equal(sorted(map(str, got)), sorted(map(str, want)), "events")


def said_by(e):
    info, src, dst = e.get("connection_info", {}), e.get("src_endpoint", {}), e.get("dst_endpoint", {})
    here = {"Outbound": src, "Inbound": dst}.get(info.get("direction"), src if not info else {})
    return (e["activity_id"], e["type_uid"], e.get("action_id"), e.get("disposition"), e["cloud"]["account"]["uid"], e["cloud"]["region"],
            e["cloud"].get("zone"), src.get("ip"), dst.get("ip"), src.get("port"), dst.get("port"), info.get("protocol_num"), info.get("protocol_ver"),
            info.get("tcp_flags"), info.get("boundary_id"), e.get("traffic"), e["time"], e["start_time"], e["end_time"], e["status_code"],
            here.get("interface_uid"), here.get("instance_uid"), here.get("vpc_uid"), here.get("subnet_uid"), e["unmapped"].get("fp-verdict"),
            e["unmapped"]["fp-sensor"], [o["value"] for o in e.get("observables", [])])


def meant_by(r):
    """The mapping of ocsf/examples, "AWS VPC Flowlogs", from the record's fields."""
    flow = r["log-status"] == "OK"
    activity = {"ACCEPT": 6, "REJECT": 5}[r["action"]] if flow else 99
    here = flow and r["flow-direction"] is not None
    ids = [r[n] if here or not flow else None for n in ("interface-id", "instance-id", "vpc-id", "subnet-id")]
    return (activity, 400100 + activity, {6: 1, 5: 2}.get(activity), {6: "Allowed", 5: "Blocked"}.get(activity), r["account-id"], r["region"], r["az-id"],
            r["srcaddr"], r["dstaddr"], r["srcport"], r["dstport"], r["protocol"], r["type"], r["tcp-flags"], 99 if flow else None,
            {"packets": r["packets"], "bytes": r["bytes"]} if flow else None, r["start"] * 1000, r["start"] * 1000, r["end"] * 1000, r["log-status"],
            *ids, r["fp-verdict"], r["fp-sensor"], [r["srcaddr"], r["dstaddr"], *([r["instance-id"]] if here else [])] if flow else [])


def hostile(tap, w):
    with tap.case("an account and a region that would climb out of the folder are not believed"):
        store, out = w.path("store"), w.path("out")
        with w.collector(store) as c:
            w.send(c, "three", w.capture(3, 5), identity=["--account-id", "../../../etc", "--region", "a/b", "--interface-id", "eni-1"])
            c.stop().expect(0)
        export(store, out)
        equal(sorted(os.listdir(out)), ["AWSLogs"], "folder")
        files = Files(out, account="000000000000", region="local")
        check(any(" ../../../etc " in f" {x} " for x in files.lines[FLOW][0].split()), "the record keeps what was said")


def deliver(w, store, out, state, *options):
    return w.collector(store, "--deliver-files", out, "--deliver-state", state, *SOON, *options)


def wait_for(store, out, what="delivered", **how):
    """Until as many lines are there as the ledger has. More than that is told by same()."""
    want = len(records(store, "--no-header")) + len(records(store, "--dns"))

    seen = [-1, 0]

    def count():
        n = count_of(out)
        if n != seen[0]:
            seen[:] = n, sum(map(len, Files(out, **how).lines.values()))
        return seen[1]

    until(lambda: count() >= want, lambda: f"{what}: {count()} of {want} lines")


def delivered(tap, w):
    with tap.case("delivered: what comes to the ledger is soon in the files, and what comes late goes into further files of the same slots"):
        store, out, state = w.path("store"), w.path("out"), w.path("state")
        with deliver(w, store, out, state, "--deliver-layout", "hive") as c:
            w.send(c, "one", w.capture(1, 15))
            wait_for(store, out, layout="hive")
            first = {n: os.stat(os.path.join(out, n)).st_mtime_ns for n in Files(out, "hive").names}
            w.send(c, "two", w.capture(2, 15))
            wait_for(store, out, layout="hive")
            files = Files(out, "hive")
            same(files, store)
            equal({n: os.stat(os.path.join(out, n)).st_mtime_ns for n in first}, first, "what was there")
            slots = [n.rsplit("_", 1)[0] for n in files.names]
            check(len(slots) > len(set(slots)), "further files")
            c.stop().expect(0)
    with tap.case("nothing of it lies below the store: the audit finds it intact"):
        run("flowproof", "audit", "-d", store, "--ca", w.pki.ca).expect(0)
    with tap.case("a store of its own needs a cursor of its own: the other's is refused, and the collector goes on"):
        with deliver(w, w.path("store"), out, state) as c:
            c.wait_for("another store: give each store its own --deliver-state", "err")
            c.wait_for(r"files ended \(status 3\): nothing is delivered there", "err")
            w.send(c, "one", w.capture(1, 2))
            c.stop().expect(0)
    with tap.case("a cursor that was changed is refused by file and line"):
        cursor = os.path.join(state, "files.cursor")
        with open(cursor, encoding="ascii") as f:
            text = f.read()
        write(cursor, text.replace("sensor two from", "sensor two form"))
        with deliver(w, store, out, state) as c:
            c.wait_for(r"files\.cursor:5: not what a delivery writes there", "err")
            c.stop().expect(0)
    with tap.case("settings: what is missing, and what would lie in the evidence"):
        options = [*w.pki.options("collector"), "-d", store, "-l", "127.0.0.1:0", "--check"]
        match("--deliver-state is missing", run("flowproof-collector", *options, "--deliver-files", out).expect(2).err)
        match("must lie outside the store", run("flowproof-collector", *options, "--deliver-files", out, "--deliver-state", store).expect(2).err)
        match("must lie outside the store", run("flowproof-collector", *options, "--deliver-files", os.path.join(store, "new", "er"), "--deliver-state",
                                                state).expect(2).err)
        match("must lie outside the store", export(store, os.path.join(store, "new"), code=2).err)
        check(not os.path.exists(os.path.join(store, "new")), "a folder in the evidence")
        match("--deliver-layout flat: it is one of", run("flowproof-collector", *options, "--deliver-files", out, "--deliver-state", state,
                                                         "--deliver-layout", "flat").expect(2).err)
        conf = write(w.path("conf"), "deliver-late-s = soon\n")
        match(rf"{conf}:1: .*deliver-late-s", run("flowproof-collector", *options, "-c", conf).expect(2).err)


def health(tap, w):
    with tap.case("metrics: what was delivered, up to when, and that it fails and no longer does"):
        store, out, state = w.path("store"), w.path("out"), w.path("state")
        os.mkdir(out)
        os.mkdir(os.path.join(out, "AWSLogs"), 0o500)
        os.chown(os.path.join(out, "AWSLogs"), 1, 1)
        begun = time.time()

        def value(name):
            got = prometheus.parse(page.get(c.page, "/metrics")[2].decode())
            return prometheus.value(got, "flowproof_collector_delivery_" + name, delivery="files")

        with page.start(store, w.pki, "--deliver-files", out, "--deliver-state", state, *SOON) as c:
            w.send(c, "one", w.capture(1, 6))
            until(lambda: value("failing_since_timestamp_seconds") >= int(begun), "it fails")
            check(value("failures_total") > 0, "failures")
            equal(value("units_total"), 0, "units")
            c.stop().expect(0)
        shutil.rmtree(os.path.join(out, "AWSLogs"))
        with page.start(store, w.pki, "--deliver-files", out, "--deliver-state", state, *SOON) as c:
            until(lambda: value("complete_to_timestamp_seconds") >= int(begun), "all is delivered")
            files = Files(out)
            got = [value(n) for n in ("units_total", "records_total", "bytes_total", "failing_since_timestamp_seconds", "ended", "lost_segments_total")]
            equal(got, [len(files.names), sum(map(len, files.lines.values())), sum(os.path.getsize(os.path.join(out, n)) for n in files.names), 0, 0, 0])
            c.stop().expect(0)
        same(files, store)


def child(c):
    """The delivery's process."""
    out = [int(p) for p in os.listdir("/proc") if p.isdigit() and parent(p) == c.p.pid]
    equal(len(out), 1, "processes beside the collector")
    return out[0]


def parent(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return int(f.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def count_of(out):
    return sum(not n.endswith(".new") for _, _, names in os.walk(out) for n in names)


def killed(tap, w, rounds=4):
    with tap.case("killed -9 again and again, collector and delivery: in the end the files are the ledger, nothing lost, nothing twice"):
        rng = random.Random(7)
        store, out, state = w.path("store"), w.path("out"), w.path("state")
        capture = w.capture(4, 25)
        for i in range(rounds):
            with deliver(w, store, out, state) as c:
                before = count_of(out)
                w.send(c, f"k{i}", capture)
                # Somewhere in the files that come of it; about fifteen.
                until(lambda: count_of(out) >= before + rng.randrange(1, 18), "files come")
                pids = [child(c), c.p.pid]
                rng.shuffle(pids)
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                c.p.wait()
        with deliver(w, store, out, state) as c:
            wait_for(store, out)
            c.stop().expect(0)
        same(Files(out), store)


def hindered(tap, w):
    store, out, state = w.path("store"), w.path("out"), w.path("state")
    with tap.case("a folder that may not be written to: it is told once, ingest goes on, and a later start delivers all"):
        os.mkdir(out)
        os.mkdir(os.path.join(out, "AWSLogs"), 0o500)
        os.chown(os.path.join(out, "AWSLogs"), 1, 1)
        with deliver(w, store, out, state) as c:
            w.send(c, "one", w.capture(1, 6))
            c.wait_for("Permission denied; nothing is lost: it is tried again", "err")
            w.send(c, "two", w.capture(2, 6))
            c.stop().expect(0)
            equal(c.text("err").count("Permission denied"), 1, "told once")
        equal(count_of(out), 0, "files")
        shutil.rmtree(os.path.join(out, "AWSLogs"))
        with deliver(w, store, out, state) as c:
            wait_for(store, out)
            c.stop().expect(0)
        same(Files(out), store)
    with tap.case("a delivery that stands still: ingest does not notice, and it goes on where it stood"):
        with deliver(w, store, out, state) as c:
            pid = child(c)
            os.kill(pid, signal.SIGSTOP)
            for i in range(3):
                w.send(c, f"s{i}", w.capture(5 + i, 6))
            os.kill(pid, signal.SIGCONT)
            wait_for(store, out)
            c.stop().expect(0)
        same(Files(out), store)
    with tap.case("a full disk: no half file, it is told, and it goes on by itself when there is room"), tmpfs("1M") as disk:
        store, out, state = w.path("store"), os.path.join(disk, "out"), w.path("state")
        filler = os.path.join(disk, "filler")
        with deliver(w, store, out, state) as c:
            with open(filler, "wb", buffering=0) as f:
                left = os.statvfs(disk)
                f.write(b"x" * (left.f_bavail * left.f_bsize - 32 * 1024))
            w.send(c, "one", w.capture(1, 40))
            c.wait_for("No space left on device; trying again", "err")
            Files(out)  # whole ones only
            os.unlink(filler)
            c.wait_for("delivering again", "err")
            wait_for(store, out)
            c.stop().expect(0)
        same(Files(out), store)


def main():
    private_mounts()
    tap = Tap()
    with folder() as d:
        w = World(d)
        store = w.path("store")
        with w.collector(store) as c:
            w.send(c, "one", w.capture(1, 20))
            w.send(c, "two", w.capture(2, 20), "-t", "600")
            c.stop().expect(0)
        exported(tap, w, store)
        as_parquet(tap, w, store)
        as_ocsf(tap, w, store)
        hostile(tap, w)
        delivered(tap, w)
        health(tap, w)
        killed(tap, w)
        hindered(tap, w)
    tap.done()


if __name__ == "__main__":
    main()
