// SPDX-License-Identifier: Apache-2.0
/*
 * report, on a terminal: what a person needs who was woken for it, on one screen.
 */
#include "analyst/report.h"

#include "evidence/findings.h"
#include "platform/addr.h"

enum { ENDS_SHOWN = 6, GATES_SHOWN = 8 };

static void print_head(const struct report *r, FILE *out)
{
	const struct verdict_evidence *e = &r->evidence;
	char text[SAY_MAX], from[WHEN_TEXT], to[WHEN_TEXT], duration[DURATION_TEXT],
		met[NUMBER_TEXT], all[NUMBER_TEXT];
	const char *sentence;

	fprintf(out, "%s: %s\n", word(r->lang, W_VERDICT), report_verdict_text(r));
	for (unsigned i = 0; (sentence = report_sentence(text, r, i)); i++)
		fprintf(out, "%s\n", sentence);
	fputc('\n', out);
	if (r->o.case_name)
		fprintf(out, "%s: %s\n", word(r->lang, W_CASE), r->o.case_name);
	if (r->o.analyst)
		fprintf(out, "%s: %s\n", word(r->lang, W_ANALYST), r->o.analyst);
	if (r->o.note)
		fprintf(out, "%s: %s\n", word(r->lang, W_NOTE), r->o.note);
	fprintf(out, "%s: %s\n", word(r->lang, W_SPAN),
		e->from_s == e->to_s
			? word(r->lang, W_SPAN_NONE)
			: say(text, r->lang, W_SPAN_TEXT, when_text(from, e->from_s),
			      when_text(to, e->to_s),
			      duration_text(duration, r->lang, e->to_s - e->from_s), NULL));
	fprintf(out, "%s:", word(r->lang, W_SENSORS));
	for (size_t i = 0; i < r->gather.n_sensors; i++)
		fprintf(out, " %s", r->gather.sensors[i].id);
	fprintf(out, "\n%s: %s\n", word(r->lang, W_GATES),
		say(text, r->lang, W_GATES_TEXT, number_text(met, r->verdict.gates_met),
		    number_text(all, r->verdict.gates), NULL));
}

static void print_ends(const struct report *r, FILE *out)
{
	char end[ADDR_ENDPOINT_TEXT], when[WHEN_TEXT], bytes[SAY_MAX], number[NUMBER_TEXT],
		protocol[FINDING_PROTOCOL_TEXT], text[SAY_MAX];
	const struct endpoint_sum *sum;
	uint64_t n = 0;

	if (r->verdict.word == VERDICT_UNEXPECTED_EGRESS)
		fprintf(out, "\n%s:\n", word(r->lang, W_UNEXPECTED_TITLE));
	for (size_t i = 0; (sum = report_next(r, REPORT_UNEXPECTED, &i)); n++) {
		const struct endpoint_digest *d = &sum->digest;
		struct endpoint remote = {.addr = d->remote, .port = d->port, .family = d->family};

		if (n >= ENDS_SHOWN)
			continue;
		fprintf(out, "  %s %s  %s, %s  %s\n", endpoint_text(end, &remote),
			finding_protocol_text(protocol, d->protocol),
			report_outcome_text(r, d->outcome),
			say(bytes, r->lang, W_BYTES, number_text(number, d->bytes_out), NULL),
			when_text(when, d->first));
	}
	if (n > ENDS_SHOWN)
		fprintf(out, "  %s\n",
			say(text, r->lang, W_MORE, number_text(number, n - ENDS_SHOWN), NULL));
}

/* The conditions that are not met, each with its figure. */
static void print_figures(const struct report *r, const struct obligation *o, FILE *out)
{
	char figure[FIGURE_TEXT], bound[FIGURE_TEXT];

	for (const struct condition *c = o->conditions; c->kind != CONDITION_END; c++) {
		if (condition_judge(c, &r->evidence) == OBLIGATION_MET)
			continue;
		(void)bound_text(bound, r->lang, c);
		fprintf(out, "       %s: %s%s%s%s\n", verdict_facts[c->fact].text[r->lang],
			figure_text(figure, r->lang, c->fact, &r->evidence.facts[c->fact]),
			*bound ? " (" : "", bound, *bound ? ")" : "");
	}
}

static void print_gates(const struct report *r, FILE *out)
{
	unsigned shown = 0, open = r->verdict.gates - r->verdict.gates_met;
	char text[SAY_MAX], number[NUMBER_TEXT];

	if (open > 0)
		fputc('\n', out);
	for (size_t i = 0; i < OBLIGATIONS; i++) {
		const struct obligation *o = &obligations[i];

		if (!o->is_gate || r->verdict.obligations[i].state == OBLIGATION_MET)
			continue;
		fprintf(out, "  %2zu  %s: %s\n", i + 1, report_state_text(r, i), o->name[r->lang]);
		if (shown++ >= GATES_SHOWN)
			continue;
		print_figures(r, o, out);
		fprintf(out, "       %s: %s\n", word(r->lang, W_REMEDY), o->remedy[r->lang]);
	}
	(void)text;
	(void)number;
}

void report_print_text(const struct report *r, FILE *out)
{
	print_head(r, out);
	print_ends(r, out);
	print_gates(r, out);
}
