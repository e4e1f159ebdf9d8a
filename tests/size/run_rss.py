#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_rss.py BUILD_DIR   The sensor under load takes no more memory than its --check says, the tables and the spool full."""
import os
import random
import re
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Daemon, Tap, check, folder, run, summary  # noqa: E402
import net  # noqa: E402
from pki import Pki, collector  # noqa: E402

LOAD_S = 8
C_LIBRARY = 1 << 20  # stacks, what libraries hold, what malloc() rounds up
DESIGN = 16 << 20    # all but the ring, with the default configuration, static


def told():
    out = run("flowproof-sensor", "--check", "-r", "-").expect(0).out
    return {m[1]: int(m[2]) for m in re.finditer(r"^# memory (\S+) (\d+)$", out, re.M)}


def resident(pid):
    """(bytes of the process's own, of the ring, of programs and libraries)"""
    own = ring = files = 0
    kind = ""
    with open(f"/proc/{pid}/smaps", encoding="ascii") as f:
        for line in f:
            if m := re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+ *(.*)", line):
                kind = m[1]
            elif m := re.match(r"Rss: +(\d+) kB", line):
                size = int(m[1]) * 1024
                if kind.startswith("socket:"):
                    ring += size
                elif kind.startswith("/"):
                    files += size
                else:
                    own += size
    return own, ring, files


def flood(ns):
    """Datagrams from one address to as many as possible; how many were sent."""
    rng, sent = random.Random(1), 0
    with net.sock(ns.inst, socket.AF_INET, socket.SOCK_DGRAM) as s:
        end = time.monotonic() + LOAD_S
        while time.monotonic() < end:
            to = f"203.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
            try:
                s.sendto(b"x", (to, rng.randrange(1, 65536)))
                sent += 1
            except OSError:
                pass
    return sent


def main():
    net.need_root("run_rss")
    tap = Tap()
    with folder() as d, net.Namespaces("inst", "peer") as ns:
        net.veth(ns.inst, "eth0", ["10.89.0.2/16"], ns.peer, "eth0", ["10.89.0.1/16"])
        net.ip("-n", ns.inst, "route", "add", "default", "via", "10.89.0.1")
        keys = Pki(os.path.join(d, "keys"))
        keys.issue("i-rss")
        sanitized = "sanitizers" in run("flowproof-sensor", "--self-test").expect(0, 1).out
        with tap.case("under a flood, with a collector that does not answer: within what --check says"):
            bound = told()
            with collector(os.path.join(d, "store"), "10.89.0.1:0", keys.options("collector"), net.prefix(ns.peer)) as c, \
                    Daemon("flowproof-sensor", "-i", "eth0", "-s", c.address, "--id", "i-rss", *keys.options("i-rss"),
                           prefix=net.prefix(ns.inst)) as s:
                s.wait_for("uplink: connected")
                c.p.send_signal(signal.SIGSTOP)
                sent = flood(ns)
                own, ring, files = resident(s.p.pid)
                c.p.send_signal(signal.SIGCONT)
                said = summary(s.stop(limit=60).expect(0).err)
            print(f"# {sent} datagrams; of its own {own:,} bytes, --check says {bound['all']:,} at most; ring {ring:,}, program and "
                  f"libraries {files:,}")
            check(said["received"] > sent / 2 and sent > 10000, "this was no load")
            if not sanitized:
                check(own <= bound["all"] + C_LIBRARY, f"{own} bytes, said {bound['all']}")
                check(own <= DESIGN, f"{own} bytes")
                check(own >= bound["flow-table"] / 2, f"{own} bytes: the table was not filled, the measure is wrong")
    tap.done()


if __name__ == "__main__":
    main()
