#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_reconcile.py BUILD_DIR   flowproof reconcile at its edges: nothing recorded, nothing compared, whose interface, spans, tolerance, little memory."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Tap, check, equal, folder, match, run, write  # noqa: E402

HEAD = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
T0 = 1700000000
HOST = "10.0.0.5"


def line(i, eni="-", packets=4, src=HOST, dst=None, start=None, action="ACCEPT", size=None, port=443):
    dst = dst or f"198.51.{i >> 8 & 255}.{i & 255}"
    start = T0 + i % 3000 if start is None else start
    return f"2 1 {eni} {src} {dst} {1024 + i % 60000} {port} 6 {packets} {packets * 100 if size is None else size} {start} {start + 5} {action} OK"


def files(d, host, logs):
    for name, lines in (("host", host), ("logs", logs)):
        write(os.path.join(d, name), "\n".join([HEAD, *lines]) + "\n")


def reconcile(d, *options, codes=(0,)):
    r = run("flowproof", "reconcile", "--records", os.path.join(d, "host"), "--flow-logs", os.path.join(d, "logs"), "--json", *options).expect(*codes)
    return (json.loads(r.out) if r.out else None), r.err


def main():
    tap = Tap()
    span = ("--span", f"{T0 - 100},{T0 + 4000}")
    with folder() as d:
        with tap.case("a machine that recorded nothing at all: everything is hidden from it"):
            files(d, [], [line(i, "eni-a") for i in range(5)])
            for options in ((), ("--interface", "eni-a")):
                out, _ = reconcile(d, *span, *options, codes=(1,))
                equal(len(out["hidden"]), 5)
        with tap.case("Flow Logs of another interface, or of another day: nothing was compared, and that is no agreement"):
            files(d, [line(0)], [line(0, "eni-b")])
            match("nothing was compared: no line of the second witness is of this machine's interface", reconcile(d, "--interface", "eni-a", codes=(3,))[1])
            files(d, [line(0)], [line(0, "eni-a", start=T0 + 90000)])
            match("nothing was compared: the two have no time in common", reconcile(d, codes=(3,))[1])
        with tap.case("records without interface: the only one of the Flow Logs, the one that has the machine's address, or it must be said"):
            host = [line(i) for i in range(4)]
            others = [line(i, "eni-b", src="10.0.0.9") for i in range(4)]
            files(d, host, [line(i, "eni-a") for i in range(4)] + others)
            out, _ = reconcile(d)
            equal([(i["interface-id"], i["host_records"], i["flow_logs_records"]) for i in out["summary"]["interfaces"]], [("eni-a", 4, 4)])
            equal(out["summary"]["other_interfaces"], 4)
            files(d, host, others + [line(i, "eni-c", src="10.0.0.8") for i in range(4)])
            match(r"the Flow Logs hold 2 \(eni-b, eni-c\): say which is this machine's with --interface", reconcile(d, codes=(2,))[1])
        with tap.case("--span: inside nothing is cut, what reaches outside is edge and listed"):
            files(d, [line(0, start=T0), line(1, start=T0 + 1000)], [line(0, "eni-a", start=T0), line(1, "eni-a", start=T0 + 1000)] +
                  [line(9, "eni-a", start=s, dst="203.0.113.9", packets=n) for n, s in ((1, T0 - 500), (2, T0 + 300), (3, T0 + 998), (4, T0 + 3000))])
            out, _ = reconcile(d, "--span", f"{T0},{T0 + 1000}", codes=(1,))
            equal([e["packets"] for e in out["hidden"]], [2])
            equal(sorted(e["packets"] for e in out["edge"] if e["class"] == "flow_logs_only"), [1, 3, 4])
            for bad, why in (("1", "is not FROM,TO"), ("2,1", "FROM lies after TO"), ("x,2", "--span")):
                match(why, run("flowproof", "reconcile", "--records", "x", "--flow-logs", "y", "--span", bad).expect(2).err)
        with tap.case("one port, hidden hours after it was seen: the second time is found, the sums do not vouch for it"):
            files(d, [line(7, start=T0), line(8, start=T0 + 9000)], [line(7, "eni-a", start=T0), line(7, "eni-a", start=T0 + 8000), line(8, "eni-a", start=T0 + 9000)])
            out, _ = reconcile(d, codes=(1,))
            equal([(e["start"], e["packets"]) for e in out["hidden"]], [(T0 + 8000, 4)])
            # Nor does a line that Flow Logs lack for the first time: as many packets, at another time.
            files(d, [line(7, start=T0), line(8, start=T0 + 9000)], [line(7, "eni-a", start=T0 + 8000), line(8, "eni-a", start=T0 + 9000), line(9, "eni-a", start=T0)])
            out, _ = reconcile(d, "--span", f"{T0},{T0 + 9100}", codes=(1,))
            check((T0 + 8000, 4) in [(e["start"], e["packets"]) for e in out["hidden"]], out["hidden"])
        with tap.case("more packets than were recorded are unexplained, headers alone are offload, payload is not"):
            for packets, size, reason in ((9, 900 * 9, "flow_logs_more"), (6, 12000 + 4 * 52, "offload"), (6, 12000 + 4 * 52 + 1000, "flow_logs_more"), (1, 100, "host_more")):
                files(d, [line(3, packets=2, size=12000)], [line(3, "eni-a", packets=packets, size=size)])
                out, _ = reconcile(d, *span, codes=(0, 1))
                equal([r["reason"] for r in out["summary"]["reasons"]], [reason])
                equal([(e["packets"], e["host_packets"], e["host_bytes"]) for e in out["unexplained"]], [] if reason == "offload" else [(packets, 2, 12000)])
        with tap.case("--tolerance excuses what is unexplained, never what is hidden"):
            files(d, [line(3, packets=99), line(4, packets=1)], [line(3, "eni-a", packets=99), line(4, "eni-a", packets=2)])
            reconcile(d, *span, codes=(1,))
            reconcile(d, *span, "--tolerance", "1", codes=(1,))  # 2 of 101 packets
            reconcile(d, *span, "--tolerance", "2")
            files(d, [line(3, packets=99)], [line(3, "eni-a", packets=99), line(4, "eni-a", packets=1, start=T0 + 3)])
            reconcile(d, *span, "--tolerance", "100", codes=(1,))
            match("not a number from 0 to 100", run("flowproof", "reconcile", "--records", "x", "--flow-logs", "y", "--tolerance", "1x").expect(2).err)
        with tap.case("REJECT: on its way in the machine has nothing, on its way out it has it, or it was hidden"):
            many = [line(i, dst=f"192.0.2.{i + 1}") for i in range(8)]
            files(d, many + [line(20, start=T0 + 2)], [x.replace(" - ", " eni-a ", 1) for x in many] + [
                line(20, "eni-a", action="REJECT", start=T0 + 2), line(21, "eni-a", action="REJECT", start=T0 + 3, dst="203.0.113.1"),
                line(22, "eni-a", action="REJECT", start=T0 + 3, src="203.0.113.2", dst=HOST)])
            out, _ = reconcile(d, *span, codes=(1,))
            equal([(e["dstaddr"], e["action"], e["flow-direction"]) for e in out["hidden"]], [("203.0.113.1", "REJECT", "egress")])
            equal({r["reason"]: r["sum"]["flows"] for r in out["summary"]["reasons"]}, {"equal": 9, "refused_before_host": 1, "hidden": 1})
        with tap.case("a refusal between two addresses of which nothing tells whose they are: unclear, unless one lies in the VPC alone"):
            files(d, [], [line(i, "eni-a", action="REJECT", dst="10.9.0.7", port=80) for i in range(2)] + [line(9, "eni-a", action="REJECT", src="10.9.0.8", dst="10.0.0.6")])
            for options, hidden, unclear in (((), [], 3), (("--subnet", "10.0.0.0/8"), [], 3), (("--subnet", "10.0.0.0/24"), ["10.9.0.7", "10.9.0.7"], 0)):
                out, _ = reconcile(d, *span, *options, codes=(0, 1))
                equal(([e["dstaddr"] for e in out["hidden"]], [e["reason"] for e in out["unclear"]]), (hidden, unclear * ["direction_unknown"]), options)
        with tap.case("Flow Logs without packets and bytes: what is hidden adds up to nothing, and is hidden all the same"):
            short = "interface-id srcaddr dstaddr srcport dstport protocol start end action log-status"
            files(d, [line(i) for i in range(9)], [])
            told = [line(i, "eni-a") for i in range(9)] + [line(50, "eni-a", start=s, dst="203.0.113.5") for s in (T0 + 300, T0 + 700)]
            write(os.path.join(d, "logs"), "\n".join([short, *(" ".join(x.split()[2:8] + x.split()[10:]) for x in told)]) + "\n")
            out, _ = reconcile(d, *span, codes=(1,))
            equal(([(e["dstaddr"], e["start"]) for e in out["hidden"]], out["unclear"]), ([("203.0.113.5", T0 + 300), ("203.0.113.5", T0 + 700)], []))
        with tap.case("the same packets farther apart than stamps are late are unclear; too far apart they are hidden"):
            many = range(20)  # that show stamps to be exact
            for apart, found in ((300, ("unclear", "times_apart")), (1000, ("hidden", "hidden"))):
                files(d, [line(i) for i in many] + [line(99, start=T0 + 1000)], [line(i, "eni-a") for i in many] + [line(99, "eni-a", start=T0 + 1000 + apart)])
                out, _ = reconcile(d, *span, codes=(0,) if apart == 300 else (1,))
                equal([(e["class"], e["reason"]) for e in out[found[0]] if e["class"] == "flow_logs_only"], [("flow_logs_only", found[1])])
                equal(len(out["hidden"]), int(apart == 1000))
        with tap.case("a clock that is ahead shows, since no line ends before its packets; one that is behind a little looks late"):
            for ahead, applied in ((300, -300), (45, -45), (-45, 0), (-7200, 7200)):
                files(d, [line(i, start=T0 + i + ahead) for i in range(20)], [line(i, "eni-a", start=T0 + i) for i in range(20)])
                out, _ = reconcile(d, *span)
                equal((out["summary"]["clock"]["applied"], out["summary"]["classes"]["agree"]["flows"]), (applied, 20), ahead)
        with tap.case("of two flow logs one lacks a file: what the other tells is neither missing nor forgotten"):
            logs = os.path.join(d, "two")
            os.mkdir(logs)
            host = [line(i, start=T0 + 60 * i) for i in range(30)]
            told = [line(i, "eni-a", start=T0 + 60 * i) for i in range(30)] + [line(77, "eni-a", start=T0 + 700, dst="203.0.113.7")]
            for name, lines in (("1_vpcflowlogs_x_fl-01_a.log", [x for x in told if not T0 + 600 <= int(x.split()[10]) < T0 + 900]), ("1_vpcflowlogs_x_fl-02_a.log", told)):
                write(os.path.join(logs, name), "\n".join([HEAD, *lines]) + "\n")
            files(d, host, [])
            out = json.loads(run("flowproof", "reconcile", "--records", os.path.join(d, "host"), "--flow-logs", logs, *span, "--json").expect(1).out)
            equal(([e["dstaddr"] for e in out["hidden"]], out["unexplained"], out["summary"]["classes"]["agree"]["flows"]), (["203.0.113.7"], [], 30))
        with tap.case("no line ends for minutes where that of a flow could have: a file may be missing, though a long line reaches over that time"):
            busy = [i for i in range(40) if not 15 <= i < 20]
            host = [line(i, start=T0 + 60 * i) for i in range(40)]
            files(d, host + [f"2 1 - {HOST} 192.0.2.9 9 9 6 9 900 {T0 + 600} {T0 + 1800} ACCEPT OK"],
                  [line(i, "eni-a", start=T0 + 60 * i) for i in busy] + [f"2 1 eni-a {HOST} 192.0.2.9 9 9 6 9 900 {T0 + 600} {T0 + 1800} ACCEPT OK"])
            out, _ = reconcile(d, *span)
            equal({r["reason"]: r["sum"]["flows"] for r in out["summary"]["reasons"]}, {"equal": 36, "flow_logs_missing": 5})
        with tap.case("with little memory, lines in files: the same result to the byte"):
            n = 160000  # of both sizes of rows: 40 and 72 bytes, 18 MB in all
            ends = [{"src": "2001:db8:1::5", "dst": f"2001:db8::{i >> 16:x}:{i & 65535:x}"} if i % 2 else {} for i in range(n)]
            files(d, [line(i, **ends[i]) for i in range(n) if i % 1000 != 5], [line(i, "eni-a", **ends[i]) for i in reversed(range(n))])
            small, _ = reconcile(d, "--memory", "16", *span, codes=(1,))
            large, _ = reconcile(d, "--memory", "512", *span, codes=(1,))
            equal((len(large["hidden"]), large["summary"]["classes"]["agree"]["flows"]), (n // 1000, n - n // 1000))
            equal(small["hidden"], large["hidden"])
            equal(small["summary"]["classes"], large["summary"]["classes"])
        with tap.case("what goes together, and what does not"):
            for options, why in (((), "give one of --store"), (("--records", "x"), "give one of --flow-logs"), (("-d", "x", "--records", "y", "--flow-logs", "z"), "give one of --store"),
                                 (("--records", "x", "--flow-logs", "y", "--against", "z"), "give one of --flow-logs"), (("--records", "x", "--sensor", "s", "--flow-logs", "y"), "--sensor"),
                                 (("--records", "x", "--flow-logs", "y", "--subnet", "10.0.0.1/8"), "--subnet")):
                match(why, run("flowproof", "reconcile", *options).expect(2).err)
    tap.done()


main()
