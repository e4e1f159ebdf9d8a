#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_formats.py BUILD_DIR   What a capture file may look like: odd ones, old ones, those that libpcap gives up on, and what is none.

Whatever was read before a file ends badly is written out; the message names file and cause, the exit code is 2 or 3.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Tap, check, equal, folder, match, run, summary, write  # noqa: E402
import make_captures as make  # noqa: E402
from pki import Pki, collector  # noqa: E402

FIELDS = "srcaddr srcport packets bytes start end log-status"
FRAME = make.udp_packet(0, make.A, make.B, 1, 2, 32).data  # 14 + 20 + 8 + 32, 60 bytes of IP
SIZE = 20 + 8 + 32


def sensor(d, data, *args, code=0):
    path = write(os.path.join(d, "capture"), data)
    result = run("flowproof-sensor", "-r", path, "-o", "-", "-F", FIELDS, *args).expect(code)
    if code:
        check(path in result.err.splitlines()[-1], f"the message does not name the file:\n{result.err}")
    return result


def records(result):
    return sorted(line for line in result.out.splitlines()[1:] if line.endswith(" OK"))


def line(start, end=None, packets=1, size=SIZE, port=1):
    return f"{make.A} {port} {packets} {size * packets} {start} {start if end is None else end} OK"


def head(order="<", magic=0xa1b2c3d4, link=1, snap=262144, major=2, minor=4):
    return struct.pack(order + "IHHiIII", magic, major, minor, 0, 0, snap, link)


def frame(order="<", sec=1000, sub=0, data=FRAME, captured=None, wire=None, extra=b""):
    captured = len(data) if captured is None else captured
    return struct.pack(order + "IIII", sec, sub, captured, len(data) if wire is None else wire) + extra + data


# ---- pcap ----------------------------------------------------------------------------------------------

def pcap_variants(d):
    """Both orders; micro- and nanoseconds; the patched header of 1997 with 8 more bytes a frame; the FCS length in the link type."""
    for order in "<>":
        for magic, extra in ((0xa1b2c3d4, b""), (0xa1b23c4d, b""), (0xa1b2cd34, b"\0" * 8)):
            for link in (1, 1 | 2 << 28 | 1 << 26):
                result = sensor(d, head(order, magic, link) + frame(order, 61, extra=extra) + frame(order, 62, extra=extra))
                equal(records(result), [line(61, 62, 2)], f"{order} {magic:x} {link:x}")


def pcap_stamps(d):
    """Seconds are unsigned; what cannot be a part of a second does not count as one, nor moves the second."""
    seconds = (0, 59, 2**31 - 1, 2**31, 2**32 - 1)
    result = sensor(d, head() + b"".join(frame(sec=s) for s in seconds))
    equal(records(result), sorted([line(0, 59, 2), line(2**31 - 1, 2**31, 2), line(2**32 - 1)]))
    for sub in (999_999, 1_000_000, 1_500_000, 2**31 - 1, 2**31, 2**32 - 1):
        equal(records(sensor(d, head() + frame(sec=119, sub=sub))), [line(119)], f"{sub} us")
    for sub in (999_999_999, 10**9, 2**31, 2**32 - 1):
        equal(records(sensor(d, head(magic=0xa1b23c4d) + frame(sec=119, sub=sub))), [line(119)], f"{sub} ns")


def pcap_lengths(d):
    """No byte captured; no byte on the wire; more captured than there was; snapshot lengths that are none, or smaller than frames."""
    data = head() + frame(data=b"", wire=60) + frame(data=b"", wire=0) + frame(wire=0) + frame(wire=10) + frame()
    result = sensor(d, data)
    equal(records(result), [line(1000, packets=3)])
    said = summary(result.err)
    equal((said["received"], said["malformed"], said["noted"]), (5, 2, {"snapped": 1, "ip-checksum": 0, "length-beyond-wire": 2}))
    for snap in (0, 2**31, 2**32 - 1, 65535):
        equal(records(sensor(d, head(snap=snap) + frame())), [line(1000)], f"snapshot length {snap}")
    equal(summary(sensor(d, head(snap=50) + frame()).err)["noted"]["snapped"], 1, "cut to the snapshot length")
    largest = FRAME + b"\0" * (262144 - len(FRAME))
    equal(records(sensor(d, head() + frame(data=largest))), [line(1000)], "the largest frame")


def pcap_ends_badly(d):
    for bad, why in ((frame(captured=262145), "262145|too large|bigger"), (frame(captured=2**32 - 1), "4294967295|too large|bigger"),
                     (frame()[:-1], "(?i)trunc"), (frame()[:15], "(?i)trunc"), (frame()[:1], "(?i)trunc")):
        result = sensor(d, head() + frame(sec=61) + frame(sec=62) + bad, code=3)
        equal(records(result), [line(61, 62, 2)], why)
        match(why, result.err.splitlines()[-1])
        equal(summary(result.err)["received"], 2, "frames before")


# ---- pcapng --------------------------------------------------------------------------------------------

def block(kind, body, order="<"):
    body += b"\0" * (-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def section(order="<"):
    return block(0x0a0d0d0a, struct.pack(order + "IHHq", 0x1a2b3c4d, 1, 0, -1), order)


def interface(order="<", link=1, snap=262144, resolution=None, offset=None):
    options = b"" if resolution is None else struct.pack(order + "HHB3x", 9, 1, resolution)
    options += b"" if offset is None else struct.pack(order + "HHq", 14, 8, offset)
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options + (struct.pack(order + "HH", 0, 0) if options else b""), order)


def packet(stamp, number=0, order="<", data=FRAME):
    return block(6, struct.pack(order + "IIIII", number, stamp >> 32, stamp & 0xffffffff, len(data), len(data)) + data, order)


