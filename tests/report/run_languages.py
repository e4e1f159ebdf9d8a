#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_languages.py BUILD_DIR   The sentences of every kind of finding in both languages, and a Japanese report without English left in it.

A sensor made of lib/story.py tells of one machine that does everything; each sentence's figures are those of its story. The Japanese report of it,
of a ledger that is damaged, with all that can be given, is read for Latin words: only names, units, options and terms of the trade may be there.
"""
import json
import os
import re
import shutil
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "report")]
from harness import ROOT, Tap, check, equal, folder, run, write  # noqa: E402
from pki import Pki, collector  # noqa: E402
from run_report import ME, ORIGINAL, OTHER, POLICY, RESOLVER, RULES, Reader, T0, flow  # noqa: E402
import story  # noqa: E402
from story import ANSWERED, DATA_OUT, EGRESS, INGRESS, REFUSED, UNANSWERED, UNEXPECTED_INBOUND, Story, account, burst, event, question, record, request  # noqa: E402

ICMP, TCP, UDP, GRE = 1, 6, 17, 47
TXT, METADATA = 16, "169.254.169.254"
KIB, MIB = 1 << 10, 1 << 20


def back(at, remote, port, proto, packets, size, outcome=DATA_OUT):
    """What a peer sent in answer."""
    return record(at, at, remote, ME, port, 51000, proto, packets, size, flags=18, direction=INGRESS, initiator=2, verdict=story.UNEXPECTED_EGRESS,
                  outcome=outcome)


def inbound(at, remote, outcome, answer=0):
    """A peer's call to port 22 of 2 packets, 100 bytes; what was sent back is one packet of `answer` bytes."""
    rows = [record(at, at, remote, ME, 40000, 22, TCP, 2, 100, flags=2, direction=INGRESS, initiator=1, verdict=UNEXPECTED_INBOUND, outcome=outcome)]
    if answer:
        rows.append(record(at, at, ME, remote, 22, 40000, TCP, 1, answer, flags=18, direction=EGRESS, initiator=2, verdict=UNEXPECTED_INBOUND,
                           outcome=outcome))
    return rows


