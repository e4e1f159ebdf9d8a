#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_boundary.py BUILD_DIR   ACCEPT and REJECT of live traffic: what the interface's own network means. Inside it no ACL stands, its router is not
filtered, and beyond it the ACL refuses the answers to what the group lets out."""
import os
import signal
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Daemon, Tap, equal, folder, write  # noqa: E402
import net  # noqa: E402

ME, NEIGHBOUR, ROUTER, FAR = "10.80.1.5", "10.80.1.9", "10.80.1.1", "203.0.113.9"
ME6, NEIGHBOUR6, ROUTER6, FAR6 = "2001:db8:80::5", "2001:db8:80::9", "2001:db8:80::1", "2001:db8:99::9"
POLICY = """boundary group out tcp 443 to any as "https"
boundary acl out 10 allow any to any as "out"
"""
FIELDS = "srcaddr dstaddr srcport dstport protocol action fp-boundary"


def rooms(ns):
    net.veth(ns.me, "eth0", (f"{ME}/24", f"{ME6}/64"), ns.world, "world0",
             (f"{NEIGHBOUR}/24", f"{ROUTER}/24", f"{NEIGHBOUR6}/64", f"{ROUTER6}/64"))
    for address in (f"{FAR}/32", f"{FAR6}/128"):
        net.ip("-n", ns.world, "addr", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
    net.ip("-n", ns.me, "route", "add", "default", "via", ROUTER)
    net.ip("-n", ns.me, "-6", "route", "add", "default", "via", ROUTER6)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listen(ns, address):
    s = net.sock(ns, family(address), socket.SOCK_STREAM)
    s.bind((address, 443))
    s.listen()
    return s


def talk(ns, address, port):
    """True if somebody took the connection; it is closed then."""
    with net.sock(ns, family(address), socket.SOCK_STREAM) as s:
        s.settimeout(10)
        return s.connect_ex((address, port)) == 0


def live(tap, d, ns):
    path = write(os.path.join(d, "b.policy"), POLICY)
    servers = [listen(ns.world, a) for a in (NEIGHBOUR, FAR, NEIGHBOUR6, FAR6)]
    sensor = Daemon("flowproof-sensor", "-i", "eth0", "-o", "-", "-p", path, "-F", FIELDS, prefix=net.prefix(ns.me))
    sensor.wait_for("srcaddr dstaddr", "out")
    took = {(a, p): talk(ns.me, a, p) for a in (NEIGHBOUR, FAR, NEIGHBOUR6, FAR6) for p in (443, 22)}
    for address in (ROUTER, ROUTER6):
        with net.sock(ns.me, family(address), socket.SOCK_DGRAM) as s:
            s.sendto(b"u" * 9, (address, 4000))
    sensor.p.send_signal(signal.SIGTERM)
    sensor.wait()
    for s in servers:
        s.close()
    rows = [line.split() for line in sensor.text("out").splitlines()[1:]]
    got = {(r[0], r[1], "->" + r[3] if r[3] in ("443", "22", "4000") else r[2] + "->"): (r[5], r[6]) for r in rows if r[4] in ("6", "17")}

    with tap.case("the traffic was there"):
        equal(took, {(a, p): p == 443 for a, p in took}, "connections")
    with tap.case("within the network the groups alone decide, and answers pass"):
        for me, a in ((ME, NEIGHBOUR), (ME6, NEIGHBOUR6)):
            equal([got.get(k) for k in ((me, a, "->443"), (a, me, "443->"))], [("ACCEPT", "https")] * 2, a)
            equal([got.get(k) for k in ((me, a, "->22"), (a, me, "22->"))], [("REJECT", "group-default")] * 2, a)
    with tap.case("beyond it the ACL refuses answers"):
        for me, a in ((ME, FAR), (ME6, FAR6)):
            equal([got.get(k) for k in ((me, a, "->443"), (a, me, "443->"))], [("ACCEPT", "https"), ("REJECT", "acl-default")], a)
            equal([got.get(k) for k in ((me, a, "->22"), (a, me, "22->"))], [("REJECT", "group-default"), ("REJECT", "acl-default")], a)
    with tap.case("the network's router is not filtered"):
        for me, a in ((ME, ROUTER), (ME6, ROUTER6)):
            equal(got.get((me, a, "->4000")), ("ACCEPT", "-"), a)


def main():
    net.need_root("run_boundary.py")
    tap = Tap()
    with folder() as d, net.Namespaces("me", "world") as ns:
        rooms(ns)
        live(tap, d, ns)
    tap.done()


if __name__ == "__main__":
    main()
