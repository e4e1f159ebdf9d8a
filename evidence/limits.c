// SPDX-License-Identifier: Apache-2.0
/*
 * What each detector needs, in words: the numbers are those it judges by.
 */
#include "evidence/limits.h"

#include <stdio.h>

#include "evidence/beat.h"
#include "evidence/finding.h"
#include "platform/json.h"

enum { LIMIT_TEXT = 768 };

/* What it needs to speak. */
static void needs(char out[static LIMIT_TEXT], enum finding_kind kind)
{
	switch (kind) {
	case FINDING_UNEXPECTED_EGRESS:
		(void)snprintf(out, LIMIT_TEXT,
			       "one packet that this machine began and no rule expects");
		return;
	case FINDING_UNEXPECTED_INBOUND:
		(void)snprintf(out, LIMIT_TEXT, "one packet that a peer began and no rule expects");
		return;
	case FINDING_WATCH_LIST:
		(void)snprintf(out, LIMIT_TEXT,
			       "one packet, or one DNS question, TLS or HTTP name, of what is on "
			       "the list");
		return;
	case FINDING_METADATA_CREDENTIALS:
		(void)snprintf(out, LIMIT_TEXT, "one request whose path names a role");
		return;
	case FINDING_DNS_TUNNEL:
		(void)snprintf(out, LIMIT_TEXT,
			       "below one parent domain, over the whole run: %d questions of type "
			       "NULL; or %d names, "
			       "half of the questions TXT, CNAME, MX or KEY; or %d names that look "
			       "encoded, %d "
			       "letters in all; or %d names of any look; or one encoded label of "
			       "%d letters",
			       TUNNEL_NULLS, TUNNEL_TYPED, TUNNEL_NAMES, TUNNEL_LETTERS,
			       TUNNEL_MANY, TUNNEL_LABEL);
		return;
	case FINDING_ICMP_TUNNEL:
		(void)snprintf(out, LIMIT_TEXT,
			       "%d packets out to one address; %d bytes each on average, or sizes "
			       "that differ by %d "
			       "bytes between windows or directions (IPv6: above %d bytes)",
			       ICMP_PACKETS, ICMP_SIZE, ICMP_CHANGE, ICMP6_PLAIN);
		return;
	case FINDING_BEACON:
		(void)snprintf(out, LIMIT_TEXT,
			       "calls to one endpoint, first calls to ever other addresses on one "
			       "port, or DNS "
			       "questions below one parent domain, with %d s of silence before "
			       "each: %d, if four "
			       "fifths of the intervals are within %d %% of the middle one; %d, if "
			       "nine tenths lie "
			       "between 0.45 and 1.65 of it; %d, if 85 %% do; the latest %d count",
			       BEACON_GAP_S, BEACON_TIGHT + 1, BEACON_NEAR, BEACON_LOOSE + 1,
			       BEACON_MANY + 1, BEAT_TIMES);
		return;
	case FINDING_VOLUME:
		(void)snprintf(out, LIMIT_TEXT,
			       "%d bytes out to one endpoint, or unexpectedly to one port of many "
			       "addresses, "
			       "and more than came in; %d where the policy expects it",
			       VOLUME_BYTES, VOLUME_EXPECTED);
		return;
	case FINDING_DRIP:
		(void)snprintf(out, LIMIT_TEXT,
			       "payload out to one endpoint in %d distinct minutes over %d s, less "
			       "than %d bytes a minute",
			       DRIP_MINUTES, DRIP_SPAN_S, DRIP_BYTES);
		return;
	case FINDING_SWEEP:
		(void)snprintf(out, LIMIT_TEXT,
			       "%d addresses tried on one port, to which no payload went; %d if "
			       "more than two "
			       "thirds of them answered",
			       SWEEP_ADDRESSES, SCAN_OPEN);
		return;
	case FINDING_SCAN:
		(void)snprintf(out, LIMIT_TEXT,
			       "%d ports of one address tried, to which no payload went; %d if "
			       "more than two thirds "
			       "of them answered",
			       SCAN_PORTS, SCAN_OPEN);
		return;
	case FINDING_DNS_OTHER_RESOLVER:
		(void)snprintf(out, LIMIT_TEXT,
			       "one packet to port 53 of a server that the policy neither watches "
			       "nor expects, or that "
			       "is public");
		return;
	case FINDING_DOH:
		(void)snprintf(out, LIMIT_TEXT,
			       "one packet to port 443 of an address or name on this build's list");
		return;
	case FINDING_DOT: (void)snprintf(out, LIMIT_TEXT, "one packet to port 853"); return;
	case FINDING_SPAM:
		(void)snprintf(out, LIMIT_TEXT, "one packet to TCP port 25, 465 or 587");
		return;
	case FINDING_ODD_PROTOCOL:
		(void)snprintf(out, LIMIT_TEXT,
			       "one packet of another IP protocol than TCP, UDP, ICMP, ICMPv6");
		return;
	case FINDING_BLINDING:
		(void)snprintf(out, LIMIT_TEXT,
			       "one look of the sensor (each minute) at which it is there; packets "
			       "that went "
			       "unseen: more than 8 and one in a thousand");
		return;
	case FINDING_LOG_WIPED:
		(void)snprintf(
			out, LIMIT_TEXT,
			"a log that the sensor follows (--tail) was cut, deleted or moved out of "
			"its folder without being rotated, or its first 1,024 bytes or the 4,096 "
			"before where it was read to are not what was read");
		return;
	case FINDING_KINDS: break;
	}
	out[0] = '\0';
}

