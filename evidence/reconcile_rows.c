// SPDX-License-Identifier: Apache-2.0
/*
 * Rows in buckets: see reconcile_rows.h.
 */
#include "evidence/reconcile_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/file.h"
#include "platform/hash.h"

enum { ROWS_FIRST = 64 };

struct bucket {
	struct row *v;
	size_t n, cap;
	uint64_t spilled; /* rows in the file */
	int fd;           /* -1: none */
	bool is_sorted;
};

struct rows {
	struct bucket buckets[ROWS_BUCKETS];
	uint64_t memory, held, count, spilled;
	const char *folder;
	struct row *loaded; /* of a bucket that has a file */
};

int rows_new(struct rows **ret, uint64_t memory, const char *folder)
{
	struct rows *rows = calloc(1, sizeof *rows);
	const char *tmp = getenv("TMPDIR");

	if (!rows)
		return -ENOMEM;
	rows->memory = memory;
	rows->folder = folder ? folder : tmp && *tmp ? tmp : "/tmp";
	for (size_t i = 0; i < ROWS_BUCKETS; i++)
		rows->buckets[i].fd = -1;
	*ret = rows;
	return 0;
}

void rows_free(struct rows *rows)
{
	if (!rows)
		return;
	for (size_t i = 0; i < ROWS_BUCKETS; i++) {
		free(rows->buckets[i].v);
		if (rows->buckets[i].fd >= 0)
			(void)close(rows->buckets[i].fd);
	}
	free(rows->loaded);
	free(rows);
}

uint64_t rows_count(const struct rows *rows)
{
	return rows->count;
}

uint64_t rows_spilled(const struct rows *rows)
{
	return rows->spilled;
}

/* Of the flow, without interface: which belongs to which is known at the end only. The buckets' sizes may be
 * chosen by whoever chooses ports; that costs him nothing and us memory, so the key need not be secret. */
static uint64_t hash_of(const struct row *row)
{
	static const uint64_t key[2] = {0x666c6f7770726f6f, 0x7265636f6e63696c};
	uint64_t words[5];

	memcpy(words, &row->src, 16);
	memcpy(words + 2, &row->dst, 16);
	words[4] = (uint64_t)row->srcport << 32 | (uint64_t)row->dstport << 8 | row->protocol;
	return hash_sip13(key, words, 5);
}

static int spill(struct rows *rows, struct bucket *bucket, struct err *err)
{
	int rc;

	if (bucket->fd < 0)
		bucket->fd = open(rows->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (bucket->fd < 0)
		return err_errno(
			err, "%s: no file for rows beyond the memory allowed (--memory, TMPDIR)",
			rows->folder);
	rc = file_write(bucket->fd, bucket->v, bucket->n * sizeof bucket->v[0]);
	if (rc < 0) {
		errno = -rc;
		return err_errno(err, "%s: rows beyond the memory allowed cannot be written",
				 rows->folder);
	}
	bucket->spilled += bucket->n;
	rows->spilled += bucket->n;
	rows->held -= bucket->cap * sizeof bucket->v[0];
	free(bucket->v);
	bucket->v = NULL;
	bucket->n = bucket->cap = 0;
	return 0;
}

/* All of them: each then grows anew, and files are written in large pieces. */
static int spill_all(struct rows *rows, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < ROWS_BUCKETS && rc == 0; i++) {
		if (rows->buckets[i].n > 0)
			rc = spill(rows, &rows->buckets[i], err);
	}
	return rc;
}

int rows_add(struct rows *rows, const struct row *row, struct err *err)
{
	uint64_t hash = hash_of(row);
	struct bucket *bucket = &rows->buckets[hash % ROWS_BUCKETS];

	if (bucket->n == bucket->cap) {
		size_t cap = bucket->cap ? bucket->cap + bucket->cap / 2 : ROWS_FIRST;
		struct row *v;
		int rc;

		if (rows->held + (cap - bucket->cap) * sizeof *v > rows->memory && rows->held > 0) {
			rc = spill_all(rows, err);
			if (rc < 0)
				return rc;
			cap = ROWS_FIRST;
		}
		v = realloc(bucket->v, cap * sizeof *v);
		if (!v)
			return err_set(err, -ENOMEM, "no memory for rows: give less with --memory");
		rows->held += (cap - bucket->cap) * sizeof *v;
		bucket->v = v;
		bucket->cap = cap;
	}
	bucket->v[bucket->n] = *row;
	bucket->v[bucket->n++].hash = (uint32_t)(hash >> 32);
	bucket->is_sorted = false;
	rows->count++;
	return 0;
}

