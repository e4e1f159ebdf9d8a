#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_static.py BUILD_DIR   The static sensor, as it is carried: what it is, that it runs anywhere, that it runs nothing of its host.

`make test-static` builds what it looks at: BUILD_DIR/TRIPLET for this machine and 32-bit ARM (the latter under qemu-user),
BUILD_DIR/appliance/TRIPLET, BUILD_DIR/TRIPLET/full with mbedTLS' server for the collector, and BUILD_DIR with the shared programs.
"""
import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "lib"))
sys.path.insert(0, os.path.join(TESTS, "golden"))
from harness import PROGRAMS, ROOT, Daemon, Tap, build_dir, check, equal, folder, match, program, run, summary, write  # noqa: E402
import make_captures as make  # noqa: E402
import net  # noqa: E402
from pki import Pki, collector  # noqa: E402

NATIVE = os.uname().machine + "-linux-gnu"
EMULATED = {"arm-linux-gnueabihf": "qemu-arm-static"}
SUITE_LIMIT_S = 400
OLD_KERNEL = os.path.join(TESTS, "static", "old_kernel.py")


def built(triplet, *above):
    return os.path.join(build_dir(), *above, triplet, "flowproof-sensor")


def tool(*argv, cwd=None, env=None):
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=cwd, env=env)
    check(p.returncode == 0, f"{' '.join(argv)}: exit {p.returncode}\n{p.stdout[-3000:]}")
    return p.stdout


# ---- what it is ----

def one_file(path):
    match("static-pie linked, stripped", tool("file", path))
    said = tool("readelf", "-ldW", path)
    for word in ("INTERP", "NEEDED", "RPATH", "RUNPATH", "TEXTREL"):
        check(word not in said, f"{word} in:\n{said}")
    match(r"GNU_STACK.* RW ", said)


def host_paths(path):
    """Nothing of /etc can be asked: no resolver, no user or service database, no locale, no linker."""
    found = re.findall(rb"/(?:etc|usr|lib|lib64|var|home|root|work|build)/[\w./-]+|nsswitch|resolv\.conf|ld-linux|gconv|EVENT_NO", open(path, "rb").read())
    # libevent looks at no variable when it is told so; their names are there.
    equal([f for f in found if f != b"EVENT_NO"], [], "paths of the host in the program")


def versions(path, emulator=()):
    said = run(*emulator, path, "--version").expect(0).out
    match(r"\Aflowproof-sensor \d+\.\d+\.\d+$", said)
    match(r"^source \S+$", said)
    match(r"^configuration \w+ [0-9a-f]{12}$", said)
    match(r"^compiler gcc \d+", said)
    for name, release in (("musl", r"1\.2\."), ("libpcap", r"1\.10\."), ("libevent", r"2\.1\."), ("mbedtls", r"3\.6\."), ("protobuf-c", r"1\.")):
        match(rf"^library {name} {release}", said)


def budgets(triplet):
    d = os.path.join(build_dir(), "appliance", triplet)
    said = tool("/usr/bin/python3", os.path.join(ROOT, "scripts", "budget.py"), d, os.path.join(build_dir(), "appliance", "config"), triplet)
    processor = triplet.split("-")[0]
    for what in ("file", "memory-all"):
        match(rf"^ +ok +appliance/static/{processor}/{what}: ", said)
    for line in re.findall(r"^ +ok +(.*)$", said, re.M):
        print(f"# {line}")


def reproducible(d):
    """The same tree in another folder, built into another folder."""
    files = [f for f in tool("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).splitlines() if os.path.exists(os.path.join(ROOT, f))]
    there = os.path.join(d, "a", "longer path")[:-5] + "-elsewhere"
    for f in files:
        os.makedirs(os.path.dirname(os.path.join(there, f)), exist_ok=True)
        shutil.copy(os.path.join(ROOT, f), os.path.join(there, f))
    shutil.copy(os.path.join(build_dir(), "appliance", "config"), os.path.join(there, "the-config"))
    for triplet in (NATIVE, *EMULATED):
        o = os.path.join(d, "out", triplet)
        prefix = (EMULATED[triplet],) if triplet in EMULATED else ()
        source = match(r"^source (\S+)$", run(*prefix, built(triplet, "appliance"), "--version").out)[1]
        tool("make", "-j2", "-C", there, f"O={o}", f"STATIC={triplet}", f"SOURCE={source}", "KCONFIG_CONFIG=the-config", f"{o}/flowproof-sensor",
             env=dict(os.environ, CCACHE_DISABLE="1"))
        first, second = (hashlib.sha256(open(p, "rb").read()).hexdigest() for p in (built(triplet, "appliance"), f"{o}/flowproof-sensor"))
        equal(second, first, f"{triplet}: SHA-256 of two builds")


# ---- that it does what the other build does ----

def arrange(d, name, sensor, others, before=()):
    """A build folder in which flowproof-sensor is `sensor`, run by the command `before`."""
    there = os.path.join(d, name)
    os.mkdir(there)
    for p in PROGRAMS[1:]:
        os.symlink(os.path.join(others, p), os.path.join(there, p))
    path = os.path.join(there, "flowproof-sensor")
    if before:
        write(path, f"#!/bin/sh\nexec {' '.join(before)} {sensor} \"$@\"\n")
        os.chmod(path, 0o755)
    else:
        shutil.copy(sensor, path)
    return there


def suite(tap, where, name, why):
    """One of the suites of `make test`, with another sensor."""
    with tap.case(f"{name} with {why}"):
        p = subprocess.run([sys.executable, os.path.join(TESTS, name + ".py"), where], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           timeout=SUITE_LIMIT_S, check=False)
        failed = re.findall(r"^not ok .*(?:\n#.*)*", p.stdout, re.M)
        check(p.returncode == 0 and not failed, "\n".join(failed)[-4000:] or p.stdout[-3000:])
        ran = len(re.findall(r"^ok ", p.stdout, re.M))
        equal(re.findall(r"^1\.\.(\d+)$", p.stdout, re.M), [str(ran)], "plan and tests that ran")
        print(f"# {ran} tests")


FILTERS = ("", "tcp", "udp port 53", "host 10.0.0.5", "host 2001:db8::5", "net 10.0.0.0/8", "ip6 host ::1", "ip6 net 2001:db8::/32",
           "host 2001:db8:0:1:2:3:4:5 or icmp6", "ip6 host ::ffff:10.0.0.5", "ether host 02:00:00:00:00:01", "ether src 02-00-00-00-00-01",
           "ip[0] & 0xf != 5", "tcp[13] & 2 != 0", "ip[2:2] > 100", "vlan", "portrange 1-1024", "icmp[icmptype] = icmp-echo",
           "ip proto 17", "ip proto \\udp", "not port 443 and (tcp or udp)", "less 100", "mpls", "pppoes",
           # what no one can mean
           "host 1:2:3", "host 1::2::3", "host 1:2:3:4:5:6:7:8:9", "host 10.0.0", "host 300.1.1.1", "port", "ether host 2:3", "host ::1::", "tcp[")


def filters(d):
    """Debian's libpcap, whose scanner was left as it is, is the judge of what the static one makes of an expression."""
    packets = sorted(make.udp_both() + make.tcp_flags() + make.icmp() + make.options_and_chains() + make.tagged(), key=lambda p: p.ns)
    capture = write(os.path.join(d, "filters.pcap"), make.pcap(packets))
    chosen = set()
    for f in FILTERS:
        want, got = (run(p, "-r", capture, "-f", f) for p in (program("flowproof-sensor"), built(NATIVE)))
        equal((got.code, got.out), (want.code, want.out), f"-f '{f}'; standard error:\n{got.err}")
        chosen.add(got.out if got.code == 0 else got.code)
    check(2 in chosen and len(chosen) > 12, "the expressions choose too much alike")


