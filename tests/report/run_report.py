#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_report.py BUILD_DIR   The verdict and its reports, from ledgers whose every number was written down first.

Sensors made of lib/story.py tell a real collector what they saw: a benign one, whose report must be `none_observed` beside a complete second
witness; one story for each gate, which breaks this gate alone; and an intruder's. Text is compared whole, in both languages; JSON is held
against docs/report.schema.json by Debian's python3-jsonschema; HTML is read by Python's own parser.
"""
import concurrent.futures
import hashlib
import html.parser
import json
import os
import re
import shutil
import sys
import unicodedata

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.path.insert(1, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "ledger"))
from harness import ROOT, Tap, check, equal, folder, run, write  # noqa: E402
from pki import Pki, collector  # noqa: E402
from run_ledger import entries  # noqa: E402
import story  # noqa: E402
from story import Story, account, endpoint, event, question, record  # noqa: E402

T0 = 1764028800  # 2025-11-25 00:00:00 UTC, 09:00 in Tokyo
LENGTH = 180
ME, RESOLVER, COLLECTOR, OTHER = "10.0.0.5", "10.0.0.2", "10.0.9.9", "198.51.100.7"
TCP, UDP = 6, 17
POLICY = "expect out tcp 4739 to 10.0.9.9 as \"collector\"\nexpect out udp 4799 to 10.0.9.9 as \"canary\"\nwatch out udp 53 to 10.0.0.2 as \"dns\"\n"
RULES = ["collector", "canary", "dns"]
HOSTILE = "<script>alert(1)</script>.evil.example"
GATES = {1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 16, 17, 19, 20, 21, 22}


def benign_records():
    """(records of minute 0, of minute 1): DNS, canaries and the sensor's own stream; minute 2 is silent."""
    return ([record(1, 2, ME, RESOLVER, 40000, 53, UDP, 5, 350, direction=story.EGRESS, initiator=1, verdict=story.WATCHED, outcome=story.DATA_OUT,
                    rule=3),
             record(1, 2, RESOLVER, ME, 53, 40000, UDP, 5, 900, direction=story.INGRESS, initiator=2, verdict=story.WATCHED,
                    outcome=story.DATA_OUT, rule=3),
             record(1, 59, ME, COLLECTOR, 50000, 4739, TCP, 20, 4000, flags=2, direction=story.EGRESS, initiator=1, verdict=story.EXPECTED,
                    outcome=story.DATA_OUT, rule=1),
             record(1, 59, COLLECTOR, ME, 4739, 50000, TCP, 15, 1500, flags=18, direction=story.INGRESS, initiator=2, verdict=story.EXPECTED,
                    outcome=story.DATA_OUT, rule=1)],
            [record(61, 110, ME, COLLECTOR, 50001, 4799, UDP, 4, 1200, direction=story.EGRESS, initiator=1, verdict=story.EXPECTED,
                    outcome=story.DATA_OUT, rule=2),
             record(61, 110, COLLECTOR, ME, 4799, 50001, UDP, 4, 1200, direction=story.INGRESS, initiator=2, verdict=story.EXPECTED,
                    outcome=story.DATA_OUT, rule=2)])


BENIGN_ENDS = [endpoint(RESOLVER, 53, UDP, 1, 2, (5, 350), (5, 900), verdict=story.WATCHED, rule=3, outcome=story.DATA_OUT),
               endpoint(COLLECTOR, 4739, TCP, 1, 59, (20, 4000), (15, 1500), rule=1),
               endpoint(COLLECTOR, 4799, UDP, 61, 110, (4, 1200), (4, 1200), rule=2)]
PACKETS = 5 + 5 + 20 + 15 + 4 + 4


def tell(name, more_records=(), more_ends=(), links=(), accounts=None, canaries=(4, 4, 0, 0), looks=((0, 0, 90, 0),), counts=(5, 5), questions=None, labels=(),
         last_events=(), tables=story.ROOMY, clock=(0, 2000000), goodbye=True, end=LENGTH - 1, policy=POLICY, rules=(), t0=T0, stream=1, **hello):
    """The benign run, with what is to be different."""
    s = Story(name, t0, policy, [*RULES, *rules], stream=stream, **hello)
    first, second = benign_records()
    first += [r for r in more_records if r["start"] < 60]
    second += [r for r in more_records if r["start"] >= 60]
    seen = sum(r["packets"] for r in first), sum(r["packets"] for r in (*first, *second))
    account_at = accounts or (lambda window, packets: account(window, packets))
    interfaces = [event(story.INTERFACE, 1, 1, story.UP, 0, 0, text="lo"), event(story.INTERFACE, 1, 2, story.UP | story.CAPTURED, 9, 9, text="eth0")]
    if questions is None:
        questions = [question(1, f"host{i}.example.com", [OTHER]) for i in range(5)]
    s.batch(1, events=[event(story.START, 0, text="filtered"), *interfaces, *(event(story.INTERFACE, 1, *x[1:5], text=x[0]) for x in links),
                       event(story.HOST, 1, 5000, 2 + len(links)), event(story.CONNECTED, 1, 1, text=COLLECTOR)], clock=clock, tables=tables)
    s.batch(60, records=first, accounts=[account_at(0, seen[0])], questions=questions, labels=labels, counts=counts, clock=clock, tables=tables)
    s.batch(120, records=second, accounts=[account_at(60, seen[1])], counts=counts, clock=clock, tables=tables)
    late = [event(story.INTERFACE, 175, x[0 + 1], x[2], *x[5:], text=x[0]) for x in links]
    s.batch(end, records=[record(120, 180, status=story.NODATA)], accounts=[account_at(120, seen[1])], endpoints=[*BENIGN_ENDS, *more_ends],
            events=[*late, *([event(story.CANARIES, 175, *canaries, text=COLLECTOR)] if canaries else []),
                    *(event(story.BLIND_CHECK, 176, *look) for look in looks), *last_events], counts=counts,
            tables=tables, clock=clock, goodbye=goodbye)
    return s


