// SPDX-License-Identifier: Apache-2.0
/*
 * Data in DNS, per parent domain, over all that was seen: a slow tunnel adds up as a fast one does. It is one if
 *
 * - at least TUNNEL_NULLS queries ask for type NULL (RFC 1035; nothing else uses it), or
 * - at least TUNNEL_TYPED distinct names were asked, half of the queries for types that carry data down and hosts
 *   have little use for: TXT, CNAME, MX, KEY, private ones; or
 * - at least TUNNEL_NAMES distinct names carry TUNNEL_LETTERS letters in all before the parent domain, and look
 *   encoded; or
 * - at least TUNNEL_MANY distinct names were asked, however they look; or
 * - a label has TUNNEL_LABEL letters and the name looks encoded: one is enough, and is told as medium.
 *
 * Questions below one parent domain that come regularly are a beacon, whose orders come in the answers.
 *
 * Names that are looked for inside only are left out, and those below AWS's own domains if a resolver of the VPC is asked. A parent that finds no room is counted among "other domains".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/beat.h"
#include "evidence/detect.h"
#include "evidence/domain.h"
#include "evidence/limits.h"
#include "evidence/sketch.h"
#include "evidence/table.h"
#include "platform/clock.h"

enum { TCP = 6, UDP = 17, DNS_PORT = 53, WORDS = 16, DOMAINS_PART = 16, DOMAINS_MAX = 32768 };

/* IANA, "Domain Name System (DNS) Parameters" */
enum { CNAME = 5, TYPE_NULL = 10, MX = 15, TXT = 16, KEY = 25, PRIVATE = 65280 };

struct domain {
	char name[BATCH_NAME_MAX + 1]; /* key, with the next; the rest zero */
	uint64_t owner;
	uint64_t seen[WORDS];
	struct domain_letters letters;
	uint64_t queries, bytes_out, responses, bytes_in;
	uint64_t nulls, typed, by_udp, first, last;
	uint64_t longest;   /* label that looks encoded */
	struct beat beat;   /* of the queries */
	struct addr server; /* the least of them */
	struct finding_evidence evidence;
	uint32_t source;
	uint8_t family;
	bool asked_outside; /* a server with a public address */
	bool has_changed;
};
enum { DOMAIN_KEY = BATCH_NAME_MAX + 1 + 8 };
_Static_assert(offsetof(struct domain, seen) == DOMAIN_KEY, "the key ends here");

struct dns {
	struct table *domains;
	struct domain rest;
};

static size_t domains_max(const struct findings_config *config)
{
	size_t max = config->max / DOMAINS_PART;

	return max < DOMAINS_MAX ? max : DOMAINS_MAX;
}

static int open_dns(void **ret, const struct findings_config *config, struct err *err)
{
	struct dns *dns = calloc(1, sizeof *dns);

	if (!dns ||
	    table_new(&dns->domains, sizeof(struct domain), DOMAIN_KEY, domains_max(config)) < 0) {
		free(dns);
		return err_set(err, -ENOMEM, "no memory for DNS names");
	}
	memcpy(dns->rest.name, FINDING_OTHER_DOMAINS, sizeof FINDING_OTHER_DOMAINS);
	dns->rest.first = UINT64_MAX;
	*ret = dns;
	return 0;
}

static void close_dns(void *state)
{
	struct dns *dns = state;

	table_free(dns->domains);
	free(dns);
}

static bool is_typed(uint16_t qtype)
{
	switch (qtype) {
	case CNAME:
	case TYPE_NULL:
	case MX:
	case TXT:
	case KEY: return true;
	default: return qtype >= PRIVATE;
	}
}

static void add_query(struct findings *findings, struct domain *d, const struct batch_dns *q,
		      const char *parent)
{
	struct domain_letters own = {0};
	size_t longest;

	(void)domain_add(&d->letters, q->name, parent, &longest);
	if (longest > d->longest) {
		(void)domain_add(&own, q->name, parent, &longest);
		if (domain_looks_encoded(&own))
			d->longest = longest;
	}
	if (parent > q->name)
		sketch_set(d->seen, WORDS,
			   detect_hash(findings, q->name, (size_t)(parent - q->name)));
	beat_add(&d->beat, q->time_ns / (NS_PER_S / 10));
	d->queries++;
	d->bytes_out += q->size;
	d->nulls += q->qtype == TYPE_NULL;
	d->by_udp += !q->over_tcp;
	d->typed += is_typed(q->qtype);
}

