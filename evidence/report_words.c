// SPDX-License-Identifier: Apache-2.0
/*
 * The report's texts: see report_words.h.
 */
#include "evidence/report_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "evidence/limits.h"

static const char *const words[WORDS][VERDICT_LANGS] = {
#define WORD(id, en, ja) [W_##id] = {en, ja},
#include "evidence/report_words.def"
#undef WORD
};

const char *word(enum verdict_lang lang, enum word id)
{
	return words[id][lang];
}

static const char *const kinds[FINDING_KINDS] = {
#define KIND(id, ja) [FINDING_##id] = (ja),
#define BLIND_JA(id, ja)
#define SEVERITY_JA(id, ja)
#define REASON_JA(id, ja)
#include "evidence/report_kinds.def"
};

static const char *const blind[FINDING_KINDS] = {
#define KIND(id, ja)
#define BLIND_JA(id, ja) [FINDING_##id] = (ja),
#define SEVERITY_JA(id, ja)
#define REASON_JA(id, ja)
#include "evidence/report_kinds.def"
};

static const char *const severities[FINDING_SEVERITIES] = {
#define KIND(id, ja)
#define BLIND_JA(id, ja)
#define SEVERITY_JA(id, ja) [FINDING_##id] = (ja),
#define REASON_JA(id, ja)
#include "evidence/report_kinds.def"
};

static const char *const reasons[RECONCILE_REASONS] = {
#define KIND(id, ja)
#define BLIND_JA(id, ja)
#define SEVERITY_JA(id, ja)
#define REASON_JA(id, ja) [RECONCILE_##id] = (ja),
#include "evidence/report_kinds.def"
};

const char *blind_text(enum verdict_lang lang, enum finding_kind kind)
{
	return lang == VERDICT_JA && blind[kind] ? blind[kind] : limits_blind(kind);
}

const char *kind_text(enum verdict_lang lang, enum finding_kind kind)
{
	return lang == VERDICT_JA && kinds[kind] ? kinds[kind] : finding_kinds[kind].title;
}

const char *severity_text(enum verdict_lang lang, enum finding_severity severity)
{
	return lang == VERDICT_JA && severities[severity] ? severities[severity]
							  : finding_severity_text(severity);
}

const char *reason_text(enum verdict_lang lang, enum reconcile_reason reason)
{
	return lang == VERDICT_JA && reasons[reason] ? reasons[reason]
						     : reconcile_reasons[reason].meaning;
}

const char *say_values(char out[static SAY_MAX], enum verdict_lang lang, enum word id,
		       const char *const *values)
{
	return say_fill(out, word(lang, id), values);
}

const char *number_text(char out[static NUMBER_TEXT], uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
	size_t at = 0;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

const char *duration_text(char out[static DURATION_TEXT], enum verdict_lang lang, uint64_t seconds)
{
	const struct {
		enum word word;
		uint64_t n;
	} parts[] = {{W_DAYS, seconds / 86400},
		     {W_HOURS, seconds / 3600 % 24},
		     {W_MINUTES, seconds / 60 % 60},
		     {W_SECONDS, seconds % 60}};
	char text[SAY_MAX], number[NUMBER_TEXT];
	unsigned said = 0;
	size_t at = 0;

	for (size_t i = 0; i < 4; i++) {
		if ((i < 3 || said > 0) && parts[i].n == 0)
			continue;
		if (said++ > 0)
			at = say_put(out, at, DURATION_TEXT, " ", 1);
		(void)say(text, lang, parts[i].word, number_text(number, parts[i].n), NULL);
		at = say_put(out, at, DURATION_TEXT, text, strlen(text));
	}
	out[at] = '\0';
	return out;
}

const char *when_text(char out[static WHEN_TEXT], uint64_t unix_s)
{
	time_t time = (time_t)unix_s;
	struct tm utc, local;
	size_t at;

	if (!gmtime_r(&time, &utc) || !localtime_r(&time, &local)) {
		(void)snprintf(out, WHEN_TEXT, "@%" PRIu64, unix_s);
		return out;
	}
	at = strftime(out, WHEN_TEXT, "%Y-%m-%d %H:%M:%S UTC", &utc);
	if (strcmp(local.tm_zone, "UTC") == 0 || strcmp(local.tm_zone, "GMT") == 0)
		return out;
	(void)strftime(out + at, WHEN_TEXT - at,
		       utc.tm_mday == local.tm_mday ? " (%H:%M:%S %Z)" : " (%Y-%m-%d %H:%M:%S %Z)",
		       &local);
	return out;
}

static const char *unit_text(char out[static SAY_MAX], enum verdict_lang lang,
			     enum verdict_unit unit, uint64_t n)
{
	char number[NUMBER_TEXT], duration[DURATION_TEXT];

	switch (unit) {
	case VERDICT_SECONDS:
		return say(out, lang, W_PLAIN, duration_text(duration, lang, n), NULL);
	case VERDICT_MILLISECONDS: return say(out, lang, W_MS, number_text(number, n), NULL);
	case VERDICT_BYTES: return say(out, lang, W_BYTES, number_text(number, n), NULL);
	case VERDICT_COUNT: break;
	}
	return say(out, lang, W_PLAIN, number_text(number, n), NULL);
}

const char *figure_text(char out[static FIGURE_TEXT], enum verdict_lang lang,
			enum verdict_fact_id id, const struct verdict_fact *fact)
{
	char text[SAY_MAX];

	if (!fact->whole && fact->n == 0)
		return word(lang, W_UNKNOWN);
	(void)unit_text(text, lang, verdict_facts[id].unit, fact->n);
	return say(out, lang, fact->whole ? W_PLAIN : W_AT_LEAST_N, text, NULL);
}

const char *bound_text(char out[static FIGURE_TEXT], enum verdict_lang lang,
		       const struct condition *condition)
{
	char text[SAY_MAX];

	*out = '\0';
	if (condition->kind != CONDITION_AT_MOST && condition->kind != CONDITION_AT_LEAST)
		return out;
	(void)unit_text(text, lang, verdict_facts[condition->fact].unit, condition->bound);
	return say(out, lang,
		   condition->kind == CONDITION_AT_LEAST ? W_AT_LEAST
		   : condition->bound == 0               ? W_MUST_BE_0
							 : W_AT_MOST,
		   text, NULL);
}
