// SPDX-License-Identifier: Apache-2.0
/*
 * What the parts of the parser share: the line that is read, its words, the pools they fill. Not for
 * other stages.
 */
#pragma once

#include "policy/policy_rules.h"

enum {
	PARSER_FILE_BYTES = 4 << 20, /* of a policy file */
	PARSER_SHOWN = 48,           /* a token in an error */
	PARSER_WIDE_V4 = 8,          /* prefixes shorter than these are worth a warning */
	PARSER_WIDE_V6 = 32,
};

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_COMMA, TOKEN_STRING };

struct token {
	enum token_kind kind;
	const char *p;
	size_t len;
};

struct parser {
	struct policy *policy;
	const char *file; /* as the errors call it */
	unsigned int line;
	const char *p, *end; /* of the line, behind the token */
	struct token token;
	struct err *err;
};

/* Says `FILE:LINE: ...` and returns ERR_USAGE. */
int parser_fail(const struct parser *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int parser_no_memory(const struct parser *s);
/* Keeps `FILE:LINE: ...` among the policy's warnings. 0 or an error. */
int parser_warn(struct parser *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Moves to the next token. Fails only on an open quote. */
int parser_next(struct parser *s);
bool token_is(const struct token *token, const char *word);
/* The token for an error: 'word', or words for the end. */
const char *token_shown(const struct token *token, char out[static PARSER_SHOWN]);

/* A decimal number of 1 to 5 digits, all of `len` bytes, at most `max`. */
bool parser_number(const char *p, size_t len, unsigned int max, unsigned int *ret);

/* `array` with room for one more than `n`, moved if need be; NULL without memory: the old one stays
 * valid then. */
void *parser_room(void *array, size_t n, size_t *cap, size_t size);

/* to|from PLACE[, PLACE...] (policy_place.c). */
int parser_places(struct parser *s, struct policy_rule *rule);
int parser_add_place(struct parser *s, struct policy_rule *rule, const struct policy_place *place);

/* Remarks on what the finished rules say (policy_warn.c). 0 or an error. */
int parser_remarks(struct parser *s);
