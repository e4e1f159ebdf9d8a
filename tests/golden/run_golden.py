#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_golden.py BUILD_DIR   Capture file in, exact text out, line order included (make_captures.py says what must come)."""
import collections
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import Tap, check, equal, folder, match, run, summary, write  # noqa: E402
import make_captures as make  # noqa: E402

# Written by hand, to hold make_captures.expected() to account: TCP client 60 + 52 + 540 ... see the sums.
BY_HAND = f"""{make.GOLDEN}
3 - - 10.0.0.5 203.0.113.9 40000 443 6 5 237 1700000041 1700000041 ACCEPT OK 3 IPv4
3 - - 203.0.113.9 10.0.0.5 443 40000 6 4 346 1700000041 1700000041 ACCEPT OK 19 IPv4
3 - - - - - - - - - 1700000100 1700000220 - NODATA - -
3 - - 2001:db8:0:1:2::9 2001:db8::5 0 0 58 1 104 1700000240 1700000240 ACCEPT OK 0 IPv6
"""
# Client: SYN 20+20+19 (options, padded to 20: 60), ACK 40, data 40+17, ACK 40, FIN 40: 237 bytes in 5 packets.
# Server: SYN-ACK 60, ACK 40, data 40+166, FIN 40: 346 bytes in 4 packets. The last ACK of the client is left out.


def sensor(*args, **how):
    return run("flowproof-sensor", *args, **how)


def equation(result, packets):
    got = summary(result.err)
    want = make.totals(packets)
    equal({k: got[k] for k in ("received", "recorded", "not-ip")} | {"malformed": got["malformed"] + got["cut"]}, want, "counters")
    equal(got["noted"]["snapped"], sum(len(p.data) < p.wire for p in packets), "frames that were cut")
    return got


def noted(d):
    """Counted all the same: a wrong IPv4 header checksum, seen only where the header is whole; lengths beyond the wire; frames
    that the capture cut. Transport checksums are not looked at: the generator writes 0 there."""
    t = make.ns(make.T0)

    def damaged(packet, at=10):
        data = bytearray(packet.data)
        data[14 + at] ^= 0x40
        return packet._replace(data=bytes(data))

    plain, options = make.udp_packet(t, make.A, make.B, 1, 2, 30), make.udp_packet(t, make.A, make.B, 1, 2, 30, options=b"\1" * 12)
    later = make.fragments()[1]
    whole = [plain, options, later]
    packets = whole + [damaged(p) for p in whole] + [damaged(plain, 8)]  # the last: another time to live
    packets += [damaged(plain)._replace(data=damaged(plain).data[:34]),  # 14 + 20: cut behind the header
                damaged(options)._replace(data=damaged(options).data[:14 + 31], what=options.what._replace(sport=0, dport=0))]  # within it
    packets += [make.frame(t, make.A, make.C, make.UDP, make.udp(3, 4, b"q" * 80), 20 + 8 + 81, 3, 4, total=20 + 8 + 81),
                make.frame(t, make.A, make.C, make.UDP, make.udp(3, 4, b"q" * 80), 20 + 8 + 80, 3, 4),
                make.frame(t, make.A6, make.B6, make.UDP, make.udp(3, 4, b"q" * 80), 40 + 8 + 81, 3, 4, length=8 + 81)]
    packets[7] = packets[7]._replace(what=packets[7].what._replace(sport=0, dport=0))
    result = sensor("-r", write(os.path.join(d, "noted"), make.pcap(packets)), "-o", "-", "-F", make.GOLDEN).expect(0)
    equal(result.out, make.expected(packets, make.GOLDEN))
    equal(equation(result, packets)["noted"], {"snapped": 2, "ip-checksum": 3 + 1 + 1, "length-beyond-wire": 2})


