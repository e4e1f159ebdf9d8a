// SPDX-License-Identifier: Apache-2.0
/*
 * See html_verdict.h.
 */
#include "evidence/html_verdict.h"

#include "evidence/html.h"
#include "evidence/verdict_say.h"

void html_verdict(FILE *out, enum verdict_lang lang, const struct verdict *v,
		  const struct verdict_evidence *e)
{
	char text[SAY_MAX];
	const char *sentence;

	fprintf(out, "<div class=\"verdict %s\"><strong>", verdict_key(v->word));
	html_text(out, verdict_word_text(lang, v->word));
	fputs("</strong>", out);
	for (unsigned i = 0; (sentence = verdict_sentence(text, lang, v, e, i)); i++)
		html_paragraph(out, sentence);
	fputs("</div>\n", out);
}

void html_span(FILE *out, enum verdict_lang lang, const struct verdict_evidence *e)
{
	char text[SAY_MAX], from[WHEN_TEXT], to[WHEN_TEXT], duration[DURATION_TEXT];

	html_term(out, word(lang, W_SPAN),
		  e->from_s == e->to_s
			  ? word(lang, W_SPAN_NONE)
			  : say(text, lang, W_SPAN_TEXT, when_text(from, e->from_s),
				when_text(to, e->to_s),
				duration_text(duration, lang, e->to_s - e->from_s), NULL));
}

void html_gates(FILE *out, enum verdict_lang lang, const struct verdict *v)
{
	char text[SAY_MAX], n[2][NUMBER_TEXT];

	html_term(out, word(lang, W_GATES),
		  say(text, lang, W_GATES_TEXT, number_text(n[0], v->gates_met),
		      number_text(n[1], v->gates), NULL));
}

void html_figures(FILE *out, enum verdict_lang lang, const struct verdict_evidence *e, size_t i,
		  bool all)
{
	char figure[FIGURE_TEXT], bound[FIGURE_TEXT], text[SAY_MAX], line[SAY_MAX];

	fputs("<ul class=\"figures\">", out);
	for (const struct condition *c = obligations[i].conditions; c->kind != CONDITION_END; c++) {
		enum obligation_state state = condition_judge(c, e);
		const char *said = figure_text(figure, lang, c->fact, &e->facts[c->fact]);

		if (!all && state == OBLIGATION_MET)
			continue;
		if (*bound_text(bound, lang, c))
			said = say(text, lang, W_PAREN, said, bound, NULL);
		fprintf(out, "<li%s>",
			state == OBLIGATION_NOT_MET   ? " class=\"not_met\""
			: state == OBLIGATION_UNKNOWN ? " class=\"unknown\""
						      : "");
		html_text(out,
			  say(line, lang, W_LABEL, verdict_facts[c->fact].text[lang], said, NULL));
		fputs("</li>", out);
	}
	fputs("</ul>", out);
}

void html_open_gates(FILE *out, enum verdict_lang lang, const struct verdict *v,
		     const struct verdict_evidence *e)
{
	char text[SAY_MAX];

	if (v->gates_met == v->gates)
		return;
	html_heading(out, lang, "why", W_OPEN);
	fputs("<ul class=\"gates\">\n", out);
	for (size_t i = 0; i < OBLIGATIONS; i++) {
		enum obligation_state state = v->obligations[i].state;

		if (!obligations[i].is_gate || state == OBLIGATION_MET)
			continue;
		fprintf(out, "<li><span class=\"%s\">%s</span> %zu. %s",
			obligation_state_key(state), obligation_text(lang, v, i), i + 1,
			obligations[i].name[lang]);
		if (obligation_when(text, lang, v, e, i)) {
			fputs("<br>", out);
			html_text(out, text);
		}
		html_figures(out, lang, e, i, false);
		fprintf(out, "%s: ", word(lang, W_REMEDY));
		html_text(out, obligations[i].remedy[lang]);
		fputs("</li>\n", out);
	}
	fputs("</ul></section>\n", out);
}
