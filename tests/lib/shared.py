# SPDX-License-Identifier: Apache-2.0
"""The real captures that are kept beside the tree, not in it: $FLOWPROOF_SHARED, else ../shared of the tree."""
import os
import struct

from harness import ROOT

# Captures of each class, as counted in the captures' own README: what is left out where they are absent.
CLASSES = {
    "link type": 20, "tags": 13, "tunnel": 16, "fragments": 18, "IPv6 chain": 13, "other protocols": 15,
    "lengths": 10, "file format": 21, "TCP flags": 12, "attack": 25, "ordinary, several windows": 32,
    "snap length": 3, "malformed": 27,
}
ABSENT = "shared captures absent"


def data_folder():
    """The folder with pcaps/ and truth/, or None."""
    base = os.environ.get("FLOWPROOF_SHARED") or os.path.join(os.path.dirname(ROOT), "shared")
    data = os.path.join(base, "data")
    return data if os.path.isdir(os.path.join(data, "pcaps")) and os.path.isdir(os.path.join(data, "truth")) else None


def classes(data):
    """{class: {capture: row of the table}} as the captures' README lists them."""
    ret, current = {}, None
    with open(os.path.join(data, "README.md"), encoding="utf-8") as f:
        for line in f:
            if line.startswith("### "):
                current = line[4:].rsplit(" (", 1)[0].strip()
                ret[current] = {}
            elif line.startswith("#"):
                current = None
            elif current and line.startswith("| ") and not line.startswith(("| file ", "| --")):
                ret[current][line[2:].split(" |", 1)[0]] = line
    return ret


def stamps(path):
    """Whole seconds of the packets of a capture file, in file order."""
    with open(path, "rb") as f:
        raw = f.read()
    if raw[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d"):
        return _stamps_pcap(raw, "<" if raw[0] in (0xd4, 0x4d) else ">")
    return _stamps_pcapng(raw)


def _stamps_pcap(raw, order):
    ret, at = [], 24
    while at + 16 <= len(raw):
        seconds, _, length, _ = struct.unpack_from(order + "IIII", raw, at)
        ret.append(seconds)
        at += 16 + length
    return ret


def _stamps_pcapng(raw):
    ret, at, order, resolution = [], 0, "<", []
    while at + 12 <= len(raw):
        if raw[at:at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if raw[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            resolution = []
        kind, length = struct.unpack_from(order + "II", raw, at)
        if length < 12 or at + length > len(raw):
            break
        if kind == 1:
            per_second, option, offset = 10**6, at + 16, 0
            while option + 4 <= at + length - 4:
                code, size = struct.unpack_from(order + "HH", raw, option)
                if code == 0:
                    break
                if code == 9:
                    r = raw[option + 4]
                    per_second = 2**(r & 127) if r & 128 else 10**r
                if code == 14:
                    offset = struct.unpack_from(order + "q", raw, option + 4)[0]
                option += 4 + (size + 3) // 4 * 4
            resolution.append((per_second, offset))
        elif kind in (2, 6):  # packet block (obsolete), enhanced packet block
            interface, high, low = struct.unpack_from(order + ("III" if kind == 6 else "HxxII"), raw, at + 8)
            per_second, offset = resolution[interface]
            ret.append((high << 32 | low) // per_second + offset)
        elif kind == 3:
            ret.append(0)  # a simple packet has no stamp
        at += length
    return ret
