// SPDX-License-Identifier: Apache-2.0
/*
 * Sets of spans of time, Unix seconds, both ends included.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	int64_t from, to;
};

/* Begins zeroed. In order, apart from one another. */
struct spans {
	struct span *v;
	size_t n, cap;
};

/* Adds a span; those that overlap it, or lie at most `near` seconds from it, become one with it. -ENOMEM. */
int spans_add(struct spans *spans, int64_t from, int64_t to, int64_t near);
/* Makes one of those that are at most `near` seconds apart. */
void spans_join(struct spans *spans, int64_t near);
void spans_fini(struct spans *spans);

/* Does any second of [from, to] lie in the set? Do all? */
bool spans_touch(const struct spans *spans, int64_t from, int64_t to);
bool spans_hold(const struct spans *spans, int64_t from, int64_t to);
