#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_policy.py BUILD_DIR   `flowproof policy`: what show prints is read again as the same rules; check says of records what the sensor says of their
packets; import makes of the AWS CLI's JSON the rules that are written beside it here by hand."""
import ipaddress
import json
import os
from random import Random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden"))
from harness import ROOT, Tap, check, equal, folder, run, write  # noqa: E402
import make_captures as make  # noqa: E402
from pki import Pki, collector  # noqa: E402
import shared  # noqa: E402

ME = make.A


def policy(*args):
    return run("flowproof", "policy", *args)


def rules(text):
    return [line for line in text.splitlines() if not line.startswith("#")]


# ---- show and check --------------------------------------------------------------------------------

def show(d):
    """Rules as they are printed say the same: printed again they are equal. Codes of ICMP, many numbers, every kind of rule."""
    write(os.path.join(d, "list"), "192.0.2.0/24\n")
    text = """expect collector
breach out tcp+udp+47 to any severity low as "x"
watch out icmp 3/4,8,10-12,0/1,5/2,5/1 to 10.0.0.0/8, name *.example.com, link
watch in icmpv6 128/0 from subnet
expect in tcp 1,2,3-5,65535 from list a
list a 10.0.0.0/8
boundary group
boundary acl in 5 deny tcp 1-3 from 10.0.0.0/8 as "five"
boundary acl out 7 allow any to any
boundary group out 132 to list a, ::/0
"""
    text = "list a file \"list\"\n" + text
    path = write(os.path.join(d, "show.policy"), text)
    first = policy("show", path).expect(0).out
    check("# list a: 2 prefixes" in first, first)
    again = write(os.path.join(d, "again.policy"), "list a 10.0.0.0/8, 192.0.2.0/24\n" + first)
    equal(rules(policy("show", again).expect(0).out), rules(first))
    equal(len(rules(first)), 9 + 1, "and what the ACL's rules leave")
    check("watch out icmp 0/1,3/4,5/1,5/2,8,10-12 to" in first, first)


def builtin(d):
    """Without a file the built-in policy: the file that is shipped, rule by rule."""
    shipped = os.path.join(ROOT, "configs", "policy", "quarantine.policy")
    equal(rules(policy("show").expect(0).out), rules(policy("show", shipped).expect(0).out))
    equal(policy("check", shipped).expect(0).err, "", "no warning")
    for args, words in ((("show", os.path.join(d, "none")), "cannot read"), ((), "what is to be done is missing"), (("sohw",), "'sohw' is not known"),
                        (("show", "a", "b"), "'b' is one argument too many"), (("check", "--records", "a", "-d", "b"), "one of them")):
        check(words in policy(*args).expect(2).err, args)
    bad = write(os.path.join(d, "bad.policy"), "expect collector\nexpect out tcp to 10.0.0.1/8\n")
    check(f"{bad}:2: 10.0.0.1/8: did you mean 10.0.0.0/8?" in policy("check", bad).expect(2).err, "file, line and remedy")


def traffic():
    t = make.ns(make.T0)
    p = [make.udp_packet(t, ME, "10.9.9.9", 40000, 53, 30), make.udp_packet(t + 1, "10.9.9.9", ME, 53, 40000, 90)]
    p += make.connection(t + make.NS, ME, make.B, 40001, 443, [10], [10]) + make.connection(t + 2 * make.NS, make.C, ME, 40002, 22, [10], [10])
    p += make.connection(t + 61 * make.NS, make.A6, make.B6, 40003, 443, [10], [10])
    p += [make.tcp_packet(t + 3 * make.NS, ME, make.C, 40004, 25, make.SYN), make.udp_packet(t + 4 * make.NS, make.B, make.C, 1, 2, 3),
          make.frame(t + 5 * make.NS, ME, make.B, make.GRE, b"g" * 20, 40)]
    return p


