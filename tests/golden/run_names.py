#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_names.py BUILD_DIR   DNS, TLS and HTTP names of captures: the Resolver query log from a file and from the ledger, what Flow Logs leave
out, names in endpoints and policies; and real captures beside what tshark reads of them (names_tshark.tsv, made by make_names.py)."""
import collections
import ipaddress
import json
import os
import re
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import make_captures as make  # noqa: E402
import shared  # noqa: E402
from harness import Tap, build_dir, check, equal, folder, match, run, write  # noqa: E402
from pki import Pki, collector  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENT, RESOLVER, SERVER, OTHER = "10.0.0.5", "10.0.0.2", "192.0.2.7", "192.0.2.8"
CLIENT6, METADATA = "fd00::5", "169.254.169.254"
IN, A, NS, CNAME, PTR, TXT, AAAA = 1, 1, 2, 5, 12, 16, 28
SENSOR = "i-names"
# A line of Amazon's own log has these, in this order.
KEYS = ["version", "account_id", "region", "vpc_id", "query_timestamp", "query_name", "query_type", "query_class", "rcode", "answers", "srcaddr",
        "srcport", "transport", "srcids"]
IDENTITY = ("--account-id", "123456789012", "--vpc-id", "vpc-0a", "--region", "eu-west-1", "--instance-id", "i-0b")


def labels(name):
    return b"".join(bytes([len(p)]) + p for p in (name.split(b".") if name else [])) + b"\0"


def message(ident, name, kind, answers=None, rcode=0, flags=0x0100):
    """answers: None of a query; else (name, type, data) each."""
    head = struct.pack(">HHHHHH", ident, flags if answers is None else 0x8180 | rcode, 1, len(answers or ()), 0, 0)
    body = labels(name) + struct.pack(">HH", kind, IN)
    for owner, what, data in answers or ():
        body += labels(owner) + struct.pack(">HHIH", what, IN, 60, len(data)) + data
    return head + body


def packed(address):
    return ipaddress.ip_address(address).packed


def datagram(at, src, dst, sport, dport, payload):
    return make.frame(at, src, dst, make.UDP, make.udp(sport, dport, payload), make.ip_size(src) + 8 + len(payload), sport, dport)


def ask(at, cport, *args, server=RESOLVER, client=CLIENT, **how):
    return datagram(at, client, server, cport, 53, message(*args, **how))


def answer(at, cport, *args, server=RESOLVER, client=CLIENT, **how):
    return datagram(at, server, client, 53, cport, message(*args, **how))


def segment(at, src, dst, sport, dport, sequence, payload, flags=make.ACK):
    data = struct.pack(">HHIIBBHHH", sport, dport, sequence, 1, 5 << 4, flags, 65535, 0, 0) + payload
    return make.frame(at, src, dst, make.TCP, data, make.ip_size(src) + 20 + len(payload), sport, dport, flags)


def hello(name):
    """A ClientHello that asks for this server (RFC 8446, 4.1.2; RFC 6066, 3)."""
    sni = struct.pack(">HBH", len(name) + 3, 0, len(name)) + name
    ext = struct.pack(">HH", 0, len(sni)) + sni
    body = b"\3\3" + b"R" * 32 + b"\0" + b"\0\2\x13\1" + b"\1\0" + struct.pack(">H", len(ext)) + ext
    body = b"\1" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\3\1" + struct.pack(">H", len(body)) + body


def http(at, cport, method, path, *headers, dst=METADATA):
    text = f"{method} {path} HTTP/1.1\r\nHost: {dst}\r\n" + "".join(h + "\r\n" for h in headers) + "\r\n"
    return segment(at, CLIENT, dst, cport, 80, 5, text.encode())


def t(seconds, millis=0):
    return make.ns(make.T0 + seconds, millis * 1000000)


def stamp(seconds):
    return "2023-11-14T%02d:%02d:%02dZ" % divmod_clock(seconds)


def divmod_clock(seconds):
    whole = (make.T0 + seconds) % 86400
    return whole // 3600, whole // 60 % 60, whole % 60


def dns_day():
    """Every kind of transaction, and what is none."""
    chain = [(b"www.example.com", CNAME, labels(b"Edge.example.net")), (b"edge.example.net", A, packed(SERVER)),
             (b"edge.example.net", A, packed("192.0.2.9"))]
    over_tcp = message(21, b"big.example.com", TXT)
    reply_tcp = message(21, b"big.example.com", TXT, [(b"big.example.com", TXT, b'\x05v=A "')])
    return [
        ask(t(0), 40000, 1, b"WWW.example.com", A),
        answer(t(0, 5), 40000, 1, b"www.example.com", A, [(b"www.example.com", A, packed(OTHER))], server="10.0.0.3"),  # who was not asked
        answer(t(1), 40000, 1, b"www.EXAMPLE.com", A, chain),
        answer(t(1, 1), 40000, 1, b"www.example.com", A, [(b"www.example.com", A, packed(OTHER))]),  # once more
        ask(t(2), 40001, 2, b"nowhere.example", AAAA),
        answer(t(2), 40001, 2, b"nowhere.example", AAAA, [], rcode=3),
        ask(t(3), 40002, 3, b"silence.example", A),
        ask(t(3, 5), 40002, 3, b"silence.example", A),  # its retry
        ask(t(4), 40003, 4, b"a.b\n\xff .example", 65, client=CLIENT6, server="fd00::2"),
        answer(t(4), 40003, 4, b"a.b\n\xff .example", 65, [(b"x", 65, b"\0\1\0")], rcode=2, client=CLIENT6, server="fd00::2"),
        segment(t(5), CLIENT, RESOLVER, 40004, 53, 100, struct.pack(">H", len(over_tcp))),
        segment(t(5, 1), CLIENT, RESOLVER, 40004, 53, 102, over_tcp),
        segment(t(6), RESOLVER, CLIENT, 53, 40004, 900, struct.pack(">H", len(reply_tcp)) + reply_tcp[:20]),
        segment(t(6, 1), RESOLVER, CLIENT, 53, 40004, 922, reply_tcp[20:]),
        datagram(t(7), CLIENT, "224.0.0.251", 5353, 5353, message(0, b"printer.local", A)),
        datagram(t(7), "10.0.0.3", RESOLVER, 40000, 53, b"\0" * 40),  # no message
        ask(t(8), 40005, 5, b"5.0.0.10.in-addr.arpa", PTR, server="8.8.8.8"),
        answer(t(8), 40005, 5, b"5.0.0.10.in-addr.arpa", PTR, [(b"5.0.0.10.in-addr.arpa", PTR, labels(b"me.example"))], server="8.8.8.8"),
    ]


def line(seconds, name, kind, rcode, answers, cport, transport="UDP", client=CLIENT, identity=True):
    return {"version": "1.100000", "account_id": "123456789012" if identity else "000000000000", "region": "eu-west-1" if identity else "local",
            "vpc_id": "vpc-0a" if identity else "-", "query_timestamp": stamp(seconds), "query_name": name, "query_type": kind, "query_class": "IN",
            "rcode": rcode, "answers": [{"Rdata": d, "Type": k, "Class": "IN"} for d, k in answers], "srcaddr": client, "srcport": str(cport),
            "transport": transport, "srcids": {"instance": "i-0b"} if identity else {}}


def dns_lines(identity=True):
    """In the order in which they were answered; the one that was not comes last."""
    i = {"identity": identity}
    return [
        line(0, "www.example.com.", "A", "NOERROR", [("edge.example.net.", "CNAME"), (SERVER, "A"), ("192.0.2.9", "A")], 40000, **i),
        line(2, "nowhere.example.", "AAAA", "NXDOMAIN", [], 40001, **i),
        line(4, "a.b\\010\\255\\032.example.", "HTTPS", "SERVFAIL", [("\\# 3", "HTTPS")], 40003, client=CLIENT6, **i),
        line(5, "big.example.com.", "TXT", "NOERROR", [('"v=A \\""', "TXT")], 40004, transport="TCP", **i),
        line(8, "5.0.0.10.in-addr.arpa.", "PTR", "NOERROR", [("me.example.", "PTR")], 40005, **i),
        line(3, "silence.example.", "A", "-", [], 40002, **i),
    ]


def counted(text):
    found = re.search(r"^names:(.*)$", text, re.M)
    return dict(item.split("=") for item in found[1].split()) if found else {}


def the_log(d):
    path = write(os.path.join(d, "dns.pcap"), make.pcap(dns_day()))
    log = os.path.join(d, "dns.log")
    got = run("flowproof-sensor", "-r", path, "-o", "/dev/null", "--dns-log", log, *IDENTITY).expect(0)
    with open(log, encoding="ascii") as f:
        lines = f.read().splitlines()
    equal([list(json.loads(text)) for text in lines], [KEYS] * 6, "keys")
    equal([json.loads(text) for text in lines], dns_lines(), "lines")
    equal(counted(got.err), {"dns-queries": "7", "dns-responses": "7", "dns-unasked": "2", "dns-malformed": "1", "mdns": "1", "known": "2"}, "counts")
    out = run("flowproof-sensor", "-r", path, "-o", "/dev/null", "--dns-log", "-").expect(0).out
    equal([json.loads(text) for text in out.splitlines()], dns_lines(identity=False), "nobody's machine")


def a_day():
    """What Flow Logs leave out, and one flow that they record; with the machine's names and credentials."""
    at = 20
    web = [segment(t(at), CLIENT, SERVER, 41000, 443, 0, b"", make.SYN), segment(t(at, 1), SERVER, CLIENT, 443, 41000, 0, b"", make.SYN | make.ACK),
           segment(t(at, 2), CLIENT, SERVER, 41000, 443, 1, hello(b"www.example.com")[:30]),
           segment(t(at, 3), CLIENT, SERVER, 41000, 443, 31, hello(b"www.example.com")[30:])]
    nd = make.frame(t(at), "fe80::5", "ff02::1:ff00:2", make.ICMP6, struct.pack(">BBHI", 135, 0, 0, 0) + packed("fe80::2"), 40 + 24)
    return sorted(dns_day() + web + [
        http(t(21), 42000, "PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 60"),
        http(t(22), 42001, "GET", "/latest/meta-data/iam/security-credentials/role"),
        datagram(t(23), CLIENT, "169.254.169.123", 43000, 123, b"\x23" + b"\0" * 47),
        datagram(t(24), "0.0.0.0", "255.255.255.255", 68, 67, b"d" * 240),
        make.arp(t(25)), make.arp(t(26)), nd], key=lambda p: p.ns)