def flow(at, remote, port, proto, packets, size, flags=2, verdict=story.UNEXPECTED_EGRESS, outcome=story.UNANSWERED):
    return record(at, at, ME, remote, 51000, port, proto, packets, size, flags=flags, direction=story.EGRESS, initiator=1, verdict=verdict,
                  outcome=outcome)


def flow_logs(hidden=(), skip=(), length=LENGTH, interface="eni-0test"):
    """What Flow Logs say of the benign run: everything but DNS to the resolver."""
    lines = ["version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"]
    first, second = benign_records()
    rows = [r for r in (*first, *second) if RESOLVER not in (r["src"], r["dst"])]
    for r in (*rows, *hidden):
        lines.append(f"2 - {interface} {r['src']} {r['dst']} {r['sport']} {r['dport']} {r['proto']} {r['packets']} {r['size']} "
                     f"{T0 + r['start']} {T0 + r['end']} ACCEPT OK")
    for minute in range(120, length, 60):
        status = "SKIPDATA" if minute in skip else "NODATA"
        lines.append(f"2 - {interface} - - - - - - - {T0 + minute} {T0 + minute + 59} - {status}")
    return "\n".join(lines) + "\n"


# Each breaks one gate: (gate, name, the ids of figures that are not as they must be, stories).
def broken():
    far = dict(t0=T0 + 600, stream=2)
    return [
        (1, "stopped", {"unwatched_s"}, [{}, far]),
        (2, "other-interface", {"interfaces_unwatched"}, [dict(links=[("eth1", 3, story.UP, 10, 10, 10, 12)])]),
        (2, "unread-interface", {"interfaces_unwatched"}, [dict(links=[("eth1", 3, story.UP, -1, -1, -1, -1)])]),
        (3, "kernel-dropped", {"kernel_dropped"}, [dict(accounts=lambda w, p: account(w, p, kernel=7))]),
        (3, "kernel-unread", {"kernel_dropped"}, [dict(accounts=lambda w, p: account(w, p, kernel=None))]),
        (3, "nic-unread", {"nic_dropped"}, [dict(accounts=lambda w, p: account(w, p, nic=None))]),
        (3, "residual", {"residual"}, [dict(accounts=lambda w, p: account(w, p + 1, p))]),
        (3, "skipped", {"skipped_windows"}, [dict(more_records=[record(60, 120, status=story.SKIPDATA)])]),
        (3, "canary-lost", {"canaries_unseen"}, [dict(canaries=(4, 4, 1, 0))]),
        (3, "no-canaries", {"canaries", "canaries_unseen"}, [dict(canaries=None)]),
        (3, "blinded", {"blindings"}, [dict(last_events=[event(story.BLINDING, 176, 3, 0, 1, text="eth0 program 7")])]),
        (3, "never-looked", {"blind_checks", "blindings"}, [dict(looks=())]),
        (3, "not-all-looked-at", {"blindings"}, [dict(looks=((0, 0, 90, 0), (0, 1, 90, 0)))]),
        (6, "dns-malformed", {"dns_unread"}, [dict(counts=(5, 5, 0, 2))]),
        (6, "dns-unread", {"dns_messages", "dns_unread"}, [dict(counts=None)]),
        (7, "filtered", {"filtered"}, [dict(filtered=True)]),
        (8, "policy-changed", {"policy_changes", "policy_rules", "policy_unused", "policy_wide"},
         [{}, dict(t0=T0 + LENGTH, stream=2, policy="expect out tcp 4739 to 10.0.9.9\n" + POLICY)]),
        (8, "policy-wide", {"policy_wide"}, [dict(policy=POLICY + "expect out udp 9 to any\n", rules=["wide"])]),
        (10, "table-full", {"endpoints_left_out"}, [dict(tables=story.tables(ENDPOINTS_LEFT_OUT=3))]),
        (15, "clock-off", {"clock_off_ms"}, [dict(clock=(5 * 10**9, 2000000))]),
        (15, "clock-unknown", {"clock_off_ms"}, [dict(clock=None)]),
        (15, "clock-step", {"clock_steps"}, [dict(last_events=[event(story.CLOCK_STEP, 100, 3 * 10**9)])]),
        (16, "flows-evicted", {"flows_evicted"}, [dict(tables=story.tables(FLOWS_EVICTED=2))]),
        (16, "flows-merged", {"flows_merged"}, [dict(tables=story.tables(FLOWS_MERGED=1))]),
        (16, "tables-unread", {"flows_evicted", "flows_merged", "endpoints_left_out"}, [dict(tables=())]),
        (16, "spool-full", {"spool_gave_up"}, [dict(last_events=[event(story.SPOOL_FULL, 100, 2, 9, 99)])]),
        (17, "malformed", {"malformed"}, [dict(accounts=lambda w, p: account(w, p + 2, malformed=2))]),
        (17, "unjudged", {"unjudged"}, [dict(more_records=[record(30, 31, "192.0.2.1", "192.0.2.2", 1, 2, UDP, 3, 300)])]),
        (21, "other-build", {"build_changes"}, [{}, dict(t0=T0 + LENGTH, stream=2, build="0.1.1 (test)")]),
        (21, "other-config", {"config_changes"}, [{}, dict(t0=T0 + LENGTH, stream=2, config=b"\2")]),
        (22, "old-connection", {"old_flows"}, [dict(more_records=[flow(70, COLLECTOR, 4739, TCP, 2, 80, 0, story.EXPECTED,
                                                                            story.DATA_OUT)])]),
        (22, "allowances-unread", {"allowance_exceeded"}, [dict(allowances=0)]),
    ]


