#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_blind.py BUILD_DIR   What may blind the capture or pass it by is found at the next look, told at once, and takes the verdict away.

An instance and a machine beyond its interface, in namespaces of the test's own. What is put there is what an intruder may put there.
"""
import contextlib
import json
import os
import re
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import bpf  # noqa: E402
from harness import Daemon, Tap, check, equal, folder, match, run, summary  # noqa: E402
import net  # noqa: E402
from pki import Pki, collector  # noqa: E402

SENSOR, COLLECTOR = "10.9.0.2", "10.9.0.1"
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC, PACKET_QDISC_BYPASS, SO_ATTACH_FILTER = 263, 1, 1, 20, 26
SOCKET, PROMISCUOUS, XDP, TC, COUNTERS, EBPF, FILTER = 1, 2, 3, 4, 5, 6, 7
UNCHECKED_NAMES = 32
LOOK_S = 1
READER = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
s.bind(("eth0", 0x0800))
print("there", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def reader(namespace, program=sys.executable):
    """A process of its own with a packet socket on eth0."""
    p = subprocess.Popen([*net.prefix(namespace), program, "-c", READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        equal(p.stdout.readline(), "there\n")
        with open(f"/proc/{p.pid}/comm", encoding="ascii") as f:
            yield p.pid, f.read().strip()
    finally:
        p.communicate()


def frame(w, n):
    """UDP to the collector's port 9: Ethernet, IPv4, UDP and 20 bytes."""
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 48, n, 0, 64, 17, 0, socket.inet_aton(SENSOR), socket.inet_aton(COLLECTOR))
    total = sum(struct.unpack(">10H", ip))
    total = (total & 0xffff) + (total >> 16)
    ip = ip[:10] + struct.pack(">H", ~(total + (total >> 16)) & 0xffff) + ip[12:]
    return net.mac(w["ns"].col, "eth0") + net.mac(w["ns"].inst, "eth0") + b"\x08\0" + ip + struct.pack(">HHHH", 4000, 9, 28, 0) + b"x" * 20


