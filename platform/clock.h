// SPDX-License-Identifier: Apache-2.0
/*
 * The only place that reads a clock. Everywhere else time comes in as an argument.
 */
#pragma once

#include <stdint.h>

enum { NS_PER_S = 1000000000, NS_PER_MS = 1000000, MS_PER_S = 1000 };

/* Wall clock: nanoseconds since 1970-01-01 UTC (good until 2554). */
uint64_t clock_wall_ns(void);

/* Monotonic clock, for intervals: nanoseconds since some point in the past; runs on through steps
 * of the wall clock. */
uint64_t clock_mono_ns(void);
/* Since the machine was started, sleep included. */
uint64_t clock_uptime_ns(void);

/* "2026-01-31T12:34:56Z" for Unix seconds, with its NUL, into `out`; returns `out`. */
enum { CLOCK_TEXT = 32 };
const char *clock_text(char out[static CLOCK_TEXT], uint64_t unix_s);

/* Reads Unix seconds, or ISO 8601 UTC ("2026-01-31", "2026-01-31T12:34[:56][Z]"). 0, or ERR_USAGE.
 */
struct err;
int clock_parse(const char *text, uint64_t *ret_unix_s, struct err *err);