OLD = 'expect out udp 53 to 10.9.9.9 as "dns"\nboundary group out any to any as "all"\nboundary group in tcp 22 from any as "ssh"\n'
NEW = (f'watch out udp 53 to 10.9.9.9 as "dns"\nexpect out tcp 443 to {make.B}, {make.B6} as "web"\nbreach out tcp 25 to any severity critical as "mail"\n'
       f'boundary group out tcp 443 to any as "https"\nboundary group in tcp 22 from {make.C}/32 as "ssh"\n'
       'boundary acl in 1 allow tcp 22 from 0.0.0.0/0 as "in"\nboundary acl out 9 allow any to 0.0.0.0/0 as "out"\n')
LOCAL = ("--local", ME, "--local", make.A6)


def sensor_says(d, capture, name, text):
    path = write(os.path.join(d, name), text)
    fields = "srcaddr dstaddr srcport dstport protocol flow-direction fp-initiator fp-verdict fp-rule action fp-boundary packets bytes start end tcp-flags"
    out = run("flowproof-sensor", "-r", capture, "-o", "-", "-p", path, *LOCAL, "-F", fields).expect(0).out
    records = write(os.path.join(d, name + ".records"), out)
    return path, records, [dict(zip(fields.split(), line.split())) for line in out.splitlines()[1:]]


def replays(d):
    """What check says of records made under one policy is what the sensor says under the other, row by row; and what changed is told."""
    capture = write(os.path.join(d, "c.pcap"), make.pcap(traffic()))
    _, records, _ = sensor_says(d, capture, "old.policy", OLD)
    new, _, wanted = sensor_says(d, capture, "new.policy", NEW)
    result = policy("check", new, "--records", records, "--all", *LOCAL).expect(1)
    head, *lines = result.out.splitlines()
    got = [dict(zip(head.split(), line.split())) for line in lines]
    rows = set()
    for r in wanted:
        if r["flow-direction"] == "-":
            continue
        here = (r["flow-direction"] == "egress") == (r["fp-initiator"] == "src")
        remote = r["dstaddr"] if r["flow-direction"] == "egress" else r["srcaddr"]
        port = r["dstport"] if r["fp-initiator"] == "src" else r["srcport"]
        rows.add((remote, port, r["protocol"], r["flow-direction"], "here" if here else "there", r["fp-verdict"], r["fp-rule"], r["action"],
                  r["fp-boundary"], r["packets"], r["bytes"]))
    keys = "remote port protocol direction began verdict rule action boundary packets bytes".split()
    equal(sorted(tuple(g[k] for k in keys) for g in got), sorted(rows))
    changed = {(g["remote"], g["direction"]) for g in got if g["change"] == "changed"}
    equal(changed, {("10.9.9.9", "egress"), ("10.9.9.9", "ingress"), (make.B, "egress"), (make.B, "ingress"), (make.B6, "egress"), (make.B6, "ingress"),
                    (make.C, "egress")}, "SSH from C stays: expected by nobody, accepted")
    mail = [g for g in got if g["port"] == "25"][0]
    equal([mail[k] for k in ("verdict-was", "verdict", "rule", "action-was", "action", "boundary")],
          ["unexpected_egress", "unexpected_egress", "mail", "ACCEPT", "REJECT", "group-default"])
    # The record of the two foreign ends is nobody's.
    check("1 passed over" in result.err, result.err)


def expects_all(d):
    """Nothing unexpected: 0. A name may still help where no name is known: said with a question mark."""
    capture = write(os.path.join(d, "e.pcap"), make.pcap(make.connection(make.ns(make.T0), ME, make.B, 40001, 443, [10], [10])))
    _, records, _ = sensor_says(d, capture, "none.policy", "")
    fine = write(os.path.join(d, "fine.policy"), f"expect out tcp 443 to {make.B}\n")
    out = policy("check", fine, "--records", records).expect(0)
    check("2 no longer unexpected" in out.err, out.err)
    named = write(os.path.join(d, "named.policy"), "expect out tcp 443 to name example.com\n")
    out = policy("check", named, "--records", records).expect(1).out
    check(" unexpected_egress? " in out, out)


