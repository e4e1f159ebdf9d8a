// SPDX-License-Identifier: Apache-2.0
/*
 * The report's texts: none lacks a language, both ask for the same values; and values as text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "evidence/report_words.h"

static unsigned holes(const char *text)
{
	unsigned n = 0;

	for (; (text = strstr(text, "{}")); text += 2)
		n++;
	return n;
}

/* Without kana, kanji and full-width forms; typographic quotes are English too. */
static bool is_ascii(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text >= 0xe3)
			return false;
	}
	return true;
}

static void test_no_word_lacks_a_language(void **state)
{
	unsigned japanese = 0;

	(void)state;
	for (unsigned i = 0; i < WORDS; i++) {
		const char *en = word(VERDICT_EN, (enum word)i),
			   *ja = word(VERDICT_JA, (enum word)i);

		assert_non_null(en);
		assert_non_null(ja);
		assert_true(*en && *ja);
		assert_true(is_ascii(en));
		assert_int_equal(holes(en), holes(ja));
		japanese += !is_ascii(ja);
	}
	assert_true(japanese > WORDS - 12); /* forms such as "{} / {}" have none */
}

static void test_nor_what_evidence_says(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FINDING_KINDS; i++) {
		assert_true(is_ascii(kind_text(VERDICT_EN, (enum finding_kind)i)));
		assert_non_null(kind_text(VERDICT_JA, (enum finding_kind)i));
		assert_false(is_ascii(kind_text(VERDICT_JA, (enum finding_kind)i)));
		if (!blind_text(VERDICT_EN, (enum finding_kind)i))
			continue;
		assert_true(is_ascii(blind_text(VERDICT_EN, (enum finding_kind)i)));
		assert_false(is_ascii(blind_text(VERDICT_JA, (enum finding_kind)i)));
	}
	for (unsigned i = 0; i < FINDING_SEVERITIES; i++) {
		assert_non_null(severity_text(VERDICT_JA, (enum finding_severity)i));
		assert_false(is_ascii(severity_text(VERDICT_JA, (enum finding_severity)i)));
	}
	for (unsigned i = 0; i < RECONCILE_REASONS; i++) {
		assert_true(is_ascii(reason_text(VERDICT_EN, (enum reconcile_reason)i)));
		assert_non_null(reason_text(VERDICT_JA, (enum reconcile_reason)i));
		assert_false(is_ascii(reason_text(VERDICT_JA, (enum reconcile_reason)i)));
	}
}

static void test_say(void **state)
{
	char out[SAY_MAX], longest[2 * SAY_MAX];

	(void)state;
	assert_string_equal(say(out, VERDICT_EN, W_GATES_TEXT, "3", "16", NULL), "3 of 16");
	assert_string_equal(say(out, VERDICT_JA, W_LABEL, "a", "{}", NULL), "a\xef\xbc\x9a{}");
	/* Too long: cut, and never within a character. */
	for (size_t i = 0; i + 3 < sizeof longest; i += 3)
		memcpy(longest + i, "\xe3\x81\x82", 4);
	(void)say(out, VERDICT_EN, W_PLAIN, longest, NULL);
	assert_true(strlen(out) >= SAY_MAX - 4 && strlen(out) < SAY_MAX);
	assert_int_equal(strlen(out) % 3, 0);
}

