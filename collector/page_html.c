// SPDX-License-Identifier: Apache-2.0
/*
 * page, the sections: tables cut at what can be looked through, the gravest first, with the count of the rest. No
 * attribute of style and no script stands in them: the page's own policy forbids both.
 */
#include <inttypes.h>
#include <string.h>

#include "collector/page_parts.h"
#include "evidence/html.h"
#include "evidence/html_verdict.h"
#include "evidence/strip.h"
#include "evidence/verdict_say.h"
#include "platform/clock.h"

enum { SENSORS = 200, STRIPS = 10 };

const char *const page_section_ids[PAGE_SECTIONS] = {
	[PAGE_NOW] = "s-now",
	[PAGE_VERDICT] = "s-verdict",
	[PAGE_SENSORS] = "s-sensors",
	[PAGE_STRIPS] = "s-strips",
	[PAGE_UNEXPECTED] = "s-unexpected",
	[PAGE_FINDINGS] = "s-findings",
	[PAGE_ALLOWED] = "s-allowed",
	[PAGE_GATES] = "s-gates",
};

static void say_rest(FILE *out, enum verdict_lang lang, uint64_t all, uint64_t shown)
{
	char text[SAY_MAX], n[NUMBER_TEXT];

	if (all > shown)
		html_paragraph(out, say(text, lang, W_MORE, number_text(n, all - shown), NULL));
}

static void end_section(FILE *out)
{
	fputs("</section>\n", out);
}

/* ---- now ---- */

static void print_now(FILE *out, const struct page_state *s, enum verdict_lang lang)
{
	char text[SAY_MAX], when[WHEN_TEXT], n[NUMBER_TEXT];

	if (s->number == 0) {
		html_paragraph(out, word(lang, W_PAGE_READING));
		return;
	}
	html_paragraph(out,
		       say(text, lang, W_PAGE_AS_OF, when_text(when, s->made_ns / NS_PER_S), NULL));
	if (page_state_is_behind(s))
		html_paragraph(out, say(text, lang, W_PAGE_BEHIND,
					number_text(n, follow_read(s->follow)), NULL));
	if (s->trouble.text[0])
		html_paragraph(out, say(text, lang, W_PAGE_TROUBLE, s->trouble.text, NULL));
}

static void print_verdict(FILE *out, const struct page_state *s, enum verdict_lang lang)
{
	html_heading(out, lang, "verdict", W_PAGE_SO_FAR);
	html_verdict(out, lang, &s->verdict, &s->evidence);
	fputs("<dl>", out);
	html_span(out, lang, &s->evidence);
	html_gates(out, lang, &s->verdict);
	fputs("</dl>", out);
	end_section(out);
}

/* ---- sensors ---- */

static void print_offset(FILE *out, enum verdict_lang lang, const struct page_sensor *sensor)
{
	char text[SAY_MAX], ms[NUMBER_TEXT + 1], way[NUMBER_TEXT];
	int64_t off = sensor->offset_ns;

	if (!sensor->has_clock) {
		fprintf(out, "<td class=\"n\">%s</td>", word(lang, W_UNKNOWN));
		return;
	}
	ms[0] = '-';
	(void)number_text(ms + (off < 0), (off < 0 ? -(uint64_t)off : (uint64_t)off) / NS_PER_MS);
	fprintf(out, "<td class=\"n\">%s</td>",
		say(text, lang, W_PAGE_OFFSET, ms, number_text(way, sensor->way_ns / 2 / NS_PER_MS),
		    NULL));
}

static void print_drops(FILE *out, enum verdict_lang lang, uint64_t n, bool is_known)
{
	char text[SAY_MAX], number[NUMBER_TEXT];

	(void)number_text(number, n);
	fprintf(out, "<td class=\"n%s\">%s</td>", n > 0 ? " not_met" : "",
		is_known ? number
		: n > 0  ? say(text, lang, W_AT_LEAST_N, number, NULL)
			 : word(lang, W_UNKNOWN));
}

static void print_sensor(FILE *out, enum verdict_lang lang, const struct page_sensor *sensor,
			 uint64_t now_ns)
{
	static const struct {
		const char *class;
		enum word word;
	} states[PAGE_HEARD] = {[PAGE_LIVE] = {"met", W_PAGE_LIVE},
				[PAGE_SILENT] = {"not_met", W_PAGE_SILENT},
				[PAGE_ENDED] = {"dim", W_PAGE_ENDED}};
	uint64_t age = now_ns > sensor->heard_ns ? (now_ns - sensor->heard_ns) / NS_PER_S : 0;
	char duration[DURATION_TEXT];

	fputs("<tr><th scope=\"row\">", out);
	html_text(out, sensor->id);
	fprintf(out, "</th><td class=\"%s\">%s%s%s</td>", states[sensor->heard].class,
		word(lang, states[sensor->heard].word), sensor->is_replay ? "<br>" : "",
		sensor->is_replay ? word(lang, W_RUN_REPLAY) : "");
	html_when(out, sensor->heard_ns / NS_PER_S);
	fprintf(out, "<td class=\"n\">%s</td>", duration_text(duration, lang, age));
	print_offset(out, lang, sensor);
	html_number(out, sensor->records);
	html_number(out, sensor->packets);
	print_drops(out, lang, sensor->kernel_dropped, sensor->kernel_known);
	print_drops(out, lang, sensor->nic_dropped, sensor->nic_known);
	print_drops(out, lang, sensor->given_up + sensor->gap_batches, true);
	fputs("</tr>\n", out);
}

