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
	AHEAD = 12, /* rows asked for before they are needed */
};

/* A row by the hash of its flow. */
struct key {
	uint32_t hash, index;
};

/* What most lines are: IPv4, counts below 2^32, less than a day long. */
struct slim {
	uint8_t src[4], dst[4];
	uint16_t srcport, dstport;
	uint16_t iface, log;
	uint32_t start, hash;
	uint32_t packets, bytes;
	uint16_t lasts; /* end less start */
	uint8_t protocol, flags, tcp_flags;
};

_Static_assert(sizeof(struct slim) == 40 && sizeof(struct row) == 72, "what the manual says");

enum kind { SLIM, FULL, KINDS };

static const size_t sizes[KINDS] = {sizeof(struct slim), sizeof(struct row)};

struct store {
	char *v;
	size_t n, cap;
	uint64_t spilled; /* in the file */
	int fd;           /* -1: none */
};

struct bucket {
	struct store of[KINDS];
};

/* All of one kind in a bucket. */
struct loaded {
	char *v;
	size_t n;
};

struct rows {
	struct bucket buckets[ROWS_BUCKETS];
	uint64_t memory, held, count, spilled;
	const char *folder;
	/* of the bucket at hand */
	char *read[KINDS]; /* of one that has a file */
	struct loaded loaded[KINDS];
	struct key *keys; /* twice as many as rows */
	size_t cap_keys;
	struct row *group;
	size_t cap_group;
	uint32_t at[1 << RADIX_BITS];
};

/* No bucket holds anything. */
static void forget(struct rows *rows)
{
	memset(rows->buckets, 0, sizeof rows->buckets);
	for (size_t i = 0; i < ROWS_BUCKETS; i++) {
		for (size_t k = 0; k < KINDS; k++)
			rows->buckets[i].of[k].fd = -1;
	}
}

int rows_new(struct rows **ret, uint64_t memory, const char *folder)
{
	struct rows *rows = calloc(1, sizeof *rows);
	const char *tmp = getenv("TMPDIR");

	if (!rows)
		return -ENOMEM;
	rows->memory = memory;
	rows->folder = folder ? folder : tmp && *tmp ? tmp : "/tmp";
	forget(rows);
	*ret = rows;
	return 0;
}

