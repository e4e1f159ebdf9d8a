// SPDX-License-Identifier: Apache-2.0
/*
 * Texts from outside: which may be shown, logged or printed as a field of a record.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The code point at *text, which moves past it; 0, and it stays, at the end and for bytes that are not UTF-8 (RFC
 * 3629). */
uint32_t text_next(const char **text);

/* Well-formed UTF-8 (RFC 3629) of at most `max` bytes, without control characters (U+0000 to U+001F, U+007F to U+009F). */
bool text_is_plain(const char *text, size_t max);

/* As text_is_plain, and without blanks. "" is fine. */
bool text_is_word(const char *text, size_t max);

/* Percent-encoding (RFC 3986, section 2): all but letters, digits, '-', '.', '_' and '~' become %XX. NUL-terminated into
 * `out`; false, and "" there, if it does not fit in `cap` bytes. */
bool text_percent_encode(char *out, size_t cap, const char *text);
