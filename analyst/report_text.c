// SPDX-License-Identifier: Apache-2.0
/*
 * report, on a terminal: what a person needs who was woken for it, on one screen. Rows are counted, so that the verdict does not
 * scroll off the top: what is open is told by name first, then as much of it as there is room for.
 */
#include "analyst/report.h"

#include <string.h>

#include "platform/addr.h"

enum {
	ROWS = 23, /* of a small terminal; the last one is the prompt's */
	COLUMNS = 80,
	ENDS_SHOWN = 6,
	OTHERS_SHOWN = 2, /* hidden flows, and findings to look at: */
	ABOUT = 3,        /* an empty row, a title, how many more there are */
	KEPT = 4,         /* for what is open */
};

struct screen {
	const struct report *r;
	FILE *out;
	unsigned rows; /* taken so far */
	bool is_whole; /* nothing was left out for want of room */
};

/* Rows of a line: kana, kanji and full-width forms are two columns wide. */
static unsigned rows_of(const char *text)
{
	unsigned columns = 0;

	for (; *text; text++)
		if (((unsigned char)*text & 0xc0) != 0x80)
			columns += (unsigned char)*text >= 0xe3 ? 2 : 1;
	return columns > COLUMNS ? (columns + COLUMNS - 1) / COLUMNS : 1;
}

static void put(struct screen *s, const char *text)
{
	fprintf(s->out, "%s\n", text);
	s->rows += rows_of(text);
}

static void line(struct screen *s, const char *label, const char *value)
{
	char text[SAY_MAX];

	put(s, say(text, s->r->lang, W_LABEL, label, value, NULL));
}

/* All in one line. */
static void print_sensors(struct screen *s)
{
	const struct gather *g = &s->r->gather;
	char all[SAY_MAX], text[SAY_MAX];

	for (size_t i = 0; i < g->n_sensors; i++) {
		if (i == 0)
			(void)snprintf(all, sizeof all, "%s", g->sensors[i].id);
		else
			memcpy(all, say(text, s->r->lang, W_COMMA, all, g->sensors[i].id, NULL),
			       sizeof all);
	}
	if (g->n_sensors > 0)
		line(s, word(s->r->lang, W_SENSOR), all);
}

