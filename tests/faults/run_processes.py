#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_processes.py BUILD_DIR   Random schedules of faults over the programs as they run: sensors and a collector that are killed, links that
lag, are cut and reset, disks that are full, take a part or fail to sync (shim.c), clocks that step.

After each: packets sent by the test = in the ledger + declared lost, each once, and `flowproof audit` finds only what is declared. The
seed is printed; FLOWPROOF_SEED gives it.
"""
import collections
import concurrent.futures
import contextlib
import os
import random
import re
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Daemon, Tap, build_dir, check, equal, folder, run, summary  # noqa: E402
import net  # noqa: E402
from pki import collector  # noqa: E402
from world import FLOWS, Proxy, World, all_of, check_audit, events, free_port, in_spool, records, stored_bytes, stream_sums, wait_until  # noqa: E402

SEED = int(os.environ.get("FLOWPROOF_SEED") or random.randrange(1 << 30))
REPLAYS = int(os.environ.get("FLOWPROOF_REPLAYS") or 24)
SENSORS, LIVE_FLOWS = 8, 400  # live
PACKETS = sum(1 + i % 3 for i in range(FLOWS))
STEPS = (3600, -3600, 40, -40)  # seconds; certificates hold from the day before on
SENSOR_STEPS = (*STEPS, 20 * 365 * 86400)  # behind 2038


def shim(**settings):
    """What makes a program's disk and clock fail."""
    env = [f"SHIM_{name.upper()}={value[0]},{value[1]}" for name, value in settings.items()]
    return ("env", f"LD_PRELOAD={build_dir()}/tests/faults/shim.so", "ASAN_OPTIONS=verify_asan_link_order=0", *env) if env else ()


def draw_disk(rng):
    """Faults of a disk, at some call that comes soon."""
    kind = rng.choice((None, "sync", "short", "full"))
    return {kind: (rng.randrange(1, 30), rng.randrange(1, 6))} if kind else {}


def draw_clock(rng, steps):
    return {"clock": (rng.randrange(0, 1500), rng.choice(steps))} if rng.random() < 0.4 else {}


def draw_limits(rng):
    """For some connections, after how many bytes each is cut."""
    return [(rng.choice((None, rng.randrange(90000))), rng.choice((None, rng.randrange(4000))), rng.random() < 0.5)
            for _ in range(rng.randrange(4))]


def start_collector(w, store, port, **faults):
    """A collector that fails at its start is started again, without faults."""
    where, options = os.path.join(w.d, store), w.pki.options("collector")
    with contextlib.suppress(AssertionError):
        return collector(where, f"127.0.0.1:{port}", options + ["--seal-s", "1"], prefix=shim(**faults))
    return collector(where, f"127.0.0.1:{port}", options + ["--seal-s", "1"])


def end_collector(w, c, store, port):
    """When its disk fails still it cannot sign its end: another one can."""
    if "the end is not signed" in c.stop(limit=40).expect(0).err:
        start_collector(w, store, port).stop(limit=40).expect(0)


def wait_bytes(store, want, alive, limit=20):
    end = time.monotonic() + limit
    while stored_bytes(store) < want and alive() and time.monotonic() < end:
        time.sleep(0.01)


# ---- a capture that is replayed ----