static void gather(struct findings *findings, void *state, const struct detect_from *from,
		   const struct batch_dns *q)
{
	struct dns *dns = state;
	const char *parent = domain_parent(q->name) ? domain_parent(q->name) : q->name;
	uint64_t sec = q->time_ns / NS_PER_S;
	struct domain fresh, *d;
	void *at;

	if (!strchr(q->name, '.') || q->kind != BATCH_DNS || domain_is_inner(q->name))
		return;
	memset(&fresh, 0, sizeof fresh);
	memcpy(fresh.name, parent, strnlen(parent, BATCH_NAME_MAX));
	fresh.owner = from->owner;
	fresh.first = UINT64_MAX;
	if (table_take(dns->domains, &fresh, &at) < 0)
		detect_fail(findings);
	d = at ? at : &dns->rest;
	if (q->is_response) {
		d->responses++;
		d->bytes_in += q->size;
	} else {
		add_query(findings, d, q, parent);
	}
	if (sec < d->first)
		d->first = sec;
	if (sec > d->last)
		d->last = sec;
	if (!d->family || memcmp(&q->server, &d->server, sizeof d->server) < 0) {
		d->server = q->server;
		d->family = q->family;
	}
	d->asked_outside = d->asked_outside || !(addr_is_private(q->family, &q->server) ||
						 addr_is_link(q->family, &q->server));
	d->source = from->source;
	evidence_add(&d->evidence, from->stream, from->sequence);
	d->has_changed = true;
}

/* FINDING_SEVERITIES: it is none. */
static enum finding_severity judge(const struct domain *d, unsigned names)
{
	if (!d->asked_outside && domain_is_providers(d->name))
		return FINDING_SEVERITIES;
	if (d->nulls >= TUNNEL_NULLS || names >= TUNNEL_MANY ||
	    (names >= TUNNEL_TYPED && d->typed * 2 >= d->queries))
		return FINDING_HIGH;
	/* Repeated names carry nothing new: letters of an average query, so many times as there are names. */
	if (names >= TUNNEL_NAMES && d->letters.total / d->queries * names >= TUNNEL_LETTERS &&
	    domain_looks_encoded(&d->letters))
		return FINDING_HIGH;
	return d->longest >= TUNNEL_LABEL ? FINDING_MEDIUM : FINDING_SEVERITIES;
}

/* With all but what tells the kinds apart. */
static struct finding finding_of(const struct domain *d)
{
	return (struct finding){
		.key = {.owner = (uint32_t)d->owner,
			.port = DNS_PORT,
			.family = d->family,
			.protocol = d->by_udp ? UDP : TCP,
			.direction = FLOWREC_EGRESS},
		.remote = d->server,
		.name = d->name,
		.first = d->first,
		.last = d->last,
		.traffic = {.packets_out = d->queries,
			    .bytes_out = d->bytes_out,
			    .packets_in = d->responses,
			    .bytes_in = d->bytes_in,
			    .records = d->queries + d->responses},
		.evidence = d->evidence,
		.source = d->source,
		.outcome = d->responses ? FLOWREC_DATA_OUT : FLOWREC_SENT,
		.reached = d->responses ? FINDING_DATA_OUT : FINDING_ATTEMPTED,
	};
}

static void settle_tunnel(struct findings *findings, const struct domain *d)
{
	unsigned names = sketch_count(d->seen, WORDS);
	enum finding_severity severity = judge(d, names);
	struct finding finding = finding_of(d);

	if (severity == FINDING_SEVERITIES)
		return;
	finding.key.kind = FINDING_DNS_TUNNEL;
	finding.severity = (uint8_t)severity;
	finding.count = names;
	finding.values[0] = d->letters.total / d->queries;
	finding.values[1] = d->typed * 100 / d->queries;
	detect_raise(findings, &finding);
}

/* Hosts ask for addresses again whenever these grow old: that is information. Orders come in types that carry data. */
static void settle_beacon(struct findings *findings, const struct domain *d)
{
	struct finding finding = finding_of(d);
	struct beat_rhythm rhythm;

	if (!beat_is_regular(&d->beat, &rhythm))
		return;
	finding.key.kind = FINDING_BEACON;
	finding.severity = d->typed * 2 >= d->queries ? FINDING_MEDIUM : FINDING_INFO;
	finding.count = rhythm.calls;
	finding.values[0] = rhythm.period;
	finding.values[1] = rhythm.jitter;
	detect_raise(findings, &finding);
}

static void settle_one(struct findings *findings, struct domain *d)
{
	if (!d->has_changed || d->queries == 0)
		return;
	d->has_changed = false;
	settle_tunnel(findings, d);
	settle_beacon(findings, d);
}

static void settle(struct findings *findings, void *state)
{
	struct dns *dns = state;

	for (size_t i = 0; i < table_count(dns->domains); i++)
		settle_one(findings, table_at(dns->domains, i));
	settle_one(findings, &dns->rest);
}

static uint64_t left_out(const void *state)
{
	return table_left_out(((const struct dns *)state)->domains);
}

static size_t memory(const struct findings_config *config)
{
	return sizeof(struct dns) + table_memory(sizeof(struct domain), domains_max(config));
}

const struct detector detect_dns = {
	.name = "dns",
	.memory = memory,
	.open = open_dns,
	.close = close_dns,
	.dns = gather,
	.settle = settle,
	.left_out = left_out,
};
