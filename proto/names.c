// SPDX-License-Identifier: Apache-2.0
/*
 * names: words for what is counted and where names come from.
 */
#include "proto/names.h"

const char *batch_name_source_text(uint8_t source)
{
	static const char *const texts[BATCH_NAME_SOURCES] = {
		[BATCH_NAME_DNS] = "dns",   [BATCH_NAME_SNI] = "sni",   [BATCH_NAME_TLS] = "tls",
		[BATCH_NAME_HTTP] = "http", [BATCH_NAME_QUIC] = "quic",
	};

	return source < BATCH_NAME_SOURCES && texts[source] ? texts[source] : "unknown";
}

const char *batch_names_count_text(unsigned count)
{
	static const char *const texts[BATCH_NAMES_COUNTS] = {
		[BATCH_NAMES_DNS_QUERIES] = "dns-queries",
		[BATCH_NAMES_DNS_RESPONSES] = "dns-responses",
		[BATCH_NAMES_DNS_UNASKED] = "dns-unasked",
		[BATCH_NAMES_DNS_MALFORMED] = "dns-malformed",
		[BATCH_NAMES_DNS_CUT] = "dns-cut",
		[BATCH_NAMES_LEFT_OUT] = "left-out",
		[BATCH_NAMES_DNS_FORGOTTEN] = "dns-forgotten",
		[BATCH_NAMES_MDNS] = "mdns",
		[BATCH_NAMES_LLMNR] = "llmnr",
		[BATCH_NAMES_TLS] = "tls",
		[BATCH_NAMES_TLS_NAMELESS] = "tls-nameless",
		[BATCH_NAMES_TLS_UNREAD] = "tls-unread",
		[BATCH_NAMES_HTTP] = "http",
		[BATCH_NAMES_HTTP_UNREAD] = "http-unread",
		[BATCH_NAMES_METADATA] = "metadata",
		[BATCH_NAMES_STREAMS_LOST] = "streams-lost",
		[BATCH_NAMES_QUIC] = "quic",
		[BATCH_NAMES_KNOWN] = "known",
		[BATCH_NAMES_GAVE_WAY] = "gave-way",
		[BATCH_NAMES_ARP] = "arp",
		[BATCH_NAMES_ND] = "nd",
	};

	return count < BATCH_NAMES_COUNTS ? texts[count] : 0;
}
