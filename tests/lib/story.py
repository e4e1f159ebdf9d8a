# SPDX-License-Identifier: Apache-2.0
"""A sensor that says what a test wants it to have seen: a stream of batches written by hand and signed with openssl.

The numbers of fields and kinds are those of proto/flowproof.proto and proto/batch.h, written down once more.
"""
import hashlib
import ipaddress
import subprocess

import wire
from wire import field, varint

EGRESS, INGRESS = 2, 1
EXPECTED, WATCHED, UNEXPECTED_EGRESS, UNEXPECTED_INBOUND = 1, 2, 3, 4
SENT, UNANSWERED, REFUSED, ANSWERED, DATA_OUT = 1, 2, 3, 4, 5
OK, NODATA, SKIPDATA = 0, 1, 2
START, CLOCK_STEP, CONNECTED, SPOOL_FULL, HOST, INTERFACE, LINK, CANARIES, BLINDING, BLIND_CHECK = 1, 2, 4, 5, 8, 9, 10, 11, 23, 24
UP, CAPTURED = 1, 2
# enum batch_table: nothing had to give way
ROOMY = (65536, 0, 0, 4096, 3, 0, 0, 4096, 0)
FLOWS_EVICTED, FLOWS_MERGED, ENDPOINTS_LEFT_OUT, CALLS, CALLS_LEFT_OUT = 1, 2, 6, 7, 8
DNS_QUERIES, DNS_RESPONSES, DNS_MALFORMED = 0, 1, 3


def tables(**counts):
    """Of the names above."""
    ret = list(ROOMY)
    for name, n in counts.items():
        ret[globals()[name]] = n
    return tuple(ret)


def zigzag(v):
    return v * 2 if v >= 0 else -v * 2 - 1


def packed(number, values):
    return field(number, b"".join(varint(v) for v in values)) if values else b""


def sint(number, v):
    return varint(number << 3) + varint(zigzag(v))


def address(text):
    return ipaddress.ip_address(text).packed


def record(start, end, src="", dst="", sport=0, dport=0, proto=6, packets=0, size=0, flags=0, direction=0, initiator=1, verdict=0, outcome=0,
           status=OK, rule=0):
    """Times in seconds of the story."""
    return dict(locals())


def _records(rows, t0):
    """The columns of Records; every record has its key, none mirrors the one before."""
    book, marks, changes, before = [], [], 0, 0
    ok = [r for r in rows if r["status"] == OK]
    for r in ok:
        for a in (r["src"], r["dst"]):
            if address(a) not in book:
                book.append(address(a))
    four, six = [a for a in book if len(a) == 4], [a for a in book if len(a) == 16]
    index = {a: i for i, a in enumerate(four + six)}
    starts = []
    for r in rows:
        now = r["verdict"] << 7 | r["outcome"] << 10 | r["status"] << 13
        key = (r["direction"] | r["initiator"] << 2) if r["status"] == OK else 0
        marks.append(key | (now ^ changes))
        changes = now
        starts.append(zigzag(t0 + r["start"] - before))
        before = t0 + r["start"]
    return b"".join((
        field(1, len(rows)), field(2, b"".join(four)) if four else b"", field(3, b"".join(six)) if six else b"", packed(4, marks),
        packed(5, [index[address(r["src"])] for r in ok]), packed(6, [index[address(r["dst"])] for r in ok]),
        packed(7, [r["sport"] for r in ok]), packed(8, [r["dport"] for r in ok]), packed(9, [r["proto"] for r in ok]),
        packed(10, [r["packets"] for r in ok]), packed(11, [r["size"] for r in ok]), packed(12, [r["flags"] for r in ok if r["proto"] == 6]),
        packed(13, starts), packed(14, [r["end"] - r["start"] for r in rows]), packed(15, [r["rule"] for r in ok]),
        packed(16, [0] * len(rows))))


def endpoint(remote, port, proto, first, last, out=(0, 0), back=(0, 0), direction=EGRESS, outcome=DATA_OUT, verdict=EXPECTED, rule=0, flows=1):
    return dict(locals())


