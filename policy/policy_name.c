// SPDX-License-Identifier: Apache-2.0
/*
 * Domain names in rules: patterns, and what they cover. Case-insensitive in ASCII alone (RFC 4343); no
 * label is ever cut.
 */
#include <string.h>

#include "policy/policy.h"

enum { LABEL_MAX = 63, NAME_MAX_BYTES = 253 }; /* RFC 1035, section 2.3.4; without the last dot */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Underscores are no part of a host's name, and are seen in names all the same. */
static bool is_letter(char c)
{
	return (lower(c) >= 'a' && lower(c) <= 'z') || is_digit(c) || c == '-' || c == '_';
}

const char *policy_pattern(char ret[static POLICY_PATTERN_TEXT], const char *text, size_t len)
{
	size_t label = 0, out = 0, begin = 0;
	bool digits = true;

	if (len >= 2 && text[0] == '*' && text[1] == '.') {
		memcpy(ret, "*.", 2);
		out = begin = 2;
	}
	if (len > begin && text[len - 1] == '.')
		len--;
	if (len == 1 && text[0] == '*')
		return "a pattern needs a name; write any for every place";
	if (len == begin || len - begin > NAME_MAX_BYTES)
		return "a domain name has 1 to 253 bytes";
	for (size_t i = begin; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x80)
			return "beyond ASCII; write its A-labels (xn--...), as they are on the "
			       "wire";
		if (c == '*')
			return "* is for the first label, whole: *.example.com";
		if (c != '.' && !is_letter(text[i]))
			return "not a domain name; labels of letters, digits, - and _ with dots "
			       "between";
		if (c == '.' && label == 0)
			return "an empty label; remove the dot that is too many";
		label = c == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return "a label has 63 bytes at most";
		digits = c == '.' ? true : digits && is_digit(text[i]);
		ret[out++] = lower(text[i]);
	}
	if (label == 0)
		return "an empty label; remove the dot that is too many";
	if (digits) /* No top-level domain is a number (RFC 3696, section 2). */
		return "an address, or a name that nobody has; write addresses without 'name'";
	ret[out] = '\0';
	return NULL;
}

/* The dot at `at` divides labels: none that a backslash makes part of one (RFC 1035, section 5.1). */
static bool divides(const char *name, size_t at)
{
	size_t slashes = 0;

	while (slashes < at && name[at - 1 - slashes] == '\\')
		slashes++;
	return name[at] == '.' && slashes % 2 == 0;
}

/* Bytes of a name without a dot at its end. */
static size_t name_length(const char *name)
{
	size_t len = strlen(name);

	return len > 1 && divides(name, len - 1) ? len - 1 : len;
}

bool policy_name_fits(const char *pattern, const char *name)
{
	bool wild = pattern[0] == '*';
	size_t n, m;

	if (wild)
		pattern += 2;
	else if (name[0] == '*')
		return false;
	if (wild && name[0] == '*' && name[1] == '.')
		name += 2;
	n = name_length(name);
	m = strlen(pattern);
	if (n < m || (n > m && (!wild || !divides(name, n - m - 1))))
		return false;
	for (size_t i = 0; i < m; i++) {
		if (lower(name[n - m + i]) != pattern[i])
			return false;
	}
	return true;
}
