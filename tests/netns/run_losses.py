#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_losses.py BUILD_DIR   Quiet links and overloaded ones: nothing waits for the next packet, and what was lost is said.

Five sensors, each in a network of its own, live through the same end of a window: one sees a single packet, one is stopped while more
packets come than its ring holds, two see a card that counts losses, one sees no card at all. How many there were is arithmetic.
"""
import contextlib
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden"))
from harness import Daemon, Tap, check, equal, folder, match, run, summary  # noqa: E402
import make_captures as make  # noqa: E402
import net  # noqa: E402
from pki import Pki, collector  # noqa: E402

WINDOW = 60
HERE, THERE = "10.79.1.2", "10.79.1.1"
UDP = 17
FLOOD = 30000  # datagrams of 20 + 8 + 100 bytes: several times a ring of 256 KiB
FIELDS = "interface-id srcaddr dstaddr srcport dstport protocol packets start end log-status"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 0x0001, 0x1000


def window_of(seconds):
    return int(seconds) // WINDOW


def joined(spans):
    """Those that follow one another are one."""
    ret = []
    for start, end in spans:
        if ret and ret[-1][1] == start:
            ret[-1][1] = end
        else:
            ret.append([start, end])
    return ret


def utc(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def wait_for_window(number):
    """Until the clock says that this window has begun."""
    while window_of(time.time()) < number:
        time.sleep(0.2)


class Sensor(Daemon):
    def __init__(self, prefix, *options):
        super().__init__("flowproof-sensor", "-o", "-", "-F", FIELDS, *options, prefix=prefix)

    def rows(self):
        """The records so far, as dictionaries."""
        names = FIELDS.split()
        return [dict(zip(names, line.split())) for line in self.text("out").splitlines()[1:]]

    def marks(self, status):
        return [(int(r["start"]), int(r["end"])) for r in self.rows() if r["log-status"] == status]


class Tun:
    """An interface without a card: what is written to it is received. What is no IP packet its driver drops and counts, one each."""

    def __init__(self, namespace, name, address):
        with net.inside(namespace):
            self.fd = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH14x", name.encode(), IFF_TUN | IFF_NO_PI))
        net.sysctl(namespace, f"ipv6/conf/{name}/disable_ipv6", 1)
        net.ip("-n", namespace, "addr", "add", address, "dev", name)
        net.ip("-n", namespace, "link", "set", name, "up")

    def receive(self, packets):
        data = make.ip4(THERE, HERE, UDP, make.udp(5, 6, b"n" * 10))
        for _ in range(packets):
            equal(os.write(self.fd, data), len(data), "written")

    def lose(self, packets):
        for _ in range(packets):
            try:
                os.write(self.fd, bytes(40))
                raise AssertionError("version 0 of IP was taken")
            except OSError:
                pass

    def close(self):
        os.close(self.fd)


def taker(stack, namespace, *ports):
    """Nobody answers that there is nobody."""
    for port in ports:
        s = stack.enter_context(net.sock(namespace, socket.AF_INET, socket.SOCK_DGRAM))
        s.bind(("", port))


def flood(ns, packets, port):
    with net.sock(ns, socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(packets):
            s.sendto(b"f" * 100, (HERE, port))


class Run:
    """What happens: setting up, one packet, losses, the end of the window, more losses, the end of the run."""

    def __init__(self, d, ns):
        self.ns, self.notes = ns, []
        self.store = os.path.join(d, "store")
        keys = Pki(os.path.join(d, "keys"))
        keys.issue("i-loss")
        net.veth(ns.quiet, "eth0", [HERE + "/24"], ns.peer, "quiet", [THERE + "/24"])
        net.veth(ns.flood, "eth0", [HERE + "/24"], ns.sender, "flood", [THERE + "/24"])
        with contextlib.ExitStack() as stack:
            def sensor(namespace, *options):
                s = stack.enter_context(Sensor(net.prefix(namespace), *options))
                s.wait_for("watching")
                return s

            taker(stack, ns.peer, 9)
            taker(stack, ns.flood, 9, 10)
            taker(stack, ns.card, 6)
            taker(stack, ns.other, 6)
            # All that is before the end of the window takes a few seconds.
            if time.time() % WINDOW > WINDOW - 15:
                wait_for_window(window_of(time.time()) + 1)
            self.window = window_of(time.time())
            tun = Tun(ns.card, "tun0", HERE + "/24")
            stack.callback(tun.close)
            other = Tun(ns.other, "tun0", HERE + "/24")
            stack.callback(other.close)
            # Before the run: none of these losses is the run's.
            tun.lose(5)
            c = stack.enter_context(collector(self.store, "127.0.0.1:0", keys.options("collector"), net.prefix(ns.card)))
            self.quiet = sensor(ns.quiet, "-i", "eth0")
            self.flood = sensor(ns.flood, "-i", "eth0", "--ring-kib", "256")
            self.card = sensor(ns.card, "-i", "tun0", "-s", c.address, "--id", "i-loss", *keys.options("i-loss"))
            self.any = sensor(ns.card, "-i", "any")
            # Only the network is another's: /sys still shows an interface of another network by this name, if any.
            self.foreign = stack.enter_context(Sensor(("nsenter", f"--net=/run/netns/{ns.other}"), "-i", "tun0"))
            self.foreign.wait_for("watching")
            self.card.wait_for("uplink: connected")

            self.lone_packet()
            tun.receive(11)
            tun.lose(7)
            other.lose(3)
            self.flood.p.send_signal(signal.SIGSTOP)
            flood(ns.sender, FLOOD, 9)
            check(window_of(time.time()) == self.window, "the machine was too slow for one window")
            wait_for_window(self.window + 1)
            flood(ns.sender, FLOOD, 10)
            self.flood.p.send_signal(signal.SIGCONT)
            # The window's lines come with the clock; the next packet comes later and was not needed.
            self.quiet.wait_for(" 4242 ", "out", WINDOW)
            self.flood.wait_for("SKIPDATA", "out", WINDOW)
            self.card.wait_for("SKIPDATA", "out", WINDOW)
            c.wait_for("network card dropped 7 packets", "out", WINDOW)
            self.console = c.text("out")
            self.quiet_lines = self.quiet.rows()
            tun.lose(2)
            tun.receive(4)
            self.sys_dropped = net.counter(ns.card, "tun0", "rx_dropped")
            self.results = {name: getattr(self, name).stop().expect(0) for name in ("quiet", "flood", "card", "any", "foreign")}
            c.stop().expect(0)

    def lone_packet(self):
        began = time.monotonic()
        with net.sock(self.ns.quiet, socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((HERE, 4242))
            s.sendto(b"1", (THERE, 9))
        _, when = self.quiet.wait_for(rf"unexpected egress: {HERE}:4242", "err", 10)
        self.notes.append(f"a lone packet's alert came {when - began:.2f} s after it")


def cases(tap, r):
    first, second = r.window * WINDOW, (r.window + 1) * WINDOW
    with tap.case("a lone packet: its alert at once, its record with its window; it waits for no other"):
        rows = [row for row in r.quiet_lines if row["log-status"] == "OK"]
        equal([(row["srcaddr"], row["srcport"], row["packets"]) for row in rows], [(HERE, "4242", "1")])
        check(first <= int(rows[0]["start"]) < second, rows[0])
        equal(r.quiet.marks("SKIPDATA"), [], "SKIPDATA")
        equation = summary(r.results["quiet"].err)
        equal((equation["received"], equation["kernel"], equation["nic"]), (1, "0", "0"))
    with tap.case("overload: each window that was open while the sensor could not read says so"):
        marks = r.flood.marks("SKIPDATA")
        equal([start for start, _ in marks][-2:], [marks[0][0], second], "two windows")
        check(first <= marks[0][0] < second and marks[0][1] == second, f"{marks}")
    with tap.case("overload: received and dropped are what was sent, and every frame received is in a record"):
        equation = summary(r.results["flood"].err)
        check(int(equation["kernel"]) > 0, "nothing was dropped")
        equal(equation["received"] + int(equation["kernel"]), 2 * FLOOD, "received and dropped")
        recorded = sum(int(row["packets"]) for row in r.flood.rows() if row["log-status"] == "OK")
        equal(recorded, equation["recorded"], "packets in records")
        equal(equation["cut"], 0, "cut")
    with tap.case("SKIPDATA in the default format: 2, account, interface, and dashes"):
        text = run("flowproof", "records", "-d", r.store).expect(0).out
        match(rf"^2 - - - - - - - - - \d+ {second} - SKIPDATA$", text)
    with tap.case("the card's losses since the sensor began, as /sys counts them"):
        equation = summary(r.results["card"].err)
        equal(r.sys_dropped, 5 + 7 + 2, "/sys of that network")
        equal((equation["nic"], equation["received"], equation["recorded"]), (str(r.sys_dropped - 5), 11 + 4, 11 + 4))
        equal([end for _, end in r.card.marks("SKIPDATA")][0], second, "the window of the losses")
    with tap.case("an interface of the same name in another network: its own losses"):
        equal(summary(r.results["foreign"].err)["nic"], "3")
    with tap.case("all interfaces together have no card: unknown, not 0"):
        equal(summary(r.results["any"].err)["nic"], "unknown")
    with tap.case("the collector's console and the analyst's summary say it"):
        match(r"WARNING tun0: the network card dropped 7 packets", r.console)
        match(r"WARNING packets were lost in the window", r.console)
        text = run("flowproof", "records", "-d", r.store, "--summary").expect(0).out
        match(r"received 15 = recorded 15 ", text)
        match(r"dropped by the kernel 0, by the network card 9;", text)
        stream = json.loads(run("flowproof", "records", "-d", r.store, "--summary", "--json").expect(0).out)["sensors"][0]["streams"][0]
        equal(stream["interfaces"][0]["nic_dropped"], 9, "nic_dropped")
        equal(stream["skipdata"], len(r.card.marks("SKIPDATA")), "windows marked")
        equal(stream["interfaces"][0]["missing"], joined(r.card.marks("SKIPDATA")), "missing")
        match(rf"PACKETS ARE MISSING from .* to {utc(r.card.marks('SKIPDATA')[-1][1])}$", text)
        equal(stream["interfaces"][0]["offload"], "kernel", "how offloaded frames are counted")
        check(stream["interfaces"][0]["pps_exceeded"] is None, "a TUN device has no allowances")
        said = run("flowproof", "findings", "-d", r.store).expect(0).err
        match(r"^NOT ALL WAS SEEN  i-loss tun0: the kernel dropped 0 packets, the network card 9; missing from 20", said)
        equal(said.count("NOT ALL WAS SEEN"), 1, "said once")
        match(r"i-loss  tun0: offload .*; wire packets as the kernel says", r.console)


def main():
    net.need_root("run_losses")
    tap = Tap()
    with folder() as d, net.Namespaces("quiet", "peer", "flood", "sender", "card", "other") as ns:
        r = None
        with tap.case("the run"):
            r = Run(d, ns)
        if r:
            for note in r.notes:
                print(f"# {note}")
            cases(tap, r)
    tap.done()


if __name__ == "__main__":
    main()