def others(d):
    """Records of Amazon's: no word on who began or which side is ours, so SYN and ports and private addresses tell. Bad lines are named."""
    lines = ["2 123456789010 eni-1 10.0.0.5 203.0.113.9 40000 443 6 5 300 1418530010 1418530070 REJECT OK",
             "2 123456789010 eni-1 203.0.113.9 10.0.0.5 443 40000 6 5 300 1418530010 1418530070 ACCEPT OK",
             "2 123456789010 eni-1 - - - - - - - 1418530010 1418530070 - NODATA"]
    records = write(os.path.join(d, "aws.txt"), "\n".join(lines) + "\n")
    out = policy("check", "--records", records).expect(1)
    equal([line.split()[:11] for line in out.out.splitlines()[1:]], [
        ["same", "203.0.113.9", "443", "6", "ingress", "here", "-", "-", "unexpected_egress", "-", "ACCEPT"],
        ["changed", "203.0.113.9", "443", "6", "egress", "here", "-", "-", "unexpected_egress", "-", "REJECT"]])
    write(records, lines[0] + "\n" + lines[1].replace("443", "70000") + "\n")
    check(f"{records}:2: column " in policy("check", "--records", records).expect(3).err, "file, line and column")
    write(records, "action log-status\nACCEPT OK\n")
    check("1 passed over" in policy("check", "--records", records).expect(0).err, "no protocol")


def dns(name, address=None):
    """A question for the address of a name, or the answer to it (RFC 1035)."""
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0" + struct.pack(">HH", 1, 1)
    head = struct.pack(">HHHHHH", 77, 0x8180 if address else 0x0100, 1, 1 if address else 0, 0, 0)
    answer = struct.pack(">HHHIH", 0xc00c, 1, 1, 60, 4) + ipaddress.IPv4Address(address).packed if address else b""
    return head + question + answer


def from_store(d):
    """The ledger replayed: names that the sensor learned count, and what each rule decided is told, also of rules that nothing used."""
    t = make.ns(make.T0)
    question, answer = dns("www.example.com"), dns("www.example.com", make.B)
    packets = [make.frame(t, ME, "10.0.0.2", make.UDP, make.udp(40000, 53, question), 28 + len(question), 40000, 53),
               make.frame(t + 1, "10.0.0.2", ME, make.UDP, make.udp(53, 40000, answer), 28 + len(answer), 53, 40000)]
    packets += make.connection(t + make.NS, ME, make.B, 40001, 443, [10], [10]) + make.connection(t + 2 * make.NS, ME, make.C, 40002, 443, [10], [10])
    capture, store = write(os.path.join(d, "s.pcap"), make.pcap(packets)), os.path.join(d, "store")
    pki = Pki(os.path.join(d, "keys"))
    pki.issue("i-policy")
    with collector(store, "127.0.0.1:0", pki.options("collector")) as c:
        run("flowproof-sensor", "-r", capture, "-s", c.address, "--id", "i-policy", "--local", ME, "--resolver", "10.0.0.2", *pki.options("i-policy")).expect(0)
        c.stop().expect(0)
    path = write(os.path.join(d, "s.policy"), 'watch out udp 53 to resolver as "dns"\nexpect out tcp 443 to name *.example.com as "web"\n'
                 'expect out tcp 22 to any as "unused"\nboundary group out tcp 443 to any as "https"\n')
    result = policy("check", path, "-d", store, "--resolver", "10.0.0.2", "--all").expect(1)
    got = {tuple(line.split()[i] for i in (1, 2, 4, 6, 8, 9, 12, 13)) for line in result.out.splitlines()[1:]}
    wanted = set()
    for way in ("egress", "ingress"):
        wanted |= {(make.B, "443", way, "unexpected_egress", "expected", "web", "ACCEPT", "https"),
                   (make.C, "443", way, "unexpected_egress", "unexpected_egress?", "-", "ACCEPT", "https"),
                   ("10.0.0.2", "53", way, "watched", "watched", "dns", "ACCEPT", "-")}
    equal(sorted(got), sorted(wanted))
    used = policy("check", path, "-d", store, "--resolver", "10.0.0.2", "--rules").expect(0).out.splitlines()
    size = {p: sum(k.what.bytes for k in packets if p in (k.what.sport, k.what.dport)) for p in (53, 443)}
    to_b = [k for k in packets if make.B in (k.what.src, k.what.dst)]
    equal(used[1:], [f"dns 2 2 {size[53]}", f"web 2 {len(to_b)} {sum(k.what.bytes for k in to_b)}", "unused 0 0 0",
                     f"https 4 {len(packets) - 2} {size[443]}", "group-default 0 0 0"])
    check("cannot" in policy("check", path, "-d", os.path.join(d, "none")).expect(3).err, "no store")


