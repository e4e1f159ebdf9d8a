// SPDX-License-Identifier: Apache-2.0
/*
 * Findings from records and alerts.
 *
 * An open-addressing table of indices into an array of findings. Its hash has a key of this run:
 * whoever chose the addresses cannot choose where they fall.
 */
#include "evidence/findings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/hash.h"
#include "platform/json.h"

enum {
	PROTOCOL_ICMP = 1,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_ICMPV6 = 58,
	PROTOCOL_SCTP = 132
};

struct source {
	char *sensor, *interface;
	uint32_t owner; /* the first source of the same sensor and mode */
	bool is_replay;
};

struct findings {
	uint64_t key[2];
	struct finding *items;
	size_t n, cap;
	uint32_t *slots; /* index + 1; 0: empty */
	size_t n_slots;  /* a power of two, at least twice `cap` */
	struct source *sources;
	size_t n_sources, cap_sources;
	size_t source; /* used last */
	uint64_t left_out;
};

int findings_new(struct findings **ret)
{
	struct findings *findings = calloc(1, sizeof *findings);

	if (!findings)
		return -ENOMEM;
	crypto_random(findings->key, sizeof findings->key);
	*ret = findings;
	return 0;
}

void findings_free(struct findings *findings)
{
	if (!findings)
		return;
	for (size_t i = 0; i < findings->n_sources; i++) {
		free(findings->sources[i].sensor);
		free(findings->sources[i].interface);
	}
	free(findings->sources);
	free(findings->slots);
	free(findings->items);
	free(findings);
}

/* ---- table ---- */

static size_t hash(const struct findings *findings, const struct finding *f)
{
	uint64_t words[3] = {0, 0, 0};

	memcpy(words, f->remote.b, sizeof f->remote.b);
	words[2] = (uint64_t)f->owner << 32 | (uint64_t)f->port << 16 | (uint64_t)f->protocol << 8 |
		   (uint64_t)f->family << 4 | f->verdict;
	return (size_t)hash_sip13(findings->key, words, 3);
}

static bool is_same(const struct finding *a, const struct finding *b)
{
	return a->owner == b->owner && a->port == b->port && a->protocol == b->protocol &&
	       a->family == b->family && a->verdict == b->verdict &&
	       memcmp(&a->remote, &b->remote, sizeof a->remote) == 0;
}

/* The slot that holds the finding, or the empty one where it would go. */
static uint32_t *slot_of(const struct findings *findings, const struct finding *key)
{
	size_t mask = findings->n_slots - 1;
	size_t at = hash(findings, key) & mask;

	while (findings->slots[at] && !is_same(&findings->items[findings->slots[at] - 1], key))
		at = (at + 1) & mask;
	return &findings->slots[at];
}

static void fill_slots(struct findings *findings)
{
	memset(findings->slots, 0, findings->n_slots * sizeof *findings->slots);
	for (size_t i = 0; i < findings->n; i++)
		*slot_of(findings, &findings->items[i]) = (uint32_t)i + 1;
}

static int grow(struct findings *findings)
{
	size_t cap = findings->cap ? 2 * findings->cap : 256;
	struct finding *items = reallocarray(findings->items, cap, sizeof *items);
	uint32_t *slots;

	if (!items)
		return -ENOMEM;
	findings->items = items;
	slots = reallocarray(findings->slots, 2 * cap, sizeof *slots);
	if (!slots)
		return -ENOMEM;
	findings->slots = slots;
	findings->n_slots = 2 * cap;
	findings->cap = cap;
	fill_slots(findings);
	return 0;
}

/* The finding with the key's key, made if it is new. *ret is NULL when there is no room. */
static int find(struct findings *findings, const struct finding *key, struct finding **ret)
{
	uint32_t *slot;
	int rc;

	if (findings->n == findings->cap && findings->n < FINDINGS_MAX) {
		rc = grow(findings);
		if (rc < 0)
			return rc;
	}
	slot = slot_of(findings, key);
	if (!*slot) {
		if (findings->n >= FINDINGS_MAX) {
			*ret = NULL;
			return 0;
		}
		findings->items[findings->n] = *key;
		*slot = (uint32_t)++findings->n;
	}
	*ret = &findings->items[*slot - 1];
	return 0;
}

/* ---- sources ---- */

static bool is_source(const struct source *known, const struct findings_source *source)
{
	return known->is_replay == source->is_replay &&
	       strcmp(known->sensor, source->sensor) == 0 &&
	       strcmp(known->interface, source->interface) == 0;
}

