#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_boundary.py BUILD_DIR   ACCEPT and REJECT as AWS would write them: Amazon's published example, and what its documentation of groups, ACLs and
connection tracking says of small captures."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import ROOT, Tap, check, equal, folder, run, write  # noqa: E402
import make_captures as make  # noqa: E402

ACTIONS = "srcaddr dstaddr dstport action fp-boundary"
EPHEMERAL = "1024-65535"
ME, ME6 = make.A, make.A6  # 10.0.0.5, 2001:db8::5


def actions(d, policy, packets, *args, fields=ACTIONS):
    """The records of a capture under a policy, without the header."""
    capture, text = write(os.path.join(d, "b.pcap"), make.pcap(packets)), write(os.path.join(d, "b.policy"), policy)
    out = run("flowproof-sensor", "-r", capture, "-o", "-", "-p", text, "--local", ME, "--local", ME6, "-F", fields, *args).expect(0).out
    return out.splitlines()[1:]


def published(d):
    """Amazon VPC User Guide, "Flow log record examples", "Security group and network ACL rules": ping is allowed in by the group, whose outbound
    rules do not allow it; the network ACL allows it in and does not allow it out. Two records, the second REJECT. Should the ACL
    allow it out, two ACCEPT; should the group not allow it in, one REJECT."""
    corpus = os.path.join(ROOT, "tests", "golden", "corpus", "aws-ping.pcap")
    group = "boundary group in icmp from 203.0.113.12 as \"sg\"\n"
    acl_in = "boundary acl in 100 allow icmp from any as \"in\"\n"
    request = "2 123456789010 eni-1235b8ca123456789 203.0.113.12 172.31.16.139 0 0 1 4 336 1432917027 1432917142 {} OK"
    reply = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 203.0.113.12 0 0 1 4 336 1432917094 1432917142 {} OK"
    for policy, wanted in ((group + acl_in, ("ACCEPT", "REJECT")),
                           (group + acl_in + "boundary acl out 100 allow icmp to any\n", ("ACCEPT", "ACCEPT")),
                           ("boundary group\n" + acl_in, ("REJECT", "REJECT"))):  # the reply would not have been sent
        path = write(os.path.join(d, "p.policy"), policy)
        out = run("flowproof-sensor", "-r", corpus, "-o", "-", "-p", path, "-t", "600", "--local", "172.31.16.139", "--account-id",
                  "123456789010", "--interface-id", "eni-1235b8ca123456789").expect(0).out.splitlines()
        equal(out[1:], [request.format(wanted[0]), reply.format(wanted[1])], policy)


def tracked(d):
    """Groups: what is allowed to begin may be answered, whatever the rules of the other direction; what is not allowed out is refused out."""
    t = make.ns(make.T0)
    packets = make.connection(t, make.C, ME, 40000, 22, [10], [10]) + make.connection(t + make.NS, ME, make.B, 40001, 443, [10], [10])
    packets += [make.tcp_packet(t + 2 * make.NS, ME, make.B, 40002, 25, make.SYN),
                make.udp_packet(t + 3 * make.NS, make.B, ME, 53, 40003, 20)]
    policy = f'boundary group in tcp 22 from {make.C}/32 as "ssh"\nboundary group out tcp 443 to any as "https"\n'
    equal(actions(d, policy, packets), [
        f"{make.C} {ME} 22 ACCEPT ssh", f"{ME} {make.C} 40000 ACCEPT ssh",
        f"{ME} {make.B} 443 ACCEPT https", f"{make.B} {ME} 40001 ACCEPT https",
        f"{ME} {make.B} 25 REJECT group-default", f"{make.B} {ME} 40003 REJECT group-default"])


def stateless(d):
    """ACLs: each direction by itself, in the order of the numbers; answers go to ephemeral ports."""
    t = make.ns(make.T0)
    packets = make.connection(t, make.C, ME, 40000, 443, [10], [10]) + make.connection(t + make.NS, ME, make.B, 40001, 443, [10], [10])
    rules = ('boundary acl in 90 deny tcp 443 from 198.51.100.0/25 as "bad"\nboundary acl in 100 allow tcp 443 from any as "web"\n'
             'boundary acl out 100 allow tcp 443 to any as "https"\n')
    half = [f"{make.C} {ME} 443 REJECT bad", f"{ME} {make.C} 40000 REJECT acl-default",
            f"{ME} {make.B} 443 ACCEPT https", f"{make.B} {ME} 40001 REJECT acl-default"]
    equal(make.C, "198.51.100.77")
    equal(actions(d, rules, packets), half)
    rules += f'boundary acl in 110 allow tcp {EPHEMERAL} from any as "eph-in"\nboundary acl out 110 allow tcp {EPHEMERAL} to any as "eph-out"\n'
    whole = [half[0], half[1].replace("REJECT acl-default", "ACCEPT eph-out"), half[2], half[3].replace("REJECT acl-default", "ACCEPT eph-in")]
    equal(actions(d, rules, packets), whole)