static int compare_flow(const struct row *a, const struct row *b)
{
	int d = (a->hash > b->hash) - (a->hash < b->hash);

	if (d == 0)
		d = memcmp(&a->src, &b->src, 2 * sizeof a->src);
	if (d == 0)
		d = (a->srcport > b->srcport) - (a->srcport < b->srcport);
	if (d == 0)
		d = (a->dstport > b->dstport) - (a->dstport < b->dstport);
	if (d == 0)
		d = a->protocol - b->protocol;
	if (d == 0)
		d = a->family - b->family;
	return d ? d : a->iface - b->iface;
}

bool rows_same_flow(const struct row *a, const struct row *b)
{
	return compare_flow(a, b) == 0;
}

static int compare(const void *p, const void *q)
{
	const struct row *a = p, *b = q;
	int d = compare_flow(a, b);

	if (d == 0)
		d = (a->flags & ROW_WITNESS) - (b->flags & ROW_WITNESS);
	if (d == 0)
		d = (a->start > b->start) - (a->start < b->start);
	if (d == 0)
		d = (a->end > b->end) - (a->end < b->end);
	if (d == 0)
		d = (a->packets > b->packets) - (a->packets < b->packets);
	if (d == 0)
		d = (a->bytes > b->bytes) - (a->bytes < b->bytes);
	if (d == 0)
		d = a->flags - b->flags;
	return d ? d : a->log - b->log;
}

static size_t keep_wanted(struct row *v, size_t n, rows_keep_fn *keep, void *ctx)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		if (keep(ctx, &v[i])) {
			if (out != i)
				v[out] = v[i];
			out++;
		}
	}
	return out;
}

/* The rows of a bucket in one array: its own, or read back into `loaded`. */
static int load(struct rows *rows, struct bucket *bucket, struct row **ret, size_t *ret_n,
		struct err *err)
{
	size_t n = (size_t)bucket->spilled + bucket->n;

	*ret = bucket->v;
	*ret_n = n;
	if (bucket->spilled == 0)
		return 0;
	free(rows->loaded);
	rows->loaded = *ret = malloc(n * sizeof **ret);
	if (!*ret)
		return err_set(err, -ENOMEM, "no memory for a bucket of %zu rows", n);
	if (file_read_at(bucket->fd, *ret, (n - bucket->n) * sizeof **ret, 0) != 0)
		return err_set(err, -EIO, "%s: rows cannot be read back", rows->folder);
	if (bucket->n > 0)
		memcpy(*ret + n - bucket->n, bucket->v, bucket->n * sizeof **ret);
	return 0;
}

int rows_again(struct rows *rows, rows_keep_fn *change, void *ctx, struct err *err)
{
	struct rows *old = NULL;
	struct row *v;
	size_t n;
	int rc = rows_new(&old, rows->memory, rows->folder);

	if (rc < 0)
		return err_set(err, rc, "no memory for rows");
	memcpy(old->buckets, rows->buckets, sizeof old->buckets);
	memset(rows->buckets, 0, sizeof rows->buckets);
	rows->held = rows->count = rows->spilled = 0;
	for (size_t i = 0; i < ROWS_BUCKETS; i++)
		rows->buckets[i].fd = -1;
	for (size_t i = 0; i < ROWS_BUCKETS && rc == 0; i++) {
		rc = load(old, &old->buckets[i], &v, &n, err);
		for (size_t k = 0; k < n && rc == 0; k++) {
			if (change(ctx, &v[k]))
				rc = rows_add(rows, &v[k], err);
		}
		free(old->buckets[i].v);
		old->buckets[i].v = NULL;
	}
	rows_free(old);
	return rc;
}

int rows_bucket(struct rows *rows, unsigned i, rows_keep_fn *keep, void *ctx, struct row **ret,
		size_t *ret_n, struct err *err)
{
	struct bucket *bucket = &rows->buckets[i];
	struct row *v;
	size_t n;
	int rc = load(rows, bucket, &v, &n, err);

	if (rc < 0)
		return rc;
	if (bucket->spilled > 0 || !bucket->is_sorted) {
		n = keep_wanted(v, n, keep, ctx);
		if (n > 1)
			qsort(v, n, sizeof *v, compare);
	}
	if (bucket->spilled == 0) {
		bucket->n = n;
		bucket->is_sorted = true;
	}
	*ret = v;
	*ret_n = n;
	return 0;
}
