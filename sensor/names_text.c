// SPDX-License-Identifier: Apache-2.0
/*
 * names_text: see names_text.h.
 */
#include "sensor/names_text.h"

#include <string.h>

static void put(struct names_text *to, const char *text, size_t n)
{
	if (to->is_cut || to->len + n > BATCH_NAME_MAX) {
		to->is_cut = true;
		return;
	}
	memcpy(to->text + to->len, text, n);
	to->len += n;
	to->text[to->len] = 0;
}

void names_put(struct names_text *to, char c)
{
	put(to, &c, 1);
}

void names_put_byte(struct names_text *to, uint8_t byte, const char *special)
{
	char c = (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
	const char escaped[] = {'\\', (char)('0' + byte / 100), (char)('0' + byte / 10 % 10),
				(char)('0' + byte % 10)};

	if (byte <= ' ' || byte > '~')
		put(to, escaped, sizeof escaped);
	else if (strchr(special, c))
		put(to, (const char[]){'\\', c}, 2);
	else
		put(to, &c, 1);
}

void names_put_number(struct names_text *to, unsigned number)
{
	char digits[10];
	size_t n = 0;

	do
		digits[sizeof digits - ++n] = (char)('0' + number % 10);
	while (number /= 10);
	put(to, digits + sizeof digits - n, n);
}
