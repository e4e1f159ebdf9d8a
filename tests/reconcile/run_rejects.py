#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_rejects.py BUILD_DIR   What was refused is listed from Flow Logs alone: who, how often, at which ports, when. The sums are arithmetic."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Tap, equal, folder, match, run, write  # noqa: E402

HEAD = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
T0 = 1700000000 - 1700000000 % 86400  # midnight, UTC
HOST = "10.0.0.5"


def line(src, dst, dport, packets, hour, action="REJECT", sport=40000, eni="eni-1", extra=""):
    start = T0 + 3600 * hour + 5
    return f"2 1 {eni} {src} {dst} {sport} {dport} 6 {packets} {packets * 40} {start} {start + 30} {action} OK{extra}"


def rejects(d, text, *options, codes=(0,)):
    path = os.path.join(d, "log")
    write(path, text)
    return json.loads(run("flowproof", "rejects", "--flow-logs", path, "--json", *options).expect(*codes).out)


def main():
    tap = Tap()
    with folder() as d:
        lines = [HEAD]
        lines += [line("198.51.100.9", HOST, 22, 3, hour) for hour in range(10)]                      # 30 packets to one port
        lines += [line("203.0.113.7", HOST, 1000 + i, 1, 3) for i in range(12)]                       # 12 ports
        lines += [line("203.0.113.8", HOST, 2000 + i, 2, 4) for i in range(20)]                       # 20 ports: more than are kept
        lines += [line("192.0.2.1", HOST, 443, 1, 23)]
        lines += [line(HOST, "192.0.2.66", 4444, 2, 12)]                                              # its own attempt
        lines += [line("198.51.100.9", HOST, 443, 5, 1, "ACCEPT"), line(HOST, "198.51.100.20", 443, 5, 1, "ACCEPT")]
        text = "\n".join(lines) + "\n"
        want = [("192.0.2.66", "egress", "knock", 1, 2), ("203.0.113.8", "ingress", "scan", 20, 40), ("198.51.100.9", "ingress", "insistent", 10, 30),
                ("203.0.113.7", "ingress", "scan", 12, 12), ("192.0.2.1", "ingress", "knock", 1, 1)]
        with tap.case("who knocks: the machine's own attempts first, then by packets; pattern, ports, hours"):
            out = rejects(d, text)
            equal([(r["remote"], r["flow-direction"], r["pattern"], r["lines"], r["packets"]) for r in out["rejects"]], want)
            equal(out["summary"]["rejected"], {"lines": 44, "packets": 85, "bytes": 85 * 40})
            equal((out["summary"]["accepted_lines"], out["summary"]["read"]["records"]), (2, 46))
            by = {r["remote"]: r for r in out["rejects"]}
            equal(by["198.51.100.9"]["ports"], [{"protocol": 6, "dstport": 22, "packets": 30}])
            equal(by["198.51.100.9"]["hours"], [1] * 10 + [0] * 14)
            equal((by["198.51.100.9"]["start"], by["198.51.100.9"]["end"]), (T0 + 5, T0 + 9 * 3600 + 35))
            equal((len(by["203.0.113.8"]["ports"]), by["203.0.113.8"]["more_ports"], by["203.0.113.7"]["more_ports"]), (16, True, False))
            equal((by["192.0.2.66"]["local"], by["192.0.2.66"]["interface-id"]), (HOST, "eni-1"))
        with tap.case("--min leaves out the few, --interface the others"):
            equal([r["remote"] for r in rejects(d, text, "--min", "20")["rejects"]], ["203.0.113.8", "198.51.100.9"])
            equal(rejects(d, text, "--interface", "eni-2")["rejects"], [])
        with tap.case("flow-direction is believed, also where addresses would say nothing; pkt-* addresses count"):
            data = HEAD + " flow-direction pkt-srcaddr pkt-dstaddr\n" + line("10.0.0.6", "10.0.0.7", 22, 4, 0, extra=" egress 10.0.0.66 10.0.0.77") + "\n"
            (r,) = rejects(d, data)["rejects"]
            equal((r["flow-direction"], r["local"], r["remote"]), ("egress", "10.0.0.66", "10.0.0.77"))
        with tap.case("as text, with what the log cannot show"):
            out = run("flowproof", "rejects", "--flow-logs", os.path.join(d, "log")).expect(0).out
            match(r"^egress +10\.0\.0\.77 +4 knock +\S+Z +\S+Z +6/22$", out)
            write(os.path.join(d, "log"), "\n".join([HEAD] + [x for x in lines if "ACCEPT" in x]) + "\n")
            match("no REJECT line at all: is the flow log's traffic type ALL", run("flowproof", "rejects", "--flow-logs", os.path.join(d, "log")).expect(0).out)
        with tap.case("IPv6 in any text form, ICMP and protocols without ports"):
            data = HEAD + "\n" + "\n".join(f"2 1 eni-1 {src} {dst} {ports} {packets} 100 {T0} {T0 + 30} REJECT OK" for src, dst, ports, packets in (
                ("2001:db8:0:0::9", "2600::5", "1 22 6", 2), ("2001:DB8::9", "2600:0:0::5", "2 22 6", 3), ("fe80::1", "2600::5", "0 0 58", 1), ("198.51.100.1", "10.0.0.5", "0 0 1", 25),
                ("198.51.100.2", "10.0.0.5", "- - 47", 1))) + "\n" + "\n".join(f"2 1 eni-1 2600::5 2001:db8:1::{i} 1 443 6 1 60 {T0} {T0 + 30} ACCEPT OK" for i in range(1, 4)) + "\n"
            equal([(r["remote"], r["local"], r["flow-direction"], r["pattern"], r["packets"], r["ports"][0]["protocol"], r["ports"][0]["dstport"]) for r in rejects(d, data)["rejects"]], [
                ("198.51.100.1", "10.0.0.5", "ingress", "insistent", 25, 1, 0), ("2001:db8::9", "2600::5", "ingress", "knock", 5, 6, 22),
                ("198.51.100.2", "10.0.0.5", "ingress", "knock", 1, 47, 0), ("fe80::1", "2600::5", "ingress", "knock", 1, 58, 0)])
        with tap.case("of as many packets: by the remote address, then by the own one"):
            data = HEAD + "\n" + "\n".join(line(src, dst, 22, 1, 0, eni=dst) for src, dst in (("203.0.113.2", "10.0.0.3"), ("203.0.113.1", "10.0.0.5"), ("203.0.113.1", "10.0.0.4"))) + "\n"
            equal([(r["remote"], r["local"]) for r in rejects(d, data)["rejects"]], [("203.0.113.1", "10.0.0.4"), ("203.0.113.1", "10.0.0.5"), ("203.0.113.2", "10.0.0.3")])
        with tap.case("what a log cannot tell is told: no action, SKIPDATA; without packets, lines count"):
            data = "srcaddr dstaddr dstport protocol packets log-status\n198.51.100.1 10.0.0.5 22 6 1 OK\n- - - - - SKIPDATA\n- - - - - NODATA\n"
            equal((rejects(d, data)["summary"]["unusable"], rejects(d, data)["summary"]["read"]["skipdata"]), (1, 1))
            out = run("flowproof", "rejects", "--flow-logs", os.path.join(d, "log")).expect(0).out
            match("1 lines say no action or no address", out)
            match(r"1 times Flow Logs left lines out themselves \(SKIPDATA\)", out)
            data = "srcaddr dstaddr dstport protocol action\n" + "198.51.100.1 10.0.0.5 22 6 REJECT\n" * 3
            equal([(r["remote"], r["lines"], r["packets"]) for r in rejects(d, data, "--min", "3")["rejects"]], [("198.51.100.1", 3, 0)])
            equal(rejects(d, data, "--min", "4")["rejects"], [])
        with tap.case("no path, a path that is not there"):
            match("--flow-logs is missing", run("flowproof", "rejects").expect(2).err)
            match("no path follows", run("flowproof", "rejects", "--flow-logs", "--json").expect(2).err)
            match("absent", run("flowproof", "rejects", "--flow-logs", os.path.join(d, "absent")).expect(3).err)
    tap.done()


main()
