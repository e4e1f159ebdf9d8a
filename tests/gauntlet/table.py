#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""table.py PAGE   Writes the truth table into PAGE (docs/gauntlet.md), between its two marks.

The table is techniques.toml. A finding is written as `KIND REMOTE PORT PROTOCOL [xCOUNT]`: REMOTE an address, a prefix, R for the
technique's remote, S for the machine's second address; PORT a number or a range; PROTOCOL a name or a number.
"""
import collections
import ipaddress
import os
import sys
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "gre": 47, "esp": 50, "sctp": 132}
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"


class Pattern:
    def __init__(self, text, remote, second):
        self.text = text
        words = text.split()
        self.count = int(words.pop()[1:]) if words[-1][0] == "x" and len(words) == 5 else 1
        self.kind, place, ports, protocol = words
        place = {"R": remote, "S": second}.get(place, place)
        self.nets = ipaddress.ip_network(place) if place != "-" else None
        low, _, high = ports.partition("-")
        self.ports = range(int(low), int(high or low) + 1)
        self.protocol = PROTOCOLS.get(protocol) or (int(protocol) if protocol.isdigit() else None)

    def fits(self, finding):
        kind, remote, port, protocol = finding
        if self.kind != kind or self.protocol != protocol or port not in self.ports:
            return False
        if self.nets is None:  # of the machine itself
            return remote == "-"
        return remote not in (None, "-") and ipaddress.ip_address(remote) in self.nets


class Row:
    """A technique (`found`, `missed` with its `why`), or of the benign set (neither). `false`: is told, and should not be. `gate`: the
    figure of the report that keeps it from concluding that nothing left."""
    WORDS = {"name": "", "group": "", "how": "", "remote": "", "policy": "", "sensor": "", "why": "", "gate": "", "found": (), "missed": (),
             "false": ()}

    def __init__(self, row, is_benign):
        values = {**self.WORDS, **row}
        self.name, self.group, self.how, self.remote, self.policy, sensor, self.why, self.gate, self.found, self.missed, self.false = \
            (values.pop(word) for word in self.WORDS)
        self.sensor = sensor.split()
        self.is_benign = is_benign
        if values or bool(self.missed) != bool(self.why) or (is_benign and (self.found or self.missed)):
            raise ValueError(f"techniques.toml: {self.name}: {values or 'a miss needs its why, a technique a finding'}")

    @property
    def mark(self):
        if self.is_benign:
            return "benign"
        return "found" if not self.missed else "partly" if self.found else "missed"

    def is_there(self, text, findings):
        """As often as that, or more often."""
        p = Pattern(text, self.remote, None)
        return sum(p.fits(f[:4]) for f in findings) >= p.count

    def differences(self, findings, second):
        """What is other than the table says; findings: [(kind, remote, port, protocol, severity)]. Those of severity `info` are none."""
        out, left = [], [f[:4] for f in findings if f[4] != "info"]
        for text in (*self.found, *self.false):
            p = Pattern(text, self.remote, second)
            rest = [f for f in left if not p.fits(f)]
            if len(left) - len(rest) != p.count:
                out.append(f"{p.count} times should be found: {text}; found {len(left) - len(rest)} times")
            left = rest
        for text in self.missed:
            p = Pattern(text, self.remote, second)
            rest = [f for f in left if not p.fits(f)]
            if len(left) != len(rest):
                out.append(f"is found now, no longer missed: {text}")
            left = rest
        return out + [f"not in the table: {f}" for f in left[:9]]


def rows():
    with open(os.path.join(HERE, "techniques.toml"), "rb") as f:
        parts = tomllib.load(f)
    ret = [Row(row, part == "benign") for part in ("technique", "benign") for row in parts[part]]
    twice = [n for n, c in collections.Counter(r.name for r in ret).items() if c > 1]
    if twice:
        raise ValueError(f"techniques.toml: twice: {twice}")
    return ret


def short(finding):
    kind, place, port, protocol = finding.split()[:4]
    return f"`{kind}`" + (f" {finding.split()[-1]}" if len(finding.split()) == 5 else "")


def lines():
    everything = rows()
    techniques = [r for r in everything if not r.is_benign]
    benign = [r for r in everything if r.is_benign]
    marks = collections.Counter(t.mark for t in techniques)
    out = [f"{len(techniques)} techniques: {marks['found']} found, {marks['partly']} found but not by every detector that should, "
           f"{marks['missed']} missed. {len(benign)} kinds of benign traffic: {sum(bool(r.false) for r in benign)} with a finding above `info`."]
    group = None
    for t in techniques:
        if t.group != group:
            group = t.group
            out += ["", f"### {group}", "", "| technique | how it is made | | found as | missed, and why; false |", "|---|---|---|---|---|"]
        said = [", ".join(map(short, t.missed)) + ": " + t.why] if t.missed else []
        if t.false:
            said += ["false: " + ", ".join(map(short, t.false))]
        policy = f" ({t.policy})" if t.policy else ""
        out.append(f"| {t.name} | {t.how}{policy} | {t.mark} | {', '.join(dict.fromkeys(map(short, t.found)))} | {'; '.join(said)} |")
    out += ["", "### Benign", "", "| traffic | how it is made | told above `info`, falsely |", "|---|---|---|"]
    out += [f"| {r.name} | {r.how} ({r.policy}) | {', '.join(map(short, r.false))} |" for r in benign]
    return "\n".join(out) + "\n"


def page(text):
    """The page with its table made anew."""
    head, rest = text.split(BEGIN)
    return head + BEGIN + lines() + END + rest.split(END)[1]


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} PAGE")
    with open(sys.argv[1], "r+", encoding="utf-8") as f:
        text = page(f.read())
        f.seek(0)
        f.write(text)
        f.truncate()


if __name__ == "__main__":
    main()
