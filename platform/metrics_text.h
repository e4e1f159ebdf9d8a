// SPDX-License-Identifier: Apache-2.0
/*
 * Metrics as Prometheus reads them: the text exposition format, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 * Names: flowproof_PROGRAM_WHAT_UNIT in base units (seconds, bytes), counters end in _total. A metric's samples stand
 * together below its HELP and TYPE. Into memory of the caller's: nothing is allocated.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Begins as {out, cap}. `len` goes on counting when `cap` is reached: what is needed is len + 1; then the text was cut. */
struct metrics_text {
	char *out; /* NUL-terminated; may be NULL if cap is 0 */
	size_t cap, len;
	const char *name; /* of the metric that samples are of now; borrowed */
};

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE };

/* A metric begins. `help` is one line. */
void metrics_begin(struct metrics_text *m, const char *name, enum metrics_type type,
		   const char *help);

/* A sample: labels as name, value, name, value, ..., NULL. Values of labels may be any text: what is not UTF-8
 * is not for the caller to mind, bytes of it become '?'. */
void metrics_count(struct metrics_text *m, const char *const *labels, uint64_t n);
void metrics_real(struct metrics_text *m, const char *const *labels, double value);

#define METRICS_LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define METRICS_NO_LABELS   ((const char *const[]){NULL})

/* A metric of one sample without labels. */
void metrics_one(struct metrics_text *m, const char *name, enum metrics_type type, const char *help,
		 uint64_t n);
