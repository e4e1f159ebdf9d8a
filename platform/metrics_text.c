// SPDX-License-Identifier: Apache-2.0
/*
 * See metrics_text.h.
 */
#include "platform/metrics_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "platform/text.h"

static void put(struct metrics_text *m, const char *bytes, size_t len)
{
	size_t room = m->len < m->cap ? m->cap - m->len : 0;

	if (room > 0) {
		size_t n = len < room - 1 ? len : room - 1;

		memcpy(m->out + m->len, bytes, n);
		m->out[m->len + n] = '\0';
	}
	m->len += len;
}

static void put_text(struct metrics_text *m, const char *text)
{
	put(m, text, strlen(text));
}

/* "label_value can be any sequence of UTF-8 characters, but the backslash, double-quote, and line feed characters have
 * to be escaped"; in HELP the double quote stays as it is. */
static void put_escaped(struct metrics_text *m, const char *text, bool is_label)
{
	while (*text) {
		const char *begin = text;
		uint32_t c = text_next(&text);

		if (c == 0) {
			put(m, "?", 1);
			text++;
		} else if (c == '\n') {
			put(m, "\\n", 2);
		} else {
			if (c == '\\' || (is_label && c == '"'))
				put(m, "\\", 1);
			put(m, begin, (size_t)(text - begin));
		}
	}
}

void metrics_begin(struct metrics_text *m, const char *name, enum metrics_type type,
		   const char *help)
{
	m->name = name;
	put_text(m, "# HELP ");
	put_text(m, name);
	put_text(m, " ");
	put_escaped(m, help, false);
	put_text(m, "\n# TYPE ");
	put_text(m, name);
	put_text(m, type == METRICS_COUNTER ? " counter\n" : " gauge\n");
}

static void put_sample(struct metrics_text *m, const char *const *labels, const char *value)
{
	put_text(m, m->name);
	for (size_t i = 0; labels[i]; i += 2) {
		put_text(m, i == 0 ? "{" : ",");
		put_text(m, labels[i]);
		put_text(m, "=\"");
		put_escaped(m, labels[i + 1], true);
		put_text(m, labels[i + 2] ? "\"" : "\"}");
	}
	put_text(m, " ");
	put_text(m, value);
	put_text(m, "\n");
}

void metrics_count(struct metrics_text *m, const char *const *labels, uint64_t n)
{
	char value[24];

	(void)snprintf(value, sizeof value, "%" PRIu64, n);
	put_sample(m, labels, value);
}

void metrics_real(struct metrics_text *m, const char *const *labels, double value)
{
	char text[32] = "NaN";

	if (isinf(value))
		(void)snprintf(text, sizeof text, "%s", value > 0 ? "+Inf" : "-Inf");
	else if (
		!isnan(value)) /* as many digits as a time in seconds since 1970 needs for microseconds */
		(void)snprintf(text, sizeof text, "%.16g", value);
	put_sample(m, labels, text);
}

void metrics_one(struct metrics_text *m, const char *name, enum metrics_type type, const char *help,
		 uint64_t n)
{
	metrics_begin(m, name, type, help);
	metrics_count(m, METRICS_NO_LABELS, n);
}
