// SPDX-License-Identifier: Apache-2.0
/*
 * What ingest counts for whoever looks on: a page of memory that it shares with the process of the live page. One
 * writes, others read, nobody waits.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum count {
	COUNT_CONNECTIONS, /* now; strangers included */
	COUNT_STRANGERS,   /* now: handshakes that are not done */
	COUNT_ACCEPTED,
	COUNT_NO_ROOM,           /* closed at once: all places were taken */
	COUNT_REFUSED_HANDSHAKE, /* ended before a certificate was known, */
	COUNT_REFUSED_HELLO,     /* before a hello was taken, */
	COUNT_REFUSED_STREAM,    /* after it, by us */
	COUNT_HELLOS,
	COUNT_BATCHES,
	COUNT_REPEATED, /* batches and gaps that were here already */
	COUNT_GAPS,
	COUNT_BYTES, /* of hellos, batches and gaps that were appended */
	COUNT_RECORDS,
	COUNT_COMMITS,
	COUNT_WRITES_FAILED, /* appending or syncing */
	COUNT_FAILING,       /* 1: the last attempt failed */
	COUNT_UNSYNCED,      /* 1: bytes were appended since the last commit */
	COUNTS
};

struct counts {
	_Atomic uint64_t n[COUNTS];
};

/* `counts` may be NULL. */
static inline void counts_set(struct counts *counts, enum count which, uint64_t n)
{
	if (counts)
		atomic_store_explicit(&counts->n[which], n, memory_order_relaxed);
}

static inline uint64_t counts_get(const struct counts *counts, enum count which)
{
	return atomic_load_explicit(&counts->n[which], memory_order_relaxed);
}

/* For the one that writes. */
static inline void counts_add(struct counts *counts, enum count which, uint64_t n)
{
	if (counts)
		counts_set(counts, which, counts_get(counts, which) + n);
}

/* Bytes were appended, or that failed. */
static inline void counts_append(struct counts *counts, enum count which, uint64_t bytes, bool well)
{
	counts_add(counts, well ? which : COUNT_WRITES_FAILED, 1);
	counts_add(counts, COUNT_BYTES, well ? bytes : 0);
	counts_set(counts, well ? COUNT_UNSYNCED : COUNT_FAILING, 1);
}

/* What was appended is durable, or that failed. */
static inline void counts_commit(struct counts *counts, bool well)
{
	counts_add(counts, COUNT_COMMITS, 1);
	counts_add(counts, COUNT_WRITES_FAILED, !well);
	if (!well || (counts && counts_get(counts, COUNT_UNSYNCED)))
		counts_set(counts, COUNT_FAILING, !well);
	counts_set(counts, COUNT_UNSYNCED, 0);
}
