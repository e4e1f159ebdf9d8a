// SPDX-License-Identifier: Apache-2.0
/*
 * Digests are kept as they come; sorting brings those of one endpoint together, in the order of the
 * ledger, and one pass adds them up. When the list is full the digests that later ones include go first, so it grows
 * with the endpoints and not with the time.
 */
#include "evidence/endpoints.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NO_RULE = UINT32_MAX, ROWS = 4096 };

struct row {
	struct endpoint_digest digest;
	uint32_t sensor, stream, rule; /* indices of names */
	uint32_t order;
	bool is_replay;
	bool is_final; /* the one that came next does not include it */
};

/* Texts and stream ids, each once. */
struct names {
	char **list;
	size_t n, cap, last;
};

struct endpoints {
	struct row *rows;
	size_t n, cap;
	uint32_t added;
	struct names sensors, streams, rules;
	uint64_t left_out;
	struct endpoint_sum *sums;
	size_t n_sums;
	bool is_summed; /* nothing came since */
};

int endpoints_new(struct endpoints **ret)
{
	*ret = calloc(1, sizeof **ret);
	return *ret ? 0 : -ENOMEM;
}

static void free_names(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->list[i]);
	free(names->list);
}

void endpoints_free(struct endpoints *e)
{
	if (!e)
		return;
	free_names(&e->sensors);
	free_names(&e->streams);
	free_names(&e->rules);
	free(e->sums);
	free(e->rows);
	free(e);
}

/* The index of these bytes; they mostly are those asked for last. */
static int name_of(struct names *names, const void *bytes, size_t len, uint32_t *ret)
{
	for (size_t k = 0; k < names->n; k++) {
		size_t i = (names->last + k) % names->n;

		if (memcmp(names->list[i], bytes, len) == 0) {
			*ret = (uint32_t)(names->last = i);
			return 0;
		}
	}
	if (names->n == names->cap) {
		size_t cap = names->cap ? 2 * names->cap : 16;
		char **more = reallocarray(names->list, cap, sizeof *more);

		if (!more)
			return -ENOMEM;
		names->list = more;
		names->cap = cap;
	}
	names->list[names->n] = malloc(len);
	if (!names->list[names->n])
		return -ENOMEM;
	memcpy(names->list[names->n], bytes, len);
	*ret = (uint32_t)(names->last = names->n++);
	return 0;
}

static int text_of(struct names *names, const char *text, uint32_t *ret)
{
	/* Compared over the longer one's length would read beyond the shorter: same size for all. */
	char padded[FLOWREC_ID_MAX + 1] = {0};

	strncpy(padded, text, sizeof padded - 1);
	return name_of(names, padded, sizeof padded, ret);
}

uint64_t endpoints_left_out(const struct endpoints *e)
{
	return e->left_out;
}

/* ---- adding up ---- */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_keys(const struct row *a, const struct row *b)
{
	int order = compare_numbers(a->sensor, b->sensor);

	if (order == 0)
		order = compare_numbers(a->is_replay, b->is_replay);
	if (order == 0) /* egress is the highest, and comes first */
		order = compare_numbers(b->digest.direction, a->digest.direction);
	if (order == 0)
		order = compare_numbers(a->digest.family, b->digest.family);
	if (order == 0)
		order = memcmp(&a->digest.remote, &b->digest.remote, sizeof a->digest.remote);
	if (order == 0)
		order = compare_numbers(a->digest.port, b->digest.port);
	return order ? order : compare_numbers(a->digest.protocol, b->digest.protocol);
}

static int compare_rows(const void *one, const void *two)
{
	const struct row *a = one, *b = two;
	int order = compare_keys(a, b);

	if (order == 0)
		order = compare_numbers(a->stream, b->stream);
	return order ? order : compare_numbers(a->order, b->order);
}

/* Is `a` part of what `b`, which comes next, counts? */
static bool is_included(const struct row *a, const struct row *b)
{
	const struct endpoint_digest *x = &a->digest, *y = &b->digest;

	return !a->is_final && compare_keys(a, b) == 0 && a->stream == b->stream && !x->gave_way &&
	       x->packets_out <= y->packets_out && x->packets_in <= y->packets_in &&
	       x->flows <= y->flows;
}

/* Drops what later digests include. */
static void compact(struct endpoints *e)
{
	size_t n = 0;

	qsort(e->rows, e->n, sizeof *e->rows, compare_rows);
	for (size_t i = 0; i < e->n; i++) {
		struct row *row = &e->rows[i];
		bool is_last = i + 1 == e->n || compare_keys(row, row + 1) != 0 ||
			       row->stream != row[1].stream;

		if (!is_last && is_included(row, row + 1))
			continue;
		row->is_final = row->is_final || !is_last;
		e->rows[n++] = *row;
	}
	e->n = n;
}