def datagrams(namespace, to, n):
    with net.sock(namespace, socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(n):
            s.sendto(b"x" * 20, (to, 9))


def watch(w, c, *options):
    return Daemon("flowproof-sensor", "-i", "eth0", "-s", c.address, "--id", "i-blind", *w["pki"].options("i-blind"), *options,
                  prefix=net.prefix(w["ns"].inst))


def events(store, kind):
    out = run("flowproof", "records", "-d", store, "--events", "--json").expect(0).out
    return [e for e in map(json.loads, out.splitlines()) if e["event"] == kind]


def findings(store):
    """{name: finding}"""
    out = run("flowproof", "findings", "-d", store, "--json").expect(0).out
    return {f["name"]: f for f in map(json.loads, out.splitlines()) if f["kind"] == "blinding"}


def gate(w, store):
    """The figures of gate 3, by name."""
    out = run("flowproof", "report", "-d", store, "--ca", w["pki"].ca, "--json", "-").expect(1).out
    return {f["id"]: f for o in json.loads(out)["obligations"] if o["number"] == 3 for f in o["figures"]}


@contextlib.contextmanager
def ledger(w, name):
    store = os.path.join(w["d"], name)
    with collector(store, f"{COLLECTOR}:4739", w["pki"].options("collector"), prefix=net.prefix(w["ns"].col)) as c:
        yield store, c
        c.stop().expect(0)


def clean(tap, w):
    with tap.case("a clean machine: looks at all there is, finds nothing; what the interface counted was seen"), ledger(w, "clean") as (store, c):
        with watch(w, c, "--blind-s", str(LOOK_S), "--debug") as s:
            s.wait_for("uplink: connected", "err")
            datagrams(w["ns"].inst, COLLECTOR, 3000)
            datagrams(w["ns"].col, SENSOR, 3000)
            before = len(events(store, "blind-check"))
            w["until"](lambda: len(events(store, "blind-check")) >= before + 4, "four looks")
            result = s.stop().expect(0)
        checks = events(store, "blind-check")
        equal({(e["found"], e["unchecked"], e["unseen"]) for e in checks}, {(0, 0, 0)}, "looks")
        check(checks[-1]["counted"] >= 6000, f"{checks[-1]}")  # the datagrams, 3000 each way, at least
        equal(findings(store), {}, "findings")
        check(" blind: " not in re.sub("debug blind: .*", "", result.err), result.err)
        figures = gate(w, store)
        check(figures["blind_checks"]["n"] >= 4 and figures["blindings"]["n"] == 0, f"{figures}")


def found_later(tap, w):
    """One thing after the other, while the sensor runs; each at the next look."""
    ns = w["ns"]
    with ledger(w, "later") as (store, c), watch(w, c, "--blind-s", str(LOOK_S)) as s:
        s.wait_for("uplink: connected", "err")

        def told(word, pattern):
            return s.wait_for(f"warn blind: {word}: {pattern}", "err", limit=20)[0]

        with tap.case("promiscuous mode, as a sniffer asks for it: no flag of the interface shows it"):
            with net.sock(ns.inst, socket.AF_PACKET, socket.SOCK_RAW) as sniffer:
                with net.inside(ns.inst):
                    index = socket.if_nametoindex("eth0")
                sniffer.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack("iHH8x", index, PACKET_MR_PROMISC, 0))
                told("promiscuous", "eth0")
        with tap.case("a filter of tc that takes packets elsewhere"):
            subprocess.run(["tc", "-n", ns.inst, "qdisc", "add", "dev", "eth0", "clsact"], check=True)
            subprocess.run(["tc", "-n", ns.inst, "filter", "add", "dev", "eth0", "ingress", "protocol", "ip", "u32", "match", "ip", "dport", "9", "0xffff",
                            "action", "mirred", "egress", "redirect", "dev", "lo"], check=True)
            told("tc", "eth0 ingress u32")
            subprocess.run(["tc", "-n", ns.inst, "qdisc", "del", "dev", "eth0", "clsact"], check=True)
        with tap.case("a packet socket that came after the start: its number, protocol and user; whose it is nobody can tell"):
            with reader(ns.inst) as (pid, _):
                inode = [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]
                inode = {re.fullmatch(r"socket:\[(\d+)\]", x)[1] for x in inode if x.startswith("socket:")}
                m = told("socket", r"eth0 inode (\d+) protocol 0x0800 uid 0 of an unknown process")
                equal({m[1]}, inode, "inode")
        with tap.case("packets that went past the capture, which the interface counted"):
            with net.sock(ns.inst, socket.AF_PACKET, socket.SOCK_RAW) as past:
                with net.inside(ns.inst):
                    past.bind(("eth0", 0))
                past.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
                for n in range(200):
                    past.send(frame(w, n))
                told("counters", "eth0")
        w["until"](lambda: sum(e["count"] for e in events(store, "blinding") if e["what"] == COUNTERS) >= 200, "all of them told")
        with tap.case("a program that takes all packets before the capture has them (XDP), and what it took"):
            program = bpf.load(bpf.XDP, 1, "drop_all")  # XDP_DROP
            bpf.set_xdp(ns.inst, "eth0", program)
            told("xdp", r"eth0 program [1-9]\d*$")
            before = len(re.findall("blind: counters", s.text("err")))
            datagrams(ns.col, SENSOR, 300)
            # The stream cannot be acknowledged any more; what was told waits for it.
            s.wait_for("warn blind: counters: eth0", "err", count=before + 1)
            bpf.set_xdp(ns.inst, "eth0", -1)
            os.close(program)
            w["until"](lambda: sum(e["count"] for e in events(store, "blinding") if e["what"] == COUNTERS) >= 500, "those too")
        with tap.case("a filter that somebody put on the sensor's own socket, and what it took"):
            with bpf.steal(s.p.pid, lambda x: x.family == socket.AF_PACKET) as stolen:
                stolen.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, cbpf_drop())
            told("filter", "eth0")
            datagrams(ns.inst, COLLECTOR, 300)
            w["until"](lambda: sum(e["count"] for e in events(store, "blinding") if e["what"] == COUNTERS) >= 800, "those too")
        result = s.stop().expect(0)
        equal(summary(result.err)["residual"], 0)
        with tap.case("what was told once is not told again at the next look"):
            told_of = sum(e["count"] for e in events(store, "blinding") if e["what"] == COUNTERS)
            check(800 <= told_of < 900, f"{told_of} packets: 800, and what the collector sent while nothing came in")
    with tap.case("each is a finding of the machine itself, with its severity and in words"):
        got = findings(store)
        names = {re.sub(r"\d{3,}|program \d+", "N", n): (f["severity"], f["remote"], f["interface"]) for n, f in got.items()}
        equal(names, {"promiscuous eth0": ("medium", "-", "eth0"), "socket all inode N protocol 0xN uid 0 of an unknown process": ("medium", "-", "eth0"), "tc eth0 ingress u32": ("medium", "-", "eth0"),
                      "socket eth0 inode N protocol 0xN uid 0 of an unknown process": ("medium", "-", "eth0"),
                      "counters eth0": ("high", "-", "eth0"), "xdp eth0 N": ("high", "-", "eth0"), "filter eth0": ("high", "-", "eth0")})
        what = got["counters eth0"]
        match(r"^eth0 counted \d+ packets that the capture did not see; until ", what["what"])
        check(what["count"] >= 200 + 300 + 300, f"{what}")
        for form in ("--ocsf", "--asff"):
            for line in run("flowproof", "findings", "-d", store, form).expect(0).out.splitlines():
                json.loads(line)
    with tap.case("the gate of loss is not met: nothing that was found can give none_observed"):
        figures = gate(w, store)
        check(figures["blindings"]["n"] >= 7, f"{figures}")
        equal(json.loads(run("flowproof", "report", "-d", store, "--ca", w["pki"].ca, "--json", "-").expect(1).out)["verdict"], "inconclusive")