def both_and_ipv6(d):
    """Both must allow; a rule for 0.0.0.0/0 is none for IPv6; ICMPv6 types; the group that refuses stands before the ACL on the way out."""
    t = make.ns(make.T0)
    six = make.B6
    packets = make.connection(t, ME6, six, 40000, 443, [10], [10]) + [make.ping(t + make.NS, ME6, six), make.ping(t + make.NS + 1, six, ME6, reply=True)]
    groups = 'boundary group out tcp 443 to 0.0.0.0/0, ::/0 as "https"\nboundary group out icmpv6 128 to ::/0 as "echo"\n'
    acl = ('boundary acl in 1 allow icmpv6 129/0 from ::/0 as "echoed"\nboundary acl in 2 allow tcp 1024-65535 from 0.0.0.0/0 as "v4"\n'
           'boundary acl out 1 allow any to any as "all"\n')
    equal(actions(d, groups + acl, packets), [f"{ME6} {six} 443 ACCEPT https", f"{six} {ME6} 40000 REJECT acl-default",
                                              f"{ME6} {six} 0 ACCEPT echo", f"{six} {ME6} 0 ACCEPT echo"])
    acl = acl.replace("129/0", "129/1")
    equal(actions(d, groups + acl, packets)[3], f"{six} {ME6} 0 REJECT acl-default")
    groups = groups.replace("128", "129")
    equal(actions(d, groups + acl, packets)[2], f"{ME6} {six} 0 REJECT group-default")


def unfiltered(d):
    """A group without rules, as forensic isolation sets it, and an ACL that refuses all: DNS of the VPC, metadata, time, DHCP and
    neighbours pass all the same; another name server, and metadata's neighbour, do not."""
    t = make.ns(make.T0)
    ends = [("169.254.169.253", 53), ("169.254.169.123", 123), ("10.0.0.2", 53), ("255.255.255.255", 67), ("10.0.0.3", 53), ("169.254.169.252", 53), ("203.0.113.9", 67)]
    packets = [make.udp_packet(t + i, ME, ip, 40000 + i, port, 20) for i, (ip, port) in enumerate(ends)]
    packets += [make.tcp_packet(t + 20, ME, "169.254.169.254", 40020, 80, make.SYN), make.udp_packet(t + 21, ME6, "fd00:ec2::253", 40021, 53, 9)]
    packets += [make.ping(t + 22, ME6, "fe80::1")]
    lines = actions(d, "boundary group\nboundary acl\n", packets, "--resolver", "10.0.0.2", "--resolver", "10.0.0.3", fields="dstaddr action fp-boundary")
    wanted = {"10.0.0.3": "REJECT group-default", "169.254.169.252": "REJECT group-default", make.B: "REJECT group-default"}
    equal(len(lines), len(packets))
    for line in lines:
        ip, rest = line.split(" ", 1)
        equal(rest, wanted.get(ip, "ACCEPT -"), line)
    lines = actions(d, "expect collector\n", packets, fields="action fp-boundary")
    equal(set(lines), {"ACCEPT -"}, "without a boundary")


def neither(d):
    """Between two local addresses nothing crosses the interface, and of two foreign ones nothing is known."""
    t = make.ns(make.T0)
    packets = [make.udp_packet(t, ME, ME, 1000, 2000, 5), make.udp_packet(t + 1, make.B, make.C, 1000, 2000, 5)]
    equal(actions(d, "boundary group\n", packets, fields="action fp-boundary"), ["ACCEPT -", "ACCEPT -"])


def many_answers(d):
    """More answers than the table of them holds: the action stays right, the rule is no longer told, and that is said."""
    t = make.ns(make.T0)
    n = 300
    policy = "".join(f'boundary group out udp {p} to any as "r{p}"\n' for p in range(1001, 1001 + n))
    packets = [make.udp_packet(t + i, ME, make.B, 40000, 1001 + i, 5) for i in range(n + 1)]
    capture, path = write(os.path.join(d, "m.pcap"), make.pcap(packets)), write(os.path.join(d, "m.policy"), policy)
    result = run("flowproof-sensor", "-r", capture, "-o", "-", "-p", path, "--local", ME, "-F", "dstport action fp-boundary").expect(0)
    lines = [line.split() for line in result.out.splitlines()[1:]]
    equal([line[1] for line in lines], ["ACCEPT"] * n + ["REJECT"], "actions")
    told = [line[2] for line in lines if line[2] != "-"]
    equal(told, [f"r{p}" for p in range(1001, 1253)], "256 less the 4 plain ones")
    check(f"boundary: {n + 1 - 252} flows without the name of their rule" in result.err, result.err)


TESTS = [("Amazon's example: ping allowed in by the group and refused out by the ACL gives two records", published),
         ("groups are stateful", tracked),
         ("ACLs are stateless, and ordered", stateless),
         ("both must allow, IPv6 and ICMPv6 too", both_and_ipv6),
         ("what neither filters is accepted", unfiltered),
         ("flows that do not cross the interface are accepted", neither),
         ("a full table of answers keeps the action", many_answers)]


def main():
    tap = Tap()
    with folder() as d:
        for name, test in TESTS:
            with tap.case(name):
                test(d)
    tap.done()


if __name__ == "__main__":
    main()
