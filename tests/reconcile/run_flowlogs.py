#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_flowlogs.py BUILD_DIR   Flow Logs are read in every form they come in, and every line is accounted for.

What must come of each file is counted here with Python's own gzip, json and csv, or by hand where a line is bad on purpose. A file
held against itself must agree with itself to the byte, which also shows that its values were read.
"""
import base64
import bz2
import gzip
import io
import json
import lzma
import os
import random
import re
import shutil
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Tap, check, equal, folder, match, run  # noqa: E402
from shared import ABSENT, data_folder  # noqa: E402

DEFAULT = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
# Lines that are wrong on purpose: an IPv6 source with an IPv4 destination; a column too many.
BAD = {"elastic-v8-ecs.log": 1, "otel-v2-too-many-fields.log": 1}
ENI = "eni-0a1b2c3d4e5f60718"
COUNTS = ("files", "lines", "records", "nodata", "skipdata", "headers", "transit", "blank", "bad", "truncated", "failed")


def line(i, packets=3, status="OK"):
    """A line of the default format; its values follow from its number."""
    if status != "OK":
        return f"2 123456789012 {ENI} - - - - - - - {1700000000 + i} {1700000060 + i} - {status}"
    return f"2 123456789012 {ENI} 10.0.0.5 198.51.100.{i % 250 + 1} {40000 + i} 443 6 {packets} {packets * 60} {1700000000 + i} {1700000050 + i} ACCEPT OK"


def lines(n, first=0):
    return [line(i) for i in range(first, first + n)]


def totals(n, first=0):
    """Of lines(): records, packets, bytes."""
    return {"flows": n, "packets": 3 * n, "bytes": 180 * n}


def write(*path, text=b""):
    path = os.path.join(*path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return path


def reconcile(d, *paths, options=(), stdin=b"", codes=(0,), records=None):
    """The summary of a run of Flow Logs against records that have none of it: all that is read is hidden."""
    records = records or write(d, "records.log", text=DEFAULT + "\n" + line(0, status="NODATA") + "\n")
    r = run("flowproof", "reconcile", "--records", records, "--span", "1600000000,1800000000", *options, "--flow-logs", *paths, "--json",
            stdin=stdin).expect(*codes)
    return json.loads(r.out)["summary"], r


def counted(summary, **want):
    got = {k: summary["read"][k] for k in COUNTS if summary["read"][k] or k in want}
    equal(got, want)


# ---- the sample set, counted independently ----

def sample_lines(path):
    """(lines, packets, bytes of OK lines) of a sample, by the file's own kind."""
    raw = open(path, "rb").read()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    text = raw.decode()
    if path.endswith(".json"):
        found = []

        def walk(node):
            if isinstance(node, dict):
                for key in ("message", "body"):
                    if isinstance(node.get(key), str):
                        found.append(node[key])
                        return
                for child in node.values():
                    walk(child)
            elif isinstance(node, list):
                for child in node:
                    walk(child)
        walk(json.loads(text))
        return DEFAULT.split(), 0, [x.split() for x in found]
    rows = [x.replace(",", " ").split() for x in text.split("\n") if x]
    names, headers = DEFAULT.split(), 0
    if "srcaddr" in rows[0]:
        names, headers, rows = [x.replace("_", "-") for x in rows[0]], 1, rows[1:]
    return names, headers, rows


def sample(tap, d, path):
    name = os.path.basename(path)
    with tap.case(f"{name}: every line accounted for, and agrees with itself"):
        names, headers, rows = sample_lines(path)
        bad = BAD.get(name, 0)
        status = names.index("log-status") if "log-status" in names else None
        kinds = ["OK" if status is None else row[status] for row in rows]
        good = rows[bad:]
        records = [row for row, kind in zip(rows, kinds) if kind == "OK" and row in good]
        want = {"files": 1, "lines": headers + len(rows)}
        for key, n in (("headers", headers), ("records", len(records)), ("nodata", kinds.count("NODATA") - bad),
                       ("skipdata", kinds.count("SKIPDATA")), ("bad", bad), ("failed", bad)):
            if n:
                want[key] = n
        if bad:
            summary, r = reconcile(d, path, codes=(3,))
            counted(summary, **want)
            match(rf"{name}:{headers + 1}: .*(column 5 \(dstaddr\)|more columns than the 14)", r.err)
            match(rf"{name}: 1 of 1 lines are no lines of this format.*--format", r.err)
            return
        # Lines that do not say their protocol are no flows.
        r = run("flowproof", "reconcile", "--records", path, "--flow-logs", path, "--json").expect(0 if "protocol" in names else 3)
        summary = json.loads(r.out)["summary"]
        counted(summary, **want)
        both = {"flows": 0, "packets": 0, "bytes": 0}
        for row in records:
            record = dict(zip(names, row))
            both["flows"] += "protocol" in record
            both["packets"] += int(record.get("packets", 0))
            both["bytes"] += int(record.get("bytes", 0))
        equal(summary["host"], both, "the records' sums")
        equal(summary["flow_logs"], both, "the Flow Logs' sums")
        equal(summary["classes"]["hidden"]["flows"], 0)
        equal(summary["agreement_percent"], {"flows": 100.0, "packets": 100.0, "bytes": 100.0})


# ---- forms ----

