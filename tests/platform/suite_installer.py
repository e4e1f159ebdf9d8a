#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_installer.py BUILD_DIR   platform/ec2/install-offline on volumes of the test's own (root).

Trees as Debian and Amazon Linux lay them out, hostile ones, a full one; what is installed runs there, before the network, as systemd itself
sees it among the units of Debian's cloud image; and afterwards every byte, mode, owner and time is as it was.
"""
import contextlib
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys

import jsonschema

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "lib"))
from chroot import mount, output, private_mounts, tmpfs  # noqa: E402
from harness import ROOT, Tap, build_dir, check, equal, folder, match, run, write  # noqa: E402
from pki import Pki  # noqa: E402

INSTALL = os.path.join(ROOT, "platform", "ec2", "install-offline")
TRIPLET, ARM64 = "x86_64-linux-gnu", "aarch64-linux-gnu"
UNIT = "etc/systemd/system/flowproof-sensor.service"
WANT = "etc/systemd/system/sysinit.target.wants/flowproof-sensor.service"
ID = "i-0123456789abcdef0"
ADDED = {  # what an installation adds to a tree that has /opt and sysinit.target.wants: mode
    "opt/flowproof": 0o755, "opt/flowproof/flowproof-sensor": 0o755, "opt/flowproof/sensor.conf": 0o644, "opt/flowproof/ca.crt": 0o644,
    "opt/flowproof/sensor.crt": 0o644, "opt/flowproof/sensor.key": 0o600, UNIT: 0o644, WANT: 0o777,
}
PACKAGES = ("cloud-init", "systemd", "udev", "ifupdown", "systemd-sysv")


def elf_head(machine):
    """The first bytes of a program for x86-64 (62) or arm64 (183): elf(5)."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little") + machine.to_bytes(2, "little") + bytes(44)


def tree(root, style="debian", machine=62):
    for d in ("etc/systemd/system/sysinit.target.wants", "usr/lib/systemd/system", "usr/sbin", "usr/bin", "var/log", "opt"):
        os.makedirs(os.path.join(root, d))
    write(f"{root}/usr/lib/systemd/systemd", elf_head(machine))
    write(f"{root}/etc/fstab", "# <file system> <mount point>\nUUID=1 / ext4 defaults 0 1\nUUID=2 /opt2 ext4 defaults 0 2\n")
    write(f"{root}/var/log/auth.log", "evidence\n")
    for link in ("lib", "sbin", "bin"):
        os.symlink(f"usr/{link}", f"{root}/{link}")
    os.symlink("/lib/systemd/systemd" if style == "debian" else "../lib/systemd/systemd", f"{root}/usr/sbin/init")
    if style == "amazon":
        os.makedirs(f"{root}/etc/selinux")
        write(f"{root}/etc/selinux/config", "# SELINUX= can take one of these values\nSELINUX=permissive\nSELINUXTYPE=targeted\n")
    for d, names, files in os.walk(root):
        for n in names + files:
            os.utime(os.path.join(d, n), ns=(1_600_000_000_123456789, 1_600_000_000_123456789), follow_symlinks=False)
    os.utime(root, ns=(1_600_000_000_123456789,) * 2)


def snapshot(root):
    """Everything that can be said of a tree, but the times at which inodes changed and folders were read."""
    ret = {}
    for d, names, files in os.walk(root):
        for path in [d] + [os.path.join(d, n) for n in names + files]:
            st = os.lstat(path)
            what = os.readlink(path) if stat.S_ISLNK(st.st_mode) else None
            if stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    what = hashlib.sha256(f.read()).hexdigest()
            labels = {a: os.getxattr(path, a, follow_symlinks=False) for a in os.listxattr(path, follow_symlinks=False)}
            ret[os.path.relpath(path, root)] = (st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, what, labels)
    return ret


class Case:
    """A volume, and what is needed to install on it."""

    def __init__(self, volume, keys, manifest):
        self.volume, self.keys, self.manifest = volume, keys, manifest
        self.sensor = os.path.join(build_dir(), TRIPLET, "flowproof-sensor")

    def install(self, *more, sensor=None, mount=None):
        return run(INSTALL, mount or self.volume, "--id", ID, "--collector", "10.77.0.9:4739", "--keys", self.keys, "--interface", "ens5",
                   "--sensor", sensor or self.sensor, "--manifest", self.manifest, *more)

    def again(self, *what):
        return run(INSTALL, self.volume, *what, "--manifest", self.manifest)

    def told(self):
        with open(self.manifest, encoding="utf-8") as f:
            return json.load(f)


