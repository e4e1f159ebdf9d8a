#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_reference.py BUILD_DIR   The sensor against a second decoder (reference.py), over captures that nobody has tables for.

Frames of the project's own captures, and of the real ones where they are, are damaged, cut and spliced under every link type; the
seed is fixed, $FLOWPROOF_SEED takes another. Then what must not matter: how a capture is split, in which order independent flows
come, how large the table is.
"""
import collections
import os
import random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Tap, check, equal, folder, match, run, summary, write  # noqa: E402
import make_captures as make  # noqa: E402
import reference as ref  # noqa: E402
import run_truth as truth  # noqa: E402
import shared  # noqa: E402

FIELDS = "fp-interface srcaddr dstaddr srcport dstport protocol start packets bytes end tcp-flags log-status"
SEED = int(os.environ.get("FLOWPROOF_SEED", "20261125"))
COUNTERS = ("received", "recorded", "not-ip", "malformed")


def write_pcap(path, frames, link):
    out = [struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, link)]
    out += [struct.pack("<IIII", f.sec, 0, len(f.data), f.wire) + f.data for f in frames]
    return write(path, b"".join(out))


def flows_of(text):
    """Lines of one key and minute added up: a full set writes early, and stamps may run backwards."""
    flows = {}
    for line in text.splitlines()[1:]:
        *key, start, packets, size, end, flags, status = line.split(" ")
        if status != "OK":
            continue
        start, packets, size, end, flags = (int(x) for x in (start, packets, size, end, flags))
        row = flows.setdefault((*key, start // 60), [0, 0, start, end, 0])
        row[:] = [row[0] + packets, row[1] + size, min(row[2], start), max(row[3], end), row[4] | flags]
    return flows


def lines(flows):
    return sorted(" ".join(str(x) for x in (*key, *row)) for key, row in flows.items())


def sensor(path, *args):
    result = run("flowproof-sensor", "-r", path, "-o", "-", "-F", FIELDS, *args).expect(0)
    return flows_of(result.out), result


def compare(path, frames, *args, **how):
    want, counters = ref.meter(frames, **how)
    got, result = sensor(path, *args)
    equal(lines(got), lines(want), f"records (seed {SEED})")
    said = summary(result.err)
    equal({**{k: said[k] for k in COUNTERS}, **said["noted"]}, {k: counters[k] for k in (*COUNTERS, *said["noted"])},
          f"counters (seed {SEED})")
    return result


# ---- frames to damage -------------------------------------------------------------------------------------

def link_headers(link, version):
    """What stands before an IP header of this version under this link type, in some of its forms."""
    kind = struct.pack(">H", 0x0800 if version == 4 else 0x86dd)
    ppp = struct.pack(">H", 0x0021 if version == 4 else 0x0057)
    label, mac = struct.pack(">II", 5 << 12 | 9, 6 << 12 | 0x100 | 9), b"\2" * 12
    pppoe = b"\x11\0\0\1\0\x50"
    tlv = struct.pack("<HH4x", 8, 1)
    yield from {
        ref.ETHERNET: (mac + kind, mac + b"\x88\xa8\0\1\x91\0\0\2\x92\0\0\3" + kind, mac + b"\x88\x47" + label, mac + b"\x88\x64" + pppoe + ppp,
                       mac + b"\0\x40\xaa\xaa\3\0\0\0" + kind, mac + b"\0\x40\6\6\3", mac + b"\x88\x64" + pppoe + b"\2\x81" + label),
        ref.NULL: (b"\2\0\0\0", b"\0\0\0\2") if version == 4 else (b"\x1e\0\0\0", b"\0\0\0\x18"),
        ref.LOOP: (b"\0\0\0\2" if version == 4 else b"\0\0\0\x1c",),
        ref.PPP: (ppp, b"\xff\3" + ppp, b"\xff\3\2\x81" + label), ref.PPP_SERIAL: (b"\xff\3" + ppp, b"\x0f\0" + kind, b"\x8f\0\x88\x48" + label),
        ref.PPP_ETHER: (pppoe + ppp,), ref.PPP_PPPD: (b"\0\3" + ppp, b"\1\3" + ppp), ref.HDLC: (b"\x0f\0" + kind, b"\x8f\0\x88\x47" + label),
        ref.SLL: (b"\0\0\0\1\0\6" + b"\2" * 8 + kind, b"\0\0\0\1\0\6" + b"\2" * 8 + b"\x81\0\0\7" + kind,
                  b"\0\0\0\1\0\6" + b"\2" * 8 + b"\0\4\xaa\xaa\3\0\0\0" + kind),
        ref.SLL2: (kind + b"\0\0\0\0\0\1\0\1\0\6" + b"\2" * 8,),
        ref.NFLOG: (b"\2\0\0\0" + tlv + struct.pack("<HH", 90, 9), b"\2\0\0\0" + struct.pack(">HH4xHH", 8, 2, 90, 9)),
    }.get(link, (b"",))


def own_frames(link):
    packets = (make.tcp_flags() + make.udp_both() + make.icmp() + make.other_protocols() + make.options_and_chains() + make.fragments()
               + make.fragments_with_ports() + make.lengths())
    for p in packets:
        at = 14 if len(p.data) > 14 else 0
        version = p.data[at] >> 4 if at else 4
        for head in link_headers(link, version):
            yield ref.Frame(0, head + p.data[at:], len(head) + p.wire - at, link)
    if link == ref.ETHERNET:
        yield from (ref.Frame(0, p.data, p.wire, link) for p in make.tagged() + make.not_ip() + make.malformed())


def real_frames(data):
    """{link type: frames}, at most some of each capture."""
    ret = collections.defaultdict(list)
    for name in sorted(os.listdir(os.path.join(data, "pcaps"))):
        with open(os.path.join(data, "pcaps", name), "rb") as f:
            frames = [x for x in ref.read_capture(f.read()) if x.link in (*ref.LINKS, *ref.RAW)]
        for f in frames[:60]:
            ret[ref.RAW_FILE if f.link in ref.RAW else f.link].append(f)
    return ret


def damage(rng, frames):
    f = rng.choice(frames)
    data, wire = bytearray(f.data), f.wire
    how = rng.randrange(8)
    if how < 4:
        for _ in range(rng.choice((1, 1, 2, 3, 8))):
            if data:
                data[rng.randrange(min(len(data), rng.choice((20, 60, 120))))] = rng.choice((0, 255, rng.randrange(256)))
    elif how == 4 and data:
        data[rng.randrange(min(len(data), 120))] ^= 1 << rng.randrange(8)
    elif how == 5:
        other = rng.choice(frames).data
        cut = rng.randrange(len(data) + 1)
        data = data[:cut] + other[rng.randrange(len(other) + 1) if rng.random() < 0.5 else min(cut, len(other)):]
        wire = len(data)
    if rng.random() < 0.4:
        data = data[:rng.randrange(min(len(data), 200) + 1)]  # cut by the capture
        if rng.random() < 0.3:
            wire = len(data)  # or on the wire
    return ref.Frame(rng.randrange(1_700_000_000, 1_700_000_200), bytes(data[:65535]), min(max(wire, len(data)), 2**31 - 1), f.link)


def damaged(d, link, frames, count, *args, **how):
    rng = random.Random(SEED * 1000 + link)
    made = sorted((damage(rng, frames) for _ in range(count)), key=lambda f: f.sec // 60)
    compare(write_pcap(os.path.join(d, f"damaged-{link}"), made, link), made, *args, **how)


def mirrored(d, frames, count):
    rng = random.Random(SEED + 1)
    made = []
    for _ in range(count):
        inner = damage(rng, frames).data[:1400]
        payload = make.udp(61000, rng.choice((4789, 4789, 4789, 4788)), struct.pack(">B3xI", rng.choice((8, 8, 8, 0xf7, 255)), 7 << 8) + inner)
        packet = make.ethernet(0x0800, make.ip4("10.9.0.1", "10.9.0.2", make.UDP, payload, options=rng.choice((b"", b"\1" * 4))))
        data = packet[:rng.randrange(len(packet) + 1)] if rng.random() < 0.2 else packet
        made.append(ref.Frame(1_700_000_000, data, len(packet), ref.ETHERNET))
    compare(write_pcap(os.path.join(d, "mirrored"), made, ref.ETHERNET), made, "--mirror", mirror=True)


# ---- what must not matter ---------------------------------------------------------------------------------

def add(*parts):
    total = {}
    for flows in parts:
        for key, row in flows.items():
            have = total.setdefault(key, [0, 0, row[2], row[3], 0])
            have[:] = [have[0] + row[0], have[1] + row[1], min(have[2], row[2]), max(have[3], row[3]), have[4] | row[4]]
    return total


def frames_of_many_flows():
    return [ref.Frame(p.ns // make.NS, p.data, p.wire, ref.ETHERNET) for p in make.many_flows(700, 9000)]


def split(d, frames):
    whole, _ = sensor(write_pcap(os.path.join(d, "whole"), frames, ref.ETHERNET))
    for at in (0, 1, len(frames) // 3, len(frames) - 1, len(frames)):
        parts = [sensor(write_pcap(os.path.join(d, "part"), part, ref.ETHERNET))[0] for part in (frames[:at], frames[at:])]
        equal(lines(add(*parts)), lines(whole), f"split at {at}")


def reordered(d, frames):
    """Flows that have nothing to do with each other, interleaved otherwise within their minute; each one's own order stays."""
    rng = random.Random(SEED + 2)
    whole, first = sensor(write_pcap(os.path.join(d, "whole"), frames, ref.ETHERNET))
    by_flow = collections.defaultdict(list)
    for f in frames:
        p = ref.decode(f)
        by_flow[f.sec // 60, *sorted(((p.src, p.sport), (p.dst, p.dport))), p.proto].append(f)
    turns = [key for key, fs in by_flow.items() for _ in fs]
    rng.shuffle(turns)
    turns.sort(key=lambda key: key[0])
    again = [by_flow[key].pop(0) for key in turns]
    check(again != frames, "nothing was reordered")
    got, second = sensor(write_pcap(os.path.join(d, "again"), again, ref.ETHERNET))
    equal(lines(got), lines(whole))
    equal(summary(second.err), summary(first.err), "equation")


def table(d, frames):
    path = write_pcap(os.path.join(d, "whole"), frames, ref.ETHERNET)
    whole, first = sensor(path)
    for slots in ("16", "17", "128", "4096", "262144"):
        got, result = sensor(path, "--flow-slots", slots)
        equal(lines(got), lines(whole), f"{slots} slots")
        equal(summary(result.err), summary(first.err), f"equation with {slots} slots")
        if slots == "16":
            gave_way = match(r"evicted (\d+), merged (\d+)", result.err)  # with an endpoint kept: merged
            check(sum(map(int, gave_way.groups())) > 1000, "16 slots must have evicted many flows")


# ---- real captures ------------------------------------------------------------------------------------------

def held_to_the_tables(data):
    """The reference itself: every record and counter of every table that it can read to the end."""
    n = 0
    for rows in shared.classes(data).values():
        for name, row in rows.items():
            counters, _, notes, records = truth.read_truth(os.path.join(data, "truth", name + ".flows"))
            if "**libpcap" in row or counters["unsupported_link"]:
                continue
            with open(os.path.join(data, "pcaps", name), "rb") as f:
                flows, count = ref.meter(ref.read_capture(f.read()))
            want = {}
            for r in records:
                key = ("file", *r[2:7], int(r[truth.START]) // 60)
                row = [int(r[truth.PACKETS]), int(r[truth.BYTES]), int(r[truth.START]), int(r[truth.END]), int(r[truth.FLAGS])]
                want = add(want, {key: row})
            equal(lines(flows), lines(want), name)
            equal((count["received"], count["not-ip"], count["malformed"]), (counters["frames"], counters["not_ip"], counters["unparsed"]), name)
            equal((count["snapped"], count["length-beyond-wire"]), (notes.get("captured_short", 0), notes.get("ip_len_gt_wire", 0)), name)
            n += 1
    check(n > 200, f"only {n} captures")


def read_whole(path):
    with open(path, "rb") as f:
        return list(ref.read_capture(f.read()))


def real_as_they_are(data):
    """Tunnels with --mirror, fragments with --fragments ports; checksums of all: the tables have none of these."""
    rows = shared.classes(data)
    for kind, args, how in (("tunnel", ("--mirror",), {"mirror": True}), ("fragments", ("--fragments", "ports"), {"attribute": True}),
                            ("TCP flags", (), {}), ("attack", (), {}), ("other protocols", (), {})):
        for name in rows[kind]:
            path = os.path.join(data, "pcaps", name)
            compare(path, read_whole(path), *args, **how)


def main():
    tap = Tap()
    data = shared.data_folder()
    real = real_frames(data) if data else {}
    with folder() as d:
        if data:
            with tap.case("the reference agrees with the truth tables"):
                held_to_the_tables(data)
            with tap.case("real tunnels with --mirror, real fragments with --fragments ports, checksums"):
                real_as_they_are(data)
        else:
            tap.skip("the reference against the truth tables, and real tunnels and fragments", shared.ABSENT)
        for link in (*ref.LINKS, *ref.RAW[1:]):
            own = [f._replace(link=link) for f in own_frames(link)]
            with tap.case(f"link type {link}: {len(own)} frames as they are, then damaged"):
                result = compare(write_pcap(os.path.join(d, "own"), own, link), own)
                check(result.out.count("\n") > 10, "hardly a record")
                damaged(d, link, own, 3000)
            if link in real:
                with tap.case(f"link type {link}: {len(real[link])} frames of real captures, damaged"):
                    damaged(d, link, real[link], 12000 if link == ref.ETHERNET else 2000)
        with tap.case("damaged frames within VXLAN"):
            mirrored(d, list(own_frames(ref.ETHERNET)) + real.get(ref.ETHERNET, []), 4000)
        frames = frames_of_many_flows()
        with tap.case("split in two: the sums are the same"):
            split(d, frames)
        with tap.case("independent flows in another order: the sums are the same"):
            reordered(d, frames)
        with tap.case("another number of slots: the sums are the same"):
            table(d, frames)
    tap.done()


if __name__ == "__main__":
    main()