void rows_free(struct rows *rows)
{
	if (!rows)
		return;
	for (size_t i = 0; i < ROWS_BUCKETS; i++) {
		for (size_t k = 0; k < KINDS; k++) {
			free(rows->buckets[i].of[k].v);
			if (rows->buckets[i].of[k].fd >= 0)
				(void)close(rows->buckets[i].of[k].fd);
		}
	}
	for (size_t k = 0; k < KINDS; k++)
		free(rows->read[k]);
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

static uint64_t stir(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

/* Of the flow, without interface: which belongs to which is known at the end only. The buckets' sizes may be
 * chosen by whoever chooses ports; that costs him nothing and us memory, so it need not be secret. */
static uint64_t hash_of(const struct row *row)
{
	uint64_t w[4],
		hash = (uint64_t)row->srcport << 32 | (uint64_t)row->dstport << 8 | row->protocol;

	memcpy(w, &row->src, 16);
	memcpy(w + 2, &row->dst, 16);
	for (size_t i = 0; i < 4; i++)
		hash = stir(hash, w[i]);
	return stir(hash, 0);
}

/* ---- slim ones ---- */

static bool is_slim(const struct row *row)
{
	return row->family == 4 && row->packets <= UINT32_MAX && row->bytes <= UINT32_MAX &&
	       row->end - row->start <= UINT16_MAX;
}

static struct slim slim_of(const struct row *row)
{
	struct slim slim = {
		.srcport = row->srcport,
		.dstport = row->dstport,
		.iface = row->iface,
		.log = row->log,
		.start = row->start,
		.hash = row->hash,
		.packets = (uint32_t)row->packets,
		.bytes = (uint32_t)row->bytes,
		.lasts = (uint16_t)(row->end - row->start),
		.protocol = row->protocol,
		.flags = row->flags,
		.tcp_flags = row->tcp_flags,
	};

	memcpy(slim.src, &row->src, 4);
	memcpy(slim.dst, &row->dst, 4);
	return slim;
}

static struct row row_of(const struct slim *slim)
{
	struct row row = {
		.srcport = slim->srcport,
		.dstport = slim->dstport,
		.protocol = slim->protocol,
		.family = 4,
		.iface = slim->iface,
		.start = slim->start,
		.end = slim->start + slim->lasts,
		.packets = slim->packets,
		.bytes = slim->bytes,
		.log = slim->log,
		.flags = slim->flags,
		.tcp_flags = slim->tcp_flags,
		.hash = slim->hash,
	};

	memcpy(&row.src, slim->src, 4);
	memcpy(&row.dst, slim->dst, 4);
	return row;
}

/* ---- files ---- */

static int spill(struct rows *rows, struct store *store, size_t size, struct err *err)
{
	int rc;

	if (store->fd < 0)
		store->fd = open(rows->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (store->fd < 0)
		return err_errno(
			err, "%s: no file for rows beyond the memory allowed (--memory, TMPDIR)",
			rows->folder);
	rc = file_write(store->fd, store->v, store->n * size);
	if (rc < 0) {
		errno = -rc;
		return err_errno(err, "%s: rows beyond the memory allowed cannot be written",
				 rows->folder);
	}
	store->spilled += store->n;
	rows->spilled += store->n;
	rows->held -= store->cap * size;
	free(store->v);
	store->v = NULL;
	store->n = store->cap = 0;
	return 0;
}

/* All of them: each then grows anew, and files are written in large pieces. */
static int spill_all(struct rows *rows, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < ROWS_BUCKETS; i++) {
		for (size_t k = 0; k < KINDS && rc == 0; k++) {
			if (rows->buckets[i].of[k].n > 0)
				rc = spill(rows, &rows->buckets[i].of[k], sizes[k], err);
		}
	}
	return rc;
}

/* Room for one more. */
static int make_room(struct rows *rows, struct store *store, size_t size, struct err *err)
{
	size_t cap = store->cap ? store->cap + store->cap / 2 : ROWS_FIRST;
	void *v;

	if (rows->held + (cap - store->cap) * size > rows->memory && rows->held > 0) {
		int rc = spill_all(rows, err);

		if (rc < 0)
			return rc;
		cap = ROWS_FIRST;
	}
	v = realloc(store->v, cap * size);
	if (!v)
		return err_set(err, -ENOMEM, "no memory for rows: give less with --memory");
	rows->held += (cap - store->cap) * size;
	store->v = v;
	store->cap = cap;
	return 0;
}

int rows_add(struct rows *rows, const struct row *row, struct err *err)
{
	uint64_t hash = hash_of(row);
	enum kind kind = is_slim(row) ? SLIM : FULL;
	struct store *store = &rows->buckets[hash % ROWS_BUCKETS].of[kind];

	if (store->n == store->cap) {
		int rc = make_room(rows, store, sizes[kind], err);

		if (rc < 0)
			return rc;
	}
	if (kind == SLIM) {
		struct slim *slim = (struct slim *)(void *)store->v + store->n++;

		*slim = slim_of(row);
		slim->hash = (uint32_t)(hash >> 32);
	} else {
		struct row *full = (struct row *)(void *)store->v + store->n++;

		*full = *row;
		full->hash = (uint32_t)(hash >> 32);
	}
	rows->count++;
	return 0;
}

/* The rows of a bucket, each kind in one array: its own, or read back. */
static int load(struct rows *rows, const struct bucket *bucket, struct err *err)
{
	for (size_t k = 0; k < KINDS; k++) {
		const struct store *store = &bucket->of[k];
		size_t n = (size_t)store->spilled + store->n, size = sizes[k];

		rows->loaded[k] = (struct loaded){store->v, n};
		if (store->spilled == 0)
			continue;
		free(rows->read[k]);
		rows->loaded[k].v = rows->read[k] = malloc(n * size);
		if (!rows->read[k])
			return err_set(err, -ENOMEM, "no memory for a bucket of %zu rows", n);
		if (file_read_at(store->fd, rows->read[k], (size_t)store->spilled * size, 0) != 0)
			return err_set(err, -EIO, "%s: rows cannot be read back", rows->folder);
		if (store->n > 0)
			memcpy(rows->read[k] + (size_t)store->spilled * size, store->v,
			       store->n * size);
	}
	return 0;
}

static const void *address_of(const struct rows *rows, size_t i)
{
	size_t slim = rows->loaded[SLIM].n;

	return i < slim ? rows->loaded[SLIM].v + i * sizeof(struct slim)
			: rows->loaded[FULL].v + (i - slim) * sizeof(struct row);
}

/* Row i of what is loaded, the slim ones first. */
static struct row row_at(const struct rows *rows, size_t i)
{
	const void *at = address_of(rows, i);

	return i < rows->loaded[SLIM].n ? row_of(at) : *(const struct row *)at;
}

int rows_again(struct rows *rows, rows_keep_fn *change, void *ctx, struct err *err)
{
	struct rows *old = NULL;
	int rc = rows_new(&old, rows->memory, rows->folder);

	if (rc < 0)
		return err_set(err, rc, "no memory for rows");
	memcpy(old->buckets, rows->buckets, sizeof old->buckets);
	forget(rows);
	rows->held = rows->count = rows->spilled = 0;
	for (size_t i = 0; i < ROWS_BUCKETS && rc == 0; i++) {
		rc = load(old, &old->buckets[i], err);
		for (size_t k = 0; rc == 0 && k < old->loaded[SLIM].n + old->loaded[FULL].n; k++) {
			struct row row = row_at(old, k);

			if (change(ctx, &row))
				rc = rows_add(rows, &row, err);
		}
		for (size_t k = 0; k < KINDS; k++) {
			free(old->buckets[i].of[k].v);
			old->buckets[i].of[k].v = NULL;
		}
	}
	rows_free(old);
	return rc;
}

/* ---- by flow ---- */

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

static void make_keys(struct rows *rows)
{
	const struct slim *slim = (const struct slim *)(const void *)rows->loaded[SLIM].v;
	const struct row *full = (const struct row *)(const void *)rows->loaded[FULL].v;
	size_t n = rows->loaded[SLIM].n;

	for (size_t i = 0; i < n; i++)
		rows->keys[i] = (struct key){slim[i].hash, (uint32_t)i};
	for (size_t i = 0; i < rows->loaded[FULL].n; i++)
		rows->keys[n + i] = (struct key){full[i].hash, (uint32_t)(n + i)};
}

int rows_each_flow(struct rows *rows, unsigned bucket, rows_keep_fn *keep, rows_flow_fn *each,
		   void *ctx, struct err *err)
{
	const struct key *keys;
	size_t n, i = 0;
	int rc = load(rows, &rows->buckets[bucket], err);

	if (rc < 0)
		return rc;
	n = rows->loaded[SLIM].n + rows->loaded[FULL].n;
	if (n > UINT32_MAX)
		return err_set(err, ERR_FULL, "a bucket of %zu rows", n);
	rc = grow(rows, n, GROUP_MIN, err);
	if (rc < 0)
		return rc;
	make_keys(rows);
	keys = sort_keys(rows, n);
	while (rc == 0 && i < n) {
		size_t k = i, kept = 0;

		while (k < n && keys[k].hash == keys[i].hash)
			k++;
		rc = grow(rows, 0, k - i, err);
		for (; rc == 0 && i < k; i++) {
			/* They lie anywhere: the wait for memory is what this costs. */
			if (i + AHEAD < n)
				__builtin_prefetch(address_of(rows, keys[i + AHEAD].index));
			rows->group[kept] = row_at(rows, keys[i].index);
			kept += keep(ctx, &rows->group[kept]);
		}
		if (rc == 0 && kept > 0)
			rc = each_of_group(rows, kept, each, ctx, err);
		i = k;
	}
	return rc;
}