def everything():
    """(records, sentences): {(kind, remote, port): (English, Japanese)}, each from its beginning to its end."""
    rows, said = [], {}

    def add(kind, remote, port, en, ja, *records):
        rows.extend(records)
        said[kind, remote, port] = en, ja

    def tail(records, at):
        out = [r for r in records if r["direction"] == EGRESS]
        in_ = [r for r in records if r["direction"] == INGRESS]
        n = [sum(r[k] for r in x) for x in (out, in_) for k in ("packets", "size")]
        when = f"2025-11-25T{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}Z"
        return (f"; out {n[0]} packets/{n[1]} bytes, in {n[2]}/{n[3]}, until {when}",
                f"。送信 {n[0]} パケット／{n[1]} バイト、受信 {n[2]} パケット／{n[3]} バイト、{when} まで")

    def one(kind, remote, port, at, en, ja, *records):
        a, b = tail(records, at)
        add(kind, remote, port, en + a, ja + b, *records)

    called, ours = "this machine called it, ", "このマシンから通信を始め、"
    out_en, out_ja = called + "it answered, and data went out", ours + "応答があり、データが送出された"
    none_en, none_ja = called + "nothing came back", ours + "応答はなかった"
    one("unexpected_egress", OTHER, 443, 65, out_en, out_ja, flow(65, OTHER, 443, TCP, 3, 4096, outcome=DATA_OUT), back(65, OTHER, 443, TCP, 2, 80))
    one("unexpected_egress", "203.0.113.9", 8080, 70, called + "and was refused", ours + "拒否された", flow(70, "203.0.113.9", 8080, TCP, 2, 120, outcome=REFUSED))
    one("unexpected_egress", "203.0.113.10", 8081, 71, called + "it answered", ours + "応答があった", flow(71, "203.0.113.10", 8081, TCP, 1, 60, outcome=ANSWERED))
    one("unexpected_egress", "203.0.113.11", 8082, 72, none_en, none_ja, flow(72, "203.0.113.11", 8082, TCP, 1, 60))
    one("unexpected_egress", "203.0.113.12", 8083, 73, out_en + "; under way before the watch began", out_ja + "（監視開始前から継続）",
        flow(73, "203.0.113.12", 8083, TCP, 2, 300, flags=16, outcome=DATA_OUT))
    theirs_en, theirs_ja = "it called this machine, ", "相手から通信が始まり、"
    for last, outcome, answer, en, ja in ((1, UNANSWERED, 0, "which did not answer", "このマシンは応答しなかった"), (2, REFUSED, 40, "which refused", "このマシンは拒否した"),
                                          (3, ANSWERED, 44, "which answered", "このマシンは応答した"), (4, DATA_OUT, 500, "and data was sent back", "データが返送された")):
        one("unexpected_inbound", f"192.0.2.{last}", 22, 80, theirs_en + en, theirs_ja + ja, *inbound(80, f"192.0.2.{last}", outcome, answer))
    one("watch_list", "198.51.100.20", 81, 90, "198.51.100.0/27 is on the watch list: " + out_en, "監視リストにある 198.51.100.0/27：" + out_ja,
        flow(90, "198.51.100.20", 81, TCP, 2, 200, outcome=DATA_OUT))
    one("dns_other_resolver", "203.0.113.53", 53, 91, "DNS past the VPC's resolver: " + none_en, "VPC のリゾルバーを通さない DNS：" + none_ja,
        flow(91, "203.0.113.53", 53, UDP, 1, 60))
    one("doh", "1.1.1.1", 443, 92, "DNS over HTTPS (Cloudflare): " + out_en, "HTTPS 上の DNS（Cloudflare）：" + out_ja,
        flow(92, "1.1.1.1", 443, TCP, 9, 900, outcome=DATA_OUT))
    one("dot", "203.0.113.60", 853, 93, "DNS over TLS or QUIC: " + out_en, "TLS または QUIC 上の DNS：" + out_ja,
        flow(93, "203.0.113.60", 853, TCP, 9, 900, outcome=DATA_OUT))
    one("spam", "203.0.113.61", 25, 94, "mail: " + out_en, "メール：" + out_ja, flow(94, "203.0.113.61", 25, TCP, 9, 900, outcome=DATA_OUT))
    gre = record(95, 95, ME, "203.0.113.62", 0, 0, GRE, 4, 500, direction=EGRESS, verdict=story.UNEXPECTED_EGRESS, outcome=UNANSWERED)
    one("odd_protocol", "203.0.113.62", 0, 95, "IP protocol 47: " + none_en, "IP プロトコル番号 47：" + none_ja, gre)
    echo = [record(96, 96, *ends, 0, 0, ICMP, 4, 1200, direction=d, initiator=i, verdict=story.UNEXPECTED_EGRESS, outcome=DATA_OUT)
            for ends, d, i in (((ME, "203.0.113.63"), EGRESS, 1), (("203.0.113.63", ME), INGRESS, 2))]
    one("icmp_tunnel", "203.0.113.63", 0, 96, "echo that carries data: " + out_en, "データを運ぶエコー：" + out_ja, *echo)
    one("volume", "203.0.113.64", 443, 97, f"{2 * MIB} bytes to one endpoint: " + out_en, f"一つの宛先へ {2 * MIB} バイト：" + out_ja,
        flow(97, "203.0.113.64", 443, TCP, 2000, 2 * MIB, outcome=DATA_OUT))
    # Twelve addresses, each called 120 s after the one before, 100 KiB to each: much in all, and regular first calls.
    spread = [flow(100 + 120 * i, f"203.0.114.{i + 1}", 9000, TCP, 80, 100 * KIB, outcome=DATA_OUT) for i in range(12)]
    en, ja = tail(spread, 100 + 120 * 11)
    add("volume", "203.0.114.1", 9000, f"{12 * 100 * KIB} bytes, spread over 12 addresses: {out_en}{en}",
        f"計 {12 * 100 * KIB} バイト、12 個のアドレスに分散：{out_ja}{ja}", *spread)
    add("beacon", "203.0.114.1", 9000, f"12 calls, every 120.0 s, jitter 0%, one to each of 12 addresses: {out_en}{en}",
        f"12 回の呼び出し、周期 120.0 秒、揺らぎ 0%、12 個のアドレスへ 1 回ずつ：{out_ja}{ja}")
    drip = [flow(30 + 1000 * i, "203.0.113.65", 7000, TCP, 4, 500, outcome=DATA_OUT) for i in range(5)]
    # From minute 0 to minute 67, where the last one is.
    one("drip", "203.0.113.65", 7000, 4030, f"little by little, in 5 minutes of {4000 // 60 + 1}: " + out_en,
        f"少量ずつ、送信のあった時間 5 分（全体 {4000 // 60 + 1} 分）：" + out_ja, *drip)
    sweep = [flow(110 + i, f"192.88.99.{i + 1}", 445, TCP, 1, 60, outcome=REFUSED if i < 2 else UNANSWERED) for i in range(7)]
    one("sweep", "192.88.99.1", 445, 116, f"7 addresses on one port, 0 answered, 2 refused: {called}and was refused",
        f"7 個のアドレスの同じポートへ、うち応答 0、拒否 2：{ours}拒否された", *sweep)
    scan = [flow(120 + i, "192.88.98.1", 1000 + i, TCP, 1, 60, outcome=ANSWERED if i == 3 else REFUSED) for i in range(8)]
    one("scan", "192.88.98.1", 0, 127, f"8 ports of one address, 1 answered, 7 refused: {called}it answered",
        f"一つのアドレスの 8 個のポートへ、うち応答 1、拒否 7：{ours}応答があった", *scan)
    one("beacon", "203.0.113.66", 4444, 550, f"8 calls, every 60.0 s, jitter 0%: {out_en}", f"8 回の呼び出し、周期 60.0 秒、揺らぎ 0%：{out_ja}",
        flow(130, "203.0.113.66", 4444, TCP, 4, 400, outcome=DATA_OUT), flow(550, "203.0.113.66", 4444, TCP, 4, 400, outcome=DATA_OUT))
    # Names: the question is 40 bytes, and so is its response (lib/story.py).
    add("dns_tunnel", RESOLVER, 53,
        "at least 9 names below tunnel.example, 32 letters each, 100% of the queries for types that carry data: " + out_en +
        "; out 9 packets/360 bytes, in 9/360, until 2025-11-25T00:09:20Z",
        "少なくとも 9 個の名前（tunnel.example の下、それぞれ 32 文字、データを運べる種別の問い合わせは 100%）：" + out_ja +
        "。送信 9 パケット／360 バイト、受信 9 パケット／360 バイト、2025-11-25T00:09:20Z まで")
    add("beacon", RESOLVER, 53, "8 calls, every 60.0 s, jitter 0%, in DNS below beat.example: " + out_en +
        "; out 8 packets/320 bytes, in 8/320, until 2025-11-25T00:07:40Z",
        "8 回の呼び出し、周期 60.0 秒、揺らぎ 0%、beat.example の下への DNS：" + out_ja +
        "。送信 8 パケット／320 バイト、受信 8 パケット／320 バイト、2025-11-25T00:07:40Z まで")
    add("metadata_credentials", METADATA, 80, "credentials of role app-role, 2 times by IMDSv1, 1 by IMDSv2: " + out_en + "; out 0 packets/0 bytes, in 0/0, "
        "until 2025-11-25T00:02:22Z", "ロール app-role の認証情報、IMDSv1 で 2 回、IMDSv2 で 1 回：" + out_ja +
        "。送信 0 パケット／0 バイト、受信 0 パケット／0 バイト、2025-11-25T00:02:22Z まで")
    # Of the machine itself: (kind of blinding, text, how many, English, Japanese), told once; until minute 2.
    for what, text, n, en, ja in BLINDINGS:
        said["blinding", "-", text] = (en + "; until 2025-11-25T00:02:00Z", ja + "。2025-11-25T00:02:00Z まで")
    return rows, said


