#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_cli.py BUILD_DIR   Command lines and configuration files: what they accept, and how they say what is wrong."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden"))
from harness import PROGRAMS, ROOT, Tap, check, equal, folder, match, program, run, write  # noqa: E402
import make_captures as make  # noqa: E402
from pki import Pki  # noqa: E402

SUBCOMMANDS = ("records", "logs", "findings", "reconcile", "preflight", "rejects", "audit", "report", "export", "seal", "policy", "pki")


def helps():
    for p in PROGRAMS:
        for option in ("--help", "-h"):
            result = run(p, option).expect(0)
            check(p in result.out.splitlines()[0] or "usage" in result.out.lower(), f"{p} {option}:\n{result.out}")
            equal(result.err, "", "standard error")
            long = [line for line in result.out.splitlines() if len(line) > 100]
            equal(long, [], "lines wider than 100")


def versions():
    said = set()
    for p in PROGRAMS:
        result = run(p, "--version").expect(0)
        m = match(r"^(\S+) (\d+\.\d+\.\d+)\b", result.out)
        equal(m[1], p, "name")
        said.add(m[2])
    equal(len(said), 1, "the programs have different versions")


def subcommands():
    out = run("flowproof", "--help").expect(0).out
    for s in SUBCOMMANDS:
        check(run("flowproof", s, "--help").expect(0).out, f"{s} --help")
        full = run("sh", "-c", '"$0" "$@" >/dev/full', program("flowproof"), s, "--help").expect(3)
        check(s == "pki" or "standard output: No space left" in full.err, f"{s} on a full disk: {full.err}")
    equal(tuple(re.findall(r"^  (\w+) ", out, re.M)), SUBCOMMANDS, "flowproof --help")


def manuals():
    """Every option of --help stands in the program's manual, and every item of a list of options there in --help."""
    for p, pages, commands in (("flowproof-sensor", "flowproof-sensor.8", [[]]), ("flowproof-collector", "flowproof-collector.8", [[]]),
                               ("flowproof", "flowproof*.1", [[s] for s in SUBCOMMANDS])):
        text = ""
        for page in glob.glob(os.path.join(ROOT, "docs", pages)):
            with open(page, encoding="utf-8") as f:
                text += f.read()
        said, listed = (set(re.findall(r"[ ,|]-([a-z][a-z0-9-]+)", " ".join(re.findall(head + r"Fl .*", text, re.M)))) for head in ("", r"^\.It "))
        have = {o for c in commands for o in re.findall(r"^ {2,6}(?:-\w, )?--([a-z0-9-]+)", run(p, *c, "--help").expect(0).out, re.M)}
        check(len(have) > 20, f"{p}: options of --help: {have}")
        equal(sorted(have - said), [], f"options of {p} that no manual names")
        equal(sorted(listed - have), [], f"options in manuals of {p} that it does not have")


def unknown_options():
    for p, args in (("flowproof-sensor", []), ("flowproof-collector", []), ("flowproof", []), *(("flowproof", [s]) for s in SUBCOMMANDS)):
        for bad in ("--no-such-option", "-Z"):
            result = run(p, *args, bad).expect(2)
            match(re.escape(bad), result.err, "the message does not name the option")
            equal(result.out, "", "standard output")
    result = run("flowproof", "no-such-command").expect(2)
    match("no-such-command", result.err)
    result = run("flowproof").expect(2)
    check(result.err, "no word about what is missing")


def missing_things():
    """What a program cannot do without is named, and how to give it."""
    for args, pattern in ((("flowproof-sensor",), r"-i|-r"), (("flowproof-sensor", "-r"), r"-r"), (("flowproof-collector",), r"-d|store"),
                          (("flowproof", "records"), r"-d|store"), (("flowproof", "findings"), r"-d|store"),
                          (("flowproof", "pki", "issue"), r"-d|ID"), (("flowproof-sensor", "-i", "lo", "-r", "x"), r"-r|-i"),
                          (("flowproof-sensor", "-i", "lo", "-s", "127.0.0.1:1"), r"--id|--ca|--cert|--key"),
                          (("flowproof-sensor", "-i", "lo", "-s", "nonsense"), r"nonsense")):
        match(pattern, run(*args).expect(2).err, f"{args}")