static void print_sensors(FILE *out, const struct page_state *s, enum verdict_lang lang)
{
	static const enum word columns[] = {W_SENSOR,        W_STATE,       W_PAGE_HEARD,
					    W_PAGE_AGE,      W_PAGE_CLOCK,  W_PAGE_RECORDS,
					    W_COUNT_PACKETS, W_PAGE_KERNEL, W_PAGE_NIC,
					    W_PAGE_SPOOL,    WORDS};

	html_heading(out, lang, "sensors", W_PAGE_SENSORS);
	if (s->n_sensors > 0)
		html_table(out, lang, 0x3f8, columns);
	else
		html_paragraph(out, word(lang, W_PAGE_NO_SENSOR));
	for (size_t i = 0; i < s->n_sensors && i < SENSORS; i++)
		print_sensor(out, lang, &s->list[i], s->made_ns);
	if (s->n_sensors > 0)
		html_table_end(out);
	say_rest(out, lang, s->n_sensors, SENSORS);
	end_section(out);
}

static void print_strips(FILE *out, const struct page_state *s, enum verdict_lang lang)
{
	uint64_t n = 0;

	html_heading(out, lang, "strip", W_STRIP_TITLE);
	for (size_t i = 0; i < s->n_sensors; i++) {
		const struct gather_sensor *sensor = gather_sensor(&s->gather, s->list[i].id);

		if (sensor && n++ < STRIPS)
			html_strip(out, lang, sensor, STRIP_SHORT);
	}
	if (n > 0)
		html_strip_legend(out, lang);
	else
		html_paragraph(out, word(lang, W_SPAN_NONE));
	say_rest(out, lang, n, STRIPS);
	end_section(out);
}

/* ---- endpoints and findings ---- */

static void print_traffic(FILE *out, const struct finding *f, const struct finding_origin *origin)
{
	html_number(out, f->traffic.bytes_out);
	html_number(out, f->traffic.bytes_in);
	html_when(out, f->last);
	html_cell(out, origin->sensor);
	fputs("</tr>\n", out);
}

static void print_end(FILE *out, const struct page_state *s, enum verdict_lang lang,
		      const struct finding *f)
{
	struct finding_origin origin;

	findings_origin(s->gather.findings, f, &origin);
	fputs("<tr>", out);
	html_end(out, f->key.family, &f->remote, f->key.port, f->key.protocol);
	html_names(out, s->gather.labels, f->key.family, &f->remote, finding_name(lang, f));
	html_cell(out, outcome_text(lang, f->outcome));
	print_traffic(out, f, &origin);
}

static void print_finding(FILE *out, const struct page_state *s, enum verdict_lang lang,
			  const struct finding *f)
{
	struct finding_origin origin;

	findings_origin(s->gather.findings, f, &origin);
	fprintf(out, "<tr><td>%s</td>", severity_text(lang, (enum finding_severity)f->severity));
	html_cell(out, kind_text(lang, (enum finding_kind)f->key.kind));
	html_end(out, f->key.family, &f->remote, f->key.port, f->key.protocol);
	html_names(out, s->gather.labels, f->key.family, &f->remote, finding_name(lang, f));
	print_traffic(out, f, &origin);
}

typedef void row_fn(FILE *out, const struct page_state *s, enum verdict_lang lang,
		    const struct finding *f);

static void print_found(FILE *out, const struct page_state *s, enum verdict_lang lang,
			const struct page_rows *rows, row_fn *print, unsigned numbers,
			const enum word *columns)
{
	if (rows->n > 0)
		html_table(out, lang, numbers, columns);
	else
		html_paragraph(
			out, word(lang, rows == &s->egress ? W_UNEXPECTED_NONE : W_FINDINGS_NONE));
	for (size_t i = 0; i < rows->n && i < PAGE_ROWS; i++)
		print(out, s, lang, rows->list[i]);
	if (rows->n > 0)
		html_table_end(out);
	say_rest(out, lang, rows->n, PAGE_ROWS);
	end_section(out);
}

static void print_unexpected(FILE *out, const struct page_state *s, enum verdict_lang lang)
{
	static const enum word columns[] = {W_REMOTE, W_NAMES, W_REACHED, W_OUT,
					    W_IN,     W_LAST,  W_SENSOR,  WORDS};

	html_heading(out, lang, "unexpected", W_UNEXPECTED_TITLE);
	print_found(out, s, lang, &s->egress, print_end, 0x18, columns);
}

