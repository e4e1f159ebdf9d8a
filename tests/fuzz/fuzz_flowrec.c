// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: a line of names, then lines of values. What is accepted and printed again must read the same, and
 * every text of a value lies within its line.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/flowrec_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct flowrec_columns columns;

/* The known columns that the record itself holds, as a format. */
static struct flowrec_format format_of_record(void)
{
	struct flowrec_format format = {.n = 0, .version = 2};

	for (size_t i = 0; i < columns.n; i++)
		if (columns.field[i] < FLOWREC_FIELDS && flowrec_fields[columns.field[i]].size)
			format.field[format.n++] = columns.field[i];
	return format;
}

static void print_and_read(const struct flowrec_line *line)
{
	static char text[FLOWREC_LINE_MAX];
	struct flowrec_format format = format_of_record();
	struct flowrec_columns known;
	struct flowrec_identity id;
	struct flowrec_line again;
	struct flowrec rec = line->rec;
	struct err err;

	if (format.n == 0)
		return;
	if (rec.family == 0)
		rec.family = 4; /* nothing printed has none */
	flowrec_identity_init(&id);
	flowrec_columns_of(&known, &format);
	assert(flowrec_parse_line(&again, &known, text, flowrec_print(text, &format, &rec, &id),
				  &err) == 0);
	for (size_t i = 0; i < format.n; i++) {
		const struct flowrec_field_info *info = &flowrec_fields[format.field[i]];
		bool printed = again.text[format.field[i]].p;

		/* The packet's addresses are printed from the record's. */
		if (printed && info->form != FLOWREC_AS_IP)
			assert(memcmp((const char *)&again.rec + info->at,
				      (const char *)&rec + info->at, info->size) == 0 ||
			       format.field[i] == FLOWREC_F_TYPE);
		if (printed && (format.field[i] == FLOWREC_F_SRCADDR))
			assert(memcmp(&again.rec.src, &rec.src, 16) == 0);
		if (printed && (format.field[i] == FLOWREC_F_DSTADDR))
			assert(memcmp(&again.rec.dst, &rec.dst, 16) == 0);
	}
}

static void take_line(const char *line, size_t len)
{
	struct flowrec_line got;
	struct err err = {""};

	(void)flowrec_is_header(line, len);
	if (flowrec_parse_line(&got, &columns, line, len, &err)) {
		assert(err.text[0]);
		return;
	}
	for (size_t i = 0; i < FLOWREC_FIELDS; i++)
		assert(!got.text[i].p || (got.text[i].p >= line && got.text[i].len > 0 &&
					  got.text[i].p + got.text[i].len <= line + len));
	print_and_read(&got);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *p = (const char *)bytes, *end = p + len;
	bool first = true;

	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		const char *next = newline ? newline + 1 : end;
		struct err err = {""};

		if (!first) {
			take_line(p, (size_t)(next - p));
		} else if (flowrec_columns_parse(&columns, p, (size_t)(next - p), &err)) {
			assert(err.text[0]);
			return 0;
		}
		first = false;
		p = next;
	}
	return 0;
}
