// SPDX-License-Identifier: Apache-2.0
/*
 * alert: a set-associative table with a keyed hash; in a full set the oldest endpoint gives way.
 */
#include "sensor/alert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/hash.h"

struct told {
	struct addr remote;
	uint64_t sec; /* when; 0 with family 0: empty */
	uint16_t port;
	uint8_t family, protocol;
};

struct alert_table {
	struct told *told;
	size_t set_mask;
	uint64_t key[2];
	uint64_t second; /* of the rate limit */
	unsigned in_second;
	uint64_t suppressed;
};

static size_t rounded(size_t slots)
{
	size_t n = ALERT_WAYS;

	while (n < slots)
		n *= 2;
	return n;
}

size_t alert_memory(size_t slots)
{
	return sizeof(struct alert_table) + rounded(slots) * sizeof(struct told);
}

int alert_table_new(struct alert_table **ret, size_t slots, const uint64_t key[static 2])
{
	struct alert_table *t = calloc(1, sizeof *t);
	size_t n = rounded(slots);

	if (!t)
		return -ENOMEM;
	t->set_mask = n / ALERT_WAYS - 1;
	memcpy(t->key, key, sizeof t->key);
	t->told = calloc(n, sizeof *t->told);
	if (!t->told) {
		alert_table_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void alert_table_free(struct alert_table *t)
{
	if (!t)
		return;
	free(t->told);
	free(t);
}

bool alert_due(struct alert_table *t, uint8_t family, const struct addr *remote, uint16_t port,
	       uint8_t protocol, uint64_t sec, uint64_t *ret_suppressed)
{
	uint64_t words[3] = {0, 0, (uint64_t)port << 16 | (uint64_t)protocol << 8 | family};
	struct told *set, *oldest;

	memcpy(words, remote->b, sizeof remote->b);
	set = t->told + (hash_sip13(t->key, words, 3) & t->set_mask) * ALERT_WAYS;
	for (struct told *e = set; e < set + ALERT_WAYS; e++)
		if (e->port == port && e->family == family && e->protocol == protocol &&
		    memcmp(e->remote.b, remote->b, sizeof remote->b) == 0)
			return false;
	if (sec != t->second) {
		t->second = sec;
		t->in_second = 0;
	}
	if (t->in_second >= ALERT_PER_SECOND) {
		t->suppressed++;
		return false;
	}
	t->in_second++;
	oldest = set;
	for (struct told *e = set; e < set + ALERT_WAYS; e++)
		if (e->sec < oldest->sec)
			oldest = e;
	*oldest = (struct told){.remote = *remote,
				.sec = sec,
				.port = port,
				.family = family,
				.protocol = protocol};
	*ret_suppressed = t->suppressed;
	t->suppressed = 0;
	return true;
}
