// SPDX-License-Identifier: Apache-2.0
/*
 * What stands around a Flow Logs line in exports of other programs: times and stream names before it
 * (CloudWatch Logs export tasks, `aws logs tail`), CSV (Security Lake, Athena, the console).
 */
#include <string.h>

#include "evidence/flowlogs_parts.h"

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

/* The next value of *p .. end without its quotes, and past the comma behind it; false: there is none. */
static bool next_value(const char **p, const char *end, struct flowrec_span *ret)
{
	const char *start = *p, *stop;

	if (!start)
		return false;
	if (start < end && *start == '"') {
		stop = memchr(start + 1, '"', (size_t)(end - start - 1));
		*ret = (struct flowrec_span){start + 1, (size_t)((stop ? stop : end) - start - 1)};
		start = stop ? stop : end;
	}
	stop = memchr(start, ',', (size_t)(end - start));
	if (start == *p)
		*ret = (struct flowrec_span){start, (size_t)((stop ? stop : end) - start)};
	*p = stop ? stop + 1 : NULL;
	return true;
}

/* Of a CSV's heading: which column is the message; -1: none. */
static int message_column(const char *line, size_t len)
{
	const char *p = line, *end = line + len;
	struct flowrec_span name;

	for (int i = 0; i < FLOWREC_COLUMNS_MAX && next_value(&p, end, &name); i++) {
		if (name.len > 0 && name.p[0] == '@') {
			name.p++;
			name.len--;
		}
		if (name.len == 7 && memcmp(name.p, "message", 7) == 0)
			return i;
	}
	return -1;
}

void flowlogs_dress(struct flowlogs *logs, const char *line, size_t len)
{
	bool has_blank = memchr(line, ' ', len);
	int message = has_blank ? -1 : message_column(line, len);

	logs->dress = FLOWLOGS_BARE;
	logs->is_heading = message >= 0;
	if (time_length(line, len)) {
		logs->dress = FLOWLOGS_TIMED;
	} else if (message >= 0 || is_milliseconds(line, len)) {
		logs->dress = FLOWLOGS_EVENTS;
		logs->message = message >= 0 ? (unsigned)message : 1;
	} else if (!has_blank) {
		static const char separators[] = ",\t;";

		for (const char *c = separators; *c && logs->dress == FLOWLOGS_BARE; c++) {
			if (memchr(line, *c, len)) {
				logs->dress = FLOWLOGS_VALUES;
				logs->separator = *c;
			}
		}
	}
}

/* Values between separators become values between blanks, an empty one `-`: at most twice as long, and one byte. */
static size_t blanks_between(char *out, const char *p, size_t len, char separator)
{
	const char *end = p + len;
	char *start = out;

	if (!memchr(p, separator, len)) { /* a heading of tabs above lines with blanks */
		memcpy(out, p, len);
		return len;
	}
	for (;;) {
		const char *stop = memchr(p, separator, (size_t)(end - p));
		size_t n = (size_t)((stop ? stop : end) - p);

		if (n >= 2 && p[0] == '"' && p[n - 1] == '"') {
			p++;
			n -= 2;
		}
		if (n == 0)
			*out++ = '-';
		for (size_t i = 0; i < n; i++)
			*out++ = p[i] == ' ' ? '_' : p[i]; /* of a time: nothing else has any */
		if (!stop)
			return (size_t)(out - start);
		*out++ = ' ';
		p = stop + 1;
	}
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
			if (!next_value(&p, end, &value))
				value = (struct flowrec_span){*line, *len}; /* the parser tells */
		}
		*line = value.p;
		*len = value.len;
		break;
	}
	return true;
}