@contextlib.contextmanager
def volume(keys, size="64M", **how):
    """A tree on a file system of its own; the manifest elsewhere."""
    with tmpfs(size) as d, folder() as away:
        tree(d, **how)
        yield Case(d, keys, os.path.join(away, "manifest.json"))


def installed(tap, keys):
    with volume(keys) as c:
        before = snapshot(c.volume)
        with tap.case("--dry-run says what would be added and writes nothing"):
            said = c.install("--dry-run").expect(0).out
            equal(snapshot(c.volume), before, "tree")
            check(not os.path.exists(c.manifest), "a manifest was written")
            equal(sorted(line.split()[4].lstrip("/") for line in said.splitlines()), sorted(ADDED), "paths")
        with tap.case("exactly the manifest's files are added, as it says; nothing that was there is changed but folders' times"):
            c.install().expect(0)
            after, told = snapshot(c.volume), c.told()
            equal({p: stat.S_IMODE(after[p][0]) for p in after.keys() - before.keys()}, ADDED, "added")
            equal({p for p in before if before[p] != after[p]}, {"opt", "etc/systemd/system", "etc/systemd/system/sysinit.target.wants"}, "changed")
            equal({e["path"].lstrip("/"): (int(e["mode"], 8), e["uid"], e["gid"], e.get("sha256") or e.get("target")) for e in told["entries"]},
                  {p: (stat.S_IMODE(after[p][0]), after[p][1], after[p][2], after[p][4]) for p in ADDED}, "manifest")
            equal({f["path"].lstrip("/"): (f["mtime_ns"], f["mtime"]) for f in told["folders_changed"]},
                  {p: (1_600_000_000_123456789, "2020-09-13T12:26:40Z") for p in before if before[p] != after[p]}, "folders whose times changed")
            with open(os.path.join(ROOT, "docs", "report.schema.json"), encoding="utf-8") as f:
                jsonschema.validate(told, json.load(f)["properties"]["installed"])  # what report --installed takes
            equal(c.again("--verify").expect(0).out, "install-offline: all is as it was installed\n")
        with tap.case("the sensor takes its configuration from there, in a root that holds nothing else"):
            p = subprocess.run(["chroot", c.volume, "/opt/flowproof/flowproof-sensor", "-c", "/opt/flowproof/sensor.conf", "--check"], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, check=False)
            equal(p.returncode, 0, p.stdout)
            for line in ("interface = ens5", "collector = 10.77.0.9:4739", f"id = {ID}", "key = /opt/flowproof/sensor.key"):
                match(rf"^{line.replace('.', '[.]')}$", p.stdout)
        with tap.case("installed once more: nothing is done; with other settings it is refused"):
            same = snapshot(c.volume)
            match("nothing was changed", c.install().expect(0).out)
            match("another installation", c.install("--set", "window = 600").expect(2).err)
            equal(snapshot(c.volume), same, "tree")
        with tap.case("what changed since is told, and not removed but by force; then every byte, mode, owner and time is as before"):
            with open(f"{c.volume}/opt/flowproof/sensor.conf", "a", encoding="utf-8") as f:
                f.write("# the intruder was here\n")
            os.chmod(f"{c.volume}/{UNIT}", 0o666)
            os.unlink(f"{c.volume}/{WANT}")
            for what, code in (("--verify", 1), ("--remove", 1)):
                said = c.again(what).expect(code).out
                equal(sorted(said.splitlines()), sorted(["/opt/flowproof/sensor.conf: content changed", f"/{UNIT}: mode or owner changed", f"/{WANT}: gone"]), what)
            check(os.path.exists(f"{c.volume}/opt/flowproof/sensor.key"), "something was removed")
            c.again("--remove", "--force").expect(0)
            equal(snapshot(c.volume), before, "tree")
            equal(c.told()["state"], "removed")