BLINDINGS = (
    (1, "eth0 inode 5", 1, "another program has a packet socket, which reads what passes and can send past the capture: eth0 inode 5",
     "別のプログラムがパケットソケットを持つ（通過するものを読み、キャプチャを通さず送信できる）：eth0 inode 5"),
    (2, "eth1", 1, "the interface was made promiscuous, not by the sensor: eth1", "センサー以外がインターフェースをプロミスキャスにした：eth1"),
    (3, "eth0 program 7", 1, "a program has the packets before the capture (XDP): eth0 program 7", "キャプチャより先にパケットを受け取るプログラム（XDP）がある：eth0 program 7"),
    (4, "eth0 ingress u32", 1, "a filter of tc takes part in what passes: eth0 ingress u32", "通過するものに tc のフィルターが介在する：eth0 ingress u32"),
    (5, "eth2", 40, "eth2 counted 40 packets that the capture did not see", "eth2 が数えたパケットのうち 40 個をキャプチャが見ていない"),
    (6, "kprobe x id 9", 1, "an eBPF program of a kind that can change what others see: kprobe x id 9", "他者の見るものを変え得る種類の eBPF プログラムがある：kprobe x id 9"),
    (7, "eth3", 1, "the capture's filter is another than it was: eth3", "キャプチャのフィルターが元と異なる：eth3"),
)


