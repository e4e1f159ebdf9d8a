# SPDX-License-Identifier: Apache-2.0
"""A machine, its traffic packet by packet, and what two witnesses make of it: a sensor on it, and AWS's Flow Logs beside it.

Each documented behaviour of Flow Logs is a switch; what of the traffic the machine's own capture is blinded for is known, and so
what a comparison must find. Written from the documentation, not from the program: Amazon VPC User Guide, "Flow log records",
"Flow log limitations"; no part of it is shared with the program.
"""
import collections
import ipaddress
import random

TCP, UDP, ICMP, GRE, ICMP6 = 6, 17, 1, 47, 58
ENI, OTHER_ENI, ACCOUNT = "eni-0aaaaaaaaaaaaaaaa", "eni-0bbbbbbbbbbbbbbbb", "123456789012"
DEFAULT = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status".split()
PKT = ["pkt-srcaddr", "pkt-dstaddr"]
T0 = 1700000000

# flow: an index; key: (src, dst, sport, dport, protocol) as in the packet; out: the machine sent it
Packet = collections.namedtuple("Packet", "t flow key out bytes")
Row = collections.namedtuple("Row", "key packets bytes start end action flow out real")

BEHAVIOURS = ("late", "very_late", "ten_minutes", "packet_times", "excluded", "skipdata", "refused_in", "refused_out", "refused_late", "duplicate_file",
              "second_log", "unnamed_second_log", "secondary", "secondary_pkt", "offload", "missing_file", "capture_gap", "clock", "fragments", "ipv6_forms",
              "directions", "custom", "other_interfaces", "span", "blinded", "blinded_later", "portless", "reused_ports")