def fragments_told(d):
    """The summary tells what became of fragments: of fragments_with_ports() 5 firsts of IPv4 (7, 8, 7 of TCP, 7 again; 5 of IPv6),
    and of 11 later ones all but those that came before, without, or 61 s behind their first (8, B to A, 1528, 6 of IPv6)."""
    path = write(os.path.join(d, "told"), make.pcap(make.fragments_with_ports()))
    line = match(r"^fragments: first=(\d+) attributed=(\d+) alone=(\d+) overflow=(\d+)$",
                 sensor("-r", path, "-o", "-", "--fragments", "ports").expect(0).err)
    equal(line.groups(), ("5", "7", "4", "0"))
    many = [make.frame(make.ns(make.T0), make.A, make.B, make.UDP, make.udp(i, 9, b"f" * 56), 84, i, 9, more=True, ident=i)
            for i in range(5000)]
    result = sensor("-r", write(os.path.join(d, "many"), make.pcap(many)), "-o", "-", "--fragments", "ports").expect(0)
    line = match(r"^fragments: first=5000 attributed=0 alone=0 overflow=(\d+)$", result.err)
    check(0 < int(line[1]) < 5000, "a table of fixed size forgets some of 5,000 and says how many")
    equation(result, many)


def by_hand(d):
    mss = bytes.fromhex("020405b40402080a000000010000000001030307")
    equal(len(mss), 20, "options")
    t, a, b = make.ns(make.T0 + 1), make.A, make.B
    c2s, s2c = (a, b, 40000, 443), (b, a, 443, 40000)
    packets = [make.tcp_packet(t, *c2s, make.SYN, 0, mss), make.tcp_packet(t, *s2c, make.SYN | make.ACK, 0, mss),
               make.tcp_packet(t, *c2s, make.ACK), make.tcp_packet(t, *c2s, make.PSH | make.ACK, 17),
               make.tcp_packet(t, *s2c, make.ACK), make.tcp_packet(t, *s2c, make.PSH | make.ACK, 166),
               make.tcp_packet(t, *c2s, make.ACK), make.tcp_packet(t, *c2s, make.FIN | make.ACK),
               make.tcp_packet(t, *s2c, make.FIN | make.ACK), make.ping(t + 199 * make.NS, make.B6, make.A6)]
    equal(make.expected(packets, make.GOLDEN), BY_HAND, "the generator's own sums")
    path = write(os.path.join(d, "by-hand.pcap"), make.pcap(packets))
    result = sensor("-r", path, "-o", "-", "-F", make.GOLDEN).expect(0)
    equal(result.out, BY_HAND, "records")


def case(d, c, form):
    path = write(os.path.join(d, f"{c.name}.{form}"), make.FORMATS[form](c.packets))
    result = sensor("-r", path, "-o", "-", *c.args).expect(0)
    equal(result.out, c.expected(), "output")
    equation(result, c.packets)


