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
			   e->facts[FACT_PACKETS].n > 0 ? W_SAY_INCONCLUSIVE : W_SAY_NOTHING, n, of,
			   NULL);
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
	char n[NUMBER_TEXT];

	if (i == 0)
		return say_word(out, lang, v, e);
	if (i == 1 && v->has_suspicion)
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
