// SPDX-License-Identifier: Apache-2.0
#include "evidence/spans.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void spans_fini(struct spans *spans)
{
	free(spans->v);
	*spans = (struct spans){.n = 0};
}

/* The first that ends at or after `t`. */
static size_t find(const struct spans *spans, int64_t t)
{
	size_t low = 0, high = spans->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (spans->v[middle].to < t)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int spans_add(struct spans *spans, int64_t from, int64_t to, int64_t near)
{
	size_t i = find(spans, from - near), j = i;

	while (j < spans->n && spans->v[j].from <= to + near) {
		from = from < spans->v[j].from ? from : spans->v[j].from;
		to = to > spans->v[j].to ? to : spans->v[j].to;
		j++;
	}
	if (i == j && spans->n == spans->cap) {
		size_t cap = spans->cap ? 2 * spans->cap : 16;
		struct span *v = realloc(spans->v, cap * sizeof *v);

		if (!v)
			return -ENOMEM;
		spans->v = v;
		spans->cap = cap;
	}
	memmove(&spans->v[i + 1], &spans->v[j], (spans->n - j) * sizeof spans->v[0]);
	spans->n = spans->n + 1 - (j - i);
	spans->v[i] = (struct span){from, to};
	return 0;
}

void spans_join(struct spans *spans, int64_t near)
{
	size_t out = 0;

	for (size_t i = 0; i < spans->n; i++) {
		if (out > 0 && spans->v[i].from <= spans->v[out - 1].to + near)
			spans->v[out - 1].to = spans->v[i].to;
		else
			spans->v[out++] = spans->v[i];
	}
	spans->n = out;
}

bool spans_touch(const struct spans *spans, int64_t from, int64_t to)
{
	size_t i = find(spans, from);

	return i < spans->n && spans->v[i].from <= to;
}

bool spans_hold(const struct spans *spans, int64_t from, int64_t to)
{
	size_t i = find(spans, from);

	return i < spans->n && spans->v[i].from <= from && spans->v[i].to >= to;
}
