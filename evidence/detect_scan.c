// SPDX-License-Identifier: Apache-2.0
/*
 * Many doors knocked on: one port of many addresses (sweep), many ports of one address (scan).
 *
 * What counts is a probe: an endpoint that was tried and to which no payload went. Of each group, a port or an
 * address, bits by hash tell whether it may have enough of them; only then its peers are counted. Of what peers begin only
 * scans are told: many addresses that come to one port are the usual noise.
 */
#include "evidence/detect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/limits.h"
#include "evidence/sketch.h"
#include "evidence/table.h"

enum { TCP = 6, UDP = 17, ICMP = 1, ICMPV6 = 58, WORDS = 4, GROUPS_PART = 4 };

/* Of as many probes as are asked for some bits may fall together. */
enum { BITS_ENOUGH = 4 };
_Static_assert((int)BITS_ENOUGH < (int)SCAN_PORTS && (int)BITS_ENOUGH < (int)SWEEP_ADDRESSES,
	       "room for that");

struct group_key {
	struct addr remote; /* of a scan; of a sweep 0 */
	uint32_t owner;
	uint16_t port; /* of a sweep; of a scan 0 */
	uint8_t family, protocol, direction;
	uint8_t kind;
	uint8_t zero[6];
};

struct group {
	struct group_key key;
	uint64_t seen[WORDS];
	uint64_t sum; /* index + 1 among the sums; 0: too few bits */
};

struct scan {
	struct table *groups;
	struct finding *sums; /* of groups that may be findings */
	size_t n, cap;
	bool has_changed; /* one of these groups did */
	bool failed;      /* no memory: said by what was left out */
};

static size_t groups_max(const struct findings_config *config)
{
	return config->max / GROUPS_PART + 1;
}

static int open_scan(void **ret, const struct findings_config *config, struct err *err)
{
	struct scan *scan = calloc(1, sizeof *scan);

	if (!scan || table_new(&scan->groups, sizeof(struct group), sizeof(struct group_key),
			       groups_max(config)) < 0) {
		free(scan);
		return err_set(err, -ENOMEM, "no memory for scans");
	}
	*ret = scan;
	return 0;
}

static void close_scan(void *state)
{
	struct scan *scan = state;

	table_free(scan->groups);
	free(scan->sums);
	free(scan);
}

/* More than the longest headers: a SYN may have 40 bytes of options. */
static bool carries(const struct peer *peer, uint64_t packets, uint64_t bytes)
{
	return bytes > packets * (peer->key.family == 6 ? 100 : 80);
}

static bool is_probe(const struct peer *peer)
{
	struct finding_traffic t = peer_traffic(peer);

	if (addr_is_group(peer->key.family, &peer->key.remote))
		return false;
	/* Later fragments have no ports. */
	if ((peer->key.protocol == TCP || peer->key.protocol == UDP) && peer->key.port == 0)
		return false;
	if (peer->key.protocol == ICMP || peer->key.protocol == ICMPV6)
		return peer->outcome != FLOWREC_OUTCOME_NONE;
	if (peer->key.protocol == TCP && carries(peer, t.packets_out, t.bytes_out))
		return false;
	switch ((enum flowrec_outcome)peer->outcome) {
	case FLOWREC_SENT:
	case FLOWREC_UNANSWERED:
	case FLOWREC_REFUSED: return true;
	case FLOWREC_ANSWERED: /* opened and left; a server that speaks first is no probe's aim */
		return peer->key.protocol == TCP && !carries(peer, t.packets_in, t.bytes_in);
	case FLOWREC_OUTCOME_NONE:
	case FLOWREC_DATA_OUT: break;
	}
	return false;
}

static struct group_key key_of(const struct peer *peer, enum finding_kind kind)
{
	struct group_key key = {.owner = peer->key.owner,
				.family = peer->key.family,
				.protocol = peer->key.protocol,
				.direction = peer->key.direction,
				.kind = (uint8_t)kind};

	if (kind == FINDING_SCAN)
		key.remote = peer->key.remote;
	else
		key.port = peer->key.port;
	return key;
}

/* A place among the sums. */
static void stand(struct scan *scan, struct group *group)
{
	if (scan->n == scan->cap) {
		size_t cap = scan->cap ? 2 * scan->cap : 16;
		struct finding *more = reallocarray(scan->sums, cap, sizeof *more);

		if (!more) {
			scan->failed = true;
			return;
		}
		scan->sums = more;
		scan->cap = cap;
	}
	group->sum = ++scan->n;
}