def in_the_ledger(d):
    path = write(os.path.join(d, "day.pcap"), make.pcap(a_day()))
    store, keys = os.path.join(d, "store"), Pki(os.path.join(d, "keys"))
    keys.issue(SENSOR)
    with collector(store, "127.0.0.1:0", keys.options("collector")) as c:
        run("flowproof-sensor", "-r", path, "-s", c.address, "--id", SENSOR, *keys.options(SENSOR), *IDENTITY).expect(0)
        c.stop()

    def records(*args):
        return run("flowproof", "records", "-d", store, *args).expect(0).out

    equal([json.loads(text) for text in records("--dns").splitlines()], dns_lines(), "--dns")
    equal([json.loads(text) for text in records("--dns", "--from", str(make.T0 + 8)).splitlines()], dns_lines()[4:5], "--dns --from")

    fields = "srcaddr dstaddr srcport dstport protocol packets"
    lines = records("--complement", "-F", fields).splitlines()
    equal(lines[0], fields, "header")
    equal({tuple(text.split()[1:4:2]) for text in lines[1:] if CLIENT == text.split()[0]},
          {(RESOLVER, "53"), (METADATA, "80"), ("169.254.169.123", "123"), ("224.0.0.251", "5353")}, "complement")
    check("0.0.0.0 255.255.255.255 68 67 17 1" in lines, "DHCP is left out")
    check(any(text.startswith("fe80::5 ff02::1:ff00:2") for text in lines), "neighbour discovery is left out")
    check(not any(SERVER in text or "8.8.8.8" in text for text in lines), "what Flow Logs record is there")

    summary = json.loads(records("--summary", "--json"))["sensors"][0]["streams"][0]["names"]
    equal({k: v for k, v in summary.items() if v},
          {"dns-queries": 7, "dns-responses": 7, "dns-unasked": 2, "dns-malformed": 1, "mdns": 1, "known": 2 + 1 + 1, "tls": 1, "http": 2, "metadata": 2,
           "arp": 2, "nd": 1}, "counts")
    match(r"^    names: dns-queries=7 .* arp=2 nd=1$", records("--summary"), "summary")

    ends = {e["remote"]: e["names"] for e in map(json.loads, records("--endpoints", "--json").splitlines())}
    equal(ends[SERVER], ["www.example.com"], "names of the server")
    equal(ends[OTHER] if OTHER in ends else [], [], "an answer that nobody asked for")
    for option in ("--dns", "--complement"):
        match("exclude each other", run("flowproof", "records", "-d", store, option, "--summary").expect(2).err, option)


