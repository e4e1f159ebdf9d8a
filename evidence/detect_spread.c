// SPDX-License-Identifier: Apache-2.0
/*
 * What is spread over many endpoints so that none of them shows it: volume by little to each, regular calls each time
 * to another address. Of unexpected egress to one port the peers are taken together.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/beat.h"
#include "evidence/detect.h"
#include "evidence/limits.h"
#include "evidence/table.h"

enum { GROUPS_PART = 64 };

struct group_key {
	uint32_t owner;
	uint16_t port;
	uint8_t family, protocol;
};

/* Made anew from all peers when one of them changed. */
struct group {
	struct group_key key;
	uint64_t turn; /* when it was made */
	struct finding sum;
	struct beat firsts; /* first packets to each address that answered */
	uint64_t most;      /* bytes out to one of them */
};

struct spread {
	struct table *groups;
	uint64_t turn;
	bool has_changed;
};

static int open_spread(void **ret, const struct findings_config *config, struct err *err)
{
	struct spread *spread = calloc(1, sizeof *spread);

	if (!spread || table_new(&spread->groups, sizeof(struct group), sizeof(struct group_key),
				 config->max / GROUPS_PART + 1) < 0) {
		free(spread);
		return err_set(err, -ENOMEM, "no memory for groups of endpoints");
	}
	*ret = spread;
	return 0;
}

static void close_spread(void *state)
{
	struct spread *spread = state;

	table_free(spread->groups);
	free(spread);
}

static bool counts(const struct peer *peer)
{
	return peer->verdict == FLOWREC_UNEXPECTED_EGRESS && peer->key.port &&
	       !addr_is_group(peer->key.family, &peer->key.remote);
}

static void gather(struct findings *findings, void *state, const struct peer *peer)
{
	struct spread *spread = state;

	(void)findings;
	spread->has_changed = spread->has_changed || counts(peer);
}

static void add_peer(struct findings *findings, struct spread *spread, const struct peer *peer)
{
	struct group fresh = {.key = {.owner = peer->key.owner,
				      .port = peer->key.port,
				      .family = peer->key.family,
				      .protocol = peer->key.protocol}};
	struct finding one = detect_of_peer(peer, FINDING_VOLUME, FINDING_HIGH);
	struct group *group;
	void *at;

	if (table_take(spread->groups, &fresh, &at) < 0)
		detect_fail(findings);
	group = at;
	if (!group)
		return;
	if (group->turn != spread->turn) {
		*group = fresh;
		group->turn = spread->turn;
		group->sum = one;
		group->sum.count = 0;
		memset(&group->sum.key.remote, 0, sizeof group->sum.key.remote);
	} else {
		detect_merge(&group->sum, &one);
	}
	group->sum.count++;
	if (one.traffic.bytes_out > group->most)
		group->most = one.traffic.bytes_out;
	if (peer->outcome >= FLOWREC_ANSWERED) /* else it is a sweep */
		beat_add(&group->firsts, peer->first * 10);
}

static void judge(struct findings *findings, const struct group *group)
{
	struct finding finding = group->sum;
	struct beat_rhythm rhythm;

	finding.values[2] = finding.count; /* addresses */
	if (finding.traffic.bytes_out >= VOLUME_BYTES && group->most < VOLUME_BYTES &&
	    finding.traffic.bytes_out > finding.traffic.bytes_in) {
		finding.count = finding.traffic.bytes_out;
		detect_raise(findings, &finding);
	}
	if (!beat_is_regular(&group->firsts, &rhythm))
		return;
	finding.key.kind = FINDING_BEACON;
	finding.count = rhythm.calls;
	finding.values[0] = rhythm.period;
	finding.values[1] = rhythm.jitter;
	detect_raise(findings, &finding);
}

static void settle(struct findings *findings, void *state)
{
	struct spread *spread = state;

	if (!spread->has_changed)
		return;
	spread->has_changed = false;
	spread->turn++;
	for (size_t i = 0; i < detect_peer_count(findings); i++) {
		const struct peer *peer = detect_peer_at(findings, i);

		if (counts(peer))
			add_peer(findings, spread, peer);
	}
	for (size_t i = 0; i < table_count(spread->groups); i++) {
		const struct group *group = table_at(spread->groups, i);

		if (group->turn == spread->turn)
			judge(findings, group);
	}
}

static uint64_t left_out(const void *state)
{
	return table_left_out(((const struct spread *)state)->groups);
}

static size_t memory(const struct findings_config *config)
{
	return sizeof(struct spread) +
	       table_memory(sizeof(struct group), config->max / GROUPS_PART + 1);
}

const struct detector detect_spread = {
	.name = "spread",
	.memory = memory,
	.open = open_spread,
	.close = close_spread,
	.peer = gather,
	.settle = settle,
	.left_out = left_out,
};