# ---- import ----------------------------------------------------------------------------------------

def perm(protocol, low=None, high=None, **lists):
    p = {"IpProtocol": protocol, "IpRanges": [{"CidrIp": c, "Description": "x"} for c in lists.get("v4", [])],
         "Ipv6Ranges": [{"CidrIpv6": c} for c in lists.get("v6", [])], "PrefixListIds": [{"PrefixListId": i} for i in lists.get("pl", [])],
         "UserIdGroupPairs": [{"GroupId": i, "UserId": "123456789012"} for i in lists.get("sg", [])]}
    return p if low is None else p | {"FromPort": low, "ToPort": high}


GROUPS = {"SecurityGroups": [
    {"GroupId": "sg-a", "GroupName": "web", "IpPermissions": [
        perm("tcp", 443, 443, v4=["0.0.0.0/0"], v6=["::/0"]), perm("tcp", 0, 65535, v4=["10.1.0.0/16"]), perm("udp", 5000, 5010, pl=["pl-1"], sg=["sg-b"]),
        perm("icmp", 8, -1, v4=["10.0.0.0/8"]), perm("icmp", 3, 4, v4=["10.0.0.0/8"]), perm("icmp", -1, -1, v4=["10.2.0.0/16"]),
        perm("icmpv6", 128, 0, v6=["2001:db8::/32"]), perm("50", v4=["192.0.2.1/32"]), perm("132", 1, 2, v4=["192.0.2.2/32"])],
     "IpPermissionsEgress": [perm("-1", v4=["0.0.0.0/0"])]},
    {"GroupId": "sg-b", "IpPermissions": [], "IpPermissionsEgress": []}]}
INTERFACES = {"NetworkInterfaces": [
    {"NetworkInterfaceId": "eni-1", "SubnetId": "subnet-1", "Groups": [{"GroupId": "sg-a"}], "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.5"}]},
    {"NetworkInterfaceId": "eni-2", "SubnetId": "subnet-2", "Groups": [{"GroupId": "sg-c"}, {"GroupId": "sg-b"}],
     "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.7"}, {"PrivateIpAddress": "10.0.0.8", "Primary": False}],
     "Ipv6Addresses": [{"Ipv6Address": "2001:db8::7"}]}]}
PREFIXES = {"PrefixLists": [{"PrefixListId": "pl-1", "PrefixListName": "s3", "Cidrs": ["54.231.0.0/17", "52.216.0.0/15"]}]}
GROUP_A = """list pl-1 54.231.0.0/17, 52.216.0.0/15
list sg-b 10.0.0.7/32, 10.0.0.8/32, 2001:db8::7/128
boundary group
boundary group in tcp 443 from 0.0.0.0/0, ::/0 as "sg-a/in/1"
boundary group in tcp from 10.1.0.0/16 as "sg-a/in/2"
boundary group in udp 5000-5010 from list pl-1, list sg-b as "sg-a/in/3"
boundary group in icmp 8 from 10.0.0.0/8 as "sg-a/in/4"
boundary group in icmp 3/4 from 10.0.0.0/8 as "sg-a/in/5"
boundary group in icmp from 10.2.0.0/16 as "sg-a/in/6"
boundary group in icmpv6 128/0 from 2001:db8::/32 as "sg-a/in/7"
boundary group in 50 from 192.0.2.1/32 as "sg-a/in/8"
boundary group in 132 from 192.0.2.2/32 as "sg-a/in/9"
boundary group out any to 0.0.0.0/0 as "sg-a/out/1"
""".splitlines()


