// SPDX-License-Identifier: Apache-2.0
/*
 * Strings of JSON (RFC 8259, section 7).
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

enum { JSON_CHAR_MAX = 6 }; /* bytes that one byte of text can become */

/* The text in quotes; quotes, backslashes and control bytes in it are escaped. Other bytes stay:
 * UTF-8 in is UTF-8 out. */
void json_print_string(FILE *out, const char *text);

/* As json_print_string, into `out` (JSON_CHAR_MAX * strlen(text) + 2 bytes), without NUL. Returns the length. */
size_t json_put_string(char *out, const char *text);
