// SPDX-License-Identifier: Apache-2.0
/*
 * report, as one HTML file: no script, nothing fetched, readable printed, on a phone, and by ear.
 */
#include "analyst/report_html.h"

#include <inttypes.h>
#include <string.h>

#include "evidence/html_verdict.h"
#include "evidence/strip.h"

void html_cut_off(FILE *out, const struct report *r, uint64_t all, const char *command)
{
	char text[SAY_MAX], shown[NUMBER_TEXT], n[NUMBER_TEXT];

	if (all > HTML_ROWS)
		html_paragraph(out, say(text, r->lang, W_CUT_OFF, number_text(shown, HTML_ROWS),
					number_text(n, all), command, NULL));
}

/* ---- head ---- */

static void print_head(FILE *out, const struct report *r)
{
	fprintf(out,
		"<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"style-src "
		"'unsafe-inline'\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>",
		r->lang == VERDICT_JA ? "ja" : "en");
	html_text(out, word(r->lang, W_TITLE));
	fputs(": ", out);
	html_text(out, report_verdict_text(r));
	fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", html_style);
	fputs("<svg width=\"0\" height=\"0\" aria-hidden=\"true\" "
	      "style=\"position:absolute\"><defs><pattern id=\"hatch\" "
	      "width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><path d=\"M0 6 6 "
	      "0\"/></pattern></defs></svg>\n",
	      out);
}

static void print_verdict(FILE *out, const struct report *r)
{
	const struct verdict_evidence *e = &r->evidence;

	fprintf(out, "<header><h1>%s</h1>\n", word(r->lang, W_TITLE));
	html_verdict(out, r->lang, &r->verdict, e);
	fputs("<dl>\n", out);
	if (r->o.case_name)
		html_term(out, word(r->lang, W_CASE), r->o.case_name);
	if (r->o.analyst)
		html_term(out, word(r->lang, W_ANALYST), r->o.analyst);
	if (r->o.note)
		html_term(out, word(r->lang, W_NOTE), r->o.note);
	html_span(out, r->lang, e);
	for (size_t i = 0; i < r->gather.n_sensors; i++)
		html_term(out, word(r->lang, W_SENSOR), r->gather.sensors[i].id);
	html_gates(out, r->lang, &r->verdict);
	fputs("</dl></header>\n<main>\n", out);
}

/* ---- obligations ---- */

static void print_obligations(FILE *out, const struct report *r)
{
	static const enum word columns[] = {W_NUMBER, W_WHAT, W_KIND, W_STATE, W_WHEN, WORDS};

	html_paragraph(out, word(r->lang, W_OBLIGATIONS_NOTE));
	html_table(out, r->lang, 1, columns);
	for (size_t i = 0; i < OBLIGATIONS; i++) {
		const struct obligation_result *result = &r->verdict.obligations[i];
		char from[WHEN_TEXT], to[WHEN_TEXT];

		fprintf(out,
			"<tr id=\"o%zu\"><th scope=\"row\" class=\"n\">%zu</th><td><b>%s</b><br>",
			i + 1, i + 1, obligations[i].name[r->lang]);
		html_text(out, obligations[i].criterion[r->lang]);
		html_figures(out, r->lang, &r->evidence, i, true);
		fprintf(out, "</td><td>%s</td><td class=\"%s\">%s</td>",
			word(r->lang, obligations[i].is_gate ? W_GATE : W_DISCLOSURE),
			obligation_state_key(result->state), report_state_text(r, i));
		if (result->state == OBLIGATION_MET || result->first == result->last)
			fputs("<td>–</td></tr>\n", out);
		else
			fprintf(out, "<td>%s –<br>%s</td></tr>\n", when_text(from, result->first),
				when_text(to, result->last));
	}
	html_table_end(out);
}

/* ---- endpoints ---- */

static void spark_cell(FILE *out, const struct report *r, const char *sensor,
		       const struct peer_key *key)
{
	fputs("<td>", out);
	html_spark(out, r, courses_find(r->courses, r->n_courses, sensor, key));
	fputs("</td>", out);
}

