#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_host.py BUILD_DIR   What the stream tells of the host: its interfaces, captured or not, their counters, and what changes.

The kernel's own word, /proc/net/dev of the namespace, is what the events are held against.
"""
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Daemon, Tap, check, equal, folder, run  # noqa: E402
import net  # noqa: E402
from pki import Pki, collector  # noqa: E402

SENSOR, COLLECTOR = "10.9.0.2", "10.9.0.1"
UP, CAPTURED = 1, 2


def counters(namespace):
    """{interface: (packets received, packets sent)}"""
    out = {}
    for line in net.ip("netns", "exec", namespace, "cat", "/proc/net/dev").splitlines()[2:]:
        name, numbers = line.split(":")
        numbers = numbers.split()
        out[name.strip()] = (int(numbers[1]), int(numbers[9]))
    return out


def indices(namespace):
    return {line.split(":")[1].strip().split("@")[0]: int(line.split(":")[0])
            for line in net.ip("-n", namespace, "-o", "link", "show").splitlines()}


def events(store):
    return [json.loads(line) for line in run("flowproof", "records", "-d", store, "--events", "--json").expect(0).out.splitlines()]


def uptime():
    with open("/proc/uptime", encoding="ascii") as f:
        return float(f.read().split()[0])


def until(what, condition, limit=30):
    end = time.monotonic() + limit
    while not condition():
        check(time.monotonic() < end, f"not within {limit} s: {what}")
        time.sleep(0.1)


def main():
    net.need_root("run_host")
    tap = Tap()
    with folder() as d, net.Namespaces("inst", "col") as ns:
        net.veth(ns.inst, "eth0", [SENSOR + "/24"], ns.col, "eth0", [COLLECTOR + "/24"])
        net.veth(ns.inst, "eth1", [], ns.col, "eth1", [])
        pki = Pki(os.path.join(d, "keys"))
        pki.issue("i-host")
        store = os.path.join(d, "store")
        with net.sock(ns.inst, socket.AF_INET, socket.SOCK_DGRAM) as s:
            for _ in range(5):
                s.sendto(b"before", (COLLECTOR, 9))
        before, numbers, up = counters(ns.inst), indices(ns.inst), uptime()
        with collector(store, f"{COLLECTOR}:4739", pki.options("collector"), prefix=net.prefix(ns.col)) as c, \
                Daemon("flowproof-sensor", "-i", "eth0", "-s", c.address, "--id", "i-host", *pki.options("i-host"),
                       prefix=net.prefix(ns.inst)) as s:
            s.wait_for("uplink: connected", "err")
            net.ip("-n", ns.inst, "link", "set", "eth1", "down")
            s.wait_for("interface eth1 is down", "err")
            net.ip("-n", ns.inst, "link", "del", "eth1")
            s.wait_for("interface eth1 is gone", "err")
            until("an event of it in the ledger", lambda: any(e["event"] == "link" and e["bits"] == -1 for e in events(store)))
            s.stop().expect(0)
            c.stop().expect(0)
        told = events(store)
        with tap.case("at the start: every interface, captured or not, with what its counters held before"):
            first = {}
            for e in told:
                if e["event"] == "interface":
                    first.setdefault(e["text"], e)
            equal(set(first), set(numbers), "interfaces")
            for name, e in first.items():
                equal(e["index"], numbers[name], f"number of {name}")
                equal(e["bits"], UP | (CAPTURED if name == "eth0" else 0), f"bits of {name}")
                if name == "eth0":  # the sensor's own packets may be under way already
                    check(before[name][1] <= e["tx_packets"] <= before[name][1] + 20, f"{e} {before[name]}")
                else:
                    equal((e["rx_packets"], e["tx_packets"]), before[name], f"counters of {name}")
        with tap.case("the host: seconds since it was started, how many interfaces"):
            hosts = [e for e in told if e["event"] == "host"]
            check(len(hosts) >= 2, "told at the start and at the end")
            check(int(up) <= hosts[0]["uptime_s"] <= uptime(), f"{up} {hosts[0]}")
            equal((hosts[0]["interfaces"], hosts[-1]["interfaces"]), (len(numbers), len(numbers) - 1), "interfaces")
        with tap.case("an interface that went down and one that is gone are told, with its number"):
            equal([(e["text"], e["index"], e["bits"]) for e in told if e["event"] == "link"],
                  [("eth1", numbers["eth1"], 0), ("eth1", numbers["eth1"], -1)], "changes")
        with tap.case("a captured interface that is removed ends the sensor, and the stream says which it was"):
            net.ip("-n", ns.inst, "link", "add", "eth2", "type", "veth", "peer", "name", "eth3")
            net.ip("-n", ns.inst, "link", "set", "eth2", "up")
            with collector(store, f"{COLLECTOR}:4739", pki.options("collector"), prefix=net.prefix(ns.col)) as c, \
                    Daemon("flowproof-sensor", "-i", "eth0", "-i", "eth2", "-s", c.address, "--id", "i-host", *pki.options("i-host"),
                           prefix=net.prefix(ns.inst)) as s:
                s.wait_for("uplink: connected", "err")
                net.ip("-n", ns.inst, "link", "del", "eth2")
                s.wait(40).expect(3)
                c.stop().expect(0)
            equal([(e["text"], e["interface"]) for e in events(store) if e["event"] == "interface-gone"], [("eth2", 1)], "events")
    tap.done()


if __name__ == "__main__":
    main()
