#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_appliance.py BUILD_DIR   The appliance's image, booted under qemu-system in 64 MiB: Debian's kernels 5.10 and 6.1 for 32-bit ARM and 6.1 for
64-bit ARM.

Each tries its sandbox, then watches its virtual network card, whose other end is in a namespace of the test's: known traffic comes, and the
records at the collector there, over TLS, are held packet by packet and byte by byte against a witness on that end. `make test-platform`
builds what it needs (root).
"""
import concurrent.futures
import os
import re
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "lib"))
from chroot import output  # noqa: E402
from harness import ROOT, Tap, build_dir, check, equal, folder, match, run, summary  # noqa: E402
import machine  # noqa: E402
from machine import ARM64, ARMHF, BOOT_LIMIT_S, COLLECTOR_PORT, GUEST, HERE, Machine  # noqa: E402
import net  # noqa: E402
from pki import Pki, collector  # noqa: E402

PACK = os.path.join(ROOT, "platform", "appliance", "pack")
MACHINE = {ARMHF: "armv7l", ARM64: "aarch64"}
KERNELS = ((ARMHF, "5.10", ("armhf", "bullseye", "linux-image-armmp")), (ARMHF, "6.1", ("armhf", "bookworm", "linux-image-armmp")),
           (ARM64, "6.1", ("arm64", "bookworm", "linux-image-arm64")))
MEMORY_MIB = 64
ID = "appliance-1"
UDP_PORT, TCP_PORT = 9000, 9001
ICMP, TCP, UDP = 1, 6, 17
DATAGRAMS, SYNS, PINGS = 40, 5, 4
FORBIDDEN = ("open a file", "run a program", "start a process", "trace a process", "become root", "packet socket", "Unix socket", "netlink socket")


def image(d, triplet, release, kernel, site):
    """The kernel, and the image with the keys' archive behind it."""
    build = build_dir()
    vmlinuz = output("sh", os.path.join(ROOT, "scripts", "deps-static.sh"), "kernel", *kernel).strip()
    out = os.path.join(build, triplet, "appliance.cpio.gz")
    if release == "5.10":  # of the same programs, with another kernel's modules
        out = os.path.join(d, "appliance-5.10")
        programs = os.path.join(build, "appliance", triplet)
        output(PACK, out, f"init={programs}/platform/appliance/init", f"sensor={programs}/flowproof-sensor", f"modules/={vmlinuz}.modules")
    both = os.path.join(d, f"initrd-{triplet}-{release}")
    with open(both, "wb") as f:
        for part in (out, site):
            with open(part, "rb") as g:
                f.write(g.read())
    return vmlinuz, both


def traffic(ns, witness):
    """What the appliance answers by itself: datagrams and SYNs to closed ports, pings."""
    with net.sock(ns, net.socket.AF_INET, net.socket.SOCK_DGRAM) as s:
        for n in range(DATAGRAMS):
            s.sendto(bytes(n * 10), (GUEST, UDP_PORT))
    for _ in range(SYNS):
        with net.sock(ns, net.socket.AF_INET, net.socket.SOCK_STREAM) as s:
            s.settimeout(20)
            try:
                s.connect((GUEST, TCP_PORT))
            except ConnectionRefusedError:
                pass
    run("ping", "-q", "-c", str(PINGS), "-i", "0.2", "-W", "20", GUEST, prefix=net.prefix(ns)).expect(0)
    witness.wait_until(lambda flows: sum(v[0] for k, v in flows.items() if k[1] == GUEST and k[3] == UDP_PORT) == DATAGRAMS, 20, "the datagrams")


def live(d, ns, triplet, release, kernel, keys, site):
    """Runs one machine through; (console, what the witness saw, records of the ledger, the witness' losses)."""
    store = os.path.join(d, f"store-{triplet}-{release}")
    vmlinuz, initrd = image(d, triplet, release, kernel, site)
    witness = machine.tap(ns)
    words = [f"flowproof.{w}" for w in (f"address={GUEST}/24", "gateway=" + HERE, "interface=eth0", f"collector={HERE}:{COLLECTOR_PORT}", f"id={ID}", "self-test")]
    with collector(store, f"{HERE}:{COLLECTOR_PORT}", keys.options("collector"), prefix=net.prefix(ns)) as c, \
            Machine(triplet, MEMORY_MIB, vmlinuz, initrd, words, ns) as m:
        m.wait_for("uplink: connected", "out", limit=BOOT_LIMIT_S)
        traffic(ns, witness)
        m.say("off")
        m.wait(BOOT_LIMIT_S).expect(0)
        console = m.console()
        c.stop().expect(0)
    lost = witness.stop()
    return console, machine.other(witness.seen()), machine.records(store), lost


