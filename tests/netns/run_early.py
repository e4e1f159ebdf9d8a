#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_early.py BUILD_DIR   A start before the network: interfaces that are down, and who waits for the sensor to be ready (root)."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Daemon, Tap, check, equal, folder, match, run, summary  # noqa: E402
from net import Namespaces, ip, need_root  # noqa: E402


def is_up(namespace, name):
    return "UP" in ip("-n", namespace, "-o", "link", "show", "dev", name).split("<")[1].split(">")[0].split(",")


def main():
    need_root("run_early.py")
    tap = Tap()
    with folder() as d, Namespaces("early") as ns:
        prefix = ["ip", "netns", "exec", ns.early]
        ip("-n", ns.early, "link", "add", "eth0", "type", "veth", "peer", "name", "peer")
        with tap.case("an interface that is down: the error says what helps"):
            r = run("flowproof-sensor", "-i", "eth0", "-o", "-", prefix=prefix).expect(3)
            match(r"eth0: That device is not up.*--bring-up", r.err)
            check(not is_up(ns.early, "eth0"), "a run that fails changes nothing")
        with tap.case("--bring-up: the named interface is up then, no other; a second time nothing is to be done"):
            # Of a configuration as systemd's unit has it: the key is not in it.
            r = run("flowproof-sensor", "-i", "eth0", "-s", "192.0.2.1:4739", "--id", "i-0", "--bring-up", prefix=prefix).expect(0)
            match("eth0 was down and is set up", r.err)
            check(is_up(ns.early, "eth0") and not is_up(ns.early, "peer"), ip("-n", ns.early, "link"))
            equal(run("flowproof-sensor", "-i", "eth0", "--bring-up", prefix=prefix).expect(0).err, "", "second time")
        with tap.case("--bring-up: an interface that is not there"):
            match(r"eth9: there is none of this name", run("flowproof-sensor", "-i", "eth9", "--bring-up", prefix=prefix).expect(2).err)
        with tap.case("ready is told when the capture is open: the frame that follows is recorded"):
            path = os.path.join(d, "notify")
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as waiting:
                waiting.bind(path)
                waiting.settimeout(20)
                ip("-n", ns.early, "link", "set", "dev", "peer", "up")  # a carrier
                with Daemon("flowproof-sensor", "-i", "eth0", "-o", "-", prefix=[*prefix, "env", "NOTIFY_SOCKET=" + path]) as sensor:
                    equal(waiting.recv(64), b"READY=1", "what systemd is told")
                    # A frame of Ethernet's experimental type: nothing but this test sends one.
                    sent = run(sys.executable, "-c", "import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0)); "
                               "s.send(bytes.fromhex('ffffffffffff02000000000188b5') + bytes(46))", prefix=prefix)
                    sent.expect(0)
                    sensor.wait_for("watching eth0", "err")
                    s = summary(sensor.stop().expect(0).err)
            check(s["not-ip"] >= 1, s)
    tap.done()


if __name__ == "__main__":
    main()