def absent():
    for args in (("flowproof", "records", "-d", "/nowhere/store"), ("flowproof", "findings", "-d", "/nowhere/store")):
        match("/nowhere/store", run(*args).expect(2, 3).err, f"{args}")
    match("no-such-if", run("flowproof-sensor", "-i", "no-such-if", "-o", "-").expect(2, 3).err)


def settings(keys):
    """Options of both daemons and, as pairs, what they are called in files."""
    cert, key = keys.pair("i-cli")
    tls = [("ca", keys.ca), ("cert", cert), ("key", key)]
    ccert, ckey = keys.pair("collector")
    return {
        "flowproof-sensor": [("interface", "lo"), ("server", "127.0.0.1:4739"), ("id", "i-cli"), *tls, ("fields", "srcaddr bytes"),
                             ("window", "600"), ("filter", "udp"), ("flow-slots", "1024"), ("local", "10.0.0.0/8"),
                             ("local", "fd00::/8"), ("account-id", "012345678901"), ("interface-id", "eni-1"), ("vpc-id", "vpc-1"),
                             ("subnet-id", "subnet-1"), ("instance-id", "i-1"), ("region", "eu-west-1"), ("az-id", "euw1-az1"),
                             ("field", "asg-tag=two words"), ("field", "lo:ecs-task-id=0f")],
        "flowproof-collector": [("dir", keys.folder + "/store"), ("listen", "127.0.0.1:4739"), ("ca", keys.ca), ("cert", ccert),
                                ("key", ckey)],
    }


def long_options(p):
    """{short: long} as --help shows them."""
    return dict(re.findall(r"^\s*-(\w), --([a-z0-9-]+)", run(p, "--help").expect(0).out, re.M))


def named(p, pairs):
    """The pairs with the long names that the program itself has for its short options."""
    shorts = {"interface": "i", "server": "s", "fields": "F", "window": "t", "filter": "f", "dir": "d", "listen": "l"}
    known = long_options(p)
    return [(known[shorts[n]] if n in shorts else n, v) for n, v in pairs]


def as_options(pairs):
    return [word for name, value in pairs for word in ("--" + name, value)]


def as_file(pairs):
    return "# a comment\n\n" + "".join(f"{name} = {value}\n" for name, value in pairs)


def check_is_stable(d, keys):
    """--check prints the effective configuration; read again it prints the same; options and file are one."""
    for p, pairs in settings(keys).items():
        pairs = named(p, pairs)
        first = run(p, *as_options(pairs), "--check").expect(0)
        for name, value in pairs:
            match(rf"^{name} = \"?{re.escape(value)}\"?$", first.out, f"{p} --check")
        again = run(p, "-c", write(os.path.join(d, "again.conf"), first.out_bytes), "--check").expect(0)
        equal(again.out, first.out, f"{p}: --check of what --check printed")
        from_file = run(p, "-c", write(os.path.join(d, "file.conf"), as_file(pairs)), "--check").expect(0)
        equal(from_file.out, first.out, f"{p}: the same as a file")
        # The command line wins, and a list is replaced whole.
        name, value = {"flowproof-sensor": ("local", "192.168.0.0/16"), "flowproof-collector": ("listen", "127.0.0.1:9")}[p]
        won = run(p, "-c", os.path.join(d, "file.conf"), "--" + name, value, "--check").expect(0)
        lines = first.out.splitlines(keepends=True)
        at = [i for i, line in enumerate(lines) if line.startswith(name + " = ")]
        lines[at[0]:at[-1] + 1] = [f"{name} = {value}\n"]
        equal(won.out, "".join(lines), f"{p}: an option beside the file")