static void print_finding(FILE *out, const struct report *r, const struct finding *f)
{
	struct peer_key key = {.remote = f->key.remote,
			       .port = f->key.port,
			       .family = f->key.family,
			       .protocol = f->key.protocol,
			       .direction = f->key.direction};
	struct finding_origin origin;

	findings_origin(r->gather.findings, f, &origin);
	fputs("<tr>", out);
	html_end(out, f->key.family, &f->remote, f->key.port, f->key.protocol);
	html_names(out, r->gather.labels, f->key.family, &f->remote, finding_name(r->lang, f));
	fputs("<td>", out);
	html_text(out, report_outcome_text(r, f->outcome));
	if (f->key.kind != FINDING_UNEXPECTED_EGRESS)
		fprintf(out, "<br>%s", kind_text(r->lang, (enum finding_kind)f->key.kind));
	fputs("</td>", out);
	html_number(out, f->traffic.bytes_out);
	html_number(out, f->traffic.bytes_in);
	html_when(out, f->first);
	spark_cell(out, r, origin.sensor, &key);
	fputs("</tr>\n", out);
}

static void print_unexpected(FILE *out, const struct report *r)
{
	static const enum word columns[] = {W_REMOTE, W_NAMES, W_REACHED, W_OUT,
					    W_IN,     W_FIRST, W_COURSE,  WORDS};
	const struct finding *f;
	uint64_t n = 0;

	for (size_t i = 0; (f = report_egress(r, &i)); n++) {
		if (n == 0)
			html_table(out, r->lang, 0x18, columns);
		if (n < HTML_ROWS)
			print_finding(out, r, f);
	}
	if (n > 0)
		html_table_end(out);
	else
		html_paragraph(out, word(r->lang, W_UNEXPECTED_NONE));
	html_cut_off(out, r, n, "flowproof findings");
}

/* The title, and the sentence. */
static void print_what(FILE *out, const struct report *r, const struct finding *f)
{
	char said[FINDING_SENTENCE];

	fprintf(out, "<td><b>%s</b><br>", kind_text(r->lang, (enum finding_kind)f->key.kind));
	html_bdi(out, finding_say(said, r->lang, f));
	fputs("</td>", out);
}

static void print_findings(FILE *out, const struct report *r)
{
	static const enum word columns[] = {W_SEVERITY, W_REMOTE, W_FINDING, W_COUNT,
					    W_OUT,      W_IN,     W_FIRST,   WORDS};
	uint64_t n = 0;

	for (size_t i = 0; i < r->gather.n_found; i++) {
		const struct finding *f = r->gather.found[i];
		if (gather_weigh(&r->gather, f) == GATHER_EGRESS &&
		    f->key.kind == FINDING_UNEXPECTED_EGRESS)
			continue;
		if (n++ == 0)
			html_table(out, r->lang, 0x38, columns);
		if (n > HTML_ROWS)
			continue;
		fprintf(out, "<tr><td>%s</td>",
			severity_text(r->lang, (enum finding_severity)f->severity));
		html_end(out, f->key.family, &f->remote, f->key.port, f->key.protocol);
		print_what(out, r, f);
		html_number(out, f->count);
		html_number(out, f->traffic.bytes_out);
		html_number(out, f->traffic.bytes_in);
		html_when(out, f->first);
		fputs("</tr>\n", out);
	}
	if (n > 0)
		html_table_end(out);
	else
		html_paragraph(out, word(r->lang, W_FINDINGS_NONE));
	html_cut_off(out, r, n, "flowproof findings");
}

static void print_ends(FILE *out, const struct report *r, enum report_part part)
{
	static const enum word columns[] = {W_REMOTE, W_NAMES, W_RULE,  W_STATE, W_REACHED,
					    W_OUT,    W_IN,    W_FLOWS, W_FIRST, WORDS};
	const struct endpoint_sum *sum;
	uint64_t n = 0;

	for (size_t i = 0; (sum = report_next(r, part, &i)); n++) {
		const struct endpoint_digest *d = &sum->digest;

		if (n == 0)
			html_table(out, r->lang, 0xe0, columns);
		if (n >= HTML_ROWS)
			continue;
		fputs("<tr>", out);
		html_end(out, d->family, &d->remote, d->port, d->protocol);
		html_names(out, r->gather.labels, d->family, &d->remote, NULL);
		html_cell(out, sum->rule ? sum->rule : word(r->lang, W_NO_RULE));
		html_cell(out, flow_verdict_text(r->lang, d->verdict));
		html_cell(out, report_outcome_text(r, d->outcome));
		html_number(out, d->bytes_out);
		html_number(out, d->bytes_in);
		html_number(out, d->flows);
		html_when(out, d->first);
		fputs("</tr>\n", out);
	}
	if (n > 0)
		html_table_end(out);
	else
		html_paragraph(out, word(r->lang,
					 part == REPORT_ALLOWED ? W_ALLOWED_NONE : W_INBOUND_NONE));
	html_cut_off(out, r, n, "flowproof records --endpoints");
}