static int add_source(struct findings *findings, const struct findings_source *source)
{
	struct source fresh = {.is_replay = source->is_replay,
			       .owner = (uint32_t)findings->n_sources};

	if (findings->n_sources == findings->cap_sources) {
		size_t cap = findings->cap_sources ? 2 * findings->cap_sources : 16;
		struct source *more = reallocarray(findings->sources, cap, sizeof *more);

		if (!more)
			return -ENOMEM;
		findings->sources = more;
		findings->cap_sources = cap;
	}
	for (size_t i = 0; i < findings->n_sources; i++) {
		const struct source *other = &findings->sources[i];

		if (other->is_replay == source->is_replay &&
		    strcmp(other->sensor, source->sensor) == 0) {
			fresh.owner = other->owner;
			break;
		}
	}
	fresh.sensor = strdup(source->sensor);
	fresh.interface = strdup(source->interface);
	if (!fresh.sensor || !fresh.interface) {
		free(fresh.sensor);
		free(fresh.interface);
		return -ENOMEM;
	}
	findings->source = findings->n_sources;
	findings->sources[findings->n_sources++] = fresh;
	return 0;
}

/* Makes findings->source the index of this source. */
static int take_source(struct findings *findings, const struct findings_source *source)
{
	if (findings->n_sources > 0 && is_source(&findings->sources[findings->source], source))
		return 0;
	for (size_t i = 0; i < findings->n_sources; i++) {
		if (is_source(&findings->sources[i], source)) {
			findings->source = i;
			return 0;
		}
	}
	return add_source(findings, source);
}

/* ---- adding ---- */

static bool is_finding(uint8_t verdict)
{
	return verdict == FLOWREC_UNEXPECTED_EGRESS || verdict == FLOWREC_UNEXPECTED_INBOUND;
}

static bool has_ports(uint8_t protocol)
{
	return protocol != PROTOCOL_ICMP && protocol != PROTOCOL_ICMPV6;
}

/* Completes the key and finds the finding; counts what finds no room. */
static int find_from(struct findings *findings, const struct findings_source *source,
		     struct finding *key, struct finding **ret)
{
	int rc = take_source(findings, source);

	if (rc < 0)
		return rc;
	key->source = (uint32_t)findings->source;
	key->owner = findings->sources[findings->source].owner;
	if (!has_ports(key->protocol))
		key->port = 0;
	rc = find(findings, key, ret);
	if (rc == 0 && !*ret)
		findings->left_out++;
	return rc;
}

static void widen(struct finding *finding, uint64_t first, uint64_t last)
{
	if (first < finding->first)
		finding->first = first;
	if (last > finding->last)
		finding->last = last;
}

int findings_add_record(struct findings *findings, const struct findings_source *source,
			const struct flowrec *rec)
{
	bool egress = rec->verdict == FLOWREC_UNEXPECTED_EGRESS;
	struct finding key = {.first = rec->start, .last = rec->end, .family = rec->family};
	struct finding *finding;
	bool out; /* this machine sent what the record counts */
	int rc;

	if (rec->status != FLOWREC_OK || !is_finding(rec->verdict))
		return 0;
	if (rec->initiator == FLOWREC_INITIATOR_UNKNOWN)
		out = rec->direction == FLOWREC_EGRESS;
	else
		out = egress == (rec->initiator == FLOWREC_INITIATOR_SRC);
	key.verdict = rec->verdict;
	key.protocol = rec->protocol;
	key.remote = out ? rec->dst : rec->src;
	/* The responder is the remote of egress, and this machine of inbound. */
	key.port = out == egress ? rec->dstport : rec->srcport;
	rc = find_from(findings, source, &key, &finding);
	if (rc < 0 || !finding)
		return rc;
	widen(finding, rec->start, rec->end);
	finding->flows++;
	if (out) {
		finding->packets_out += rec->packets;
		finding->bytes_out += rec->bytes;
	} else {
		finding->packets_in += rec->packets;
		finding->bytes_in += rec->bytes;
	}
	return 0;
}

int findings_add_alert(struct findings *findings, const struct findings_source *source,
		       const struct batch_alert *alert)
{
	uint64_t time = alert->time_ns / NS_PER_S;
	struct finding key = {.remote = alert->remote,
			      .first = time,
			      .last = time,
			      .port = alert->verdict == FLOWREC_UNEXPECTED_EGRESS
					      ? alert->remote_port
					      : alert->local_port,
			      .family = alert->family,
			      .protocol = alert->protocol,
			      .verdict = alert->verdict};
	struct finding *finding;
	int rc;

	if (!is_finding(alert->verdict))
		return 0;
	rc = find_from(findings, source, &key, &finding);
	if (rc == 0 && finding)
		widen(finding, time, time);
	return rc;
}

uint64_t findings_left_out(const struct findings *findings)
{
	return findings->left_out;
}

bool finding_is_answered(const struct finding *finding)
{
	return finding->verdict == FLOWREC_UNEXPECTED_EGRESS ? finding->packets_in > 0
							     : finding->packets_out > 0;
}

