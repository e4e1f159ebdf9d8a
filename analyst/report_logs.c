// SPDX-License-Identifier: Apache-2.0
/*
 * report, log files of the machine: how much of each came, what did not, and what became of them.
 */
#include "analyst/report.h"

#include <inttypes.h>

#include "analyst/report_html.h"
#include "platform/json.h"

bool report_has_logs(const struct report *r)
{
	return log_sums_count(r->gather.logs) > 0;
}

static uint64_t wiped(const struct log_sum *s)
{
	return s->shrank + s->vanished + s->rewritten;
}

static void print_row(FILE *out, const struct log_sum *s)
{
	fprintf(out, "<tr%s>", wiped(s) ? " class=\"not_met\"" : "");
	html_cell(out, s->sensor);
	html_cell(out, s->path);
	html_number(out, s->lines);
	html_number(out, s->bytes);
	html_number(out, log_sum_missing(s));
	html_number(out, s->rotated);
	html_number(out, wiped(s));
	if (s->last_s)
		html_when(out, s->last_s);
	else
		html_cell(out, NULL);
	fputs("</tr>\n", out);
}

void html_logs(FILE *out, const struct report *r)
{
	static const enum word columns[] = {W_SENSOR,      W_PATH,         W_LOG_LINES,
					    W_COUNT_BYTES, W_LOGS_MISSING, W_LOGS_ROTATED,
					    W_LOGS_WIPED,  W_LAST,         WORDS};

	html_paragraph(out, word(r->lang, W_LOGS_SAY));
	html_table(out, r->lang, 0x7c, columns);
	for (size_t i = 0; i < log_sums_count(r->gather.logs); i++)
		print_row(out, log_sums_at(r->gather.logs, i));
	html_table_end(out);
}

static void print_object(FILE *out, const struct log_sum *s)
{
	fprintf(out, "{\"sensor\":");
	json_print_string(out, s->sensor);
	fprintf(out, ",\"file\":");
	json_print_string(out, s->path);
	fprintf(out,
		",\"lines\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"first\":%" PRIu64
		",\"last\":%" PRIu64,
		s->lines, s->bytes, s->first_s, s->last_s);
	for (unsigned i = BATCH_LOG_LONG; i < BATCH_LOG_WHYS; i++)
		fprintf(out, ",\"left_out_%s\":%" PRIu64, batch_log_why_text((enum batch_log_why)i),
			s->left_out[i]);
	fprintf(out,
		",\"gaps\":%" PRIu64 ",\"missing\":%" PRIu64 ",\"between_runs\":%" PRIu64
		",\"opened\":%" PRIu64 ",\"rotated\":%" PRIu64 ",\"unreadable\":%" PRIu64
		",\"shrank\":%" PRIu64 ",\"vanished\":%" PRIu64 ",\"rewritten\":%" PRIu64
		",\"wiped_first\":%" PRIu64 "}",
		s->gaps, s->missing, s->between, s->opened, s->rotated, s->unreadable, s->shrank,
		s->vanished, s->rewritten, s->wiped_s);
}

void report_print_logs(const struct report *r, FILE *out)
{
	fputs(",\n\"logs\":[", out);
	for (size_t i = 0; i < log_sums_count(r->gather.logs); i++) {
		fputs(i ? ",\n" : "\n", out);
		print_object(out, log_sums_at(r->gather.logs, i));
	}
	fputc(']', out);
}
