// SPDX-License-Identifier: Apache-2.0
/*
 * text: see text.h.
 */
#include "platform/text.h"

#include <string.h>

uint32_t text_next(const char **text)
{
	const uint8_t *s = (const uint8_t *)*text;
	size_t more = s[0] < 0x80       ? 0
		      : s[0] >> 5 == 6  ? 1
		      : s[0] >> 4 == 14 ? 2
		      : s[0] >> 3 == 30 ? 3
					: 9;
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	uint32_t c = more ? s[0] & (0x3fU >> more) : s[0];

	if (more > 3)
		return 0;
	for (size_t i = 1; i <= more; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*text += more + 1;
	return c;
}

static bool is_clean(const char *text, size_t max, uint32_t least)
{
	if (strlen(text) > max)
		return false;
	while (*text) {
		uint32_t c = text_next(&text);

		if (c < least || (c >= 0x7f && c <= 0x9f))
			return false;
	}
	return true;
}

bool text_is_plain(const char *text, size_t max)
{
	return is_clean(text, max, ' ');
}

bool text_is_word(const char *text, size_t max)
{
	return is_clean(text, max, '!');
}

bool text_percent_encode(char *out, size_t cap, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (; *text; text++) {
		uint8_t c = (uint8_t)*text;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || strchr("-._~", c);
		size_t need = plain ? 1 : 3;

		if (cap - n <= need) {
			out[0] = '\0';
			return false;
		}
		out[n] = plain ? *text : '%';
		if (!plain) {
			out[n + 1] = hex[c >> 4];
			out[n + 2] = hex[c & 15];
		}
		n += need;
	}
	out[n] = '\0';
	return true;
}
