// SPDX-License-Identifier: Apache-2.0
/*
 * What stands around a Flow Logs line in exports of other programs: times and stream names before it
 * (CloudWatch Logs export tasks, `aws logs tail`), CSV (Security Lake, Athena, the console).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "evidence/flowlogs_parts.h"
#include "platform/clock.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "2023-01-28T09:30:00.000Z", "2023-01-28T09:30:00+00:00" before a blank: its length, or 0. */
static size_t time_length(const char *line, size_t len)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	size_t n = sizeof shape - 1;

	if (len <= n)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (shape[i] == 'd' ? !is_digit(line[i]) : line[i] != shape[i])
			return 0;
	}
	while (n < len && (is_digit(line[n]) || memchr(".+-:Z", line[n], 5)))
		n++;
	return n < len && (line[n] == ' ' || line[n] == '\t') ? n : 0;
}

/* Thirteen digits, perhaps in quotes, before a comma: milliseconds. */
static bool is_milliseconds(const char *line, size_t len)
{
	size_t n = 0;

	while (n < len && (is_digit(line[n]) || line[n] == '"'))
		n++;
	return n >= 13 && n < len && line[n] == ',';
}

/* The next value of *p .. end without its quotes, and past the separator behind it; false: there is none. */
static bool next_value(const char **p, const char *end, char separator, struct flowrec_span *ret)
{
	const char *start = *p, *stop;
	bool is_quoted;

	if (!start)
		return false;
	while (start < end && *start == ' ')
		start++;
	*ret = (struct flowrec_span){start, 0};
	is_quoted = start < end && (*start == '"' || *start == '\'');
	if (is_quoted) {
		char quote = *start++;

		stop = memchr(start, quote, (size_t)(end - start));
		while (stop && stop + 1 < end && stop[1] == quote) /* doubled: one of the text */
			stop = memchr(stop + 2, quote, (size_t)(end - stop - 2));
		stop = stop ? stop : end;
		*ret = (struct flowrec_span){start, (size_t)(stop - start)};
		start = stop;
	}
	stop = memchr(start, separator, (size_t)(end - start));
	if (!is_quoted) {
		const char *last = stop ? stop : end;

		while (last > start && last[-1] == ' ')
			last--;
		ret->len = (size_t)(last - start);
	}
	*p = stop ? stop + 1 : NULL;
	return true;
}

static bool is_message(const struct flowrec_span *name)
{
	static const char *const names[] = {"message", "@message", "_raw", "event.original",
					    "log",     "event",    "raw"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (name->len == strlen(names[i]) && memcmp(name->p, names[i], name->len) == 0)
			return true;
	}
	return false;
}

/* Of a CSV's heading: which column is the message; -1: none. */
static int message_column(const char *line, size_t len)
{
	const char *p = line, *end = line + len;
	struct flowrec_span name;

	for (int i = 0; i < FLOWREC_COLUMNS_MAX && next_value(&p, end, ',', &name); i++) {
		if (is_message(&name))
			return i;
	}
	return -1;
}

static size_t count(const char *line, size_t len, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += line[i] == c;
	return n;
}

void flowlogs_dress(struct flowlogs *logs, const char *line, size_t len)
{
	static const char separators[] = ",\t;";
	size_t blanks = count(line, len, ' ');
	int message = blanks > 0 ? -1 : message_column(line, len);

	logs->dress = FLOWLOGS_BARE;
	logs->is_heading = message >= 0;
	if (time_length(line, len)) {
		logs->dress = FLOWLOGS_TIMED;
	} else if (message >= 0 || is_milliseconds(line, len)) {
		logs->dress = FLOWLOGS_EVENTS;
		logs->message = message >= 0 ? (unsigned)message : 1;
	} else {
		for (const char *c = separators; *c && logs->dress == FLOWLOGS_BARE; c++) {
			size_t n = count(line, len, *c);

			if (n > 1 && n >= blanks) { /* there are blanks in "Start Time, End Time" */
				logs->dress = FLOWLOGS_VALUES;
				logs->separator = *c;
			}
		}
	}
}