def entry(number, egress, action, protocol="-1", cidr="0.0.0.0/0", **more):
    return {"RuleNumber": number, "Egress": egress, "RuleAction": action, "Protocol": protocol,
            "Ipv6CidrBlock" if ":" in cidr else "CidrBlock": cidr} | more


ACLS = {"NetworkAcls": [
    {"NetworkAclId": "acl-2", "Associations": [{"SubnetId": "subnet-2"}], "Entries": []},
    {"NetworkAclId": "acl-1", "Associations": [{"SubnetId": "subnet-9"}, {"SubnetId": "subnet-1"}], "Entries": [
        entry(32767, True, "deny"), entry(32768, False, "deny", cidr="::/0"), entry(200, False, "allow", "6", PortRange={"From": 1024, "To": 65535}),
        entry(100, False, "deny", "17", "10.0.0.0/8", PortRange={"From": 53, "To": 53}), entry(101, False, "allow", "1", IcmpTypeCode={"Type": 8, "Code": -1}),
        entry(100, True, "allow", "58", "::/0", IcmpTypeCode={"Type": -1, "Code": -1}), entry(32766, True, "allow"), entry(32767, False, "deny")]}]}
ACL_1 = """boundary acl
boundary acl in 100 deny udp 53 from 10.0.0.0/8 as "acl-1/in/100"
boundary acl in 101 allow icmp 8 from 0.0.0.0/0 as "acl-1/in/101"
boundary acl in 200 allow tcp 1024-65535 from 0.0.0.0/0 as "acl-1/in/200"
boundary acl out 100 allow icmpv6 to ::/0 as "acl-1/out/100"
boundary acl out 32766 allow any to 0.0.0.0/0 as "acl-1/out/32766"
""".splitlines()


def files(d, **contents):
    return [write(os.path.join(d, name.replace("_", "-") + ".json"), json.dumps(value)) for name, value in contents.items()]


def imported(d, *args, **contents):
    return policy("import", *files(d, **contents), *args)


def whole(d):
    """Groups of an interface, the ACL of its subnet, members and entries; the same when it was recorded under "data". What comes out is a policy."""
    result = imported(d, "--interface", "eni-1", groups=GROUPS, acls=ACLS, interfaces=INTERFACES, prefixes=PREFIXES).expect(0)
    equal(rules(result.out), GROUP_A + ACL_1)
    data = {name: {"status_code": 200, "data": value} for name, value in {"groups": GROUPS, "acls": ACLS, "interfaces": INTERFACES, "prefixes": PREFIXES}.items()}
    equal(rules(imported(d, "--interface", "eni-1", **data).expect(0).out), GROUP_A + ACL_1)
    policy("check", write(os.path.join(d, "i.policy"), result.out)).expect(0)
    capture = write(os.path.join(d, "i.pcap"), make.pcap([make.tcp_packet(make.ns(make.T0), "10.1.2.3", "10.0.0.5", 5000, 22, make.SYN),
                                                          make.tcp_packet(make.ns(make.T0) + 1, "10.2.2.3", "10.0.0.5", 5000, 443, make.SYN)]))
    out = run("flowproof-sensor", "-r", capture, "-o", "-", "-p", os.path.join(d, "i.policy"), "--local", "10.0.0.5", "-F",
              "srcaddr action fp-boundary").expect(0).out.splitlines()[1:]
    # Both groups' rules allow; no entry of the ACL has ports below 1024 of TCP.
    equal(out, ["10.1.2.3 REJECT acl-default", "10.2.2.3 REJECT acl-default"])


