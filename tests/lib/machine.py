# SPDX-License-Identifier: Apache-2.0
"""Machines under qemu-system, with a virtual network card whose other end is in a namespace of the test's."""
import subprocess

from harness import Daemon, run
import net

ARMHF, ARM64 = "arm-linux-gnueabihf", "aarch64-linux-gnu"
QEMU = {ARMHF: ("qemu-system-arm", "cortex-a15"), ARM64: ("qemu-system-aarch64", "cortex-a53")}
BOOT_LIMIT_S = 300
HERE, GUEST, COLLECTOR_PORT = "10.78.0.1", "10.78.0.2", 4739


class Machine(Daemon):
    """Its serial console is a daemon's output."""

    def __init__(self, triplet, memory_mib, kernel, initrd, words, namespace=None):
        program, cpu = QEMU[triplet]
        card = ("-netdev", "tap,id=n0,ifname=tap0,script=no,downscript=no", "-device", "virtio-net-device,netdev=n0") if namespace else ("-nic", "none")
        super().__init__(program, "-M", "virt", "-cpu", cpu, "-m", str(memory_mib), "-nographic", "-nodefaults", "-serial", "stdio", "-no-reboot",
                         "-kernel", kernel, "-initrd", initrd, "-append", " ".join(["console=ttyAMA0", "panic=-1", "quiet", *words]), *card,
                         prefix=net.prefix(namespace) if namespace else (), stdin=subprocess.PIPE)

    def say(self, line):
        self.p.stdin.write(line.encode() + b"\n")
        self.p.stdin.flush()

    def console(self):
        return self.text("out").replace("\r", "")


def tap(ns):
    """The end of the card's cable; a witness on it."""
    net.ip("-n", ns, "link", "set", "lo", "up")
    net.ip("-n", ns, "tuntap", "add", "dev", "tap0", "mode", "tap")
    net.sysctl(ns, "ipv6/conf/tap0/disable_ipv6", 1)
    net.ip("-n", ns, "address", "add", HERE + "/24", "dev", "tap0")
    net.ip("-n", ns, "link", "set", "tap0", "up")
    return net.Witness(ns, "tap0")


def records(store):
    """(packets, bytes) of the ledger by (source, destination, ports, protocol), as the witness has them."""
    ret = {}
    lines = run("flowproof", "records", "-d", store, "-F", "srcaddr dstaddr srcport dstport protocol packets bytes").expect(0).out.split("\n")[1:]
    for f in (line.split() for line in lines):
        if f and f[0] != "-":
            key = (f[0], f[1], int(f[2]), int(f[3]), int(f[4]))
            before = ret.get(key, (0, 0))
            ret[key] = (before[0] + int(f[5]), before[1] + int(f[6]))
    return other(ret)


def other(flows):
    """Without the stream to the collector, which ends after the capture, and the kernel's neighbour discovery, which begins before it."""
    return {k: v[:2] for k, v in flows.items() if COLLECTOR_PORT not in k[2:4] and ":" not in k[0]}
