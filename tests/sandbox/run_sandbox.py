#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_sandbox.py BUILD_DIR   What sensor and collector may still do once they run: as they say, and as the kernel says."""
import os
import re
import shutil
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden"))
from harness import Daemon, Tap, check, equal, folder, match, program, run, summary, write  # noqa: E402
import make_captures as make  # noqa: E402
import net  # noqa: E402
from pki import Pki, collector  # noqa: E402

NOBODY = 65534
USER = 1000
SENSOR_IP, PEER_IP, LATER_IP = "10.88.0.2", "10.88.0.1", "10.88.0.77"
FORBIDDEN = ("open a file", "make a file", "run a program", "start a process", "trace a process", "read another process's memory",
             "signal another process", "become root", "map memory to be executed", "packet socket", "Unix socket", "netlink socket")
STATE = ("user", "group, and no other", "capabilities", "capability bounding set", "no new privileges", "root folder", "limits", "seccomp",
         "Landlock")


def lines_of(result):
    """{what: (ok or FAIL, detail)} in the order printed."""
    found, version = {}, False
    for line in result.out.splitlines():
        version = (version and not re.match("(ok|FAIL) ", line)) or bool(re.match(r"flowproof-\w+ \d", line))
        if version:
            continue  # a program that could be run said its version, and what it was made of
        m = match(r"^(ok|FAIL) (.+?): (.+)$", line)
        check(m[2] not in found, f"twice: {m[2]}")
        found[m[2]] = (m[1], m[3])
    return found


class World:
    def __init__(self, d):
        self.d = d
        self.packets = sorted(make.udp_both() + make.tcp_flags(), key=lambda p: p.ns)
        self.capture = write(os.path.join(d, "replay.pcap"), make.pcap(self.packets))
        self.pki = Pki(os.path.join(d, "keys"))
        for name in ("i-live", "i-file"):
            self.pki.issue(name)
        said = lines_of(run("flowproof-sensor", "--self-test"))
        # A build with sanitizers keeps what they need, and says so; then only the user, capabilities and privileges are looked at.
        self.sanitized = "sanitizers" in said["seccomp"][1]
        self.filtered = said["seccomp"][0] == "ok"


def status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def confined(w, pid, user=NOBODY):
    """As the kernel sees a running daemon."""
    s = status(pid)
    equal(s["Uid"].split(), [str(user)] * 4, "Uid")
    equal(s["Gid"].split(), [str(NOBODY)] * 4, "Gid")
    equal(s["Groups"].strip(), "", "Groups")
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        equal(int(s[name], 16), 0, name)
    equal(s["NoNewPrivs"], "1", "NoNewPrivs")
    equal(s["Threads"], "1", "Threads")
    if w.filtered:
        equal(s["Seccomp"], "2", "Seccomp")
    return s


def limits(pid):
    with open(f"/proc/{pid}/limits", encoding="ascii") as f:
        return {m[1]: m[2] for m in re.finditer(r"^Max (.+?)  +(\S+) ", f.read(), re.M)}


def self_test(w, result, state=STATE, without=()):
    said = lines_of(result.expect(0, 1))
    for what in (*state, *FORBIDDEN):
        check(what in said, f"nothing is said of: {what}\n{result.out}")
    bad = {what: detail for what, (verdict, detail) in said.items() if verdict != "ok"}
    if w.sanitized:
        check(result.code == 1 and "seccomp" in bad, f"a build with sanitizers passes for sandboxed:\n{result.out}")
        return said
    equal({k: v for k, v in bad.items() if k not in without}, {}, "failed lines")
    equal(result.code, 1 if bad else 0, "exit code")
    if w.filtered:
        for what in FORBIDDEN[2:]:
            match("SIGSYS", said[what][1], what)
    return said


