// SPDX-License-Identifier: Apache-2.0
/*
 * Rows in buckets: see reconcile_rows.h.
 */
#include "evidence/reconcile_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/file.h"

enum {
	ROWS_FIRST = 64,
	RADIX_BITS = 11,
	RADIX_MIN = 256, /* fewer are put in order one by one */
	GROUP_MIN = 16,
};

/* A row by the hash of its flow. */
struct key {
	uint32_t hash, index;
};

struct bucket {
	struct row *v;
	size_t n, cap;
	uint64_t spilled; /* rows in the file */
	int fd;           /* -1: none */
	bool is_kept;     /* those that are not wanted are gone */
};

struct rows {
	struct bucket buckets[ROWS_BUCKETS];
	uint64_t memory, held, count, spilled;
	const char *folder;
	struct row *loaded; /* of a bucket that has a file */
	/* of the bucket at hand */
	struct key *keys; /* twice as many as rows */
	size_t cap_keys;
	struct row *group;
	size_t cap_group;
	uint32_t at[1 << RADIX_BITS];
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
	free(rows->keys);
	free(rows->group);
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

static uint64_t fold(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Of the flow, without interface: which belongs to which is known at the end only. The buckets' sizes may be
 * chosen by whoever chooses ports; that costs him nothing and us memory, so it need not be secret. */
static uint64_t hash_of(const struct row *row)
{
	uint64_t w[4],
		ports = (uint64_t)row->srcport << 32 | (uint64_t)row->dstport << 8 | row->protocol;

	memcpy(w, &row->src, 16);
	memcpy(w + 2, &row->dst, 16);
	return fold(fold(w[0] ^ 0xa0761d6478bd642f, w[1] ^ ports ^ 0xe7037ed1a0b428db) ^ w[2],
		    w[3] ^ 0x8ebc6af09c88c6e3);
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
	bucket->is_kept = false;
	rows->count++;
	return 0;
}

enum {
	FLOW_BYTES = offsetof(struct row, start)
}; /* addresses, ports, protocol, family, interface */

_Static_assert(FLOW_BYTES == 40, "five words without a hole");

static bool same_flow(const struct row *a, const struct row *b)
{
	return memcmp(a, b, FLOW_BYTES) == 0;
}

static int compare(const void *p, const void *q)
{
	const struct row *a = p, *b = q;
	int d = same_flow(a, b) ? 0 : memcmp(a, b, FLOW_BYTES);

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

/* ---- by flow ---- */

static void pass(uint32_t at[static 1 << RADIX_BITS], const struct key *from, struct key *to,
		 size_t n, unsigned shift)
{
	enum { MASK = (1 << RADIX_BITS) - 1 };
	uint32_t sum = 0;

	memset(at, 0, (MASK + 1) * sizeof at[0]);
	for (size_t i = 0; i < n; i++)
		at[from[i].hash >> shift & MASK]++;
	for (size_t i = 0; i <= MASK; i++) {
		uint32_t count = at[i];

		at[i] = sum;
		sum += count;
	}
	for (size_t i = 0; i < n; i++)
		to[at[from[i].hash >> shift & MASK]++] = from[i];
}

/* By hash; rows of one hash stay in their order. Where they are then. */
static struct key *sort_keys(struct rows *rows, size_t n)
{
	struct key *v = rows->keys, *spare = v + n;

	if (n >= RADIX_MIN) {
		pass(rows->at, v, spare, n, 0);
		pass(rows->at, spare, v, n, RADIX_BITS);
		pass(rows->at, v, spare, n, 2 * RADIX_BITS);
		return spare;
	}
	for (size_t i = 1; i < n; i++) {
		struct key key = v[i];
		size_t k = i;

		for (; k > 0 && v[k - 1].hash > key.hash; k--)
			v[k] = v[k - 1];
		v[k] = key;
	}
	return v;
}

static void sort_group(struct row *v, size_t n)
{
	if (n > GROUP_MIN) {
		qsort(v, n, sizeof *v, compare);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		struct row row = v[i];
		size_t k = i;

		for (; k > 0 && compare(&v[k - 1], &row) > 0; k--)
			v[k] = v[k - 1];
		v[k] = row;
	}
}

static int grow(struct rows *rows, size_t n_rows, size_t n_group, struct err *err)
{
	void *more;

	if (2 * n_rows > rows->cap_keys) {
		more = realloc(rows->keys, 2 * n_rows * sizeof rows->keys[0]);
		if (!more)
			return err_set(err, -ENOMEM, "no memory for a bucket of %zu rows", n_rows);
		rows->keys = more;
		rows->cap_keys = 2 * n_rows;
	}
	if (n_group > rows->cap_group) {
		more = realloc(rows->group, 2 * n_group * sizeof rows->group[0]);
		if (!more)
			return err_set(err, -ENOMEM, "no memory for a flow of %zu lines", n_group);
		rows->group = more;
		rows->cap_group = 2 * n_group;
	}
	return 0;
}

/* Rows of one hash: mostly one flow. */
static int each_of_group(struct rows *rows, size_t n, rows_flow_fn *each, void *ctx,
			 struct err *err)
{
	struct row *v = rows->group;
	size_t i = 0;
	int rc = 0;

	sort_group(v, n);
	while (rc == 0 && i < n) {
		size_t k = i + 1;

		while (k < n && same_flow(&v[i], &v[k]))
			k++;
		rc = each(ctx, v + i, k - i, err);
		i = k;
	}
	return rc;
}

int rows_each_flow(struct rows *rows, unsigned bucket, rows_keep_fn *keep, rows_flow_fn *each,
		   void *ctx, struct err *err)
{
	struct bucket *b = &rows->buckets[bucket];
	struct key *keys;
	struct row *v;
	size_t n, i = 0;
	int rc = load(rows, b, &v, &n, err);

	if (rc == 0 && (b->spilled > 0 || !b->is_kept))
		n = keep_wanted(v, n, keep, ctx);
	if (rc == 0 && b->spilled == 0) {
		b->n = n;
		b->is_kept = true;
	}
	if (rc == 0)
		rc = n > UINT32_MAX ? err_set(err, ERR_FULL, "a bucket of %zu rows", n)
				    : grow(rows, n, GROUP_MIN, err);
	if (rc < 0)
		return rc;
	for (size_t k = 0; k < n; k++)
		rows->keys[k] = (struct key){v[k].hash, (uint32_t)k};
	keys = sort_keys(rows, n);
	while (rc == 0 && i < n) {
		size_t k = i;

		while (k < n && keys[k].hash == keys[i].hash)
			k++;
		rc = grow(rows, 0, k - i, err);
		for (size_t g = i; rc == 0 && g < k; g++)
			rows->group[g - i] = v[keys[g].index];
		if (rc == 0)
			rc = each_of_group(rows, k - i, each, ctx, err);
		i = k;
	}
	return rc;
}