def questions():
    beat = [question(40 + 60 * i, "a.beat.example", ["192.0.2.99"]) for i in range(8)]
    # At times that have no rhythm.
    tunnel = [question(at, f"{i:032x}.tunnel.example", ["192.0.2.98"], TXT) for i, at in enumerate((41, 43, 99, 105, 170, 341, 350, 490, 560))]
    return sorted(beat + tunnel, key=lambda q: q["at"])


CREDENTIALS = "/latest/meta-data/iam/security-credentials/app-role"


def key_of(f):
    return f["kind"], f["remote"], f["name"].split(" ", 1)[1] if f["remote"] == "-" else f["port"]


class World:
    def __init__(self, d):
        self.d, self.pki, self.store = d, Pki(os.path.join(d, "keys")), os.path.join(d, "store")
        rows, self.said = everything()
        rows.sort(key=lambda r: r["start"])
        packets = sum(r["packets"] for r in rows)
        s = Story("everything", T0, POLICY, RULES)
        up = [event(story.INTERFACE, 1, 1, story.UP, 0, 0, text="lo"), event(story.INTERFACE, 1, 2, story.UP | story.CAPTURED, 9, 9, text="eth0"),
              event(story.INTERFACE, 1, 3, story.UP, 9, 9, text="eth1")]
        s.batch(1, events=[event(story.START, 0, text="filtered"), *up, event(story.HOST, 1, 5000, 2)])
        # Batches of an hour: more than a window of silence is between them.
        s.batch(4100, records=rows, accounts=[account(4080, packets, kernel=None)], questions=questions(), counts=(17, 17),
                requests=[request(140, METADATA, CREDENTIALS, False), request(141, METADATA, CREDENTIALS, False), request(142, METADATA, CREDENTIALS, True)],
                bursts=[burst("203.0.113.66", 4444, TCP, [130 + 60 * i for i in range(8)])],
                events=[event(story.CLOCK_STEP, 100, 3 * 10**9), event(story.CANARIES, 175, 4, 4, 0, 0, text="10.0.9.9"),
                        *(event(story.BLINDING, 120, what, 0, n, text=text) for what, text, n, _, _ in BLINDINGS)])
        # Ends without a goodbye.
        quiet = Story("quiet", T0, POLICY, RULES, stream=2)
        quiet.batch(60, records=[flow(50, METADATA, 80, TCP, 5, 400, outcome=DATA_OUT)], accounts=[account(0, 5)], counts=(0, 0))
        with collector(self.store, "127.0.0.1:0", self.pki.options("collector")) as c:
            for name, told in (("everything", s), ("quiet", quiet)):
                self.pki.issue(name)
                told.send(c.address, self.pki)
            c.stop().expect(0)
        self.watch = write(os.path.join(d, "suspects"), "198.51.100.0/27\n")
        self.original = write(os.path.join(d, "original.json"), json.dumps(ORIGINAL))
        self.inventory = write(os.path.join(d, "inventory.json"), json.dumps({"logs": [
            {"log": "flow_logs", "state": "on", "source": "fl-1", "where": "arn:aws:s3:::bucket", "kept": "as the bucket says"},
            {"log": "resolver_query_log", "state": "unknown", "source": "-", "where": "", "kept": "unknown"},
            {"log": "waf_log", "state": "off", "source": "-", "where": "3 there, 2 tell, 1 log", "kept": "90 days"},
            {"log": "cloudtrail", "state": "none", "source": "-", "where": "", "kept": "for ever"}]}))
        first = rows[0]
        self.logs = write(os.path.join(d, "flow.log"), "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action "
                          "log-status\n" + "".join(f"2 - eni-0test {r['src']} {r['dst']} {r['sport']} {r['dport']} {r['proto']} {n} {r['size'] * n} {T0 + r['start']} "
                                                   f"{T0 + r['end']} ACCEPT OK\n" for r, n in ((first, first["packets"]), (rows[9], 99), (rows[11], 5))) +
                          f"2 - eni-0test {ME} 192.88.97.1 1 2 6 3 120 {T0 + 2000} {T0 + 2000} ACCEPT OK\n2 - eni-0test - - - - - - - {T0} {T0 + 59} - SKIPDATA\nnonsense\n")

    def findings(self, sensor, lang):
        """By (kind, remote, port), of the machine itself by (kind, -, what it is)."""
        out = run("flowproof", "report", "-d", self.store, "--sensor", sensor, "--suspects", self.watch, "--lang", lang, "--json", "-").expect(1).out
        return {key_of(f["finding"]): f["finding"]["what"] for f in json.loads(out)["findings"]}