def other_trees(tap, keys):
    with tap.case("Amazon Linux's layout: labels of SELinux, in the manifest too; all is gone again after --remove"):
        with volume(keys, style="amazon") as c:
            os.rmdir(f"{c.volume}/opt")
            os.rmdir(f"{c.volume}/etc/systemd/system/sysinit.target.wants")
            before = snapshot(c.volume)
            c.install().expect(0)
            after = snapshot(c.volume)
            label = {"opt/flowproof/flowproof-sensor": "bin_t", "opt/flowproof/sensor.key": "etc_t", "opt/flowproof": "usr_t", UNIT: "systemd_unit_file_t",
                     WANT: "systemd_unit_file_t", "opt": "usr_t"}
            for path, kind in label.items():
                equal(after[path][5], {"security.selinux": f"system_u:object_r:{kind}:s0\0".encode()}, path)
            equal(after.keys() - before.keys(), ADDED.keys() | {"opt", os.path.dirname(WANT)}, "added")
            c.again("--remove").expect(0)
            equal(snapshot(c.volume), before, "tree")
    with tap.case("arm64 on an x86-64 machine: installed; that the settings could not be tried is said"):
        with volume(keys, machine=183) as c:
            match("for x86-64, the volume's programs for arm64", c.install().expect(2).err)
            r = c.install(sensor=os.path.join(build_dir(), ARM64, "flowproof-sensor")).expect(0)
            check("were not tried" in r.err or shutil.which("qemu-aarch64-static"), r.err)
    with tap.case("an installation that was cut off is undone by --remove"):
        with volume(keys) as c:
            before = snapshot(c.volume)
            c.install().expect(0)
            write(c.manifest, json.dumps(dict(c.told(), state="planned")))
            os.unlink(f"{c.volume}/{WANT}")
            match("state: planned", c.install().expect(2).err)
            c.again("--remove").expect(0)
            equal(snapshot(c.volume), before, "tree")
    with tap.case("a full disk: the error says so, and all is as it was"):
        with volume(keys, size="584K") as c:
            before = snapshot(c.volume)
            match("No space left on device; what had been added is taken away again", c.install().expect(3).err)
            equal(snapshot(c.volume), before, "tree")
            check(not os.path.exists(c.manifest), "a manifest is left")


def replace_by(c, path, target):
    """The folder or file at `path` on the volume becomes a link."""
    full = os.path.join(c.volume, path)
    if os.path.isdir(full) and not os.path.islink(full):
        shutil.rmtree(full)
    elif os.path.lexists(full):
        os.unlink(full)
    os.symlink(target, full)


def hostile(tap, keys):
    for path in ("opt", "opt/flowproof", "etc", "etc/systemd", "etc/systemd/system", "etc/systemd/system/sysinit.target.wants"):
        for target in ("outside", "../../../../../../../../../..", "/"):
            with tap.case(f"a volume whose /{path} links to {target}: nothing is written, inside or out"):
                with volume(keys) as c, folder() as outside:
                    os.makedirs(f"{outside}/systemd/system/sysinit.target.wants")
                    replace_by(c, path, outside if target == "outside" else target)
                    before, around = snapshot(c.volume), snapshot(outside)
                    match("is a symbolic link", c.install().expect(2).err)
                    equal(snapshot(c.volume), before, "volume")
                    equal(snapshot(outside), around, "outside")
                    check(not os.path.exists("/opt/flowproof") and not os.path.exists("/" + UNIT), "this machine was written to")
    for path in ("opt/flowproof/sensor.key", UNIT, WANT):
        with tap.case(f"a link that waits at /{path}: refused, and what it points at stays"):
            with volume(keys) as c, folder() as outside:
                os.makedirs(os.path.dirname(os.path.join(c.volume, path)), exist_ok=True)
                os.symlink(f"{outside}/victim", os.path.join(c.volume, path))
                match("nothing is overwritten", c.install().expect(2).err)
                equal(os.listdir(outside), [], "outside")
    with tap.case("fifos where files are read: nothing waits for a writer"):
        with volume(keys) as c:
            for path in ("etc/fstab", "etc/selinux"):
                shutil.rmtree(f"{c.volume}/{path}", ignore_errors=True)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"{c.volume}/{path}")
                os.mkfifo(f"{c.volume}/{path}")
            c.install().expect(0)
    with tap.case("a swapped folder is not removed through: --remove refuses the link that took its place"):
        with volume(keys) as c, folder() as outside:
            c.install().expect(0)
            shutil.copytree(f"{c.volume}/opt/flowproof", f"{outside}/copy")
            replace_by(c, "opt/flowproof", f"{outside}/copy")
            match("is a symbolic link", c.again("--remove", "--force").expect(2).err)
            check(os.path.exists(f"{outside}/copy/sensor.key"), "removed outside")
    with tap.case("another file system within the volume is not written to"):
        with volume(keys) as c:
            mount("tmpfs", f"{c.volume}/etc/systemd/system", "tmpfs")
            match("another file system is mounted at", c.install().expect(2).err)