def sensor_self_test(tap, w):
    with tap.case("flowproof-sensor --self-test: everything is refused by trying"):
        said = self_test(w, run("flowproof-sensor", "--self-test"))
        equal(said["TCP socket"][0], "ok", "TCP socket")
        equal(said["user"][1].split(), [str(NOBODY)] * 4, "user")
    with tap.case("--self-test as another user, and without root"):
        equal(self_test(w, run("flowproof-sensor", "--self-test", "--user-id", "4242"))["user"][1].split(), ["4242"] * 4, "user")
        copy = shutil.copy(program("flowproof-sensor"), os.path.join(w.d, "sensor"))
        said = self_test(w, run(copy, "--self-test", prefix=without_root(USER)))
        equal(said["user"][1].split(), [str(USER)] * 4, "user")


def collector_self_test(tap, w):
    with tap.case("flowproof-collector --self-test: only its store can be written, and nothing stays there"):
        self_test(w, run("flowproof-collector", "--self-test"))
        store = os.path.join(w.d, "store-of-self-test")
        os.mkdir(store, 0o700)
        write(os.path.join(store, "a-file"), "x")
        said = self_test(w, run("flowproof-collector", "--self-test", "-d", store))
        equal(said["write in the store"][0], "ok", "write in the store")
        equal(os.listdir(store), ["a-file"], "what is in the store")
    with tap.case("the same without root"):
        os.chown(store, USER, USER)
        copy = shutil.copy(program("flowproof-collector"), os.path.join(w.d, "collector"))
        said = self_test(w, run(copy, "--self-test", "-d", store, prefix=without_root(USER)))
        equal(said["write in the store"][0], "ok", "write in the store")
        if not w.sanitized and "in force" in said["Landlock"][1]:
            match("Permission denied", said["open a file"][1], "by Landlock")


def without_root(user):
    return ("setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups")


def live(tap, w, ns):
    """Sensor and collector side by side over a window's end, so that all they do in their life was done once."""
    store = os.path.join(w.d, "store")
    with collector(store, PEER_IP + ":0", w.pki.options("collector"), net.prefix(ns.peer)) as c, \
            Daemon("flowproof-sensor", "-i", "eth0", "-s", c.address, "--id", "i-live", *w.pki.options("i-live"),
                   prefix=net.prefix(ns.inst)) as s:
        s.wait_for("uplink: connected")
        with tap.case("a running sensor: no root, no capability, no new privileges, filtered"):
            confined(w, s.p.pid)
        with tap.case("a running collector: the same"):
            confined(w, c.p.pid)
        if not w.sanitized:
            with tap.case("the sensor's root is an empty folder, and no file or folder is open"):
                pid = s.p.pid
                match(r"/proc/\d+/fdinfo(//deleted)?$", os.readlink(f"/proc/{pid}/root"), "root")
                equal(os.path.exists(f"/proc/{pid}/root/1"), False, "an entry of the root folder")
                opened = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
                opened = [o for o in opened if o.startswith("/") and o != "/dev/null"]
                # The list of packet sockets, which is looked at each minute: it can be read and nothing else.
                check({re.sub(r"\d+", "N", o) for o in opened} <= {"/proc/N/net/packet"}, f"open files {opened}")
            with tap.case("the collector's root is its store"):
                # The folder, not its path: within a chroot the kernel tells another one.
                check(os.path.samefile(f"/proc/{c.p.pid}/root", store), os.readlink(f"/proc/{c.p.pid}/root"))
                check(not os.path.samefile(f"/proc/{c.p.pid}/root", "/"), "the collector kept the host's root")
            with tap.case("limits: no process, no core, no file grows, few descriptors"):
                of_sensor, of_collector = limits(s.p.pid), limits(c.p.pid)
                equal({k: of_sensor[k] for k in ("processes", "core file size", "file size")},
                      {"processes": "0", "core file size": "0", "file size": "0"})
                check(int(of_sensor["open files"]) < 64, of_sensor["open files"])
                equal({k: of_collector[k] for k in ("processes", "core file size")}, {"processes": "0", "core file size": "0"})
        with tap.case("addresses are read again after the start: one that came later is this machine's"):
            net.ip("-n", ns.inst, "addr", "add", LATER_IP + "/24", "dev", "eth0")
            datagrams_until(ns, s)
            s.wait_for(rf"unexpected egress: {LATER_IP}", "err", 1)
        with tap.case("both end well, and the store is another user's"):
            result = s.stop().expect(0)
            equal(summary(result.err)["kernel"], "0", "kernel dropped")
            c.stop().expect(0)
            equal(os.stat(store).st_uid, NOBODY, "owner of the store")
            check(os.path.exists(os.path.join(store, "i-live", "00000001.fpl")), "no segment")
    return store