def chosen(d):
    """One group or ACL is taken as it is; of several somebody must choose."""
    only = {"SecurityGroups": GROUPS["SecurityGroups"][1:]}
    equal(rules(imported(d, only=only).expect(0).out), ["boundary group"], "no rules: all is refused, as in forensic isolation")
    err = imported(d, groups=GROUPS).expect(2).err
    check("2 SecurityGroups are there" in err and "--groups" in err, err)
    err = imported(d, acls=ACLS).expect(2).err
    check("2 NetworkAcls are there" in err and "--acl" in err, err)
    equal(rules(imported(d, "--acl", "acl-1", acls=ACLS).expect(0).out), ACL_1)
    equal(rules(imported(d, "--groups", "sg-a,sg-b", groups=GROUPS, interfaces=INTERFACES, prefixes=PREFIXES).expect(0).out), GROUP_A)
    for args, words in ((("--groups", "sg-x"), "there is no security group 'sg-x'"), (("--interface", "eni-9"), "there is no interface eni-9"),
                        (("--acl", "acl-9", "--groups", "sg-b"), "there is no network ACL acl-9"),
                        (("--interface", "eni-2"), "there is no security group 'sg-c'")):
        err = imported(d, *args, groups=GROUPS, acls=ACLS, interfaces=INTERFACES, prefixes=PREFIXES).expect(2).err
        check(words in err, err)
    unbound = {"NetworkAcls": ACLS["NetworkAcls"][:1]}
    err = imported(d, "--interface", "eni-1", "--groups", "sg-b", groups=GROUPS, acls=unbound, interfaces=INTERFACES).expect(2).err
    check("no network ACL is associated with subnet subnet-1" in err, err)


def unknown(d):
    """Members and entries that nobody gave: said with the place and the command that gives them, left out, exit 1. Entries are told whose they are
    by the name of their file."""
    group = {"SecurityGroups": GROUPS["SecurityGroups"][:1]}
    result = imported(d, group=group).expect(1)
    check("group.json:1: SecurityGroups[0].IpPermissions[2].UserIdGroupPairs[0]: who carries the group sg-b" in result.err and
          "describe-network-interfaces" in result.err, result.err)
    check("SecurityGroups[0].IpPermissions[2].PrefixListIds[0]: what is in the prefix list pl-1" in result.err and
          "get-managed-prefix-list-entries --prefix-list-id pl-1" in result.err, result.err)
    equal(rules(result.out), [line for line in GROUP_A if "pl-1" not in line and "sg-b" not in line])
    listed = {"PrefixLists": [{"PrefixListId": "pl-1", "PrefixListName": "s3", "State": "create-complete", "MaxEntries": 5}]}  # describe-managed-prefix-lists
    managed = {"Entries": [{"Cidr": "54.231.0.0/17", "Description": ""}, {"Cidr": "52.216.0.0/15"}]}
    equal(rules(imported(d, group=group, a_list=listed, interfaces=INTERFACES, pl_1=managed).expect(0).out), GROUP_A)
    equal(rules(imported(d, group=group, a_list=listed, interfaces=INTERFACES, b_list=PREFIXES).expect(0).out), GROUP_A)
    result = imported(d, group=group, interfaces=INTERFACES, pl_12=managed).expect(1)
    check("pl-1 is not known" in result.err, "another list's entries")
    nobody = {"NetworkInterfaces": INTERFACES["NetworkInterfaces"][:1]}
    check("no interface in these files carries the group sg-b" in imported(d, group=group, interfaces=nobody, prefixes=PREFIXES).expect(1).err, "nobody")


def long_lists(d):
    """More places than a rule may have, more members than a line: several lines of one name."""
    cidrs = [f"10.0.{i}.0/24" for i in range(70)]
    group = {"SecurityGroups": [{"GroupId": "sg-l", "IpPermissions": [perm("tcp", 22, 22, v4=cidrs, pl=["pl-9"])]}]}
    lists = {"PrefixLists": [{"PrefixListId": "pl-9", "Cidrs": [f"192.0.2.{i}/32" for i in range(80)]}]}
    out = rules(imported(d, group=group, lists=lists).expect(0).out)
    equal(len([line for line in out if line.startswith("list pl-9 ")]), 3, "32 in a line")
    equal(",".join(line.split(" from ")[1].split(" as ")[0] for line in out if " from " in line).replace(", ", ","), ",".join(cidrs + ["list pl-9"]))


