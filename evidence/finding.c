// SPDX-License-Identifier: Apache-2.0
/*
 * What is the same for all findings of a kind, and a finding in words.
 */
#include "evidence/finding.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "platform/clock.h"

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

/* ---- sentences ---- */

struct words {
	char *out;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void put(struct words *w, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(w->out + w->len, FINDING_SENTENCE - w->len, format, args);
	va_end(args);
	if (n > 0)
		w->len += (size_t)n;
	if (w->len >= FINDING_SENTENCE)
		w->len = FINDING_SENTENCE - 1;
}

/* Who called whom, and how far it got. */
static void put_course(struct words *w, const struct finding *f)
{
	bool inbound = f->key.direction == FLOWREC_INGRESS;
	const char *course = "nothing came back";

	if (inbound && f->outcome < FLOWREC_ANSWERED)
		course = f->outcome == FLOWREC_REFUSED ? "which refused" : "which did not answer";
	else if (inbound)
		course = f->reached == FINDING_DATA_OUT ? "and data was sent back"
							: "which answered";
	else if (f->reached == FINDING_DATA_OUT)
		course = "it answered, and data went out";
	else if (f->reached == FINDING_ANSWERED)
		course = "it answered";
	else if (f->outcome == FLOWREC_REFUSED)
		course = "and was refused";
	put(w, "%s, %s", inbound ? "it called this machine" : "this machine called it", course);
	if (f->under_way)
		put(w, "; under way before the watch began");
}

static void put_kind(struct words *w, const struct finding *f)
{
	const char *name = f->name ? f->name : "?";

	switch ((enum finding_kind)f->key.kind) {
	case FINDING_UNEXPECTED_EGRESS:
	case FINDING_UNEXPECTED_INBOUND: return;
	case FINDING_WATCH_LIST: put(w, "%s is on the watch list: ", name); return;
	case FINDING_DNS_OTHER_RESOLVER: put(w, "DNS past the VPC's resolver: "); return;
	case FINDING_DOH: put(w, "DNS over HTTPS (%s): ", name); return;
	case FINDING_DOT: put(w, "DNS over TLS or QUIC: "); return;
	case FINDING_SPAM: put(w, "mail: "); return;
	case FINDING_ODD_PROTOCOL: put(w, "IP protocol %u: ", (unsigned)f->key.protocol); return;
	case FINDING_ICMP_TUNNEL: put(w, "echo that carries data: "); return;
	case FINDING_VOLUME:
		if (f->values[2])
			put(w, "%" PRIu64 " bytes, spread over %" PRIu64 " addresses: ", f->count,
			    f->values[2]);
		else
			put(w, "%" PRIu64 " bytes to one endpoint: ", f->count);
		return;
	case FINDING_DRIP:
		put(w, "little by little, in %" PRIu64 " minutes of %" PRIu64 ": ", f->count,
		    (f->last - f->first) / 60 + 1);
		return;
	case FINDING_SWEEP:
	case FINDING_SCAN:
		put(w, "%" PRIu64 " %s, %" PRIu64 " answered, %" PRIu64 " refused: ", f->count,
		    f->key.kind == FINDING_SWEEP ? "addresses on one port" : "ports of one address",
		    f->values[0], f->values[1]);
		return;
	case FINDING_DNS_TUNNEL:
		put(w,
		    "at least %" PRIu64 " names below %s, %" PRIu64 " letters each, %" PRIu64
		    "%% of the queries for types that carry data: ",
		    f->count, name, f->values[0], f->values[1]);
		return;
	case FINDING_METADATA_CREDENTIALS:
		if (f->name)
			put(w,
			    "credentials of role %s, %" PRIu64 " times by IMDSv1, %" PRIu64
			    " by IMDSv2: ",
			    name, f->values[0], f->values[1]);
		else
			put(w, "instance metadata, what was asked is not known: ");
		return;
	case FINDING_BEACON:
		put(w, "%" PRIu64 " calls, every %" PRIu64 ".%" PRIu64 " s, jitter %" PRIu64 "%%",
		    f->count, f->values[0] / 10, f->values[0] % 10, f->values[1]);
		if (f->name)
			put(w, ", in DNS below %s", name);
		if (f->values[2])
			put(w, ", one to each of %" PRIu64 " addresses", f->values[2]);
		put(w, ": ");
		return;
	case FINDING_LOG_WIPED:
	case FINDING_KINDS: break;
	}
}

uint64_t finding_addresses(const struct finding *f)
{
	if (f->key.kind == FINDING_SWEEP)
		return f->count;
	return (f->key.kind == FINDING_VOLUME || f->key.kind == FINDING_BEACON) && f->values[2]
		       ? f->values[2]
		       : 1;
}

const char *finding_say(char out[static FINDING_SENTENCE], const struct finding *f)
{
	const struct finding_traffic *t = &f->traffic;
	char until[CLOCK_TEXT];
	struct words w = {.out = out};

	put_kind(&w, f);
	put_course(&w, f);
	put(&w, "; out %" PRIu64 " packets/%" PRIu64 " bytes, in %" PRIu64 "/%" PRIu64 ", until %s",
	    t->packets_out, t->bytes_out, t->packets_in, t->bytes_in, clock_text(until, f->last));
	return out;
}
