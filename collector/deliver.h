// SPDX-License-Identifier: Apache-2.0
/*
 * Deliveries: records where others look for them. One process each (delivery.h), begun before the collector's key is read; if
 * one ends, that is logged, and the ledger goes on.
 */
#pragma once

#include "collector/aws.h"
#include "collector/delivery.h"
#include "collector/s3.h"
#include "platform/err.h"
#include "platform/loop.h"
#include "platform/metrics_text.h"

struct deliver_options {
	char *state;                             /* folder of the cursors */
	char *files;                             /* folder for Flow Logs files */
	char *format, *layout, *fields, *prefix; /* of slot files, wherever they go */
	uint64_t every_s, late_s;
	struct aws_options aws;
	struct s3_options s3; /* without a bucket: no delivery */
	char *cloudwatch_group, *cloudwatch_endpoint;
	uint64_t cloudwatch_every_s;
};

enum { DELIVERIES_MAX = 8 };

struct deliver;

/* Is everything that the options name as it should be? Makes nothing. */
int deliver_check(const struct deliver_options *options, const char *store, struct err *err);

/* Starts the processes; *ret is NULL if no delivery is named. As alerts_start(). */
int deliver_start(struct deliver **ret, const struct deliver_options *options, const char *store,
		  const struct sandbox *like, struct err *err);

/* All that follow: NULL is fine. */

/* Says which of them ended, from the loop. */
int deliver_watch(struct deliver *deliver, struct loop *loop);
/* The store is there and belongs to its user: they may begin. */
void deliver_begin(struct deliver *deliver);
/* Lets them finish what is under way, which takes 15 s at most, and frees. Before the loop is freed. */
void deliver_end(struct deliver *deliver);

/* For the page, also in its process: how many there are, and of each its name and a look at its health, which it goes on
 * writing. */
size_t deliver_count(const struct deliver *deliver);
const char *deliver_name(const struct deliver *deliver, size_t i);
const struct delivery_health *deliver_health(const struct deliver *deliver, size_t i);
/* The same as metrics. */
void deliver_metrics(struct metrics_text *m, const struct deliver *deliver);

/* ---- kinds: each fills a zeroed delivery from the options; nothing is made on disk before ops.begin. Borrowed: all. ---- */

typedef int deliver_open(struct delivery *ret, const struct deliver_options *options,
			 struct err *err);
deliver_open deliver_files_open, deliver_s3_open, deliver_cloudwatch_open;
