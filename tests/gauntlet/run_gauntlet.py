#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_gauntlet.py BUILD_DIR   Techniques to get data out, run as real traffic; each must be found as techniques.toml says, or missed.

A technique runs alone, in a namespace of its own with a sensor of its own; those that take hours are written as capture files. All
sensors stream to one collector, and `flowproof findings` says what it makes of them. GAUNTLET=name,name runs only these.
"""
import concurrent.futures
import contextlib
import json
import os
import sys
import time
import traceback

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib")]
from harness import ROOT, Tap, build_dir, check, equal, folder, run, write  # noqa: E402
import frames  # noqa: E402
import benign  # noqa: E402, F401  (adds to LIVE and SAVED, as the next two do)
import live_names  # noqa: E402, F401
import live_odd  # noqa: E402, F401
from live import LIVE  # noqa: E402
import net  # noqa: E402
from pki import Pki, collector  # noqa: E402
from saved import LOCAL, RESOLVER, SAVED  # noqa: E402
import table  # noqa: E402
import world  # noqa: E402

WORKERS = 8


class Run:
    """All techniques, once. `options`: of the collector; `beside`: a context that is entered with its namespace while they run."""

    def __init__(self, d, rows, options=(), beside=contextlib.nullcontext):
        self.folder, self.errors, self.seconds = d, {}, {}
        self.crowd = frames.Capture(LOCAL, LOCAL)  # all captures of the built-in policy in one
        self.keys = Pki(os.path.join(d, "keys"))
        self.store = os.path.join(d, "store")
        live = [t for t in rows if t.name in LIVE]
        self.room = {t.name: 10 + i for i, t in enumerate(live)}
        with net.Namespaces(*world.NAMES, *(f"r{n}" for n in self.room.values()),
                            *(f"r{n}c" for name, n in self.room.items() if name == "container")) as ns:
            self.world = world.World(ns, self.keys.pair("collector"))
            with collector(self.store, world.COLLECTOR + ":4739", [*self.keys.options("collector"), *options], net.prefix(ns.col)) as c:
                self.address = c.address
                with beside(ns.col), concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
                    for t in rows:
                        pool.submit(self.one, t)
                self.keys.issue("crowd")
                self.replay("crowd", self.crowd)
                c.stop(limit=60).expect(0)
        self.findings = {name: [] for name in ["crowd", *(t.name for t in rows)]}
        out = run("flowproof", "findings", "-d", self.store, "--json", "--watch", os.path.join(table.HERE, "watch.list")).expect(0)
        for f in map(json.loads, out.out.splitlines()):
            self.findings[f["sensor"]].append((f["kind"], f["remote"], f["port"] or 0, f["protocol"], f["severity"]))

    def one(self, t):
        begin = time.monotonic()
        try:
            self.keys.issue(t.name)
            with contextlib.ExitStack() as stack:
                if t.name in LIVE:
                    self.live(t, stack)
                else:
                    self.saved(t)
        except Exception:  # pylint: disable=broad-except
            self.errors[t.name] = traceback.format_exc()
        self.seconds[t.name] = time.monotonic() - begin

    def policy(self, t):
        """One of the suite's own, or one that is installed; None: the built-in one."""
        own = os.path.join(table.HERE, t.policy)
        return (own if os.path.exists(own) else os.path.join(ROOT, "configs", "policy", t.policy)) if t.policy else None

    def live(self, t, stack):
        room = world.Room(self.world, self.room[t.name], t.remote, stack)
        sensor = room.sensor(t.name, self.address, self.keys.options(t.name), self.policy(t), t.sensor)
        proof = LIVE[t.name](room)
        room.wire.wait_for(frames.packed(room.remote) if proof is None else proof)
        sensor.stop(limit=60).expect(0)

    def saved(self, t):
        capture = frames.Capture(LOCAL, t.remote)
        SAVED[t.name](capture)
        if not t.policy:
            self.crowd.packets += capture.packets
        self.replay(t.name, capture, *(["-p", self.policy(t)] if t.policy else []), *t.sensor)

    def replay(self, name, capture, *args):
        path = write(os.path.join(self.folder, name + ".pcap"), capture.bytes())
        run("flowproof-sensor", "-r", path, "-s", self.address, "--id", name, *self.keys.options(name), "--local", LOCAL + "/32",
            "--resolver", RESOLVER, *args, prefix=net.prefix(self.world.ns.col), limit=120).expect(0)
        os.unlink(path)

    def stops_at(self, t):
        out = run("flowproof", "report", "-d", self.store, "--sensor", t.name, "--json", "-").expect(1)
        report = json.loads(out.out)
        return report["verdict"] == "inconclusive" and \
            any(f["id"] == t.gate and f["state"] == "not_met" for o in report["obligations"] for f in o["figures"])

    def second(self, t):
        return f"10.77.{self.room.get(t.name, 0)}.3"


def main():
    build_dir()
    net.need_root("run_gauntlet")
    tap = Tap()
    rows = table.rows()
    with tap.case("the table names each technique that there is, and no other"):
        equal(sorted(t.name for t in rows), sorted({**LIVE, **SAVED}))
    with tap.case("docs/gauntlet.md says what the table says (tests/gauntlet/table.py docs/gauntlet.md writes it)"):
        with open(os.path.join(ROOT, "docs", "gauntlet.md"), encoding="utf-8") as f:
            text = f.read()
        equal(text, table.page(text))
    wanted = os.environ.get("GAUNTLET")
    if wanted:
        rows = [t for t in rows if t.name in wanted.split(",")]
    with folder() as d:
        r = None
        with tap.case("the run: every technique leaves its room, every sensor ends well"):
            r = Run(d, rows)
            check(not r.errors, "see: " + ", ".join(r.errors))
        if r:
            for name, seconds in sorted(r.seconds.items(), key=lambda x: -x[1])[:6]:
                print(f"# {name}: {seconds:.1f} s")
            for t in rows:
                with tap.case(f"{t.name}: {t.mark}"):
                    if t.name in r.errors:
                        check(False, r.errors[t.name])
                    wrong = t.differences(r.findings[t.name], r.second(t))
                    check(not wrong, "\n".join(wrong))
                    if t.gate:
                        check(r.stops_at(t), f"the report has no figure '{t.gate}' that is not met")
            with tap.case("all captures in one: what each gives alone is there"):
                lost = [f"{t.name}: {text}" for t in rows if t.name in SAVED and not t.policy for text in t.found
                        if not t.is_there(text, r.findings["crowd"])]
                equal(lost, [])
    tap.done()


if __name__ == "__main__":
    main()
