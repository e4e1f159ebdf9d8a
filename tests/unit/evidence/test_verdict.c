// SPDX-License-Identifier: Apache-2.0
/*
 * The verdict as a property: over random evidence, and over random evidence with random parts taken away.
 *
 * The oracle goes another way than the program: a fact of which `n` is known stands for all numbers that it may be,
 * and a condition is certain when it holds, or fails, for each of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "evidence/verdict.h"

enum { ROUNDS = 40000, BEYOND = 4000 /* more than any bound */ };

/* The list. */
static const bool is_gate[OBLIGATIONS] = {
	true,  true,  true,  true, true, true, true,  true, false, true, false,
	false, false, false, true, true, true, false, true, true,  true, true,
};

static uint64_t state_of_random = 88172645463325252ULL;

/* xorshift64 (Marsaglia 2003): the same numbers in every run. */
static uint64_t random_below(uint64_t n)
{
	state_of_random ^= state_of_random << 13;
	state_of_random ^= state_of_random >> 7;
	state_of_random ^= state_of_random << 17;
	return state_of_random % n;
}

/* ---- the oracle ---- */

static bool holds(const struct condition *c, uint64_t n)
{
	return c->kind == CONDITION_AT_MOST ? n <= c->bound : n >= c->bound;
}

static enum obligation_state oracle_condition(const struct condition *c,
					      const struct verdict_evidence *e)
{
	const struct verdict_fact *f = &e->facts[c->fact];
	bool always = true, never = true;

	if (c->kind == CONDITION_TOLD)
		return f->whole ? OBLIGATION_MET : OBLIGATION_UNKNOWN;
	for (uint64_t n = f->n; n <= f->n + (f->whole ? 0 : BEYOND); n++) {
		always = always && holds(c, n);
		never = never && !holds(c, n);
	}
	return always ? OBLIGATION_MET : never ? OBLIGATION_NOT_MET : OBLIGATION_UNKNOWN;
}

static enum obligation_state oracle_obligation(const struct obligation *o,
					       const struct verdict_evidence *e)
{
	enum obligation_state state = OBLIGATION_MET;

	for (const struct condition *c = o->conditions; c->kind != CONDITION_END; c++) {
		enum obligation_state s = oracle_condition(c, e);

		if (s == OBLIGATION_NOT_MET || (s == OBLIGATION_UNKNOWN && state == OBLIGATION_MET))
			state = s;
	}
	return state;
}

/* ---- evidence ---- */

/* All as it must be for `none_observed`. */
static struct verdict_evidence perfect(void)
{
	struct verdict_evidence e = {.from_s = 1000, .to_s = 2000};

	for (size_t i = 0; i < FACTS; i++)
		e.facts[i].whole = true;
	for (size_t i = 0; i < OBLIGATIONS; i++)
		for (const struct condition *c = obligations[i].conditions;
		     c->kind != CONDITION_END; c++)
			if (c->kind == CONDITION_AT_LEAST)
				e.facts[c->fact].n = c->bound;
	return e;
}

static struct verdict_evidence some_evidence(void)
{
	struct verdict_evidence e = perfect();

	/* Few facts changed and many: both sides of every edge are met often. */
	for (uint64_t n = random_below(2) ? random_below(4) : random_below(FACTS); n > 0; n--) {
		struct verdict_fact *f = &e.facts[random_below(FACTS)];

		f->n = random_below(2) ? random_below(5) : random_below(2500);
		f->whole = random_below(2);
	}
	return e;
}

/* Takes a part away: of a fact less is known, or no longer that it is all. */
static void take_away(struct verdict_evidence *e)
{
	for (uint64_t n = 1 + random_below(5); n > 0; n--) {
		struct verdict_fact *f = &e->facts[random_below(FACTS)];

		f->whole = false;
		f->n = random_below(2) ? f->n : random_below(f->n + 1);
	}
}

/* ---- tests ---- */

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < OBLIGATIONS; i++) {
		assert_int_equal(obligations[i].is_gate, is_gate[i]);
		assert_int_not_equal(obligations[i].conditions[0].kind, CONDITION_END);
		assert_int_equal(obligations[i].conditions[OBLIGATION_CONDITIONS_MAX].kind,
				 CONDITION_END);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(obligations[i].key, obligations[j].key);
	}
}