/* ---- printing ---- */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare(const void *one, const void *two)
{
	const struct finding *a = one, *b = two;
	int order = compare_numbers(a->verdict, b->verdict); /* egress is the lower one */

	if (order == 0)
		order = compare_numbers(a->first, b->first);
	if (order == 0)
		order = compare_numbers(a->owner, b->owner);
	if (order == 0)
		order = compare_numbers(a->family, b->family);
	if (order == 0)
		order = memcmp(&a->remote, &b->remote, sizeof a->remote);
	if (order == 0)
		order = compare_numbers(a->port, b->port);
	return order ? order : compare_numbers(a->protocol, b->protocol);
}

_Static_assert((int)FLOWREC_UNEXPECTED_EGRESS < (int)FLOWREC_UNEXPECTED_INBOUND,
	       "compare() relies on it");

const struct finding *findings_sort(struct findings *findings, size_t *ret_n)
{
	if (findings->n > 0) {
		qsort(findings->items, findings->n, sizeof *findings->items, compare);
		fill_slots(findings);
	}
	*ret_n = findings->n;
	return findings->items;
}

const char *findings_protocol_text(char out[static FINDINGS_PROTOCOL_TEXT], uint8_t protocol)
{
	static const struct {
		uint8_t number;
		const char *name;
	} known[] = {{PROTOCOL_ICMP, "icmp"},
		     {PROTOCOL_TCP, "tcp"},
		     {PROTOCOL_UDP, "udp"},
		     {PROTOCOL_ICMPV6, "icmpv6"},
		     {PROTOCOL_SCTP, "sctp"}};

	(void)snprintf(out, FINDINGS_PROTOCOL_TEXT, "%u", (unsigned)protocol);
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (known[i].number == protocol)
			(void)snprintf(out, FINDINGS_PROTOCOL_TEXT, "%s", known[i].name);
	}
	return out;
}

static const char *severity(const struct finding *f)
{
	return f->verdict == FLOWREC_UNEXPECTED_EGRESS ? "high" : "low";
}

static const char *reached(const struct finding *f)
{
	return finding_is_answered(f) ? "answered" : "attempted";
}

#define COLUMNS "%-20s  %-20s  %-8s  %-18s  %-24s  %-24s  %5s  %-7s  %-9s  %8s  %21s  %21s\n"

void findings_print_header(FILE *out)
{
	(void)fprintf(out, COLUMNS, "first", "last", "severity", "kind", "sensor", "remote", "port",
		      "proto", "reached", "flows", "out packets/bytes", "in packets/bytes");
}

void findings_print(const struct findings *findings, const struct finding *f, FILE *out)
{
	const struct source *source = &findings->sources[f->source];
	char first[CLOCK_TEXT], last[CLOCK_TEXT], remote[ADDR_TEXT];
	char protocol[FINDINGS_PROTOCOL_TEXT];
	char sensor[256], port[8], flows[24], sent[48], received[48];

	(void)snprintf(sensor, sizeof sensor, "%s%s%s%s", source->sensor,
		       *source->interface ? "/" : "", source->interface,
		       source->is_replay ? " (replay)" : "");
	(void)snprintf(port, sizeof port, "%u", (unsigned)f->port);
	(void)snprintf(flows, sizeof flows, "%" PRIu64, f->flows);
	(void)snprintf(sent, sizeof sent, "%" PRIu64 "/%" PRIu64, f->packets_out, f->bytes_out);
	(void)snprintf(received, sizeof received, "%" PRIu64 "/%" PRIu64, f->packets_in,
		       f->bytes_in);
	(void)fprintf(out, COLUMNS, clock_text(first, f->first), clock_text(last, f->last),
		      severity(f), flowrec_verdict_text((enum flowrec_verdict)f->verdict), sensor,
		      addr_text(remote, f->family, &f->remote), port,
		      findings_protocol_text(protocol, f->protocol), reached(f), flows, sent,
		      received);
}

void findings_print_json(const struct findings *findings, const struct finding *f, FILE *out)
{
	const struct source *source = &findings->sources[f->source];
	char remote[ADDR_TEXT];

	(void)fprintf(out,
		      "{\"kind\":\"%s\",\"severity\":\"%s\",\"remote\":\"%s\",\"port\":%u,"
		      "\"protocol\":%u,"
		      "\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"sensor\":",
		      flowrec_verdict_text((enum flowrec_verdict)f->verdict), severity(f),
		      addr_text(remote, f->family, &f->remote), (unsigned)f->port,
		      (unsigned)f->protocol, f->first, f->last);
	json_print_string(out, source->sensor);
	(void)fputs(",\"interface\":", out);
	json_print_string(out, source->interface);
	(void)fprintf(out,
		      ",\"mode\":\"%s\",\"reached\":\"%s\",\"flows\":%" PRIu64
		      ",\"packets_out\":%" PRIu64 ",\"bytes_out\":%" PRIu64
		      ",\"packets_in\":%" PRIu64 ",\"bytes_in\":%" PRIu64 "}\n",
		      source->is_replay ? "replay" : "live", reached(f), f->flows, f->packets_out,
		      f->bytes_out, f->packets_in, f->bytes_in);
}