def bad(d):
    """What is not such JSON is named by file, line and place; nothing is printed then."""
    def group(p):
        return {"SecurityGroups": [{"GroupId": "sg-a", "IpPermissions": [perm("tcp", 1, 1, v4=["10.0.0.0/8"]), p]}]}

    def acl(e):
        return {"NetworkAcls": [{"NetworkAclId": "acl-1", "Entries": [e]}]}

    first, second = "SecurityGroups[0].IpPermissions[1]", "NetworkAcls[0].Entries[0]"
    for value, words in (
            (group(perm("tpc", 1, 1)), first + ": IpProtocol is not"), (group(perm("256")), first + ": IpProtocol is not"),
            (group(perm("tcp", 5, 1)), first + ": its range of ports runs backwards"), (group(perm("tcp", 1, 65536)), first + ": a port is not"),
            (group(perm("tcp", "1", 2)), first + ": a port is not"), (group(perm("icmp", 256, 0)), first + ": an ICMP type or code is not"),
            (group(perm("tcp", 1, 1, v4=["10.0.0.1/33"])), first + ".IpRanges[0]: not a prefix"),
            (group(perm("tcp", 1, 1, v6=["x"])), first + ".Ipv6Ranges[0]: not a prefix"),
            (group(perm("tcp", 1, 1, sg=["a b"])), first + ".UserIdGroupPairs[0]: a group without GroupId"),
            (acl(entry(0, True, "allow")), second + ": RuleNumber is not 1 to 32768"), (acl(entry(5, "yes", "allow")), second + ": Egress is not"),
            (acl(entry(5, True, "permit")), second + ": RuleAction is not"), (acl(entry(5, True, "allow", "x")), second + ": Protocol is not"),
            (acl(entry(5, True, "allow", cidr="10.0.0.0/40")), second + ": CidrBlock or Ipv6CidrBlock is missing or no prefix"),
            ({"NetworkAcls": [{"NetworkAclId": "acl-1", "Entries": [entry(5, True, "allow"), entry(5, True, "deny")]}]}, ": its RuleNumber is there twice"),
            ({"SecurityGroups": {}}, "holds no SecurityGroups"), ([], "holds no SecurityGroups"), ({"Vpcs": []}, "give what `aws ec2 describe-...` prints")):
        result = imported(d, bad=value).expect(3)
        check(words in result.err and "bad.json" in result.err, f"{words}: {result.err}")
        equal(result.out, "", words)
    text = write(os.path.join(d, "t.json"), '{"SecurityGroups": [\n{"GroupId": }\n]}')
    check("t.json:2: not JSON: a value is missing" in policy("import", text).expect(3).err, "line")
    check("cannot read" in policy("import", os.path.join(d, "none.json")).expect(2).err, "no file")
    check("1 to 64 files" in policy("import").expect(2).err, "no file named")
    many = {"SecurityGroups": [{"GroupId": "sg-m", "IpPermissions": [perm("tcp", i, i, v4=["10.0.0.0/8"]) for i in range(1, 1100)]}]}
    check("more than 1024 rules" in imported(d, many=many).expect(2).err, "too many for a policy")


# ---- real ones -------------------------------------------------------------------------------------

