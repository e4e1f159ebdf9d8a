// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses, networks and names that stand on a list. The policy does not temper these: who is on the list
 * matters whether expected or not.
 */
#include "evidence/detect.h"
#include "evidence/watch.h"
#include "platform/clock.h"

enum { DNS_PORT = 53, UDP = 17 };

static int open_watch(void **ret, const struct findings_config *config, struct err *err)
{
	(void)err;
	*ret = (void *)(uintptr_t)config->watch; /* borrowed, may be NULL; never written to */
	return 0;
}

static void judge(struct findings *findings, void *state, const struct peer *peer)
{
	const struct watch_list *list = state;
	struct finding finding;
	const char *entry;

	if (!list)
		return;
	entry = watch_find_addr(list, peer->key.family, &peer->key.remote);
	if (!entry)
		return;
	finding = detect_of_peer(peer, FINDING_WATCH_LIST, FINDING_HIGH);
	if (peer->key.direction == FLOWREC_INGRESS && finding.reached == FINDING_ATTEMPTED)
		finding.severity = FINDING_MEDIUM;
	finding.name = entry;
	detect_raise(findings, &finding);
}

/* A name on the list was asked for: whoever answered, it was meant to be reached. */
static void gather_dns(struct findings *findings, void *state, const struct detect_from *from,
		       const struct batch_dns *dns)
{
	const char *entry = state ? watch_find_name(state, dns->name) : NULL;
	struct finding finding = {
		.key = {.owner = from->owner,
			.port = DNS_PORT,
			.family = dns->family,
			.protocol = UDP,
			.kind = FINDING_WATCH_LIST,
			.direction = FLOWREC_EGRESS},
		.remote = dns->server,
		.name = entry,
		.first = dns->time_ns / NS_PER_S,
		.last = dns->time_ns / NS_PER_S,
		.source = from->source,
		.severity = FINDING_HIGH,
		.outcome = dns->is_response ? FLOWREC_ANSWERED : FLOWREC_SENT,
		.reached = dns->is_response ? FINDING_ANSWERED : FINDING_ATTEMPTED,
		.count = !dns->is_response,
	};

	if (!entry)
		return;
	if (dns->is_response)
		finding.traffic = (struct finding_traffic){
			.packets_in = 1, .bytes_in = dns->size, .records = 1};
	else
		finding.traffic = (struct finding_traffic){
			.packets_out = 1, .bytes_out = dns->size, .records = 1};
	evidence_add(&finding.evidence, from->stream, from->sequence);
	detect_add(findings, &finding);
}

/* TLS or HTTP named it to the peer itself. */
static void gather_name(struct findings *findings, void *state, const struct detect_from *from,
			const struct batch_name *name)
{
	const char *entry = state && name->port ? watch_find_name(state, name->name) : NULL;
	struct finding finding = {
		.key = {.remote = name->remote,
			.owner = from->owner,
			.port = name->port,
			.family = name->family,
			.protocol = name->protocol,
			.kind = FINDING_WATCH_LIST,
			.direction = FLOWREC_EGRESS},
		.remote = name->remote,
		.name = entry,
		.first = name->first_ns / NS_PER_S,
		.last = name->first_ns / NS_PER_S,
		.source = from->source,
		.severity = FINDING_HIGH,
		.outcome = FLOWREC_DATA_OUT,
		.reached = FINDING_DATA_OUT,
	};

	if (!entry)
		return;
	evidence_add(&finding.evidence, from->stream, from->sequence);
	detect_add(findings, &finding);
}

const struct detector detect_watch = {.name = "watch",
				      .open = open_watch,
				      .peer = judge,
				      .dns = gather_dns,
				      .name_seen = gather_name};