def sentences(tap, w):
    en, ja = w.findings("everything", "en"), w.findings("everything", "ja")
    with tap.case("of every kind but those that no record raises there is a finding"):
        with open(os.path.join(ROOT, "evidence", "finding.c"), encoding="utf-8") as f:
            kinds = set(re.findall(r'\] = \{"([a-z_]+)",', f.read()))
        equal(kinds - {kind for kind, _, _ in en}, {"log_wiped"})
    for key, (english, japanese) in w.said.items():
        with tap.case(f"{key[0]} {key[1]} {key[2]}: in both languages"):
            equal(en.get(key), english)
            equal(ja.get(key), japanese)
    with tap.case("findings --json says the English ones"):
        out = run("flowproof", "findings", "-d", w.store, "--json", "--watch", w.watch).expect(0).out
        told = {key_of(f): f["what"] for f in map(json.loads, out.splitlines()) if f["sensor"] == "everything"}
        equal(told, en)
    with tap.case("metadata of which nothing was read"):
        key = ("metadata_credentials", METADATA, 80)
        figures = "5 packets/400 bytes, in 0/0, until 2025-11-25T00:00:50Z"
        equal(w.findings("quiet", "en")[key], f"instance metadata, what was asked is not known: this machine called it, it answered, and data went out; out {figures}")
        equal(w.findings("quiet", "ja")[key], "インスタンスメタデータ、要求の内容は不明：このマシンから通信を始め、応答があり、データが送出された。"
              "送信 5 パケット／400 バイト、受信 0 パケット／0 バイト、2025-11-25T00:00:50Z まで")


# ---- no English left ----

# Names and terms that are written so in Japanese: protocols, products, units, fields and words of the command line.
TERMS = set("""VPC DNS HTTP HTTPS TLS QUIC IP IPv6 UDP TCP ARP ICMP DHCP MAC CA JSON HTML SHA Amazon AWS Windows Time Sync Flow Logs flowproof Cloudflare IMDSv1 IMDSv2 UTC JST
CloudFront WAF API Gateway CloudTrail GuardDuty PM AM TXT CNAME MX KEY NULL ID ClientHello SNI SKIPDATA NODATA ACCEPT REJECT ACL SIGTERM root FILE PATH CONFIG_NAMES ec2 aws describe instances ping
icmp tcp udp gre Subnet XDP eBPF tc""".split())
OPTION = re.compile(r"--?[a-z][a-z-]*|`[^`]*`|flowproof [a-z]+")
# What names something: addresses, domains, digests, paths, identifiers, times.
NAME = re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z|[0-9a-f]{8,}|[\w./:@-]*[./:_@][\w./:@-]*|\b[a-z]+-[\w-]+|eth\d|i-\w+")
WORD = re.compile(r"[A-Za-z][A-Za-z0-9]+")


def latin(text, names=()):
    for name in names:
        text = text.replace(name, " ")
    return [word for word in WORD.findall(NAME.sub(" ", OPTION.sub(" ", text))) if word not in TERMS]


class Texts(Reader):
    """What a person reads: texts outside of <style> and <code>."""

    def __init__(self, text):
        self.seen = []
        super().__init__(text)

    def handle_data(self, data):
        if not {"style", "code"} & set(self.open):
            self.seen.append(data)


def texts_of(value, key=None):
    """The sentences of a JSON report; what names or enumerates something is left out."""
    if isinstance(value, dict):
        for k, v in value.items():
            yield from texts_of(v, k)
    elif isinstance(value, list):
        for v in value:
            yield from texts_of(v, key)
    elif isinstance(value, str) and key in {"text", "name", "criterion", "remedy", "reasons", "limits", "cannot_see", "meaning", "what", "reason_text", "fact", "reason"}:
        yield value


NAMES = ("everything", "quiet", "app-role", "collector", "canary", "0.1.0 (test)", *(text for _, text, *_ in BLINDINGS))