static void print_allowed(FILE *out, const struct report *r)
{
	html_paragraph(out, word(r->lang, W_ALLOWED_NOTE));
	html_paragraph(out, word(r->lang, W_BYTES_NOTE));
	print_ends(out, r, REPORT_ALLOWED);
}

static void print_inbound(FILE *out, const struct report *r)
{
	print_ends(out, r, REPORT_INBOUND);
}

static void print_dns(FILE *out, const struct report *r)
{
	static const enum word columns[] = {W_DOMAIN,      W_QUESTIONS, W_DNS_NAMES, W_DNS_FAILED,
					    W_COUNT_BYTES, W_FIRST,     W_LAST,      WORDS};

	if (r->n_domains == 0)
		html_paragraph(out, word(r->lang, r->evidence.facts[FACT_DNS_MESSAGES].whole
							  ? W_DNS_NONE
							  : W_DNS_UNKNOWN));
	else
		html_table(out, r->lang, 0x1e, columns);
	for (size_t i = 0; i < r->n_domains && i < HTML_ROWS; i++) {
		const struct label_domain *d = r->domains[i];

		fputs("<tr>", out);
		html_cell(out, d->name);
		html_number(out, d->questions);
		html_number(out, d->names);
		html_number(out, d->failed);
		html_number(out, d->bytes);
		html_when(out, d->first);
		html_when(out, d->last);
		fputs("</tr>\n", out);
	}
	if (r->n_domains > 0)
		html_table_end(out);
	html_cut_off(out, r, r->n_domains, "flowproof report --json -");
}

/* ---- time ---- */

static void print_strips(FILE *out, const struct report *r)
{
	for (size_t i = 0; i < r->gather.n_sensors; i++)
		html_strip(out, r->lang, &r->gather.sensors[i], STRIP_WHOLE);
	if (r->gather.n_sensors > 0)
		html_strip_legend(out, r->lang);
	else
		html_paragraph(out, word(r->lang, W_SPAN_NONE));
}

/* ---- sections ---- */

static bool has_original(const struct report *r)
{
	return r->n_given > 0;
}

static bool has_inventory(const struct report *r)
{
	return r->inventory != NULL;
}

static bool has_installed(const struct report *r)
{
	return r->installed != NULL;
}

/* In this order; one is left out where `is_there` says so. */
static const struct {
	const char *id;
	enum word title;
	html_section *print;
	bool (*is_there)(const struct report *report);
} sections[] = {
	{"strip", W_STRIP_TITLE, print_strips, NULL},
	{"unexpected", W_UNEXPECTED_TITLE, print_unexpected, NULL},
	{"findings", W_FINDINGS_TITLE, print_findings, NULL},
	{"allowed", W_ALLOWED_TITLE, print_allowed, NULL},
	{"inbound", W_INBOUND_TITLE, print_inbound, NULL},
	{"dns", W_DNS_TITLE, print_dns, NULL},
	{"logs", W_LOGS_TITLE, html_logs, report_has_logs},
	{"witness", W_WITNESS_TITLE, html_witness, NULL},
	{"integrity", W_AUDIT_TITLE, html_integrity, NULL},
	{"obligations", W_OBLIGATIONS_TITLE, print_obligations, NULL},
	{"original", W_ORIGINAL_TITLE, html_original, has_original},
	{"inventory", W_INVENTORY_TITLE, html_inventory, has_inventory},
	{"installed", W_INSTALLED_TITLE, html_installed, has_installed},
	{"limits", W_LIMITS_TITLE, html_limits, NULL},
	{"check", W_CHECK_TITLE, html_checks, NULL},
	{"digests", W_DIGESTS_TITLE, html_digests, NULL},
};

void report_print_html(const struct report *r, FILE *out)
{
	print_head(out, r);
	print_verdict(out, r);
	html_open_gates(out, r->lang, &r->verdict, &r->evidence);
	for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
		if (sections[i].is_there && !sections[i].is_there(r))
			continue;
		html_heading(out, r->lang, sections[i].id, sections[i].title);
		sections[i].print(out, r);
		fputs("</section>\n", out);
	}
	fputs("</main>\n</body>\n</html>\n", out);
}
