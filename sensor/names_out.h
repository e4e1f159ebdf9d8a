// SPDX-License-Identifier: Apache-2.0
/*
 * names, out: what was read goes into the spool, and DNS to its log.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "proto/flowrec.h"
#include "sensor/account.h"
#include "sensor/names.h"
#include "sensor/own.h"
#include "sensor/spool.h"

/* All borrowed. `flow`: see struct names_sink; NULL: nobody asks. */
struct names_out {
	struct spool *spool;                  /* NULL: no collector */
	FILE *log;                            /* NULL: none */
	const struct flowrec_identity *texts; /* per interface */
	const struct account *account;        /* knows of ARP */
	void (*flow)(void *ctx, const struct decoded *decoded, uint16_t iface, const char *name,
		     uint64_t now_ns);
	void *flow_ctx;
	const struct own *own;  /* NULL: none */
	const uint64_t *now_ns; /* wall clock, the time that batches bear */
};

struct names_sink names_out_sink(struct names_out *out);
/* A window closed: names_tick(), and the counts are sent. */
void names_out_tick(const struct names_out *out, struct names *names, uint64_t now_s, bool all);
/* A line of the summary: the counts that are not 0. */
void names_out_print(const struct names_out *out, const struct names *names, FILE *to);
