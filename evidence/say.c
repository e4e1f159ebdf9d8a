// SPDX-License-Identifier: Apache-2.0
/*
 * say: see say.h.
 */
#include "evidence/say.h"

#include <string.h>

size_t say_put(char *out, size_t at, size_t size, const char *text, size_t len)
{
	if (len > size - 1 - at) {
		len = size - 1 - at;
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(out + at, text, len);
	return at + len;
}

const char *say_fill(char out[static SAY_MAX], const char *text, const char *const *values)
{
	const char *hole;
	size_t at = 0;

	for (; *values && (hole = strstr(text, "{}")); values++) {
		at = say_put(out, at, SAY_MAX, text, (size_t)(hole - text));
		at = say_put(out, at, SAY_MAX, *values, strlen(*values));
		text = hole + 2;
	}
	at = say_put(out, at, SAY_MAX, text, strlen(text));
	out[at] = '\0';
	return out;
}