class Replay:
    """One schedule: a sensor, a collector and a link of their own."""

    def __init__(self, w, number):
        self.w, self.rng = w, random.Random(SEED * 1000 + number)
        self.name = self.store_name = f"replay-{number}"
        self.store, self.port = os.path.join(w.d, self.store_name), free_port()
        self.kills = 0

    def sensor(self, **faults):
        return self.w.replay(self.name, self.proxy.address, prefix=shim(**faults))

    def play(self):
        rng, w = self.rng, self.w
        stepped = draw_clock(rng, STEPS)
        c = start_collector(w, self.store_name, self.port, **draw_disk(rng), **stepped)
        self.proxy = Proxy(c.address, draw_limits(rng), rng.choice((0, 0.01, 0.2)), rng)
        try:
            s = self.sensor(**draw_clock(rng, SENSOR_STEPS))
            for what in [rng.choice(("collector", "sensor", "nothing")) for _ in range(rng.randrange(1, 4))]:
                wait_bytes(self.store, stored_bytes(self.store) + rng.randrange(1, 30000), s.alive, 3)
                if what == "collector":
                    c.kill()
                    c = start_collector(w, self.store_name, self.port, **draw_disk(rng), **(stepped or {}))
                elif what == "sensor" and s.alive() and self.kills < 2:
                    s.stop(signal.SIGKILL)
                    self.kills += 1
                    s = self.sensor(**draw_clock(rng, SENSOR_STEPS))
            result = s.wait(90).expect(0)
            equal(summary(result.err)["recorded"], PACKETS, "packets of the capture")
            end_collector(w, c, self.store_name, self.port)
            self.judge(bool(stepped))
        finally:
            self.proxy.close()
            s.kill()
            c.kill()
        return self.kills, self.proxy.cut

    def judge(self, stepped):
        sums = stream_sums(self.store, self.name)
        whole = [(s["packets"], s["records"], s["gaps"]) for s in sums if s["goodbye"]]
        check(len(sums) - 1 <= self.kills, f"{len(sums)} streams after {self.kills} kills")
        check(whole, "no stream said goodbye")
        equal(whole, [(PACKETS, FLOWS, 0)] * len(whole), "packets, records and gaps of runs that said goodbye")
        # Runs that were killed: a flow is in each stream once at most.
        parts = sum(s["records"] for s in sums) - FLOWS
        seen, want = records(self.store, self.name), all_of(FLOWS)
        equal(sum(seen.values()), FLOWS + parts, "records")
        equal(sorted(want - seen)[:5], [], "records missing")
        equal(sorted(k for k, n in seen.items() if n > len(sums) or k not in want)[:5], [], "records too many")
        check_audit(self.w, self.store, len(sums) - len(whole), stepped)


def replays(w):
    for n in range(REPLAYS):
        w.options(f"replay-{n}")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return [r for r in pool.map(lambda n: named(n, Replay(w, n).play), range(REPLAYS))]


def named(number, play):
    try:
        return play()
    except AssertionError as e:
        raise AssertionError(f"schedule {number} of FLOWPROOF_SEED={SEED}: {e}") from e


# ---- sensors that watch ----

def datagrams(port, flows):
    """Flow i from a port of its own, 1 + i % 3 datagrams; the ports that the kernel chose."""
    ports = []
    for i in range(flows):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            ports.append(s.getsockname()[1])
            for _ in range(1 + i % 3):
                s.sendto(b"fault", ("127.0.0.1", port))
    return ports


def is_connected(s):
    said = re.findall(r"uplink: (connected to|.*trying again)", s.text("err"))
    return bool(said) and said[-1] == "connected to"


class Watching:
    """A live sensor behind a link of its own; some with a spool in a file, and they are killed."""

    def __init__(self, w, rng, number, target, port, ends):
        self.w, self.rng, self.ends = w, rng, ends
        self.name = f"live-{number}"
        self.spool = ["--spool", f"{os.path.join(w.d, self.name)}, 4M"] if number % 2 else []
        self.filter = f"udp dst port {target}"
        self.proxy = Proxy(f"127.0.0.1:{port}", draw_limits(rng), rng.choice((0, 0.05, 0.3)), rng)
        ends.callback(self.proxy.close)
        self.kills = 0
        self.start()

    def start(self):
        self.seen = collections.Counter()  # packets by port that this run sees
        self.s = self.ends.enter_context(Daemon(
            "flowproof-sensor", "-i", "lo", "--local", "127.0.0.1", "-f", self.filter, *self.spool, "-s", self.proxy.address,
            *self.w.options(self.name), prefix=shim(**draw_clock(self.rng, SENSOR_STEPS))))
        self.s.wait_for("capture: watching", "err", limit=60)

    def kill(self):
        self.s.stop(signal.SIGKILL)
        self.kills += 1
        self.start()

    def heal(self):
        self.proxy.limits, self.proxy.delay = [], 0
        try:
            wait_until(lambda: is_connected(self.s), f"{self.name} is connected", 15)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.s.text('err')[-3000:]}") from e

    def end(self):
        equal(summary(self.s.wait(60).expect(0).err)["recorded"], sum(self.seen.values()), f"packets that {self.name} recorded")

    def judge(self, store):
        sums = stream_sums(store, self.name)
        equal([(s["gaps"], s["packets"]) for s in sums if s["goodbye"]], [(0, sum(self.seen.values()))], f"gaps and packets of {self.name}")
        equal(len(sums), 1 + self.kills, f"streams of {self.name}")
        got = collections.Counter()
        for (source, packets), n in records(store, self.name).items():
            got[source] += packets * n
        # Killed runs may have delivered what they saw before.
        equal(sorted(((self.seen - got) if self.kills else {k: (got[k], self.seen[k]) for k in got | self.seen if got[k] != self.seen[k]})), [],
              f"packets of {self.name}, by port")


