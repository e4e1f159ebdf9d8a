#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make_names.py OUT   What tshark (Debian's, 4.0) reads of the real captures: DNS messages, TLS server names, HTTP hosts.

A line a fact, tab-separated, the capture's name first; run_names.py holds names_dump to it. tshark puts no IP fragments together here and of
tunnels only what has one IP header counts, since the sensor enters none. Run it again when captures are added.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from shared import data_folder  # noqa: E402

MANY = "\x1f"
FIELDS = ("frame.number", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "udp.srcport", "udp.dstport", "tcp.srcport", "tcp.dstport",
          "dns.id", "dns.flags.response", "dns.qry.name", "dns.qry.type", "dns.flags.rcode", "dns.count.answers", "dns.count.queries",
          "tls.handshake.type", "tls.handshake.extensions_server_name", "http.host", "http.request.method", "_ws.malformed", "dns.retransmit_request",
          "tls.handshake.extensions_alpn_str")
PREFERENCES = ("ip.defragment:FALSE", "ipv6.defragment:FALSE", "tls.desegment_ssl_records:TRUE", "http.desegment_headers:FALSE")


def rows(path):
    args = ["tshark", "-n", "-r", path, "-Y", "((udp.port == 53 or tcp.port == 53) and dns) or tls.handshake.type == 1 or http.request",
            "-T", "fields", "-E", "occurrence=a", "-E", f"aggregator={MANY}", "-E", "separator=/t"]
    for f in FIELDS:
        args += ["-e", f]
    for p in PREFERENCES:
        args += ["-o", p]
    out = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.decode("utf-8", "surrogateescape")
    for line in out.splitlines():
        yield dict(zip(FIELDS, (v.split(MANY) if v else [] for v in line.split("\t"))))


def ends(r):
    """(source, destination, source port, destination port, protocol) of a packet with one IP header; None of others."""
    four, six = r["ip.src"], r["ipv6.src"]
    if len(four) + len(six) != 1:
        return None
    src, dst = (four[0], r["ip.dst"][0]) if four else (six[0], r["ipv6.dst"][0])
    kind = "udp" if r["udp.srcport"] else "tcp"
    if not r[kind + ".srcport"]:
        return None
    return src, dst, r[kind + ".srcport"][0], r[kind + ".dstport"][0], kind


def facts(path):
    for r in rows(path):
        e = ends(r)
        if e is None:
            continue
        src, dst, sport, dport, kind = e
        if "53" in (sport, dport) and r["dns.id"]:
            # Several messages in one frame, or none that could be read: these are the unit tests' business.
            if len(r["dns.id"]) != 1 or r["_ws.malformed"] or r["dns.count.queries"] != ["1"] or not r["dns.qry.name"]:
                continue
            response = r["dns.flags.response"][0] in ("1", "True")
            client, server = (dst, src) if response else (src, dst)
            cport, port = (dport, sport) if response else (sport, dport)
            name = r["dns.qry.name"][0].lower()
            yield ("dns", kind, "response" if response else "query", str(int(r["dns.id"][0], 16)), client, cport, server, port,
                   "." if name == "<root>" else name, r["dns.qry.type"][0], r["dns.flags.rcode"][0] if response else "0", r["dns.count.answers"][0])
        if "1" in r["tls.handshake.type"] and kind == "tcp":
            for name in r["tls.handshake.extensions_server_name"]:
                yield "sni", dst, dport, name.lower(), ",".join(r["tls.handshake.extensions_alpn_str"])
        if r["http.request.method"] and kind == "tcp":
            for host in r["http.host"]:
                yield "http", dst, dport, host.lower()


def main():
    folder = os.path.join(data_folder(), "pcaps")
    with open(sys.argv[1], "w", encoding="utf-8", errors="surrogateescape") as out:
        for capture in sorted(os.listdir(folder)):
            lines = ["\t".join(f) for f in facts(os.path.join(folder, capture))]
            # Names and hosts once an endpoint; each DNS message.
            kept = [line for line in lines if line.startswith("dns\t")] + sorted({line for line in lines if not line.startswith("dns\t")})
            for line in kept:
                out.write(f"{capture}\t{line}\n")


if __name__ == "__main__":
    main()