def ng_blocks(d):
    """Interfaces of several resolutions and offsets, packet blocks of every kind, and blocks that are none of ours."""
    other = b"".join(block(kind, b"\0" * 20) for kind in (4, 5, 7, 0x0bad, 0x40000bad))
    data = section() + other + interface() + interface(resolution=9) + interface(resolution=0x80 | 10) + interface(offset=1000)
    data += interface(resolution=0, offset=-500) + other
    data += packet(61_999_999) + packet(62 * 10**9, 1) + packet(63 << 10, 2) + other + packet(565, 4)
    data += packet(64 * 10**6, 3)
    data += block(2, struct.pack("<HHIIII", 1, 0, 0, 66 * 10**6, len(FRAME), len(FRAME)) + FRAME)  # 66 ms after 0
    data += block(3, struct.pack("<I", len(FRAME)) + FRAME)
    equal(records(sensor(d, data)), sorted([line(61, 65, 4), line(1064), line(0, packets=2)]))


def ng_far_stamps(d):
    """Before 1970 there is no second to tell: 0. Beyond 32 bits they are told, beyond the last window they stick to it."""
    data = section() + interface(offset=-2**40) + interface(offset=2**33) + interface(offset=2**62)
    result = sensor(d, data + packet(5 * 10**6, 0) + packet(5 * 10**6, 1) + packet(5 * 10**6, 2))
    last = (2**32 - 2) * 60 + 59
    equal(records(result), sorted([line(0), line(2**33 + 5), line(last)]))


def ng_sections(d):
    """A second section, of the same byte order, goes on with interfaces of its own."""
    one = section() + interface() + packet(61 * 10**6)
    equal(records(sensor(d, one + one)), [line(61, packets=2)])


def ng_gives_up(d):
    """libpcap reads one link type, snapshot length and byte order: until there all counts, and the file's name and the cause are told."""
    good = section() + interface() + packet(61 * 10**6)
    for bad, why in ((interface(link=113) + packet(62 * 10**6, 1), "link-layer|type"), (interface(snap=96) + packet(62 * 10**6, 1), "snapshot"),
                     (section(">") + interface(">") + packet(62 * 10**6, order=">"), "byte order|block size"),
                     (packet(62 * 10**6, 7), "interface"), (packet(62 * 10**6)[:-5], "(?i)trunc"),
                     (struct.pack("<II", 6, 8), "length"), (b"\0" * 7, "(?i)trunc"), (b"garbage that is no block", "(?i)trunc|length|block")):
        result = sensor(d, good + bad, code=3)
        equal(records(result), [line(61)], why)
        match(why, result.err.splitlines()[-1])


def ng_empty(d):
    """Without an interface there is no link type: libpcap refuses. Without a packet there is nothing to tell."""
    sensor(d, section(), code=3)
    equal(records(sensor(d, section() + interface())), [])


def delivered(d):
    """What was read of a cut file reaches the collector too, and the exit code still says that something is missing."""
    pki = Pki(os.path.join(d, "pki"))
    pki.issue("i-cut")
    store = os.path.join(d, "store")
    with collector(store, "127.0.0.1:0", pki.options("collector")) as c:
        sensor(d, head() + frame(sec=61) + frame(sec=62) + frame()[:-1], "-s", c.address, "--id", "i-cut", *pki.options("i-cut"), code=3)
        c.stop()
    held = run("flowproof", "records", "-d", store, "-F", FIELDS).expect(0)
    equal(records(held), [line(61, 62, 2)])


# ---- none ----------------------------------------------------------------------------------------------

def refused(d):
    erf = struct.pack(">QBBHHH", 1 << 32, 2, 4, 16 + 2 + len(FRAME), 0, len(FRAME)) + b"\0\0" + FRAME
    for data in (b"", b"\xd4", head()[:23], b"\x1f\x8b\x08\0" + b"\0" * 60, b"%PDF-1.7 nothing", erf, b"\0" * 4096, b"snoop\0\0\0\0\0\0\2\0\0\0\4"):
        result = sensor(d, data, code=3)
        equal(result.out, "", "output")
        match("no capture file that can be read", result.err)
    for link, name in ((127, "802_11|127"), (147, "147"), (65535, "65535"), (105, "105")):
        match(rf"link type {link} .*cannot be decoded", sensor(d, head(link=link) + frame(), code=3).err, name)
    match("version|format", sensor(d, head(major=9, minor=9) + frame(), code=3).err)


def unreadable(d):
    """A folder, a file that is not there, one that may not be read: with the kernel's word for it."""
    secret = write(os.path.join(d, "secret"), head() + frame())
    os.chmod(secret, 0o600)
    for path, why, prefix in ((d, "directory", ()), (os.path.join(d, "none"), "No such file", ()),
                              (secret, "Permission denied", ("setpriv", "--reuid=65534", "--clear-groups") if os.geteuid() == 0 else ())):
        if path == secret and not prefix:
            os.chmod(secret, 0)
        result = run("flowproof-sensor", "-r", path, prefix=prefix).expect(3)
        match(f"{path}.*{why}", result.err.splitlines()[-1])
        equal(result.out, "")


def main():
    tap = Tap()
    with folder() as d:
        for function in (pcap_variants, pcap_stamps, pcap_lengths, pcap_ends_badly, ng_blocks, ng_far_stamps, ng_sections, ng_gives_up,
                         ng_empty, delivered, refused, unreadable):
            with tap.case(f"{function.__name__.replace('_', ' ')}: {(function.__doc__ or 'what is no capture file').split('.')[0]}"):
                function(d)
    tap.done()


if __name__ == "__main__":
    main()
