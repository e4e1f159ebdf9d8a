#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_packages.py BUILD_DIR   The packages: made twice alike, installed in a root of the test's own, run there, removed.

Debian's with dpkg, in this machine seen through an overlay; those for Amazon Linux with rpm, into the same and, for 64-bit ARM, into an
empty folder, where the programs run under qemu-user.
"""
import filecmp
import os
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "lib"))
sys.path.insert(0, os.path.join(TESTS, "golden"))
from chroot import output, overlay, private_mounts  # noqa: E402
from harness import ROOT, Daemon, Tap, build_dir, check, equal, folder, match, run, write  # noqa: E402
import make_captures as make  # noqa: E402

NATIVE, ARM64 = "x86_64-linux-gnu", "aarch64-linux-gnu"
PROGRAMS = ("/usr/sbin/flowproof-sensor", "/usr/sbin/flowproof-collector", "/usr/bin/flowproof")
POLICY = "/etc/flowproof/policy/quarantine.policy"
STORE = "/var/lib/flowproof/store"


def make_packages(kind, triplet, out):
    """The files that scripts/package.sh made of what is built."""
    build = build_dir()
    full = os.path.join(build, triplet, "full") if kind == "rpm" else build
    programs = [os.path.join(build, triplet, "flowproof-sensor")]
    if kind == "rpm" or triplet == NATIVE:
        programs += [os.path.join(full, "flowproof-collector"), os.path.join(full, "flowproof")]
    return output("sh", os.path.join(ROOT, "scripts", "package.sh"), kind, triplet, out, *programs).split()


def twice(d, kind, triplet):
    one, two = (make_packages(kind, triplet, os.path.join(d, f"{kind}-{triplet}-{n}")) for n in (1, 2))
    equal([os.path.basename(f) for f in one], [os.path.basename(f) for f in two], "names")
    for a, b in zip(one, two):
        check(filecmp.cmp(a, b, shallow=False), f"{os.path.basename(a)} differs when it is made again")
    return one


def works(root):
    """What was installed, end to end: keys, a collector, a sensor that reads a capture, the records out of the ledger."""
    chroot = ["chroot", root]
    packets = sorted(make.udp_both(), key=lambda p: p.ns)
    write(root + "/tmp/in.pcap", make.pcap(packets))
    for p in PROGRAMS:
        match(r"^flowproof\S* 0\.1\.0", output(*chroot, p, "--version"))
    output(*chroot, PROGRAMS[2], "pki", "init", "-d", "/tmp/keys")
    output(*chroot, PROGRAMS[2], "pki", "issue", "-d", "/tmp/keys", "i-pack")
    keys = ["--ca", "/tmp/keys/ca.crt"]
    with Daemon(PROGRAMS[1], "-d", STORE, "-l", "127.0.0.1:0", *keys, "--cert", "/tmp/keys/collector.crt", "--key", "/tmp/keys/collector.key",
                prefix=chroot) as collector:
        address = collector.wait_for(r"listening on (\S+)", "err")[0][1]
        output(*chroot, PROGRAMS[0], "-r", "/tmp/in.pcap", "-s", address, "--id", "i-pack", *keys, "--cert", "/tmp/keys/i-pack.crt",
               "--key", "/tmp/keys/i-pack.key", "-p", POLICY)
        collector.stop().expect(0)
    lines = output(*chroot, PROGRAMS[2], "records", "-d", STORE, "-F", "packets").split()[1:]
    equal(sum(int(n) for n in lines if n != "-"), len(packets), "packets in the ledger")
    for page in ("man8/flowproof-sensor.8", "man8/flowproof-collector.8", "man1/flowproof.1", "man5/flowproof-policy.5"):
        check(output(*chroot, "zcat", f"/usr/share/man/{page}.gz").startswith(".\\\""), page)
    match("Puts the sensor on a suspect's volume", output(*chroot, "/usr/share/flowproof/ec2/install-offline", "--help"))
    match(r"musl", output(*chroot, "cat", "/usr/share/doc/flowproof-sensor/copyright"))


def absent(root, *paths):
    for p in paths:
        check(not os.path.lexists(root + p), f"{p} is still there")


def not_enabled(root):
    for d, _, names in os.walk(root + "/etc/systemd/system"):
        check(not any(n.startswith("flowproof") for n in names), f"a unit is enabled in {d}")


def debian(tap, d):
    packages = []
    with tap.case("deb: made twice, the same bytes; for 64-bit ARM too"):
        packages = twice(d, "deb", NATIVE)
        equal(len(packages), 2, "packages")
        match("Architecture: arm64", output("dpkg-deb", "-I", twice(d, "deb", ARM64)[0]))
    with overlay() as root:
        chroot = ["chroot", root]
        for n, p in enumerate(packages):
            with open(p, "rb") as f:
                write(f"{root}/tmp/{n}.deb", f.read())
        with tap.case("deb: installed by dpkg, with the libraries it asks for; nothing is enabled"):
            output(*chroot, "dpkg", "-i", "/tmp/0.deb", "/tmp/1.deb")
            equal(output(*chroot, "dpkg", "--verify", "flowproof-sensor", "flowproof-collector"), "", "dpkg --verify")
            not_enabled(root)
            absent(root, "/etc/flowproof/sensor.conf", "/etc/flowproof/collector.conf")
        with tap.case("deb: what was installed works, end to end"):
            works(root)
        with tap.case("deb: a policy that was changed outlives an installation over it and a removal; a purge takes it, never a store"):
            with open(root + POLICY, "a", encoding="utf-8") as f:
                f.write("# ours\n")
            output(*chroot, "dpkg", "-i", "/tmp/0.deb")
            output(*chroot, "dpkg", "-r", "flowproof-sensor", "flowproof-collector")
            absent(root, *PROGRAMS, "/lib/systemd/system/flowproof-sensor.service")
            match("# ours", output(*chroot, "cat", POLICY))
            output(*chroot, "dpkg", "-P", "flowproof-sensor", "flowproof-collector")
            absent(root, "/etc/flowproof")
            check(os.listdir(root + STORE), "the store is gone")


def amazon(tap, d):
    packages = []
    with tap.case("rpm: made twice, the same bytes, for both processors; nothing is asked for but a shell and Python"):
        packages = twice(d, "rpm", NATIVE)
        for p in packages + twice(d, "rpm", ARM64):
            asked = {r.split()[0] for r in output("rpm", "-qp", "--requires", p).splitlines()}
            equal({r for r in asked if not r.startswith("rpmlib(")} - {"python3"}, {"/bin/sh"}, "what it requires")
    with overlay() as root:
        chroot = ["chroot", root]
        names = []
        for n, p in enumerate(packages):
            names.append(f"/tmp/{n}.rpm")
            with open(p, "rb") as f:
                write(root + names[-1], f.read())
        with tap.case("rpm: installed by rpm (Debian's: its database knows neither shell nor Python), works end to end"):
            output(*chroot, "rpm", "-i", "--nodeps", *names)
            equal(output(*chroot, "rpm", "-V", "--nodeps", "flowproof-sensor", "flowproof-collector"), "", "rpm -V")
            not_enabled(root)
            works(root)
        with tap.case("rpm: a policy that was changed is kept beside when it is removed; never a store"):
            with open(root + POLICY, "a", encoding="utf-8") as f:
                f.write("# ours\n")
            output(*chroot, "rpm", "-e", "flowproof-sensor", "flowproof-collector")
            absent(root, *PROGRAMS, POLICY)
            match("# ours", output(*chroot, "cat", POLICY + ".rpmsave"))
            check(os.listdir(root + STORE), "the store is gone")
    with tap.case("rpm for 64-bit ARM: into an empty root, where its programs run under qemu-user"):
        with folder(d) as root:
            output("rpm", "--root", root, "--dbpath", "/var/lib/rpm", "-i", "--nodeps", "--ignorearch", "--noscripts",
                   *make_packages("rpm", ARM64, os.path.join(d, "arm64")))
            write(root + "/in.pcap", make.pcap(sorted(make.udp_both(), key=lambda p: p.ns)))
            for p in PROGRAMS:
                match(r"^flowproof\S* 0\.1\.0", output("qemu-aarch64-static", root + p, "--version"))
            want = run("flowproof-sensor", "-r", root + "/in.pcap").expect(0).out
            equal(run("qemu-aarch64-static", root + PROGRAMS[0], "-r", root + "/in.pcap").expect(0).out, want, "records")


def main():
    private_mounts()
    os.environ.setdefault("SOURCE_DATE_EPOCH", subprocess.run(["git", "-C", ROOT, "log", "-1", "--format=%ct"], stdout=subprocess.PIPE, text=True,
                                                              check=False).stdout.strip() or "0")
    os.environ.setdefault("VERSION", "0.1.0")
    tap = Tap()
    with folder() as d:
        debian(tap, d)
        amazon(tap, d)
    tap.done()


if __name__ == "__main__":
    main()
