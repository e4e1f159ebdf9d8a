// SPDX-License-Identifier: Apache-2.0
/*
 * What tells encoded data from names that people give, in letters folded to lower case:
 *
 *               digits   entropy, bits a letter
 *   names         < 10 %   3.9 to 4.2 (English 4.1)
 *   base16        62.5 %   4.0
 *   base32        19 %     5.0
 *   base36        28 %     5.2
 *   base64        16 %     5.0, and letters that no host name has ('+', '/', '=')
 */
#include "evidence/domain.h"

#include <ctype.h>
#include <string.h>

enum { DIGITS = 26, DASH = 36, UNDERSCORE = 37, OTHER = 38 };

enum {
	ENCODED_DIGITS = 20,    /* percent */
	ENCODED_OTHER = 2,      /* percent */
	ENCODED_ENTROPY = 1152, /* 4.5 bits in 256ths */
	ENCODED_LETTERS = 32,   /* fewer tell nothing */
};

/* The label after the one at `at`; NULL: it is the last. */
static const char *next_label(const char *at)
{
	for (; *at && *at != '.'; at++)
		if (*at == '\\' && at[1])
			at++;
	return *at && at[1] ? at + 1 : NULL;
}

static bool is_second_level(const char *label, const char *last)
{
	static const char *const usual[] = {"ac", "co",  "com", "edu", "gen", "go", "gob", "gov",
					    "gv", "ltd", "ne",  "net", "nom", "or", "org"};
	size_t len = (size_t)(last - 1 - label);

	if (strlen(last) != 2)
		return false;
	for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
		if (strlen(usual[i]) == len && memcmp(usual[i], label, len) == 0)
			return true;
	return false;
}

const char *domain_parent(const char *name)
{
	const char *labels[3] = {NULL, NULL, NULL}; /* the last three, the last one first */
	const char *parent;

	for (const char *at = name; at; at = next_label(at)) {
		labels[2] = labels[1];
		labels[1] = labels[0];
		labels[0] = at;
	}
	parent = labels[1];
	if (parent && labels[2] && is_second_level(parent, labels[0]))
		parent = labels[2];
	return parent == name ? NULL : parent;
}

/* Octets in decimal below in-addr, nibbles in hexadecimal below ip6. */
static bool is_reverse(const char *name)
{
	const char *end = strrchr(name, '.');
	bool v4 = end && end - name >= 7 && strncmp(end - 7, "in-addr", 7) == 0;
	bool v6 = end && end - name >= 3 && strncmp(end - 3, "ip6", 3) == 0;
	const char *digits = v4 ? "0123456789" : "0123456789abcdef";
	const char *stop;
	size_t labels = 0;

	if (!v4 && !v6)
		return false;
	stop = end - (v4 ? 7 : 3);
	for (const char *at = name; at < stop; labels++) {
		size_t len = strspn(at, digits);

		if (len == 0 || len > (v4 ? 3U : 1U) || at[len] != '.')
			return false;
		at += len + 1;
	}
	return labels <= (v4 ? 4U : 32U);
}

bool domain_is_inner(const char *name)
{
	static const char *const inner[] = {"internal",    "local", "localhost",
					    "localdomain", "lan",   "alt"};
	const char *last = name;

	for (const char *at = name; at; at = next_label(at))
		last = at;
	for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++)
		if (strcmp(last, inner[i]) == 0)
			return true;
	return strcmp(last, "arpa") == 0 && is_reverse(name);
}

bool domain_is_providers(const char *parent)
{
	static const char *const providers[] = {"amazonaws.com", "amazonaws.com.cn", "api.aws",
						"cloudfront.net"};

	for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++)
		if (strcmp(parent, providers[i]) == 0)
			return true;
	return false;
}

static unsigned kind_of(unsigned char c)
{
	if (c >= 'a' && c <= 'z')
		return c - (unsigned)'a';
	if (isdigit(c))
		return DIGITS + c - (unsigned)'0';
	return c == '-' ? DASH : c == '_' ? UNDERSCORE : OTHER;
}

size_t domain_add(struct domain_letters *l, const char *name, const char *parent,
		  size_t *ret_longest)
{
	size_t label = 0, n = 0;

	*ret_longest = 0;
	for (const char *at = name; at < parent; at++) {
		unsigned kind = kind_of((unsigned char)*at);

		if (*at == '.') {
			label = 0;
			continue;
		}
		if (*at == '\\') { /* \DDD, or a dot or backslash that is part of the label */
			kind = OTHER;
			at += isdigit((unsigned char)at[1]) ? 3 : 1;
		}
		l->letters[kind]++;
		n++;
		if (++label > *ret_longest)
			*ret_longest = label;
	}
	l->total += n;
	return n;
}

/* log2(v) in 256ths, v > 0: the whole part, then a bit a squaring. */
static uint64_t log2_256(uint64_t v)
{
	unsigned whole = 63 - (unsigned)__builtin_clzll(v);
	uint64_t x = whole > 31 ? v >> (whole - 31) : v << (31 - whole); /* 1.31 fixed point */
	uint64_t ret = whole;

	for (unsigned i = 0; i < 8; i++) {
		x = x * x >> 31;
		ret = ret * 2 + (x >> 32);
		x >>= x >> 32;
	}
	return ret;
}

bool domain_looks_encoded(const struct domain_letters *l)
{
	uint64_t digits = 0, sum = 0;

	if (l->total < ENCODED_LETTERS)
		return false;
	for (unsigned i = 0; i < DOMAIN_LETTERS; i++) {
		if (i >= DIGITS && i < DASH)
			digits += l->letters[i];
		if (l->letters[i])
			sum += l->letters[i] * log2_256(l->letters[i]);
	}
	return digits * 100 >= l->total * ENCODED_DIGITS ||
	       l->letters[OTHER] * 100 >= l->total * ENCODED_OTHER ||
	       log2_256(l->total) - sum / l->total >= ENCODED_ENTROPY;
}
