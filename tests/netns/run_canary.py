#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_canary.py BUILD_DIR   Canaries: a capture that sees is told apart from one that is blinded, in namespaces of the test's own.

A witness on the same wire, a packet socket of the test's, counts the canaries too.
"""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Daemon, Tap, check, equal, folder, match, run, summary  # noqa: E402
import net  # noqa: E402
from pki import Pki, collector  # noqa: E402

SENSOR, COLLECTOR, PORT = "10.9.0.2", "10.9.0.1", 4799


def watch(w, c, *options, port=PORT):
    """A sensor with a canary a second, which streams."""
    return Daemon("flowproof-sensor", "-i", "eth0", "-s", c.address, "--id", "i-can", *w["pki"].options("i-can"),
                  "--canary", f"{COLLECTOR}:{port}", "--canary-s", "1", *options, prefix=net.prefix(w["ns"].inst))


def canaries(text):
    """(sent, came back, not seen, the rest of the line) of the sensor's last words."""
    m = match(r"^canaries: sent (\d+), came back (\d+), not seen by the capture (\d+)(.*)$", text)
    return int(m[1]), int(m[2]), int(m[3]), m[4]


def seeing(tap, w, c):
    witness = net.Witness(w["ns"].col, "eth0")
    with tap.case("five canaries and their answers are seen: nothing is blind"), watch(w, c) as s:
        s.wait_for("uplink: connected", "err")
        witness.wait_until(lambda flows: sum(v[0] for k, v in flows.items() if k[2] == PORT) >= 5, 60, "five answers")
        result = s.stop().expect(0)
        equal(summary(result.err)["residual"], 0)
        check("of our own datagrams" not in result.err, result.err)
    with tap.case("sent, come back, records and the witness agree, packets and bytes"):
        sent, back, blind, rest = canaries(result.err)
        equal(blind, 0, "not seen")
        equal(witness.stop(), 0, "the witness missed frames")
        seen = {k[2] == PORT: v for k, v in witness.seen().items() if PORT in k[2:4]}
        equal((seen[False][0], seen[True][0]), (sent, back), "datagrams on the wire")
        rows = [r for r in stored(w) if r["protocol"] == 17]
        for is_answer in (False, True):
            mine = [r for r in rows if (r["srcport"] == PORT) == is_answer]
            equal((sum(r["packets"] for r in mine), sum(r["bytes"] for r in mine)), seen[is_answer][:2], "in the records")
        equal({(r["fp-verdict"], r["fp-rule"]) for r in rows}, {("expected", "canary")}, "verdict and rule")
    with tap.case("the bound is the rule of three over all that were seen"):
        n = sent + back
        m = match(r"at most (\d+\.\d) % of packets lost unseen", rest)
        equal(m[1], f"{3000 // n // 10}.{3000 // n % 10}", f"3/{n}")
    with tap.case("the ledger's summary says the same"):
        out = run("flowproof", "records", "-d", w["store"], "--summary").expect(0).out
        m = match(r"canaries: sent (\d+), came back (\d+), not seen by the capture 0; at most (\d+\.\d) %", out)
        equal((int(m[1]), int(m[2]), m[3]), (sent, back, f"{300 / n:.1f}"), "canaries")
        match(r"host: unseen before start: \d+ packets; interfaces that are not captured: 1$", out)  # lo


def blinded(tap, w, c):
    with tap.case("a capture that does not see them is told within one more canary, its windows are SKIPDATA"):
        with watch(w, c, "-f", f"not udp port {PORT}") as s:
            s.wait_for(r"canary: \d+ of our own datagrams were not seen", "err", limit=30)
            result = s.stop().expect(0)
        sent, back, blind, rest = canaries(result.err)
        check(0 < blind <= sent + back, f"{blind} of {sent} + {back}")
        check("at most" not in rest, "a bound was claimed")
        check(any(r["log-status"] == "SKIPDATA" for r in stored(w)), "no SKIPDATA in the ledger")


def closed_port(tap, w, c):
    with tap.case("a port that nobody hears: what was sent is seen, nothing comes back, nothing is blind"):
        witness = net.Witness(w["ns"].col, "eth0")
        with watch(w, c, port=PORT + 1) as s:
            s.wait_for("uplink: connected", "err")
            witness.wait_until(lambda flows: any(k[3] == PORT + 1 for k in flows), 30, "a canary")
            result = s.stop().expect(0)
        witness.stop()
        sent, back, blind, _ = canaries(result.err)
        check(sent > 0, "none was sent")
        equal((back, blind), (0, 0), "come back, not seen")


def stored(w):
    out = run("flowproof", "records", "-d", w["store"], "--json", "-F",
              "srcport dstport protocol packets bytes log-status fp-verdict fp-rule").expect(0).out
    return [json.loads(line) for line in out.splitlines()]


def usage(tap):
    with tap.case("--canary without a collector, or with a bad address, is refused"):
        for options, says in ((["-i", "lo", "--canary", "127.0.0.1:1"], "--canary needs a collector"),
                              (["-i", "lo", "-s", "127.0.0.1:1", "--id", "a", "--ca", "x", "--cert", "x", "--key", "x", "--canary",
                                "nowhere"], "--canary: ")):
            match(re.escape(says), run("flowproof-sensor", *options).expect(2).err)


def main():
    net.need_root("run_canary")
    tap = Tap()
    with folder() as d, net.Namespaces("inst", "col") as ns:
        net.veth(ns.inst, "eth0", [SENSOR + "/24"], ns.col, "eth0", [COLLECTOR + "/24"])
        w = {"ns": ns, "pki": Pki(os.path.join(d, "keys"))}
        w["pki"].issue("i-can")
        usage(tap)
        for part in (seeing, blinded, closed_port):
            w["store"] = os.path.join(d, part.__name__)
            with collector(w["store"], f"{COLLECTOR}:4739", [*w["pki"].options("collector"), "--canary", f"{COLLECTOR}:{PORT}"],
                           prefix=net.prefix(ns.col)) as c:
                part(tap, w, c)
                c.stop().expect(0)
    tap.done()


if __name__ == "__main__":
    main()
