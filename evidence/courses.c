// SPDX-License-Identifier: Apache-2.0
/*
 * Courses: a sorted list that each record is looked up in.
 */
#include "evidence/courses.h"

#include <stdlib.h>
#include <string.h>

#include "evidence/replay.h"

enum { MARKS = 8192 };

struct walk {
	struct course *courses;
	size_t n;
	uint64_t from_s, to_s;
	uint8_t marks[MARKS / 8]; /* of addresses that are followed: most records are of others */
};

/* The mark of an address: any number below MARKS will do. */
static unsigned mark_of(const struct addr *addr)
{
	uint64_t words[2];

	memcpy(words, addr, sizeof words);
	return (unsigned)((words[0] ^ words[1]) * 0x9e3779b97f4a7c15ULL >> 51);
}

static int compare(const void *one, const void *two)
{
	const struct course *a = one, *b = two;
	int order = memcmp(&a->key.remote, &b->key.remote, sizeof a->key.remote);

	if (order == 0)
		order = a->key.family - b->key.family;
	if (order == 0)
		order = a->key.port - b->key.port;
	if (order == 0)
		order = a->key.protocol - b->key.protocol;
	if (order == 0)
		order = a->key.direction - b->key.direction;
	return order ? order : strcmp(a->sensor, b->sensor);
}

const struct course *courses_find(const struct course *courses, size_t n, const char *sensor,
				  const struct peer_key *key)
{
	struct course wanted = {.key = *key};

	strncpy(wanted.sensor, sensor, sizeof wanted.sensor - 1);
	return n > 0 ? bsearch(&wanted, courses, n, sizeof *courses, compare) : NULL;
}

static void add_record(struct walk *w, const char *sensor, const struct flowrec *rec)
{
	struct peer_key key = {.port = 0};
	const struct course *found;
	bool out;

	if (rec->status != FLOWREC_OK || rec->start < w->from_s || rec->start >= w->to_s)
		return;
	peer_key_of_record(&key, rec, &out);
	if (!(w->marks[mark_of(&key.remote) / 8] >> mark_of(&key.remote) % 8 & 1))
		return;
	found = courses_find(w->courses, w->n, sensor, &key);
	if (found)
		w->courses[found - w->courses]
			.bytes[(rec->start - w->from_s) * COURSE_STEPS / (w->to_s - w->from_s)] +=
			rec->bytes;
}

static int add_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		     struct batch *batch)
{
	struct flowrec rec;

	if (!hello || hello->is_replay)
		return 0;
	while (batch_next(batch, &rec))
		add_record(ctx, entry->sensor, &rec);
	return 0;
}

int courses_run(struct course *courses, size_t n, const char *store, const char *sensor,
		uint64_t from_s, uint64_t to_s, struct err *err)
{
	static const struct replay_ops ops = {.batch = add_batch};
	struct walk walk = {.courses = courses, .n = n, .from_s = from_s, .to_s = to_s};

	if (n == 0 || from_s >= to_s)
		return 0;
	qsort(courses, n, sizeof *courses, compare);
	for (size_t i = 0; i < n; i++)
		walk.marks[mark_of(&courses[i].key.remote) / 8] |=
			(uint8_t)(1U << mark_of(&courses[i].key.remote) % 8);
	return replay_run(store, sensor, NULL, &ops, &walk, err);
}