def real_ranges(d, path):
    """Services of the real ip-ranges.json: of addresses at the edges of its prefixes, those that Python's ipaddress finds in it."""
    with open(path, encoding="utf-8") as f:
        data = json.load(f)
    rows = [(ipaddress.ip_network(p[key]), p["service"], p["region"]) for name, key in (("prefixes", "ip_prefix"), ("ipv6_prefixes", "ipv6_prefix"))
            for p in data[name]]
    wanted = (("S3", None), ("EC2", "eu-west-1"), ("AMAZON", None))
    random = Random(7)
    addresses = set()
    for net, *_ in random.sample(rows, 50):
        for value in (int(net[0]), int(net[-1]), int(net[0]) - 1, int(net[-1]) + 1):
            addresses.add(str(type(net[0])(value)))
    addresses = sorted(addresses)
    text = f'aws-ranges "{path}"\n' + "".join(f'watch out tcp {i + 1} to aws {s}{" " + r if r else ""}\n' for i, (s, r) in enumerate(wanted))
    t = make.ns(make.T0)
    packets = [make.tcp_packet(t + i, ME if "." in a else make.A6, a, 1025, port, make.SYN)
               for i, (a, port) in enumerate((a, p) for a in addresses for p in (1, 2, 3))]
    capture, policy_path = write(os.path.join(d, "r.pcap"), make.pcap(packets)), write(os.path.join(d, "r.policy"), text)
    out = run("flowproof-sensor", "-r", capture, "-o", "-", "-p", policy_path, *LOCAL, "-F", "dstaddr dstport fp-verdict").expect(0).out
    got = {tuple(line.split()) for line in out.splitlines()[1:]}
    want = set()
    for address in addresses:
        ip = ipaddress.ip_address(address)
        for i, (service, region) in enumerate(wanted):
            hit = any(ip.version == n.version and ip in n and s == service and region in (None, r) for n, s, r in rows)
            want.add((address, str(i + 1), "watched" if hit else "unexpected_egress"))
    equal(sorted(got), sorted(want))
    check({w[2] for w in want if w[1] == "1"} == {"watched", "unexpected_egress"}, "both occur")
    shown = policy("show", policy_path).expect(0).out
    check(f"createDate {data['createDate']}" in shown, shown[:300])


def real_cli(d, data):
    """Every group and ACL of recorded answers becomes rules: as many places as it has prefixes."""
    n = 0
    for name in ("cloudmapper-ec2-describe-security-groups", "custodian-security-groups-expand", "custodian-security-groups-used"):
        path = os.path.join(data, "awslogs", name + ".json")
        with open(path, encoding="utf-8") as f:
            top = json.load(f)
        for group in top.get("data", top)["SecurityGroups"]:
            out = rules(policy("import", "--groups", group["GroupId"], path).out)
            prefixes = [r[key] for p in group["IpPermissions"] + group["IpPermissionsEgress"]
                        for ranges, key in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")) for r in p.get(ranges, [])]
            places = [c for line in out for c in line.split(" as ")[0].replace(",", "").split() if "/" in c]
            equal(sorted(places), sorted(str(ipaddress.ip_network(p, strict=False)) for p in prefixes), group["GroupId"])
            n += 1
    check(n >= 10, f"only {n} groups")
    for name in ("awscli-describe-network-acls-1", "custodian-network-acls-a"):
        path = os.path.join(data, "awslogs", name + ".json")
        with open(path, encoding="utf-8") as f:
            top = json.load(f)
        for acl in top.get("data", top)["NetworkAcls"]:
            out = rules(policy("import", "--acl", acl["NetworkAclId"], path).expect(0).out)
            equal(len(out), 1 + sum(e["RuleNumber"] < 32767 for e in acl["Entries"]), acl["NetworkAclId"])


TESTS = [("show prints what can be read again", show), ("the built-in policy; errors", builtin),
         ("check says of records what the sensor says of packets", replays), ("nothing unexpected is 0", expects_all),
         ("check of records that others made", others), ("check of the ledger, with names", from_store), ("import: an interface's groups and ACL", whole), ("import: which of several", chosen),
         ("import: what is not known", unknown), ("import: long lists", long_lists), ("import: bad JSON", bad)]


def main():
    tap = Tap()
    for name, test in TESTS:
        with folder() as d, tap.case(name):
            test(d)
    data = shared.data_folder()
    for name, test, rest in (("services of the real ip-ranges.json", real_ranges, ("awslogs", "ip-ranges.json")), ("recorded answers of AWS", real_cli, ())):
        if not data:
            tap.skip(name, shared.ABSENT)
            continue
        with folder() as d, tap.case(name):
            test(d, os.path.join(data, *rest))
    tap.done()


if __name__ == "__main__":
    main()