class World:
    """`on`: the behaviours that are switched on."""

    def __init__(self, seed, on=None, packets=None):
        self.rng = rng = random.Random(seed)
        self.seed = seed
        drawn = set(b for b in BEHAVIOURS if rng.random() < 0.3)  # always: a world is the same whoever names its behaviours
        self.on = drawn if on is None else set(on)
        self.interval = 600 if "ten_minutes" in self.on else 60
        self.phase = rng.randrange(self.interval)
        self.primary, self.second, self.local6 = "10.0.7.5", "10.0.7.6", "2001:db8:1::5"
        self.length = rng.choice((900, 1800, 3600))
        self.begin, self.end = T0, T0 + self.length
        # The sensor watches a part only; with a span that is told, it may be all.
        self.watch = (T0, self.end) if "span" in self.on else (T0 + rng.randrange(0, 120), self.end - rng.randrange(0, 120))
        self.locals = [self.primary]
        if self.on & {"secondary", "secondary_pkt"}:
            self.locals.append(self.second)
        self.packets = []
        self.flows = []  # per flow: a set of words
        self.is_capture = bool(packets)
        if packets:
            self.take_capture(packets)
        else:
            self.make_traffic()
        self.packets.sort(key=lambda p: p.t)
        self.refuse()
        self.blind()
        self.lose()

    def has(self, name):
        return name in self.on

    # ---- traffic ----

    def remote(self, v6=False):
        if v6:
            return str(ipaddress.IPv6Address((0x20010db8 << 96) | self.rng.choice((0, 0xff << 64)) | self.rng.randrange(1, 1 << 20)))
        return self.rng.choice(("198.51.100.", "203.0.113.", "192.0.2.", "10.0.9.")) + str(self.rng.randrange(3, 250))

    def add_flow(self, local, remote, lport, rport, protocol, out_first, start, duration, n, answered, size):
        rng, flow = self.rng, len(self.flows)
        self.flows.append({"remote": remote, "local": local, "protocol": protocol, "words": set(), "start": start, "end": start})
        out, back = (local, remote, lport, rport, protocol), (remote, local, rport, lport, protocol)
        for i in range(n):
            t = min(start + (duration * i / max(1, n - 1) if n > 1 else 0), self.end - 1)
            first = out if out_first else back
            self.packets.append(Packet(t, flow, first, first is out, rng.choice(size)))
            if answered:
                second = back if out_first else out
                self.packets.append(Packet(min(t + 0.01, self.end - 0.5), flow, second, second is out, rng.choice(size)))
            self.flows[flow]["end"] = t
        return flow

    def make_traffic(self):
        rng = self.rng
        for _ in range(rng.randrange(25, 60)):
            v6 = rng.random() < 0.2
            local = self.local6 if v6 else rng.choice(self.locals)
            protocol = rng.choices((TCP, UDP, ICMP6 if v6 else ICMP, GRE), (60, 25, 8, 4 if self.has("portless") else 0))[0]
            ports = (rng.randrange(1024, 65536), rng.choice((443, 80, 22, 53, 8080))) if protocol in (TCP, UDP) else (0, 0)
            start = self.begin + rng.random() * (self.length - 1)
            n = rng.choice((1, 1, 2, 3, 10, 40, 200))
            duration = 0 if n == 1 else min(rng.choice((0.5, 5, 70, 600, self.length)), self.end - start - 1)
            size = rng.choice(((40, 52, 60), (60, 500, 1500), (1500,), (84,)))
            self.add_flow(local, self.remote(v6), *ports, protocol, rng.random() < 0.6, start, duration, n, rng.random() < 0.7, size)
        if self.has("reused_ports"):
            for _ in range(3):
                remote, lport = self.remote(), rng.randrange(1024, 65536)
                start = self.begin + rng.random() * 60
                while start < self.end - 1:
                    self.add_flow(self.primary, remote, lport, 443, TCP, True, start, 2, 3, True, (60, 200))
                    start += rng.randrange(1200, 2400)
        if self.has("excluded"):
            self.make_excluded()

    def make_excluded(self):
        rng = self.rng
        for local, remote, lport, rport, protocol in (
                (self.primary, "10.0.0.2", 40001, 53, UDP), (self.primary, "169.254.169.253", 40002, 53, UDP), (self.primary, "169.254.169.254", 40003, 80, TCP),
                (self.primary, "169.254.169.123", 123, 123, UDP), (self.primary, "10.0.7.1", 68, 67, UDP), (self.primary, "224.0.0.251", 5353, 5353, UDP),
                (self.local6, "ff02::1", 0, 0, ICMP6), ("fe80::1", "fe80::2", 0, 0, ICMP6), (self.local6, "fd00:ec2::254", 40004, 80, TCP)):
            flow = self.add_flow(local, remote, lport, rport, protocol, True, self.begin + rng.random() * (self.length - 20), 10, 3, False, (76, 100))
            self.flows[flow]["words"].add("excluded")

    def take_capture(self, packets):
        """(seconds, key, bytes) of a capture, moved to this world's time; addresses as they are, the most frequent one is the machine's."""
        count = collections.Counter(a for _, key, _ in packets for a in set(key[:2]) if ":" not in a)
        self.primary = max(sorted(count, reverse=True), key=lambda a: (count[a], ipaddress.ip_address(a).is_private))
        self.locals = [self.primary]
        packets = [p for p in packets if self.primary in p[1][:2] and p[1][0] != p[1][1]]
        first, last = min(p[0] for p in packets), max(p[0] for p in packets)
        scale = (self.length - 2) / max(1, last - first)
        numbers = {}
        for t, key, size in packets:
            name = frozenset((key[0:3:2], key[1:4:2])), key[4]
            if name not in numbers:
                remote = key[1] if key[0] == self.primary else key[0]
                numbers[name] = len(self.flows)
                self.flows.append({"remote": remote, "local": self.primary, "protocol": key[4], "words": set(), "start": 0, "end": 0})
                if is_excluded(remote, self.primary, key):
                    self.flows[-1]["words"].add("excluded")
            self.packets.append(Packet(self.begin + (t - first) * scale, numbers[name], key, key[0] == self.primary, size))

    # ---- what becomes of it ----

    def refuse(self):
        """Packet index: REJECT. The machine sees what it sends, and not what is refused on its way in."""
        rng, self.rejected, self.unseen = self.rng, set(), set()
        for f, flow in enumerate(self.flows):
            if flow["words"] & {"excluded"}:
                continue
            own = [i for i, p in enumerate(self.packets) if p.flow == f]
            if not own:
                continue
            first = self.packets[own[0]]
            if self.has("refused_in") and not first.out and rng.random() < 0.4:
                flow["words"].add("refused_in")
                self.packets = [p for p in self.packets if p.flow != f or not p.out]
            elif self.has("refused_out") and first.out and rng.random() < 0.2:
                flow["words"].add("refused_out")
                self.packets = [p for p in self.packets if p.flow != f or p.out]
            elif self.has("refused_late") and flow["protocol"] == TCP and rng.random() < 0.2 and len(own) > 3:
                flow["words"].add("refused_late")
        last = {}
        for i, p in enumerate(self.packets):
            last[p.flow, p.out] = i
        for i, p in enumerate(self.packets):
            words = self.flows[p.flow]["words"]
            if "refused_in" in words:
                self.rejected.add(i)
                self.unseen.add(i)
            elif "refused_out" in words:
                self.rejected.add(i)
            elif "refused_late" in words and last[p.flow, p.out] == i:
                self.rejected.add(i)
                if not p.out and rng.random() < 0.5:
                    self.unseen.add(i)

    def blind(self):
        """A rootkit: all packets to and from some addresses are not seen, or from some moment on."""
        rng, self.blinded = self.rng, {}
        remotes = sorted({f["remote"] for f in self.flows if not f["words"] & {"excluded"}})
        if self.has("blinded"):
            for remote in rng.sample(remotes, min(len(remotes) - 5, rng.randrange(1, 5)) if len(remotes) > 6 else 1):
                self.blinded[remote] = 0
        if self.has("blinded_later") and len(remotes) > 6:
            for remote in rng.sample(remotes, 2):
                self.blinded.setdefault(remote, self.begin + rng.random() * self.length)
        self.hidden = set()
        for i, p in enumerate(self.packets):
            since = self.blinded.get(self.flows[p.flow]["remote"])
            if since is not None and p.t >= since:
                self.hidden.add(i)
                self.unseen.add(i)

    def lose(self):
        """The sensor's own losses: some packets of some windows."""
        rng, self.gaps = self.rng, []
        if not self.has("capture_gap"):
            return
        for _ in range(rng.randrange(1, 3)):
            start = self.begin + 60 * rng.randrange(3, self.length // 60 - 3)
            self.gaps.append(start - start % 60)
        for i, p in enumerate(self.packets):
            if any(g <= p.t < g + 60 for g in self.gaps) and rng.random() < 0.3:
                self.unseen.add(i)

    # ---- the machine's records ----

    def host_rows(self):
        sums = {}
        for i, p in enumerate(self.packets):
            if i in self.unseen or not self.watch[0] <= p.t < self.watch[1]:
                continue
            key = p.key
            # Later fragments without ports: every third datagram of a large flow, on this side alone.
            if self.has("fragments") and p.key[4] == UDP and p.bytes == 1500 and i % 3 == 0:
                key = (*key[:2], 0, 0, UDP)
            s = sums.setdefault((key, int(p.t) // 60), [0, 0, int(p.t), int(p.t), p])
            s[0] += 1
            s[1] += p.bytes
            s[3] = int(p.t)
        ret = []
        for (key, _), (packets, size, start, end, p) in sums.items():
            if self.has("offload") and key[4] == TCP and packets >= 10 and size / packets > 1000:
                merged = packets // 2
                packets, size = packets - merged, size - merged * (72 if ":" in key[0] else 52)
            ret.append(Row(key, packets, size, start, end, "ACCEPT", p.flow, p.out, key))
        return ret

    def clock(self):
        return self.rng.choice((300, -300, 7200, -86400, 40, -40)) if self.has("clock") else 0

    def host_text(self):
        rng, shift = self.rng, self.clock()
        names = DEFAULT + (["flow-direction"] if self.has("directions") and rng.random() < 0.5 else [])
        lines = [" ".join(names)]
        rows = self.host_rows()
        rng.shuffle(rows)
        for r in rows:
            lines.append(self.line(names, r, "-", shift))
        # Windows that were watched and empty or incomplete.
        for start, end, status in [(self.watch[0], self.watch[0] + 1, "NODATA"), (self.watch[1] - 1, self.watch[1], "NODATA"), *((g, g + 60, "SKIPDATA") for g in self.gaps)]:
            lines.append(" ".join({"version": "2", "account-id": "-", "start": str(start + shift), "end": str(end + shift),
                                   "log-status": status}.get(n, "-") for n in names))
        return "\n".join(lines) + "\n"

    # ---- Flow Logs ----

    def shown(self, key, out):
        """srcaddr and dstaddr: the primary address for a secondary one."""
        if self.has("secondary") or self.has("secondary_pkt"):
            src, dst = (self.primary if a == self.second else a for a in key[:2])
            return (src, dst, *key[2:])
        return key

    def log_rows(self, interval, phase):
        sums = {}
        for i, p in enumerate(self.packets):
            if "excluded" in self.flows[p.flow]["words"]:
                continue
            action = "REJECT" if i in self.rejected else "ACCEPT"
            real = p.key if self.has("secondary_pkt") else self.shown(p.key, p.out)
            window = int((p.t - phase) // interval)
            s = sums.setdefault((real, self.shown(p.key, p.out), action, window), [0, 0, int(p.t), int(p.t), p, set()])
            s[0] += 1
            s[1] += p.bytes
            s[3] = int(p.t)
            s[5].add(i)
        ret = []
        bound = 180 if self.has("very_late") else 60 if self.has("late") else 0
        for (real, key, action, window), (packets, size, start, end, p, own) in sums.items():
            if not self.has("packet_times"):
                start, end = phase + window * interval, phase + (window + 1) * interval
            late = self.rng.randrange(bound + 1) if bound else 0
            ret.append((Row(key, packets, size, start + late, end + late, action, p.flow, p.out, real), own, window))
        return ret

    def text_of(self, address):
        if not self.has("ipv6_forms") or ":" not in address:
            return address
        a = ipaddress.IPv6Address(address)
        return self.rng.choice((a.exploded, str(a), a.exploded.upper(), ":".join(f"{int(x, 16):x}" for x in a.exploded.split(":"))))

    def line(self, names, r, eni, shift=0):
        values = {"version": "2", "account-id": ACCOUNT, "interface-id": eni, "srcaddr": self.text_of(r.key[0]), "dstaddr": self.text_of(r.key[1]),
                  "srcport": r.key[2], "dstport": r.key[3], "protocol": r.key[4], "packets": r.packets, "bytes": r.bytes, "start": r.start + shift,
                  "end": r.end + shift, "action": r.action, "log-status": "OK", "pkt-srcaddr": self.text_of(r.real[0]), "pkt-dstaddr": self.text_of(r.real[1]),
                  "flow-direction": "egress" if r.out else "ingress", "new-thing": "x"}
        return " ".join(str(values[n]) for n in names)

    def logs(self):
        """{file name: text}; also sets `told`: the packets of which some line is left, `skips`: windows of SKIPDATA, `lost`: keys whose lines are missing, `unsaid`: that SKIPDATA left out."""
        rng = self.rng
        names = list(DEFAULT)
        if self.has("secondary_pkt"):
            names += PKT
        if self.has("directions"):
            names += ["flow-direction"]
        if self.has("custom"):
            names += ["new-thing"]
            rng.shuffle(names)
        rows = self.log_rows(self.interval, T0 - self.phase)
        self.skips, self.lost, self.lost_skips, skipped, self.unsaid = [], set(), set(), set(), set()
        lines = []
        kept = []
        if self.has("skipdata"):
            for _ in range(rng.randrange(1, 3)):
                skipped.add(rng.randrange(1, max(2, self.length // self.interval - 1)))
            self.skips = [(T0 - self.phase + k * self.interval, T0 - self.phase + (k + 1) * self.interval) for k in skipped]
        hole = T0 + rng.randrange(300, self.length - 300) if self.has("missing_file") else None
        for row, own, window in rows:
            if window in skipped and rng.random() < 0.5:
                self.unsaid |= {row.key, row.real}
                continue
            if hole and hole <= row.end < hole + 300:
                self.lost |= {row.key, row.real}
                continue
            kept.append((row, own))
            lines.append((row.end, self.line(names, row, ENI)))
        self.told = set().union(*(own for _, own in kept)) if kept else set()
        self.kept = kept
        for a, b in self.skips:
            if hole and hole <= b < hole + 300:
                self.lost_skips |= self.unsaid
                continue
            lines.append((b, " ".join({"version": "2", "account-id": ACCOUNT, "interface-id": ENI, "start": str(a), "end": str(b),
                                       "log-status": "SKIPDATA"}.get(n, "-") for n in names)))
        # Silent windows, before and after too: the Flow Logs were on all the time.
        told = {window for _, _, window in rows} | skipped
        for k in range(-600 // self.interval - 1, (self.length + 600) // self.interval + 1):
            t = T0 - self.phase + k * self.interval
            if k not in told and not (hole and hole <= t + self.interval < hole + 300):
                lines.append((t + self.interval, " ".join({"version": "2", "account-id": ACCOUNT, "interface-id": ENI, "start": str(t),
                                                           "end": str(t + self.interval), "log-status": "NODATA"}.get(n, "-") for n in names)))
        if self.has("other_interfaces"):
            for row, _, _ in rows[:5]:
                other = row._replace(key=("10.0.9.9", "198.51.100.77", *row.key[2:]), real=("10.0.9.9", "198.51.100.77", *row.key[2:]))
                lines.append((row.end, self.line(names, other, OTHER_ENI)))
        rng.shuffle(lines)
        header = " ".join(names)
        files = {}
        for end, text in lines:
            name = f"{ACCOUNT}_vpcflowlogs_eu-west-1_fl-00000000000000001_{end - end % 300}Z_{rng.randrange(2):08x}.log"
            files.setdefault(name, [header]).append(text)
        if self.has("duplicate_file"):
            name = rng.choice(sorted(files))
            files["again-" + name] = files[name]
        if self.has("second_log") or self.has("unnamed_second_log"):
            interval = rng.choice((60, 600))
            other = self.log_rows(interval, T0 - rng.randrange(interval))
            names2 = DEFAULT + (PKT if self.has("secondary_pkt") else []) + ["az-id"]
            text = [" ".join(names2)]
            for row, _, _ in other:
                text.append(self.line([n for n in names2 if n != "az-id"], row, ENI) + " use1-az1")
            name = "second.log" if self.has("unnamed_second_log") else f"{ACCOUNT}_vpcflowlogs_eu-west-1_fl-00000000000000002_{T0}Z_00000000.log"
            files[name] = text
            self.told = set(range(len(self.packets)))
            self.kept = kept + [(row, own) for row, own, _ in other]
        return {name: "\n".join(text) + "\n" for name, text in files.items()}

    # ---- what must come of it ----

    def expected(self):
        """(keys that must be hidden, keys that may be), as Flow Logs write them (pkt-* where there are)."""
        must, may, later = set(), set(), set()
        slack = self.interval + (540 if self.has("very_late") else 240)
        gap = [(g - slack, g + 60 + slack) for g in self.gaps]
        for row, own in self.kept:
            hidden = own & self.hidden
            if not hidden:
                continue
            if row.action == "REJECT" and not row.out:
                continue
            since = self.blinded[self.flows[row.flow]["remote"]]
            whole = since == 0
            may.add(row.real)
            if not whole:
                later.add(row.real)
                continue
            if any(a <= row.end and row.start <= b for a, b in gap):
                continue
            if self.has("span"):
                inside = row.start >= self.watch[0] and row.end <= self.watch[1]
            else:
                inside = row.start - slack >= self.first_seen() and row.end + slack <= self.last_seen()
            if inside:
                must.add(row.real)
        return must, may, later

    def may_be_lost(self, key):
        """Lines whose absence cannot be seen: long windows with late stamps reach over the time of a missing file, some of whose lines are in the next one; and
        what Flow Logs left out themselves, if the line that tells is in the missing file."""
        return key in self.lost_skips or (key in self.lost and self.has("ten_minutes") and bool(self.on & {"late", "very_late"}))

    def subnet(self):
        return str(ipaddress.ip_network(self.primary + "/24", strict=False))

    def first_seen(self):
        return self.watch[0]

    def last_seen(self):
        return self.watch[1]


def is_excluded(remote, local, key):
    """Of a machine in a /24: its router, its resolver, its broadcast."""
    a, net = ipaddress.ip_address(remote), ipaddress.ip_network(local + "/24", strict=False)
    return (a.is_multicast or a.is_link_local or a.is_unspecified or a.is_loopback or remote == "255.255.255.255" or a in (net[1], net[255])
            or (key[4] == UDP and bool({67, 68, 546, 547} & set(key[2:4]))) or (53 in key[2:4] and a == net[2]))
