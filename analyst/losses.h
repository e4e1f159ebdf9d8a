// SPDX-License-Identifier: Apache-2.0
/*
 * losses: the windows in which an interface's records say themselves that packets are missing (SKIPDATA).
 */
#pragma once

#include <stdbool.h>
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

/* What one interface lost in one stream. */
struct losses_of {
	char sensor[WIRE_SENSOR_ID_MAX];
	uint8_t stream[WIRE_STREAM_ID];
	uint16_t iface;
	char name[FLOWREC_ID_MAX + 1];
	uint64_t kernel, nic; /* dropped, up to the latest account */
	struct losses losses;
};

/* For a reader that lists them all: room for these, beyond them it is said that there are more. */
enum { LOSSES_LISTED = 64 };
struct losses_list {
	unsigned n;
	bool more;
	struct losses_of of[LOSSES_LISTED];
};

/* `name`: the interface's, or "". */
void losses_list_record(struct losses_list *list, const char *sensor, const uint8_t *stream,
			const char *name, const struct flowrec *rec);
void losses_list_account(struct losses_list *list, const char *sensor, const uint8_t *stream,
			 const char *name, const struct batch_account *account);
/* A line for each interface that lost packets. */
void losses_list_print(const struct losses_list *list, FILE *out);

/* How offloaded frames were counted: "tso gso gro, MTU 1500, wire packets as the kernel says". */
void losses_print_link(const struct wire_link *link, FILE *out);
/* "kernel", "estimate", "as-is", "unknown". */
const char *losses_offload_word(const struct wire_link *link);