/* "2026-01-31 12:34:56.000 UTC", "2026-01-31T12:34:56+00:00" */
static bool is_utc(const char *p, size_t len, uint64_t *ret)
{
	static const char *const ends[] = {"", "Z", " UTC", "+00:00", "+0000"};
	char text[] = "2026-01-31T12:34:56Z";
	size_t n = 19;
	struct err err;

	if (len < n || p[4] != '-' || p[13] != ':' || (p[10] != 'T' && p[10] != ' '))
		return false;
	memcpy(text, p, n);
	text[10] = 'T';
	if (n < len && p[n] == '.')
		for (n++; n < len && is_digit(p[n]);)
			n++;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		if (len - n == strlen(ends[i]) && memcmp(p + n, ends[i], len - n) == 0)
			return clock_parse(text, ret, &err) == 0;
	}
	return false;
}

size_t flowlogs_word(char *out, const char *p, size_t len)
{
	uint64_t seconds;
	size_t digits = 0;

	if (len == 0) {
		*out = '-';
		return 1;
	}
	if (is_utc(p, len, &seconds))
		return (size_t)snprintf(out, len, "%" PRIu64, seconds); /* 19 are enough */
	while (digits < len && is_digit(p[digits]))
		digits++;
	if (digits > 0 && len - digits == 2 && memcmp(p + digits, ".0", 2) == 0)
		len = digits;
	for (size_t i = 0; i < len; i++)
		out[i] = p[i] == ' ' ? '_' : p[i];
	return len;
}

/* Values between separators become words between blanks: at most twice as long, and one byte. */
static size_t blanks_between(char *out, const char *p, size_t len, char separator)
{
	const char *end = p + len;
	struct flowrec_span value;
	char *start = out;

	if (!memchr(p, separator, len)) { /* a heading of tabs above lines with blanks */
		memcpy(out, p, len);
		return len;
	}
	while (next_value(&p, end, separator, &value)) {
		out += flowlogs_word(out, value.p, value.len);
		*out++ = ' ';
	}
	return (size_t)(out - start) - 1;
}

static void skip(const char **line, size_t *len, size_t n)
{
	*line += n;
	*len -= n;
	while (*len > 0 && (**line == ' ' || **line == '\t')) {
		(*line)++;
		(*len)--;
	}
}

/* "eni-0123-all ", the stream's name that `aws logs tail` prints. */
static size_t stream_length(const char *line, size_t len)
{
	static const char *const ends[] = {"-all", "-accept", "-reject"};
	const char *blank = memchr(line, ' ', len);
	size_t n = blank ? (size_t)(blank - line) : 0;

	if (n < 8 || memcmp(line, "eni-", 4) != 0)
		return 0;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		size_t k = strlen(ends[i]);

		if (n > k && memcmp(line + n - k, ends[i], k) == 0)
			return n;
	}
	return 0;
}

bool flowlogs_undress(struct flowlogs *logs, const char **line, size_t *len)
{
	const char *p = *line, *end = *line + *len;
	struct flowrec_span value = {*line, *len};

	switch (logs->dress) {
	case FLOWLOGS_BARE: break;
	case FLOWLOGS_VALUES:
		*len = blanks_between(logs->room, *line, *len, logs->separator);
		*line = logs->room;
		break;
	case FLOWLOGS_TIMED:
		skip(line, len, time_length(*line, *len));
		skip(line, len, stream_length(*line, *len));
		break;
	case FLOWLOGS_EVENTS:
		if (logs->is_heading) {
			logs->is_heading = false;
			return false;
		}
		for (unsigned i = 0; i <= logs->message; i++) {
			if (!next_value(&p, end, ',', &value))
				value = (struct flowrec_span){*line, *len}; /* the parser tells */
		}
		*line = value.p;
		*len = value.len;
		break;
	}
	return true;
}
