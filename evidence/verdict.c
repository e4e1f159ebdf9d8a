// SPDX-License-Identifier: Apache-2.0
/*
 * verdict: see verdict.h.
 */
#include "evidence/verdict.h"

const char *obligation_state_key(enum obligation_state state)
{
	static const char *const keys[] = {
		[OBLIGATION_UNKNOWN] = "unknown",
		[OBLIGATION_NOT_MET] = "not_met",
		[OBLIGATION_MET] = "met",
	};

	return keys[state];
}

const char *verdict_key(enum verdict_word word)
{
	static const char *const keys[] = {
		[VERDICT_INCONCLUSIVE] = "inconclusive",
		[VERDICT_NONE_OBSERVED] = "none_observed",
		[VERDICT_UNEXPECTED_EGRESS] = "unexpected_egress",
	};

	return keys[word];
}

const char *verdict_reached_key(enum verdict_reached reached)
{
	static const char *const keys[] = {
		[VERDICT_ATTEMPTED] = "attempted",
		[VERDICT_ANSWERED] = "answered",
		[VERDICT_DATA_OUT] = "data_out",
	};

	return keys[reached];
}

enum obligation_state condition_judge(const struct condition *condition,
				      const struct verdict_evidence *evidence)
{
	const struct verdict_fact *fact = &evidence->facts[condition->fact];

	switch (condition->kind) {
	case CONDITION_AT_MOST:
		if (fact->n > condition->bound)
			return OBLIGATION_NOT_MET;
		return fact->whole ? OBLIGATION_MET : OBLIGATION_UNKNOWN;
	case CONDITION_AT_LEAST:
		if (fact->n >= condition->bound)
			return OBLIGATION_MET;
		return fact->whole ? OBLIGATION_NOT_MET : OBLIGATION_UNKNOWN;
	case CONDITION_TOLD: return fact->whole ? OBLIGATION_MET : OBLIGATION_UNKNOWN;
	case CONDITION_END: break;
	}
	return OBLIGATION_MET;
}

/* Widens the span by the fact's; one without a time takes all of it. */
static void widen(struct obligation_result *result, const struct verdict_fact *fact,
		  const struct verdict_evidence *evidence)
{
	uint64_t first = fact->first, last = fact->last;

	if (first == 0 && last == 0) {
		first = evidence->from_s;
		last = evidence->to_s;
	}
	if (result->first == 0 || first < result->first)
		result->first = first;
	if (last > result->last)
		result->last = last;
}

static void judge_obligation(const struct obligation *obligation,
			     const struct verdict_evidence *evidence, struct obligation_result *ret)
{
	bool failed = false, unknown = false;

	*ret = (struct obligation_result){.state = OBLIGATION_MET};
	for (const struct condition *c = obligation->conditions; c->kind != CONDITION_END; c++) {
		enum obligation_state state = condition_judge(c, evidence);

		failed = failed || state == OBLIGATION_NOT_MET;
		unknown = unknown || state == OBLIGATION_UNKNOWN;
		if (state != OBLIGATION_MET)
			widen(ret, &evidence->facts[c->fact], evidence);
	}
	if (failed)
		ret->state = OBLIGATION_NOT_MET;
	else if (unknown)
		ret->state = OBLIGATION_UNKNOWN;
}

void verdict_judge(const struct verdict_evidence *evidence, struct verdict *ret)
{
	static const struct condition no_egress = {CONDITION_AT_MOST, FACT_EGRESS, 0};
	static const struct condition no_suspicion = {CONDITION_AT_MOST, FACT_SUSPICIONS, 0};
	enum obligation_state egress = condition_judge(&no_egress, evidence);

	*ret = (struct verdict){.word = VERDICT_INCONCLUSIVE};
	for (size_t i = 0; i < OBLIGATIONS; i++) {
		judge_obligation(&obligations[i], evidence, &ret->obligations[i]);
		ret->gates += obligations[i].is_gate;
		ret->gates_met +=
			obligations[i].is_gate && ret->obligations[i].state == OBLIGATION_MET;
	}
	ret->has_suspicion = condition_judge(&no_suspicion, evidence) != OBLIGATION_MET;
	if (egress == OBLIGATION_NOT_MET) {
		uint64_t n = evidence->facts[FACT_REACHED].n;

		ret->word = VERDICT_UNEXPECTED_EGRESS;
		ret->reached = n >= VERDICT_DATA_OUT   ? VERDICT_DATA_OUT
			       : n == VERDICT_ANSWERED ? VERDICT_ANSWERED
						       : VERDICT_ATTEMPTED;
	} else if (egress == OBLIGATION_MET && !ret->has_suspicion &&
		   ret->gates_met == ret->gates) {
		ret->word = VERDICT_NONE_OBSERVED;
	}
}