def sums(text):
    """{(key, window): [packets, bytes, start, end, flags]} of text in GOLDEN form."""
    ret = collections.OrderedDict()
    for line in text.splitlines()[1:]:
        f = line.split(" ")
        if f[13] != "OK":
            continue
        packets, size, start, end, flags = (int(f[i]) for i in (8, 9, 10, 11, 14))
        row = ret.setdefault((*f[3:8], start // 60), [0, 0, start, end, 0])
        ret[(*f[3:8], start // 60)] = [row[0] + packets, row[1] + size, min(row[2], start), max(row[3], end), row[4] | flags]
    return ret


def same_sums(got, want):
    """Equal records once lines of equal key and window are added up, in whatever order."""
    def lines(text):
        return sorted(" ".join(str(x) for x in (*k, *v)) for k, v in sums(text).items())
    equal(lines(got), lines(want), "records, added up by key and window")


def backwards(d):
    packets = make.backwards()
    path = write(os.path.join(d, "backwards"), make.pcap(packets))
    result = sensor("-r", path, "-o", "-", "-F", make.GOLDEN).expect(0)
    same_sums(result.out, make.expected(packets, make.GOLDEN))
    equation(result, packets)


def small_table(d, slots):
    packets = make.many_flows(800, 6000)
    path = write(os.path.join(d, "small-table"), make.pcap(packets))
    result = sensor("-r", path, "-o", "-", "-F", make.GOLDEN, "--flow-slots", str(slots)).expect(0)
    want = make.expected(packets, make.GOLDEN)
    same_sums(result.out, want)
    check(result.out.count("\n") > want.count("\n"), "a table this small must have written flows out early")
    equation(result, packets)


def endpoints_of(text):
    """{(direction, remote, port, protocol): [row as a dict, ...]} of what --endpoints writes."""
    lines = text.splitlines()
    ret = collections.defaultdict(list)
    for line in lines[1:]:
        row = dict(zip(lines[0].split(" "), line.split(" ")))
        ret[row["direction"], row["remote"], int(row["port"]), int(row["protocol"])].append(row)
    return ret


def endpoint_is(rows, packets_out, bytes_out, packets_in, bytes_in, flows, outcome):
    """The only row of an endpoint."""
    equal(len(rows), 1, "rows")
    got = [int(rows[0][k]) for k in ("packets-out", "bytes-out", "packets-in", "bytes-in", "flows")]
    equal(got + [rows[0]["outcome"], rows[0]["state"]],
          [packets_out, bytes_out, packets_in, bytes_in, flows, outcome, "kept"], rows[0]["remote"])


def endpoints(d):
    """One line for each: by hand, from the packets below."""
    a, b, c, t = make.A, make.B, make.C, make.ns(make.T0)
    packets = make.connection(t, a, b, 40000, 443, [100], [7]) + make.connection(t + 100 * make.NS, a, b, 40001, 443, [100], [7])
    packets += [make.udp_packet(t + 101 * make.NS, a, c, 5000, 53, 30), make.udp_packet(t + 102 * make.NS, a, c, 5001, 53, 30)]
    packets += [make.tcp_packet(t + 103 * make.NS, c, a, 6000, 22, make.SYN), make.ping(t + 110 * make.NS, b, a)]
    path = write(os.path.join(d, "endpoints"), make.pcap(packets))
    out = os.path.join(d, "endpoints.txt")
    sensor("-r", path, "-o", os.devnull, "--endpoints", out).expect(0)
    with open(out, encoding="ascii") as f:
        got = endpoints_of(f.read())
    equal(sorted(got), sorted([("egress", b, 443, 6), ("egress", c, 53, 17), ("ingress", c, 22, 6), ("ingress", b, 0, 1)]), "endpoints")
    # Each connection: SYN 60, ACK 40, data 140, ACK 40, FIN 40, ACK 40 out; SYN-ACK 60, ACK 40, data 47, FIN 40 in.
    endpoint_is(got["egress", b, 443, 6], 2 * 6, 2 * (60 + 40 + 140 + 40 + 40 + 40), 2 * 4, 2 * (60 + 40 + 47 + 40), 2, "data_out")
    endpoint_is(got["egress", c, 53, 17], 2, 2 * (20 + 8 + 30), 0, 0, 2, "unanswered")
    endpoint_is(got["ingress", c, 22, 6], 0, 0, 1, 40, 1, "unanswered")
    endpoint_is(got["ingress", b, 0, 1], 0, 0, 1, 20 + 8 + 56, 1, "sent")
    row = got["egress", b, 443, 6][0]
    # 11 packets 10 ms apart
    equal((int(row["first"]), int(row["last"])), (make.T0, make.T0 + 100), "first and last")
    equal(row["verdict"], "unexpected_egress", "verdict")


def flood(d):
    """A million destinations that never answer and a tenth as many peers that come in; one destination that does answer is spoken to
    before, amid and after, one amid alone. Small tables: both are remembered with every packet, and it is said that others are not."""
    count, slots = 1000000, 64
    head = make.pcap([])
    syn = make.tcp_packet(0, make.A, "80.0.0.0", 1024, 80, make.SYN).data
    back = make.tcp_packet(0, "80.0.0.0", make.A, 1024, 80, make.SYN).data
    answered = {make.B: 0, make.C: 0}
    with open(os.path.join(d, "flood"), "wb") as f:
        def put(second, data):
            f.write(struct.pack("<IIII", make.T0 + second, 0, len(data), len(data)) + data)

        def speak(second, peer, port):
            for p in (make.tcp_packet(0, make.A, peer, port, 443, make.SYN),
                      make.tcp_packet(0, peer, make.A, 443, port, make.SYN | make.ACK),
                      make.tcp_packet(0, make.A, peer, port, 443, make.ACK, 9)):
                put(second, p.data)
            answered[peer] += 1

        f.write(head)
        speak(0, make.B, 2000)
        for i in range(count):
            second = i * 100 // count
            put(second, syn[:30] + struct.pack(">I", 0x50000000 + i) + syn[34:])
            if i % 10 == 0:
                put(second, back[:26] + struct.pack(">I", 0x90000000 + i) + back[30:])
            if i == count // 2:
                speak(second, make.B, 2001)
                speak(second, make.C, 2002)
        speak(100, make.B, 2003)
    frames = count + count // 10 + 3 * sum(answered.values())
    out, records = os.path.join(d, "flood.endpoints"), os.path.join(d, "flood.records")
    result = sensor("-r", os.path.join(d, "flood"), "-o", records, "-F", "packets bytes", "--flow-slots", "1024",
                    "--endpoint-slots", str(slots), "--endpoints", out, limit=120).expect(0)
    got = summary(result.err)
    equal((got["received"], got["recorded"]), (frames, frames), "frames")
    with open(records, encoding="ascii") as f:
        next(f)
        rows = [line.split() for line in f]
    equal(sum(int(r[0]) for r in rows), frames, "packets of all records")
    equal(sum(int(r[1]) for r in rows), 40 * frames + 9 * sum(answered.values()), "bytes of all records")
    with open(out, encoding="ascii") as f:
        ends = endpoints_of(f.read())
    for peer, times in answered.items():
        rows = ends["egress", peer, 443, 6]
        equal([r["state"] for r in rows], ["kept"], peer)
        equal([int(rows[0][k]) for k in ("packets-out", "packets-in")], [2 * times, times], peer)
        equal(rows[0]["outcome"], "data_out", peer)
    kept = [r for rows in ends.values() for r in rows if r["state"] == "kept"]
    equal(collections.Counter(r["direction"] for r in kept), {"egress": slots * 3 // 4, "ingress": slots // 4}, "kept")
    gone = [r for rows in ends.values() for r in rows if r["state"] == "gave_way"]
    equal([r["outcome"] for r in gone], ["unanswered"], "what gave way, to the one that came amid")
    # Left out: all flows but those whose endpoint found room. B came first; C found none when it began; of the peers the first stay.
    match(rf"endpoints: kept {slots} of {slots}, gave way 1, flows without room for theirs "
          rf"{count - (slots * 3 // 4 - 1) + count // 10 - slots // 4 + 1}\b", result.err, "what is said")


def same_twice(d):
    path = write(os.path.join(d, "twice"), make.pcap(make.many_flows()))
    first, second = (sensor("-r", path, "-o", "-", "-F", make.GOLDEN).expect(0) for _ in range(2))
    equal(first.out_bytes == second.out_bytes, True, "two runs differ")
    equal(summary(first.err), summary(second.err), "summaries")


def standard_input(form):
    packets = make.tcp_flags()
    result = sensor("-r", "-", "-o", "-", "-F", make.GOLDEN, stdin=make.FORMATS[form](packets)).expect(0)
    equal(result.out, make.expected(packets, make.GOLDEN))
    equation(result, packets)


def output_file(d):
    packets = make.udp_both()
    path, out = write(os.path.join(d, "in"), make.pcap(packets)), os.path.join(d, "out")
    result = sensor("-r", path, "-o", out).expect(0)
    equal(result.out, "", "standard output")
    with open(out, encoding="ascii") as f:
        equal(f.read(), make.expected(packets))


def default_output(d):
    packets = make.udp_both()
    result = sensor("-r", write(os.path.join(d, "in2"), make.pcap(packets))).expect(0)
    equal(result.out, make.expected(packets), "without -o and -s records go to standard output")


def field_list_forms(d):
    packets = make.custom_fields()
    path = write(os.path.join(d, "forms"), make.pcap(packets))
    want = make.expected(packets, "bytes dstaddr start")
    for text in ("bytes,dstaddr,start", "${bytes} ${dstaddr} ${start}", "  bytes   dstaddr start "):
        equal(sensor("-r", path, "-o", "-", "-F", text).expect(0).out, want, f"-F {text!r}")


def bpf(d):
    packets = make.udp_both() + make.tcp_windows()
    path = write(os.path.join(d, "bpf"), make.pcap(packets))
    chosen = [p for p in packets if p.what.proto == make.UDP and make.B in p.what[:2]]
    check(0 < len(chosen) < len(packets), "the filter must choose some")
    result = sensor("-r", path, "-o", "-", "-F", make.GOLDEN, "-f", f"udp and host {make.B}").expect(0)
    equal(result.out, make.expected(chosen, make.GOLDEN))
    equation(result, chosen)
    result = sensor("-r", path, "-o", "-", "-f", "udp and and").expect(2)
    equal(result.out, "", "output")


def refused(d, code, pattern, *args, data=None):
    if data is not None:
        args = ("-r", write(os.path.join(d, "refused"), data), *args)
    result = sensor(*args).expect(*([code] if isinstance(code, int) else code))
    match(pattern, result.err, "message")
    check("ACCEPT" not in result.out, "no records may come")


def truncated(d, form):
    """The file ends inside its last frame: all frames before it count, and the exit code says that something is missing."""
    packets = make.udp_both()
    whole = make.FORMATS[form](packets)
    for cut in (1, 40):
        path = write(os.path.join(d, "truncated." + form), whole[:-cut])
        result = sensor("-r", path, "-o", "-", "-F", make.GOLDEN).expect(3)
        equal(result.out, make.expected(packets[:-1], make.GOLDEN), f"{cut} bytes cut off")
        equation(result, packets[:-1])
        match(r"(?i)trunc", result.err, "the message does not say that the file is cut")


def garbage_in_file(d):
    """A frame header that claims 2 GiB: what comes before it counts."""
    packets = make.udp_both()[:3]
    data = make.pcap(packets) + struct.pack("<IIII", make.T0, 0, 0x7fffffff, 0x7fffffff) + b"\0" * 100
    result = sensor("-r", write(os.path.join(d, "garbage"), data), "-o", "-", "-F", make.GOLDEN).expect(3)
    equal(result.out, make.expected(packets, make.GOLDEN))
    equation(result, packets)


def empty(d, form):
    path = write(os.path.join(d, "empty." + form), make.FORMATS[form]([]))
    result = sensor("-r", path, "-o", "-").expect(0)
    equal(result.out, make.DEFAULT + "\n", "a header line and no record")
    equation(result, [])


def only_not_ip(d):
    packets = [p for p in make.not_ip() if p.what == "not-ip"]
    result = sensor("-r", write(os.path.join(d, "only"), make.pcap(packets)), "-o", "-").expect(0)
    equal(result.out, make.DEFAULT + "\n", "a header line and no record")
    equation(result, packets)


def reasons(d):
    """Each reason apart: what is counted under `not-ip` and `malformed` is told from the rest."""
    for name, packets, least in (("not-ip", make.not_ip(), 4), ("malformed", make.malformed(), 4)):
        result = sensor("-r", write(os.path.join(d, name), make.pcap(packets)), "-o", "-").expect(0)
        got = summary(result.err)[name + " reasons"]
        check(len(got) >= least and all(v > 0 for v in got.values()), f"reasons for {name}: {got}")
    arps = sum(v for k, v in summary(sensor("-r", os.path.join(d, "not-ip")).expect(0).err)["not-ip reasons"].items() if "arp" in k)
    equal(arps, 2, "ARP frames")


def every_cut(d):
    """A frame with everything in it, cut at every byte: nothing crashes, everything is counted."""
    frames = [make.options_and_chains()[2], make.tagged()[0], make.tcp_flags()[0], make.fragments()[4]]
    packets = []
    for p in frames:
        packets += [p._replace(data=p.data[:n], wire=n) for n in range(len(p.data))]
        packets += [p._replace(data=p.data[:n]) for n in range(len(p.data))]
    result = sensor("-r", write(os.path.join(d, "cuts"), make.pcap(packets)), "-o", "-").expect(0)
    got = summary(result.err)
    equal(got["received"], len(packets), "frames")
    equal(got["not-ip"], 0, "frames that were IP before they were cut")
    # Ethernet and tags, then the IP header: cut before its end is malformed, behind it recorded.
    header = {0x0800: 20, 0x86dd: 40}
    need = 0
    for p in frames:
        at = 12
        while struct.unpack_from(">H", p.data, at)[0] in (make.VLAN, make.QINQ):
            at += 4
        need += 2 * (at + 2 + header[struct.unpack_from(">H", p.data, at)[0]])
    equal(got["malformed"] + got["cut"], need, "frames cut before the IP header's end")


def damaged(d):
    """Random bytes in random places of good frames, fixed seed: nothing crashes, the equation holds."""
    import random
    seed = 77
    rng = random.Random(seed)
    good = make.tagged() + make.options_and_chains() + make.fragments() + make.tcp_flags() + make.lengths()
    packets = []
    for _ in range(4000):
        p = rng.choice(good)
        data = bytearray(p.data)
        for _ in range(rng.randrange(1, 5)):
            data[rng.randrange(min(len(data), 100))] = rng.randrange(256)
        packets.append(p._replace(data=bytes(data)))
    result = sensor("-r", write(os.path.join(d, "damaged"), make.pcap(packets)), "-o", "-").expect(0)
    equal(summary(result.err)["received"], len(packets), "frames")


def main():
    tap = Tap()
    with folder() as d:
        with tap.case("by hand: what the generator expects, and the sensor"):
            by_hand(d)
        with tap.case("fragments: what became of them is told"):
            fragments_told(d)
        with tap.case("counted all the same"):
            noted(d)
        for c in make.cases():
            for form in c.formats:
                with tap.case(f"{c.name}.{form}"):
                    case(d, c, form)
        with tap.case("stamps that run back over a window's end"):
            backwards(d)
        for slots in (16, 64, 256):
            with tap.case(f"a table of {slots} slots: the sums are the same"):
                small_table(d, slots)
        with tap.case("endpoints: totals of each by hand"):
            endpoints(d)
        with tap.case("a flood of a million destinations: who answered is remembered, the rest is told"):
            flood(d)
        with tap.case("two runs, one output"):
            same_twice(d)
        for form in ("pcap", "pcapng"):
            with tap.case(f"{form} from standard input"):
                standard_input(form)
        with tap.case("-o FILE"):
            output_file(d)
        with tap.case("no -o: standard output"):
            default_output(d)
        with tap.case("fields separated by commas, as ${name}, with spaces around"):
            field_list_forms(d)
        with tap.case("-f: a BPF filter"):
            bpf(d)
        for name, code, pattern, args in (
                ("unknown field", 2, "colour", ("-F", "srcaddr colour")),
                ("duplicate field", 2, "srcaddr", ("-F", "srcaddr bytes srcaddr")),
                ("empty field list", 2, "", ("-F", "")),
                ("--fragments that it does not know", 2, "maybe", ("--fragments", "maybe")),
                ("window of 61 s", 2, "61", ("-t", "61")),
                ("--local that is no network", 2, "10.0.0", ("--local", "10.0.0.0/33")),
                ("policy that is not there", (2, 3), "none.policy", ("-p", "/nowhere/none.policy"))):
            with tap.case(f"refused: {name}"):
                refused(d, code, pattern, *args, "-o", "-", data=make.pcap(make.udp_both()))
        for name, code, pattern, data in (
                ("not a capture", (2, 3), "refused", b"%PDF-1.4 this is no capture file at all"),
                ("no bytes", (2, 3), "refused", b""),
                ("half a file header", (2, 3), "refused", make.pcap([])[:11]),
                ("a link type that is not decoded", (2, 3), "(?i)802.11|105", make.pcap(make.udp_both(), link=105))):
            with tap.case(f"refused: {name}"):
                refused(d, code, pattern, "-o", "-", data=data)
        with tap.case("refused: missing file"):
            refused(d, (2, 3), "none.pcap", "-r", "/nowhere/none.pcap", "-o", "-")
        with tap.case("refused: an output that cannot be written"):
            refused(d, (2, 3), "/nowhere", "-o", "/nowhere/out", data=make.pcap(make.udp_both()))
        with tap.case("a full disk is not success"):
            refused(d, 3, "(?i)full|space|write", "-o", "/dev/full", data=make.pcap(make.many_flows()))
        for form in ("pcap", "pcapng"):
            with tap.case(f"{form} that ends inside a frame"):
                truncated(d, form)
            with tap.case(f"{form} without a frame"):
                empty(d, form)
        with tap.case("a frame of 2 GiB"):
            garbage_in_file(d)
        with tap.case("frames that are not IP, and no other"):
            only_not_ip(d)
        with tap.case("reasons"):
            reasons(d)
        with tap.case("frames cut at every byte"):
            every_cut(d)
        with tap.case("damaged frames"):
            damaged(d)
    tap.done()


if __name__ == "__main__":
    main()