def datagrams_until(ns, sensor):
    """One datagram a second from the address that came later, until the sensor says it is unexpected, or 75 s are over."""
    with net.sock(ns.inst, socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((LATER_IP, 0))
        with sensor.changed:
            for port in range(9000, 9075):
                s.sendto(b"x", (PEER_IP, port))
                if sensor.changed.wait_for(lambda: any(LATER_IP in t for _, _, t in sensor.lines) or sensor.open_pipes == 0, 1):
                    break


def handed_over(tap, w, store):
    with tap.case("a store that root's collector wrote is handed over, and one of nobody's stays so"):
        other = os.path.join(w.d, "store-of-root")
        for options, owner in ((["--no-sandbox"], 0), ([], NOBODY), ([], NOBODY), (["--user-id", "4242"], NOBODY)):
            user = 4242 if "--user-id" in options else owner
            with collector(other, "127.0.0.1:0", w.pki.options("collector") + options) as c:
                if "--no-sandbox" in options:
                    c.wait_for("--no-sandbox", "err")
                    s = status(c.p.pid)
                    equal((s["Uid"].split()[0], s["Seccomp"]), ("0", "0"), "without a sandbox")
                else:
                    confined(w, c.p.pid, user)
                if user == owner:
                    replay(w, c)
                c.stop().expect(0)
            for path in (other, os.path.join(other, "i-file"), os.path.join(other, "i-file", "00000001.fpl")):
                equal(os.stat(path).st_uid, owner, f"owner of {path} after {options}")
    with tap.case("the ledger holds what came before and after"):
        for s, name in ((other, "i-file"), (store, "i-live")):
            check(run("flowproof", "records", "-d", s, "--sensor", name).expect(0).out.count("\n") > 2, f"records of {name}")


def replay(w, c):
    result = run("flowproof-sensor", "-r", w.capture, "-s", c.address, "--id", "i-file", *w.pki.options("i-file"), limit=30).expect(0)
    equal(summary(result.err)["received"], len(w.packets), "frames")


def collector_without_root(tap, w):
    with tap.case("a collector without root keeps to its store by Landlock, and works"):
        store = os.path.join(w.d, "store-of-user")
        os.mkdir(store, 0o700)
        os.chown(store, USER, USER)
        keys = os.path.join(w.d, "keys-of-user")
        shutil.copytree(w.pki.folder, keys)
        for name in [keys, *(os.path.join(keys, n) for n in os.listdir(keys))]:
            os.chown(name, USER, USER)
        options = ["--ca", os.path.join(keys, "ca.crt"), "--cert", os.path.join(keys, "collector.crt"), "--key",
                   os.path.join(keys, "collector.key")]
        copy = shutil.copy(program("flowproof-collector"), os.path.join(w.d, "collector"))
        with Daemon(copy, "-d", store, "-l", "127.0.0.1:0", *options, prefix=without_root(USER)) as c:
            c.address = c.wait_for(r"listening on (\S+)", "err")[0][1]
            equal(status(c.p.pid)["Uid"].split()[0], str(USER), "Uid")
            replay(w, c)
            c.stop().expect(0)
        equal(sorted(os.listdir(store)), ["@manifest", "i-file"], "what is in the store")


def files(tap, w):
    with tap.case("a file to text as root: to standard output, to a file, from standard input, with the log in a file"):
        plain = run("flowproof-sensor", "-r", w.capture).expect(0)
        out = os.path.join(w.d, "out.txt")
        run("flowproof-sensor", "-r", w.capture, "-o", out).expect(0)
        with open(out, encoding="utf-8") as f:
            equal(f.read(), plain.out, "-o FILE")
        with open(w.capture, "rb") as f:
            equal(run("flowproof-sensor", "-r", "-", stdin=f.read()).expect(0).out, plain.out, "-r -")
        log = os.path.join(w.d, "log")
        run("sh", "-c", f'exec "$0" -r "$1" >"$2" 2>"$3"', program("flowproof-sensor"), w.capture, out, log).expect(0)
        with open(out, encoding="utf-8") as f:
            equal(f.read(), plain.out, "standard output is a file")
        with open(log, encoding="utf-8") as f:
            equal(summary(f.read())["received"], len(w.packets), "the summary in a file")
    with tap.case("--debug says what is in force, --no-sandbox warns"):
        match(r"(debug|warn) sandbox: user 65534, no capabilities", run("flowproof-sensor", "-r", w.capture, "--debug").expect(0).err)
        match(r"warn sandbox: off \(--no-sandbox\)", run("flowproof-sensor", "-r", w.capture, "--no-sandbox").expect(0).err)
    with tap.case("--lock-memory locks, and says when it cannot"):
        if w.sanitized:
            print("# a sanitizer's shadow cannot be locked")
        else:
            with Daemon("flowproof-sensor", "-i", "lo", "--lock-memory") as s:
                s.wait_for("watching lo")
                check(int(status(s.p.pid)["VmLck"].split()[0]) > 1000, status(s.p.pid)["VmLck"])
                s.stop().expect(0)
            copy = shutil.copy(program("flowproof-sensor"), os.path.join(w.d, "sensor"))
            capture = shutil.copy(w.capture, os.path.join(w.d, "readable.pcap"))
            os.chmod(capture, 0o644)
            result = run("sh", "-c", 'ulimit -l 64; exec "$0" "$@"', *without_root(USER), copy, "-r", capture, "--lock-memory").expect(3)
            match("--lock-memory", result.err)


def interface_lost(tap, w, ns):
    def watching():
        return Daemon("flowproof-sensor", "-i", "eth0", prefix=net.prefix(ns.inst))

    with tap.case("an interface that goes down and comes back: libpcap asks what became of it"):
        with watching() as s:
            s.wait_for("watching eth0")
            net.ip("-n", ns.inst, "link", "set", "eth0", "down")
            net.ip("-n", ns.inst, "link", "set", "eth0", "up")
            s.stop().expect(0, 3)
    with tap.case("an interface that disappears ends the sensor, also when it was seen to be down before"):
        with watching() as s:
            s.wait_for("watching eth0")
            net.ip("-n", ns.inst, "link", "set", "eth0", "down")
            turns(s, 3)
            net.ip("-n", ns.inst, "link", "del", "eth0")
            match("gone|disappeared", s.wait().expect(3).err)


def turns(sensor, n):
    """The sensor's loop has slept and run again n times: it has seen what was to be seen."""
    def switches():
        return int(status(sensor.p.pid)["voluntary_ctxt_switches"])

    begin, end = switches(), time.monotonic() + 20
    while switches() < begin + n:
        check(time.monotonic() < end, f"{n} turns of the loop within 20 s")
        time.sleep(0.05)


def main():
    net.need_root("run_sandbox")
    tap = Tap()
    with folder() as d, net.Namespaces("inst", "peer") as ns:
        w = World(d)
        net.veth(ns.inst, "eth0", [SENSOR_IP + "/24"], ns.peer, "eth0", [PEER_IP + "/24"])
        sensor_self_test(tap, w)
        collector_self_test(tap, w)
        files(tap, w)
        store = live(tap, w, ns)
        handed_over(tap, w, store)
        collector_without_root(tap, w)
        interface_lost(tap, w, ns)
    tap.done()


if __name__ == "__main__":
    main()