INTRUDER = dict(
    more_records=[flow(65, OTHER, 443, TCP, 3, 4096, outcome=story.DATA_OUT), flow(70, "203.0.113.9", 8080, TCP, 2, 120)],
    more_ends=[endpoint(OTHER, 443, TCP, 65, 66, (3, 4096), (2, 80), verdict=story.UNEXPECTED_EGRESS, outcome=story.DATA_OUT),
               endpoint("203.0.113.9", 8080, TCP, 70, 70, (2, 120), (0, 0), verdict=story.UNEXPECTED_EGRESS, outcome=story.UNANSWERED)],
    questions=[question(62, HOSTILE, [OTHER])], labels=[(62, OTHER, HOSTILE)])


# Beside the benign run: what must not be called egress, and must not be called nothing either.
GROUP = dict(more_records=[record(70, 70, ME, "224.0.0.251", 5353, 5353, UDP, 1, 80, direction=story.EGRESS, verdict=story.UNEXPECTED_EGRESS,
                                  outcome=story.UNANSWERED)])
NEIGHBOUR = dict(more_records=[record(70, 70, "10.0.0.9", "224.0.0.1", 1, 1, UDP, 3, 90)])
# Somebody calls this machine; it answers and sends 90,000 bytes, or is silent.
CAME_IN = [record(65, 70, OTHER, ME, 50000, 22, TCP, 10, 900, flags=2, direction=story.INGRESS, initiator=1, verdict=story.UNEXPECTED_INBOUND, outcome=story.DATA_OUT),
           record(65, 70, ME, OTHER, 22, 50000, TCP, 100, 90000, flags=18, direction=story.EGRESS, initiator=2, verdict=story.UNEXPECTED_INBOUND,
                  outcome=story.DATA_OUT)]
KNOCK = [record(65, 65, OTHER, ME, 50000, 22, TCP, 1, 60, flags=2, direction=story.INGRESS, initiator=1, verdict=story.UNEXPECTED_INBOUND, outcome=story.UNANSWERED)]
ORIGINAL = {"Reservations": [{"OwnerId": "123456789012", "Instances": [{
    "InstanceId": "i-original", "InstanceType": "m5.large", "PrivateIpAddress": "172.31.0.9", "VpcId": "vpc-1",
    "NetworkInterfaces": [{"NetworkInterfaceId": "eni-0test", "MacAddress": "02:00:00:00:00:01"}], "SecurityGroups": [{"GroupId": "sg-1"}]}]}]}


class World:
    def __init__(self, d):
        self.d, self.pki, self.store = d, Pki(os.path.join(d, "keys")), os.path.join(d, "store")
        self.logs = write(os.path.join(d, "flow.log"), flow_logs())
        self.tell(self.store, [("benign", [{}]), ("intruder", [INTRUDER]), ("group", [GROUP]), ("neighbour", [NEIGHBOUR]), ("came-in", [dict(more_records=CAME_IN)]), ("knock", [dict(more_records=KNOCK)]), ("absurd", [dict(end=15 * 10**9)])] + [(name, parts) for _, name, _, parts in broken()])
        self.unfinished = os.path.join(d, "unfinished")
        self.tell(self.unfinished, [("no-goodbye", [dict(goodbye=False)])])

    def tell(self, store, stories):
        def one(story_):
            name, parts = story_
            self.pki.issue(name)
            for part in parts:
                tell(name, **part).send(c.address, self.pki)

        with collector(store, "127.0.0.1:0", self.pki.options("collector")) as c:
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                list(pool.map(one, stories))
            c.stop().expect(0)

    def report(self, sensor, *options, codes=(0, 1), logs=None, store=None, ca=True):
        """(JSON, result of the text form)"""
        common = ["-d", store or self.store, *(["--sensor", sensor] if sensor else []), *(["--ca", self.pki.ca] if ca else []), *options]
        logs = self.logs if logs is None else logs
        r = run("flowproof", "report", *common, "--json", "-", *(["--flow-logs", logs] if logs else [])).expect(*codes)
        return json.loads(r.out), r

    def text(self, sensor, *options, code):
        return run("flowproof", "report", "-d", self.store, "--sensor", sensor, "--ca", self.pki.ca, *options).expect(code).out


def unmet(said):
    return {o["number"]: {f["id"] for f in o["figures"] if f["state"] != "met"} for o in said["obligations"]
            if o["kind"] == "gate" and o["state"] != "met"}


# ---- the cases ----

def benign(tap, w):
    with tap.case("a benign run with a complete second witness: none_observed, exit status 0"):
        said, r = w.report("benign", codes=(0,))
        equal((said["verdict"], said["reached"], unmet(said)), ("none_observed", None, {}))
        equal({o["number"] for o in said["obligations"] if o["kind"] == "gate"}, GATES)
        equal([o["number"] for o in said["obligations"]], list(range(1, 23)))
        equal(r.err, "")
    with tap.case("its figures are those of the story"):
        figures = {f["id"]: f["n"] for o in said["obligations"] for f in o["figures"]}
        for name, n in dict(span_s=LENGTH, unwatched_s=0, packets=PACKETS, canaries=8, dns_messages=10, policy_rules=3, policy_unused=0,
                            allowed_destinations=3, allowed_bytes_out=350 + 4000 + 1200, answered=3, attempts=0, came_in=0, clock_off_ms=1, runs=1, unseen_before_start=18,
                            witness_lines=5, hours=0, weekdays=1).items():
            equal(figures[name], n, name)
        equal((said["from"], said["to"]), (T0, T0 + LENGTH))
    with tap.case("the strip says which minutes had traffic, and which none"):
        equal(said["sensors"][0]["strip"], [{"from": T0, "to": T0 + 120, "state": "ok"}, {"from": T0 + 120, "to": T0 + 180, "state": "no_data"}])
    with tap.case("allowed destinations, with their rules and volume; DNS by parent domain"):
        got = {(e["remote"], e["port"], e["protocol"], e["rule"], e["verdict"], e["outcome"], e["bytes_out"], e["bytes_in"]) for e in said["allowed"]}
        equal(got, {(RESOLVER, 53, UDP, "dns", "watched", "data_out", 350, 900), (COLLECTOR, 4739, TCP, "collector", "expected", "data_out", 4000, 1500),
                    (COLLECTOR, 4799, UDP, "canary", "expected", "data_out", 1200, 1200)})
        equal([(x["domain"], x["questions"], x["names"], x["bytes"]) for x in said["dns"]], [("example.com", 5, 5, 200)])
    with tap.case("in Japanese the verdict and all words of lists are the same"):
        ja, _ = w.report("benign", "--lang", "ja", codes=(0,))
        equal({k: v for k, v in ja.items() if isinstance(v, (int, type(None)))}, {k: v for k, v in said.items() if isinstance(v, (int, type(None)))})
        equal([(o["id"], o["state"]) for o in ja["obligations"]], [(o["id"], o["state"]) for o in said["obligations"]])