def japanese(tap, w, store, sensor, what, *options):
    page, out = os.path.join(w.d, "page.html"), os.path.join(w.d, "report.json")
    text = run("flowproof", "report", "-d", store, *(["--sensor", sensor] if sensor else []), "--lang", "ja", "--tz", "Asia/Tokyo", "--html", page, "--json", out,
               *options).expect(0, 1).out
    with tap.case(f"{what}: no English in the text"):
        equal(latin(text, NAMES), [])
    with tap.case(f"{what}: no English in HTML"):
        with open(page, encoding="utf-8") as f:
            seen = Texts(f.read()).seen
        check(len(seen) > 200, "the page has texts")
        equal([(words, t) for t in seen if (words := latin(t, NAMES))], [])
    with tap.case(f"{what}: no English in JSON's sentences"):
        with open(out, encoding="utf-8") as f:
            said = json.load(f)
        for witness in [x for part in ("classes", "hidden") for x in (said["witness"] or {}).get(part, [])]:
            del witness["reason"]  # a word of a list, the same in all languages
        for f in said["findings"]:
            del f["finding"]["name"]
        seen = list(texts_of(said))
        check(len(seen) > 100, "sentences")
        equal([(words, t) for t in seen if (words := latin(t, NAMES))], [])


def damaged(w):
    store = os.path.join(w.d, "damaged")
    shutil.copytree(w.store, store)
    path = os.path.join(store, "everything", "00000001.fpl")
    with open(path, "rb") as f:
        data = bytearray(f.read())
    data[300] ^= 1
    write(path, bytes(data))
    return store


# Where sentences that end in a report are written.
SOURCES = [f"evidence/{name}.c" for name in ("audit", "audit_manifest", "audit_sensor", "audit_entries", "audit_heads", "ledger_segment", "ledger_index", "ledger_read", "manifest", "replay")] + ["proto/chain.c"]
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
SPEC = re.compile(r"%(?:\.\d+)?(?:llu|zu|lu|u|d|s)")


def literals(path):
    """Strings of a source, those side by side as one; PRIu64 is a directive."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        source = re.sub(r"/\*.*?\*/|^#include[^\n]*$|//[^\n]*", "", f.read(), flags=re.S | re.M)
    source = source.replace('%" PRIu64 "', "%llu").replace('%" PRIu64', '%llu"')
    for m in re.finditer(r'(?:"(?:[^"\\]|\\.)*"\s*)+', source):
        yield "".join(LITERAL.findall(m[0]))


def patterns(tap):
    with open(os.path.join(ROOT, "evidence", "said.def"), encoding="utf-8") as f:
        table = re.findall(r'^SAID\("((?:[^"\\]|\\.)*)",\s*"((?:[^"\\]|\\.)*)"\)$', f.read(), flags=re.M)
    known = {en for en, _ in table}
    with tap.case("said.def: no pattern twice, none whose Japanese asks for more, none without Japanese"):
        equal(len(known), len(table))
        for en, ja in table:
            check(ja.count("{}") <= en.count("{}") and (ja == "{}" or not ja.isascii()), en)
    with tap.case("each sentence of audit, segments, chains and replay is in said.def"):
        lost = []
        for path in SOURCES:
            for text in literals(path):
                if " " not in text or re.search(r"memory|too long: %s|cannot open the store|%0|must fit", text):
                    continue  # no sentence, or one that ends a program
                # err_errno() adds what the system says.
                key = SPEC.sub("{}", text)
                if key not in known and key + ": {}" not in known:
                    lost.append((path, key))
        equal(lost, [])


def main():
    tap = Tap()
    with folder() as d:
        w = None
        with tap.case("the machine that does everything tells its story"):
            w = World(d)
        patterns(tap)
        if w:
            sentences(tap, w)
            given = ["--ca", w.pki.ca, "--suspects", w.watch, "--original", w.original, "--inventory", w.inventory]
            japanese(tap, w, w.store, "everything", "with all that can be given", *given, "--flow-logs", w.logs)
            japanese(tap, w, w.store, None, "of two sensors, alone")
            japanese(tap, w, damaged(w), None, "of a damaged ledger", "--ca", w.pki.ca)
            os.makedirs(os.path.join(d, "empty"))
            japanese(tap, w, os.path.join(d, "empty"), None, "of an empty one", "--ca", w.pki.ca)
    tap.done()


if __name__ == "__main__":
    main()
