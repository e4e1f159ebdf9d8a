#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_mirror.py BUILD_DIR   --mirror live: VXLAN that arrives at this machine, recorded by VNI, and this machine's own traffic apart."""
import os
import socket
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), part) for part in ("lib", "golden")]
import make_captures as make  # noqa: E402
import net  # noqa: E402
from harness import Daemon, Tap, equal, match, summary  # noqa: E402

FIELDS = "interface-id fp-interface srcaddr dstaddr srcport dstport protocol packets bytes log-status fp-verdict"
PLAIN_PORT = 7777


def send(s, data, port=4789):
    s.sendto(data, ("127.0.0.1", port))


def live(ns):
    inner = [make.udp_packet(0, make.A, make.B, 1000, 53 + i, 40) for i in range(3)]
    with Daemon("flowproof-sensor", "-i", "lo", "-o", "-", "-F", FIELDS, "--mirror", "--mirror-vni", "17 interface-id=eni-0a",
                "--mirror-vni", "18 interface-id=eni-0b", "--local", "10.0.0.0/8", prefix=net.prefix(ns)) as sensor:
        sensor.wait_for("watching lo", "err")
        with net.sock(ns, socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            own = s.getsockname()[1]
            send(s, b"x" * 10, PLAIN_PORT)
            send(s, struct.pack(">B3xI", 8, 19 << 8) + inner[0].data)
            for p in inner:
                send(s, struct.pack(">B3xI", 8, 17 << 8) + p.data)
            sensor.wait_for(r"unexpected egress: .*:55 protocol 17", "err")  # the last has come through
            result = sensor.stop()
    result.expect(0)
    records = [line for line in result.out.splitlines()[1:] if " OK " in line]
    equal([r for r in records if "vni-17" in r],
          [f"eni-0a vni-17 {make.A} {make.B} 1000 {53 + i} 17 1 {20 + 8 + 40} OK unexpected_egress" for i in range(3)], "listed VNI")
    equal([r for r in records if "vni-unlisted" in r], [f"- vni-unlisted {make.A} {make.B} 1000 53 17 1 68 OK unexpected_egress"])
    match(rf"^- lo 127\.0\.0\.1 127\.0\.0\.1 {own} {PLAIN_PORT} 17 1 38 OK -$", "\n".join(records))
    equal([r for r in records if " 4789 " in r], [], "outer headers in the records")
    match(r"^eni-0b vni-18 .* NODATA -$", result.out)
    match(r"^mirror: lo=\d+ vni-17=3 vni-18=0 vni-unlisted=1$", result.err)
    equal(summary(result.err)["kernel"], "0", "drops")


def main():
    net.need_root("netns/run_mirror")
    tap = Tap()
    with net.Namespaces("mirror") as ns:
        with tap.case("VXLAN to this machine"):
            live(ns.mirror)
    tap.done()


if __name__ == "__main__":
    main()