def names(d):
    capture = write(os.path.join(d, "names.pcap"), make.pcap(make.udp_both()))
    for f, pattern in (("host localhost", "localhost"), ("port http", "http"), ("net loopback", "loopback")):
        match(pattern, run(built(NATIVE), "-r", capture, "-f", f).expect(2).err, f)


def tls_versions(tap, d, keys, full, sensor, triplet):
    """A replay, acknowledged. `sensor`: the command."""
    packets = make.udp_both()
    capture = write(os.path.join(d, "tls.pcap"), make.pcap(packets))
    options = ("--id", "i-ca", *keys.options("i-ca"))
    for name, want in ((program("flowproof-collector"), "TLSv1.2"), (os.path.join(full, "flowproof-collector"), "TLSv1.3")):
        with tap.case(f"{triplet}: {want} with a collector that speaks it, every batch acknowledged"):
            store = os.path.join(d, f"store-{want}-{triplet}")
            with Daemon(name, "-d", store, "-l", "127.0.0.1:0", *keys.options("collector")) as c:
                address = c.wait_for(r"listening on (\S+)", "err")[0][1]
                result = run(*sensor, "-r", capture, "-s", address, *options).expect(0)
                equal(summary(result.err)["received"], len(packets), "frames")
                match(rf"uplink: connected to \S+ by {want}\b", result.err)
                c.stop().expect(0)
            want_lines = run(program("flowproof-sensor"), "-r", capture).expect(0).out.count("\n")
            equal(run("flowproof", "records", "-d", store).expect(0).out.count("\n"), want_lines, "records in the ledger")