def file_errors(d, keys):
    for p, pairs in settings(keys).items():
        pairs = named(p, pairs)
        number = {"flowproof-sensor": "ring-kib = many"}.get(p)
        for name, line, pattern in (("unknown name", "colour = blue", "colour"), ("no value", "ca", "="),
                                    ("no equals sign", "just words", "="), ("command-line only", "check = yes", "check"),
                                    ("not a number", number, "many"), ("a NUL byte", "id = a\0b", "")):
            if not line:
                continue
            path = write(os.path.join(d, "wrong.conf"), as_file(pairs) + line + "\nregion = x\n")
            at = len(as_file(pairs).splitlines()) + 1
            result = run(p, "-c", path, "--check").expect(2)
            match(rf"wrong\.conf:{at}\b", result.err, f"{p}, {name}: no file and line")
            match(pattern, result.err, f"{p}, {name}")
            equal(result.out, "", "standard output")
        match("none.conf", run(p, "-c", "/nowhere/none.conf", "--check").expect(2, 3).err)


def identity_fields(d):
    """--field: for all interfaces or one, the particular first; what is refused, and why."""
    capture = write(os.path.join(d, "i.pcap"), make.pcap(make.udp_both()[:1]))

    def values(*args):
        out = run("flowproof-sensor", "-r", capture, "-F", "vpc-id,asg-tag,interface-id", *args).expect(0).out
        return out.splitlines()[1].split(" ")

    equal(values("--field", "vpc-id=a=b:c"), ["a=b:c", "-", "-"], "a value with = and :")
    equal(values("--field", "vpc-id=one", "--field", "file:vpc-id=two"), ["two", "-", "-"])
    equal(values("--field", "file:vpc-id=two", "--field", "vpc-id=one"), ["two", "-", "-"])
    equal(values("--interface-id", "eni-1", "--interface-id", "file=eni-2", "--vpc-id", ""), ["-", "-", "eni-2"])
    equal(values("--field", "vpc-id=" + "v" * 511)[0], "v" * 511)
    # 170 blanks become 510 bytes, 171 do not fit.
    equal(values("--field", "asg-tag=" + " " * 170)[1], "%20" * 170)
    conf = write(os.path.join(d, "i.conf"), "field = asg-tag=two words\nfield = vpc-id=x\n")
    equal(values("-c", conf), ["x", "two%20words", "-"])
    for args, pattern in ((("--field", "vpc-id"), "NAME=VALUE"), (("--field", "vpc-id="), "NAME=VALUE"), (("--field", "=x"), "unknown field ''"),
                          (("--field", "colour=x"), "unknown field 'colour'"), (("--field", "srcaddr=1.2.3.4"), r"'srcaddr'.*\*"),
                          (("--field", "traffic-path=1"), "'traffic-path'"), (("--field", "fp-sensor=x"), "'fp-sensor'"),
                          (("--field", "eth7:vpc-id=x"), "'eth7'"), (("--interface-id", "eth7=x"), "'eth7'"),
                          (("--field", "vpc-id=a b"), "no blanks"), (("--vpc-id", "a b"), "no blanks"),
                          (("--field", "vpc-id=" + "v" * 512), "511 bytes"), (("--field", "asg-tag=" + " " * 171), "511 bytes"),
                          (("--field", b"asg-tag=\xff"), "UTF-8"), (("--field", b"vpc-id=\xff"), "UTF-8"),
                          (("--field", "vpc-id=a", "--vpc-id", "b"), "'b' already"), (("--field", "vpc-id=a", "--field", "vpc-id=a"), "already"),
                          ([w for n in range(1, 10) for w in ("--field", "%s=%s" % (list(make.ALL_SAID)[n + 6], "v" * 500))], "4500 bytes")):
        result = run("flowproof-sensor", "-r", capture, *args).expect(2)
        match(pattern, result.err, f"{args}")
        equal(result.out, "", "standard output")