POLICY = "expect out udp+tcp 53 to any\nexpect out tcp 443 to name *.example.com as \"by-name\"\n"


def flow(at, cport, dst, name=None):
    packets = [segment(t(at), CLIENT, dst, cport, 443, 0, b"", make.SYN), segment(t(at, 1), dst, CLIENT, 443, cport, 0, b"", make.SYN | make.ACK)]
    return packets + ([segment(t(at, 2), CLIENT, dst, cport, 443, 1, hello(name))] if name else [])


def by_policy(d):
    """Names that DNS taught, SNI that confirms, contradicts, or never comes."""
    policy = write(os.path.join(d, "names.policy"), POLICY.encode())
    learned = [ask(t(0), 40000, 1, b"www.example.com", A), answer(t(0), 40000, 1, b"www.example.com", A, [(b"www.example.com", A, packed(SERVER))])]
    cases = (
        ("DNS says so", learned + flow(1, 41000, SERVER), "expected", 0),
        ("and SNI confirms", learned + flow(1, 41001, SERVER, b"www.example.com"), "expected", 0),
        ("SNI with another name", learned + flow(1, 41002, SERVER, b"evil.example"), "unexpected_egress", 1),
        ("SNI alone", flow(1, 41003, SERVER, b"a.example.com"), "expected", 0),
        ("SNI alone, of another", flow(1, 41004, SERVER, b"badexample.com"), "unexpected_egress", 1),
        ("no name at all", flow(1, 41005, SERVER) + [make.udp_packet(t(9), CLIENT, RESOLVER, 1, 53, 1)], "unexpected_egress", 1),
        ("a name that nobody asked for", learned[1:] + flow(1, 41006, SERVER), "unexpected_egress", 1),
    )
    for what, packets, verdict, alerts in cases:
        path = write(os.path.join(d, "policy.pcap"), make.pcap(packets))
        got = run("flowproof-sensor", "-r", path, "-p", policy, "--local", CLIENT, "-F", "srcaddr dstport fp-verdict").expect(0)
        equal({text.split()[2] for text in got.out.splitlines() if text.startswith(f"{CLIENT} 443")}, {verdict}, what)
        match(rf"alerts: {alerts}$", got.err, what)
    match("it asks for 'evil.example', which is not", run("flowproof-sensor", "-r", write(os.path.join(d, "policy.pcap"), make.pcap(cases[2][1])),
                                                          "-p", policy, "-o", "/dev/null").expect(0).err, "why")