/* What it cannot see, however long it looks. */
static const char *const blind[FINDING_KINDS] = {
	[FINDING_UNEXPECTED_EGRESS] =
		"what a rootkit keeps from the capture; frames without a local address; what "
		"hides inside traffic that a rule expects",
	[FINDING_UNEXPECTED_INBOUND] = "peers that a rule expects",
	[FINDING_BLINDING] =
		"a rootkit that hides within the kernel; what is there between two looks "
		"only; eBPF programs loaded after the start",
	[FINDING_WATCH_LIST] = "names inside encrypted DNS, QUIC or an encrypted ClientHello",
	[FINDING_METADATA_CREDENTIALS] =
		"requests whose head the capture cut; credentials read before the watch began",
	[FINDING_DNS_TUNNEL] =
		"few names; dictionary words; names below many parent domains; DNS on "
		"other ports or encrypted",
	[FINDING_ICMP_TUNNEL] =
		"data in packets of a ping's own size; ICMP types are not in the records",
	[FINDING_BEACON] = "periods of 5 s and below; jitter above a half, and with a half periods "
			   "below 20 s mostly; calls "
			   "that change both address and port",
	[FINDING_VOLUME] = "bytes spread over many ports too; an upload that brings more back",
	[FINDING_DRIP] = "transfers in less than an hour; many endpoints, each used a few times",
	[FINDING_SWEEP] = "addresses that were spoken to after they answered",
	[FINDING_SCAN] = "ports that were spoken to after they answered",
	[FINDING_DNS_OTHER_RESOLVER] = "private resolvers that a rule expects; DNS on other ports",
	[FINDING_DOH] = "resolvers that are not on the list, and those of an intruder",
	[FINDING_DOT] = "other ports",
	[FINDING_SPAM] = "mail through other ports or a provider's web",
	[FINDING_ODD_PROTOCOL] = "tunnels within UDP or TCP",
	[FINDING_LOG_WIPED] =
		"logs that are not followed; bytes changed in between; what became of a file "
		"after its rotation; what a rootkit keeps from those who read",
};

const char *limits_blind(enum finding_kind kind)
{
	return blind[kind];
}

void limits_print(FILE *out, bool json)
{
	for (size_t kind = 0; kind < FINDING_KINDS; kind++) {
		char text[LIMIT_TEXT];

		needs(text, (enum finding_kind)kind);
		if (!*text)
			continue;
		if (!json) {
			(void)fprintf(out, "%s\n    needs      %s\n    cannot see %s\n",
				      finding_kinds[kind].name, text, blind[kind]);
			continue;
		}
		(void)fprintf(out, "{\"kind\":\"%s\",\"needs\":", finding_kinds[kind].name);
		json_print_string(out, text);
		(void)fputs(",\"cannot_see\":", out);
		json_print_string(out, blind[kind]);
		(void)fputs("}\n", out);
	}
}