def live(w):
    """All sensors see the same datagrams, over bad links and with bad clocks; they and their collector are killed between."""
    rng = random.Random(SEED)
    store, port = os.path.join(w.d, "live"), free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink, contextlib.ExitStack() as ends:
        sink.bind(("127.0.0.1", 0))
        target = sink.getsockname()[1]
        c = start_collector(w, "live", port, **draw_disk(rng))
        ends.callback(lambda: c.kill())
        sensors = [Watching(w, rng, n, target, port, ends) for n in range(SENSORS)]
        for victim in rng.sample([s for s in sensors if s.spool], 3):
            for i, p in enumerate(datagrams(target, LIVE_FLOWS)):
                for s in sensors:
                    s.seen[p] += 1 + i % 3
            c.kill()
            wait_until(lambda: in_spool(os.path.join(w.d, victim.name)) >= 2, f"{victim.name} has its hello and its start in its file")
            victim.kill()
            c = start_collector(w, "live", port, **draw_disk(rng))
        for s in sensors:
            check(c.alive(), f"the collector has ended: {c.text()[-3000:]}")
            s.heal()
            s.s.p.send_signal(signal.SIGTERM)
        for s in sensors:
            s.end()
        end_collector(w, c, "live", port)
    for s in sensors:
        s.judge(store)
    check_audit(w, store, sum(s.kills for s in sensors))
    stepped = sum(any(e["event"] == "clock-step" for e in events(store, s.name)) for s in sensors)
    return f"{SENSORS} sensors, {sum(s.kills for s in sensors)} killed, {sum(s.proxy.cut for s in sensors)} cuts, {stepped} with a clock that stepped"


def ending_certificate(w):
    """45 days before its end nobody speaks of it; 20 days later it is told, once."""
    keys = os.path.join(w.d, "ending")
    run("flowproof", "pki", "init", "-d", keys, "--days", "45").expect(0)
    options = [o for name, f in (("--ca", "ca.crt"), ("--cert", "collector.crt"), ("--key", "collector.key")) for o in (name, os.path.join(keys, f))]
    with collector(os.path.join(w.d, "ending-store"), "127.0.0.1:0", [*options, "--seal-s", "1"], prefix=shim(clock=(1500, 20 * 86400))) as c:
        c.wait_for(r"WARNING the collector's certificate ends \S+, in (24|25) days", "out")
        equal(c.stop().expect(0).out.count("certificate ends"), 1, "warnings")


def main():
    net.need_root("run_processes")
    print(f"# FLOWPROOF_SEED={SEED}", flush=True)
    tap = Tap()
    with folder("/dev/shm") as d:  # what a disk does is the shim's business
        w = World(d)
        with tap.case(f"{REPLAYS} replays through faults: all is there once, or told"):
            done = replays(w)
            print(f"# {sum(k for k, _ in done)} sensors killed, {sum(c for _, c in done)} links cut")
            check(sum(k for k, _ in done) > 0 and sum(c for _, c in done) > 0, "nothing was killed or cut")
        with tap.case(f"{SENSORS} sensors watch one interface through faults: each has every packet that it saw"):
            print("# " + live(w))
        with tap.case("a collector's certificate that will end is told of before"):
            ending_certificate(w)
    tap.done()


if __name__ == "__main__":
    main()