/* Sentences as the audit makes them; the Japanese is a translator's. */
static void test_said(void **state)
{
	static const struct {
		const char *en, *ja;
	} rows[] = {
		{"the file is missing", "ファイルがない"},
		{"manifest 7, of i-0abc: the segment before was not closed",
		 "マニフェスト 7（i-0abc）：前のセグメントが閉じられていない"},
		{"bytes 40 to 900, signed in manifest 3: the bytes are not those that were signed",
		 "40 バイト目から 900 バイト目まで（マニフェスト 3 "
		 "で署名）：バイト列が、署名されたものと異なる"},
		/* A sentence within a sentence within one. */
		{"the sensor's certificate: certificate: it had expired",
		 "センサーの証明書：期限が切れていた"},
		{"sequence 9 after 4: batches 5 to 8 are missing",
		 "バッチ 9（4 の次）：バッチ 5 から 8 までがない"},
		{"the folder cannot be read: Permission denied",
		 "フォルダーを読めない：許可されていない"},
		/* What a format is not right in is left to `flowproof audit`. */
		{"batch 3: it has too many alerts or accounts", "バッチ 3：形式が正しくない"},
		{"90 days", "90 日"},
		/* Only the whole of a text. */
		{"the file is missing it", NULL},
		{" days", NULL},
		{"", NULL},
		{"i-0abc", NULL},
	};
	char out[SAY_MAX], longest[4 * SAY_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_ptr_equal(said_in(out, VERDICT_EN, rows[i].en), rows[i].en);
		if (rows[i].ja)
			assert_string_equal(said_in(out, VERDICT_JA, rows[i].en), rows[i].ja);
		else
			assert_ptr_equal(said_in(out, VERDICT_JA, rows[i].en), rows[i].en);
	}
	memset(longest, ':', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	memcpy(longest, "cannot read ", 12);
	memcpy(longest + 2000, ": ", 2);
	assert_true(strlen(said_in(out, VERDICT_JA, longest)) < SAY_MAX);
}

static void test_numbers(void **state)
{
	static const struct {
		uint64_t n;
		const char *text;
	} rows[] = {{0, "0"},
		    {999, "999"},
		    {1000, "1,000"},
		    {1234567, "1,234,567"},
		    {UINT64_MAX, "18,446,744,073,709,551,615"}};
	char out[NUMBER_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_string_equal(number_text(out, rows[i].n), rows[i].text);
}

static void test_durations(void **state)
{
	static const struct {
		uint64_t s;
		const char *en, *ja;
	} rows[] = {
		{0, "0 s", "0 \xe7\xa7\x92"},
		{59, "59 s", "59 \xe7\xa7\x92"},
		{60, "1 min", "1 \xe5\x88\x86"},
		{86400, "1 d", "1 \xe6\x97\xa5"},
		{90061, "1 d 1 h 1 min 1 s", NULL},
		{3661, "1 h 1 min 1 s", NULL},
		{61, "1 min 1 s", NULL},
	};
	char out[DURATION_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_string_equal(duration_text(out, VERDICT_EN, rows[i].s), rows[i].en);
		if (rows[i].ja)
			assert_string_equal(duration_text(out, VERDICT_JA, rows[i].s), rows[i].ja);
	}
}

static void set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

static void test_times(void **state)
{
	char out[WHEN_TEXT];

	(void)state;
	set_zone("UTC");
	assert_string_equal(when_text(out, 1764028800), "2025-11-25 00:00:00 UTC");
	set_zone("JST-9");
	assert_string_equal(when_text(out, 1764028800), "2025-11-25 00:00:00 UTC (09:00:00 JST)");
	/* A sensor's clock may say anything. */
	assert_string_equal(when_text(out, UINT64_MAX / 2), "@9223372036854775807");
	/* Another day there. */
	assert_string_equal(when_text(out, 1764028800 + 15 * 3600),
			    "2025-11-25 15:00:00 UTC (2025-11-26 00:00:00 JST)");
	set_zone("EST5");
	assert_string_equal(when_text(out, 1764028800),
			    "2025-11-25 00:00:00 UTC (2025-11-24 19:00:00 EST)");
}

static void test_figures(void **state)
{
	struct verdict_fact fact = {.n = 5, .whole = true};
	struct condition at_most = {CONDITION_AT_MOST, FACT_HIDDEN, 0},
			 told = {CONDITION_TOLD, FACT_HOURS, 0};
	char out[FIGURE_TEXT];

	(void)state;
	assert_string_equal(figure_text(out, VERDICT_EN, FACT_HIDDEN, &fact), "5");
	fact.whole = false;
	assert_string_equal(figure_text(out, VERDICT_EN, FACT_HIDDEN, &fact), "at least 5");
	fact.n = 0;
	assert_string_equal(figure_text(out, VERDICT_EN, FACT_HIDDEN, &fact), "unknown");
	assert_string_equal(bound_text(out, VERDICT_EN, &at_most), "must be 0");
	at_most.bound = 7;
	assert_string_equal(bound_text(out, VERDICT_EN, &at_most), "must be 7 at most");
	assert_string_equal(bound_text(out, VERDICT_EN, &told), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_word_lacks_a_language),
		cmocka_unit_test(test_nor_what_evidence_says),
		cmocka_unit_test(test_say),
		cmocka_unit_test(test_said),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