def _endpoints(rows, t0):
    four = b"".join(address(r["remote"]) for r in rows if len(address(r["remote"])) == 4)
    six = b"".join(address(r["remote"]) for r in rows if len(address(r["remote"])) == 16)
    firsts, before = [], 0
    for r in rows:
        firsts.append(zigzag(t0 + r["first"] - before))
        before = t0 + r["first"]
    marks = [int(":" in r["remote"]) | r["outcome"] << 1 | r["verdict"] << 4 | (r["direction"] ^ EGRESS) << 7 for r in rows]
    return b"".join((field(1, four) if four else b"", field(2, six) if six else b"", packed(3, marks), packed(4, [r["port"] for r in rows]),
                     packed(5, [r["proto"] for r in rows]), packed(6, [r["rule"] for r in rows]), packed(7, firsts),
                     packed(8, [r["last"] - r["first"] for r in rows]), packed(9, [r["flows"] for r in rows]),
                     packed(10, [r["out"][0] for r in rows]), packed(11, [r["out"][1] for r in rows]),
                     packed(12, [r["back"][0] for r in rows]), packed(13, [r["back"][1] for r in rows])))


def question(at, name, answers=(), qtype=1):
    """A DNS question, and the response to it when `answers` are addresses."""
    return dict(locals())


def request(at, server, path, token):
    """An HTTP request to instance metadata, with a token or not."""
    return dict(locals())


def burst(remote, port, proto, times):
    """When this machine called it, up to eight times."""
    return dict(locals())


def _bursts(rows, t0):
    tenths, before = [], 0
    for r in rows:
        for at in r["times"]:
            tenths.append(zigzag((t0 + at) * 10 - before))
            before = (t0 + at) * 10
    return b"".join((field(1, b"".join(address(r["remote"]) for r in rows)), packed(3, [len(r["times"]) << 3 for r in rows]),
                     packed(4, [r["port"] for r in rows]), packed(5, [r["proto"] for r in rows]), packed(6, tenths)))


def _names(questions, labels, requests, t0):
    ret, before = [], 0
    for q in questions:
        for is_response in (False, True) if q["answers"] is not None else (False,):
            time = (t0 + q["at"]) * 10**9
            marks = (2 | 8) if is_response else 0  # names_parts.h: response, matched
            ret.append(field(1, b"".join((sint(1, time - before), field(2, marks), field(4, address("10.0.0.5") + address("10.0.0.2")),
                                          field(5, 40000), field(6, 53), field(7, 7), field(8, q["name"]), field(9, q["qtype"]), field(12, 40)))))
            before = time
    before = 0
    for at, remote, name in labels:
        time = (t0 + at) * 10**9
        ret.append(field(2, b"".join((sint(1, time - before), field(2, 1 << 2), field(4, address(remote)), field(7, name)))))
        before = time
    before = 0
    for r in requests:
        time = (t0 + r["at"]) * 10**9
        ret.append(field(3, b"".join((sint(1, time - before), field(2, 2 if r["token"] else 0), field(4, address("10.0.0.5") + address(r["server"])),
                                      field(5, 40001), field(6, 80), field(7, "GET"), field(8, r["path"])))))
        before = time
    return b"".join(ret)


def event(kind, at, *values, text=""):
    return dict(locals())


def account(window, received, recorded=None, not_ip=0, malformed=0, kernel=0, nic=0):
    """`kernel`, `nic`: None when the counter could not be read."""
    return dict(locals())


def _account(a, t0):
    recorded = a["received"] - a["not_ip"] - a["malformed"] if a["recorded"] is None else a["recorded"]
    known = [varint(number << 3) + varint(a[name]) for number, name in ((9, "kernel"), (10, "nic")) if a[name] is not None]
    return b"".join((field(1, t0 + a["window"]), field(3, a["received"]), field(4, recorded), field(6, a["not_ip"]), field(7, a["malformed"]),
                     *known))