# ---- that it needs nothing, and runs nothing ----

def chroot(d, name, *files):
    root = os.path.join(d, name)
    os.mkdir(root)
    for f in files:
        shutil.copy(f, root)
    return root


def empty_root(tap, d, keys, ns):
    packets = sorted(make.udp_both() + make.tcp_flags(), key=lambda p: p.ns)
    capture = write(os.path.join(d, "empty.pcap"), make.pcap(packets))
    sensor = built(NATIVE)
    root = chroot(d, "empty", sensor, capture, keys.ca, *keys.pair("i-empty"))
    inside = ("chroot", root, "/flowproof-sensor")
    options = ("--id", "i-empty", "--ca", "/ca.crt", "--cert", "/i-empty.crt", "--key", "/i-empty.key")
    with tap.case("in an empty chroot: a file to text, as outside"):
        equal(run(*inside, "-r", "/empty.pcap").expect(0).out, run(sensor, "-r", capture).expect(0).out)
    with tap.case("in an empty chroot: a file to a collector, live capture, alerts; another user without capabilities"):
        with collector(os.path.join(d, "store-empty"), "10.99.0.1:0", keys.options("collector"),
                       net.prefix(ns.peer)) as c:
            result = run(*net.prefix(ns.inst), *inside, "-r", "/empty.pcap", "-s", c.address, *options).expect(0)
            equal(summary(result.err)["received"], len(packets), "frames")
            with Daemon(*net.prefix(ns.inst), *inside, "-i", "eth0", "-s", c.address, *options) as s:
                s.wait_for(r"uplink: connected to \S+ by TLSv1\.[23]")
                status = open(f"/proc/{s.p.pid}/status", encoding="ascii").read()
                equal(os.path.realpath(f"/proc/{s.p.pid}/root"), root, "its root")
                match(r"^Uid:\t65534\t65534\t65534\t65534$", status)
                match(r"^CapPrm:\t0+$", status)
                match(r"^Seccomp:\t2$", status)
                with net.sock(ns.inst, socket.AF_INET, socket.SOCK_DGRAM) as out:
                    out.sendto(b"x", ("10.99.0.1", 9))
                s.wait_for("unexpected egress: 10.99.0.2")
                s.stop().expect(0)
            c.stop().expect(0)
        equal(sorted(os.listdir(root)), ["ca.crt", "empty.pcap", "flowproof-sensor", "i-empty.crt", "i-empty.key"], "the chroot's files")


HOSTILE_C = """
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void ran(void) { close(open("/ran", O_CREAT | O_WRONLY, 0600)); }
"""
VICTIM_C = """
#include <netdb.h>
int main(void) { struct addrinfo *res; (void)getaddrinfo("flowproof.example", "http", 0, &res); return 0; }
"""


