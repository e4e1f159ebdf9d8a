#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_golden_reports.py BUILD_DIR   Whole reports in both languages, of machines of the gauntlet and of its benign set, to the last character.

Captures of gauntlet/saved.py and benign.py go through the sensor and are told to a collector as live runs (lib/relive.py), so that a ledger is the same
each time. Every number that the reports must have is computed here, from how the captures are made and from the second decoder
(golden/reference.py); every text stands in golden/report.en.json and report.ja.json, which a person read. What is masked: digests that hold a
signature, the folder of the test, and which batches a finding follows from. GOLDEN_WRITE=1 writes the texts anew, for a person to read again.
"""
import collections
import json
import os
import re
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, part) for part in ("lib", "golden", "gauntlet", "report")]
from harness import Tap, check, equal, folder, run, write  # noqa: E402
from pki import Pki, collector  # noqa: E402
import benign as benign_set  # noqa: E402, F401  (adds to SAVED)
import frames  # noqa: E402
from frames import ACK, FIN, PSH, SYN  # noqa: E402
import reference  # noqa: E402
import relive  # noqa: E402
from run_report import Reader, SCREEN, SECTIONS, rows_of  # noqa: E402
from saved import LOCAL, RESOLVER, SAVED  # noqa: E402

T0, TCP, UDP = frames.T0, 6, 17
HERE = os.path.join(TESTS, "report", "golden")
OUTSIDE, TIME, LEASE, VISITOR, SUBNET = "198.51.100.7", "169.254.169.123", "10.77.200.1", "198.18.3.9", "10.77.0.0/16"
PORT_OF_CAPTURE = "file"
KEPT = 128  # calls whose times a finding is judged by (evidence/beat.h)


# ---- the two machines -----------------------------------------------------------------------------------

def visit(c):
    """Somebody fetches a page: 100 bytes in, 200 out."""
    c.remote = VISITOR
    for at, out, flags, payload in ((100, False, SYN, b""), (100.01, True, SYN | ACK, b""), (100.02, False, ACK, b""), (100.03, False, PSH | ACK, b"q" * 100),
                                    (100.04, True, PSH | ACK, b"r" * 200), (100.05, False, FIN | ACK, b""), (100.06, True, FIN | ACK, b"")):
        c.segment(at, out, 443, 40000, flags, payload)


class Machine:
    """A capture, what the second decoder finds in it, and sums of that."""

    def __init__(self, name, parts, remote, policy):
        self.name, self.policy = name, policy
        self.capture = frames.Capture(LOCAL, remote)
        for part in parts:
            (part if callable(part) else SAVED[part])(self.capture)
        self.raw = self.capture.bytes()
        rows, counters = reference.meter(reference.read_capture(self.raw))
        self.received = counters["received"]
        self.rows = [(src, dst, sport, dport, proto, *row) for (_, src, dst, sport, dport, proto, _), row in rows.items()]
        self.begin, self.end = T0, max(p.ns for p in self.capture.packets) // 10**9 + 2
        self.packets = sum(row[5] for row in self.rows)
        self.bytes = sum(row[6] for row in self.rows)

    def of(self, remote, port, proto):
        """(rows out, rows in) of an endpoint of port `port`, the responder's."""
        return ([r for r in self.rows if (r[1], r[3], r[4]) == (remote, port, proto) and r[0] == LOCAL],
                [r for r in self.rows if (r[0], r[2], r[4]) == (remote, port, proto) and r[1] == LOCAL])

    def totals(self, remote, port, proto):
        out, back = self.of(remote, port, proto)
        return dict(packets_out=sum(r[5] for r in out), bytes_out=sum(r[6] for r in out), packets_in=sum(r[5] for r in back), bytes_in=sum(r[6] for r in back))

    def span(self, remote, port, proto):
        both = [r for rows in self.of(remote, port, proto) for r in rows]
        return min(r[7] for r in both), max(r[8] for r in both)

    def records(self, remote, port, proto):
        return sum(len(rows) for rows in self.of(remote, port, proto))

    def minutes(self):
        """Those in which packets came."""
        return {r[7] // 60 for r in self.rows} | {r[8] // 60 for r in self.rows}

    def nodata(self):
        """Lines of the file: one for each silence between its packets, up to the last of them."""
        busy = sorted(self.minutes())
        return sum(b - a > 1 for a, b in zip(busy, busy[1:]))

    def strip(self):
        out = []
        for minute in range(self.begin // 60, (self.end + 59) // 60):
            state = "ok" if minute in self.minutes() else "no_data"
            if out and out[-1]["state"] == state:
                out[-1]["to"] = minute * 60 + 60
            else:
                out.append({"from": minute * 60, "to": minute * 60 + 60, "state": state})
        return out

    def calls(self, remote, port, proto):
        """Tenths of a second at which the machine spoke after a silence of 5 s and more, of the seconds as they are counted."""
        times, last = [], None
        for p in sorted(self.capture.packets, key=lambda p: p.ns):
            ip = p.data[14:]
            src, dst = (".".join(map(str, ip[i:i + 4])) for i in (12, 16))
            head = (ip[0] & 15) * 4
            sport, dport = int.from_bytes(ip[head:head + 2], "big"), int.from_bytes(ip[head + 2:head + 4], "big")
            if ip[9] != proto or (remote, port) not in ((src, sport), (dst, dport)):
                continue
            if last is None or p.ns // 10**9 - last >= 5:
                times.append(p.ns // 10**8)
            last = p.ns // 10**9
        return times[-KEPT:]

    def rhythm(self, *end):
        """(calls, tenths of the period, percent of jitter), as a line on paper has them: middle values."""
        return rhythm_of(self.calls(*end))


def rhythm_of(times):
    intervals = sorted(b - a for a, b in zip(times, times[1:]))
    middle = intervals[len(intervals) // 2]
    deviations = sorted(abs(i - middle) for i in intervals)
    return len(intervals) + 1, middle, 200 * deviations[len(deviations) // 2] // middle


def questions(machine, server):
    """[(second, name, bytes of the message)] of all questions, [bytes of the responses]."""
    asked, answered = [], []
    for p in sorted(machine.capture.packets, key=lambda p: p.ns):
        ip = p.data[14:]
        if ip[9] != UDP:
            continue
        dst, message = ".".join(map(str, ip[16:20])), ip[28:]
        if int.from_bytes(ip[22:24], "big") == 53 and dst == server:
            labels, at = [], 12
            while message[at]:
                labels.append(message[at + 1:at + 1 + message[at]].decode())
                at += message[at] + 1
            asked.append((p.ns // 10**9, ".".join(labels).lower(), len(message), p.ns // 10**8))
        elif int.from_bytes(ip[20:22], "big") == 53:
            answered.append(len(message))
    return asked, answered


# ---- texts ---------------------------------------------------------------------------------------------

def texts_of(report):
    """What a report says that is the same for all ledgers."""
    return {"obligations": [{**{k: o[k] for k in ("id", "kind", "name", "criterion")}, "figures": [{k: f[k] for k in ("id", "text", "unit", "condition", "bound")}
                                                                                                  for f in o["figures"]]} for o in report["obligations"]],
            "detectors": report["detectors"], "checks": [c["meaning"] for c in report["checks"]]}


def load(lang):
    with open(os.path.join(HERE, f"report.{lang}.json"), encoding="utf-8") as f:
        return json.load(f)


def duration(seconds, lang):
    words = (" d", " h", " min", " s") if lang == "en" else (" 日", " 時間", " 分", " 秒")
    parts = (seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60, seconds % 60)
    return " ".join(f"{n}{w}" for n, w in zip(parts, words) if n)


def when(second, zone=9):
    """UTC, and Tokyo beside it: with its date where that is another."""
    utc, there = time.gmtime(second), time.gmtime(second + zone * 3600)
    return time.strftime("%Y-%m-%d %H:%M:%S UTC ", utc) + time.strftime("(%H:%M:%S JST)" if utc.tm_mday == there.tm_mday else "(%Y-%m-%d %H:%M:%S JST)", there)


def iso(second):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


def sentence(lang, f, kind, course):
    """A finding's: what its kind says, the course, the figures."""
    t = f
    if lang == "en":
        return f"{kind}this machine called it, {course[0]}; out {t['packets_out']} packets/{t['bytes_out']} bytes, in {t['packets_in']}/{t['bytes_in']}, until {iso(t['last'])}"
    return f"{kind}このマシンから通信を始め、{course[1]}。送信 {t['packets_out']} パケット／{t['bytes_out']} バイト、受信 {t['packets_in']} パケット／{t['bytes_in']} バイト、{iso(t['last'])} まで"


ANSWERED = "it answered", "応答があった"
DATA = "it answered, and data went out", "応答があり、データが送出された"


def finding(machine, lang, weight, kind, severity, end, says, course=ANSWERED, count=0, name=None, **other):
    """As `findings --json` has it, and its weight. `other`: where its numbers are not those of the endpoint."""
    remote, port, proto = end
    first, last = machine.span(*end)
    reached = "data_out" if course is DATA else "answered"
    f = {"kind": kind, "severity": severity, "remote": remote, "port": port, "protocol": proto, "first": first, "last": last, "sensor": machine.name,
         "interface": PORT_OF_CAPTURE, "mode": "live", "direction": "egress", "reached": reached, "outcome": reached, "flows": machine.records(*end),
         **machine.totals(*end), "name": name, "names": [], "more_names": False, "addresses": 1, "count": count, "under_way": False, "more_streams": False, **other}
    f["what"] = sentence(lang, f, says[lang == "ja"], course)
    return {"weight": weight, "finding": f}


def beats(n, tenths, jitter, below=None):
    en, ja = f"{n} calls, every {tenths // 10}.{tenths % 10} s, jitter {jitter}%", f"{n} 回の呼び出し、周期 {tenths // 10}.{tenths % 10} 秒、揺らぎ {jitter}%"
    return (f"{en}, in DNS below {below}: ", f"{ja}、{below} の下への DNS：") if below else (en + ": ", ja + "：")


# ---- what must be said ------------------------------------------------------------------------------------

def facts_of(m, more):
    """Every figure of the obligations: {id: (n, whole)}."""
    with open(m.policy, encoding="utf-8") as f:
        rules = sum(line.startswith(("expect ", "watch ")) for line in f)
    all_zero = """unwatched_s interfaces_unwatched residual kernel_dropped nic_dropped skipped_windows canaries_unseen dns_unread filtered link_local policy_changes
    policy_other policy_wide allowed_destinations allowed_bytes_out attempts endpoints_left_out came_in clock_steps flows_evicted flows_merged spool_gave_up gave_way
    malformed unjudged not_ip findings_left_out calls_left_out suspicions open_runs gap_batches records_missing audit_broken audit_incomplete damage build_changes
    config_changes replays old_flows allowance_exceeded unseen_before_start blindings""".split()
    return {**{name: (0, True) for name in all_zero}, "span_s": (m.end - m.begin, True), "packets": (m.packets, True), "interfaces": (1, True), "canaries": (8, True), "blind_checks": (1, True),
            "policy_rules": (rules, True), "identity_differs": (0, False), "runs": (1, True), "clock_off_ms": (1, True), **more}


JUDGE = {"at_most": lambda n, whole, bound: "not_met" if n > bound else "met" if whole else "unknown",
               "at_least": lambda n, whole, bound: "met" if n >= bound else "not_met" if whole else "unknown",
               "told": lambda n, whole, bound: "met" if whole else "unknown"}


def obligations_of(m, texts, facts, remedies):
    out = []
    for i, o in enumerate(texts["obligations"]):
        figures = []
        for f in o["figures"]:
            n, whole = facts[f["id"]]
            figures.append({**f, "n": n, "whole": whole, "state": JUDGE[f["condition"]](n, whole, f["bound"])})
        states = {f["state"] for f in figures}
        state = "not_met" if "not_met" in states else "unknown" if "unknown" in states else "met"
        met = state == "met"
        out.append({"number": i + 1, "id": o["id"], "kind": o["kind"], "state": state, "name": o["name"], "criterion": o["criterion"],
                    "remedy": None if met else remedies[o["id"]], "first": None if met else m.begin, "last": None if met else m.end, "figures": figures})
    return out


def end_of(m, remote, port, proto, rule, verdict, outcome, flows, inbound=False):
    """An endpoint as the report lists it; of one that came in the port is this machine's."""
    if inbound:
        came = [r for r in m.rows if r[0] == remote and r[3] == port]
        went = [r for r in m.rows if r[1] == remote and r[2] == port]
    else:
        went, came = m.of(remote, port, proto)
    both = came + went
    return {"remote": remote, "port": port, "protocol": proto, "sensor": m.name, "rule": rule, "verdict": verdict, "outcome": outcome, "names": [],
            "first": min(r[7] for r in both), "last": max(r[8] for r in both), "flows": flows, "packets_out": sum(r[5] for r in went),
            "bytes_out": sum(r[6] for r in went), "packets_in": sum(r[5] for r in came), "bytes_in": sum(r[6] for r in came)}


def expected(m, lang, texts, facts, word, reached, reasons, findings, allowed, inbound, dns, witness, egress, files):
    obligations = obligations_of(m, texts, facts, load(lang)["remedies"])
    gates = [o for o in obligations if o["kind"] == "gate"]
    long = duration(m.end - m.begin, lang)
    meanings = texts["checks"]
    commands = ["audit -d STORE --ca ca.crt", "records -d STORE --summary", "records -d STORE", "findings -d STORE", "reconcile -d STORE --flow-logs PATH", "report -d STORE --json -"]
    return {"format": "flowproof-report-1", "lang": lang, "verdict": word, "reached": reached, "case": "2026-05", "analyst": None, "note": None, "from": m.begin, "to": m.end,
            "tz": "Asia/Tokyo", "gates": 16, "gates_met": sum(o["state"] == "met" for o in gates), "unexpected_endpoints": egress, "reasons": reasons,
            "limits": [t.replace("{}", long) for t in load(lang)["limits"]], "detectors": texts["detectors"],
            "checks": [{"command": "flowproof " + c, "meaning": t} for c, t in zip(commands, meanings)], "obligations": obligations,
            "findings": findings, "allowed": allowed, "inbound": inbound, "dns": dns, "witness": witness,
            "sensors": [{"sensor": m.name, "from": m.begin, "to": m.end, "strip": m.strip()}],
            "runs": [{"sensor": m.name, "stream": "07" * 16, "mode": "live", "begin": m.begin, "end": m.end, "goodbye": True, "signed": 1,
                      "records": len(m.rows) + m.nodata(), "packets": m.packets, "bytes": m.bytes, "gap_batches": 0, "canaries_sent": 4, "canaries_returned": 4,
                      "canaries_unseen": 0, "unseen_before_start": 0, "build": "0.1.0 (golden)", "config_sha256": "01" * 32, "policy_sha256": "DIGEST",
                      "last_batch_sha256": "DIGEST", "interfaces": [{"interface": PORT_OF_CAPTURE, "stored": m.packets, "skipped_windows": 0, "received": m.received,
                                                                    "recorded": m.packets, "not_ip": 0, "malformed": 0, "residual": 0, "kernel_dropped": 0,
                                                                    "nic_dropped": 0}]}],
            "audit": {"verdict": "intact", "running": False, "manifests": 2, "starts": 1, "unclean_starts": 0, "n_broken": 0, "n_incomplete": 0, "head": "DIGEST",
                      "first_fault": None}, "original": None, "inventory": None, "installed": None, "logs": [], "files": files}


def masked(report, store):
    """The small set: digests that hold a signature or a folder's name, the folder, and which batches a finding follows from."""
    for r in report["runs"]:
        check(1 < r.pop("batches") < 2000, "batches")
        r["policy_sha256"] = r["last_batch_sha256"] = "DIGEST"
    if report["audit"]:
        report["audit"]["head"] = "DIGEST"
    for f in report["findings"]:
        for e in f["finding"].pop("evidence"):
            equal(e["stream"], "07" * 16)
            check(1 <= e["batches"][0] <= e["batches"][1], f"{e}")
    for f in report["files"]:
        f["sha256"], f["file"] = "DIGEST", os.path.basename(f["file"])
    for c in report["checks"]:
        c["command"] = c["command"].replace(store, "STORE")
    return report


# ---- the gauntlet's ----------------------------------------------------------------------------------------

def gauntlet(lang, m, texts):
    dns, web = (OUTSIDE, 53, UDP), (OUTSIDE, 443, TCP)
    asked, answered = questions(m, OUTSIDE)
    names = {name for _, name, _, _ in asked}
    letters = sum(len(name.removesuffix(".cloudfront.net").replace(".", "")) for _, name, _, _ in asked)
    times = [tenth for *_, tenth in asked]
    over_dns = dict(first=asked[0][0], last=asked[-1][0], flows=len(asked) + len(answered), packets_out=len(asked), bytes_out=sum(a[2] for a in asked),
                    packets_in=len(answered), bytes_in=sum(answered))
    equal(len(names), len(asked), "each name once")
    data = letters // len(asked)
    tunnel = (f"at least ABOUT names below cloudfront.net, {data} letters each, 0% of the queries for types that carry data: ",
              f"少なくとも ABOUT 個の名前（cloudfront.net の下、それぞれ {data} 文字、データを運べる種別の問い合わせは 0%）：")
    calls, period, jitter = m.rhythm(*web)
    d_calls, d_period, d_jitter = m.rhythm(*dns)
    plain = ("", "")
    rows = [finding(m, lang, "egress", "dns_tunnel", "high", dns, tunnel, DATA, "ABOUT", "cloudfront.net", **over_dns),
            finding(m, lang, "aside", "beacon", "high", dns, beats(d_calls, d_period, d_jitter), count=d_calls),
            finding(m, lang, "aside", "beacon", "high", web, beats(calls, period, jitter), DATA, calls),
            finding(m, lang, "egress", "unexpected_egress", "high", dns, plain),
            finding(m, lang, "egress", "unexpected_egress", "high", web, plain, DATA),
            finding(m, lang, "aside", "dns_other_resolver", "medium", dns, ("DNS past the VPC's resolver: ", "VPC のリゾルバーを通さない DNS：")),
            finding(m, lang, "aside", "beacon", "info", dns, beats(*rhythm_of(times[-KEPT:]), "cloudfront.net"), DATA, len(times[-KEPT:]), "cloudfront.net", **over_dns)]
    facts = facts_of(m, {"witness_lines": (0, True), "hidden": (0, False), "disagree": (0, False), "witness_uncovered_s": (0, False), "witness_skipped": (0, False),
                         "witness_bad": (0, False), "dns_messages": (len(asked) + len(answered), True), "answered": (2, True), "hours": (0, True), "weekdays": (1, True)})
    facts["policy_unused"] = facts["policy_rules"]
    reasons = {"en": "This machine sent packets to 2 endpoints that no rule expects, or where a detector found egress. "
                     "Farthest: it was answered, and sent data after that.",
               "ja": "このマシンは、規則が許可していない、または検出器が持ち出しを検出した宛先 2 件へパケットを送信した。最も進んだもの：応答があり、その後データが送出された。"}
    domains = [{"domain": "cloudfront.net", "questions": len(asked), "names": len(names), "failed": 0, "bytes": over_dns["bytes_out"], "first": over_dns["first"],
                "last": over_dns["last"]}]
    return expected(m, lang, texts, facts, "unexpected_egress", "data_out", [reasons[lang]], rows, [], [], domains, None, 2, [])


# ---- the benign set's -----------------------------------------------------------------------------------------

def witness_of(m):
    """Flow Logs of the machine by the second decoder: what is not DNS to the resolver, time or a lease; NODATA where that is nothing."""
    seen = [r for r in m.rows if not {r[0], r[1]} & {RESOLVER, TIME, LEASE}]
    lines = ["version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"]
    for minute in range(m.begin // 60, (m.end + 59) // 60):
        now = [r for r in seen if r[7] // 60 == minute]
        lines += [f"2 - eni-0golden {r[0]} {r[1]} {r[2]} {r[3]} {r[4]} {r[5]} {r[6]} {r[7]} {r[8]} ACCEPT OK" for r in now]
        if not now:
            lines.append(f"2 - eni-0golden - - - - - - - {minute * 60} {minute * 60 + 59} - NODATA")
    return "\n".join(lines) + "\n", seen


def benign(lang, m, texts):
    dns, clock, lease = (RESOLVER, 53, UDP), (TIME, 123, UDP), (LEASE, 67, UDP)
    asked, answered = questions(m, RESOLVER)
    times = [tenth for *_, tenth in asked]
    over_dns = dict(first=asked[0][0], last=asked[-1][0], flows=len(asked) + len(answered), packets_out=len(asked), bytes_out=sum(a[2] for a in asked),
                    packets_in=len(answered), bytes_in=sum(answered))

    def drip(*end):
        first, last = m.span(*end)
        whole = (last - first) // 60 + 1
        return finding(m, lang, "aside", "drip", "info", end, (f"little by little, in ABOUT minutes of {whole}: ", f"少量ずつ、送信のあった時間 ABOUT 分（全体 {whole} 分）："),
                       count="ABOUT")

    def beacon(*end):
        rhythm = m.rhythm(*end)
        return finding(m, lang, "aside", "beacon", "info", end, beats(*rhythm), count=rhythm[0])

    rows = [beacon(*dns), finding(m, lang, "aside", "beacon", "info", dns, beats(*rhythm_of(times[-KEPT:]), "amazonaws.com"), DATA, len(times[-KEPT:]), "amazonaws.com", **over_dns),
            beacon(*clock), beacon(*lease), drip(*dns), drip(*lease)]
    allowed = [end_of(m, *dns, "dns", "watched", "answered", len(asked)), end_of(m, *clock, "time-sync", "expected", "answered", 1),
               end_of(m, *lease, "dhcp", "expected", "answered", 1)]
    inbound = [end_of(m, VISITOR, 443, TCP, "web", "expected", "data_out", 1, inbound=True)]
    text, seen = witness_of(m)
    lines = text.count("\n") - 1
    # The last whole minute and hour end before the run does.
    facts = facts_of(m, {"witness_lines": (lines, True), "hidden": (0, True), "disagree": (0, True), "witness_uncovered_s": (0, True), "witness_skipped": (0, True),
                         "witness_bad": (0, True), "dns_messages": (len(asked) + len(answered), True), "link_local": (1, True), "answered": (3, True), "came_in": (1, True),
                         "hours": ((m.end - m.begin) // 3600, True), "weekdays": (2, True), "allowed_destinations": (3, True),
                         "allowed_bytes_out": (sum(e["bytes_out"] for e in allowed), True)})
    used = 4  # dns, time-sync, dhcp, web
    facts["policy_unused"] = facts["policy_rules"][0] - used, True
    sent = sum(e["bytes_out"] for e in allowed)
    reasons = {"en": ["In the time judged no traffic was recorded that this machine began and no rule allows or watches, and every gate is met.",
                      f"Destinations allowed or watched: 3; sent to them, what was in it not being inspected: {sent:,} bytes. Endpoints that came in, or tried to: 1."],
               "ja": ["判定対象の時間に、このマシンが始めた通信で、規則が許可も監視もしていないものは記録されておらず、すべての必須条件を満たしている。",
                      f"許可・監視された宛先：3。それらへの送信量（内容は検査していない）：{sent:,} バイト。外から接続してきた相手（試行を含む）：1。"]}
    domains = [{"domain": "amazonaws.com", "questions": len(asked), "names": len({a[1] for a in asked}), "failed": 0, "bytes": over_dns["bytes_out"],
                "first": over_dns["first"], "last": over_dns["last"]}]
    # A flow is a stretch of lines of one direction that follow each other.
    sums = {"vpc_resolver": [RESOLVER], "time_sync": [TIME], "dhcp": [LEASE]}
    classes = [{"class": "agree", "reason": "equal", "flows": len(seen), "packets": sum(r[5] for r in seen), "bytes": sum(r[6] for r in seen)}]
    for reason, ends in sums.items():
        rows_ = [r for r in m.rows if set(ends) & {r[0], r[1]}]
        classes.append({"class": "host_only", "reason": reason, "flows": len(rows_), "packets": sum(r[5] for r in rows_), "bytes": sum(r[6] for r in rows_)})
    read = {**dict.fromkeys(("skipdata", "transit", "blank", "bad", "members", "truncated", "failed"), 0), "files": 1, "lines": lines + 1, "records": len(seen),
            "nodata": lines - len(seen), "headers": 1, "bytes": len(text)}
    return expected(m, lang, texts, facts, "none_observed", None, reasons[lang], rows, allowed, inbound, domains, {"read": read, "classes": classes, "hidden": []}, 0,
                    [{"file": "flow.log", "sha256": "DIGEST"}])


# ---- text --------------------------------------------------------------------------------------------------

def text_of(lang, m, report):
    """The terminal form, of what JSON must say."""
    word = {"en": {"none_observed": "NONE OBSERVED", "unexpected_egress": "UNEXPECTED EGRESS"}, "ja": {"none_observed": "観測されず", "unexpected_egress": "予期しない外向き通信あり"}}
    names = {"en": ("Verdict: ", "Case: ", "Time judged: {} to {} ({})", "Sensor: ", "Gates met: {} of {}", "Unexpected egress, attempts included", "NOT MET: ",
                    "lines of Flow Logs read: 0 (must be 1 at least)", "Remedy: ", "{}, {} bytes", "{} (Data carried in DNS names)", {"answered": "answered", "data_out": "data out"}),
             "ja": ("判定：", "案件：", "判定対象の時間：{} から {} まで（{}）", "センサー：", "満たした必須条件：{} / {}", "予期しない通信（試行を含む）", "不充足：",
                    "読み取った Flow Logs の行：0（1以上であること）", "対処：", "{}、{} バイト", "{}（DNS の名前によるデータの搬送）", {"answered": "応答あり", "data_out": "データ送出"})}[lang]
    lines = [names[0] + word[lang][report["verdict"]], *report["reasons"], "", names[1] + "2026-05",
             names[2].format(when(m.begin), when(m.end), duration(m.end - m.begin, lang)), names[3] + m.name, names[4].format(report["gates_met"], 16)]
    egress = [f["finding"] for f in report["findings"] if f["weight"] == "egress"]
    if egress:
        lines += ["", names[5]]
    for f in egress:
        course = names[9].format(names[11][f["outcome"]], f"{f['bytes_out']:,}")
        if f["kind"] == "dns_tunnel":
            course = names[10].format(course)
        lines.append(f"  {f['remote']}:{f['port']} {'udp' if f['protocol'] == UDP else 'tcp'}{'  ' + f['name'] if f['name'] else ''}  {course}  {when(f['first'])}")
    unmet = [o for o in report["obligations"] if o["kind"] == "gate" and o["state"] != "met"]
    if unmet:
        lines.append("")
    # One screen: names of all, then details in their order as far as they fit; where they do not all, the last row says where they are.
    told = [(f"  {o['number']:2}  {names[6]}{o['name']}", [" " * 7 + names[7], " " * 7 + names[8] + o["remedy"]]) for o in unmet]
    left = SCREEN - rows_of(lines) - rows_of([name for name, _ in told])
    if rows_of([line for _, more in told for line in more]) > left:
        left -= 1
    for name, more in told:
        lines.append(name)
        left -= rows_of(more)
        if left >= 0:
            lines += more
    if report["verdict"] == "none_observed":  # one row is kept for how many limits there is no room for
        lines += ["", {"en": "What such a run cannot show", "ja": "このような実行では示せないこと"}[lang]]
        limits = ["  - " + text for text in report["limits"]]
        while limits and rows_of([*lines, limits[0]]) < SCREEN:
            lines.append(limits.pop(0))
        check(limits and len(limits) < len(report["limits"]), "some limits find room, and some do not")
        lines.append({"en": f"  and {len(limits)} more: --html FILE", "ja": f"  ほか {len(limits)} 件：--html FILE"}[lang])
    if left < 0:
        lines.append({"en": "All figures and remedies: --html FILE", "ja": "すべての数値と対処：--html FILE"}[lang])
    return "\n".join(lines) + "\n"


# ---- the cases ---------------------------------------------------------------------------------------------

def estimated(got, want):
    """Puts what was estimated where ABOUT is expected, once it is near the true number and no greater."""
    truth = {"dns_tunnel": 63, "drip": {RESOLVER: 84, LEASE: 48}}
    for g, w in zip(got, want):
        g, w = g["finding"], w["finding"]
        if w["count"] != "ABOUT":
            continue
        exact = truth[w["kind"]] if w["kind"] == "dns_tunnel" else truth["drip"][w["remote"]]
        check(exact * 0.8 <= g["count"] <= exact, f"{g['kind']}: about {exact}, not {g['count']}")
        w["count"], w["what"] = g["count"], w["what"].replace("ABOUT", str(g["count"]))


class Store:
    def __init__(self, d):
        self.d, self.pki, self.path = d, Pki(os.path.join(d, "keys")), os.path.join(d, "store")
        policies = os.path.join(TESTS, "..", "configs", "policy", "quarantine.policy"), os.path.join(TESTS, "gauntlet", "server.policy")
        self.machines = {"gauntlet": Machine("gauntlet", ("beacon-7-seconds", "dns-tunnel-forged-parent"), OUTSIDE, policies[0]),
                         "benign": Machine("benign", ("daily-time-and-lease", "many-buckets", visit), LEASE, policies[1])}
        with collector(self.path, "127.0.0.1:0", self.pki.options("collector")) as c:
            for name, m in self.machines.items():
                self.pki.issue(name)
                path = write(os.path.join(d, name + ".pcap"), m.raw)
                hello, batches = relive.read(path, name, self.pki, "--local", LOCAL + "/32", "--resolver", RESOLVER, "-p", m.policy)
                relive.Live(name, hello, batches, m.begin, m.end - 1).send(c.address, self.pki)
            c.stop(limit=60).expect(0)
        self.logs = write(os.path.join(d, "flow.log"), witness_of(self.machines["benign"])[0])

    def report(self, name, lang, *more):
        logs = ["--flow-logs", self.logs, "--subnet", SUBNET] if name == "benign" else []
        return run("flowproof", "report", "-d", self.path, "--sensor", name, "--ca", self.pki.ca, "--case", "2026-05", "--tz", "Asia/Tokyo", "--lang", lang, *logs, *more).expect(
            name == "gauntlet").out

    def json(self, name, lang):
        return json.loads(self.report(name, lang, "--json", "-"))


def write_texts(s):
    """What stands in golden/, out of the program: to be read."""
    for lang in ("en", "ja"):
        report = s.json("benign", lang)
        texts = {**texts_of(report), "limits": [t.replace(duration(s.machines["benign"].end - T0, lang), "{}") for t in report["limits"]]}
        os.makedirs(os.path.join(s.d, "empty"), exist_ok=True)
        empty = json.loads(run("flowproof", "report", "-d", os.path.join(s.d, "empty"), "--lang", lang, "--json", "-").expect(1).out)
        texts["remedies"] = {o["id"]: o["remedy"] for o in empty["obligations"]}
        write(os.path.join(HERE, f"report.{lang}.json"), json.dumps(texts, ensure_ascii=False, indent=1) + "\n")


class Headings(Reader):
    def __init__(self, text):
        self.heads = []
        super().__init__(text)

    def handle_data(self, data):
        if self.open[-1:] == ["h2"]:
            self.heads.append(data)
        super().handle_data(data)


def main():
    tap = Tap()
    with folder() as d:
        s = None
        with tap.case("captures of the gauntlet and of the benign set become ledgers"):
            s = Store(d)
        if s and os.environ.get("GOLDEN_WRITE"):
            write_texts(s)
        with tap.case("options that the texts name are options"):
            helps = run("flowproof", "report", "--help").expect(0).out + run("flowproof-sensor", "--help").expect(0).out
            for lang in ("en", "ja"):
                named = set(re.findall(r"--[a-z][a-z-]+", json.dumps(load(lang), ensure_ascii=False)))
                check(len(named) > 8, f"{named}")
                equal([option for option in sorted(named) if not re.search(option + r"\b", helps)], [])
        for name, make in (("gauntlet", gauntlet), ("benign", benign)) if s else ():
            for lang in ("en", "ja"):
                m, want, got = s.machines[name], None, None
                with tap.case(f"{name}, {lang}: JSON, to the last number and character"):
                    got = masked(s.json(name, lang), s.path)
                    want = make(lang, m, load(lang))
                    estimated(got["findings"], want["findings"])
                    equal(*(json.dumps(x, ensure_ascii=False, indent=1, sort_keys=True).splitlines() for x in (got, want)))
                with tap.case(f"{name}, {lang}: text"):
                    equal(s.report(name, lang), text_of(lang, m, want))
                with tap.case(f"{name}, {lang}: HTML has each section, the obligations' texts, a row for each finding and endpoint"):
                    page = os.path.join(d, f"{name}.{lang}.html")
                    s.report(name, lang, "--html", page)
                    with open(page, encoding="utf-8") as f:
                        html = Headings(f.read())
                    equal([i for i in html.ids if i in SECTIONS], SECTIONS)
                    texts = load(lang)
                    for o in texts["obligations"]:
                        check(o["name"] in html.texts["b"], o["name"])
                    said = collections.Counter(tag for tag, _ in html.elements)
                    plain = sum(f["weight"] == "egress" for f in want["findings"])
                    others = sum(f["finding"]["kind"] != "unexpected_egress" for f in want["findings"])
                    bodies = plain + others + len(want["allowed"]) + len(want["inbound"]) + len(want["dns"]) + len((want["witness"] or {"classes": []})["classes"]) + 1 + 22
                    heads = sum(bool(x) for x in (plain, others, want["allowed"], want["inbound"], want["dns"], want["witness"], True, True))
                    equal(said["tr"], bodies + heads, "rows of tables, and a head for each")
    tap.done()


if __name__ == "__main__":
    main()
