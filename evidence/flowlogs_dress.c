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

/* "1674898496000," : the comma's place, or 0. */
static size_t milliseconds_length(const char *line, size_t len)
{
	size_t n = 0;

	while (n < len && (is_digit(line[n]) || line[n] == '"'))
		n++;
	return n >= 13 && n < len && line[n] == ',' ? n : 0;
}

enum flowlogs_dress flowlogs_dress_of(const char *line, size_t len)
{
	static const char heading[] = "timestamp,message";
	const char *blank = memchr(line, ' ', len);
	const char *comma = memchr(line, ',', len);

	if (time_length(line, len))
		return FLOWLOGS_TIMED;
	if ((len >= sizeof heading - 1 && memcmp(line, heading, sizeof heading - 1) == 0) ||
	    (len > sizeof heading && memcmp(line, "\"timestamp\",\"message\"", 20) == 0) ||
	    milliseconds_length(line, len))
		return FLOWLOGS_EVENTS;
	if (comma && !blank)
		return FLOWLOGS_COMMAS;
	return !blank && memchr(line, '\t', len) ? FLOWLOGS_TABS : FLOWLOGS_BARE;
}

/* Values between separators become values between blanks, an empty one `-`: at most twice as long, and one byte. */
static size_t blanks_between(char *out, const char *p, size_t len, char separator)
{
	const char *end = p + len;
	char *start = out;

	for (;;) {
		const char *stop = memchr(p, separator, (size_t)(end - p));
		size_t n = (size_t)((stop ? stop : end) - p);

		if (n >= 2 && p[0] == '"' && p[n - 1] == '"') {
			p++;
			n -= 2;
		}
		if (n == 0)
			*out++ = '-';
		memcpy(out, p, n);
		out += n;
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

bool flowlogs_undress(enum flowlogs_dress dress, const char **line, size_t *len, char *room)
{
	size_t n;

	switch (dress) {
	case FLOWLOGS_BARE: break;
	case FLOWLOGS_COMMAS:
	case FLOWLOGS_TABS:
		*len = blanks_between(room, *line, *len, dress == FLOWLOGS_COMMAS ? ',' : '\t');
		*line = room;
		break;
	case FLOWLOGS_TIMED:
		skip(line, len, time_length(*line, *len));
		skip(line, len, stream_length(*line, *len));
		break;
	case FLOWLOGS_EVENTS:
		n = milliseconds_length(*line, *len);
		if (n == 0)
			return false;
		skip(line, len, n + 1);
		if (*len >= 2 && (*line)[0] == '"' && (*line)[*len - 1] == '"') {
			(*line)++;
			*len -= 2;
		}
		break;
	}
	return true;
}
