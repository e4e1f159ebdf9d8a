#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_findings.py BUILD_DIR   What `flowproof findings` says of captures: the attack captures kept beside the tree, as a reader of their
README expects, and made-up ones whose findings are arithmetic. One collector, one store; each capture is a sensor of its own."""
import collections
import json
import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "golden")]
from harness import Tap, check, equal, folder, run, write  # noqa: E402
from pki import Pki, collector  # noqa: E402
from shared import ABSENT, data_folder  # noqa: E402

TCP, UDP, ICMP, GRE = 6, 17, 1, 47

# Capture: options of the sensor, and the findings that its README line asks for: (kind, remote, port, protocol, reached).
ATTACKS = {
    "ndpi-icmp-tunnel.pcap": ((), [("icmp_tunnel", "192.168.154.132", 0, ICMP, "data_out")]),
    "ndpi-emotet.pcap": ((), [("spam", "193.252.22.84", 587, TCP, "data_out")]),
    "ndpi-tcp_scan.pcapng": ((), [("scan", "192.168.1.2", 0, TCP, "answered")]),
    "zeek-nmap-vsn.pcap": ((), [("sweep", None, 80, TCP, "answered")]),
    "zeek-ssh-reverse-ssh.pcap": ((), [("unexpected_egress", "13.13.13.37", 22, TCP, "data_out")]),
    "zeek-ssh-sshguess.pcap": ((), [("unexpected_egress", "192.168.56.103", 22, TCP, "data_out")]),
    "sv-bug-5713-01-TLSv1-Extracted-MaliciousC2.pcap": ((), [("unexpected_egress", "91.254.215.167", 443, TCP, "data_out")]),
    "zeek-tunnels-gre-sample.pcap": ((), [("odd_protocol", "66.59.109.137", 0, GRE, "data_out")]),
    "ndpi-dns-exf.pcap": ((), [("dns_other_resolver", "192.168.2.134", 53, UDP, "answered"),
                               ("dns_tunnel", "192.168.2.134", 53, UDP, "data_out")]),
    "ndpi-dns-tunnel-iodine.pcap": ((), [("dns_tunnel", "10.0.2.20", 53, UDP, "data_out")]),
    "pcapattack-cmds_over_dns_txt_queries_and_reponses.pcap": ((), [("dns_other_resolver", "8.8.8.8", 53, UDP, "answered"),
                                                                    ("dns_tunnel", None, 53, UDP, "data_out")]),
}


class Store:
    """A collector's store of captures, each under a sensor's name."""

    def __init__(self, d, captures):
        """captures: {sensor: (path, options)}"""
        self.path = os.path.join(d, "store")
        keys = Pki(os.path.join(d, "keys"))
        with collector(self.path, "127.0.0.1:0", keys.options("collector")) as c:
            for sensor, (path, options) in captures.items():
                keys.issue(sensor)
                run("flowproof-sensor", "-r", path, "-s", c.address, "--id", sensor, *keys.options(sensor), *options,
                    limit=60).expect(0)
            c.stop()

    def findings(self, *args):
        out = run("flowproof", "findings", "-d", self.path, "--json", *args).expect(0).out
        return [json.loads(line) for line in out.splitlines()]


def attacks(tap, data):
    if not data:
        for file in ATTACKS:
            tap.skip(file, ABSENT)
        return
    with folder() as d:
        store = Store(d, {f"a{i:02}": (os.path.join(data, "pcaps", file), ATTACKS[file][0]) for i, file in enumerate(ATTACKS)})
        found = collections.defaultdict(list)
        for f in store.findings():
            found[f["sensor"]].append((f["kind"], f["remote"], f["port"], f["protocol"], f["reached"]))
        for i, (file, (_, wanted)) in enumerate(ATTACKS.items()):
            with tap.case(file):
                got = found[f"a{i:02}"]
                for want in wanted:
                    check(any(all(w is None or w == g for w, g in zip(want, row)) for row in got), f"{want} is not among {got}")


def main():
    tap = Tap()
    attacks(tap, data_folder())
    tap.done()


if __name__ == "__main__":
    main()
