// SPDX-License-Identifier: Apache-2.0
/*
 * report, pictures: inline SVG, with the same in words.
 */
#include "analyst/report_html.h"

#include <inttypes.h>

enum {
	SPARK_WIDTH = 96,
	SPARK_HEIGHT = 20,
};

void html_spark(FILE *out, const struct report *r, const struct course *c)
{
	uint64_t most = 0, span = r->evidence.to_s - r->evidence.from_s;
	char when[WHEN_TEXT], bytes[SAY_MAX], number[NUMBER_TEXT];
	unsigned peak = 0;

	for (unsigned i = 0; c && i < COURSE_STEPS; i++) {
		if (c->bytes[i] > most) {
			most = c->bytes[i];
			peak = i;
		}
	}
	if (most == 0)
		return;
	fprintf(out, "<svg class=\"spark\" role=\"img\" viewBox=\"0 0 %d %d\"><title>", SPARK_WIDTH,
		SPARK_HEIGHT);
	html_text(out, when_text(when, r->evidence.from_s + span * peak / COURSE_STEPS));
	fprintf(out, ": %s</title>", say(bytes, r->lang, W_BYTES, number_text(number, most), NULL));
	for (unsigned i = 0; i < COURSE_STEPS; i++) {
		/* What is there at all can be seen. */
		uint64_t height = c->bytes[i] ? 1 + (SPARK_HEIGHT - 1) * c->bytes[i] / most : 0;

		if (height)
			fprintf(out,
				"<rect x=\"%u\" y=\"%" PRIu64 "\" width=\"1.6\" height=\"%" PRIu64
				"\"/>",
				i * SPARK_WIDTH / COURSE_STEPS, SPARK_HEIGHT - height, height);
	}
	fputs("</svg>", out);
}
