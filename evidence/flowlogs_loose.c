// SPDX-License-Identifier: Apache-2.0
/*
 * A Flow Logs line that does not stand alone: blanks doubled, tabs, quotes, the frame of a table, or what other programs put before it
 * (syslog, RFC 3164 and 5424; times, stream and group names of `aws logs`; `--output text`; a file's name or a line's number).
 *
 * Asked only for lines that the reader refuses. A record has as many words as its format has columns, each of its own kind, and stands
 * at the end: nothing else is guessed.
 */
#include <string.h>

#include "evidence/flowlogs_parts.h"

enum {
	WORDS_BEFORE = 24, /* at most, before a heading */
	HAS_FLOW = FLOWLOGS_HAS_SRC | FLOWLOGS_HAS_DST,
	HAS_TIME = FLOWLOGS_HAS_START | FLOWLOGS_HAS_END,
};

static bool is_between(char c)
{
	return c == ' ' || c == '\t' || c == '|';
}

/* The length of a terminal's colour ("\x1b[32m"; "\x1b[K" of grep), or 0. */
static size_t colour_length(const char *p, const char *end)
{
	const char *q = p + 2;

	if (end - p < 3 || p[0] != '\x1b' || p[1] != '[')
		return 0;
	while (q < end && ((*q >= '0' && *q <= '9') || *q == ';'))
		q++;
	return q < end && (*q == 'm' || *q == 'K') ? (size_t)(q + 1 - p) : 0;
}

/* The words of the line with one blank between two, without colours, quotes around them and the frame of a table: never longer. */
static size_t loosen(char *out, const char *line, size_t len)
{
	const char *p = line, *end = line + len;
	char *to = out;

	while (p < end) {
		char *word = to;

		while (p < end && is_between(*p))
			p++;
		while (p < end && !is_between(*p)) {
			size_t colour = colour_length(p, end);

			if (colour > 0)
				p += colour;
			else if (to == word && end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
				p += 3; /* RFC 5424's mark of UTF-8 */
			else if (to == word && memchr("\"'`<", *p, 4))
				p++;
			else
				*to++ = *p++;
		}
		while (to > word && memchr("\"'`>,", to[-1], 5))
			to--;
		if (to > word)
			*to++ = ' ';
	}
	return to > out ? (size_t)(to - out) - 1 : 0;
}

/* "---", ":---:", "+----+": below the heading of a table, around it. */
static bool is_frame(const char *text, size_t len)
{
	size_t dashes = 0;

	for (size_t i = 0; i < len; i++) {
		if (!memchr("-:+= ", text[i], 5))
			return false;
		dashes = text[i] == '-' ? dashes + 1 : 0;
		if (text[i] == '-' && dashes < 3 && (i + 1 == len || text[i + 1] != '-'))
			return false;
	}
	return true;
}

/* What `aws logs --output text` prints around the events; @timestamp, @message above a table. */
static bool is_answer(const char *text, size_t len)
{
	static const char *const begins[] = {"SEARCHEDLOGSTREAMS ", "NEXTTOKEN ", "b/", "f/", "@"};

	for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
		size_t n = strlen(begins[i]);

		if (len > n && memcmp(text, begins[i], n) == 0)
			return true;
	}
	return false;
}

/* Where the last n words begin; NULL: there are fewer. */
static const char *last_words(const char *text, size_t len, size_t n)
{
	const char *p = text + len;

	while (n > 0 && p > text) {
		p--;
		while (p > text && p[-1] != ' ')
			p--;
		if (--n > 0 && p > text)
			p--;
	}
	return n == 0 ? p : NULL;
}

/* Past what is glued to a record's first word: "flow.log:17:2", "message=2". */
static const char *unglue(const char *word, const char *end)
{
	const char *ret = NULL;

	for (; word < end && *word != ' '; word++) {
		if (*word == ':' || *word == '=' || *word == '"')
			ret = word + 1;
	}
	return ret && ret < end && *ret != ' ' ? ret : NULL;
}

/* Of a line that had something before it: is it a record beyond doubt? */
static bool is_sure(const struct flowlogs_record *record)
{
	return record->rec.status != FLOWREC_OK ||
	       ((record->has & HAS_FLOW) == HAS_FLOW && (record->has & HAS_TIME) != 0);
}

static int find_record(struct flowlogs_record *ret, const struct flowlogs_plan *plan,
		       const char *text, size_t len, struct err *err)
{
	const char *start = last_words(text, len, plan->columns.n), *end = text + len;
	int rc = ERR_FORMAT;

	for (int i = 0; rc < 0 && start && i < 2; i++) {
		rc = flowlogs_parse(ret, plan, start, (size_t)(end - start), err);
		if (rc == 0 && start > text && !is_sure(ret))
			rc = ERR_FORMAT;
		start = unglue(start, end);
	}
	return rc;
}

bool flowlogs_fits(struct flowlogs *logs, const char *line, size_t len)
{
	struct flowlogs_record record;
	struct err err;

	return flowlogs_parse_slowly(&record, &logs->plan, line, len, &err) == 0 ||
	       find_record(&record, &logs->plan, logs->loose, loosen(logs->loose, line, len),
			   &err) == 0;
}

static enum flowlogs_loose take(struct flowlogs *logs, struct flowlogs_record *ret,
				const char *line, size_t len, struct err *why)
{
	const char *text = logs->loose, *end = text + loosen(logs->loose, line, len), *p = text;
	bool is_comment = end > text && *text == '#';
	struct err err = *why;

	if (is_frame(text, (size_t)(end - text)))
		return FLOWLOGS_LOOSE_BLANK;
	if (find_record(ret, &logs->plan, text, (size_t)(end - text), &err) == 0) {
		logs->is_loose = true;
		return FLOWLOGS_LOOSE_RECORD;
	}
	if (is_comment)
		p++;
	for (int i = 0; p && i < WORDS_BEFORE; i++) {
		const char *blank = memchr(p, ' ', (size_t)(end - p));

		if (flowrec_is_header(p, (size_t)(end - p)) &&
		    flowlogs_take_header(logs, p, (size_t)(end - p)))
			return FLOWLOGS_LOOSE_HEADER;
		p = blank ? blank + 1 : NULL;
	}
	if (is_comment || is_answer(text, (size_t)(end - text)))
		return FLOWLOGS_LOOSE_OTHER;
	if (logs->is_loose) /* the others of the file have something before them too */
		*why = err;
	return memmem(text, (size_t)(end - text), " TransitGateway ", 16) ? FLOWLOGS_LOOSE_TRANSIT
									  : FLOWLOGS_LOOSE_NONE;
}

enum flowlogs_loose flowlogs_take_loose(struct flowlogs *logs, struct flowlogs_record *ret,
					const char **line, const char *end, bool is_more,
					struct err *why)
{
	const char *all = *line, *p = all, *tab;

	/* Between tabs there are values, or whole lines: `--output text`. */
	for (; p < end; p = tab + 1) {
		tab = memchr(p, '\t', (size_t)(end - p));
		tab = tab ? tab : end;
		*line = tab < end ? tab + 1 : end;
		if (last_words(logs->loose, loosen(logs->loose, p, (size_t)(tab - p)),
			       logs->plan.columns.n))
			return take(logs, ret, p, (size_t)(tab - p), why);
	}
	*line = end;
	return is_more ? FLOWLOGS_LOOSE_END : take(logs, ret, all, (size_t)(end - all), why);
}