class Story:
    """One run of a sensor. Times are seconds from `t0`, Unix seconds."""

    def __init__(self, sensor, t0, policy, rules, stream=1, build="0.1.0 (test)", config=b"\1", filtered=False, allowances=1, interface="eni-0test"):
        self.t0, self.sensor, self.stream, self.begin = t0, sensor, bytes([stream]) * 16, 0
        self.batches, self.sequence, self.records, self.packets = [], 0, 0, 0
        self.previous = hashlib.sha256(self.stream).digest()
        texts = field(2, interface)
        self.hello_fields = b"".join((
            field(1, 1), field(2, sensor), field(3, self.stream), field(4, "boot"), field(5, build), field(6, config * 32),
            field(7, hashlib.sha256(policy.encode()).digest()), field(8, field(1, "eth0") + texts + field(6, allowances)),
            *(field(9, r) for r in rules), field(12, 60), field(14, "interface-id"), field(17, int(filtered)), field(18, policy)))
        self.key = None

    def batch(self, at, records=(), endpoints=(), events=(), accounts=(), questions=(), labels=(), requests=(), bursts=(), counts=None, clock=(0, 2000000),
              tables=ROOMY, goodbye=False):
        self.batches.append(dict(locals()))

    def _encode(self, b):
        self.sequence += 1
        out = [field(1, self.sequence), field(2, self.previous), field(3, (self.t0 + b["at"]) * 10**9)]
        if b["records"]:
            out.append(field(4, _records(b["records"], self.t0)))
        out += [field(6, _account(a, self.t0)) for a in b["accounts"]]
        out += [field(8, int(b["goodbye"])), field(9, self.records), field(10, self.packets)]
        if b["clock"]:
            out.append(field(11, sint(1, b["clock"][0]) + field(2, b["clock"][1])))
        out += [field(12, field(1, e["kind"]) + field(2, (self.t0 + e["at"]) * 10**9) + packed(3, [zigzag(v) for v in e["values"]]) +
                      (field(4, e["text"]) if e["text"] else b"")) for e in b["events"]]
        if b["endpoints"]:
            out.append(field(13, _endpoints(b["endpoints"], self.t0)))
        out.append(packed(14, b["tables"]))
        if b["questions"] or b["labels"] or b["requests"]:
            out.append(field(15, _names(b["questions"], b["labels"], b["requests"], self.t0)))
        if b["counts"] is not None:
            out.append(packed(16, b["counts"]))
        if b["bursts"]:
            out.append(field(17, _bursts(b["bursts"], self.t0)))
        self.records += len(b["records"])
        self.packets += sum(r["packets"] for r in b["records"])
        encoded = b"".join(out)
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=b"flowproof-batch-1" + self.stream + encoded,
                                   stdout=subprocess.PIPE, check=True).stdout
        encoded += field(100, signature)
        self.previous = hashlib.sha256(encoded).digest()
        return encoded

    def send(self, address_, pki):
        """To a collector; back when all is durable."""
        cert, self.key = pki.pair(self.sensor)
        with open(cert, encoding="ascii") as f:
            der = wire.ssl.PEM_cert_to_DER_cert(f.read())
        with wire.connect(address_, pki.ca, cert, self.key) as s:
            s.sendall(wire.frame(wire.HELLO, self.hello_fields + field(10, (self.t0 + self.begin) * 10**9) + field(15, der)))
            kind, message = wire.read_frame(s)
            if kind != wire.WELCOME:
                raise AssertionError(f"no welcome: {kind} {message}")
            for b in self.batches:
                s.sendall(wire.frame(wire.BATCH, self._encode(b)))
            durable = 0
            while durable < self.sequence:
                got = wire.read_frame(s)
                if not got or got[0] != wire.ACK:
                    raise AssertionError(f"{self.sensor}: no acknowledgement of batch {durable + 1}: {got}")
                durable = wire.parse(got[1])[1][0]
