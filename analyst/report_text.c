// SPDX-License-Identifier: Apache-2.0
/*
 * report, on a terminal: what a person needs who was woken for it, on one screen.
 */
#include "analyst/report.h"

#include "platform/addr.h"

enum { ENDS_SHOWN = 6, GATES_SHOWN = 5 /* with their figures; the others by name */ };

static void line(FILE *out, const struct report *r, const char *indent, const char *label,
		 const char *value)
{
	char text[SAY_MAX];

	fprintf(out, "%s%s\n", indent, say(text, r->lang, W_LABEL, label, value, NULL));
}

static void print_head(const struct report *r, FILE *out)
{
	const struct verdict_evidence *e = &r->evidence;
	char text[SAY_MAX], from[WHEN_TEXT], to[WHEN_TEXT], duration[DURATION_TEXT],
		met[NUMBER_TEXT], all[NUMBER_TEXT];
	const char *sentence;

	line(out, r, "", word(r->lang, W_VERDICT), report_verdict_text(r));
	for (unsigned i = 0; (sentence = report_sentence(text, r, i)); i++)
		fprintf(out, "%s\n", sentence);
	fputc('\n', out);
	if (r->o.case_name)
		line(out, r, "", word(r->lang, W_CASE), r->o.case_name);
	if (r->o.analyst)
		line(out, r, "", word(r->lang, W_ANALYST), r->o.analyst);
	if (r->o.note)
		line(out, r, "", word(r->lang, W_NOTE), r->o.note);
	line(out, r, "", word(r->lang, W_SPAN),
	     e->from_s == e->to_s
		     ? word(r->lang, W_SPAN_NONE)
		     : say(text, r->lang, W_SPAN_TEXT, when_text(from, e->from_s),
			   when_text(to, e->to_s),
			   duration_text(duration, r->lang, e->to_s - e->from_s), NULL));
	for (size_t i = 0; i < r->gather.n_sensors; i++)
		line(out, r, "", word(r->lang, W_SENSOR), r->gather.sensors[i].id);
	line(out, r, "", word(r->lang, W_GATES),
	     say(text, r->lang, W_GATES_TEXT, number_text(met, r->verdict.gates_met),
		 number_text(all, r->verdict.gates), NULL));
}

/* How far it got, and how much went out; of what a detector found its kind. */
static const char *course_text(char out[static SAY_MAX], const struct report *r,
			       const struct finding *f)
{
	char bytes[SAY_MAX], number[NUMBER_TEXT], text[SAY_MAX];

	(void)say(bytes, r->lang, W_BYTES, number_text(number, f->traffic.bytes_out), NULL);
	(void)say(text, r->lang, W_COMMA, report_outcome_text(r, f->outcome), bytes, NULL);
	return f->key.kind == FINDING_UNEXPECTED_EGRESS
		       ? say(out, r->lang, W_PLAIN, text, NULL)
		       : say(out, r->lang, W_PAREN, text,
			     kind_text(r->lang, (enum finding_kind)f->key.kind), NULL);
}

static void print_ends(const struct report *r, FILE *out)
{
	char end[ADDR_ENDPOINT_TEXT], when[WHEN_TEXT], number[NUMBER_TEXT],
		protocol[FINDING_PROTOCOL_TEXT], text[SAY_MAX];
	const struct finding *f;
	uint64_t n = 0;

	for (size_t i = 0; (f = report_egress(r, &i)); n++) {
		struct endpoint remote = {
			.addr = f->remote, .port = f->key.port, .family = f->key.family};

		if (n == 0)
			fprintf(out, "\n%s\n", word(r->lang, W_UNEXPECTED_TITLE));
		if (n >= ENDS_SHOWN)
			continue;
		fprintf(out, "  %s %s%s%s  %s  %s\n", endpoint_text(end, &remote),
			finding_protocol_text(protocol, f->key.protocol), f->name ? "  " : "",
			f->name ? finding_name(r->lang, f) : "", course_text(text, r, f),
			when_text(when, f->first));
	}
	if (n > ENDS_SHOWN)
		fprintf(out, "  %s\n",
			say(text, r->lang, W_MORE, number_text(number, n - ENDS_SHOWN), NULL));
}

/* The conditions that fail, each with its figure; without any what is not known. */
static void print_figures(const struct report *r, size_t number, FILE *out)
{
	char figure[FIGURE_TEXT], bound[FIGURE_TEXT], text[SAY_MAX];

	for (const struct condition *c = obligations[number].conditions; c->kind != CONDITION_END;
	     c++) {
		const char *said =
			figure_text(figure, r->lang, c->fact, &r->evidence.facts[c->fact]);

		if (condition_judge(c, &r->evidence) != r->verdict.obligations[number].state)
			continue;
		if (*bound_text(bound, r->lang, c))
			said = say(text, r->lang, W_PAREN, said, bound, NULL);
		line(out, r, "       ", verdict_facts[c->fact].text[r->lang], said);
	}
}

static void print_gates(const struct report *r, FILE *out)
{
	char label[128];
	unsigned shown = 0;

	if (r->verdict.gates > r->verdict.gates_met)
		fputc('\n', out);
	for (size_t i = 0; i < OBLIGATIONS; i++) {
		const struct obligation *o = &obligations[i];

		if (!o->is_gate || r->verdict.obligations[i].state == OBLIGATION_MET)
			continue;
		(void)snprintf(label, sizeof label, "%2zu  %s", i + 1, report_state_text(r, i));
		line(out, r, "  ", label, o->name[r->lang]);
		if (shown++ >= GATES_SHOWN)
			continue;
		print_figures(r, i, out);
		line(out, r, "       ", word(r->lang, W_REMEDY), o->remedy[r->lang]);
	}
}

void report_print_text(const struct report *r, FILE *out)
{
	print_head(r, out);
	print_ends(r, out);
	print_gates(r, out);
}
