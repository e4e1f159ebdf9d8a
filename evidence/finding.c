// SPDX-License-Identifier: Apache-2.0
/*
 * What is the same for all findings of a kind.
 */
#include "evidence/finding.h"

#include <stdio.h>

/* ASFF: AWS Security Hub, "Types taxonomy for ASFF". ATT&CK: attack.mitre.org, techniques of enterprises. */
const struct finding_kind_info finding_kinds[FINDING_KINDS] = {
	[FINDING_UNEXPECTED_EGRESS] = {"unexpected_egress", "Unexpected outbound traffic",
				       "Effects/Data Exfiltration", "T1041"},
	[FINDING_UNEXPECTED_INBOUND] = {"unexpected_inbound", "Unexpected inbound peer",
					"Unusual Behaviors/Network Flow", NULL},
	[FINDING_METADATA_CREDENTIALS] = {"metadata_credentials",
					  "Role credentials read from instance metadata",
					  "TTPs/Credential Access", "T1552.005"},
	[FINDING_DNS_TUNNEL] = {"dns_tunnel", "Data carried in DNS names",
				"TTPs/Command and Control", "T1071.004"},
	[FINDING_DNS_OTHER_RESOLVER] = {"dns_other_resolver",
					"DNS to a server that is not the VPC's resolver",
					"TTPs/Defense Evasion", "T1071.004"},
	[FINDING_DOH] = {"doh", "DNS over HTTPS", "TTPs/Defense Evasion", "T1071.004"},
	[FINDING_DOT] = {"dot", "DNS over TLS or QUIC", "TTPs/Defense Evasion", "T1071.004"},
	[FINDING_ICMP_TUNNEL] = {"icmp_tunnel", "Data carried in ICMP echo",
				 "TTPs/Command and Control", "T1095"},
	[FINDING_BEACON] = {"beacon", "Regular calls to one endpoint", "TTPs/Command and Control",
			    "T1071"},
	[FINDING_DRIP] = {"drip", "Small transfers to one endpoint over a long time",
			  "Effects/Data Exfiltration", "T1030"},
	[FINDING_VOLUME] = {"volume", "Much data out to one endpoint", "Effects/Data Exfiltration",
			    "T1048"},
	[FINDING_SWEEP] = {"sweep", "One port tried on many addresses", "TTPs/Discovery", "T1046"},
	[FINDING_SCAN] = {"scan", "Many ports tried on one address", "TTPs/Discovery", "T1046"},
	[FINDING_SPAM] = {"spam", "Mail sent directly", "Effects/Resource Consumption",
			  "T1071.003"},
	[FINDING_ODD_PROTOCOL] = {"odd_protocol", "Tunnel or unusual IP protocol",
				  "Unusual Behaviors/Network Flow", "T1095"},
	[FINDING_BLINDING] = {"blinding", "The capture may be blinded, or was passed by",
			      "TTPs/Defense Evasion", "T1562.006"},
	[FINDING_WATCH_LIST] = {"watch_list", "Address or name on the watch list",
				"Unusual Behaviors/IP address", NULL},
	[FINDING_LOG_WIPED] = {"log_wiped", "A log of this machine was cut or rewritten",
			       "TTPs/Defense Evasion", "T1070"},
};

const char *finding_severity_text(enum finding_severity severity)
{
	static const char *const words[FINDING_SEVERITIES] = {
		[FINDING_INFO] = "info",         [FINDING_LOW] = "low",
		[FINDING_MEDIUM] = "medium",     [FINDING_HIGH] = "high",
		[FINDING_CRITICAL] = "critical",
	};

	return words[severity];
}

const char *finding_reached_text(enum finding_reached reached)
{
	static const char *const words[] = {
		[FINDING_ATTEMPTED] = "attempted",
		[FINDING_ANSWERED] = "answered",
		[FINDING_DATA_OUT] = "data_out",
	};

	return words[reached];
}

const char *finding_protocol_text(char out[static FINDING_PROTOCOL_TEXT], uint8_t protocol)
{
	/* IANA, "Assigned Internet Protocol Numbers" */
	static const struct {
		uint8_t number;
		const char *name;
	} known[] = {{1, "icmp"},    {2, "igmp"},   {4, "ipip"},     {6, "tcp"},   {17, "udp"},
		     {33, "dccp"},   {41, "6in4"},  {47, "gre"},     {50, "esp"},  {51, "ah"},
		     {58, "icmpv6"}, {88, "eigrp"}, {89, "ospf"},    {103, "pim"}, {112, "vrrp"},
		     {115, "l2tp"},  {132, "sctp"}, {136, "udplite"}};

	(void)snprintf(out, FINDING_PROTOCOL_TEXT, "%u", (unsigned)protocol);
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (known[i].number == protocol)
			(void)snprintf(out, FINDING_PROTOCOL_TEXT, "%s", known[i].name);
	}
	return out;
}

uint64_t finding_addresses(const struct finding *f)
{
	if (f->key.kind == FINDING_SWEEP)
		return f->count;
	return (f->key.kind == FINDING_VOLUME || f->key.kind == FINDING_BEACON) && f->values[2]
		       ? f->values[2]
		       : 1;
}

bool finding_has_remote(const struct finding *f)
{
	return f->key.family != 0;
}

const char *finding_remote_text(char out[static ADDR_TEXT], const struct finding *f)
{
	if (finding_has_remote(f))
		return addr_text(out, f->key.family, &f->remote);
	out[0] = '-';
	out[1] = '\0';
	return out;
}