static void print_head(struct screen *s)
{
	const struct report *r = s->r;
	const struct verdict_evidence *e = &r->evidence;
	char text[SAY_MAX], from[WHEN_TEXT], to[WHEN_TEXT], duration[DURATION_TEXT],
		met[NUMBER_TEXT], all[NUMBER_TEXT];
	const char *sentence;

	line(s, word(r->lang, W_VERDICT), report_verdict_text(r));
	for (unsigned i = 0; (sentence = report_sentence(text, r, i)); i++)
		put(s, sentence);
	put(s, "");
	if (r->o.case_name)
		line(s, word(r->lang, W_CASE), r->o.case_name);
	if (r->o.analyst)
		line(s, word(r->lang, W_ANALYST), r->o.analyst);
	if (r->o.note)
		line(s, word(r->lang, W_NOTE), r->o.note);
	line(s, word(r->lang, W_SPAN),
	     e->from_s == e->to_s
		     ? word(r->lang, W_SPAN_NONE)
		     : say(text, r->lang, W_SPAN_TEXT, when_text(from, e->from_s),
			   when_text(to, e->to_s),
			   duration_text(duration, r->lang, e->to_s - e->from_s), NULL));
	print_sensors(s);
	line(s, word(r->lang, W_GATES),
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

enum { ROW = SAY_MAX + 256 };

static void finding_row(char out[static ROW], const struct report *r, const struct finding *f)
{
	char end[ADDR_ENDPOINT_TEXT], when[WHEN_TEXT], protocol[FINDING_PROTOCOL_TEXT],
		text[SAY_MAX];
	struct endpoint remote = {.addr = f->remote, .port = f->key.port, .family = f->key.family};

	if (finding_has_remote(f))
		(void)snprintf(out, ROW, "  %s %s%s%s  %s  %s", endpoint_text(end, &remote),
			       finding_protocol_text(protocol, f->key.protocol),
			       f->name ? "  " : "", f->name ? finding_name(r->lang, f) : "",
			       course_text(text, r, f), when_text(when, f->first));
	else
		(void)snprintf(out, ROW, "  %s%s%s  %s",
			       kind_text(r->lang, (enum finding_kind)f->key.kind),
			       f->name ? "  " : "", f->name ? finding_name(r->lang, f) : "",
			       when_text(when, f->first));
}

static void hidden_row(char out[static ROW], const struct report *r,
		       const struct reconcile_entry *e)
{
	char from[ADDR_ENDPOINT_TEXT], to[ADDR_ENDPOINT_TEXT], protocol[FINDING_PROTOCOL_TEXT],
		text[SAY_MAX], number[NUMBER_TEXT], when[WHEN_TEXT];
	struct endpoint src = {.addr = e->src, .port = e->srcport, .family = e->family},
			dst = {.addr = e->dst, .port = e->dstport, .family = e->family};

	(void)snprintf(out, ROW, "  %s > %s %s  %s  %s", endpoint_text(from, &src),
		       endpoint_text(to, &dst), finding_protocol_text(protocol, e->protocol),
		       say(text, r->lang, W_BYTES, number_text(number, e->bytes), NULL),
		       e->is_timed ? when_text(when, e->start) : "-");
}

enum part { PART_EGRESS, PART_HIDDEN, PART_SUSPICIONS, PARTS };

/* The row of the next; false after the last. */
static bool next_row(char out[static ROW], const struct report *r, enum part part, size_t *i)
{
	const struct reconcile_entry *hidden = NULL;
	const struct finding *f = NULL;

	switch (part) {
	case PART_EGRESS: f = report_egress(r, i); break;
	case PART_SUSPICIONS: f = report_suspicion(r, i); break;
	case PART_HIDDEN: hidden = report_hidden(r, i); break;
	case PARTS: break;
	}
	if (f)
		finding_row(out, r, f);
	else if (hidden)
		hidden_row(out, r, hidden);
	return f || hidden;
}

static void print_part(struct screen *s, enum part part, uint64_t shown)
{
	static const enum word titles[PARTS] = {
		[PART_EGRESS] = W_UNEXPECTED_TITLE,
		[PART_HIDDEN] = W_HIDDEN_TITLE,
		[PART_SUSPICIONS] = W_SUSPICIONS_TITLE,
	};
	const struct report *r = s->r;
	char number[NUMBER_TEXT], text[SAY_MAX], row[ROW];
	uint64_t n = 0;

	if (part != PART_EGRESS) {
		unsigned room = s->rows + ABOUT + KEPT < ROWS ? ROWS - s->rows - ABOUT - KEPT : 0;

		if (room < 2) /* a long row takes two */
			return;
		shown = shown < room / 2 ? shown : room / 2;
	}
	for (size_t i = 0; next_row(row, r, part, &i); n++) {
		if (n == 0) {
			put(s, "");
			put(s, word(r->lang, titles[part]));
		}
		if (n < shown)
			put(s, row);
	}
	if (n > shown) {
		(void)snprintf(row, sizeof row, "  %s",
			       say(text, r->lang, W_MORE, number_text(number, n - shown), NULL));
		put(s, row);
	}
}

/* ---- what is open ---- */

static void detail(struct screen *s, const char *label, const char *said)
{
	char text[SAY_MAX], row[SAY_MAX + 8];

	(void)snprintf(row, sizeof row, "       %s",
		       say(text, s->r->lang, W_LABEL, label, said, NULL));
	if (s->out)
		put(s, row);
	else
		s->rows += rows_of(row);
}

/* When, if not all the time; the conditions that fail, each with its figure; without any what is not known. Then the remedy. With `out` NULL nothing is printed. The rows. */
static unsigned details(const struct report *r, size_t number, FILE *out)
{
	char figure[FIGURE_TEXT], bound[FIGURE_TEXT], text[SAY_MAX];
	struct screen s = {.r = r, .out = out};

	if (obligation_when(text, r->lang, &r->verdict, &r->evidence, number))
		detail(&s, word(r->lang, W_WHEN), text);
	for (const struct condition *c = obligations[number].conditions; c->kind != CONDITION_END;
	     c++) {
		const char *said =
			figure_text(figure, r->lang, c->fact, &r->evidence.facts[c->fact]);

		if (condition_judge(c, &r->evidence) != r->verdict.obligations[number].state)
			continue;
		if (*bound_text(bound, r->lang, c))
			said = say(text, r->lang, W_PAREN, said, bound, NULL);
		detail(&s, verdict_facts[c->fact].text[r->lang], said);
	}
	detail(&s, word(r->lang, W_REMEDY), obligations[number].remedy[r->lang]);
	return s.rows;
}

/* The i-th obligation's state and name. */
static const char *name_of(char out[static SAY_MAX], const struct report *r, size_t i)
{
	char label[128], text[SAY_MAX];

	(void)snprintf(label, sizeof label, "%2zu  %s", i + 1, report_state_text(r, i));
	(void)snprintf(out, SAY_MAX, "  %s",
		       say(text, r->lang, W_LABEL, label, obligations[i].name[r->lang], NULL));
	return out;
}

static void print_gates(struct screen *s)
{
	const struct report *r = s->r;
	char text[SAY_MAX], row[SAY_MAX], number[NUMBER_TEXT];
	size_t open[OBLIGATIONS], n = 0, shown;
	unsigned whole = 0, needed, left;

	for (size_t i = 0; i < OBLIGATIONS; i++) {
		if (!obligations[i].is_gate || r->verdict.obligations[i].state == OBLIGATION_MET)
			continue;
		open[n++] = i;
		whole += rows_of(name_of(row, r, i)) + details(r, i, NULL);
	}
	if (n == 0)
		return;
	put(s, "");
	left = s->rows < ROWS ? ROWS - s->rows : 0;
	/* Not all: then the last row says where the rest is. */
	if (whole > left && left > 0)
		left--;
	/* By name as many as there is room for, one row for how many more there are. */
	for (shown = 0, needed = 0; shown < n; shown++) {
		unsigned rows = rows_of(name_of(row, r, open[shown]));

		if (needed + rows + (shown + 1 < n) > left && shown > 0)
			break;
		needed += rows;
	}
	needed += shown < n;
	left = left > needed ? left - needed : 0;
	for (size_t i = 0; i < shown; i++) {
		unsigned rows = details(r, open[i], NULL);

		put(s, name_of(row, r, open[i]));
		/* Once there is no room for one, the others go without, too. */
		if (rows > left) {
			left = 0;
			s->is_whole = false;
			continue;
		}
		left -= rows;
		s->rows += details(r, open[i], s->out);
	}
	if (shown < n) {
		(void)snprintf(row, sizeof row, "  %s",
			       say(text, r->lang, W_MORE, number_text(number, n - shown), NULL));
		put(s, row);
	}
	if (s->rows < ROWS && !s->is_whole)
		put(s, word(r->lang, W_ALL_FORMS));
}

/* Beside "none observed": as many as there is room for, then how many more there are. */
static void print_limits(struct screen *s)
{
	const struct report *r = s->r;
	char text[SAY_MAX], row[SAY_MAX + 8], number[NUMBER_TEXT];
	bool has_room = true;
	uint64_t more = 0;

	put(s, "");
	put(s, word(r->lang, W_LIMITS_TITLE));
	for (unsigned i = 0; report_limit(text, r, i); i++) {
		(void)snprintf(row, sizeof row, "  - %s", text);
		has_room = has_room && s->rows + rows_of(row) < ROWS;
		if (has_room)
			put(s, row);
		else
			more++;
	}
	if (more == 0)
		return;
	(void)snprintf(row, sizeof row, "  %s",
		       say(text, r->lang, W_MORE_HTML, number_text(number, more), NULL));
	put(s, row);
}

void report_print_text(const struct report *r, FILE *out)
{
	struct screen s = {.r = r, .out = out, .is_whole = true};

	print_head(&s);
	print_part(&s, PART_EGRESS, ENDS_SHOWN);
	print_part(&s, PART_HIDDEN, OTHERS_SHOWN);
	print_part(&s, PART_SUSPICIONS, OTHERS_SHOWN);
	print_gates(&s);
	if (r->verdict.word == VERDICT_NONE_OBSERVED)
		print_limits(&s);
}
