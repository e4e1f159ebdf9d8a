#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_ledger.py BUILD_DIR   The ledger as the programs make it: audited, killed, full, deleted by retention, and its manifests read by hand.

The manifests are parsed here from the drawing in evidence/manifest.h, their digests computed by hashlib and their signatures checked by
openssl: nothing of that shares code with the programs.
"""
import ctypes
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden"))
from harness import Daemon, Tap, check, equal, folder, match, run, write  # noqa: E402
import make_captures as make  # noqa: E402
from pki import Pki, collector  # noqa: E402

HEAD, ENTRY = 40, 88
CLONE_NEWNS = 0x20000
MANIFEST = "@manifest"


class World:
    def __init__(self, d):
        self.d = d
        self.packets = sorted(make.udp_both(), key=lambda p: p.ns)
        self.capture = write(os.path.join(d, "replay.pcap"), make.pcap(self.packets))
        self.pki = Pki(os.path.join(d, "keys"))
        for name in ("one", "two"):
            self.pki.issue(name)
        self.n = 0

    def store(self):
        self.n += 1
        return os.path.join(self.d, f"store-{self.n}")

    def collector(self, store, *options, pair=None):
        keys = ["--ca", self.pki.ca, "--cert", pair[0], "--key", pair[1]] if pair else self.pki.options("collector")
        return collector(store, "127.0.0.1:0", [*keys, *options])

    def send(self, c, name="one"):
        """A replay by the sensor: a stream of its own, with goodbye."""
        run("flowproof-sensor", "-r", self.capture, "-s", c.address, "--id", name, *self.pki.options(name), limit=30).expect(0)

    def audit(self, store, code, *options):
        out = run("flowproof", "audit", "-d", store, "--ca", self.pki.ca, "--json", *options).expect(code).out
        equal(out.count("\n"), 1, "lines of JSON")
        said = json.loads(out)
        equal(said["verdict"], "intact" if code == 0 else said["first_fault"]["grade"], "verdict")
        return said


# ---- the format, by hand ----

def entries(path):
    """(type, manifest, stream, sequence, payload, offset) of each; raises if a byte is not as it is drawn."""
    with open(path, "rb") as f:
        data = f.read()
    equal(data[:20], b"flowproof-ledger" + struct.pack(">I", 1), "head")
    equal(struct.unpack(">I", data[20:24])[0], int(os.path.basename(path)[:8]), "number")
    at, found = HEAD, []
    while at < len(data):
        head = data[at:at + ENTRY]
        equal(head[:3], b"fpE", "mark")
        size, = struct.unpack(">I", head[4:8])
        payload = data[at + ENTRY:at + ENTRY + size]
        equal(len(payload), size, "payload")
        digest = hashlib.sha256(head[:56] + hashlib.sha256(payload).digest()).digest()
        equal(head[56:], digest, f"digest of the entry at {at}")
        found.append((head[3], struct.unpack(">Q", head[24:32])[0], head[32:48], struct.unpack(">Q", head[48:56])[0], payload, at))
        at += ENTRY + size
    return data[24:40], found


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        self.at += n
        check(self.at <= len(self.data), "cut")
        return self.data[self.at - n:self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def name(self):
        return self.take(self.number(1)).decode()


def parse_manifest(payload):
    c = Cursor(payload)
    equal(c.take(4), b"fpM1", "magic")
    m = {"kind": c.number(1), "more": c.number(1), "zero": c.number(2), "number": c.number(8), "time": c.number(8), "store": c.take(16),
         "previous": c.take(32), "signer": c.take(32), "ranges": [], "tombstones": [], "cuts": [], "certificate": None}
    while True:
        m["signed"] = payload[:c.at]
        kind = c.number(1)
        if kind == 0:
            m["signature"] = c.take(c.number(2))
            break
        if kind == 1:
            r = {"sensor": c.name()}
            for key, size in (("first", 4), ("number", 4), ("from", 8), ("to", 8)):
                r[key] = c.number(size)
            r["digest"] = c.take(32)
            for key, size in (("closed", 1), ("hello", 8), ("hellos", 4), ("batches", 4), ("records", 8), ("packets", 8),
                              ("first_s", 8), ("last_s", 8), ("received", 8), ("received_end", 8)):
                r[key] = c.number(size)
            r["streams"] = [(c.take(16), c.number(8), c.take(32)) for _ in range(c.number(2))]
            m["ranges"].append(r)
        elif kind == 2:
            m["tombstones"].append((c.name(), c.number(4), c.number(8), c.number(1)))
        elif kind == 3:
            m["cuts"].append((c.name(), c.number(4), c.number(8), c.number(8)))
        else:
            equal(kind, 4, "item")
            m["certificate"] = c.take(c.number(2))
    equal(c.at, len(payload), "end")
    return m


def manifests(store):
    found = []
    for name in sorted(os.listdir(os.path.join(store, MANIFEST))):
        _, there = entries(os.path.join(store, MANIFEST, name))
        for kind, _, _, sequence, payload, _ in there:
            equal(kind, 6, "type")
            found.append((sequence, parse_manifest(payload), payload))
    return found


def openssl_verifies(w, der, signed, signature):
    path = os.path.join(w.d, "openssl")
    write(path + ".der", der)
    key = subprocess.run(["openssl", "x509", "-inform", "DER", "-in", path + ".der", "-pubkey", "-noout"], capture_output=True, check=True)
    write(path + ".pub", key.stdout)
    write(path + ".sig", signature)
    done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", path + ".pub", "-signature", path + ".sig"],
                          input=b"flowproof-manifest-1" + signed, capture_output=True, check=False)
    return done.returncode == 0


def by_hand(tap, w):
    store = w.store()
    with w.collector(store) as c:
        w.send(c, "one")
        w.send(c, "two")
        w.send(c, "one")
        c.stop().expect(0)
    with tap.case("manifests as openssl and hashlib see them"):
        previous, covered, certificate = b"\0" * 32, {}, None
        for n, (sequence, m, payload) in enumerate(manifests(store), 1):
            equal((sequence, m["number"], m["more"], m["zero"]), (n, n, 0, 0), "number")
            equal(m["previous"], previous, "previous")
            certificate = m["certificate"] or certificate
            equal(m["signer"], hashlib.sha256(certificate).digest(), "signer")
            check(openssl_verifies(w, certificate, m["signed"], m["signature"]), f"signature of manifest {n}")
            check(not openssl_verifies(w, certificate, m["signed"] + b"x", m["signature"]), "openssl finds a changed one")
            for r in m["ranges"]:
                path = os.path.join(store, r["sensor"], f"{r['number']:08}.fpl")
                with open(path, "rb") as f:
                    data = f.read()
                equal(hashlib.sha256(data[r["from"]:r["to"]]).digest(), r["digest"], "digest of a range")
                equal(r["from"], covered.get(path, 0), "where the range begins")
                covered[path] = r["to"]
            previous = hashlib.sha256(payload).digest()
        equal([m["kind"] for _, m, _ in manifests(store)], [1, 3], "start and end")
        with open(w.pki.pair("collector")[0], encoding="ascii") as f:
            pem = "".join(line for line in f.read().splitlines() if "-----" not in line)
        equal(subprocess.run(["base64", "-d"], input=pem.encode(), capture_output=True, check=True).stdout, certificate, "certificate")
        for path, to in covered.items():
            equal(to, os.path.getsize(path), f"bytes of {path} that are covered")
        equal(sorted(covered), [os.path.join(store, s, "00000001.fpl") for s in ("one", "two")], "files")
    with tap.case("what a manifest counts is what the sensor said"):
        r = {r["sensor"]: r for _, m, _ in manifests(store) for r in m["ranges"]}
        equal((r["one"]["hellos"], r["two"]["hellos"]), (2, 1), "hellos")
        equal((r["one"]["packets"], r["two"]["packets"]), (2 * len(w.packets), len(w.packets)), "packets")
        equal(len(r["one"]["streams"]), 2, "streams of `one`")
        equal((r["two"]["first_s"], r["two"]["last_s"] >= make.T0 + 5), (make.T0 // 60 * 60, True), "span of time, with the window")
    with tap.case("audit: intact, with what was verified"):
        said = w.audit(store, 0)
        equal([s["sensor"] for s in said["sensors"]], ["one", "two"], "sensors")
        equal([len(s["streams"]) for s in said["sensors"]], [2, 1], "streams")
        for s in said["sensors"]:
            equal(s["bytes"], s["sealed_bytes"], "bytes")
            for t in s["streams"]:
                equal((t["end"], t["packets"], t["mode"]), ("goodbye", len(w.packets), "replay"), "stream")
                equal(t["signed_up_to"], t["sequence"], "the goodbye is signed")
        match(r"^verdict: intact$", run("flowproof", "audit", "-d", store, "--ca", w.pki.ca).expect(0).out)
    return store


def commands(tap, w, store):
    with tap.case("audit: exit codes"):
        run("flowproof", "audit", "-d", os.path.join(w.d, "nowhere"), "--ca", w.pki.ca).expect(3)
        run("flowproof", "audit", "-d", store, "--ca", os.path.join(w.d, "nowhere")).expect(3)
        run("flowproof", "audit", "-d", store).expect(2)
        run("flowproof", "audit", "--ca", w.pki.ca).expect(2)
        other = Pki(os.path.join(w.d, "other-keys"))
        said = json.loads(run("flowproof", "audit", "-d", store, "--ca", other.ca, "--json").expect(1).out)
        equal(said["verdict"], "broken", "another CA")
        copy = shutil.copytree(store, w.store())
        path = os.path.join(copy, "two", "00000001.fpl")
        with open(path, "r+b") as f:
            f.seek(100)
            byte = f.read(1)
            f.seek(100)
            f.write(bytes([byte[0] ^ 1]))
        said = w.audit(copy, 1)
        equal((said["verdict"], said["first_fault"]["file"]), ("broken", path), "a changed byte")
        check(said["first_fault"]["offset"] <= 100, "where")
    with tap.case("a head that was kept elsewhere finds a store that was put back"):
        old = shutil.copytree(store, w.store())
        with w.collector(store) as c:
            w.send(c, "two")
            c.stop().expect(0)
        heads = write(os.path.join(w.d, "heads"), run("flowproof", "seal", "-d", old).expect(0).out +
                      run("flowproof", "seal", "-d", store).expect(0).out)
        w.audit(store, 0, "--heads", heads)
        w.audit(old, 0)
        said = w.audit(old, 1, "--heads", heads)
        equal(said["verdict"], "broken", "the older store")
        match("whose head was taken down", said["first_fault"]["reason"])
        run("flowproof", "audit", "-d", store, "--ca", w.pki.ca, "--heads", write(heads, "nonsense\n")).expect(2)
    with tap.case("a new certificate of the collector goes on in the same chain"):
        keys = os.path.join(w.d, "keys2")
        shutil.copytree(w.pki.folder, keys)
        for end in ("crt", "key"):
            os.unlink(os.path.join(keys, f"collector.{end}"))
        pair = (os.path.join(keys, "collector.crt"), os.path.join(keys, "collector.key"))
        subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", pair[1],
                        "-subj", "/CN=flowproof-collector", "-out", keys + "/c.csr"], check=True, capture_output=True)
        write(keys + "/ext", "extendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\nbasicConstraints=CA:FALSE\n"
                             "subjectAltName=DNS:flowproof-collector\n")
        subprocess.run(["openssl", "x509", "-req", "-in", keys + "/c.csr", "-CA", keys + "/ca.crt", "-CAkey", keys + "/ca.key", "-days", "9",
                        "-sha256", "-extfile", keys + "/ext", "-CAserial", keys + "/serial", "-CAcreateserial", "-out", pair[0]],
                       check=True, capture_output=True)
        with w.collector(store, pair=pair) as c:
            w.send(c, "one")
            c.stop().expect(0)
        equal(len(w.audit(store, 0)["manifests"]["certificates"]), 2, "certificates")


def killed(tap, w):
    store = w.store()
    with tap.case("a collector that runs is no fault; killed it is incomplete; started again it goes on"):
        with w.collector(store, "--seal-s", "1") as c:
            equal(w.audit(store, 0)["running"], True, "running")
            w.send(c)
            equal(w.audit(store, 0)["running"], True, "running")
            c.kill()
        said = w.audit(store, 1)
        equal((said["verdict"], said["n_broken"]), ("incomplete", 0), "killed")
        with open(os.path.join(store, "one", "00000001.fpl"), "ab") as f:
            f.write(b"fpE\2\0\0\1\0torn")
        said = w.audit(store, 1)
        equal((said["verdict"], said["n_broken"]), ("incomplete", 0), "torn")
        with w.collector(store) as c:
            c.wait_for(r"one/00000001.fpl ended in an unfinished entry: 12 bytes", "err")
            c.stop().expect(0)
        said = w.audit(store, 0)
        equal((said["manifests"]["starts_after_crash"], said["manifests"]["bytes_cut_at_starts"]), (1, 12), "what the start tells")
    with tap.case("silence is signed too"):
        with w.collector(store, "--seal-s", "1") as c:
            before = w.audit(store, 0)["manifests"]
            while w.audit(store, 0)["manifests"]["empty"] < before["empty"] + 2:
                check(c.alive(), "the collector runs")
            c.stop().expect(0)
        w.audit(store, 0)


def retention(tap, w):
    store, flows = w.store(), 50000
    big = write(os.path.join(w.d, "big.pcap"), make.pcap([
        make.udp_packet(make.ns(make.T0 + 5) + i * 1000, make.A, f"198.{18 + i // 65536}.{i // 256 % 256}.{i % 256}", 1024 + i, 53, 10)
        for i in range(flows)]))
    first = os.path.join(store, "one", "00000001.fpl")
    with tap.case("retention deletes whole closed segments, and the chain goes on over them"):
        with w.collector(store, "--seal-s", "1", "--segment-s", "1", "--retain-mib", "1") as c:
            for n in (1, 2, 3):
                run("flowproof-sensor", "-r", big, "-s", c.address, "--id", "one", *w.pki.options("one"), limit=60).expect(0)
                if os.path.exists(first):
                    check(os.path.getsize(first) > 400000, "bytes of one replay: three are more than a MiB")
                while len({r["number"] for _, m, _ in manifests(store) for r in m["ranges"] if r["closed"]}) < n:
                    check(c.alive(), "the collector runs")
            c.wait_for(r"one/00000001.fpl was deleted", "err")
            w.audit(store, 0)
            c.stop().expect(0)
        check(not os.path.exists(first), "the first segment is gone")
        tombstones = [t for _, m, _ in manifests(store) for t in m["tombstones"]]
        sealed = sum(r["to"] - r["from"] for _, m, _ in manifests(store) for r in m["ranges"] if r["number"] == 1)
        equal(tombstones[0], ("one", 1, sealed, 2), "tombstone")
        said = w.audit(store, 0)
        equal(said["manifests"]["tombstones"], len(tombstones), "tombstones")
        equal(said["sensors"][0]["first_segment"], len(tombstones) + 1, "first segment")
    with tap.case("what is left is read as before, and nobody misses what was deleted"):
        here = sum(t["records"] for t in json.loads(run("flowproof", "audit", "-d", store, "--ca", w.pki.ca, "--json").expect(0).out)
                   ["sensors"][0]["streams"])
        lines = run("flowproof", "records", "-d", store, "-F", "log-status").expect(0).out.splitlines()[1:]
        equal(lines.count("OK"), here, "records")
        check(0 < here < 3 * flows, "some are gone")


def small_disk(d, size):
    """A disk of its own, seen by this process and those it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    check(libc.unshare(CLONE_NEWNS) == 0, "a mount namespace")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    os.mkdir(d)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", d], check=True)