static void print_findings(FILE *out, const struct page_state *s, enum verdict_lang lang)
{
	static const enum word columns[] = {W_SEVERITY, W_FINDING, W_REMOTE, W_NAMES, W_OUT,
					    W_IN,       W_LAST,    W_SENSOR, WORDS};

	html_heading(out, lang, "findings", W_FINDINGS_TITLE);
	print_found(out, s, lang, &s->others, print_finding, 0x30, columns);
}

static void print_allowed(FILE *out, const struct page_state *s, enum verdict_lang lang)
{
	static const enum word columns[] = {W_REMOTE, W_NAMES, W_RULE, W_STATE,  W_REACHED,
					    W_OUT,    W_IN,    W_LAST, W_SENSOR, WORDS};
	const struct endpoint_sum *const *list = s->allowed;
	uint64_t n = s->n_allowed;

	html_heading(out, lang, "allowed", W_ALLOWED_TITLE);
	if (n > 0)
		html_table(out, lang, 0x60, columns);
	else
		html_paragraph(out, word(lang, W_ALLOWED_NONE));
	for (size_t i = 0; i < n && i < PAGE_ROWS; i++) {
		const struct endpoint_digest *d = &list[i]->digest;

		fputs("<tr>", out);
		html_end(out, d->family, &d->remote, d->port, d->protocol);
		html_names(out, s->gather.labels, d->family, &d->remote, NULL);
		html_cell(out, list[i]->rule ? list[i]->rule : word(lang, W_NO_RULE));
		html_cell(out, flow_verdict_text(lang, d->verdict));
		html_cell(out, outcome_text(lang, d->outcome));
		html_number(out, d->bytes_out);
		html_number(out, d->bytes_in);
		html_when(out, d->last);
		html_cell(out, list[i]->sensor);
		fputs("</tr>\n", out);
	}
	if (n > 0)
		html_table_end(out);
	say_rest(out, lang, n, PAGE_ROWS);
	end_section(out);
}

void page_print_section(FILE *out, const struct page_state *s, enum verdict_lang lang,
			enum page_section section)
{
	if (s->number == 0 && section != PAGE_NOW)
		return;
	switch (section) {
	case PAGE_NOW: print_now(out, s, lang); break;
	case PAGE_VERDICT: print_verdict(out, s, lang); break;
	case PAGE_SENSORS: print_sensors(out, s, lang); break;
	case PAGE_STRIPS: print_strips(out, s, lang); break;
	case PAGE_UNEXPECTED: print_unexpected(out, s, lang); break;
	case PAGE_FINDINGS: print_findings(out, s, lang); break;
	case PAGE_ALLOWED: print_allowed(out, s, lang); break;
	case PAGE_GATES: html_open_gates(out, lang, &s->verdict, &s->evidence); break;
	case PAGE_SECTIONS: break;
	}
}

/* ---- around them ---- */

void page_print_begin(FILE *out, enum verdict_lang lang, uint64_t number, bool has_report)
{
	bool ja = lang == VERDICT_JA;

	fprintf(out,
		"<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<title>%s</title>\n<link rel=\"icon\" href=\"data:,\">\n"
		"<link rel=\"stylesheet\" href=\"page.css\">\n"
		"<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\n"
		"<script src=\"page.js\" defer></script>\n</head>\n<body data-state=\"%" PRIu64
		"\">\n"
		"<svg class=\"defs\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs><pattern "
		"id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><path "
		"d=\"M0 6 "
		"6 0\"/></pattern></defs></svg>\n",
		ja ? "ja" : "en", word(lang, W_PAGE_TITLE), number);
	fprintf(out,
		"<header><h1>%s</h1>\n<p id=\"live\" class=\"dim\" role=\"status\" data-on=\"%s\" "
		"data-off=\"%s\">%s</p>\n<nav><ul class=\"links\">",
		word(lang, W_PAGE_TITLE), word(lang, W_PAGE_ON), word(lang, W_PAGE_OFF),
		word(lang, W_PAGE_STATIC));
	if (has_report)
		fprintf(out,
			"<li>%s%s<a href=\"report.html?lang=%s\">HTML</a>, <a "
			"href=\"report.json?lang=%s\">JSON</a></li>",
			word(lang, W_PAGE_REPORT), ja ? "：" : ": ", ja ? "ja" : "en",
			ja ? "ja" : "en");
	else
		fprintf(out, "<li>%s%s<code>flowproof report</code></li>",
			word(lang, W_PAGE_REPORT), ja ? "：" : ": ");
	fprintf(out,
		"<li><a href=\"?lang=%s\" hreflang=\"%s\" "
		"lang=\"%s\">%s</a></li></ul></nav></header>\n<main>\n",
		ja ? "en" : "ja", ja ? "en" : "ja", ja ? "en" : "ja", ja ? "English" : "日本語");
}

void page_print_end(FILE *out)
{
	fputs("</main>\n</body>\n</html>\n", out);
}
