# SPDX-License-Identifier: Apache-2.0
"""What the benchmark compares with: how each program reads a capture or an interface, and how many packets it says it saw.

Each is told to keep its peace about exporting: files below a folder that is thrown away, datagrams to a port where nobody listens.
Tables are given 65,536 flows where that can be said.
"""
import os
import re
import shutil
import subprocess

NOWHERE = "127.0.0.1:9"


def found(pattern):
    """Sum of what the pattern captures in the program's own words."""
    def accounted(out, _):
        hits = re.findall(pattern, out)
        return sum(int(h) for h in hits) if hits else None
    return accounted


def by_nfdump(_, d):
    p = subprocess.run(["nfdump", "-R", os.path.join(d, "nf"), "-I"], capture_output=True, text=True, check=False)
    return found(r"Packets: (\d+)")(p.stdout, d)


def nfpcapd(how):
    def command(where, d):
        os.mkdir(os.path.join(d, "nf"))
        return ["nfpcapd", how, where, "-l", os.path.join(d, "nf")]
    return command


def by_racount(_, d):
    p = subprocess.run(["racount", "-r", os.path.join(d, "argus")], capture_output=True, text=True, check=False)
    return found(r"sum +\d+ +(\d+)")(p.stdout, d)


def by_csv(_, d):
    """The last but one column of every line that is a record."""
    total = 0
    for name in os.listdir(d):
        if name.startswith("pmacct-"):
            with open(os.path.join(d, name), encoding="ascii", errors="replace") as f:
                columns = (line.split(",") for line in f)
                total += sum(int(c[-2]) for c in columns if len(c) == 8 and c[-2].isdigit())
    return total


def pmacct(source):
    def command(where, d):
        path = os.path.join(d, "conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"daemonize: false\n{source}: {where}\n"
                    "aggregate: src_host, dst_host, src_port, dst_port, proto, tcpflags\n"
                    f"plugins: print\nprint_output: csv\nprint_output_file: {d}/pmacct-%s\n"
                    "print_output_file_append: true\nprint_refresh_time: 60\n"
                    "print_cache_entries: 65537\n")
        return ["pmacctd", "-f", path]
    return command


class Peer:
    def __init__(self, name, files, live, accounted, program=None):
        self.name, self.files, self.live, self.accounted = name, files, live, accounted
        self.program = program or name


def peers(build):
    """Those that are there; the sensor and the bare loop first, which always are."""
    sensor, bare = f"{build}/flowproof-sensor", f"{build}/tests/bench/bare_loop"
    every = [
        Peer("bare loop", lambda f, d: [bare, f], None, found(r"^(\d+) packets"), bare),
        Peer("flowproof", lambda f, d: [sensor, "-r", f, "-o", os.devnull], lambda i, d: [sensor, "-i", i, "-o", os.devnull],
             found(r"packets: received (\d+)"), sensor),
        Peer("tcpdump", None, lambda i, d: ["tcpdump", "-n", "-i", i, "-w", os.devnull], found(r"(\d+) packets captured")),
        Peer("yaf", lambda f, d: ["yaf", "--in", f, "--out", os.devnull],
             lambda i, d: ["yaf", "--live", "pcap", "--in", i, "--out", os.devnull], lambda out, d: None),
        Peer("softflowd", lambda f, d: ["softflowd", "-d", "-6", "-v", "9", "-m", "65536", "-r", f, "-n", NOWHERE],
             lambda i, d: ["softflowd", "-d", "-6", "-v", "9", "-m", "65536", "-i", i, "-n", NOWHERE,
                           "-p", f"{d}/pid", "-c", f"{d}/ctl"], found(r"Packets processed: (\d+)")),
        Peer("nfpcapd", nfpcapd("-r"), nfpcapd("-i"), by_nfdump),
        Peer("argus", lambda f, d: ["argus", "-X", "-r", f, "-w", f"{d}/argus"],
             lambda i, d: ["argus", "-X", "-i", i, "-w", f"{d}/argus"], by_racount),
        Peer("pmacctd", pmacct("pcap_savefile"), pmacct("pcap_interface"), by_csv),
    ]
    return [p for p in every if shutil.which(p.program)]
