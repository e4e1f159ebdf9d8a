// SPDX-License-Identifier: Apache-2.0
/*
 * Strings of JSON (RFC 8259, section 7).
 */
#include "platform/json.h"

static size_t put_char(char out[static JSON_CHAR_MAX], char c)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char byte = (unsigned char)c;

	if (c == '"' || c == '\\') {
		out[0] = '\\';
		out[1] = c;
		return 2;
	}
	if (byte < 0x20 || byte == 0x7f) {
		out[0] = '\\';
		out[1] = 'u';
		out[2] = out[3] = '0';
		out[4] = hex[byte >> 4];
		out[5] = hex[byte & 15];
		return 6;
	}
	out[0] = c;
	return 1;
}

size_t json_put_string(char *out, const char *text)
{
	char *p = out;

	*p++ = '"';
	for (; *text; text++)
		p += put_char(p, *text);
	*p++ = '"';
	return (size_t)(p - out);
}

void json_print_string(FILE *out, const char *text)
{
	char escaped[JSON_CHAR_MAX];
	const char *plain = text; /* what stays as it is goes out in one piece */

	(void)fputc('"', out);
	for (; *text; text++) {
		size_t len = put_char(escaped, *text);

		if (len == 1)
			continue;
		(void)fwrite(plain, 1, (size_t)(text - plain), out);
		(void)fwrite(escaped, 1, len, out);
		plain = text + 1;
	}
	(void)fwrite(plain, 1, (size_t)(text - plain), out);
	(void)fputc('"', out);
}