def peak_kib(*argv):
    """Of a run of the sensor: the system's own account."""
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.execv(os.path.join(build_dir(), "flowproof-sensor"), ["flowproof-sensor", *argv])
    _, status, usage = os.wait4(pid, 0)
    equal(status, 0, "the sensor's end")
    return usage.ru_maxrss


def flood(d):
    """Many names, each asked and answered: the memory of any other capture of as many flows, and what --check says of names on top."""
    n = 1000000 if os.environ.get("FLOWPROOF_DEEP") else 30000

    def packets(port):
        for i in range(n):
            name = b"n%07d.flood.example" % i
            at, cport = t(i * 60 // n), 1024 + i % 60000
            yield datagram(at, CLIENT, RESOLVER, cport, port, message(i % 65536, name, A))
            yield datagram(at, RESOLVER, CLIENT, port, cport, message(i % 65536, name, A, [(name, A, struct.pack(">I", 0xc6000000 + i))]))

    peaks, told = [], {}
    for port in (54, 53):
        path = write(os.path.join(d, "flood.pcap"), make.pcap(list(packets(port))))
        peaks.append(peak_kib("-r", path, "-o", "/dev/null"))
        told = counted(run("flowproof-sensor", "-r", path, "-o", "/dev/null", limit=120).expect(0).err)
    memory = int(re.search(r"^# memory names (\d+)$", run("flowproof-sensor", "-r", path, "--check").expect(0).out, re.M)[1])
    equal((told["dns-queries"], told["dns-responses"]), (str(n), str(n)), "messages")
    equal(int(told["known"]) + int(told["gave-way"]), n, "names")
    check(int(told["left-out"]) > 2 * n, f"told: {told}")
    check(peaks[1] - peaks[0] <= memory // 1024 + 300, f"peaks of {peaks} KiB, {memory} bytes for names")


def real_lines(path):
    """As names_tshark.tsv has them; None if libpcap or the decoder does not read it to its end."""
    p = run(os.path.join(build_dir(), "tests", "golden", "names_dump"), path)
    if p.code:
        return None
    told, alpn = collections.Counter(), collections.defaultdict(set)
    for item in map(json.loads, p.out.splitlines()):
        if item["what"] == "counts" and not item["read"]:
            return None
        if item["what"] == "dns" and item["kind"] == 0:
            told["dns", "tcp" if item["tcp"] else "udp", "response" if item["response"] else "query", str(item["id"]), item["client"],
                 str(item["cport"]), item["server"], str(item["sport"]), plain(item["name"]), str(item["type"]), str(item["rcode"] & 15),
                 str(item["said"])] += 1
        if item["what"] == "name" and item["source"] in ("sni", "http"):
            told[item["source"], item["remote"], str(item["port"]), item["name"]] += 1
            alpn[item["remote"], str(item["port"]), item["name"]].add(item["alpn"])
    return told, alpn


def plain(name):
    """Up to the first byte that is no ASCII: tshark has its own way with those."""
    return re.split(r"\\\d{3}|[^\x21-\x7e]", name, maxsplit=1)[0]


def tshark_lines():
    told, alpn = collections.defaultdict(collections.Counter), collections.defaultdict(set)
    with open(os.path.join(HERE, "names_tshark.tsv"), encoding="utf-8", errors="surrogateescape") as f:
        for text in f:
            capture, *fact = text.rstrip("\n").split("\t")
            if fact[0] == "dns":
                fact[8] = plain(fact[8])
            elif fact[0] == "sni":
                alpn[capture, *fact[1:4]].add(fact.pop())
            else:
                fact[3] = re.sub(r":\d+$", "", fact[3])
            told[capture][tuple(fact)] = told[capture][tuple(fact)] + 1 if fact[0] == "dns" else 1
    return told, alpn


# Names whose damage both readers tell in their own way, and an address family that the truth tables count as not IP.
APART = {"ndpi-fuzz-2006-06-26-2594.pcap": "damaged on purpose", "pcpp-null_loopback.pcap": "family 0x8000f"}
# Requests that tshark leaves unread: its capture is cut (frame 54), the head goes on in the next segment, "malformed" (frame 259).
UNREAD = {
    "ndpi-emotet.pcap": [("104.161.127.22", "80", "fkl.co.ke")],
    "ndpi-1kxun.pcap": [("52.29.177.177", "80", "adx-tk.rayjump.com")],
    "pcpp-4KHttpRequests.pcap": [("74.125.237.119", "80", "csi.gstatic.com"), ("192.118.82.155", "80", "events.walla.co.il")],
}


def real_captures(tap):
    data = shared.data_folder()
    if not data:
        tap.skip("real captures beside tshark", shared.ABSENT)
        return
    want, want_alpn = tshark_lines()
    captures, facts = 0, 0
    with tap.case("real captures beside tshark: DNS messages, server names, hosts"):
        wrong = []
        for capture in sorted(os.listdir(os.path.join(data, "pcaps"))):
            got = real_lines(os.path.join(data, "pcaps", capture))
            if got is None or capture in APART:
                continue
            captures += 1
            facts += sum(want[capture].values())
            missing, extra = want[capture] - got[0], got[0] - want[capture]
            extra -= collections.Counter({("http", *fact): 1 for fact in UNREAD.get(capture, ())})
            if missing or extra:
                wrong.append(f"{capture}: missing {dict(missing)}, not there {dict(extra)}")
            for key, ours in got[1].items():
                known = want_alpn[(capture, *key)]
                if known and not ours <= known:
                    wrong.append(f"{capture}: ALPN of {key} {ours}, tshark has {known}")
        equal(wrong, [], f"{len(wrong)} captures")
        check(captures > 190 and facts > 1000, f"only {facts} facts of {captures} captures")


def main():
    tap = Tap()
    with folder() as d:
        for name, what in (("the Resolver query log of a capture", the_log), ("the ledger: DNS, complement, counts, names of endpoints", in_the_ledger),
                           ("a policy with names", by_policy), ("a flood of names", flood)):
            with tap.case(name):
                what(d)
    real_captures(tap)
    tap.done()


if __name__ == "__main__":
    main()
