// SPDX-License-Identifier: Apache-2.0
/*
 * Sentences of others in Japanese, by their patterns: the audit's, those of a damaged ledger, of a list of logs. Who says
 * them writes English for whoever reads a terminal, and need not know of a report.
 */
#include <stdbool.h>
#include <string.h>

#include "evidence/say.h"

enum { HOLES = 5, DEPTH = 4 };

static const struct {
	const char *english, *japanese;
} said[] = {
#define SAID(en, ja) {en, ja},
#include "evidence/said.def"
#undef SAID
};

struct part {
	const char *at, *end;
};

static bool begins(struct part text, const char *with, size_t len)
{
	return (size_t)(text.end - text.at) >= len && memcmp(text.at, with, len) == 0;
}

/* Does the text have the pattern's form? Each {} takes as little as it may, and something. */
static bool fits(const char *pattern, struct part text, struct part *holes, size_t room)
{
	const char *hole = strstr(pattern, "{}");
	size_t len = hole ? (size_t)(hole - pattern) : strlen(pattern);

	if (!begins(text, pattern, len))
		return false;
	text.at += len;
	if (!hole)
		return text.at == text.end;
	if (room == 0)
		return false;
	for (holes->at = text.at; text.at++ < text.end;) {
		holes->end = text.at;
		if (fits(hole + 2, text, holes + 1, room - 1))
			return true;
	}
	return false;
}

static size_t put(char *out, size_t at, struct part text, unsigned depth);

/* The Japanese with its {} replaced by what the others hold, translated too. */
static size_t put_filled(char *out, size_t at, const char *japanese, const struct part *holes,
			 unsigned depth)
{
	const char *hole;

	for (; (hole = strstr(japanese, "{}")); japanese = hole + 2, holes++) {
		at = say_put(out, at, SAY_MAX, japanese, (size_t)(hole - japanese));
		at = put(out, at, *holes, depth + 1);
	}
	return say_put(out, at, SAY_MAX, japanese, strlen(japanese));
}

static size_t put(char *out, size_t at, struct part text, unsigned depth)
{
	struct part holes[HOLES];

	for (size_t i = 0; depth < DEPTH && i < sizeof said / sizeof said[0]; i++)
		if (fits(said[i].english, text, holes, HOLES))
			return put_filled(out, at, said[i].japanese, holes, depth);
	return say_put(out, at, SAY_MAX, text.at, (size_t)(text.end - text.at));
}

const char *said_in(char out[static SAY_MAX], enum verdict_lang lang, const char *english)
{
	size_t len = strlen(english);

	if (lang != VERDICT_JA)
		return english;
	out[put(out, 0, (struct part){english, english + len}, 0)] = '\0';
	return strcmp(out, english) == 0 ? english : out;
}