def hostile_root(tap, d, keys):
    """A host whose every NSS lookup, preload and library runs the intruder's code. A static glibc program falls for it."""
    packets = make.udp_both()
    root = chroot(d, "hostile", built(NATIVE), write(os.path.join(d, "h.pcap"), make.pcap(packets)))
    library = os.path.join(root, "lib", NATIVE)
    os.makedirs(library)
    os.symlink(f"lib/{NATIVE}", os.path.join(root, "lib64"))
    hostile = os.path.join(library, "libnss_evil.so.2")
    tool("gcc", "-shared", "-fPIC", "-o", hostile, write(os.path.join(d, "hostile.c"), HOSTILE_C))
    tool("gcc", "-static", "-w", "-o", os.path.join(root, "victim"), write(os.path.join(d, "victim.c"), VICTIM_C))
    for name in ("libc.so.6", "ld-linux-x86-64.so.2"):
        shutil.copy(os.path.realpath(f"/lib/{NATIVE}/{name}"), os.path.join(library, name))
    os.mkdir(os.path.join(root, "etc"))
    services = "".join(f"{database}: evil\n" for database in ("passwd", "group", "hosts", "services", "networks", "protocols", "ethers"))
    for name, text in (("nsswitch.conf", services), ("ld.so.preload", f"/lib/{NATIVE}/libnss_evil.so.2\n"), ("resolv.conf", "nameserver 127.0.0.1\n"),
                       ("hosts", "10.0.0.5 flowproof.example\n"), ("services", "http 80/tcp\n"), ("localtime", "x" * 4096)):
        write(os.path.join(root, "etc", name), text)
    ran = os.path.join(root, "ran")
    preload = {"LD_PRELOAD": f"/lib/{NATIVE}/libnss_evil.so.2", "LD_LIBRARY_PATH": "/lib", "GCONV_PATH": "/lib", "EVENT_SHOW_METHOD": "1",
               "EVENT_NOEPOLL": "1", "EVENT_EPOLL_USE_CHANGELIST": "1", "LD_AUDIT": f"/lib/{NATIVE}/libnss_evil.so.2"}
    env = [f"{k}={v}" for k, v in preload.items()]
    with tap.case("the control: a static glibc program runs the hostile NSS module"):
        tool("chroot", root, "/victim")
        check(os.path.exists(ran), "the trap is none")
        os.unlink(ran)
    with tap.case("the sensor runs nothing of a hostile host: not for names, not by its environment"):
        with collector(os.path.join(d, "store-hostile"), "127.0.0.1:0", keys.options("collector")) as c:
            for f in (keys.ca, *keys.pair("i-hostile")):
                shutil.copy(f, root)
            inside = ("env", *env, "chroot", root, "/flowproof-sensor")
            # env(1) and chroot(1) themselves would load what LD_PRELOAD names; it is not there outside the chroot.
            equal(run(*inside, "-r", "/h.pcap").expect(0).out, run(program("flowproof-sensor"), "-r", os.path.join(d, "h.pcap")).out, "records")
            for f in ("host flowproof.example", "port http", "net evil", "ether host evil", "ip proto evil"):
                run(*inside, "-r", "/h.pcap", "-f", f).expect(2)
            result = run(*inside, "-r", "/h.pcap", "-s", c.address, "--id", "i-hostile", "--ca", "/ca.crt", "--cert", "/i-hostile.crt", "--key",
                         "/i-hostile.key").expect(0)
            check("libevent" not in result.err, "libevent heeded a variable:\n" + result.err)
            c.stop().expect(0)
        check(not os.path.exists(ran), "the host's code ran")


def old_kernel(tap, d):
    with tap.case("the wrapper of old kernels: getrandom(2) is not there, what 3.10 had is"):
        code = ("import errno, os\ntry:\n os.getrandom(1)\nexcept OSError as e:\n print(errno.errorcode[e.errno])\n"
                "try:\n os.memfd_create('x')\nexcept OSError as e:\n print(errno.errorcode[e.errno])\nprint(os.getpid() > 0)")
        equal(tool(sys.executable, OLD_KERNEL, sys.executable, "-c", code).split(), ["ENOSYS", "ENOSYS", "True"])
    where = arrange(d, "old", built(NATIVE), build_dir(), (sys.executable, OLD_KERNEL))
    for name in ("golden/run_golden", "netns/run_e2e"):
        suite(tap, where, name, "the system calls of Linux 3.10 alone")
    with tap.case("Linux 3.10 in an empty chroot: without /dev/urandom it says what is missing instead of guessing"):
        root = chroot(d, "old-root", built(NATIVE), write(os.path.join(d, "o.pcap"), make.pcap(make.udp_both())))
        before = (sys.executable, OLD_KERNEL, shutil.which("chroot"), root, "/flowproof-sensor")
        run(*before, "-r", "/o.pcap").expect(0)  # a file to text needs none
        result = run(*before, "-i", "lo")
        check(result.code != 0, "it went on")
        match("no random bytes", result.err)


