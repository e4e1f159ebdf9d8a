// SPDX-License-Identifier: Apache-2.0
/*
 * losses: the windows in which an interface's records say themselves that packets are missing (SKIPDATA).
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "proto/batch.h"
#include "proto/wire.h"

enum { LOSSES_SPANS = 16 };

struct losses {
	uint64_t lines; /* that say so */
	unsigned n;     /* spans kept; what came after them is merged into the last */
	struct {
		uint64_t from, to; /* Unix seconds, the end excluded */
	} spans[LOSSES_SPANS];
};

/* Takes a record; of another status than SKIPDATA: nothing. */
void losses_add(struct losses *losses, const struct flowrec *rec);

/* "2026-11-26T00:01:00Z to 2026-11-26T00:03:00Z, ..." */
void losses_print(const struct losses *losses, FILE *out);
/* [[from,to],...] */
void losses_print_json(const struct losses *losses, FILE *out);

/* How offloaded frames were counted: "tso gso gro, MTU 1500, wire packets as the kernel says". */
void losses_print_link(const struct wire_link *link, FILE *out);
/* "kernel", "estimate", "as-is", "unknown". */
const char *losses_offload_word(const struct wire_link *link);
