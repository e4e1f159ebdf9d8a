#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_jetstream.py BUILD_DIR   More than one collector: fronts behind a balancer, three NATS servers, writers. Whatever is killed, every
batch is in exactly one ledger, and the ledgers pass the audit.

What was sent is known by arithmetic (tests/faults/world.py): flow number i has 1 + i % 3 datagrams.
"""
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), os.path.join(os.path.dirname(HERE), "faults")]
from harness import Daemon, Tap, check, equal, folder, match, run  # noqa: E402
from world import FLOWS, World, all_of, free_port, records, stored_bytes, stream_sums, wait_until  # noqa: E402
from cluster import Balancer, Cluster  # noqa: E402

SENSORS = 24
PARTITIONS = 2


def partition_of(name):
    """As collector/jetstream.h says: of the SHA-256 of the id the first four bytes, modulo."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % PARTITIONS


class House:
    def __init__(self, d, cluster, partitions=PARTITIONS):
        os.makedirs(d, exist_ok=True)
        self.w, self.cluster = World(d), cluster
        self.shared = ["--jetstream-partitions", str(partitions), *self.w.pki.options("collector")]
        self.ports = {}

    def path(self, name):
        return os.path.join(self.w.d, name)

    def front(self, name):
        port = self.ports.setdefault(name, free_port())
        return Daemon("flowproof-collector", "-d", self.path(name), "-l", f"127.0.0.1:{port}", *self.cluster.options("to"), *self.shared)

    def writer(self, partition, store=None):
        return Daemon("flowproof-collector", "-d", self.path(store or f"ledger-{partition}"), "--jetstream-partition", str(partition),
                      *self.cluster.options("from"), *self.shared)

    def address(self, name):
        return f"127.0.0.1:{self.ports[name]}"


def delivered(house, name, ledger="ledger"):
    """All of it in the ledger of its partition, nothing in another."""
    mine = partition_of(name)
    store = house.path(f"{ledger}-{mine}")
    equal(sorted((records(store, name) - all_of(FLOWS)).items())[:5], [], f"{name}: records too many")
    equal(sorted((all_of(FLOWS) - records(store, name)).items())[:5], [], f"{name}: records missing")
    equal([(s["goodbye"], s["gaps"]) for s in stream_sums(store, name)], [(True, 0)], f"{name}: goodbye, gaps")
    for other in range(PARTITIONS):
        check(other == mine or not os.path.isdir(os.path.join(house.path(f"{ledger}-{other}"), name)), f"{name} is in the ledger of partition {other} too")


def has_all(house, names, ledger="ledger"):
    def ended(name):
        store = house.path(f"{ledger}-{partition_of(name)}")
        return os.path.isdir(os.path.join(store, name)) and any(s["goodbye"] for s in stream_sums(store, name))
    wait_until(lambda: all(ended(n) for n in names), "every goodbye is in a ledger")


def audit(house, store):
    out = run("flowproof", "audit", "-d", house.path(store), "--ca", house.w.pki.ca, "--json").expect(0).out
    equal((json.loads(out)["verdict"], json.loads(out)["faults"]), ("intact", []), store)


