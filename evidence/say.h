// SPDX-License-Identifier: Apache-2.0
/*
 * Sentences with holes, in the languages of the report.
 */
#pragma once

#include <stddef.h>

enum verdict_lang { VERDICT_EN, VERDICT_JA, VERDICT_LANGS };

enum { SAY_MAX = 768 }; /* bytes of a sentence with NUL, in UTF-8 */

/* `text` with its {} replaced by `values`, in order; NULL ends them. Cut at a whole character. */
const char *say_fill(char out[static SAY_MAX], const char *text, const char *const *values);
/* Puts `len` bytes behind the `at` that are there: what fits, and never a part of a character. The new end; no NUL is added. */
size_t say_put(char *out, size_t at, size_t size, const char *text, size_t len);

/*
 * What the audit, a damaged ledger or a list of logs says in English, in the language: by the patterns of said.def, also within one
 * another. What fits none stays English. Returns `out`, or `english`.
 */
const char *said_in(char out[static SAY_MAX], enum verdict_lang lang, const char *english);
