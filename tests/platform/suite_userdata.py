#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_userdata.py BUILD_DIR   platform/ec2/user-data.sh in a root and a network of the test's own, without systemd (root): by URL and from a disk."""
import functools
import hashlib
import http.server
import os
import shutil
import sys
import tarfile
import threading

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "lib"))
from chroot import output, overlay, private_mounts  # noqa: E402
from harness import ROOT, Tap, build_dir, check, equal, folder, match, run, write  # noqa: E402
import net  # noqa: E402
from pki import Pki, collector  # noqa: E402

SCRIPT = os.path.join(ROOT, "platform", "ec2", "user-data.sh")
TRIPLET, ID, ADDRESS = "x86_64-linux-gnu", "i-userdata", "127.0.0.1:4739"
USER_DATA_MAX = 16384  # EC2's limit, before base64


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass


class Machine:
    """A root, a network with only lo, and what the sensor needs in `files`."""

    def __init__(self, root, ns, files):
        self.root, self.ns, self.files = root, ns, files

    def boot(self, **settings):
        with open(SCRIPT, "rb") as f:
            write(self.root + "/tmp/user-data", f.read())
        settings = {"COLLECTOR": ADDRESS, "ID": ID, "INTERFACE": "lo", **settings}
        return run("env", *(f"{k}={v}" for k, v in settings.items()), "sh", "/tmp/user-data", prefix=[*net.prefix(self.ns), "chroot", self.root])


def served(files, ns):
    """An HTTP server in the namespace; its address."""
    with net.inside(ns):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=files))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


def main():
    net.need_root("suite_userdata.py")
    private_mounts()
    tap = Tap()
    with tap.case("fits into user data, and is plain POSIX shell"):
        check(os.path.getsize(SCRIPT) <= USER_DATA_MAX, f"{os.path.getsize(SCRIPT)} bytes")
        output("sh", "-n", SCRIPT)
    with folder() as d, overlay() as root, net.Namespaces("ud") as nss:
        ns = nss.ud
        net.ip("-n", ns, "link", "set", "lo", "up")
        keys = Pki(os.path.join(d, "keys"))
        cert, key = keys.issue(ID)
        files = os.path.join(d, "files")
        os.mkdir(files)
        for source, name in ((os.path.join(build_dir(), TRIPLET, "flowproof-sensor"), "flowproof-sensor"), (keys.ca, "ca.crt"), (cert, "sensor.crt"), (key, "sensor.key")):
            shutil.copy(source, os.path.join(files, name))
        with tarfile.open(os.path.join(d, "all.tar.gz"), "w:gz") as t:
            for name in os.listdir(files):
                t.add(os.path.join(files, name), name)
        with open(os.path.join(d, "all.tar.gz"), "rb") as f:
            sha = hashlib.sha256(f.read()).hexdigest()
        server, url = served(d, ns)
        m = Machine(root, ns, files)
        with tap.case("what is missing or wrong is said, loudly, and nothing runs"):
            for words, settings in (("ID is not filled in", {"ID": ""}), ("URL without SHA256", {"URL": url}), ("no default route", {"INTERFACE": ""}),
                                    ("another SHA-256", {"URL": url + "/all.tar.gz", "SHA256": "0" * 64}),
                                    ("the sensor ended: .*eth9", {"URL": url + "/all.tar.gz", "SHA256": sha, "INTERFACE": "eth9"})):
                match("flowproof: NOT WATCHED: .*" + words, m.boot(**settings).expect(1).out)
        store = os.path.join(d, "store")
        with collector(store, ADDRESS, keys.options("collector"), prefix=net.prefix(ns)) as c:
            with tap.case("by URL: it says how long nobody watched, and the stream does"):
                with open("/proc/uptime", encoding="ascii") as f:
                    before = float(f.read().split()[0])
                said = m.boot(URL=url + "/all.tar.gz", SHA256=sha).expect(0).out
                unwatched = float(match(r"watching lo; the first ([\d.]+) s after the start of the kernel were not watched", said).group(1))
                check(before <= unwatched < before + 60, f"{unwatched} s, uptime {before}")
                c.wait_for(rf"{ID}.*connected|connected.*{ID}")
            with tap.case("nothing was written but to memory"):
                equal([p for p in ("/flowproof-sensor", "/opt/flowproof", "/etc/flowproof") if os.path.lexists(root + p)], [])
                equal(os.listdir(root + "/run/flowproof"), [], "below what the sensor's memory is mounted on")  # in mounts of its own
            pid = int(output(*net.prefix(ns), "pgrep", "-f", f"^/run/flowproof/flowproof-sensor .*{ID}").split()[0])
            os.kill(pid, 15)
            c.wait_for(rf"{ID}.*(goodbye|ended|left|gone)", limit=30)
            c.stop().expect(0)
        server.shutdown()
        with tap.case("the ledger's events tell the same seconds"):
            events = run("flowproof", "records", "-d", store, "--events").expect(0).out
            told = int(match(r"uptime_s[= ](\d+)", events).group(1))
            check(before - 1 <= told <= unwatched + 60, f"{told} s in the ledger, {unwatched} s said")
        with tap.case("from a disk that is labelled flowproof"):
            # Devices are this machine's: what blkid and mount would do is done by two of the test's own.
            write(root + "/usr/local/sbin/blkid", "#!/bin/sh\n[ \"$*\" = '-L flowproof' ] && echo /dev/disk-of-the-test\n")
            write(root + "/usr/local/sbin/mount", f"#!/bin/sh\ncase $* in\n*disk-of-the-test*) cp /tmp/disk/* /run/flowproof/disk ;;\n*) exec /bin/mount \"$@\" ;;\nesac\n")
            write(root + "/usr/local/sbin/umount", "#!/bin/sh\n:\n")
            for name in ("blkid", "mount", "umount"):
                os.chmod(f"{root}/usr/local/sbin/{name}", 0o755)
            shutil.copytree(files, root + "/tmp/disk")
            with collector(store, ADDRESS, keys.options("collector"), prefix=net.prefix(ns)) as c:
                match("watching lo; the first", m.boot().expect(0).out)
                os.kill(int(output(*net.prefix(ns), "pgrep", "-f", f"^/run/flowproof/flowproof-sensor .*{ID}").split()[0]), 15)
                c.stop()
    tap.done()


if __name__ == "__main__":
    main()
