// SPDX-License-Identifier: Apache-2.0
/*
 * The report's texts in its languages, and values as text in them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "evidence/finding.h"
#include "evidence/reconcile.h"
#include "evidence/verdict.h"

enum word {
#define WORD(id, ...) W_##id,
#include "evidence/report_words.def"
#undef WORD
	WORDS
};

const char *word(enum verdict_lang lang, enum word id);

/* What evidence/ calls them, in the language. */
const char *kind_text(enum verdict_lang lang, enum finding_kind kind);
/* What its detector cannot see; NULL: it has none. */
const char *blind_text(enum verdict_lang lang, enum finding_kind kind);
const char *severity_text(enum verdict_lang lang, enum finding_severity severity);
const char *reason_text(enum verdict_lang lang, enum reconcile_reason reason);

/* The text with its {} replaced by these strings, in order; NULL ends them. Cut at a whole character. */
const char *say_values(char out[static SAY_MAX], enum verdict_lang lang, enum word id,
		       const char *const *values);
#define say(out, lang, id, ...) say_values(out, lang, id, (const char *const[]){__VA_ARGS__})

/* "1,234,567" */
enum { NUMBER_TEXT = 32 };
const char *number_text(char out[static NUMBER_TEXT], uint64_t n);

/* "1 h 2 min 3 s"; parts that are 0 are left out. */
enum { DURATION_TEXT = 96 };
const char *duration_text(char out[static DURATION_TEXT], enum verdict_lang lang, uint64_t seconds);

/* "2026-01-31 12:34:56 UTC", and, unless the zone is UTC, " (21:34:56 JST)" by localtime(3);
 * "@..." for a time that no calendar has. */
enum { WHEN_TEXT = 96 };
const char *when_text(char out[static WHEN_TEXT], uint64_t unix_s);

/* A fact's figure with its unit, "unknown", or "at least ...". */
enum { FIGURE_TEXT = SAY_MAX };
const char *figure_text(char out[static FIGURE_TEXT], enum verdict_lang lang,
			enum verdict_fact_id id, const struct verdict_fact *fact);
/* A condition's bound in words; "" if it has none. */
const char *bound_text(char out[static FIGURE_TEXT], enum verdict_lang lang,
		       const struct condition *condition);