static void note(struct findings *findings, struct scan *scan, const struct peer *peer,
		 enum finding_kind kind)
{
	struct group fresh = {.key = key_of(peer, kind)}, *group;
	struct addr what = peer->key.remote;
	void *at;

	if (table_take(scan->groups, &fresh, &at) < 0)
		scan->failed = true;
	if (scan->failed || !at)
		return;
	group = at;
	if (kind == FINDING_SCAN) /* what differs within the group */
		what = (struct addr){{(uint8_t)(peer->key.port >> 8), (uint8_t)peer->key.port}};
	sketch_set(group->seen, WORDS, detect_hash(findings, what.b, sizeof what.b));
	if (!group->sum && sketch_count(group->seen, WORDS) >= BITS_ENOUGH)
		stand(scan, group);
	scan->has_changed = scan->has_changed || group->sum;
}

static void gather(struct findings *findings, void *state, const struct peer *peer)
{
	if (!is_probe(peer))
		return;
	if (peer->key.direction != FLOWREC_INGRESS)
		note(findings, state, peer, FINDING_SWEEP);
	if (peer->key.port)
		note(findings, state, peer, FINDING_SCAN);
}

/* ---- what the peers of a group tell together ---- */

static void begin(struct finding *sum, const struct group *group)
{
	*sum = (struct finding){
		.key = {.remote = group->key.remote,
			.owner = group->key.owner,
			.port = group->key.port,
			.family = group->key.family,
			.protocol = group->key.protocol,
			.kind = group->key.kind,
			.direction = group->key.direction},
		.first = UINT64_MAX,
	};
}

static void add_peer(struct finding *sum, const struct peer *peer)
{
	struct finding one = detect_of_peer(peer, (enum finding_kind)sum->key.kind, FINDING_HIGH);

	detect_merge(sum, &one);
	sum->values[0] += peer->outcome >= FLOWREC_ANSWERED;
	sum->values[1] += peer->outcome == FLOWREC_REFUSED;
	sum->count++;
}

static void add_to(struct scan *scan, const struct peer *peer, enum finding_kind kind)
{
	struct group key = {.key = key_of(peer, kind)};
	const struct group *group = table_find(scan->groups, &key);

	if (group && group->sum)
		add_peer(&scan->sums[group->sum - 1], peer);
}

/* Connections that are opened and not used are no rarity of browsers: where most doors open it takes more. */
static bool is_enough(const struct finding *sum)
{
	uint64_t least = sum->key.kind == FINDING_SWEEP ? SWEEP_ADDRESSES : SCAN_PORTS;

	return sum->count >= least &&
	       (sum->values[0] * 3 <= sum->count * 2 || sum->count >= SCAN_OPEN);
}

/* Made anew from all peers: findings of this kind are rare, and no sums must be kept right meanwhile. */
static void settle(struct findings *findings, void *state)
{
	struct scan *scan = state;

	if (!scan->has_changed)
		return;
	scan->has_changed = false;
	for (size_t i = 0; i < table_count(scan->groups); i++) {
		const struct group *group = table_at(scan->groups, i);

		if (group->sum)
			begin(&scan->sums[group->sum - 1], group);
	}
	for (size_t i = 0; i < detect_peer_count(findings); i++) {
		const struct peer *peer = detect_peer_at(findings, i);

		if (!is_probe(peer))
			continue;
		add_to(scan, peer, FINDING_SWEEP);
		add_to(scan, peer, FINDING_SCAN);
	}
	for (size_t i = 0; i < scan->n; i++) {
		struct finding *sum = &scan->sums[i];

		if (!is_enough(sum))
			continue;
		sum->severity = sum->verdict == FLOWREC_EXPECTED        ? FINDING_INFO
				: sum->key.direction == FLOWREC_INGRESS ? FINDING_LOW
									: FINDING_HIGH;
		sum->reached =
			sum->outcome >= FLOWREC_ANSWERED ? FINDING_ANSWERED : FINDING_ATTEMPTED;
		detect_raise(findings, sum);
	}
}

static uint64_t left_out(const void *state)
{
	const struct scan *scan = state;

	return table_left_out(scan->groups) + scan->failed;
}

/* Its sums are those of groups that may be findings: no more than there are groups. */
static size_t memory(const struct findings_config *config)
{
	return sizeof(struct scan) + table_memory(sizeof(struct group), groups_max(config)) +
	       groups_max(config) * sizeof(struct finding);
}

const struct detector detect_scan = {
	.name = "scan",
	.memory = memory,
	.open = open_scan,
	.close = close_scan,
	.peer = gather,
	.settle = settle,
	.left_out = left_out,
};