def gates(tap, w):
    with tap.case("each gate is broken by itself, here or below"):
        equal({gate for gate, *_ in broken()} | {4, 5, 19, 20}, GATES)
    for gate, name, figures, _ in broken():
        with tap.case(f"gate {gate}, {name}: this gate alone is not met, and the verdict is inconclusive"):
            said, _ = w.report(name, codes=(1,))
            # A full table is what two gates ask for.
            want = {gate: figures}
            if "endpoints_left_out" in figures:
                want = {10: {"endpoints_left_out"}, 16: figures}
            got = unmet(said)
            if name == "old-connection":
                got.pop(4, None)  # nor is it in the Flow Logs
            if len({s["stream"] for s in said["runs"] if s["mode"] == "live"} & {"01" * 16, "02" * 16}) > 1:
                got.pop(5, None)  # the story's Flow Logs end with its first run
                got.pop(4, None)
            equal(got, want)
            equal(said["verdict"], "inconclusive")
    with tap.case("gate 1: a time that was asked for and not watched, with its bounds"):
        said, _ = w.report("benign", "--span", f"{T0 - 100},{T0 + LENGTH}", codes=(1,))
        o = said["obligations"][0]
        equal((o["state"], o["first"], o["last"]), ("not_met", T0 - 100, T0))
        equal([f["n"] for f in o["figures"] if f["id"] == "unwatched_s"], [100])
    with tap.case("a part of the run can be judged alone"):
        said, _ = w.report("benign", "--span", f"{T0},{T0 + 120}", codes=(0, 1))
        equal((said["from"], said["to"], said["obligations"][0]["state"]), (T0, T0 + 120, "met"))
    for name, logs, want in (
            ("no second witness", "", {4: {"witness_lines", "hidden", "disagree"},
                                       5: {"witness_lines", "witness_uncovered_s", "witness_skipped", "witness_bad"}}),
            ("a flow that this machine did not show", flow_logs(hidden=[flow(80, OTHER, 443, TCP, 9, 900)]), {4: {"hidden"}}),
            ("one at the very begin: it may be of before", flow_logs(hidden=[flow(3, OTHER, 443, TCP, 9, 900)]), {4: {"disagree"}}),
            ("a flow that it did not show, the time that was watched being said", flow_logs(hidden=[flow(3, OTHER, 443, TCP, 9, 900)]), {4: {"hidden"}}),
            ("another count", flow_logs().replace(" 15 1500 ", " 1500 1500000 "), {4: {"disagree"}}),
            ("skipped data", flow_logs(skip={120}), {5: {"witness_skipped"}}),
            ("a line that is none", flow_logs() + "2 - eni-0test 10.0.0.5 fd00::1 1 2 6 1 40 1 2 ACCEPT OK\n", {5: {"witness_bad"}})):
        with tap.case(f"gates 4 and 5, {name}"):
            path = write(os.path.join(w.d, "other.log"), logs) if logs else ""
            span = ["--span", f"{T0},{T0 + LENGTH}"] if "being said" in name else []
            said, _ = w.report("benign", *span, logs=path, codes=(1,))
            equal((said["verdict"], unmet(said)), ("inconclusive", want))
    with tap.case("gate 8: another policy than the one that was agreed"):
        agreed = write(os.path.join(w.d, "agreed.policy"), POLICY)
        equal(w.report("benign", "--policy", agreed, codes=(0,))[0]["verdict"], "none_observed")
        other = write(os.path.join(w.d, "other.policy"), POLICY + "# a remark\n")
        equal(unmet(w.report("benign", "--policy", other, codes=(1,))[0]), {8: {"policy_other"}})
    with tap.case("gate 19: a run without a goodbye, which the audit misses too"):
        equal(unmet(w.report("no-goodbye", store=w.unfinished, codes=(1,))[0]), {19: {"open_runs"}, 20: {"audit_incomplete"}})
    with tap.case("gate 20: not audited; a changed byte; a batch that is cut off"):
        equal(unmet(w.report("benign", ca=False, codes=(1,))[0]), {20: {"audit_broken", "audit_incomplete"}})
        copy = os.path.join(w.d, "copy")
        shutil.copytree(w.store, copy)
        path = os.path.join(copy, "benign", "00000001.fpl")
        data = bytearray(open(path, "rb").read())
        data[len(data) // 2] ^= 1
        write(path, bytes(data))
        said, _ = w.report("benign", store=copy, codes=(1,))
        check({20} <= unmet(said).keys() and said["audit"]["verdict"] == "broken", f"{unmet(said)}")
        check(said["reasons"][1].startswith("Places of the ledger that are not as they were signed, or cannot be read: "), said["reasons"])
        write(path, bytes(data[:len(data) - 200]))
        check(20 in unmet(w.report("benign", store=copy, codes=(1,))[0]), "a cut ledger was believed")


def silent(name):
    """A run in which no packet came: watched, all told, nothing recorded."""
    s = Story(name, T0, POLICY, RULES)
    s.batch(1, events=[event(story.START, 0, text="filtered"), event(story.INTERFACE, 1, 2, story.UP | story.CAPTURED, 9, 9, text="eth0"), event(story.HOST, 1, 5000, 1)])
    for minute in (0, 60, 120):
        end = minute == 120
        s.batch(minute + 59, records=[record(minute, minute + 60, status=story.NODATA)], accounts=[account(minute, 0)], counts=(0, 0), goodbye=end,
                events=[event(story.CANARIES, 175, 4, 4, 0, 0, text=COLLECTOR), event(story.BLIND_CHECK, 175, 0, 0, 0, 0)] if end else [])
    return s


def never(tap, w):
    with tap.case("a capture without a packet, all else being met: nothing to judge"):
        store = os.path.join(w.d, "silence")
        w.pki.issue("silent")
        with collector(store, "127.0.0.1:0", w.pki.options("collector")) as c:
            silent("silent").send(c.address, w.pki)
            c.stop().expect(0)
        head = flow_logs().split("\n", 1)[0]
        logs = write(os.path.join(w.d, "silent.log"), head + "\n" + "".join(f"2 - eni-0test - - - - - - - {T0 + m} {T0 + m + 59} - NODATA\n" for m in (0, 60, 120)))
        said, _ = w.report("silent", store=store, logs=logs, codes=(1,))
        equal((said["verdict"], unmet(said)), ("inconclusive", {1: {"packets"}}))
        equal(said["reasons"], ["There is nothing to judge. Gates that are not met: 1 of 16."])
    with tap.case("an empty store: inconclusive, nothing to judge"):
        with collector(os.path.join(w.d, "empty"), "127.0.0.1:0", w.pki.options("collector")) as c:
            c.stop().expect(0)
        said, _ = w.report(None, store=os.path.join(w.d, "empty"), codes=(1,))
        equal((said["verdict"], said["from"], said["sensors"]), ("inconclusive", None, []))
    with tap.case("a replayed capture file enters no verdict, whatever is in it"):
        store = os.path.join(w.d, "replayed")
        w.pki.issue("replayed")
        capture = write(os.path.join(w.d, "syn.pcap"), syn_capture())
        with collector(store, "127.0.0.1:0", w.pki.options("collector")) as c:
            run("flowproof-sensor", "-r", capture, "-s", c.address, "--id", "replayed", *w.pki.options("replayed")).expect(0)
            c.stop().expect(0)
        said, _ = w.report(None, store=store, codes=(1,))
        equal((said["verdict"], said["unexpected_endpoints"], said["sensors"]), ("inconclusive", 0, []))
        equal([r["mode"] for r in said["runs"]], ["replay"])
        check(unmet(said).keys() >= {1, 3, 19}, f"{unmet(said).keys()}")
    odd = write(os.path.join(w.d, "odd"), "# two lines\na_b\n")
    with tap.case("a store that is none, and options that are wrong: exit status 2 or 3, with the reason"):
        for options, code, says in ((["-d", os.path.join(w.d, "nowhere")], 3, "nowhere"), ([], 2, "-d"), (["-d", w.store, "--lang", "fr"], 2, "--lang"),
                                    (["-d", w.store, "--span", "5"], 2, "--span"), (["-d", w.store, "--span", "9,5"], 2, "--span"),
                                    (["-d", w.store, "--ca", "/nowhere"], 3, "/nowhere"),
                                    (["-d", w.store, "--flow-logs", "/nowhere"], 3, "leave --flow-logs out"), (["-d", w.store, "more"], 2, "more"),
                                    (["-d", w.store, "--tz", "Mars/Phobos"], 2, "Mars/Phobos"),
                                    (["-d", w.store, "--suspects", "/nowhere"], 2, "--suspects: cannot read /nowhere"),
                                    (["-d", w.store, "--suspects", odd], 2, f"--suspects: {odd}:2: 'a_b' is neither")):
            r = run("flowproof", "report", *options).expect(2, 3)
            equal(r.code, code, f"{options}: {r.err}")
            check(says in r.err, r.err)


def without(tap, w):
    """Each entry of a ledger taken out in turn, and all from it on: no verdict gets better."""
    store = os.path.join(w.d, "alone")
    w.tell(store, [("alone", [{}]), ("alone-intruder", [INTRUDER])])
    for sensor, may_be in (("alone", {"inconclusive"}), ("alone-intruder", {"inconclusive", "unexpected_egress"})):
        path = os.path.join(store, sensor, "00000001.fpl")
        data = open(path, "rb").read()
        starts = [e[-1] for e in entries(path)[1]] + [len(data)]
        with tap.case(f"{sensor}: any of {len(starts) - 1} entries taken out, or the end from there on"):
            check(len(starts) >= 6, "a hello and four batches")
            whole = w.report(sensor, store=store)[0]
            equal(whole["verdict"], "none_observed" if sensor == "alone" else "unexpected_egress")
            for i, at in enumerate(starts[:-1]):
                for cut in (data[:at] + data[starts[i + 1]:], data[:at]):
                    write(path, cut)
                    said, _ = w.report(sensor, store=store, codes=(1,))
                    check(said["verdict"] in may_be and said["gates_met"] < whole["gates_met"], f"entry {i}: {said['verdict']}")
            write(path, data)
    with tap.case("manifests taken away"):
        shutil.rmtree(os.path.join(store, "@manifest"))
        equal(w.report("alone", store=store, codes=(1,))[0]["verdict"], "inconclusive")
    with tap.case("a sensor whose clock says anything is read in bounded time, and not believed"):
        said, _ = w.report("absurd", codes=(1,))
        equal((said["verdict"], said["sensors"][0]["strip"]), ("inconclusive", []))


def syn_capture():
    """One SYN to somebody, as a pcap of Ethernet."""
    ip = bytes.fromhex("4500002800004000400600000a000005c6336407") + bytes.fromhex("c7380 1bb00000001000000005002ffff00000000".replace(" ", ""))
    frame = bytes.fromhex("0200000000020200000000010800") + ip
    head = (0xa1b2c3d4).to_bytes(4, "little") + bytes.fromhex("02000400") + bytes(8) + (65535).to_bytes(4, "little") + (1).to_bytes(4, "little")
    return head + T0.to_bytes(4, "little") + bytes(4) + len(frame).to_bytes(4, "little") * 2 + frame


SCREEN = 23  # rows of a small terminal beside the prompt's; 80 columns


def rows_of(lines):
    """That lines take on it: East Asian wide characters take two columns (Unicode Annex 11)."""
    columns = [sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line) for line in lines]
    return sum(max(1, -(-n // 80)) for n in columns)


TEXT_EN = """Verdict: UNEXPECTED EGRESS
This machine sent packets to 2 endpoints that no rule expects, or where a detector found egress. Farthest: it was answered, and sent data after that.

Case: 2025-77
Time judged: 2025-11-25 00:00:00 UTC to 2025-11-25 00:03:00 UTC (3 min)
Sensor: intruder
Gates met: 14 of 16

Unexpected egress, attempts included
  198.51.100.7:443 tcp  data out, 4,096 bytes  2025-11-25 00:01:05 UTC
  203.0.113.9:8080 tcp  unanswered, 120 bytes  2025-11-25 00:01:10 UTC

   4  NOT MET: A second witness agrees with this machine
       lines of Flow Logs read: 0 (must be 1 at least)
       Remedy: Give the report Flow Logs of the same interface (--flow-logs); look at `flowproof reconcile`.
   5  NOT MET: The second witness is complete
       lines of Flow Logs read: 0 (must be 1 at least)
       Remedy: Wait until all Flow Logs are delivered (some minutes), and fetch every file.
"""
TEXT_JA = """判定：予期しない外向き通信あり
このマシンは、規則が許可していない、または検出器が持ち出しを検出した宛先 2 件へパケットを送信した。最も進んだもの：応答があり、その後データが送出された。

案件：2025-77
判定対象の時間：2025-11-25 00:00:00 UTC (09:00:00 JST) から 2025-11-25 00:03:00 UTC (09:03:00 JST) まで（3 分）
センサー：intruder
満たした必須条件：14 / 16

予期しない通信（試行を含む）
  198.51.100.7:443 tcp  データ送出、4,096 バイト  2025-11-25 00:01:05 UTC (09:01:05 JST)
  203.0.113.9:8080 tcp  応答なし、120 バイト  2025-11-25 00:01:10 UTC (09:01:10 JST)

   4  不充足：第二の証拠がこのマシンの記録と一致する
       読み取った Flow Logs の行：0（1以上であること）
       対処：同じインターフェースの Flow Logs を渡し（--flow-logs）、`flowproof reconcile` を確認してください。
   5  不充足：第二の証拠は完全である
すべての数値と対処：--html FILE
"""


def intruder(tap, w):
    with tap.case("an intruder's run: unexpected_egress, how far it got, exit status 1"):
        said, _ = w.report("intruder", codes=(1,))
        equal((said["verdict"], said["reached"], said["unexpected_endpoints"]), ("unexpected_egress", "data_out", 2))
        got = {(f["finding"]["remote"], f["finding"]["port"]) for f in said["findings"] if f["weight"] == "egress"}
        equal(got, {(OTHER, 443), ("203.0.113.9", 8080)})
    with tap.case("the whole text, in English"):
        equal(w.text("intruder", "--case", "2025-77", code=1), TEXT_EN)
    with tap.case("the whole text, in Japanese"):
        equal(w.text("intruder", "--case", "2025-77", "--lang", "ja", "--tz", "Asia/Tokyo", code=1), TEXT_JA)
    with tap.case("whatever is open, the verdict stays on the first screen, and something says where the rest is"):
        empty = os.path.join(w.d, "empty")
        for lang in ("en", "ja"):
            for options in (["-d", empty], ["-d", w.store, "--sensor", "intruder"], ["-d", w.store, "--sensor", "stopped"], ["-d", w.store, "--sensor", "policy-changed"],
                            ["-d", w.store, "--sensor", "benign", "--suspects", write(os.path.join(w.d, "many"), "10.0.0.0/8\n")],
                            ["-d", w.store]):
                out = run("flowproof", "report", *options, "--lang", lang).expect(1).out
                lines = out.splitlines()
                check(rows_of(lines) <= SCREEN, f"{options}: {rows_of(lines)} rows:\n{out}")
                check(lines[0].startswith(("Verdict: ", "判定：")), lines[0])
                check("--html" in lines[-1] or ("Remedy: " in lines[-1] or "対処：" in lines[-1]), lines[-1])
    with tap.case("what was seen stays seen when other evidence is missing"):
        said, _ = w.report("intruder", logs="", ca=False, codes=(1,))
        equal((said["verdict"], said["reached"]), ("unexpected_egress", "data_out"))


def beside(tap, w):
    with tap.case("what goes to a group, and nobody expects it, is a suspicion: neither egress nor nothing"):
        said, _ = w.report("group", codes=(1,))
        equal((said["verdict"], said["unexpected_endpoints"], [f["weight"] for f in said["findings"]]), ("inconclusive", 0, ["suspicion"]))
        equal(said["reasons"][1:], ["Things that detectors found and somebody must look at: 1."])
    with tap.case("who came in and was answered is a suspicion, in a run that meets every gate: something may have left that way"):
        both = write(os.path.join(w.d, "came-in.log"), flow_logs(hidden=CAME_IN))
        said, _ = w.report("came-in", logs=both, codes=(1,))
        equal((said["verdict"], unmet(said), [f["weight"] for f in said["findings"]]), ("inconclusive", {}, ["suspicion"]))
        check("every gate is met; but" in said["reasons"][0], said["reasons"])
        out = w.text("came-in", "--flow-logs", both, code=1)
        check(f"  {OTHER}:22 tcp  data out, 90,000 bytes (Unexpected inbound peer)  2025-11-25 00:01:05 UTC\n" in out, out)
    with tap.case("who knocked and got no answer keeps nothing away"):
        knock = write(os.path.join(w.d, "knock.log"), flow_logs(hidden=KNOCK))
        equal(w.report("knock", logs=knock, codes=(0,))[0]["verdict"], "none_observed")
    with tap.case("what was hidden is told by address, in all forms"):
        logs = write(os.path.join(w.d, "hidden.log"), flow_logs(hidden=[flow(80, OTHER, 443, TCP, 9, 900)]))
        page = os.path.join(w.d, "hidden.html")
        said, _ = w.report("benign", "--html", page, logs=logs, codes=(1,))
        equal([(h["srcaddr"], h["srcport"], h["dstaddr"], h["dstport"], h["protocol"], h["packets"], h["bytes"], h["start"]) for h in said["witness"]["hidden"]],
              [(ME, 51000, OTHER, 443, TCP, 9, 900, T0 + 80)])
        equal(said["reasons"][1:], ["Flows that Flow Logs have and this machine did not show: 1. Something on it may hide them."])
        out = w.text("benign", "--flow-logs", logs, code=1)
        check(f"  {ME}:51000 > {OTHER}:443 tcp  900 bytes  2025-11-25 00:01:20 UTC\n" in out, out)
        check(f"{OTHER}:443" in open(page, encoding="utf-8").read(), "the page does not name it")
    with tap.case("a stop is told with its begin and end, and not counted among the time that was watched"):
        said, _ = w.report("stopped", codes=(1,))  # 180 s, a stop of 420, 180 s
        check(any("longer than the 6 min that were watched" in x for x in said["limits"]), said["limits"])
        check("       When: 2025-11-25 00:03:00 UTC to 2025-11-25 00:10:00 UTC\n" in w.text("stopped", "--flow-logs", w.logs, code=1), "the stop")
    with tap.case("what others say to a group is no packet of this machine: none_observed"):
        equal(w.report("neighbour", codes=(0,))[0]["verdict"], "none_observed")
    with tap.case("--original: what the copy does not share is told, what cannot be compared is unknown"):
        path = write(os.path.join(w.d, "original.json"), json.dumps(ORIGINAL))
        said, _ = w.report("benign", "--original", path, codes=(0,))
        got = {f["fact"]: (f["original"], f["here"], f["state"]) for f in said["original"]}
        equal(got["network interface"], ("eni-0test", "eni-0test", "same"))
        equal(got["instance type"], ("m5.large", None, "unknown"))
        figure = [f for o in said["obligations"] for f in o["figures"] if f["id"] == "identity_differs"]
        equal([(f["n"], f["whole"]) for f in figure], [(0, False)])
        r = run("flowproof", "report", "-d", w.store, "--original", write(os.path.join(w.d, "none.json"), "{}")).expect(2)
        check("--original" in r.err, r.err)
    with tap.case("--suspects: an address that the machine spoke to is found, whatever the policy says"):
        path = write(os.path.join(w.d, "suspects"), f"{COLLECTOR}  # known from elsewhere\n")
        said, _ = w.report("benign", "--suspects", path, codes=(1,))
        check("watch_list" in {f["finding"]["kind"] for f in said["findings"]}, f"{said['findings']}")
        check(said["verdict"] != "none_observed", said["verdict"])
    with tap.case("--inventory stands in the report as it was given"):
        given = {"logs": [{"log": "flow_logs", "state": "off", "source": "fl-1", "kept": "</td><script>"}], "n": [1, None, True, "\u65e5"]}
        path = write(os.path.join(w.d, "inventory.json"), json.dumps(given))
        page = os.path.join(w.d, "inventory.html")
        said, _ = w.report("benign", "--inventory", path, "--html", page, codes=(0,))
        equal(said["inventory"], given)
        check("flow_logs" in open(page, encoding="utf-8").read() and "</td><script>" in Reader(open(page, encoding="utf-8").read()).texts["bdi"], "the inventory in HTML")
    with tap.case("--installed stands in the report as it was given, in both languages a section of its own; what is no manifest is refused"):
        sha = "5e" * 32
        given = {"format": "flowproof-installed-1", "state": "installed", "made": "2026-01-31T12:34:56Z", "sensor": "i-<b>", "entries": [
            {"path": "/opt/<script>", "type": "file", "mode": "0755", "uid": 0, "gid": 0, "label": None, "sha256": sha, "size": 7},
            {"path": "/etc/w", "type": "link", "mode": "0777", "uid": 0, "gid": 0, "label": None, "target": "../u"}],
            "folders_changed": [{"path": "/opt", "mtime": "2020-09-13T12:26:40Z", "mtime_ns": 1600000000123456789, "atime_ns": 1}]}
        path = write(os.path.join(w.d, "installed.json"), json.dumps(given))
        page = os.path.join(w.d, "installed.html")
        for lang, title in (("en", "What was put on the volume before it started"), ("ja", "起動前にボリュームへ追加したもの")):
            said, _ = w.report("benign", "--installed", path, "--html", page, "--lang", lang, codes=(0,))
            equal(said["installed"], given)
            with open(page, encoding="utf-8") as f:
                texts = f.read()
            for text in (title, "i-&lt;b&gt;", "/opt/&lt;script&gt;", sha, "../u", "2020-09-13T12:26:40Z"):
                check(text in texts, f"{text} is not in the {lang} page")
        check(path in {f["file"] for f in said["files"]}, "its digest")
        r = run("flowproof", "report", "-d", w.store, "--installed", write(os.path.join(w.d, "none.json"), "{}")).expect(2)
        check("no manifest" in r.err, r.err)


def schema(tap, w):
    import jsonschema  # of Debian: tests alone need it
    with open(os.path.join(ROOT, "docs", "report.schema.json"), encoding="utf-8") as f:
        rules = json.load(f)
    with tap.case("the schema is one"):
        jsonschema.Draft7Validator.check_schema(rules)
    validator = jsonschema.Draft7Validator(rules)
    with tap.case("every report fits it"):
        for sensor, options in (("benign", []), ("intruder", []), ("clock-unknown", []), ("stopped", []), ("intruder", ["--lang", "ja"]), (None, [])):
            said, _ = w.report(sensor, *options)
            equal([e.message for e in validator.iter_errors(said)], [], f"{sensor}")
        said, _ = w.report("benign", logs="", ca=False)
        equal([e.message for e in validator.iter_errors(said)], [], "without witness and audit")
    with tap.case("and a report that lacks something, or has something else, does not"):
        said, _ = w.report("benign")
        for key in said:
            if key in rules["required"]:
                check(list(validator.iter_errors({k: v for k, v in said.items() if k != key})), f"without {key}")
        check(list(validator.iter_errors({**said, "verdict": "fine"})), "another verdict")
        check(list(validator.iter_errors({**said, "more": 1})), "another key")


class Reader(html.parser.HTMLParser):
    """Elements that nest as they should, with their texts."""
    VOID = {"meta", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts, self.ids = [], [], {}, []
        self.feed(text)
        equal(self.open, [], "elements left open")

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [v for k, v in attrs if k == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [v for k, v in attrs if k == "id"]

    def handle_endtag(self, tag):
        check(self.open and self.open[-1] == tag, f"</{tag}> in {self.open} at {self.getpos()}")
        self.open.pop()

    def handle_data(self, data):
        for tag in self.open[-1:]:
            self.texts[tag] = self.texts.get(tag, "") + data


SECTIONS = ["strip", "unexpected", "findings", "allowed", "inbound", "dns", "witness", "integrity", "obligations", "limits", "check", "digests"]


def html_form(tap, w):
    for lang in ("en", "ja"):
        path = os.path.join(w.d, f"report-{lang}.html")
        note = "</dd><img src=x onerror=alert(2)>\u202e"
        run("flowproof", "report", "-d", w.store, "--sensor", "intruder", "--ca", w.pki.ca, "--html", path, "--lang", lang, "--tz", "Asia/Tokyo",
            "--note", note, "--flow-logs", w.logs).expect(1)
        text = open(path, encoding="utf-8").read()
        with tap.case(f"HTML, {lang}: well-formed, in its language, with every section"):
            page = Reader(text)
            equal(page.elements[0], ("html", {"lang": lang}))
            equal([i for i in page.ids if i in SECTIONS], SECTIONS)
            equal(len(set(page.ids)), len(page.ids), "ids that are there twice")
            rows = [i for i in page.ids if re.fullmatch(r"o\d+", i)]
            equal(rows, [f"o{i}" for i in range(1, 23)], "obligations")
        with tap.case(f"HTML, {lang}: nothing is fetched, nothing runs"):
            tags = {tag for tag, _ in page.elements}
            equal(tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "audio", "video"}, set())
            for tag, attrs in page.elements:
                equal([k for k in attrs if k.startswith("on") or k in ("src", "href", "action", "srcset", "xlink:href")], [], tag)
            check("@import" not in text and not re.search(r"url\((?!#)", text), "a style sheet fetches something")
            check(any(a.get("http-equiv") == "Content-Security-Policy" and "default-src 'none'" in a["content"] for t, a in page.elements if t == "meta"),
                  "no Content-Security-Policy")
        with tap.case(f"HTML, {lang}: what came over the wire, and the note, are text"):
            check(HOSTILE in page.texts["bdi"], page.texts["bdi"])
            shown = note.replace("\u202e", "\ufffd")
            check(shown in page.texts["bdi"] and "\u202e" not in page.texts["bdi"], page.texts["bdi"])
        with tap.case(f"HTML, {lang}: pictures have words"):
            for tag, attrs in page.elements:
                if tag == "svg":
                    check(attrs.get("aria-hidden") == "true" or attrs.get("role") == "img", f"{attrs}")
            check(page.texts.get("title", "").count("UTC") >= 4, "stretches of the strip without a title")
        with tap.case(f"HTML, {lang}: the digest of the Flow Logs is that of sha256sum"):
            check(hashlib.sha256(open(w.logs, "rb").read()).hexdigest() in page.texts["code"], "the file's digest")
    with tap.case("HTML says the same as JSON, and twice the same"):
        again = os.path.join(w.d, "again.html")
        run("flowproof", "report", "-d", w.store, "--sensor", "intruder", "--ca", w.pki.ca, "--html", again, "--lang", "ja", "--tz", "Asia/Tokyo",
            "--note", note, "--flow-logs", w.logs).expect(1)
        equal(open(again, encoding="utf-8").read(), text)


def main():
    tap = Tap()
    with folder() as d:
        w = None
        with tap.case("sensors of this suite tell their stories"):
            w = World(d)
        for part in (benign, gates, never, without, intruder, beside, schema, html_form) if w else ():
            part(tap, w)
    tap.done()


if __name__ == "__main__":
    main()
