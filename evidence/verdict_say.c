// SPDX-License-Identifier: Apache-2.0
/*
 * See verdict_say.h.
 */
#include "evidence/verdict_say.h"

#include <stddef.h>

#include "proto/flowrec.h"

const char *verdict_word_text(enum verdict_lang lang, enum verdict_word verdict)
{
	static const enum word words[] = {
		[VERDICT_INCONCLUSIVE] = W_INCONCLUSIVE,
		[VERDICT_NONE_OBSERVED] = W_NONE,
		[VERDICT_UNEXPECTED_EGRESS] = W_UNEXPECTED,
	};

	return word(lang, words[verdict]);
}

static const char *say_word(char out[static SAY_MAX], enum verdict_lang lang,
			    const struct verdict *v, const struct verdict_evidence *e)
{
	static const enum word reached[] = {
		[VERDICT_ATTEMPTED] = W_SAY_ATTEMPTED,
		[VERDICT_ANSWERED] = W_SAY_ANSWERED,
		[VERDICT_DATA_OUT] = W_SAY_DATA_OUT,
	};
	char n[NUMBER_TEXT], of[NUMBER_TEXT], first[SAY_MAX];
	uint64_t endpoints = e->facts[FACT_EGRESS].n;

	(void)number_text(n, v->gates - v->gates_met);
	(void)number_text(of, v->gates);
	switch (v->word) {
	case VERDICT_NONE_OBSERVED: return say(out, lang, W_SAY_NONE, NULL);
	case VERDICT_INCONCLUSIVE:
		return say(out, lang,
			   e->facts[FACT_PACKETS].n == 0 ? W_SAY_NOTHING
			   : v->gates_met == v->gates    ? W_SAY_LOOK
							 : W_SAY_INCONCLUSIVE,
			   n, of, NULL);
	case VERDICT_UNEXPECTED_EGRESS: break;
	}
	(void)say(first, lang, endpoints == 1 ? W_SAY_UNEXPECTED_1 : W_SAY_UNEXPECTED,
		  number_text(n, endpoints), NULL);
	return say(out, lang, W_TWO, first, word(lang, reached[v->reached]), NULL);
}

const char *verdict_sentence(char out[static SAY_MAX], enum verdict_lang lang,
			     const struct verdict *v, const struct verdict_evidence *e, unsigned i)
{
	const struct verdict_fact *suspicions = &e->facts[FACT_SUSPICIONS];
	uint64_t hidden = e->facts[FACT_HIDDEN].n, broken = e->facts[FACT_AUDIT_BROKEN].n;
	char n[NUMBER_TEXT], figure[FIGURE_TEXT], sent[FIGURE_TEXT], came[FIGURE_TEXT];

	if (broken < e->facts[FACT_DAMAGE].n)
		broken = e->facts[FACT_DAMAGE].n;
	if (i-- == 0)
		return say_word(out, lang, v, e);
	if (v->word == VERDICT_NONE_OBSERVED && i-- == 0)
		return say(
			out, lang, W_SAY_ALLOWED,
			figure_text(figure, lang, FACT_ALLOWED, &e->facts[FACT_ALLOWED]),
			figure_text(sent, lang, FACT_ALLOWED_BYTES, &e->facts[FACT_ALLOWED_BYTES]),
			figure_text(came, lang, FACT_CAME_IN, &e->facts[FACT_CAME_IN]), NULL);
	if (broken > 0 && i-- == 0)
		return say(out, lang, W_SAY_BROKEN, number_text(n, broken), NULL);
	if (hidden > 0 && i-- == 0)
		return say(out, lang, W_SAY_HIDDEN, number_text(n, hidden), NULL);
	if (v->has_suspicion && i-- == 0)
		return suspicions->n > 0 ? say(out, lang, W_SAY_SUSPICION,
					       number_text(n, suspicions->n), NULL)
					 : say(out, lang, W_SAY_SUSPICION_UNKNOWN, NULL);
	return NULL;
}

const char *obligation_text(enum verdict_lang lang, const struct verdict *v, size_t i)
{
	switch (v->obligations[i].state) {
	case OBLIGATION_MET: return word(lang, obligations[i].is_gate ? W_MET : W_TOLD);
	case OBLIGATION_NOT_MET: return word(lang, W_NOT_MET);
	case OBLIGATION_UNKNOWN: break;
	}
	return word(lang, W_UNKNOWN_STATE);
}

const char *obligation_when(char out[static SAY_MAX], enum verdict_lang lang,
			    const struct verdict *v, const struct verdict_evidence *e, size_t i)
{
	const struct obligation_result *result = &v->obligations[i];
	char from[WHEN_TEXT], to[WHEN_TEXT];

	if (result->state == OBLIGATION_MET || result->first >= result->last ||
	    (result->first <= e->from_s && result->last >= e->to_s))
		return NULL;
	return say(out, lang, W_WHEN_TEXT, when_text(from, result->first),
		   when_text(to, result->last), NULL);
}

const char *outcome_text(enum verdict_lang lang, uint8_t outcome)
{
	switch ((enum flowrec_outcome)outcome) {
	case FLOWREC_SENT: return word(lang, W_SENT);
	case FLOWREC_UNANSWERED: return word(lang, W_UNANSWERED);
	case FLOWREC_REFUSED: return word(lang, W_REFUSED);
	case FLOWREC_ANSWERED: return word(lang, W_ANSWERED);
	case FLOWREC_DATA_OUT: return word(lang, W_DATA_OUT);
	case FLOWREC_OUTCOME_NONE: break;
	}
	return "-";
}

const char *flow_verdict_text(enum verdict_lang lang, uint8_t verdict)
{
	return word(lang, verdict == FLOWREC_EXPECTED  ? W_EXPECTED
			  : verdict == FLOWREC_WATCHED ? W_WATCHED
						       : W_UNEXPECTED_INBOUND);
}
