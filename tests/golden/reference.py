# SPDX-License-Identifier: Apache-2.0
"""A second decoder and flow meter, as plain as the rules allow: what run_reference.py holds the sensor to.

Written from the rules of the truth tables, RFC 791, 2675, 3032, 8200 and https://www.tcpdump.org/linktypes.html, not from the
sensor's code; slow and unbounded where the sensor is fast and bounded. run_reference.py first holds it to the truth tables.
"""
import collections
import ipaddress
import struct

ETHERNET, NULL, PPP, RAW_FILE, PPP_SERIAL, PPP_ETHER, HDLC, LOOP, SLL = 1, 0, 9, 101, 50, 51, 104, 108, 113
PPP_PPPD, IPV4, IPV6, NFLOG, SLL2 = 166, 228, 229, 239, 276
RAW = (RAW_FILE, 12, 14)
LINKS = (ETHERNET, NULL, PPP, RAW_FILE, PPP_SERIAL, PPP_ETHER, HDLC, LOOP, SLL, PPP_PPPD, IPV4, IPV6, NFLOG, SLL2)
TAGS = (0x8100, 0x88a8, 0x9100, 0x9200)
MPLS = (0x8847, 0x8848)
PORTS = (6, 17, 33, 132, 136)
EXTENSIONS = (0, 43, 60)

Frame = collections.namedtuple("Frame", "sec data wire link")
# `header`: where behind the IP header's begin the transport header begins, or None. `fragment`: None, "first", "later".
Ip = collections.namedtuple("Ip", "src dst sport dport proto bytes flags bad_sum beyond fragment ident kind at header")


class NotIp(Exception):
    pass


class Malformed(Exception):
    pass


def need(data, at, n):
    if len(data) < at + n:
        raise Malformed
    return data[at:at + n]


def u16(data, at):
    return struct.unpack(">H", need(data, at, 2))[0]


# ---- link layers: each ends in (IP version or None, offset of the IP header) --------------------------

def ethertype(data, kind, at):
    while kind in TAGS:
        need(data, at, 4)
        kind, at = u16(data, at + 2), at + 4
    if kind == 0x0800:
        return 4, at
    if kind == 0x86dd:
        return 6, at
    if kind in MPLS:
        return mpls(data, at)
    if kind == 0x8864:
        need(data, at, 6)
        return ppp_protocol(data, at + 6)
    if kind <= 1500:
        return llc(data, at)
    raise NotIp


def llc(data, at):
    saps = need(data, at, 3)[:2]
    if saps == b"\x06\x06":
        return 4, at + 3
    if saps != b"\xaa\xaa":
        raise NotIp
    if need(data, at + 3, 5)[:3] != b"\0\0\0" or u16(data, at + 6) <= 1500:
        raise NotIp
    return ethertype(data, u16(data, at + 6), at + 8)


def mpls(data, at):
    while not need(data, at, 4)[2] & 1:
        at += 4
    at += 4
    if need(data, at, 1)[0] >> 4 not in (4, 6):
        raise NotIp
    return None, at


def ppp_protocol(data, at):
    kind = u16(data, at)
    if kind == 0x0021:
        return 4, at + 2
    if kind == 0x0057:
        return 6, at + 2
    if kind in (0x0281, 0x0283):
        return mpls(data, at + 2)
    raise NotIp


def hdlc(data):
    need(data, 0, 4)
    kind = u16(data, 2)
    if kind in (0x0800, 0x86dd, *MPLS):
        return ethertype(data, kind, 4)
    raise NotIp


def cooked(data, kind, at):
    if kind == 4:
        return llc(data, at)
    if kind <= 1500:
        raise NotIp
    return ethertype(data, kind, at)


def null(data):
    number = need(data, 0, 4)
    families = {2: 4, 10: 6, 24: 6, 28: 6, 30: 6}
    for order in ("big", "little"):
        value = int.from_bytes(number, order)
        if value <= 0xffff:
            if value in families:
                return families[value], 4
            break
    raise NotIp


