// SPDX-License-Identifier: Apache-2.0
/*
 * The verdict: what may be concluded from the facts that were gathered. A pure function.
 *
 * A fact is a count of which at least `n` is known; `whole` says that it is no more. An obligation is a list of
 * conditions on facts. It is met when each is certainly true, not met when one is certainly false, else
 * unknown. The verdict is
 *
 *     unexpected_egress   at least one endpoint was spoken to that nothing expects
 *     none_observed       certainly none was, no detector has a suspicion, and every gate is met
 *     inconclusive        all else
 *
 * Evidence E' is no more than E when each fact of E' is that of E, or is not whole and its n is no greater. Then
 * what E' concludes E concludes too: verdict(E') is inconclusive or equal to verdict(E), an obligation that E' knows
 * to be met or not met is so in E, and `reached` of E' is no farther. So taking evidence away leads from either
 * conclusion to inconclusive, never from one to the other. It follows from the form of the conditions: "at most"
 * is true only of a whole fact and false already of a part, "at least" the other way round.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/say.h"

enum verdict_unit { VERDICT_COUNT, VERDICT_SECONDS, VERDICT_MILLISECONDS, VERDICT_BYTES };

enum verdict_fact_id {
#define FACT(id, ...) FACT_##id,
#include "evidence/facts.def"
#undef FACT
	FACTS
};

struct verdict_fact {
	uint64_t n;           /* at least */
	uint64_t first, last; /* Unix seconds of what it counts; 0 and 0: no time, or all of it */
	bool whole;           /* and no more */
};

struct verdict_evidence {
	uint64_t from_s, to_s; /* the time judged, Unix seconds, `to_s` excluded; 0 and 0: none */
	struct verdict_fact facts[FACTS];
};

struct verdict_fact_info {
	const char *key; /* in JSON */
	enum verdict_unit unit;
	const char *text[VERDICT_LANGS];
};
extern const struct verdict_fact_info verdict_facts[FACTS];

/* ---- obligations ---- */

enum { OBLIGATIONS = 22, OBLIGATION_CONDITIONS_MAX = 8 };

enum condition_kind {
	CONDITION_END, /* ends a list */
	CONDITION_AT_MOST,
	CONDITION_AT_LEAST,
	CONDITION_TOLD, /* the fact is whole, whatever it is */
};

struct condition {
	enum condition_kind kind;
	enum verdict_fact_id fact;
	uint64_t bound;
};

/* The i-th has number i + 1. */
struct obligation {
	const char *key; /* in JSON */
	bool is_gate;    /* else a disclosure: it is told, and nothing depends on it */
	const char *name[VERDICT_LANGS];
	const char *criterion[VERDICT_LANGS]; /* a question: yes is met */
	const char *remedy[VERDICT_LANGS];    /* what to do when it is not met or unknown */
	struct condition conditions[OBLIGATION_CONDITIONS_MAX + 1];
};
extern const struct obligation obligations[OBLIGATIONS];

enum obligation_state { OBLIGATION_UNKNOWN, OBLIGATION_NOT_MET, OBLIGATION_MET };

/* "unknown", "not_met", "met" */
const char *obligation_state_key(enum obligation_state state);

/* A figure that is not whole can break an "at most" and meet an "at least", no more. CONDITION_END is met. */
enum obligation_state condition_judge(const struct condition *condition,
				      const struct verdict_evidence *evidence);

struct obligation_result {
	enum obligation_state state;
	uint64_t first, last; /* where it fails; the time judged if nothing narrows it down */
};

/* ---- the verdict ---- */

enum verdict_word { VERDICT_INCONCLUSIVE, VERDICT_NONE_OBSERVED, VERDICT_UNEXPECTED_EGRESS };
enum verdict_reached { VERDICT_NOT_REACHED, VERDICT_ATTEMPTED, VERDICT_ANSWERED, VERDICT_DATA_OUT };

struct verdict {
	enum verdict_word word;
	enum verdict_reached reached; /* of unexpected egress; else VERDICT_NOT_REACHED */
	unsigned gates, gates_met;
	bool has_suspicion; /* inconclusive because a detector has one, or because that is not known */
	struct obligation_result obligations[OBLIGATIONS];
};

void verdict_judge(const struct verdict_evidence *evidence, struct verdict *ret);

/* "unexpected_egress", ... */
const char *verdict_key(enum verdict_word word);
/* "attempted", ...; NULL for VERDICT_NOT_REACHED */
const char *verdict_reached_key(enum verdict_reached reached);