static void assert_text(const char *en, const char *ja)
{
	bool is_foreign = false;

	assert_non_null(en);
	assert_non_null(ja);
	assert_true(strlen(en) > 0 && strlen(ja) > 0);
	for (const char *p = en; *p; p++)
		assert_true((unsigned char)*p < 0x80);
	for (const char *p = ja; *p; p++)
		is_foreign = is_foreign || (unsigned char)*p >= 0x80;
	assert_true(is_foreign);
}

static void test_no_text_lacks_a_language(void **state)
{
	(void)state;
	for (size_t i = 0; i < FACTS; i++) {
		assert_text(verdict_facts[i].text[VERDICT_EN], verdict_facts[i].text[VERDICT_JA]);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(verdict_facts[i].key, verdict_facts[j].key);
	}
	for (size_t i = 0; i < OBLIGATIONS; i++) {
		const struct obligation *o = &obligations[i];

		assert_text(o->name[VERDICT_EN], o->name[VERDICT_JA]);
		assert_text(o->criterion[VERDICT_EN], o->criterion[VERDICT_JA]);
		assert_text(o->remedy[VERDICT_EN], o->remedy[VERDICT_JA]);
		assert_int_equal(o->criterion[VERDICT_EN][strlen(o->criterion[VERDICT_EN]) - 1] ==
						 '?' ||
					 strstr(o->criterion[VERDICT_EN], "? ") != NULL,
				 1);
	}
}

static void test_perfect(void **state)
{
	struct verdict_evidence e = perfect();
	struct verdict v;

	(void)state;
	verdict_judge(&e, &v);
	assert_int_equal(v.word, VERDICT_NONE_OBSERVED);
	assert_int_equal(v.reached, VERDICT_NOT_REACHED);
	assert_int_equal(v.gates, 16);
	assert_int_equal(v.gates_met, 16);
}

/* Each condition of each gate broken, or unknown, takes `none_observed` away; of a disclosure nothing does. */
static void test_each_gate(void **state)
{
	(void)state;
	for (size_t i = 0; i < OBLIGATIONS; i++) {
		for (const struct condition *c = obligations[i].conditions;
		     c->kind != CONDITION_END; c++) {
			struct verdict_evidence e = perfect();
			struct verdict v;

			e.facts[c->fact].whole = false;
			if (c->kind != CONDITION_TOLD)
				e.facts[c->fact].n = 0;
			verdict_judge(&e, &v);
			assert_int_equal(v.obligations[i].state, OBLIGATION_UNKNOWN);
			if (is_gate[i])
				assert_int_equal(v.word, VERDICT_INCONCLUSIVE);
			if (c->kind == CONDITION_TOLD)
				continue;
			e.facts[c->fact].whole = true;
			e.facts[c->fact].n =
				c->kind == CONDITION_AT_MOST ? c->bound + 1 : c->bound - 1;
			e.facts[c->fact].first = 1200;
			e.facts[c->fact].last = 1300;
			verdict_judge(&e, &v);
			assert_int_equal(v.obligations[i].state, OBLIGATION_NOT_MET);
			assert_int_equal(v.obligations[i].first, 1200);
			assert_int_equal(v.obligations[i].last, 1300);
			if (is_gate[i])
				assert_int_equal(v.word, VERDICT_INCONCLUSIVE);
		}
	}
}

static void test_disclosures_decide_nothing(void **state)
{
	struct verdict_evidence e = perfect();
	struct verdict v;

	(void)state;
	e.facts[FACT_IDENTITY_DIFFERS].whole = e.facts[FACT_HOURS].whole = false;
	e.facts[FACT_WEEKDAYS].whole = e.facts[FACT_CAME_IN].whole = e.facts[FACT_ALLOWED].whole =
		false;
	verdict_judge(&e, &v);
	assert_int_equal(v.word, VERDICT_NONE_OBSERVED);
}

