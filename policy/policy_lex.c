// SPDX-License-Identifier: Apache-2.0
/*
 * The words of a policy's lines, and what the parser says of them.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy_parser.h"

enum { WARNING_TEXT = 320 };

int parser_fail(const struct parser *s, const char *fmt, ...)
{
	struct err what;
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(what.text, sizeof what.text, fmt, args);
	va_end(args);
	return err_set(s->err, ERR_USAGE, "%s:%u: %s", s->file, s->line, what.text);
}

int parser_no_memory(const struct parser *s)
{
	return err_set(s->err, -ENOMEM, "%s: out of memory", s->file);
}

/* ---- words ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int parser_next(struct parser *s)
{
	const char *p = s->p, *close;

	while (p < s->end && is_blank(*p))
		p++;
	s->token = (struct token){TOKEN_END, p, 0};
	if (p == s->end || *p == '#') {
		s->p = s->end;
		return 0;
	}
	if (*p == ',') {
		s->token = (struct token){TOKEN_COMMA, p, 1};
	} else if (*p == '"') {
		close = memchr(p + 1, '"', (size_t)(s->end - p - 1));
		if (!close)
			return parser_fail(s, "the closing quote is missing");
		s->token = (struct token){TOKEN_STRING, p + 1, (size_t)(close - p - 1)};
		p = close;
	} else {
		while (p < s->end && !is_blank(*p) && *p != ',' && *p != '"' && *p != '#')
			p++;
		s->token = (struct token){TOKEN_WORD, s->token.p, (size_t)(p - s->token.p)};
		p--;
	}
	s->p = p + 1;
	return 0;
}

int parser_line(struct parser *s, const char *p, size_t len)
{
	if (len > 0 && p[len - 1] == '\r')
		len--;
	s->p = p;
	s->end = p + len;
	if (len > POLICY_LINE_MAX)
		return parser_fail(s, "the line is longer than %d bytes; make two of it",
				   (int)POLICY_LINE_MAX);
	for (; p < s->end; p++) {
		unsigned char c = (unsigned char)*p;

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return parser_fail(s, "the line contains a control character (byte 0x%02x)",
					   c);
	}
	return parser_next(s);
}

bool token_is(const struct token *token, const char *word)
{
	return token->kind == TOKEN_WORD && token->len == strlen(word) &&
	       memcmp(token->p, word, token->len) == 0;
}

const char *token_shown(const struct token *token, char out[static PARSER_SHOWN])
{
	int len = token->len < 32 ? (int)token->len : 32;

	if (token->kind == TOKEN_END)
		(void)snprintf(out, PARSER_SHOWN, "the end of the line");
	else
		(void)snprintf(out, PARSER_SHOWN, "'%.*s%s'", len, token->p,
			       token->len > 32 ? "..." : "");
	return out;
}

bool parser_number(const char *p, size_t len, unsigned int max, unsigned int *ret)
{
	unsigned int v = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + (unsigned int)(p[i] - '0');
	}
	if (v > max)
		return false;
	*ret = v;
	return true;
}

void *parser_room(void *array, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 16;
	void *moved;

	if (n < *cap)
		return array;
	moved = reallocarray(array, more, size);
	if (moved)
		*cap = more;
	return moved;
}

int parser_warn(struct parser *s, const char *fmt, ...)
{
	struct policy *policy = s->policy;
	char what[WARNING_TEXT], **moved;
	va_list args;
	int n;

	va_start(args, fmt);
	(void)vsnprintf(what, sizeof what, fmt, args);
	va_end(args);
	moved = parser_room(policy->warnings, policy->n_warnings, &policy->cap_warnings,
			    sizeof *moved);
	if (!moved)
		return parser_no_memory(s);
	policy->warnings = moved;
	n = asprintf(&policy->warnings[policy->n_warnings], "%s:%u: %s", s->file, s->line, what);
	if (n < 0)
		return parser_no_memory(s);
	policy->n_warnings++;
	return 0;
}