def policy_errors(d):
    capture = write(os.path.join(d, "p.pcap"), make.pcap(make.udp_both()))
    good = "# expected\nexpect collector\nexpect out udp 53 to 10.0.0.0/8, fd00::/8 as \"dns\"\n"
    run("flowproof-sensor", "-r", capture, "-o", "-", "-p", write(os.path.join(d, "good.policy"), good)).expect(0)
    for line in ("expect out udp 99999 to any", "allow everything", "expect out udp 53 to 10.0.0.0/33", "expect out udp 53 to",
                 "expect out udp 53 to host.example", "expect out quic 53 to any", "expect out udp 53 to any as \"open"):
        path = write(os.path.join(d, "bad.policy"), good + line + "\n")
        result = run("flowproof-sensor", "-r", capture, "-o", "-", "-p", path).expect(2)
        match(r"bad\.policy:4\b", result.err, f"{line!r}: no file and line")


def verdicts(d):
    """A policy on a file: the verdict, its rule and who began, by arithmetic on who sent first."""
    t = make.ns(make.T0)
    p = [make.udp_packet(t, make.A, "10.9.9.9", 40000, 53, 30), make.udp_packet(t + 1, "10.9.9.9", make.A, 53, 40000, 90)]
    p += make.connection(t + make.NS, make.A, make.B, 40001, 443, [10], [10])
    p += make.connection(t + 2 * make.NS, make.C, make.A, 40002, 22, [10], [10])
    p += [make.udp_packet(t + 3 * make.NS, make.B, make.C, 1, 2, 3), make.ping(t + 4 * make.NS, make.A, make.C)]
    capture = write(os.path.join(d, "v.pcap"), make.pcap(p))
    policy = write(os.path.join(d, "v.policy"), "expect out udp 53 to 10.9.9.9 as \"dns\"\nwatch out icmp to any as \"pings\"\n")
    out = run("flowproof-sensor", "-r", capture, "-o", "-", "-p", policy, "--local", make.A + "/32", "-F",
              "version srcaddr dstport fp-initiator fp-verdict fp-rule flow-direction").expect(0).out.splitlines()
    equal(out[1:], ["5 10.0.0.5 53 src expected dns egress", "5 10.9.9.9 40000 dst expected dns ingress",
                    "5 10.0.0.5 443 src unexpected_egress - egress", "5 203.0.113.9 40001 dst unexpected_egress - ingress",
                    "5 198.51.100.77 22 src unexpected_inbound - ingress", "5 10.0.0.5 40002 dst unexpected_inbound - egress",
                    "5 203.0.113.9 2 src - - -", "5 10.0.0.5 0 src watched pings egress"])


def examples(keys):
    """Every example that is shipped is accepted; keys and policies it names are only names, so they are given."""
    found = sorted(glob.glob(os.path.join(ROOT, "configs", "*.conf")))
    check(found, "no configs/*.conf")
    for path in found:
        p = "flowproof-collector" if "collector" in os.path.basename(path) else "flowproof-sensor"
        cert, key = keys.pair("collector" if p == "flowproof-collector" else "i-cli")
        own = [] if p == "flowproof-collector" else ["-p", os.path.join(ROOT, "configs", "policy", "quarantine.policy")]
        result = run(p, "-c", path, "--ca", keys.ca, "--cert", cert, "--key", key, *own, "--check").expect(0)
        check(" = " in result.out, f"{path}: --check printed nothing")


def example_policies(d):
    found = sorted(glob.glob(os.path.join(ROOT, "configs", "policy", "*.policy")))
    check(found, "no configs/policy/*.policy")
    capture = write(os.path.join(d, "e.pcap"), make.pcap(make.udp_both()))
    for path in found:
        result = run("flowproof-sensor", "-r", capture, "-o", "-", "-p", path).expect(0)
        check(".policy:" not in result.err, f"{path}: {result.err}")