# ---- the CA built in ----

def built_in_ca(tap, d, keys):
    with tap.case("a CA that was built in: --ca is not needed, and another CA's collector is refused"):
        o = os.path.join(build_dir(), "built-in-ca")
        os.makedirs(o, exist_ok=True)
        shutil.copy(keys.ca, os.path.join(o, "ca.crt"))
        write(os.path.join(o, "config"), f'# CONFIG_COLLECTOR is not set\n# CONFIG_ANALYST is not set\nCONFIG_TLS_CA_FILE="{o}/ca.crt"\n')
        tool("make", "-j2", "-C", ROOT, f"O={o}/{NATIVE}", f"STATIC={NATIVE}", f"KCONFIG_CONFIG={o}/config", f"{o}/{NATIVE}/flowproof-sensor")
        sensor = f"{o}/{NATIVE}/flowproof-sensor"
        capture = write(os.path.join(d, "ca.pcap"), make.pcap(make.udp_both()))
        cert, key = keys.pair("i-ca")
        args = ("-r", capture, "--id", "i-ca", "--cert", cert, "--key", key)
        with collector(os.path.join(d, "store-ca"), "127.0.0.1:0", keys.options("collector")) as c:
            run(sensor, *args, "-s", c.address).expect(0)
            match("--collector needs --id, --ca, --cert and --key", run(built(NATIVE), *args, "-s", c.address).expect(2).err)
            c.stop().expect(0)
        other = Pki(os.path.join(d, "other-keys"))
        with collector(os.path.join(d, "store-other"), "127.0.0.1:0", other.options("collector")) as c, Daemon(sensor, *args, "-s", c.address) as s:
            s.wait_for("certificate not signed by our CA")


def main():
    net.need_root("suite_static")
    tap = Tap()
    with folder() as d, net.Namespaces("inst", "peer") as ns:
        net.veth(ns.inst, "eth0", ["10.99.0.2/24"], ns.peer, "eth0", ["10.99.0.1/24"])
        keys = Pki(os.path.join(d, "keys"))
        for name in ("i-empty", "i-hostile", "i-ca"):
            keys.issue(name)
        for triplet in (NATIVE, *EMULATED):
            with tap.case(f"{triplet}: static-pie, no interpreter, stripped"):
                one_file(built(triplet))
            with tap.case(f"{triplet}: no path of a host's files"):
                host_paths(built(triplet))
            with tap.case(f"{triplet}: --version names source, configuration and libraries"):
                versions(built(triplet), (EMULATED[triplet],) if triplet in EMULATED else ())
            with tap.case(f"{triplet}: the appliance's budgets"):
                budgets(triplet)
        with tap.case("two builds in two folders are byte-identical"):
            reproducible(d)
        static = arrange(d, "static", built(NATIVE), build_dir())
        for name in ("golden/run_golden", "netns/run_e2e", "netns/run_certs", "sandbox/run_sandbox", "size/run_rss", "tail/run_tail"):
            suite(tap, static, name, "the static sensor and the shared collector")
        full = os.path.join(build_dir(), NATIVE, "full")
        suite(tap, arrange(d, "full", built(NATIVE), full), "netns/run_e2e", "the static sensor and a collector with mbedTLS 3.6")
        for triplet, emulator in EMULATED.items():
            suite(tap, arrange(d, triplet, built(triplet), build_dir(), (emulator,)), "golden/run_golden", f"the sensor for {triplet}, emulated")
        with tap.case("filter expressions mean what they mean to Debian's libpcap"):
            filters(d)
        with tap.case("names in filter expressions are refused: nothing resolves them"):
            names(d)
        tls_versions(tap, d, keys, full, (built(NATIVE),), NATIVE)
        empty_root(tap, d, keys, ns)
        hostile_root(tap, d, keys)
        old_kernel(tap, d)
        built_in_ca(tap, d, keys)
    tap.done()


if __name__ == "__main__":
    main()