static int make_room(struct endpoints *e)
{
	size_t cap = e->cap ? 2 * e->cap : ROWS;
	struct row *more;

	if (e->n < e->cap)
		return 0;
	if (e->n > 0)
		compact(e);
	if (e->n < e->cap / 2 || e->cap == ENDPOINTS_MAX)
		return 0;
	cap = cap < ENDPOINTS_MAX ? cap : ENDPOINTS_MAX;
	more = reallocarray(e->rows, cap, sizeof *more);
	if (!more)
		return -ENOMEM;
	e->rows = more;
	e->cap = cap;
	return 0;
}

int endpoints_add(struct endpoints *e, const struct endpoints_source *source,
		  const struct endpoint_digest *digest)
{
	struct row row = {.digest = *digest,
			  .rule = NO_RULE,
			  .order = e->added,
			  .is_replay = source->is_replay};
	int rc;

	rc = text_of(&e->sensors, source->sensor, &row.sensor);
	if (rc == 0)
		rc = name_of(&e->streams, source->stream, WIRE_STREAM_ID, &row.stream);
	if (rc == 0 && source->rule)
		rc = text_of(&e->rules, source->rule, &row.rule);
	if (rc < 0)
		return rc;
	rc = make_room(e);
	if (rc < 0)
		return rc;
	if (e->n == e->cap) {
		e->left_out++;
		return 0;
	}
	e->added++;
	e->is_summed = false;
	e->rows[e->n++] = row;
	return 0;
}

static void add_up(struct endpoint_sum *sum, const struct endpoints *e, const struct row *row)
{
	struct endpoint_digest *to = &sum->digest;
	const struct endpoint_digest *from = &row->digest;

	if (from->verdict >= to->verdict) {
		to->verdict = from->verdict;
		to->rule = from->rule;
		sum->rule = row->rule == NO_RULE ? NULL : e->rules.list[row->rule];
	}
	if (from->outcome > to->outcome)
		to->outcome = from->outcome;
	if (from->first < to->first)
		to->first = from->first;
	if (from->last > to->last)
		to->last = from->last;
	to->packets_out += from->packets_out;
	to->bytes_out += from->bytes_out;
	to->packets_in += from->packets_in;
	to->bytes_in += from->bytes_in;
	to->flows += from->flows;
	to->gave_way = from->gave_way;
}

static int compare_sums(const void *one, const void *two)
{
	const struct endpoint_sum *a = one, *b = two;
	int order = strcmp(a->sensor, b->sensor);

	if (order == 0)
		order = compare_numbers(a->is_replay, b->is_replay);
	if (order == 0)
		order = compare_numbers(b->digest.direction, a->digest.direction);
	if (order == 0)
		order = compare_numbers(a->digest.first, b->digest.first);
	if (order == 0)
		order = memcmp(&a->digest.remote, &b->digest.remote, sizeof a->digest.remote);
	if (order == 0)
		order = compare_numbers(a->digest.port, b->digest.port);
	return order ? order : compare_numbers(a->digest.protocol, b->digest.protocol);
}

const struct endpoint_sum *endpoints_sum(struct endpoints *e, size_t *ret_n)
{
	struct endpoint_sum *sums;
	size_t n = 0;

	*ret_n = e->n_sums;
	if (e->is_summed)
		return e->sums;
	sums = calloc(e->n + 1, sizeof *sums);
	if (!sums)
		return NULL;
	if (e->n > 0)
		qsort(e->rows, e->n, sizeof *e->rows, compare_rows);
	for (size_t i = 0; i < e->n; i++) {
		const struct row *row = &e->rows[i];

		if (i == 0 || compare_keys(row - 1, row) != 0) {
			sums[n] = (struct endpoint_sum){.sensor = e->sensors.list[row->sensor],
							.is_replay = row->is_replay,
							.digest = row->digest};
			sums[n].digest.packets_out = sums[n].digest.bytes_out = 0;
			sums[n].digest.packets_in = sums[n].digest.bytes_in = 0;
			sums[n].digest.flows = 0;
			n++;
		}
		if (i + 1 == e->n || !is_included(row, row + 1))
			add_up(&sums[n - 1], e, row);
	}
	if (n > 0)
		qsort(sums, n, sizeof *sums, compare_sums);
	free(e->sums);
	e->sums = sums;
	e->is_summed = true;
	*ret_n = e->n_sums = n;
	return sums;
}