def disk_full(tap, w):
    disk = os.path.join(w.d, "disk")
    small_disk(disk, "2m")
    store, filler = os.path.join(disk, "store"), os.path.join(disk, "filler")
    with tap.case("a full disk: nothing is acknowledged, it is said once, and it goes on by itself when there is room"):
        with w.collector(store) as c:
            w.send(c, "one")
            with open(filler, "wb", buffering=0) as f:
                left = os.statvfs(disk)
                f.write(b"x" * (left.f_bavail * left.f_bsize - 64 * 1024))  # less than a sixteenth
            with Daemon("flowproof-sensor", "-r", w.capture, "-s", c.address, "--id", "two", *w.pki.options("two")) as s:
                c.wait_for("the disk of the store is full", "err")
                s.wait_for("cannot write its ledger", "err", count=2)
                check(s.alive(), "the sensor waits")
                equal(c.text("err").count("the disk of the store is full, but for"), 1, "told once")
                os.unlink(filler)
                c.wait_for("there is room on the disk again", "err")
                s.wait(60).expect(0)
            c.stop().expect(0)
        said = w.audit(store, 0)
        equal([t["packets"] for s in said["sensors"] for t in s["streams"]], [len(w.packets)] * 2, "packets")
    with tap.case("the kernel's own word for a full disk: what was acknowledged stays, the rest comes later"):
        store = os.path.join(disk, "store2")
        with w.collector(store) as c:
            w.send(c, "one")
            before = sorted(os.listdir(os.path.join(store, "one")))
            with open(filler, "wb", buffering=0) as f:
                try:
                    while True:
                        f.write(b"x" * 4096)
                except OSError:
                    pass
            with Daemon("flowproof-sensor", "-r", w.capture, "-s", c.address, "--id", "one", *w.pki.options("one")) as s:
                s.wait_for("cannot write its ledger", "err")
                equal(sorted(os.listdir(os.path.join(store, "one"))), before, "files")
                os.unlink(filler)
                s.wait(60).expect(0)
            c.stop().expect(0)
        equal(len(w.audit(store, 0)["sensors"][0]["streams"]), 2, "streams")


def main():
    tap = Tap()
    with folder() as d:
        w = World(d)
        store = by_hand(tap, w)
        commands(tap, w, store)
        killed(tap, w)
        retention(tap, w)
        disk_full(tap, w)
        subprocess.run(["umount", os.path.join(d, "disk")], check=False)
    tap.done()


if __name__ == "__main__":
    main()
