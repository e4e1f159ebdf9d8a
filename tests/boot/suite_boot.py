#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_boot.py BUILD_DIR   The static sensor on Debian's kernels 5.10 and 6.1 for 32-bit ARM, booted under qemu-system with 128 MiB.

The sandbox by trying, a capture file, live capture streamed to a collector in the same machine. `make test-boot` builds what it needs.
"""
import gzip
import os
import re
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "lib"))
sys.path.insert(0, os.path.join(TESTS, "golden"))
from harness import ROOT, Tap, build_dir, check, equal, folder, match, run, summary  # noqa: E402
import make_captures as make  # noqa: E402
from pki import Pki  # noqa: E402

TRIPLET = "arm-linux-gnueabihf"
KERNELS = (("5.10", "bullseye"), ("6.1", "bookworm"))
BOOT_LIMIT_S = 300
FORBIDDEN = ("open a file", "run a program", "start a process", "trace a process", "become root", "packet socket", "Unix socket", "netlink socket")


def initramfs(path, files):
    """A cpio archive, "newc" (Linux' Documentation/driver-api/early-userspace/buffer-format.rst)."""
    out = b""
    nodes = [("dev", 0o40755, b""), ("dev/console", 0o20600, b""), *files, ("TRAILER!!!", 0, b"")]
    for n, (name, mode, data) in enumerate(nodes):
        device = (5, 1) if name == "dev/console" else (0, 0)
        fields = (n + 1, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    with gzip.open(path, "wb", 1) as f:
        f.write(out)


def boot(kernel, image):
    p = subprocess.run(["qemu-system-arm", "-M", "virt", "-cpu", "cortex-a15", "-m", "64", "-nographic", "-nodefaults", "-serial", "stdio",
                        "-no-reboot", "-kernel", kernel, "-initrd", image, "-append", "console=ttyAMA0 panic=-1 quiet"],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=BOOT_LIMIT_S, check=False)
    return p.stdout.decode("utf-8", "replace").replace("\r", "")


def said(log, name):
    return "".join(line[len(name) + 2:] + "\n" for line in log.splitlines() if line.startswith(name + "| "))


def ended(log, name):
    match(rf"^== {name}: exit 0$", log, name)


def machine(tap, release, kernel, image, want):
    log = ""
    with tap.case(f"Linux {release} boots, every program ends well, the machine switches itself off"):
        log = boot(kernel, image)
        match(rf"^== kernel: {re.escape(release)}\.\S+ armv7l$", log)
        for name in ("self-test", "replay", "sensor", "collector", "records", "all"):
            ended(log, name)
    with tap.case(f"Linux {release}: what is forbidden ends the program, on a kernel for ARM"):
        tried = said(log, "self-test")
        match(r"^ok seccomp: in force, mode 2$", tried)
        for what in FORBIDDEN:
            match(rf"^ok {what}: refused: ended by the filter \(SIGSYS\)$", tried)
        check("FAIL" not in tried, tried)
    with tap.case(f"Linux {release}: a capture file to text, as on the machine that built it"):
        lines = said(log, "replay")
        equal([line for line in lines.splitlines() if re.match(r"version |\d+ ", line)], want.splitlines(), "records")
    with tap.case(f"Linux {release}: live capture on lo, an alert, every batch acknowledged"):
        match(r"unexpected egress: 127\.0\.0\.1:\d+ -> 127\.0\.0\.1:9 protocol 17", said(log, "sensor"))
        match(r"uplink: connected to 127\.0\.0\.1:4739 by TLSv1\.3", said(log, "sensor"))
        summary(said(log, "sensor"))
        match(r"127\.0\.0\.1 127\.0\.0\.1 \d+ 9 17", said(log, "records"))


def main():
    tap = Tap()
    full = os.path.join(build_dir(), TRIPLET, "full")
    with folder() as d:
        keys = Pki(os.path.join(d, "keys"))
        keys.issue("i-boot")
        capture = make.pcap(sorted(make.udp_both() + make.tcp_flags(), key=lambda p: p.ns))
        path = os.path.join(d, "in.pcap")
        with open(path, "wb") as f:
            f.write(capture)
        want = run("flowproof-sensor", "-r", path).expect(0).out
        files = [("in.pcap", 0o100644, capture)]
        for name, source in (("init", os.path.join(full, "tests/boot/init")), ("sensor", os.path.join(build_dir(), TRIPLET, "flowproof-sensor")),
                             ("collector", os.path.join(full, "flowproof-collector")), ("flowproof", os.path.join(full, "flowproof")),
                             ("ca.crt", keys.ca), *((os.path.basename(f), f) for n in ("collector", "i-boot") for f in keys.pair(n))):
            with open(source, "rb") as f:
                files.append((name, 0o100755 if "." not in name else 0o100644, f.read()))
        image = os.path.join(d, "initramfs")
        initramfs(image, files)
        for release, suite in KERNELS:
            kernel = subprocess.run(["sh", os.path.join(ROOT, "scripts", "deps-static.sh"), "kernel", "armhf", suite, "linux-image-armmp"],
                                    stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
            machine(tap, release, kernel, image, want)
    tap.done()


if __name__ == "__main__":
    main()