/* What must never give `none_observed`, whatever else is there. */
static void test_never(void **state)
{
	static const struct {
		enum verdict_fact_id fact;
		uint64_t n;
		bool whole;
	} rows[] = {
		{FACT_RUNS, 0, true},           /* an empty ledger; a replayed file alone */
		{FACT_PACKETS, 0, true},        /* zero packets */
		{FACT_POLICY_CHANGES, 1, true}, /* a stale policy */
		{FACT_POLICY_OTHER, 1, true},
		{FACT_KERNEL_DROPPED, 0, false}, /* unread counters */
		{FACT_NIC_DROPPED, 0, false},
		{FACT_WITNESS_LINES, 0, true}, /* no second witness */
		{FACT_AUDIT_BROKEN, 0, false}, /* not audited */
		{FACT_SUSPICIONS, 1, true},
		{FACT_SUSPICIONS, 0, false},
		{FACT_EGRESS, 0, false},
		{FACT_EGRESS, 1, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct verdict_evidence e = perfect();
		struct verdict v;

		e.facts[rows[i].fact].n = rows[i].n;
		e.facts[rows[i].fact].whole = rows[i].whole;
		verdict_judge(&e, &v);
		assert_int_not_equal(v.word, VERDICT_NONE_OBSERVED);
	}
}

static void test_reached(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < 5; n++) {
		struct verdict_evidence e = perfect();
		struct verdict v;

		e.facts[FACT_EGRESS].n = 2;
		e.facts[FACT_REACHED].n = n;
		verdict_judge(&e, &v);
		assert_int_equal(v.word, VERDICT_UNEXPECTED_EGRESS);
		assert_int_equal(v.reached, n < 2    ? VERDICT_ATTEMPTED
					    : n == 2 ? VERDICT_ANSWERED
						     : VERDICT_DATA_OUT);
	}
}

static void test_against_oracle(void **state)
{
	unsigned words[3] = {0};

	(void)state;
	for (unsigned round = 0; round < ROUNDS / 20; round++) {
		struct verdict_evidence e = some_evidence();
		enum verdict_word want = VERDICT_NONE_OBSERVED;
		struct verdict v;

		verdict_judge(&e, &v);
		for (size_t i = 0; i < OBLIGATIONS; i++) {
			enum obligation_state s = oracle_obligation(&obligations[i], &e);

			assert_int_equal(v.obligations[i].state, s);
			if (is_gate[i] && s != OBLIGATION_MET)
				want = VERDICT_INCONCLUSIVE;
		}
		if (!e.facts[FACT_EGRESS].whole || !e.facts[FACT_SUSPICIONS].whole ||
		    e.facts[FACT_SUSPICIONS].n)
			want = VERDICT_INCONCLUSIVE;
		if (e.facts[FACT_EGRESS].n > 0)
			want = VERDICT_UNEXPECTED_EGRESS;
		assert_int_equal(v.word, want);
		words[v.word]++;
	}
	for (size_t i = 0; i < 3; i++)
		assert_true(words[i] > 20); /* all three came up */
}

static void test_monotone(void **state)
{
	unsigned kept = 0, lost = 0;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct verdict_evidence e = some_evidence(), less = e;
		struct verdict with, without;

		take_away(&less);
		verdict_judge(&e, &with);
		verdict_judge(&less, &without);
		assert_true(without.word == VERDICT_INCONCLUSIVE || without.word == with.word);
		assert_true(without.reached <= with.reached);
		assert_true(without.gates_met <= with.gates_met);
		for (size_t i = 0; i < OBLIGATIONS; i++)
			assert_true(without.obligations[i].state == OBLIGATION_UNKNOWN ||
				    without.obligations[i].state == with.obligations[i].state);
		kept += without.word == with.word;
		lost += without.word != with.word;
	}
	assert_true(kept > ROUNDS / 100 && lost > ROUNDS / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_no_text_lacks_a_language),
		cmocka_unit_test(test_perfect),
		cmocka_unit_test(test_each_gate),
		cmocka_unit_test(test_disclosures_decide_nothing),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_reached),
		cmocka_unit_test(test_against_oracle),
		cmocka_unit_test(test_monotone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
