// SPDX-License-Identifier: Apache-2.0
/*
 * Names of the DNS taken apart: where the parent domain begins, and what the rest looks like.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The part of `name` (escaped text, proto/names.h) that somebody registers: its last two labels, or three where the
 * last is a country's and the one before it a usual second level ("example.co.uk"). The list of public suffixes
 * is longer than this program; below an odd suffix domains of several owners are taken for one.
 * NULL if the name has no more labels than that.
 */
const char *domain_parent(const char *name);

/* Ends in a name that is not looked for outside (RFC 6762, 8375, 9476; AWS's "internal"), or is the reverse look-up of an address
 * (RFC 1035 section 3.5, RFC 3596): whoever has the addresses gets those questions, so other labels below "arpa" are no such. */
bool domain_is_inner(const char *name);

/* A parent domain whose name servers are AWS's alone: its customers choose names below it, and nobody but AWS gets the
 * questions, if they go to a resolver that asks on. */
bool domain_is_providers(const char *parent);

/* What stands before a parent domain: letters by kind, counted over many names. */
enum { DOMAIN_LETTERS = 39 }; /* a-z, 0-9, '-', '_', all else */
struct domain_letters {
	uint64_t total, letters[DOMAIN_LETTERS];
};

/* Adds the bytes before `parent`, which lies in `name`; dots are not counted. Gives how many, and the longest label. */
size_t domain_add(struct domain_letters *letters, const char *name, const char *parent,
		  size_t *ret_longest);

/* Do they look like data in letters: base16, base32, base36, base64, or bytes as they are? Names that people give
 * are mostly letters, in the frequencies of a language. */
bool domain_looks_encoded(const struct domain_letters *letters);
