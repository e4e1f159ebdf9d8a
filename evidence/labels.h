// SPDX-License-Identifier: Apache-2.0
/*
 * Labels: what the remote addresses were called, and the DNS questions by parent domain, as the batches tell it.
 *
 * The parent domain is what somebody would have registered: domain.h says how it is told.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/known_names.h"
#include "proto/batch.h"

enum {
	LABELS_MAX = 65536,    /* addresses */
	LABELS_DOMAINS = 16384 /* parent domains */
};

/* Borrowed until the next batch is added. */
struct label {
	const char *names[KNOWN_NAMES_EACH];
	size_t n;
	bool more; /* there are others */
};

struct label_domain {
	uint64_t key[2]; /* of the name */
	char *name;
	uint64_t questions, failed,
		names; /* failed: answers with an error; names: different ones that were asked for */
	uint64_t bytes;       /* of the questions' messages */
	uint64_t first, last; /* Unix seconds */
};

struct labels;

int labels_new(struct labels **ret); /* -ENOMEM; free it in any case */
void labels_free(struct labels *labels);
/* 0 or -ENOMEM. */
int labels_add(struct labels *labels, const struct batch *batch);

/* How an address is called, by whichever sensor. */
struct label labels_find(const struct labels *labels, uint8_t family, const struct addr *addr);
/* Most questions first. Borrowed until the next call with these labels; -ENOMEM. */
int labels_domains(struct labels *labels, const struct label_domain *const **ret, size_t *ret_n);
/* Names and questions that found no room. */
uint64_t labels_left_out(const struct labels *labels);
