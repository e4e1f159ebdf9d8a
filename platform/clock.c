// SPDX-License-Identifier: Apache-2.0
/*
 * Clocks, and the text of times. Calendar arithmetic is our own (proleptic Gregorian, years counted
 * from March so that the leap day is the last of its year): gmtime needs no zone files then, and a
 * 32-bit time_t does not matter.
 */
#include "platform/clock.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "platform/err.h"

enum { DAY_S = 86400, DAYS_TO_1970 = 719468 }; /* days from 0000-03-01 to 1970-01-01 */

static const uint64_t last_s = 253402300799; /* 9999-12-31T23:59:59Z */

static uint64_t now_ns(clockid_t id)
{
	struct timespec ts = {0};

	(void)clock_gettime(id,
			    &ts); /* cannot fail: these clocks exist on every Linux since 2.6.39 */
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t clock_wall_ns(void)
{
	return now_ns(CLOCK_REALTIME);
}

uint64_t clock_mono_ns(void)
{
	return now_ns(CLOCK_MONOTONIC);
}

uint64_t clock_uptime_ns(void)
{
	return now_ns(CLOCK_BOOTTIME);
}

const char *clock_text(char out[static CLOCK_TEXT], uint64_t unix_s)
{
	uint64_t days = unix_s / DAY_S + DAYS_TO_1970;
	uint64_t era = days / 146097; /* of 400 years */
	unsigned int in_day = (unsigned int)(unix_s % DAY_S);
	unsigned int in_era = (unsigned int)(days % 146097);
	unsigned int year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	unsigned int in_year = in_era - (365 * year + year / 4 - year / 100);
	unsigned int month = (5 * in_year + 2) / 153; /* 0 is March */
	unsigned int day = in_year - (153 * month + 2) / 5 + 1;
	char text[48]; /* more than CLOCK_TEXT only in the compiler's eyes: 2^64 s are 12 digits of
			  years */

	month = month < 10 ? month + 3 : month - 9;
	(void)snprintf(text, sizeof text, "%04" PRIu64 "-%02u-%02uT%02u:%02u:%02uZ",
		       era * 400 + year + (month <= 2), month, day, in_day / 3600, in_day / 60 % 60,
		       in_day % 60);
	memcpy(out, text, CLOCK_TEXT);
	out[CLOCK_TEXT - 1] = '\0';
	return out;
}

/* Moves *p over `mark` and `n` digits (no mark if it is 0). */
static bool take(const char **p, char mark, unsigned int n, unsigned int *ret)
{
	const char *s = *p;
	unsigned int v = 0;

	if (mark && *s++ != mark)
		return false;
	for (; n > 0; n--, s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = v * 10 + (unsigned int)(*s - '0');
	}
	*p = s;
	*ret = v;
	return true;
}

static bool parse_iso(const char *p, uint64_t *ret)
{
	static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned int year, month, day, hour = 0, minute = 0, second = 0, y, m;
	bool leap;
	uint64_t days;

	if (!take(&p, 0, 4, &year) || !take(&p, '-', 2, &month) || !take(&p, '-', 2, &day))
		return false;
	if (*p != '\0') {
		if (!take(&p, 'T', 2, &hour) || !take(&p, ':', 2, &minute))
			return false;
		if (*p == ':' && !take(&p, ':', 2, &second))
			return false;
		if (*p == 'Z')
			p++;
	}
	leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (*p != '\0' || year < 1970 || month < 1 || month > 12 || day < 1 ||
	    day > month_days[month - 1] + (unsigned int)(leap && month == 2) || hour > 23 ||
	    minute > 59 || second > 59)
		return false;
	y = year - (month <= 2);
	m = month > 2 ? month - 3 : month + 9;
	days = (uint64_t)y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 -
	       DAYS_TO_1970;
	*ret = days * DAY_S + (uint64_t)hour * 3600 + (uint64_t)minute * 60 + second;
	return true;
}

int clock_parse(const char *text, uint64_t *ret_unix_s, struct err *err)
{
	size_t len = strspn(text, "0123456789");
	uint64_t v = 0;

	if (len > 0 && text[len] == '\0') {
		for (size_t i = 0; i < len && v <= last_s; i++)
			v = v * 10 + (uint64_t)(text[i] - '0');
		if (v > last_s)
			return err_set(err, ERR_USAGE,
				       "'%s' is too large for Unix seconds: not milliseconds, "
				       "at most %" PRIu64,
				       text, last_s);
		*ret_unix_s = v;
		return 0;
	}
	if (!parse_iso(text, ret_unix_s))
		return err_set(err, ERR_USAGE,
			       "'%s' is not a time: give Unix seconds, or UTC from 1970 on as "
			       "2026-01-31, 2026-01-31T12:34 or 2026-01-31T12:34:56Z",
			       text);
	return 0;
}
