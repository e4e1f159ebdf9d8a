// SPDX-License-Identifier: Apache-2.0
/*
 * report, as one HTML file: no script, nothing fetched, readable printed, on a phone, and by ear.
 */
#include "analyst/report_html.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/strip.h"
#include "platform/addr.h"

enum { ROWS_SHOWN = 300 }; /* of a table; JSON has all */

/* Says that a table was cut. */
static void cut_off(FILE *out, const struct report *r, uint64_t all, const char *command)
{
	char text[SAY_MAX], shown[NUMBER_TEXT], n[NUMBER_TEXT];

	if (all > ROWS_SHOWN)
		html_paragraph(out, say(text, r->lang, W_CUT_OFF, number_text(shown, ROWS_SHOWN),
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
	char text[SAY_MAX], from[WHEN_TEXT], to[WHEN_TEXT], duration[DURATION_TEXT],
		n[2][NUMBER_TEXT];
	const char *sentence;

	fprintf(out, "<header><h1>%s</h1>\n<div class=\"verdict %s\"><strong>",
		word(r->lang, W_TITLE), verdict_key(r->verdict.word));
	html_text(out, report_verdict_text(r));
	fputs("</strong>", out);
	for (unsigned i = 0; (sentence = report_sentence(text, r, i)); i++)
		html_paragraph(out, sentence);
	fputs("</div>\n<dl>\n", out);
	if (r->o.case_name)
		html_term(out, word(r->lang, W_CASE), r->o.case_name);
	if (r->o.analyst)
		html_term(out, word(r->lang, W_ANALYST), r->o.analyst);
	if (r->o.note)
		html_term(out, word(r->lang, W_NOTE), r->o.note);
	html_term(out, word(r->lang, W_SPAN),
		  e->from_s == e->to_s
			  ? word(r->lang, W_SPAN_NONE)
			  : say(text, r->lang, W_SPAN_TEXT, when_text(from, e->from_s),
				when_text(to, e->to_s),
				duration_text(duration, r->lang, e->to_s - e->from_s), NULL));
	for (size_t i = 0; i < r->gather.n_sensors; i++)
		html_term(out, word(r->lang, W_SENSOR), r->gather.sensors[i].id);
	html_term(out, word(r->lang, W_GATES),
		  say(text, r->lang, W_GATES_TEXT, number_text(n[0], r->verdict.gates_met),
		      number_text(n[1], r->verdict.gates), NULL));
	fputs("</dl></header>\n<main>\n", out);
}

/* ---- obligations ---- */

/* `all`: also the conditions that are met. */
static void print_figures(FILE *out, const struct report *r, size_t i, bool all)
{
	char figure[FIGURE_TEXT], bound[FIGURE_TEXT], text[SAY_MAX], line[SAY_MAX];

	fputs("<ul class=\"figures\">", out);
	for (const struct condition *c = obligations[i].conditions; c->kind != CONDITION_END; c++) {
		enum obligation_state state = condition_judge(c, &r->evidence);
		const char *said =
			figure_text(figure, r->lang, c->fact, &r->evidence.facts[c->fact]);

		if (!all && state == OBLIGATION_MET)
			continue;
		if (*bound_text(bound, r->lang, c))
			said = say(text, r->lang, W_PAREN, said, bound, NULL);
		fprintf(out, "<li%s>",
			state == OBLIGATION_NOT_MET   ? " class=\"not_met\""
			: state == OBLIGATION_UNKNOWN ? " class=\"unknown\""
						      : "");
		html_text(out, say(line, r->lang, W_LABEL, verdict_facts[c->fact].text[r->lang],
				   said, NULL));
		fputs("</li>", out);
	}
	fputs("</ul>", out);
}

static void print_reasons(FILE *out, const struct report *r)
{
	if (r->verdict.gates_met == r->verdict.gates)
		return;
	html_heading(out, r->lang, "why", W_OPEN);
	fputs("<ul class=\"gates\">\n", out);
	for (size_t i = 0; i < OBLIGATIONS; i++) {
		enum obligation_state state = r->verdict.obligations[i].state;

		if (!obligations[i].is_gate || state == OBLIGATION_MET)
			continue;
		fprintf(out, "<li><span class=\"%s\">%s</span> %zu. %s",
			obligation_state_key(state), report_state_text(r, i), i + 1,
			obligations[i].name[r->lang]);
		print_figures(out, r, i, false);
		fprintf(out, "%s: ", word(r->lang, W_REMEDY));
		html_text(out, obligations[i].remedy[r->lang]);
		fputs("</li>\n", out);
	}
	fputs("</ul></section>\n", out);
}

static void print_obligations(FILE *out, const struct report *r)
{
	static const enum word columns[] = {W_NUMBER, W_WHAT, W_KIND, W_STATE, W_WHEN, WORDS};

	html_heading(out, r->lang, "obligations", W_OBLIGATIONS_TITLE);
	html_paragraph(out, word(r->lang, W_OBLIGATIONS_NOTE));
	html_table(out, r->lang, 1, columns);
	for (size_t i = 0; i < OBLIGATIONS; i++) {
		const struct obligation_result *result = &r->verdict.obligations[i];
		char from[WHEN_TEXT], to[WHEN_TEXT];

		fprintf(out,
			"<tr id=\"o%zu\"><th scope=\"row\" class=\"n\">%zu</th><td><b>%s</b><br>",
			i + 1, i + 1, obligations[i].name[r->lang]);
		html_text(out, obligations[i].criterion[r->lang]);
		print_figures(out, r, i, true);
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
	fputs("</section>\n", out);
}

/* ---- endpoints ---- */

static void end_cell(FILE *out, uint8_t family, const struct addr *addr, uint16_t port,
		     uint8_t protocol)
{
	struct endpoint end = {.addr = *addr, .port = port, .family = family};
	char text[ADDR_ENDPOINT_TEXT], words[FINDING_PROTOCOL_TEXT];

	fprintf(out, "<td class=\"end\"><code>%s</code> %s</td>",
		port ? endpoint_text(text, &end) : addr_text(text, family, addr),
		finding_protocol_text(words, protocol));
}

static void names_cell(FILE *out, const struct report *r, uint8_t family, const struct addr *addr,
		       const char *name)
{
	const struct label *label = labels_find(r->gather.labels, family, addr);
	char text[SAY_MAX], n[NUMBER_TEXT];

	fputs("<td class=\"name\">", out);
	if (name)
		html_bdi(out, name);
	else if (!label)
		fputs("–", out);
	for (size_t i = 0; label && i < LABELS_NAMES && label->names[i]; i++) {
		if (name && strcmp(name, label->names[i]) == 0)
			continue;
		fputs(i || name ? "<br>" : "", out);
		html_bdi(out, label->names[i]);
	}
	if (label && label->n > LABELS_NAMES)
		fprintf(out, "<br>%s",
			say(text, r->lang, W_MORE, number_text(n, label->n - LABELS_NAMES), NULL));
	fputs("</td>", out);
}

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
	end_cell(out, f->key.family, &f->remote, f->key.port, f->key.protocol);
	names_cell(out, r, f->key.family, &f->remote, f->name);
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

	html_heading(out, r->lang, "unexpected", W_UNEXPECTED_TITLE);
	for (size_t i = 0; (f = report_egress(r, &i)); n++) {
		if (n == 0)
			html_table(out, r->lang, 0x18, columns);
		if (n < ROWS_SHOWN)
			print_finding(out, r, f);
	}
	if (n > 0)
		html_table_end(out);
	else
		html_paragraph(out, word(r->lang, W_UNEXPECTED_NONE));
	cut_off(out, r, n, "flowproof findings");
	fputs("</section>\n", out);
}

/* The title, and in English, the one language that they are written in, the detector's own sentence. */
static void print_what(FILE *out, const struct report *r, const struct finding *f)
{
	char said[FINDING_SENTENCE];

	fprintf(out, "<td><b>%s</b>", kind_text(r->lang, (enum finding_kind)f->key.kind));
	if (f->name || r->lang == VERDICT_EN)
		fputs("<br>", out);
	if (r->lang == VERDICT_EN)
		html_bdi(out, finding_say(said, f));
	else if (f->name)
		html_bdi(out, f->name);
	fputs("</td>", out);
}

static void print_findings(FILE *out, const struct report *r)
{
	static const enum word columns[] = {W_SEVERITY, W_REMOTE, W_FINDING, W_COUNT,
					    W_OUT,      W_IN,     W_FIRST,   WORDS};
	uint64_t n = 0;

	html_heading(out, r->lang, "findings", W_FINDINGS_TITLE);
	for (size_t i = 0; i < r->gather.n_found; i++) {
		const struct finding *f = r->gather.found[i];
		if (gather_weigh(&r->gather, f) == GATHER_EGRESS &&
		    f->key.kind == FINDING_UNEXPECTED_EGRESS)
			continue;
		if (n++ == 0)
			html_table(out, r->lang, 0x38, columns);
		if (n > ROWS_SHOWN)
			continue;
		fprintf(out, "<tr><td>%s</td>",
			severity_text(r->lang, (enum finding_severity)f->severity));
		end_cell(out, f->key.family, &f->remote, f->key.port, f->key.protocol);
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
	cut_off(out, r, n, "flowproof findings");
	fputs("</section>\n", out);
}

static const char *verdict_text(const struct report *r, uint8_t verdict)
{
	return word(r->lang, verdict == FLOWREC_EXPECTED  ? W_EXPECTED
			     : verdict == FLOWREC_WATCHED ? W_WATCHED
							  : W_UNEXPECTED_INBOUND);
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
		if (n >= ROWS_SHOWN)
			continue;
		fputs("<tr>", out);
		end_cell(out, d->family, &d->remote, d->port, d->protocol);
		names_cell(out, r, d->family, &d->remote, NULL);
		html_cell(out, sum->rule ? sum->rule : word(r->lang, W_NO_RULE));
		html_cell(out, verdict_text(r, d->verdict));
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
	cut_off(out, r, n, "flowproof records --endpoints");
}

static void print_allowed(FILE *out, const struct report *r)
{
	html_heading(out, r->lang, "allowed", W_ALLOWED_TITLE);
	html_paragraph(out, word(r->lang, W_ALLOWED_NOTE));
	print_ends(out, r, REPORT_ALLOWED);
	fputs("</section>\n", out);
	html_heading(out, r->lang, "inbound", W_INBOUND_TITLE);
	print_ends(out, r, REPORT_INBOUND);
	fputs("</section>\n", out);
}

static void print_dns(FILE *out, const struct report *r)
{
	static const enum word columns[] = {W_DOMAIN,      W_QUESTIONS, W_DNS_NAMES, W_DNS_FAILED,
					    W_COUNT_BYTES, W_FIRST,     W_LAST,      WORDS};

	html_heading(out, r->lang, "dns", W_DNS_TITLE);
	if (r->n_domains == 0)
		html_paragraph(out, word(r->lang, r->evidence.facts[FACT_DNS_MESSAGES].whole
							  ? W_DNS_NONE
							  : W_DNS_UNKNOWN));
	else
		html_table(out, r->lang, 0x1e, columns);
	for (size_t i = 0; i < r->n_domains && i < ROWS_SHOWN; i++) {
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
	cut_off(out, r, r->n_domains, "flowproof report --json -");
	fputs("</section>\n", out);
}

/* ---- time ---- */

static void print_legend(FILE *out, const struct report *r)
{
	static const struct {
		const char *name;
		enum word word;
		int height;
	} states[] = {{"ok", W_STRIP_OK, 10},
		      {"nodata", W_STRIP_NODATA, 4},
		      {"skipped", W_STRIP_SKIPPED, 13},
		      {"gap", W_STRIP_GAP, 13}};

	fputs("<ul class=\"legend\">", out);
	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
		fprintf(out,
			"<li><svg viewBox=\"0 0 20 14\" aria-hidden=\"true\"><rect class=\"%s\" "
			"y=\"%d\" width=\"20\" "
			"height=\"%d\"/></svg>%s</li>",
			states[i].name, 14 - states[i].height, states[i].height,
			word(r->lang, states[i].word));
	fputs("</ul>\n", out);
}

static void print_strips(FILE *out, const struct report *r)
{
	html_heading(out, r->lang, "strip", W_STRIP_TITLE);
	for (size_t i = 0; i < r->gather.n_sensors; i++)
		html_strip(out, r->lang, &r->gather.sensors[i]);
	if (r->gather.n_sensors > 0)
		print_legend(out, r);
	else
		html_paragraph(out, word(r->lang, W_SPAN_NONE));
	fputs("</section>\n", out);
}

void report_print_html(const struct report *r, FILE *out)
{
	print_head(out, r);
	print_verdict(out, r);
	print_reasons(out, r);
	print_strips(out, r);
	print_unexpected(out, r);
	print_findings(out, r);
	print_allowed(out, r);
	print_dns(out, r);
	html_witness(out, r);
	html_integrity(out, r);
	print_obligations(out, r);
	html_rest(out, r);
	fputs("</main>\n</body>\n</html>\n", out);
}
