// SPDX-License-Identifier: Apache-2.0
/*
 * Log lines on standard error. A line is one write(2) of at most 1 KiB, so that lines of several
 * processes on one pipe do not mix; a longer one is cut and ends in "...". Control bytes, the C1
 * ones of UTF-8 (C2 80 to C2 9F) among them, become \xNN: text from outside cannot steer a
 * terminal.
 */
#include "platform/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "platform/clock.h"

enum { LINE_MAX_BYTES = 1024 };

static enum log_level max_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	max_level = level;
}

/* Copies `text`, escaped, to line[*len]; false if it had to be cut. Leaves 4 bytes for the end of
 * the line. */
static bool put_escaped(char *line, size_t *len, const char *text)
{
	static const char digits[] = "0123456789abcdef";
	bool in_c1 = false; /* inside C2 80 to C2 9F */

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		unsigned char next = (unsigned char)text[1];
		bool c1 = c == 0xc2 && next >= 0x80 && next <= 0x9f;
		bool plain = c >= 0x20 && c != 0x7f && !c1 && !in_c1;

		if (*len + (plain ? 1 : 4) > LINE_MAX_BYTES - 4)
			return false;
		if (plain) {
			line[(*len)++] = *text;
		} else {
			line[(*len)++] = '\\';
			line[(*len)++] = 'x';
			line[(*len)++] = digits[c >> 4];
			line[(*len)++] = digits[c & 15];
		}
		in_c1 = c1;
	}
	return true;
}

__attribute__((format(printf, 3, 0))) static void put_line(enum log_level level, const char *tag,
							   const char *fmt, va_list args)
{
	static const char *const names[] = {"err", "warn", "info", "debug"};
	char line[LINE_MAX_BYTES], text[LINE_MAX_BYTES], now[CLOCK_TEXT];
	size_t len = 0;
	bool whole;
	int n;

	if (level > max_level)
		return;
	n = vsnprintf(text, sizeof text, fmt, args);
	if (n < 0)
		text[0] = '\0';
	whole = put_escaped(line, &len, clock_text(now, clock_wall_ns() / NS_PER_S)) &&
		put_escaped(line, &len, " ") && put_escaped(line, &len, names[level]) &&
		put_escaped(line, &len, " ") && put_escaped(line, &len, tag) &&
		put_escaped(line, &len, ": ") && put_escaped(line, &len, text) &&
		n < (int)sizeof text;
	if (!whole) {
		memcpy(line + len, "...", 3);
		len += 3;
	}
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* there is nobody left to tell */
}

#define LOG_FUNCTION(name, level)                                                                  \
	void(name)(const char *tag, const char *fmt, ...)                                          \
	{                                                                                          \
		va_list args;                                                                      \
                                                                                                   \
		va_start(args, fmt);                                                               \
		put_line(level, tag, fmt, args);                                                   \
		va_end(args);                                                                      \
	}

LOG_FUNCTION(log_err, LOG_LEVEL_ERR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
