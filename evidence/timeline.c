// SPDX-License-Identifier: Apache-2.0
/*
 * timeline: stretches sorted and made one where they touch; a byte a minute for traffic.
 */
#include "evidence/timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MINUTE = 60 };

void timeline_fini(struct timeline *t)
{
	free(t->watched.list);
	free(t->holes.list);
	free(t->skipped.list);
	free(t->marks);
	*t = (struct timeline){0};
}

/* ---- sets of stretches ---- */

static int set_add(struct timeline_set *set, uint64_t from, uint64_t to)
{
	if (from >= to)
		return 0;
	/* They mostly come in order, and go on where the last one ended. */
	if (set->n > 0 && from >= set->list[set->n - 1].from && from <= set->list[set->n - 1].to) {
		if (to > set->list[set->n - 1].to)
			set->list[set->n - 1].to = to;
		return 0;
	}
	if (set->n == set->cap) {
		size_t cap = set->cap ? 2 * set->cap : 16;
		struct timeline_stretch *more = reallocarray(set->list, cap, sizeof *more);

		if (!more)
			return -ENOMEM;
		set->list = more;
		set->cap = cap;
	}
	set->list[set->n++] = (struct timeline_stretch){from, to};
	return 0;
}

static int compare(const void *one, const void *two)
{
	const struct timeline_stretch *a = one, *b = two;

	return (a->from > b->from) - (a->from < b->from);
}

static void set_settle(struct timeline_set *set)
{
	size_t n = 0;

	if (set->n == 0)
		return;
	qsort(set->list, set->n, sizeof *set->list, compare);
	for (size_t i = 1; i < set->n; i++) {
		if (set->list[i].from > set->list[n].to)
			set->list[++n] = set->list[i];
		else if (set->list[i].to > set->list[n].to)
			set->list[n].to = set->list[i].to;
	}
	set->n = n + 1;
}

/* `set` without what is in `holes`; both settled. */
static int set_subtract(struct timeline_set *set, const struct timeline_set *holes)
{
	struct timeline_set left = {0};
	size_t h = 0;

	for (size_t i = 0; i < set->n; i++) {
		uint64_t from = set->list[i].from, to = set->list[i].to;

		while (h < holes->n && holes->list[h].to <= from)
			h++;
		for (size_t k = h; k < holes->n && holes->list[k].from < to; k++) {
			if (set_add(&left, from,
				    holes->list[k].from < from ? from : holes->list[k].from) < 0)
				goto fail;
			from = holes->list[k].to;
		}
		if (set_add(&left, from, to) < 0)
			goto fail;
	}
	free(set->list);
	*set = left;
	return 0;
fail:
	free(left.list);
	return -ENOMEM;
}

int timeline_watch(struct timeline *t, uint64_t from, uint64_t to)
{
	return set_add(&t->watched, from, to);
}

int timeline_hole(struct timeline *t, uint64_t from, uint64_t to)
{
	return set_add(&t->holes, from, to);
}

int timeline_settle(struct timeline *t)
{
	set_settle(&t->watched);
	set_settle(&t->holes);
	set_settle(&t->skipped);
	return set_subtract(&t->watched, &t->holes);
}

bool timeline_bounds(const struct timeline *t, uint64_t *ret_from, uint64_t *ret_to)
{
	if (t->watched.n == 0)
		return false;
	*ret_from = t->watched.list[0].from;
	*ret_to = t->watched.list[t->watched.n - 1].to;
	return true;
}

static void missing(uint64_t from, uint64_t to, uint64_t *sum, uint64_t *ret_first,
		    uint64_t *ret_last)
{
	if (from >= to)
		return;
	if (*sum == 0)
		*ret_first = from;
	*ret_last = to;
	*sum += to - from;
}

/* The first stretch that ends behind `at`. */
static size_t find(const struct timeline_set *set, uint64_t at)
{
	size_t low = 0, high = set->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->list[middle].to <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t timeline_unwatched(const struct timeline *t, uint64_t from, uint64_t to,
			    uint64_t *ret_first, uint64_t *ret_last)
{
	uint64_t sum = 0, at = from;

	*ret_first = *ret_last = 0;
	for (size_t i = find(&t->watched, from); i < t->watched.n && at < to; i++) {
		const struct timeline_stretch *s = &t->watched.list[i];

		missing(at, s->from < to ? s->from : to, &sum, ret_first, ret_last);
		at = s->to;
	}
	missing(at, to, &sum, ret_first, ret_last);
	return sum;
}

uint64_t timeline_minutes(uint64_t from, uint64_t to)
{
	uint64_t n = from < to ? (to - from / MINUTE * MINUTE + MINUTE - 1) / MINUTE : 0;

	return n <= TIMELINE_MINUTES_MAX ? n : 0;
}

/* ---- minutes ---- */

/* Room for the minutes from `first` to `last`; *ret_fits: false if they lie too far away. */
static int make_room(struct timeline *t, uint64_t first, uint64_t last, bool *ret_fits)
{
	uint64_t begin = t->n && t->first < first ? t->first : first;
	uint64_t end = t->n && t->first + t->n - 1 > last ? t->first + t->n - 1 : last;
	size_t need, shift;

	*ret_fits = end - begin < TIMELINE_MINUTES_MAX;
	if (!*ret_fits)
		return 0;
	need = (size_t)(end - begin + 1);
	shift = t->n ? (size_t)(t->first - begin) : 0;
	if (need > t->cap) {
		size_t cap = need < 1440 ? 1440 : need + need / 2;
		uint8_t *more = realloc(t->marks, cap);

		if (!more)
			return -ENOMEM;
		t->marks = more;
		t->cap = cap;
	}
	if (shift > 0) {
		memmove(t->marks + shift, t->marks, t->n);
		memset(t->marks, 0, shift);
	}
	memset(t->marks + shift + t->n, 0, need - shift - t->n);
	t->first = begin;
	t->n = need;
	return 0;
}

int timeline_skip(struct timeline *t, uint64_t from, uint64_t to)
{
	return set_add(&t->skipped, from, to > from ? to : from + 1);
}

int timeline_traffic(struct timeline *t, uint64_t from, uint64_t to)
{
	uint64_t first = from / MINUTE, last = (to > from ? to - 1 : from) / MINUTE;
	bool fits = true;

	if (t->n == 0 || first < t->first || last >= t->first + t->n) {
		int rc = make_room(t, first, last, &fits);

		if (rc < 0)
			return rc;
	}
	if (!fits) {
		t->left_out++;
		return 0;
	}
	t->marks[first - t->first] = t->marks[last - t->first] = 1;
	for (uint64_t m = first; last - first <= TIMELINE_LONG && m <= last; m++)
		t->marks[m - t->first] = 1;
	return 0;
}

enum timeline_minute timeline_at(const struct timeline *t, uint64_t minute_s, uint64_t from,
				 uint64_t to)
{
	uint64_t begin = minute_s > from ? minute_s : from;
	uint64_t end = minute_s + MINUTE < to ? minute_s + MINUTE : to;
	uint64_t minute = minute_s / MINUTE, unused[2];
	size_t skipped = find(&t->skipped, minute_s);

	if (begin >= end)
		return TIMELINE_OUTSIDE;
	if (timeline_unwatched(t, begin, end, &unused[0], &unused[1]) > 0)
		return TIMELINE_GAP;
	if (skipped < t->skipped.n && t->skipped.list[skipped].from < minute_s + MINUTE)
		return TIMELINE_SKIPPED;
	return minute >= t->first && minute < t->first + t->n && t->marks[minute - t->first]
		       ? TIMELINE_OK
		       : TIMELINE_NODATA;
}
