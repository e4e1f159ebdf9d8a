// SPDX-License-Identifier: Apache-2.0
/*
 * The built-in policy. Its text is that of configs/policy/quarantine.policy, byte for byte: a unit test
 * compares them. It is parsed like any other, so that there is one meaning of the language.
 */
#include "policy/policy.h"

#include <string.h>

/* One line of the file a line. */
/* clang-format off */
static const char quarantine[] =
	"# SPDX-License-Identifier: Apache-2.0\n"
	"#\n"
	"# quarantine.policy: a machine that is suspected, alone in an isolated network.\n"
	"#\n"
	"# This policy holds whenever the sensor is started without -p; this file is its text, to read and to\n"
	"# copy. The sensor needs no copy of it.\n"
	"#\n"
	"# How to read it. The first rule that matches a flow decides. \"expect\" says: this is normal, do not call\n"
	"# me. \"watch\" says: list it, and let the detectors judge what is inside. What no rule names is unexpected:\n"
	"# if this machine began it, it is UNEXPECTED EGRESS, the thing you are looking for. \"out\" means that this\n"
	"# machine began the flow, \"in\" that the other side did. Ports are those of the side that was called.\n"
	"#\n"
	"# Change nothing here while a run is going on: a policy that was altered after the start proves nothing.\n"
	"# To allow more for the next run, copy the file, add lines, and start the sensor with -p COPY.\n"
	"\n"
	"# The sensor's own connection to its collector: address and port as given with -s.\n"
	"expect collector as \"collector\"\n"
	"# Its canaries: datagrams at random times that the capture has to see (--canary).\n"
	"expect out udp to canary as \"canary\"\n"
	"\n"
	"# An address for this machine. Without it there is no network, and nothing to see.\n"
	"expect out udp 67 to 255.255.255.255, subnet as \"dhcp-request\"\n"
	"expect in udp 68 from subnet as \"dhcp-answer\"\n"
	"expect out udp 547 to link as \"dhcpv6-request\"\n"
	"expect in udp 546 from link as \"dhcpv6-answer\"\n"
	"\n"
	"# Amazon Time Sync. Any other time server is unexpected.\n"
	"expect out udp 123 to 169.254.169.123, fd00:ec2::123 as \"time-sync\"\n"
	"\n"
	"# IPv6 neighbours, routers and multicast groups: the IPv6 counterpart of ARP, and IGMP for IPv4. None of it\n"
	"# leaves the link, so it carries nothing out; it is listed, because in a quiet room it may still tell something.\n"
	"watch out icmpv6 to link as \"ipv6-neighbours\"\n"
	"watch in icmpv6 from link as \"ipv6-neighbours\"\n"
	"watch out 2 to link as \"igmp\"\n"
	"\n"
	"# DNS to the resolver of the VPC. Not in Flow Logs, and the way out that works in a network without one: the\n"
	"# resolver forwards every question to the internet. Volume and names are judged (dns_tunnel). DNS to any\n"
	"# other server is unexpected.\n"
	"watch out tcp+udp 53 to resolver, 169.254.169.253, fd00:ec2::253 as \"dns\"\n"
	"\n"
	"# The instance metadata service. Not in Flow Logs either. Whoever asks it can take the role's credentials:\n"
	"# look at who asked, and when.\n"
	"watch out tcp 80 to 169.254.169.254, fd00:ec2::254 as \"instance-metadata\"\n";
/* clang-format on */

const char *policy_quarantine_text(void)
{
	return quarantine;
}

int policy_quarantine(struct policy **ret, struct err *err)
{
	return policy_parse(ret, "quarantine.policy", quarantine, strlen(quarantine), err);
}