def nflog(data):
    need(data, 0, 4)
    at = 4
    while True:
        tlv = need(data, at, 4)
        # Types are below 256 and never 0 with a value: the byte that is not 0 tells the order.
        order = "<" if tlv[2] != 0 or tlv[3] == 0 else ">"
        size, kind = struct.unpack(order + "HH", tlv)
        if kind & 0x7fff == 9:
            return None, at + 4
        if size < 4:
            raise Malformed
        need(data, at, (size + 3) // 4 * 4)
        at += (size + 3) // 4 * 4


def link_layer(link, data):
    if link == ETHERNET:
        need(data, 0, 14)
        return ethertype(data, u16(data, 12), 14)
    if link in (NULL, LOOP):
        return null(data)
    if link in RAW:
        return None, 0
    if link == IPV4:
        return 4, 0
    if link == IPV6:
        return 6, 0
    if link == PPP or (link == PPP_SERIAL and data[:1] not in (b"\x0f", b"\x8f")):
        return ppp_protocol(data, 2 if data[:2] == b"\xff\x03" else 0)
    if link in (PPP_SERIAL, HDLC):
        return hdlc(data)
    if link == PPP_ETHER:
        need(data, 0, 6)
        return ppp_protocol(data, 6)
    if link == PPP_PPPD:
        need(data, 0, 2)
        return ppp_protocol(data, 2)
    if link == SLL:
        need(data, 0, 16)
        return cooked(data, u16(data, 14), 16)
    if link == SLL2:
        need(data, 0, 20)
        return cooked(data, u16(data, 0), 20)
    if link == NFLOG:
        return nflog(data)
    raise ValueError(link)


# ---- IP -----------------------------------------------------------------------------------------------

def transport(proto, payload):
    """(sport, dport, flags)"""
    if proto not in PORTS or len(payload) < 4:
        return 0, 0, 0
    flags = 0
    if proto == 6 and len(payload) >= 14:
        bits = payload[13]
        flags = bits & 7 | (16 if bits & 18 == 18 else 0)
    return (*struct.unpack(">HH", payload[:4]), flags)


def ip4(h, wire, at):
    need(h, 0, 20)
    ihl, total = (h[0] & 15) * 4, u16(h, 2)
    if ihl < 20 or 0 < total < ihl:
        raise Malformed
    size = total or wire
    held = h[:size]
    where = u16(h, 6)
    fragment = "later" if where & 0x1fff else "first" if where & 0x2000 else None
    ports, header, bad = (0, 0, 0), None, False
    if len(held) >= ihl:
        words = sum(struct.unpack(f">{ihl // 2}H", h[:ihl]))
        bad = words % 65535 != 0
        if fragment != "later":
            ports, header = transport(h[9], held[ihl:]), ihl
    return Ip(str(ipaddress.IPv4Address(h[12:16])), str(ipaddress.IPv4Address(h[16:20])), *ports[:2], h[9], size, ports[2], bad,
              total > wire, fragment, u16(h, 4), h[9], at, header)


def jumbo(h):
    """The jumbo payload length among the hop-by-hop options, or 0."""
    if h[6] != 0 or len(h) < 42:
        return 0
    at, end = 42, min(len(h), 40 + (h[41] + 1) * 8)
    while at < end:
        if h[at] == 0:
            at += 1
            continue
        if at + 1 >= end:
            break
        size = h[at + 1]
        if h[at] == 0xc2 and size == 4:
            return int.from_bytes(h[at + 2:at + 6], "big") if at + 6 <= end else 0
        at += 2 + size
    return 0


def ip6(h, wire, at):
    need(h, 0, 40)
    length = u16(h, 4)
    more = 0 if length else jumbo(h)
    size = length + 40 if length else more + 40 if more else wire
    held = h[:size]
    proto, where, fragment, ident, kind = h[6], 40, None, 0, 0
    while proto in (*EXTENSIONS, 44) and fragment != "later":
        step = 8 if proto == 44 else (held[where + 1] + 1) * 8 if where + 2 <= len(held) else None
        if step is None or where + step > len(held):
            break
        head = held[where:where + step]
        if proto == 44:
            offset = u16(head, 2)
            if offset & 0xfff9:
                fragment, ident, kind = "later" if offset & 0xfff8 else "first", int.from_bytes(head[4:8], "big"), head[0]
        proto, where = head[0], where + step
    followed = proto not in (*EXTENSIONS, 44) and fragment != "later"
    ports = transport(proto, held[where:]) if followed else (0, 0, 0)
    return Ip(str(ipaddress.IPv6Address(h[8:24])), str(ipaddress.IPv6Address(h[24:40])), *ports[:2], proto, size, ports[2], False,
              size > wire, fragment, ident, kind, at, where if followed else None)


def decode(frame):
    """An Ip; or raises NotIp, Malformed."""
    version, at = link_layer(frame.link, frame.data)
    h = frame.data[at:]
    found = need(h, 0, 1)[0] >> 4
    if found not in (4, 6) or version not in (None, found):
        raise Malformed
    return (ip4 if found == 4 else ip6)(h, max(frame.wire - at, 0), at)


def unwrap(frame, outer):
    """The frame in VXLAN, None if it is none; raises Malformed when the VXLAN header is cut."""
    if outer.proto != 17 or outer.dport != 4789 or outer.bytes < outer.header + 16:
        return None
    at = outer.at + outer.header + 8
    if need(frame.data, at, 8)[0] & 8 == 0:
        return None
    wire = max(min(outer.bytes - outer.header - 16, frame.wire - at - 8), 0)
    return Frame(frame.sec, frame.data[at + 8:][:wire], wire, ETHERNET)


# ---- the meter ----------------------------------------------------------------------------------------

def meter(frames, mirror=False, attribute=False):
    """({(interface, src, dst, sport, dport, proto, minute): [packets, bytes, start, end, flags]}, counters)"""
    flows, counters, firsts = {}, collections.Counter(), {}
    for f in frames:
        counters["received"] += 1
        who = "file"
        try:
            p = decode(f)
            if mirror:
                inner = unwrap(f, p)
                if inner:
                    f, who = inner, "vni-unlisted"
                    p = decode(f)
        except NotIp:
            counters["not-ip"] += 1
            counters["snapped"] += len(f.data) < f.wire
            continue
        except Malformed:
            counters["malformed"] += 1
            counters["snapped"] += len(f.data) < f.wire
            continue
        counters["recorded"] += 1
        counters["snapped"] += len(f.data) < f.wire
        counters["ip-checksum"] += p.bad_sum
        counters["length-beyond-wire"] += p.beyond
        if attribute and p.fragment:
            name = (who, p.src, p.dst, p.ident, p.kind)
            if p.fragment == "first":
                firsts[name] = f.sec, p
            elif name in firsts and abs(f.sec - firsts[name][0]) <= 60:
                first = firsts[name][1]
                p = p._replace(sport=first.sport, dport=first.dport, proto=first.proto)
        row = flows.setdefault((who, p.src, p.dst, p.sport, p.dport, p.proto, f.sec // 60), [0, 0, f.sec, f.sec, 0])
        row[:] = [row[0] + 1, row[1] + p.bytes, min(row[2], f.sec), max(row[3], f.sec), row[4] | p.flags]
    return flows, counters


# ---- capture files --------------------------------------------------------------------------------------

def read_capture(raw):
    """Frames of a pcap or pcapng file up to its end or to where it is cut."""
    magic = raw[:4]
    if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d"):
        order = "<" if magic[0] in (0xd4, 0x4d) else ">"
        snap, link = struct.unpack_from(order + "II", raw, 16)
        at = 24
        while at + 16 <= len(raw):
            sec, _, size, wire = struct.unpack_from(order + "IIII", raw, at)
            if at + 16 + size > len(raw):
                return
            yield Frame(sec, raw[at + 16:at + 16 + min(size, snap or size)], wire, link & 0x3ffffff)
            at += 16 + size
        return
    at, order, interfaces = 0, "<", []
    while at + 12 <= len(raw):
        if raw[at:at + 4] == b"\x0a\x0d\x0d\x0a":
            order, interfaces = "<" if raw[at + 8] == 0x4d else ">", []
        kind, length = struct.unpack_from(order + "II", raw, at)
        if length < 12 or at + length > len(raw):
            return
        body = raw[at + 8:at + length - 4]
        if kind == 1:
            interfaces.append((struct.unpack_from(order + "HHI", body), *resolution(order, body[8:])))
        elif kind in (2, 6):
            number, high, low, size, wire = struct.unpack_from(order + ("IIIII" if kind == 6 else "HxxIIII"), body)
            (link, _, _), per_second, offset = interfaces[number]
            yield Frame((high << 32 | low) // per_second + offset, body[20:20 + size], wire, link)
        elif kind == 3:
            wire = struct.unpack_from(order + "I", body)[0]
            (link, _, snap), _, _ = interfaces[0]
            yield Frame(0, body[4:4 + min(wire, snap or wire)], wire, link)
        at += length


def resolution(order, options):
    per_second, offset, at = 10**6, 0, 0
    while at + 4 <= len(options):
        code, size = struct.unpack_from(order + "HH", options, at)
        if code == 9:
            r = options[at + 4]
            per_second = 2**(r & 127) if r & 128 else 10**r
        elif code == 14:
            offset = struct.unpack_from(order + "q", options, at + 4)[0]
        elif code == 0:
            break
        at += 4 + (size + 3) // 4 * 4
    return per_second, offset