def forms(tap, d):
    text = "\n".join(lines(20)) + "\n"
    packed = gzip.compress(text.encode())
    with tap.case("plain, gzip, members in a row, zeros behind them, a last line without its end, CRLF, a byte order mark"):
        halves = [("\n".join(lines(10, i)) + "\n").encode() for i in (0, 10)]
        for name, data in (("a.log", text), ("b.log.gz", packed), ("c.gz", gzip.compress(halves[0]) + gzip.compress(halves[1])),
                           ("d.gz", packed + bytes(512)), ("e.log", text[:-1]), ("f.log", text.replace("\n", "\r\n")),
                           ("g.log", "\ufeff" + text), ("h.gz", gzip.compress(text[:77].encode()) + gzip.compress(text[77:].encode())),
                           ("i.gz", packed + gzip.compress(b""))):
            summary, _ = reconcile(d, write(d, name, text=data), codes=(1,))
            counted(summary, files=1, lines=20, records=20)
            equal(summary["flow_logs"], totals(20), name)
    with tap.case("standard input, plain and gzip"):
        for data in (text.encode(), packed):
            summary, _ = reconcile(d, "-", stdin=data, codes=(1,))
            counted(summary, files=1, lines=20, records=20)
    with tap.case("a gzip file that is cut: what is whole is read, the cut is told; no value is read from half a line"):
        big = "\n".join(lines(2000)) + "\n"
        whole = gzip.compress(big.encode())
        cut = write(d, "cut.gz", text=whole[:len(whole) // 2])
        summary, r = reconcile(d, cut, codes=(1,))
        equal(summary["read"]["truncated"], 1)
        check(0 < summary["read"]["records"] < 2000, "a part is read")
        equal(summary["flow_logs"], totals(summary["read"]["records"]))
        check(summary["read"]["bad"] <= 1, "at most the line in which it was cut")
        match(r"cut.gz: its gzip data ends too early", r.err)
    with tap.case("a gzip file with a damaged byte is told and fails; the other files are read"):
        damaged = bytearray(whole)
        damaged[len(whole) // 2] ^= 0xff
        summary, r = reconcile(d, write(d, "damaged.gz", text=bytes(damaged)), write(d, "good.log", text=text), codes=(1, 3))
        match(r"damaged.gz: its gzip data is damaged", r.err)
        equal((summary["read"]["files"], summary["read"]["failed"], summary["failed_inputs"]), (2, 1, 1))
        check(summary["read"]["records"] >= 20, "the good file is read")
    with tap.case("what follows a member and is no gzip is told"):
        _, r = reconcile(d, write(d, "tail.gz", text=packed + b"rubbish, not gzip"), codes=(1, 3))
        match(r"tail.gz: what follows gzip member 1 is no gzip", r.err)
        for tail in (b"!", b"\0\0!", b"rubbish"):
            summary, r = reconcile(d, write(d, "tail.gz", text=packed + tail), codes=(1, 3))
            match(r"tail.gz: .*no gzip", r.err)
            equal((summary["read"]["records"], summary["read"]["failed"]), (20, 1))


def folders(tap, d):
    with tap.case("folders as S3 has them: default, hourly, Hive, both; in the order of their names; hidden files left out"):
        top = os.path.join(d, "bucket", "AWSLogs")
        at = 0
        for below in ("111122223333/vpcflowlogs/eu-west-1/2023/11/14", "111122223333/vpcflowlogs/eu-west-1/2023/11/14/22",
                      "aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=eu-west-1/year=2023/month=11/day=14",
                      "aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=eu-west-1/year=2023/month=11/day=14/hour=22"):
            for part in range(2):
                data = DEFAULT + "\n" + "\n".join(lines(5, at)) + "\n"
                name = f"111122223333_vpcflowlogs_eu-west-1_fl-0123456789abcdef0_20231114T22{at:02d}Z_{part:08x}.log.gz"
                write(top, below, name, text=gzip.compress(data.encode()))
                at += 5
        write(top, ".hidden", text="nothing of a flow log\n")
        summary, _ = reconcile(d, os.path.join(d, "bucket"), codes=(1,))
        counted(summary, files=8, lines=8 * 6, headers=8, records=at)
        equal(summary["flow_logs"], totals(at))
    with tap.case("the same folder twice: nothing is counted twice"):
        summary, r = reconcile(d, os.path.join(d, "bucket"), os.path.join(d, "bucket", "AWSLogs"), codes=(1,))
        equal((summary["duplicates"], summary["classes"]["hidden"]), (at, totals(at)))
        equal(sorted(e["packets"] for e in json.loads(r.out)["hidden"]), [3] * at)
    with tap.case("other services' folders in the same bucket are passed over and told; given by themselves they are read"):
        trail = gzip.compress(json.dumps({"Records": [{"eventVersion": "1.08"}]}).encode())
        for below in ("111122223333/CloudTrail/eu-west-1/2023/11/14", "111122223333/elasticloadbalancing/eu-west-1", "aws-account-id=111122223333/aws-service=other/x"):
            write(top, below, "a.json.gz", text=trail)
        summary, r = reconcile(d, os.path.join(d, "bucket"), codes=(1,))
        counted(summary, files=8, lines=8 * 6, headers=8, records=at)
        equal(len(re.findall("passed over", r.err)), 3)
        _, r = reconcile(d, os.path.join(top, "111122223333", "CloudTrail"), codes=(3,))
        match("JSON without a Flow Logs line", r.err)
        for below in ("111122223333/CloudTrail", "111122223333/elasticloadbalancing", "aws-account-id=111122223333/aws-service=other"):
            shutil.rmtree(os.path.join(top, below))
    with tap.case("a path that is not there ends the run with its name"):
        r = run("flowproof", "reconcile", "--records", "-", "--flow-logs", os.path.join(d, "absent")).expect(3)
        match(r"absent: No such file", r.err)


def formats(tap, d):
    order = ["action", "bytes", "dstaddr", "dstport", "end", "interface-id", "packets", "protocol", "srcaddr", "srcport", "start", "brand-new-field"]
    rows = []
    for text in lines(8):
        record = dict(zip(DEFAULT.split(), text.split()))
        rows.append(" ".join(record.get(name, "x:y") for name in order))
    body = "\n".join(rows) + "\n"
    with tap.case("any order and a field that nobody knows, under a header line, --format and ${...}"):
        for data, options in ((" ".join(order) + "\n" + body, ()), (body, ("--format", " ".join(order))),
                              (body, ("--format", " ".join("${%s}" % x for x in order)))):
            summary, _ = reconcile(d, write(d, "order.log", text=data), options=options, codes=(1,))
            equal(summary["flow_logs"], totals(8))
    with tap.case("a header line whose first name nobody knows"):
        data = "a-newer-field " + " ".join(order) + "\n" + "".join(f"- {row}\n" for row in rows)
        summary, _ = reconcile(d, write(d, "newer.log", text=data), codes=(1,))
        counted(summary, files=1, lines=9, headers=1, records=8)
    describe = {"FlowLogs": [
        {"FlowLogId": "fl-00000000000000001", "LogFormat": " ".join("${%s}" % x for x in order), "TrafficType": "ALL", "MaxAggregationInterval": 60},
        {"FlowLogId": "fl-00000000000000002", "LogFormat": " ".join("${%s}" % x for x in DEFAULT.split()), "TrafficType": "ALL"}]}
    with tap.case("describe-flow-logs as --format @FILE: by the flow log's ID in the file's name, else the one that fits"):
        for wrap in (describe, {"status_code": 200, "data": describe}):
            at = write(d, "describe.json", text=json.dumps(wrap, indent=2))
            one = write(d, "1_vpcflowlogs_r_fl-00000000000000001_20231114T2200Z_aa.log", text=body)
            two = write(d, "1_vpcflowlogs_r_fl-00000000000000002_20231114T2200Z_bb.log", text="\n".join(lines(4, 8)) + "\n")
            summary, _ = reconcile(d, one, two, options=("--format", "@" + at), codes=(1,))
            counted(summary, files=2, lines=12, records=12)
            equal(summary["flow_logs"], totals(12))
            summary, _ = reconcile(d, write(d, "nameless.log", text=body), options=("--format", "@" + at), codes=(1,))
            equal(summary["flow_logs"], totals(8))
    with tap.case("a format or describe-flow-logs file that says nothing is an error with its name"):
        for value, what in (("no such names", "no field of Flow Logs is named"), ("@" + write(d, "empty.json", text="{}"), "no flow log with a LogFormat"),
                            ("@" + write(d, "broken.json", text='{"FlowLogs":\n [,'), "broken.json:2: not JSON")):
            r = run("flowproof", "reconcile", "--records", "-", "--format", value, "--flow-logs", d).expect(2)
            match(what, r.err)
    with tap.case("several headers in one file: files put together"):
        data = DEFAULT + "\n" + "\n".join(lines(4)) + "\n" + " ".join(order) + "\n" + "\n".join(rows[4:]) + "\n"
        summary, _ = reconcile(d, write(d, "together.log", text=data), codes=(1,))
        counted(summary, files=1, lines=10, headers=2, records=8)
        equal(summary["flow_logs"], totals(8))
    with tap.case("commas, quotes and tabs instead of blanks, an empty value for none"):
        names = [x.replace("-", "_") for x in DEFAULT.split()]
        for separator, quote in ((",", ""), (",", '"'), ("\t", "")):
            data = "\n".join(separator.join(quote + v + quote for v in row)
                             for row in [names] + [["" if v == "-" else v for v in text.split()] for text in lines(5) + [line(9, status="NODATA")]])
            summary, _ = reconcile(d, write(d, "commas.csv", text=data), codes=(1,))
            counted(summary, files=1, lines=7, headers=1, records=5, nodata=1)
            equal(summary["flow_logs"], totals(5))
    with tap.case("versions 2 to 11: all 54 of Amazon's fields under a header"):
        fields = [row.split("\t")[0] for row in FIELDS.splitlines()]
        equal(len(fields), 54)
        values = dict(zip(DEFAULT.split(), line(0).split()), version="11")
        values.update({"pkt-srcaddr": "10.0.0.5", "pkt-dstaddr": "198.51.100.1", "type": "IPv4", "tcp-flags": "19", "flow-direction": "egress",
                       "traffic-path": "8", "encryption-status": "0", "instance-tag": "caf%C3%A9", "reject-reason": "something-new"})
        data = " ".join(fields) + "\n" + " ".join(values.get(f, "-") for f in fields) + "\n"
        summary, r = reconcile(d, write(d, "v11.log", text=data), codes=(1,))
        equal(summary["flow_logs"], totals(1))
        hidden = json.loads(r.out)["hidden"][0]
        equal((hidden["tcp-flags"], hidden["flow-direction"], hidden["dstaddr"]), (19, "egress", "198.51.100.1"))


def odd_lines(tap, d):
    transit = ("6 TransitGateway 123456789012 tgw-0123456789abcdef0 tgw-attach-01 123456789012 123456789012 vpc-1 vpc-2 subnet-1 subnet-2 eni-1 eni-2 use1-az1 "
               "use1-az2 tgw-attach-02 10.0.0.5 10.1.0.5 1 2 6 3 180 1700000000 1700000060 OK IPv4 0 0 0 0 r - - - - - -")
    with tap.case("lines of a transit gateway are left out and counted"):
        data = "\n".join([*lines(3), transit, transit]) + "\n"
        summary, _ = reconcile(d, write(d, "tgw.log", text=data), codes=(1,))
        counted(summary, files=1, lines=5, records=3, transit=2)
        data = "version resource-type account-id tgw-id srcaddr dstaddr protocol packets bytes start end log-status\n" \
               "6 TransitGateway 123456789012 tgw-1 10.0.0.5 10.1.0.5 6 3 180 1700000000 1700000060 OK\n"
        summary, _ = reconcile(d, write(d, "tgw2.log", text=data), codes=(3,))  # nothing to compare
        counted(summary, files=1, lines=2, headers=1, transit=1)
    with tap.case("bad lines are counted with file, line and reason, and end nothing; empty ones are empty"):
        wrong = [line(50).replace(" 443 ", " 70000 "), line(51) + " one-more", "rubbish", line(52).replace("10.0.0.5", "10.0.0.300"),
                 line(53).replace("ACCEPT", "PERHAPS"), line(54).replace(" 6 3 ", " 6 -3 ")]
        data = "\n".join(lines(7) + ["", *wrong, ""]) + "\n"
        summary, r = reconcile(d, write(d, "wrong.log", text=data), codes=(1,))
        counted(summary, files=1, lines=15, records=7, blank=2, bad=6)
        for n, why in ((9, r"column 7 \(dstport\): '70000'"), (10, "more columns than the 14"), (11, "column 1"), (12, r"\(srcaddr\)"), (13, r"\(action\)"),
                       (14, r"\(packets\)")):
            match(rf"wrong.log:{n}: .*{why}", r.err)
    with tap.case("a file that is mostly bad fails; NODATA, SKIPDATA, and `-` in any place do not"):
        summary, r = reconcile(d, write(d, "mostly.log", text="\n".join(lines(2) + wrong) + "\n"), codes=(1,))
        match("mostly.log: 6 of 8 lines are no lines of this format", r.err)
        equal(summary["failed_inputs"], 1)
        dashes = []
        for k in range(14):
            values = line(k).split()
            values[k] = "-"
            dashes.append(" ".join(values))
        data = "\n".join(dashes + [line(0, status="NODATA"), line(0, status="SKIPDATA"), f"2 1 {ENI}" + " -" * 10 + " NODATA"]) + "\n"
        summary, _ = reconcile(d, write(d, "dashes.log", text=data), codes=(1,))
        counted(summary, files=1, lines=17, records=14, nodata=2, skipdata=1)
        # Without source, destination or protocol it is no flow.
        equal(summary["unusable"], 3)
    with tap.case("a line of more than 64 KiB is bad, and the ones after it are read"):
        data = "\n".join([line(1), "x" * 70000, line(2), "y" * 400000, line(3)]) + "\n"
        summary, r = reconcile(d, write(d, "long.log", text=data), codes=(1,))
        counted(summary, files=1, lines=5, records=3, bad=2)
        match("long.log:2: a line of more than 65536 bytes", r.err)
    with tap.case("Parquet is told what to do"):
        _, r = reconcile(d, write(d, "x.log.parquet", text=b"PAR1\x15\x04"), codes=(3,))
        match(r"x.log.parquet: Parquet is not read; make it text:  duckdb -c ", r.err)


def exports(tap, d):
    body = lines(6)
    events = [{"id": str(i), "timestamp": (1700000000 + i) * 1000, "message": text} for i, text in enumerate(body)]
    subscription = {"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "/vpc", "logStream": f"{ENI}-all", "subscriptionFilters": ["f"], "logEvents": events}
    control = {"messageType": "CONTROL_MESSAGE", "logEvents": [{"id": "", "timestamp": 0, "message": "CWL CONTROL MESSAGE: Checking health"}]}
    records = [dict(zip(DEFAULT.split(), text.split())) for text in body]
    documents = {
        "export task: a time before each line": "\n".join(f"2023-11-14T22:13:{i:02d}.000Z {text}" for i, text in enumerate(body)),
        "aws logs tail: time and stream before it": "\n".join(f"2023-11-14T22:13:{i:02d}+00:00 {ENI}-all {text}" for i, text in enumerate(body)),
        "subscription payload": json.dumps(subscription),
        "payloads in a row, a control message among them": json.dumps(control) + json.dumps(subscription),
        "filter-log-events": json.dumps({"events": [dict(e, logStreamName="x", ingestionTime=1) for e in events], "searchedLogStreams": []}, indent=4),
        "get-log-events": json.dumps({"events": events, "nextForwardToken": "f/1", "nextBackwardToken": "b/1"}),
        "Firehose: a document a line": "\n".join(json.dumps({"message": text}) for text in body),
        "one message of several lines": json.dumps({"message": "\n".join(body) + "\n"}),
        "Logs Insights": json.dumps({"results": [[{"field": "@timestamp", "value": "x"}, {"field": "@message", "value": text}] for text in body]}),
        "a member for each field": json.dumps([{k.replace("-", "_"): int(v) if v.isdigit() and k != "account-id" else v for k, v in r.items()} for r in records]),
        "fields, a document a line": "\n".join(json.dumps(r) for r in records),
    }
    for name, text in documents.items():
        with tap.case(f"CloudWatch and others: {name}"):
            for data in (text.encode(), gzip.compress(text.encode())):
                summary, _ = reconcile(d, write(d, "export", text=data), codes=(1,))
                counted(summary, files=1, lines=6, records=6)
                equal(summary["flow_logs"], totals(6))
    with tap.case("the console's CSV of times and messages"):
        for data in ("timestamp,message\n" + "\n".join(f"{1700000000 + i}000,{t}" for i, t in enumerate(body)),
                     '"timestamp","message"\n' + "\n".join(f'"{1700000000 + i}000","{t}"' for i, t in enumerate(body))):
            summary, _ = reconcile(d, write(d, "events.csv", text=data), codes=(1,))
            counted(summary, files=1, lines=7, headers=1, records=6)
            equal(summary["flow_logs"], totals(6))
    with tap.case("CSV of Logs Insights: the message wherever it stands, quoted or not; or the fields under its names"):
        stamps = [f"2023-11-14 22:13:{i:02d}.000" for i in range(6)]
        values = [text.split() for text in body]
        for data in ("@timestamp,@message\n" + "\n".join(f"{t},{text}" for t, text in zip(stamps, body)),
                     '"@timestamp","@message","@logStream"\r\n' + "\r\n".join(f'"{t}","{text}","{ENI}-all"' for t, text in zip(stamps, body)),
                     "@message\n" + "\n".join(f'"{text}"' for text in body),
                     "@timestamp,accountId,interfaceId,srcAddr,dstAddr,srcPort,dstPort,protocol,packets,bytes,startTime,endTime,action,logStatus\n" +
                     "\n".join(",".join([t, *v[1:]]) for t, v in zip(stamps, values))):
            summary, _ = reconcile(d, write(d, "insights.csv", text=data), codes=(1,))
            counted(summary, files=1, lines=7, headers=1, records=6)
            equal(summary["flow_logs"], totals(6))
    with tap.case("Athena's older names, capitals, semicolons"):
        older = "version account interfaceid sourceaddress destinationaddress sourceport destinationport protocol numpackets numbytes starttime endtime action logstatus"
        for names, between in ((older, ","), (DEFAULT.upper(), " "), (DEFAULT.replace("-", "_"), ";")):
            data = "\n".join(between.join(text.split()) for text in [names, *body])
            summary, _ = reconcile(d, write(d, "names.csv", text=data), codes=(1,))
            counted(summary, files=1, lines=7, headers=1, records=6)
            equal(summary["flow_logs"], totals(6))
    with tap.case("what is no Flow Logs file is told by its name"):
        packed, old = gzip.compress("\n".join(body).encode()), io.BytesIO()
        with tarfile.open(fileobj=old, mode="w") as tar:
            tar.addfile(tarfile.TarInfo("a.log"))
        for data, why in ((gzip.compress(packed), "gzip within gzip"), (b"PK\x03\x04....", "a ZIP archive"), (bz2.compress(packed), "bzip2"), (lzma.compress(packed), "xz is"),
                          (b"\x28\xb5\x2f\xfd...", "Zstandard"), (b"\x04\x22\x4d\x18.", "LZ4"), (b"\xff\x06\0\0sNaPpY", "Snappy"), (b"7z\xbc\xaf", "7z"), (b"%PDF-1.4", "PDF"),
                          (base64.b64encode(packed), "gzip in base64"), (b"Obj\x01", "Avro"), (b"SQLite format 3\0", "SQLite"), (b"\xd4\xc3\xb2\xa1\x02\0", "a capture of packets"),
                          (b"events:\n- message: x", "YAML"), ("\n".join(body).encode("utf-16-le"), "UTF-16"), (b"ORC...", "ORC"), (gzip.compress(old.getvalue()), "a tar archive"),
                          ("\n".join(body).encode("utf-16"), "UTF-16"), (b"<?xml version='1.0'?><Error/>", "XML or a web page"),
                          (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-lfs"), ("\r".join([DEFAULT, *body]).encode(), "carriage returns alone")):
            summary, r = reconcile(d, write(d, "foreign", text=data), codes=(3,))
            match(f"foreign: .*{why}", r.err)
            counted(summary, files=1, failed=1, records=0)
    with tap.case("JSON that holds no line, is broken, or is describe-flow-logs itself, fails with its reason"):
        for text, why in (('{"Records": [1, "a", null, {}]}', 'JSON without a Flow Logs line in "message" or "body"'),
                          ('{"events":[\n{"message": "x"', "document:2: not JSON"), ('{"FlowLogs": []}', "give it as --format @FILE")):
            _, r = reconcile(d, write(d, "no.json", text=text), codes=(3,))
            match(why, r.err)


def packed(document):
    """As Kinesis and Lambda carry it."""
    return base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()


def plain(text):
    return base64.b64encode(text.encode()).decode()


def kept_by_others(tap, d):
    """What log shippers, terminals, tables and queues make of six lines: each reads as six records, and nothing else in it is one."""
    body = lines(6)
    names = DEFAULT.split()
    stream, time, iso = f"{ENI}-all", "Nov 14 22:13:20", "2023-11-14T22:13:20"
    events = [{"id": str(i), "timestamp": 1700000000000, "message": text} for i, text in enumerate(body)]
    payload = {"messageType": "DATA_MESSAGE", "logGroup": "/vpc", "logEvents": events}
    control = {"messageType": "CONTROL_MESSAGE", "logEvents": [{"message": "CWL CONTROL MESSAGE: Checking health"}]}
    rows = [text.split() for text in body]
    camel = dict(zip(names, "version accountId interfaceId srcAddr dstAddr srcPort dstPort protocol packets bytes start end action logStatus".split()))
    before = {  # before each line: syslog, times, names
        "RFC 3164": f"<134>{time} ip-10-0-0-1 vpcflow[12]: ", "RFC 3164 as rsyslog writes it": f"{time} loghost vpcflow: ", "a day of one digit": "Nov  4 22:13:20 h a: ",
        "RFC 5424": f"<134>1 {iso}.123Z host app 1 ID47 - ", "RFC 5424 with data": f'<134>1 {iso}Z host app - - [aws@1 eni="{ENI}"] ',
        "RFC 5424 with a mark": f"<134>1 {iso}Z - - - - - \ufeff", "RFC 6587": f"190 <134>1 {iso}Z host app 1 - - ", "times of rsyslog": f"{iso}.123456+00:00 host tag: ",
        "a stream of another name": f"{iso}+00:00 my/stream ", "colours": f"\x1b[32m{iso}+00:00\x1b[0m \x1b[36m{stream}\x1b[0m ", "group and stream": f"/vpc/flow {stream} ",
        "a stream": f"{stream} ", "brackets": f"[{iso}+00:00] ({stream}) ", "a date and a time": "2023-11-14 22:13:20.000 UTC ", "milliseconds": "1700000000000 ",
        "milliseconds and a tab": "1700000000000\t", "a file's name": "1_vpcflowlogs_r_fl-1_20231114T2210Z_aa.log:17:", "a line's number": "    17\t", "a list": "- `", "quoted": '"',
        "a member of JSON": '    "message": "', "a member of a log line": 'time=1 msg="', "blanks": "   ", "a tab": "\t",
    }
    forms = {name: ("\n".join(prefix + text + {"`": "`", '"': '",'}.get(prefix[-1], "") for text in body), {}) for name, prefix in before.items()}
    forms.update({
        "grep's colours": ("\n".join(text.replace("ACCEPT", "\x1b[01;31m\x1b[KACCEPT\x1b[m\x1b[K") for text in body), {}),
        "prefixes of several lengths": ("\n".join(["h: " + DEFAULT, *(f"{time} h vpc: {text}" for text in body)]), {"headers": 1}),
        "times below a heading": ("\n".join([DEFAULT, *(f"{iso}Z {text}" for text in body)]), {"headers": 1}),
        "a heading behind a prefix": ("\n".join(f"<134>{time} h vpc: {text}" for text in [DEFAULT, *body]), {"headers": 1}),
        "filter-log-events --output text": ("\n".join([*(f"EVENTS\t38\t1700000000000\t{stream}\t{text}\t1700000000000" for text in body), f"SEARCHEDLOGSTREAMS\t{stream}\tTrue"]),
                                            {"headers": 1}),
        "get-log-events --output text": ("\n".join(["b/1\tf/1", *(f"EVENTS\t1700000000000\t{text}\t1700000000000" for text in body)]), {"headers": 1}),
        "--query events[].message --output text": ("\t".join(body), {}),
        "doubled blanks, one at the end": ("\n".join(text.replace(" ", "  ") + " " for text in body), {}),
        "columns below one another": ("\n".join("".join(f"{v:<24}" for v in row) for row in [names, *rows]), {"headers": 1}),
        "comments, a heading behind #": ("\n".join(["#Version: 1.0", "#Fields: " + DEFAULT, *body]), {"headers": 2}),
        "a table of Markdown": ("\n".join("| " + " | ".join(row) + " |" for row in [names, ["---"] * 14, *rows]), {"headers": 1, "blank": 1}),
        "Logs Insights' table of Markdown": ("\n".join(["| @timestamp | @message |", "|---|---|", *(f"| {iso} | {text} |" for text in body)]), {"headers": 1, "blank": 1}),
        "a fence": ("\n".join(["```", *body, "```"]), {"blank": 2}),
        "blanks behind commas": ("\n".join(", ".join(row) for row in [names, *rows]), {"headers": 1}),
        "names with blanks": ("\n".join(["Version,Account ID,Interface ID,Source Address,Destination Address,Source Port,Destination Port,Protocol,Packets,Bytes,Start Time,End Time,"
                                        "Action,Log Status", *(",".join(row) for row in rows)]), {"headers": 1}),
        "commas and quotes in values": ("\n".join([",".join([*names, "tag"]), *(",".join([*row, '"a, ""b"", c"']) for row in rows)]), {"headers": 1}),
        "single quotes": ("\n".join(",".join(f"'{v}'" for v in row) for row in [names, *rows]), {"headers": 1}),
        "numbers of pandas, an index": ("\n".join([",".join(["", *names]), *(",".join([str(i), *row[:5], *(v + ".0" for v in row[5:12]), *row[12:]]) for i, row in enumerate(rows))]),
                                        {"headers": 1}),
        "times of ISO 8601": ("\n".join([",".join(names), *(",".join([*row[:10], f"2023-11-14 22:13:2{i}.000", f"{iso[:-2]}5{i}Z", *row[12:]]) for i, row in enumerate(rows))]),
                              {"headers": 1}),
        "a message with a line's end": ("timestamp,message\n" + "".join(f'1700000000000,"{text}\n"\n' for text in body), {"headers": 1, "blank": 6}),
        "Splunk's CSV": ('"_raw","_time",host\n' + "\n".join(f'"{text}","{iso}",h' for text in body), {"headers": 1}),
        "Kibana's CSV": ('"@timestamp","event.original"\n' + "\n".join(f'"Nov 14, 2023 @ 22:13:20.000","{text}"' for text in body), {"headers": 1}),
        "a mark before JSON": ("\ufeff" + json.dumps(payload), {}),
        "a list of lines": (json.dumps(body), {}), "a list's elements": ("".join(json.dumps(e) + ",\n" for e in events), {}),
        "a sequence (RFC 7464)": ("".join("\x1e" + json.dumps(e) + "\n" for e in events), {}), "strings": ("\n".join(json.dumps(text) for text in body), {}),
        "a Lambda function's event": (json.dumps({"awslogs": {"data": packed(payload)}}), {}),
        "Kinesis, a control message among it": (json.dumps({"Records": [{"kinesis": {"partitionKey": "p", "data": packed(m)}} for m in (control, payload)]}), {}),
        "aws kinesis get-records": (json.dumps({"Records": [{"SequenceNumber": "1", "Data": packed(payload), "PartitionKey": "p"}], "NextShardIterator": "A"}), {}),
        "Firehose's event, lines": (json.dumps({"records": [{"recordId": "1", "data": plain(text + "\n")} for text in body]}), {}),
        "Firehose's event, messages": (json.dumps({"records": [{"data": plain(json.dumps({"message": text}))} for text in body]}), {}),
        "a queue's documents": (json.dumps({"Messages": [{"body": json.dumps({"message": text})} for text in body]}), {}),
        "Logs Insights' fields": (json.dumps({"results": [[{"field": "@timestamp", "value": "x"}, *({"field": camel[n], "value": v} for n, v in zip(names, row))] for row in rows]}), {}),
        "aws athena get-query-results": (json.dumps({"ResultSet": {"Rows": [{"Data": [{"VarCharValue": v} for v in row]} for row in [[n.replace("-", "_") for n in names], *rows]]}}),
                                         {"headers": 1}),
        "Panther": ("\n".join(json.dumps(dict(zip(camel.values(), row), start=f"2023-11-14 22:13:2{i}.000000000", end=f"2023-11-14 22:13:5{i}.000000000", p_log_type="AWS.VPCFlow"))
                              for i, row in enumerate(rows)), {}),
        "two spellings of a name": ("\n".join(json.dumps(dict(zip(names, row), srcAddr="9.9.9.9")) for row in rows), {}),
        "DynamoDB": ("\n".join(json.dumps({"Item": {n: {"S": v} for n, v in zip(names, row)}}) for row in rows), {}),
    })
    shippers = {"Elastic": {"event": {"original": "?"}}, "Elastic, flat": {"event.original": "?"}, "GELF": {"version": "1.1", "short_message": "?"},
                "Loki": {"streams": [{"values": [["1700000000000000000", "?"]]}]}, "Fluent Bit": {"date": 1.7, "log": "?"}, "Cribl": {"_raw": "?", "host": "h"},
                "Splunk HEC": {"time": "1", "event": "?"}, "Splunk export": {"result": {"_raw": "?"}}, "OpenTelemetry": {"logRecords": [{"body": {"stringValue": "?"}}]},
                "Datadog": {"attributes": {"message": "?"}}}
    forms.update({name: ("\n".join(json.dumps(shape).replace("?", text) for text in body), {}) for name, shape in shippers.items()})
    for name, (text, more) in forms.items():
        with tap.case(f"kept by others: {name}"):
            summary, r = reconcile(d, write(d, "kept", text=text), codes=(1,))
            counted(summary, files=1, lines=6 + sum(more.values()), records=6, **more)
            equal(summary["flow_logs"], totals(6))
            hidden = json.loads(r.out)["hidden"]
            equal(sorted((e["srcaddr"], e["srcport"]) for e in hidden), [("10.0.0.5", 40000 + i) for i in range(6)])
            check(all(1700000000 <= e["start"] < 1700000060 for e in hidden), "times")
    with tap.case("behind a prefix, too: NODATA, SKIPDATA, a transit gateway, bad lines with their reason; several formats are told apart"):
        odd = [line(0, status="NODATA"), line(0, status="SKIPDATA"), "6 TransitGateway 1 tgw-1", line(7).replace(" 443 ", " 70000 "), "no flow at all"]
        summary, r = reconcile(d, write(d, "behind", text="\n".join(f"{time} h vpc: {text}" for text in [*body, *odd])), codes=(1,))
        counted(summary, files=1, lines=11, records=6, nodata=1, skipdata=1, transit=1, bad=2)
        match(r"behind:10: column 7 \(dstport\): '70000'", r.err)
        longer = "vpc-id " + DEFAULT.replace("log-status", "log-status tcp-flags")
        describe = write(d, "two.json", text=json.dumps({"FlowLogs": [{"FlowLogId": f"fl-{i}", "LogFormat": " ".join("${%s}" % n for n in f.split())}
                                                                       for i, f in enumerate((DEFAULT, longer))]}))
        for texts in (body, [f"vpc-1 {text} 2" for text in body]):
            summary, _ = reconcile(d, write(d, "behind", text="\n".join(f"{time} h vpc: {text}" for text in texts)), options=("--format", "@" + describe), codes=(1,))
            counted(summary, files=1, lines=6, records=6)
            equal(summary["flow_logs"], totals(6))
    with tap.case("what could be another format is not guessed at: more columns behind, dashes alone; a bad line among good ones of one line"):
        wider = [line(0, status="NODATA") + " vpc-1 subnet-1 i-1" + " -" * 12, line(0, status="NODATA") + " -" * 25, line(3) + " vpc-1"]
        summary, r = reconcile(d, write(d, "wider", text="\n".join([*body, *wider])), codes=(1,))
        counted(summary, files=1, lines=9, records=6, bad=3)
        match("wider:8: more columns than the 14", r.err)
        summary, _ = reconcile(d, write(d, "one", text="\t".join([*body[:3], line(3).replace(" 443 ", " 70000 "), *body[3:]])), codes=(1,))
        counted(summary, files=1, lines=7, records=6, bad=1)
    with tap.case("milliseconds are no seconds, local times no UTC, names no numbers: told, never read as something else"):
        for text, why in ((body[0].replace("1700000000 1700000050", "1700000000000 1700000050000"), "milliseconds"), (body[0].replace(" 6 ", " TCP "), r"column 8 \(protocol\): 'TCP'"),
                          (",".join(names) + "\n" + ",".join([*rows[0][:10], "2023-11-14 22:13:20+02:00", iso, *rows[0][12:]]), r"column 11 \(start\): '2023-11-14_22:13:20\+02:00'")):
            summary, r = reconcile(d, write(d, "other", text=text), codes=(3,))
            match(why, r.err)
            equal((summary["read"]["records"], summary["read"]["bad"]), (0, 1))
    with tap.case("base64 that is none, is cut, is nested without end: one bad line each"):
        nested = json.dumps({"message": body[0]})
        for _ in range(6):
            nested = json.dumps({"data": plain(nested)})
        for text, why in ((json.dumps({"data": "hello, world"}), "no base64"), (json.dumps({"data": plain("x")[:-3] + packed(payload)[:80]}), "."),
                          (json.dumps({"awslogs": {"data": packed(payload)[:80]}}), "its gzip data ends too early"), (nested, "more than 4 deep")):
            summary, r = reconcile(d, write(d, "kinesis", text=text), codes=(3,))
            match(why, r.err)
            equal((summary["read"]["lines"], summary["read"]["bad"]), (1, 1), why)


FIELDS = """version
account-id
interface-id
srcaddr
dstaddr
srcport
dstport
protocol
packets
bytes
start
end
action
log-status
vpc-id
subnet-id
instance-id
tcp-flags
type
pkt-srcaddr
pkt-dstaddr
region
az-id
sublocation-type
sublocation-id
pkt-src-aws-service
pkt-dst-aws-service
flow-direction
traffic-path
ecs-cluster-arn
ecs-cluster-name
ecs-container-instance-arn
ecs-container-instance-id
ecs-container-id
ecs-second-container-id
ecs-service-name
ecs-task-definition-arn
ecs-task-arn
ecs-task-id
reject-reason
resource-id
encryption-status
instance-tag
instance-tag-2
interface-tag
interface-tag-2
asg-tag
asg-tag-2
interface-type
next-hop-interface-id
next-hop-subnet-id
next-hop-az-id
next-hop-vpc-id
next-hop-interface-type"""


def main():
    tap = Tap()
    random.seed(1)
    with folder() as d:
        forms(tap, d)
        folders(tap, d)
        formats(tap, d)
        odd_lines(tap, d)
        exports(tap, d)
        kept_by_others(tap, d)
        data = data_folder()
        if data:
            where = os.path.join(data, "flowlogs")
            names = sorted(os.listdir(where))
            with tap.case("the sample set is whole"):
                equal(len(names), 18)
            for name in names:
                sample(tap, d, os.path.join(where, name))
        else:
            tap.skip("the sample set", ABSENT)
    tap.done()


main()