def refused(tap, keys):
    def change(c, path, text):
        write(os.path.join(c.volume, path), text)

    dynamic = "/bin/true"
    rows = (
        ("no systemd", lambda c: os.unlink(f"{c.volume}/usr/lib/systemd/systemd"), {}, "has no systemd"),
        ("sysvinit", lambda c: replace_by(c, "usr/sbin/init", "/lib/sysvinit/init"), {}, "init is '/lib/sysvinit/init', not systemd"),
        ("a sensor with the system's libraries", lambda c: None, {"sensor": dynamic}, "linked with its system's libraries"),
        ("/opt is another disk there", lambda c: change(c, "etc/fstab", "UUID=2 /opt xfs defaults 0 0\n"), {}, "fstab mounts something at /opt"),
        ("a drop-in waits for the unit", lambda c: os.mkdir(f"{c.volume}/usr/lib/systemd/system/flowproof-sensor.service.d"), {}, "already has /usr/lib"),
        ("this machine's own root", lambda c: None, {"mount": "/"}, "this machine's own root"),
        ("settings that the sensor does not take", lambda c: None, {"set": "window = 61"}, "does not take these settings.*window"),
    )
    for name, spoil, how, words in rows:
        with tap.case(f"refused: {name}"):
            with volume(keys) as c:
                spoil(c)
                before = snapshot(c.volume)
                more = ["--set", how.pop("set")] if "set" in how else []
                match(words, c.install(*more, **how).expect(2).err)
                equal(snapshot(c.volume), before, "tree")
    with tap.case("refused: a manifest on the suspect's own volume"):
        with volume(keys) as c:
            c.manifest = f"{c.volume}/var/manifest.json"
            match("would lie on the suspect's volume", c.install().expect(2).err)


def analyze(root):
    p = subprocess.run(["systemd-analyze", f"--root={root}", "--man=no", "verify", "graphical.target", "cloud-init.target"], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, check=False)
    return p.stdout


def booted(tap, keys):
    with tap.case("among the units of Debian's cloud image: systemd has nothing to say, the sensor is wanted, and it goes before the network"):
        files = output("sh", os.path.join(ROOT, "scripts", "deps-static.sh"), "unpacked", "amd64", "bookworm", *PACKAGES).strip()
        with tmpfs() as d, folder() as away:
            shutil.copytree(files, d, symlinks=True, dirs_exist_ok=True)
            output("systemctl", f"--root={d}", "preset-all")
            check(os.path.lexists(f"{d}/etc/systemd/system/multi-user.target.wants/networking.service"), "ifupdown is enabled")
            equal(analyze(d), "", "before")
            c = Case(d, keys, os.path.join(away, "manifest.json"))
            c.install().expect(0)
            equal(analyze(d), "", "systemd-analyze verify")
            equal(output("systemctl", f"--root={d}", "is-enabled", "flowproof-sensor.service").strip(), "enabled")
            with open(f"{d}/{UNIT}", encoding="utf-8") as f:
                text = f.read()
            match(r"^After=local-fs.target sys-subsystem-net-devices-ens5.device$", text)
            # Were it an ordinary service, cloud-init or the sensor would be left out: so the silence above says something.
            write(f"{d}/{UNIT}", text.replace("DefaultDependencies=no\n", ""))
            match("Found ordering cycle", analyze(d), "an ordinary service")


def main():
    private_mounts()
    tap = Tap()
    with folder() as d:
        pki = Pki(os.path.join(d, "keys"))
        pki.issue(ID)
        installed(tap, pki.folder)
        other_trees(tap, pki.folder)
        hostile(tap, pki.folder)
        refused(tap, pki.folder)
        booted(tap, pki.folder)
    tap.done()


if __name__ == "__main__":
    main()