def cbpf_drop():
    """struct sock_fprog of one instruction, RET 0."""
    import ctypes  # pylint: disable=import-outside-toplevel
    cbpf_drop.code = ctypes.create_string_buffer(struct.pack("<HBBI", 6, 0, 0, 0))
    return struct.pack("<HxxxxxxQ", 1, ctypes.addressof(cbpf_drop.code))


def found_at_start(tap, w):
    ns = w["ns"]
    program = bpf.load(bpf.RAW_TRACEPOINT, 0, "fp_test")
    with reader(ns.inst) as (pid, name):
        with tap.case("a packet socket that was there before is named with its process, eBPF programs with their kind"), ledger(w, "start") as (store, c):
            with watch(w, c) as s:
                s.wait_for("uplink: connected", "err")
                match(rf"warn blind: socket: eth0 inode \d+ protocol 0x0800 uid 0 {re.escape(name)}\[{pid}\]$", s.text("err"))
                match(r"warn blind: ebpf: raw_tracepoint fp_test id \d+$", s.text("err"))
                s.stop().expect(0)
            equal({n.split()[0] for n in findings(store)}, {"socket", "ebpf"}, "findings")
            first = events(store, "blind-check")[0]
            equal((first["found"], first["unchecked"]), (2, 0), "the first look")
        os.close(program)
        with tap.case("one whose name is expected is no finding, and is listed"), ledger(w, "expected") as (store, c):
            with watch(w, c, "--reader", "other", "--reader", name) as s:
                s.wait_for("uplink: connected", "err")
                s.stop().expect(0)
            equal(findings(store), {}, "findings")
            equal({e["text"] for e in events(store, "blind-check")}, {f"{name}[{pid}]"}, "expected")
    os.symlink(sys.executable, os.path.join(w["d"], "dhclient"))
    with tap.case("a DHCP client's is expected unless others are named"), reader(ns.inst, os.path.join(w["d"], "dhclient")) as (pid, name), \
            ledger(w, "usual") as (store, c):
        equal(name, "dhclient")
        for options, found in (((), 0), (("--reader", "none"), 1)):
            with watch(w, c, *options) as s:
                s.wait_for("uplink: connected", "err")
                s.stop().expect(0)
            equal(len(findings(store)), found, f"findings with {options}")
    with tap.case("--blind-s 0: nothing is looked for, and the gate is not met"), ledger(w, "never") as (store, c):
        with watch(w, c, "--blind-s", "0") as s:
            s.wait_for("uplink: connected", "err")
            s.stop().expect(0)
        equal(events(store, "blind-check"), [], "looks")
        figures = gate(w, store)
        equal((figures["blind_checks"]["state"], figures["blindings"]["whole"]), ("not_met", False), "figures")


def main():
    net.need_root("run_blind")
    tap = Tap()
    with folder() as d, net.Namespaces("inst", "col") as ns:
        net.veth(ns.inst, "eth0", [SENSOR + "/24"], ns.col, "eth0", [COLLECTOR + "/24"])
        w = {"ns": ns, "d": d, "pki": Pki(os.path.join(d, "keys")), "until": until}
        w["pki"].issue("i-blind")
        clean(tap, w)
        found_later(tap, w)
        found_at_start(tap, w)
    tap.done()


def until(condition, what, limit=30):
    import time  # pylint: disable=import-outside-toplevel
    end = time.monotonic() + limit
    while not condition():
        check(time.monotonic() < end, f"not within {limit} s: {what}")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