def pki(d):
    folder_ = os.path.join(d, "pki")
    keys = Pki(folder_)
    cert, key = keys.issue("i-x")
    for path in (key, keys.pair("collector")[1], os.path.join(folder_, "ca.key")):
        equal(os.stat(path).st_mode & 0o077, 0, f"{path} can be read by others")
    # A second opinion on the certificates.
    equal(run("openssl", "verify", "-CAfile", keys.ca, cert).expect(0).out.strip(), f"{cert}: OK")
    equal(run("openssl", "verify", "-CAfile", keys.ca, "-purpose", "sslclient", cert).code, 0, "use as a client")
    equal(run("openssl", "verify", "-CAfile", keys.ca, "-purpose", "sslserver", keys.pair("collector")[0]).code, 0, "use as a server")
    check(run("openssl", "verify", "-CAfile", keys.ca, "-purpose", "sslserver", cert).code != 0, "a sensor may pose as a server")
    text = run("openssl", "x509", "-in", cert, "-noout", "-text").expect(0).out
    for pattern in (r"Subject:.*CN ?= ?i-x", r"prime256v1", r"ecdsa-with-SHA256", r"CA:FALSE"):
        match(pattern, text, cert)
    match(r"CN ?= ?flowproof-collector", run("openssl", "x509", "-in", keys.pair("collector")[0], "-noout", "-subject").expect(0).out)
    serials = {run("openssl", "x509", "-in", c, "-noout", "-serial").expect(0).out
               for c in (cert, keys.ca, keys.pair("collector")[0], keys.issue("i-y")[0])}
    equal(len(serials), 4, "serial numbers")
    before = open(keys.ca, "rb").read()
    check(run("flowproof", "pki", "init", "-d", folder_).expect(2, 3).err, "a second init must not overwrite the CA in silence")
    equal(open(keys.ca, "rb").read(), before, "the CA after a second init")
    for bad in ("../escape", "a/b", "", ".hidden", "x" * 200, "flowproof-collector", "ca"):
        result = run("flowproof", "pki", "issue", "-d", folder_, bad)
        check(result.code in (2, 3) and result.err, f"issue {bad!r}: exit {result.code}")
    check(not os.path.exists(os.path.join(d, "escape.crt")), "a file outside the folder")


def main():
    tap = Tap()
    for p in PROGRAMS:
        with tap.case(f"{p} is built"):
            check(os.access(program(p), os.X_OK), f"{program(p)} is not there")
    if tap.failed:
        tap.done()
    with folder() as d:
        with tap.case("--help"):
            helps()
        with tap.case("--version"):
            versions()
        with tap.case("subcommands"):
            subcommands()
        with tap.case("options and manuals"):
            manuals()
        with tap.case("unknown options and commands"):
            unknown_options()
        with tap.case("missing options"):
            missing_things()
        with tap.case("stores and interfaces that are not there"):
            absent()
        with tap.case("pki: certificates, judged by openssl"):
            pki(d)
        keys = None
        with tap.case("pki init and issue"):
            keys = Pki(os.path.join(d, "keys"))
            keys.issue("i-cli")
        if keys:
            with tap.case("--check can be read again; a file equals options; options win"):
                check_is_stable(d, keys)
            with tap.case("errors in configuration files name file and line"):
                file_errors(d, keys)
            with tap.case("shipped configurations are accepted"):
                examples(keys)
        with tap.case("--field: values, and what is refused"):
            identity_fields(d)
        with tap.case("errors in policies name file and line"):
            policy_errors(d)
        with tap.case("shipped policies are accepted, without a warning"):
            example_policies(d)
        with tap.case("verdict, rule, initiator and direction"):
            verdicts(d)
    tap.done()


if __name__ == "__main__":
    main()
