#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_endpoints.py BUILD_DIR   Capture files to a collector on loopback: what the ledger says of endpoints is what was in the file,
and that not all could be kept is said wherever a conclusion is drawn."""
import collections
import json
import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "golden")]
from harness import Tap, check, equal, folder, match, run, summary, write  # noqa: E402
from pki import Pki, collector  # noqa: E402
import make_captures as make  # noqa: E402

SENSOR = "i-ends"
A, B, C = make.A, make.B, make.C


def speak(second, peer, port, up=9):
    """A connection: SYN, SYN-ACK, an ACK with `up` bytes: 80 + up bytes out in 2 packets, 40 in in 1."""
    t = make.ns(make.T0 + second)
    return [make.tcp_packet(t, A, peer, port, 443, make.SYN), make.tcp_packet(t, peer, A, 443, port, make.SYN | make.ACK),
            make.tcp_packet(t, A, peer, port, 443, make.ACK, up)]


def host(i):
    return f"80.{i >> 16}.{i >> 8 & 255}.{i & 255}"


def quiet():
    """Three minutes, two endpoints: B in each window, C in the last."""
    return speak(0, B, 2000) + speak(70, B, 2001) + speak(130, B, 2002) + speak(131, C, 2003)


def flood(count):
    """Destinations that do not answer, B before, amid and after, C amid; peers that come in."""
    p = speak(0, B, 2000)
    for i in range(count):
        t = make.ns(make.T0 + i * 170 // count)
        p += [make.tcp_packet(t, A, host(i), 1024, 80, make.SYN), make.tcp_packet(t, host(i), A, 1024, 22, make.SYN)]
        if i == count // 2:
            p += speak(i * 170 // count, B, 2001) + speak(i * 170 // count, C, 2002)
    return p + speak(171, B, 2003)


class Ledger:
    """A capture, streamed into a store of its own."""

    def __init__(self, d, name, packets, *args):
        path = write(os.path.join(d, name), make.pcap(packets))
        self.store = os.path.join(d, name + ".store")
        keys = Pki(os.path.join(d, name + ".keys"))
        keys.issue(SENSOR)
        with collector(self.store, "127.0.0.1:0", keys.options("collector")) as c:
            self.sensor = run("flowproof-sensor", "-r", path, "-s", c.address, "--id", SENSOR, *keys.options(SENSOR), *args,
                              limit=120).expect(0)
            c.stop()

    def endpoints(self, *args):
        out = run("flowproof", "records", "-d", self.store, "--endpoints", "--json", *args).expect(0).out
        return [json.loads(line) for line in out.splitlines()]

    def records(self):
        out = run("flowproof", "records", "-d", self.store, "--json").expect(0).out
        return [json.loads(line) for line in out.splitlines()]

    def summary(self):
        return json.loads(run("flowproof", "records", "-d", self.store, "--summary", "--json").expect(0).out)


def brief(e):
    return [e[k] for k in ("direction", "remote", "port", "protocol", "packets_out", "bytes_out", "packets_in", "bytes_in", "flows",
                           "outcome", "verdict", "state", "mode", "sensor")]


def few(d):
    ledger = Ledger(d, "quiet", quiet())
    rest = ["data_out", "unexpected_egress", "kept", "replay", SENSOR]
    equal([brief(e) for e in ledger.endpoints()],
          [["egress", B, 443, 6, 6, 3 * 89, 3, 120, 3, *rest], ["egress", C, 443, 6, 2, 89, 1, 40, 1, *rest]], "endpoints")
    equal([(e["first"], e["last"]) for e in ledger.endpoints()], [(make.T0, make.T0 + 130), (make.T0 + 131, make.T0 + 131)], "times")
    text = run("flowproof", "records", "-d", ledger.store, "--endpoints").expect(0).out.splitlines()
    equal(text[0], "sensor mode direction remote port protocol first last packets-out bytes-out packets-in bytes-in flows outcome "
                   "verdict rule state names")
    equal(text[2], f"{SENSOR} replay egress {C} 443 6 {make.T0 + 131} {make.T0 + 131} 2 89 1 40 1 data_out unexpected_egress - kept -")
    equal([e["remote"] for e in ledger.endpoints("--from", str(make.T0 + 131))], [C], "--from")
    equal([s["endpoints_left_out"] for s in ledger.summary()["sensors"][0]["streams"]], [0], "left out")
    check("endpoints" not in run("flowproof", "findings", "-d", ledger.store).expect(0).err, "findings complain")
    check("ENDPOINTS" not in run("flowproof", "records", "-d", ledger.store, "--summary").expect(0).out, "the summary complains")


def too_many(d):
    count, slots = 6000, 64
    packets = flood(count)
    ledger = Ledger(d, "flood", packets, "--endpoint-slots", str(slots), "--flow-slots", "1024")
    told = summary(ledger.sensor.err)
    equal((told["received"], told["recorded"]), (len(packets), len(packets)), "frames")
    equal(sum(r["packets"] or 0 for r in ledger.records()), len(packets), "packets of all records")
    ends = ledger.endpoints()
    by_remote = collections.defaultdict(list)
    for e in ends:
        by_remote[e["remote"]].append(e)
    for peer, times in ((B, 3), (C, 1)):
        equal([[e[k] for k in ("packets_out", "bytes_out", "packets_in", "outcome", "state")] for e in by_remote[peer]],
              [[2 * times, 89 * times, times, "data_out", "kept"]], peer)
    # What is there: three quarters and one quarter of the table, and the one that gave way to C.
    equal(collections.Counter((e["direction"], e["state"]) for e in ends),
          {("egress", "kept"): slots * 3 // 4, ("ingress", "kept"): slots // 4, ("egress", "gave_way"): 1}, "endpoints")
    equal({e["outcome"] for e in ends if e["state"] == "gave_way"}, {"unanswered"}, "what gave way")
    # B came first; C had no room when it began.
    left_out = count - (slots * 3 // 4 - 1) + 1 + count - slots // 4
    match(rf"gave way 1, flows without room for theirs {left_out}\b", ledger.sensor.err, "the sensor's summary")
    equal([s["endpoints_left_out"] for s in ledger.summary()["sensors"][0]["streams"]], [left_out], "the ledger's summary")
    # Each flow is one packet: of each of three windows what the table held at its end went out in time, the rest early. Those whose
    # endpoint was kept are merged: the first of each direction, and what B and C spoke.
    said, = ledger.summary()["sensors"][0]["streams"]
    evicted, merged = (int(match(rf", {what} (\d+)", ledger.sensor.err)[1]) for what in ("evicted", "merged"))
    equal([said[k] for k in ("flows", "flows_evicted", "flows_merged", "endpoints", "endpoints_kept", "endpoints_gave_way")],
          [1024, evicted, merged, slots, slots, 1], "the ledger's tables")
    check(2 * count - 3 * 1024 <= evicted + merged <= 2 * count, f"{evicted} + {merged} of {2 * count} went out early")
    check(0 < merged <= slots + 1 + 2 * 4, f"{merged} merged")
    match(rf"want of one {evicted + merged} \(endpoint kept {merged}\); endpoints {slots} of {slots}, gave way 1;",
          run("flowproof", "records", "-d", ledger.store, "--summary").expect(0).out, "tables as text")
    match(rf"ENDPOINTS: .*{left_out} flows", run("flowproof", "records", "-d", ledger.store, "--summary").expect(0).out, "as text")
    match("more endpoints than it can keep", run("flowproof", "findings", "-d", ledger.store).expect(0).err, "findings")


def all_there(d):
    """As many endpoints as in many-flows, none left out: the digests' totals are those of the records."""
    packets = make.many_flows()
    ledger = Ledger(d, "many", packets, "--local", A + "/32", "--local", make.A6 + "/128")
    ends = ledger.endpoints()
    equal(sum(e["packets_out"] + e["packets_in"] for e in ends), len(packets), "packets")
    equal(sum(e["bytes_out"] + e["bytes_in"] for e in ends), sum(p.what.bytes for p in packets), "bytes")
    got = collections.Counter()
    for r in ledger.records():
        if r["log-status"] == "OK":
            got[r["srcaddr"] if r["dstaddr"] in (A, make.A6) else r["dstaddr"]] += r["packets"]
    want = collections.Counter()
    for e in ends:
        want[e["remote"]] += e["packets_out"] + e["packets_in"]
    equal(sorted((want - got) + (got - want))[:9], [], "addresses whose packets differ")
    equal(sum(e["flows"] for e in ends if e["direction"] == "-"), 0, "flows without a direction")


def main():
    tap = Tap()
    with folder() as d:
        with tap.case("a few endpoints over three windows: each once, its totals by hand"):
            few(d)
        with tap.case("more than the table holds: who answered is there, and it is said that others are not"):
            too_many(d)
        with tap.case("none left out: the totals are those of the records"):
            all_there(d)
        with tap.case("refused: --endpoints with --summary, with --fields"):
            for args in (("--summary",), ("-F", "bytes")):
                run("flowproof", "records", "-d", d, "--endpoints", *args).expect(2)
    tap.done()


if __name__ == "__main__":
    main()
