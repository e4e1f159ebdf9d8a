#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_uplink.py BUILD_DIR   Nothing lost, nothing twice between sensor and ledger: links that are cut after N bytes, a collector that is
killed, a sensor that is killed with its spool in a file, a spool that is too small, a collector that goes silent, a second collector.

What was sent is known by arithmetic: flow number i has 1 + i % 3 datagrams. It must be in the ledger once, or be declared to be
given up, to the last packet. The schedules are random; the seed is printed and may be given as FAULT_SEED.
"""
import collections
import concurrent.futures
import contextlib
import os
import random
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Daemon, Tap, check, equal, folder, match, run, summary  # noqa: E402
import net  # noqa: E402
from pki import collector  # noqa: E402
from world import FLOWS, Proxy, World, all_of, events, free_port, in_spool, records, stored_bytes, stream_sums, wait_until  # noqa: E402

CUTS = 48
SEED = int(os.environ.get("FAULT_SEED") or random.randrange(1 << 30))


def delivered(w, store, name):
    equal(sorted((records(os.path.join(w.d, store), name) - all_of(FLOWS)).items())[:5], [], "records too many")
    equal(sorted((all_of(FLOWS) - records(os.path.join(w.d, store), name)).items())[:5], [], "records missing")
    sums = stream_sums(os.path.join(w.d, store), name)
    equal([(s["goodbye"], s["gaps"]) for s in sums], [(True, 0)], "streams: goodbye and gaps")
    check(sums[0]["signed"] > 0, "no batch was signed")
    return sums[0]


def cut_links(w):
    """Each run loses two connections, after any number of bytes each way: in the handshake, the Hello, a batch, an acknowledgement."""
    rng = random.Random(SEED)
    cuts, reconnected = 0, 0
    with w.collector("cut", 0) as c:
        def one(n):
            limits = [(rng.choice((n * 2000, rng.randrange(90000))), None, n % 2 == 0), (None, rng.randrange(4000), n % 3 == 0)]
            proxy = Proxy(c.address, limits)
            with w.replay(f"cut-{n}", proxy.address) as s:
                s.wait(60).expect(0)
            proxy.close()
            return proxy.cut, delivered(w, "cut", f"cut-{n}")["hellos"]
        for n in range(CUTS):
            w.options(f"cut-{n}")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for cut, hellos in pool.map(one, range(CUTS)):
                cuts += cut
                reconnected += hellos > 1
        c.stop().expect(0)
    check(cuts >= CUTS, f"only {cuts} cuts")
    check(reconnected > CUTS // 4, f"only {reconnected} streams were resumed after a Hello")


def killed_collector(w):
    """SIGKILL when so many bytes are in the ledger, and a new collector over the same store."""
    rng = random.Random(SEED + 1)
    for n in range(6):
        port, name, store = free_port(), f"killed-{n}", os.path.join(w.d, f"killed-{n}")
        c = w.collector(f"killed-{n}", port)
        with w.replay(name, c.address) as s:
            for _ in range(2):
                want = stored_bytes(store) + rng.randrange(1, 30000)
                end = time.monotonic() + 20
                while stored_bytes(store) < want and s.alive() and time.monotonic() < end:
                    time.sleep(0.001)
                c.kill()
                c = w.collector(f"killed-{n}", port)
            s.wait(60).expect(0)
        c.stop().expect(0)
        delivered(w, f"killed-{n}", name)


@contextlib.contextmanager
def instance():
    """A namespace with a cable, and the collector at its other end."""
    with net.Namespaces("inst", "col") as ns:
        net.veth(ns.inst, "eth0", ["10.9.0.1/24"], ns.col, "eth0", ["10.9.0.2/24"])
        yield ns


def send(ns, flows, first=0):
    """Datagrams of flow number i from port 1024 + i to one port of the other end, which swallows them."""
    with net.sock(ns.col, socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("10.9.0.2", 7000))
        for i in range(first, first + flows):
            with net.sock(ns.inst, socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind(("10.9.0.1", 1024 + i))
                for _ in range(1 + i % 3):
                    s.sendto(b"fault", ("10.9.0.2", 7000))


def live(w, ns, name, address, *args):
    return Daemon("flowproof-sensor", "-i", "eth0", "--local", "10.9.0.1", "-f", "udp", *args, "-s", address, *w.options(name),
                  prefix=net.prefix(ns.inst))


def lines_of(path):
    with contextlib.suppress(FileNotFoundError), open(path, encoding="ascii") as f:
        return [line for line in f if " 7000 17 " in line]
    return []


def killed_sensor(w, ns):
    """No collector; a window closes and its records go into the file; SIGKILL; the next run delivers them under the old stream."""
    store, spool, text = (os.path.join(w.d, n) for n in ("revived", "spool", "text"))
    port, flows = free_port(), 300
    address = f"10.9.0.2:{port}"
    args = ("--spool", f"{spool}, 4M", "-o", text)
    with live(w, ns, "revived", address, *args) as s:
        s.wait_for("capture: watching", "err")
        s.wait_for(r"spool: 4088 KiB in .*spool: about \d+ records; at 1,000 records a minute \d+\.\d hours", "err")
        send(ns, flows)
        # Text and spool get a record in the same moment; the batch is closed a second later at the latest.
        wait_until(lambda: len(lines_of(text)) == flows, "the window's records")
        wait_until(lambda: in_spool(spool) >= 3, "a hello, the start and the window's records in the file")
        s.p.send_signal(signal.SIGKILL)
        s.wait()
    equal(run("flowproof-sensor", "-i", "eth0", "--spool", f"{spool}, 4M", "-s", address, *w.options("another"), prefix=net.prefix(ns.inst),
              limit=20).code, 2, "a sensor of another name takes the file")
    with live(w, ns, "revived", address, "--spool", f"{spool}, 4M") as s:
        found = s.wait_for(r"spool: .*: (\d+) batches of (\d+) records in 1 streams of former runs, .*; 0 bytes in it are torn", "err")[0]
        check(int(found[2]) >= flows, f"{found[2]} records found of {flows}")
        with collector(store, address, w.pki.options("collector"), prefix=net.prefix(ns.col)) as c:
            s.wait_for(r"connected to .* of a former run", "err", limit=60)
            s.wait_for(r"connected to .*durable up to batch 0$", "err", limit=60)
            s.stop().expect(0)
            c.stop().expect(0)
    got = collections.Counter({k: n for k, n in records(store, "revived").items() if 1024 <= k[0] < 1024 + flows})
    equal(got, all_of(flows), "records of the run that was killed")
    sums = stream_sums(store, "revived")
    equal(sorted((s["goodbye"], s["gaps"]) for s in sums), [(False, 0), (True, 0)], "two streams: goodbye and gaps")
    kinds = [e["event"] for e in events(store, "revived")]
    check("spool-recovered" in kinds and kinds.count("start") == 2, kinds)


def small_spool(w, ns):
    """A flood with the collector away: what is in the ledger and what it is told was given up is all that was recorded."""
    store, port = os.path.join(w.d, "small"), free_port()
    address = f"10.9.0.2:{port}"
    with live(w, ns, "small", address, "--spool-kib", "64", "--flow-slots", "1024") as s:
        s.wait_for("capture: watching", "err")
        # Every datagram a flow of its own, three times over the ports: the table writes them out early.
        with net.sock(ns.inst, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            for i in range(150_000):
                ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, bytes((10, 9, 0, 1)), bytes((10, 9, 0, 2)))
                raw.sendto(ip + struct.pack(">HHHH", 1024 + i % 60000, 7000 + i // 60000, 8, 0), ("10.9.0.2", 0))
        s.wait_for("spool: full", "err")
        with collector(store, address, w.pki.options("collector"), prefix=net.prefix(ns.col)) as c:
            s.wait_for("uplink: connected", "err", limit=60)
            result = s.stop(limit=40).expect(0)
            c.stop().expect(0)
    recorded = summary(result.err)["recorded"]
    sums = stream_sums(store, "small")
    equal(len(sums), 1, "streams")
    check(sums[0]["gaps"] > 0 and sums[0]["gap_packets"] > 10000, f"gaps: {sums[0]['gaps']}, packets in them {sums[0]['gap_packets']}")
    equal(sums[0]["packets"] + sums[0]["gap_packets"], recorded, "packets in the ledger and declared lost, of those recorded")
    equal(sums[0]["alerts"], int(match(r"alerts: (\d+)$", result.err)[1]), "alerts: none was given up")
    gaps = [e for e in events(store, "small") if e["event"] == "gap"]
    equal(sum(g["packets"] for g in gaps), sums[0]["gap_packets"], "packets of the gaps that are named")
    skipped = [line.split() for line in run("flowproof", "records", "-d", store, "-F", "start end log-status").expect(0).out.splitlines()
               if line.endswith("SKIPDATA")]
    for g in gaps:
        if g["packets"]:
            check(any(int(a) <= g["window_first"] and g["window_last"] < int(b) for a, b, _ in skipped), f"no SKIPDATA for {g}")


def silent_peer(w, ns):
    """A connection that stays open while nothing comes any more is given up, and the next one goes on."""
    del ns
    with w.collector("silent", 0) as c:
        proxy = Proxy(c.address, [])
        with Daemon("flowproof-sensor", "-i", "lo", "-s", proxy.address, *w.options("silent"), "-f", "icmp") as s:
            s.wait_for("uplink: connected", "err")
            proxy.silent.set()
            s.wait_for("no acknowledgement for 15 s", "err", limit=40)
            proxy.silent.clear()
            s.wait_for("uplink: connected", "err", count=2, limit=40)
            s.stop().expect(0)
        proxy.close()
        c.stop().expect(0)
    equal([(s["goodbye"], s["gaps"]) for s in stream_sums(os.path.join(w.d, "silent"), "silent")], [(True, 0)], "goodbye and gaps")


def second_collector(w, ns):
    """The first is stopped; the second goes on, and is told where the beginning is."""
    del ns
    with w.collector("first", 0) as a, w.collector("second", 0) as b:
        with Daemon("flowproof-sensor", "-i", "lo", "-s", a.address, "-s", b.address, *w.options("two"), "-f", "icmp") as s:
            s.wait_for("uplink: connected", "err")
            wait_until(lambda: stream_sums(os.path.join(w.d, "first"), "two")[0]["batches"] > 1, "batches at the first collector")
            a.stop().expect(0)
            s.wait_for(r"uplink: connected to " + b.address, "err", limit=40)
            s.stop().expect(0)
            b.stop().expect(0)
    first, second = (os.path.join(w.d, n) for n in ("first", "second"))
    gone = [e for e in events(second, "two") if e["event"] == "gap-elsewhere"]
    equal([g["first"] for g in gone], [1], "gaps told to the second collector")
    (at_first,), (at_second,) = stream_sums(first, "two"), stream_sums(second, "two")
    check(gone[0]["last"] <= at_first["batches"], f"{gone} but the first has {at_first['batches']} batches")
    equal((at_first["goodbye"], at_second["goodbye"]), (False, True), "goodbye")
    check([e["collector"] for e in events(second, "two") if e["event"] == "connected"], "no event tells of the collector")


def main():
    net.need_root("run_uplink")
    print(f"# FAULT_SEED={SEED}")
    tap = Tap()
    with folder() as d:
        w = World(d)
        with tap.case(f"{2 * CUTS} links cut after any number of bytes: all is there, once"):
            cut_links(w)
        with tap.case("a collector killed in the middle, twice, six times over: all is there, once"):
            killed_collector(w)
        with tap.case("a collector that goes silent is found out"):
            silent_peer(w, None)
        with tap.case("a second collector takes over and is told who has the beginning"):
            second_collector(w, None)
        with instance() as ns:
            with tap.case("a spool that is too small: ledger and gaps are all that was recorded"):
                small_spool(w, ns)
            with tap.case("a sensor killed with its spool in a file: the next run delivers what was in it"):
                killed_sensor(w, ns)
    tap.done()


if __name__ == "__main__":
    main()