def judge(tap, triplet, release, future):
    name = f"{triplet}, Linux {release}"
    console, want, records, lost = "", {}, {}, None
    with tap.case(f"{name}: boots in {MEMORY_MIB} MiB, connects, and switches itself off when told to on its console"):
        console, want, records, lost = future.result()
        match(rf"^appliance: Linux {re.escape(release)}\.\S+ {MACHINE[triplet]}$", console)
        match(r"uplink: connected to 10\.78\.0\.1:4739", console)
        match(r"^appliance: the sensor ended: exit 0\nappliance: switching off$", console)
    with tap.case(f"{name}: what is forbidden ends the program"):
        match(r"^ok seccomp: in force, mode 2$", console)
        for what in FORBIDDEN:
            match(rf"^ok {what}: refused: ended by the filter \(SIGSYS\)$", console)
        check("FAIL" not in console, console)
    with tap.case(f"{name}: every packet of its network card is in the ledger, counted as the other end counts it"):
        equal(lost, 0, "packets that the witness missed")
        for key in ((HERE, GUEST, UDP), (HERE, GUEST, TCP), (GUEST, HERE, TCP), (HERE, GUEST, ICMP), (GUEST, HERE, ICMP)):
            check(any((k[0], k[1], k[4]) == key for k in want), f"the traffic has nothing of {key}: {want}")
        equal(sum(v[0] for k, v in want.items() if k[3] == UDP_PORT), DATAGRAMS, "datagrams sent")
        equal(sum(v[0] for k, v in want.items() if k[3] == TCP_PORT), SYNS, "SYNs sent")
        equal(sorted(records.items()), sorted(want.items()), "records beside the witness")
        equal(summary(console[:console.index("\n", console.rindex("\npackets: ") + 1)])["kernel"], "0", "dropped by the kernel")


def restarts(d, site, kernel):
    """The console of a machine whose sensor cannot start, and one whose settings are wrong."""
    vmlinuz, initrd = image(d, ARM64, "6.1", kernel, site)
    with Machine(ARM64, MEMORY_MIB, vmlinuz, initrd, ["flowproof.interface=lo", "flowproof.output=/none/there", "flowproof.ca=", "flowproof.collector="]) as m:
        m.wait_for("its settings are wrong", "out", limit=BOOT_LIMIT_S)
        wrong = m.wait(BOOT_LIMIT_S).expect(0).out
    with Machine(ARM64, MEMORY_MIB, vmlinuz, initrd, ["flowproof.interface=lo", "flowproof.output=/none/there"]) as m:
        m.wait_for(r"restart 3 of 10 in 4 s", "out", limit=BOOT_LIMIT_S)
        m.say("on")
        m.wait_for("off and reboot are what can be said here", "out")
        m.say("off")
        return wrong, m.wait(BOOT_LIMIT_S).expect(0).out


def main():
    net.need_root("suite_appliance.py")
    tap = Tap()
    with folder() as d, net.Namespaces(*(f"app{n}" for n in range(len(KERNELS)))) as nss:
        keys = Pki(os.path.join(d, "keys"))
        cert, key = keys.issue(ID)
        site = os.path.join(d, "site")
        output(PACK, site, f"flowproof/ca.crt={keys.ca}", f"flowproof/sensor.crt={cert}", f"flowproof/sensor.key={key}")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(live, d, nss.full[f"app{n}"], triplet, release, kernel, keys, site)
                       for n, (triplet, release, kernel) in enumerate(KERNELS)]
            ends = pool.submit(restarts, d, site, KERNELS[-1][2])
            for (triplet, release, _), future in zip(KERNELS, futures):
                judge(tap, triplet, release, future)
            with tap.case("a sensor that cannot start is tried again, ever later; one whose settings are wrong is not; the console ends both"):
                wrong, tried = ends.result()
                match(r"the sensor ended: exit 2", wrong)
                check("restart" not in wrong, wrong)
                equal(re.findall(r"restart (\d+) of 10 in (\d+) s", tried), [("1", "1"), ("2", "2"), ("3", "4")])
                match(r"the sensor ended: exit 3", tried)
                match(r"switching off", tried)
    with tap.case("packed twice, the same bytes"):
        with folder() as d:
            with open(os.path.join(d, "a"), "w", encoding="utf-8") as f:
                f.write("x")
            made = []
            for n in (1, 2):
                output(PACK, os.path.join(d, f"{n}.gz"), f"some/where/a={d}/a", f"b.key={d}/a")
                with open(os.path.join(d, f"{n}.gz"), "rb") as f:
                    made.append(f.read())
            equal(made[0], made[1], "archives")
            equal(subprocess.run(["sh", "-c", f"zcat {d}/1.gz | cpio -itv --quiet"], stdout=subprocess.PIPE, text=True, check=True).stdout.count("\n"), 6, "entries")
    tap.done()


if __name__ == "__main__":
    main()
