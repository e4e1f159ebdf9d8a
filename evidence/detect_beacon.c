// SPDX-License-Identifier: Apache-2.0
/*
 * Regular calls to one endpoint, by the times of the packets that began them: whether they are answered or not, in
 * connections of their own or within one, whatever windows the records have.
 */
#include <errno.h>
#include <string.h>

#include "evidence/beat.h"
#include "evidence/detect.h"
#include "evidence/table.h"

enum { ENDPOINTS_PART = 16, ENDPOINTS_MAX = 65536 };

struct called {
	struct peer_key key;
	struct beat beat;
	struct finding_evidence evidence;
	uint32_t source;
	bool has_changed;
};

static size_t endpoints_max(const struct findings_config *config)
{
	size_t max = config->max / ENDPOINTS_PART;

	return max < ENDPOINTS_MAX ? max : ENDPOINTS_MAX;
}

static int open_beacon(void **ret, const struct findings_config *config, struct err *err)
{
	struct table *table;

	if (table_new(&table, sizeof(struct called), sizeof(struct peer_key),
		      endpoints_max(config)) < 0)
		return err_set(err, -ENOMEM, "no memory for the rhythm of calls");
	*ret = table;
	return 0;
}

static void close_beacon(void *state)
{
	table_free(state);
}

static void gather(struct findings *findings, void *state, const struct detect_from *from,
		   const struct batch_burst *burst)
{
	struct called fresh = {.key = {.remote = burst->remote,
				       .owner = from->owner,
				       .port = burst->port,
				       .family = burst->family,
				       .protocol = burst->protocol,
				       .direction = burst->direction}};
	struct called *called;
	void *at;

	if (table_take(state, &fresh, &at) < 0)
		detect_fail(findings);
	called = at;
	if (!called)
		return;
	for (size_t i = 0; i < burst->n; i++)
		beat_add(&called->beat, burst->tenths[i]);
	evidence_add(&called->evidence, from->stream, from->sequence);
	called->source = from->source;
	called->has_changed = true;
}

static enum finding_severity severity_of(const struct peer *peer)
{
	switch ((enum flowrec_verdict)peer->verdict) {
	case FLOWREC_UNEXPECTED_EGRESS:
	case FLOWREC_UNEXPECTED_INBOUND: return FINDING_HIGH;
	case FLOWREC_EXPECTED:
	case FLOWREC_WATCHED: return FINDING_INFO;
	case FLOWREC_VERDICT_NONE: break;
	}
	return FINDING_MEDIUM;
}

static void judge(struct findings *findings, const struct called *called)
{
	const struct peer *known = detect_find_peer(findings, &called->key);
	struct peer unknown = {.key = called->key, .source = called->source};
	const struct peer *peer = known ? known : &unknown;
	struct beat_rhythm rhythm;
	struct finding finding;

	if (peer->is_own || addr_is_group(called->key.family, &called->key.remote) ||
	    !beat_is_regular(&called->beat, &rhythm))
		return;
	finding = detect_of_peer(peer, FINDING_BEACON, severity_of(peer));
	evidence_merge(&finding.evidence, &called->evidence);
	if (!known) {
		finding.first = called->beat.times[0] / 10;
		finding.last = called->beat.times[called->beat.n - 1] / 10;
	}
	finding.count = rhythm.calls;
	finding.values[0] = rhythm.period;
	finding.values[1] = rhythm.jitter;
	detect_raise(findings, &finding);
}

static void settle(struct findings *findings, void *state)
{
	for (size_t i = 0; i < table_count(state); i++) {
		struct called *called = table_at(state, i);

		if (!called->has_changed)
			continue;
		called->has_changed = false;
		judge(findings, called);
	}
}

static uint64_t left_out(const void *state)
{
	return table_left_out(state);
}

static size_t memory(const struct findings_config *config)
{
	return table_memory(sizeof(struct called), endpoints_max(config));
}

const struct detector detect_beacon = {
	.name = "beacon",
	.memory = memory,
	.open = open_beacon,
	.close = close_beacon,
	.burst = gather,
	.settle = settle,
	.left_out = left_out,
};