def replay_all(house, names, address, meanwhile):
    """Sensors, four at a time; `meanwhile` runs when a third of them is done."""
    done = []

    def one(name):
        with house.w.replay(name, address) as s:
            s.wait(90).expect(0)
        done.append(name)
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        troubles = pool.submit(lambda: (wait_until(lambda: len(done) >= len(names) // 3, "a third of the sensors"), meanwhile()))
        for f in [pool.submit(one, n) for n in names]:
            f.result()
        troubles.result()


def everything_killed(house):
    """A server of NATS (the stream's leader), a writer and a front are killed while sensors send."""
    names = [f"web-{i}" for i in range(SENSORS - 1)] + ["with.dots"]
    for n in names:
        house.w.options(n)
    check({partition_of(n) for n in names} == set(range(PARTITIONS)), "a partition has no sensor")
    fronts = {n: house.front(n) for n in ("front-a", "front-b")}
    for f in fronts.values():
        f.wait_for(r"listening on \S+", "err")
    writers = [house.writer(p) for p in range(PARTITIONS)]
    balancer = Balancer([house.address(n) for n in fronts])

    def kill():
        leader = house.cluster.leader_of_stream("FLOWPROOF")
        check(leader is not None, "the stream has no leader")
        house.cluster.kill(leader)
        fronts["front-a"].kill()
        writers[0].kill()
        fronts["front-a"] = house.front("front-a")
        writers[0] = house.writer(0)
        house.cluster.start(leader)
    replay_all(house, names, balancer.address, kill)
    has_all(house, names)
    for d in (*fronts.values(), *writers):
        d.stop().expect(0)
    balancer.close()
    for n in names:
        delivered(house, n)
    for p in range(PARTITIONS):
        audit(house, f"ledger-{p}")
    for n in fronts:
        check(stored_bytes(house.path(n)) > 0, f"{n} took nothing")


def moved(house):
    """Each connection is cut somewhere in its batches, and the next one goes to the other front."""
    names = [f"moved-{i}" for i in range(8)]
    for n in names:
        house.w.options(n)
    fronts = {n: house.front(n) for n in ("front-a", "front-b")}
    for f in fronts.values():
        f.wait_for(r"listening on \S+", "err")
    writers = [house.writer(p) for p in range(PARTITIONS)]
    for i, n in enumerate(names):
        balancer = Balancer([house.address(f) for f in fronts], [9000 + 5000 * i, 30000 + 2000 * i])
        with house.w.replay(n, balancer.address) as s:
            s.wait(90).expect(0)
        check(balancer.cut == 2, f"{n}: {balancer.cut} cuts")
        balancer.close()
    has_all(house, names)
    for d in (*fronts.values(), *writers):
        d.stop().expect(0)
    for n in names:
        delivered(house, n)
    for p in range(PARTITIONS):
        audit(house, f"ledger-{p}")
    # A front's own store says what the other one took.
    said = [json.loads(run("flowproof", "audit", "-d", house.path(f), "--ca", house.w.pki.ca, "--json").expect(1).out) for f in fronts]
    equal([a["verdict"] for a in said], ["incomplete", "incomplete"], "journals")
    elsewhere = [x for a in said for x in a["faults"] if "another collector has some of them" in x["reason"]]
    check(len(elsewhere) >= len(names), f"{len(elsewhere)} gaps say that another collector has a part")
    # Between them they have every record, or the sensors were acknowledged what was on no disk.
    for n in names:
        both = records(house.path("front-a"), n) | records(house.path("front-b"), n)
        equal(sorted((all_of(FLOWS) - both).items())[:5], [], f"{n}: in neither journal")


def lost_by_jetstream(house):
    """Acknowledged messages that JetStream had not synced are lost; the front's journal has them, and hands them on after a start. Meanwhile nothing is acknowledged."""
    names = [f"lost-{i}" for i in range(4)]
    for n in (*names, "waits"):
        house.w.options(n)
    front = house.front("front-c")
    front.wait_for(r"listening on \S+", "err")
    for n in names:
        with house.w.replay(n, house.address("front-c")) as s:
            s.wait(90).expect(0)
    house.cluster.wipe()
    with house.w.replay("waits", house.address("front-c")) as waits:
        match("were not acknowledged by a collector", waits.wait(90).expect(3).err)
    front.stop().expect(0)
    for i in range(3):
        house.cluster.start(i)
    house.cluster.ready()
    front = house.front("front-c")
    for n in names:
        front.wait_for(rf"{n}: JetStream lost batches 1 to \d+: handed on again", "err")
    with house.w.replay("waits", house.address("front-c")) as waits:
        waits.wait(90).expect(0)
    writers = [house.writer(p, f"again-{p}") for p in range(PARTITIONS)]
    has_all(house, [*names, "waits"], "again")
    for d in (front, *writers):
        d.stop().expect(0)
    for n in (*names, "waits"):
        delivered(house, n, "again")
    for p in range(PARTITIONS):
        audit(house, f"again-{p}")


def one_ledger(house):
    """A second ledger does not take part in a partition that has one, and says what to do."""
    before = house.cluster.consumers("FLOWPROOF")
    first = house.writer(0, "first")
    wait_until(lambda: house.cluster.consumers("FLOWPROOF") > before, "the consumer is there")
    with house.writer(0, "second") as second:
        second.wait_for(r"partition 0 of FLOWPROOF is read by the ledger [0-9a-f]{32}, and here is the ledger [0-9a-f]{32}", "err")
        match("start the collector again", second.wait(30).expect(3).err)
    first.stop().expect(0)


def full_disk(house):
    """A writer whose disk is full takes nothing more, and goes on behind what is durable when there is room."""
    mount = house.path("small")
    os.mkdir(mount)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", mount], check=True)
    try:
        filler = os.path.join(mount, "filler")
        names = [f"full-{i}" for i in range(8)]
        for n in names:
            house.w.options(n)
        mine = [n for n in names if partition_of(n) == 0]
        check(mine, "no sensor in partition 0")
        front = house.front("front-d")
        front.wait_for(r"listening on \S+", "err")
        writer = house.writer(0, "small/ledger")
        writer.wait_for("sandbox", "err")
        with open(filler, "wb") as f:
            room = os.statvfs(mount)
            f.write(b"x" * (room.f_bavail * room.f_frsize - 580 * 1024))
        for n in mine:
            with house.w.replay(n, house.address("front-d")) as s:
                s.wait(90).expect(0)
        writer.wait_for("the disk of the store is full", "err")
        os.unlink(filler)
        wait_until(lambda: all(os.path.isdir(os.path.join(mount, "ledger", n)) and any(s["goodbye"] for s in stream_sums(os.path.join(mount, "ledger"), n))
                               for n in mine), "every goodbye is in the ledger")
        for d in (front, writer):
            d.stop().expect(0)
        for n in mine:
            equal(records(os.path.join(mount, "ledger"), n), all_of(FLOWS), n)
        audit(house, "small/ledger")
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


def options(house):
    """What cannot work is said before anything is started."""
    base = ["--check", "-d", house.path("none"), "-l", "127.0.0.1:1", *house.w.pki.options("collector")]
    for args, why in ((["--to-jetstream", "nats://127.0.0.1:1", "--from-jetstream", "nats://127.0.0.1:1"], "a front or a writer, not both"),
                      (["--from-jetstream", "nats://127.0.0.1:1", "--jetstream-partition", "2", "--jetstream-partitions", "2"], "counted from 0"),
                      (["--to-jetstream", "127.0.0.1:1"], "a URL as tls://"),
                      (["--to-jetstream", "tls://127.0.0.1:1", "--jetstream-cert", "x"], "of no use without the other"),
                      (["--to-jetstream", "tls://127.0.0.1:1", "--jetstream-ca", "/nowhere"], "cannot be used")):
        match(why, run("flowproof-collector", *base, *args).expect(2).err)


def main():
    tap = Tap()
    with folder() as d, Cluster(os.path.join(d, "nats")) as cluster:
        cluster.ready()
        house = House(d, cluster)
        with tap.case("a server of NATS, a front and a writer killed: every batch in exactly one ledger, and these are intact"):
            everything_killed(house)
        with tap.case("sensors that move from front to front in the middle of their streams"):
            moved(house)
        with tap.case("JetStream away, and then back without what it had acknowledged: the journal hands it on again"):
            lost_by_jetstream(House(os.path.join(d, "lost"), cluster))
        with tap.case("a partition has one ledger"):
            one_ledger(House(os.path.join(d, "one"), cluster, partitions=7))
    with folder() as d, Cluster(os.path.join(d, "nats")) as cluster:
        house = House(d, cluster.ready())
        with tap.case("a writer's disk is full for a time"):
            full_disk(house)
        with tap.case("options that cannot work"):
            options(house)
    tap.done()


if __name__ == "__main__":
    main()
