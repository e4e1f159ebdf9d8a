// SPDX-License-Identifier: Apache-2.0
/*
 * What the parts of the parser share: the line that is read, its words, the pools they fill. Not for
 * other stages.
 */
#pragma once

#include "platform/config.h"
#include "policy/policy_rules.h"

/* Nobody asks for the digest in a sensor that only writes text: it has no SHA-256. */
#define PARSER_DIGESTS (IS_ENABLED(CONFIG_STREAM) || IS_ENABLED(CONFIG_ANALYST))

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
	bool may_name_files;      /* the policy is a file itself: theirs are relative to it */
	struct set_entry *staged; /* the sets' prefixes as they were read */
	size_t n_staged, cap_staged;
	char *ranges;              /* path of ip-ranges.json; NULL: none was named */
	struct crypto_sha256 *sum; /* of the digests, if files are named; else NULL */
	struct err *err;
};

/* A prefix, and the set that it belongs to. */
struct set_entry {
	size_t set;
	struct cidr prefix;
};

/* Says `FILE:LINE: ...` and returns ERR_USAGE. */
int parser_fail(const struct parser *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int parser_no_memory(const struct parser *s);
/* Keeps `FILE:LINE: ...` among the policy's warnings. 0 or an error. */
int parser_warn(struct parser *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Begins a line of `len` bytes, a carriage return at its end not counted, and moves to its first token. Fails on lines that are
 * too long and on control characters. */
int parser_line(struct parser *s, const char *p, size_t len);
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

/* One prefix at the token, without host bits. */
int parser_cidr(const struct parser *s, struct cidr *ret);

/* Sets (policy_set.c). `list NAME ITEM[, ITEM...]` and `aws-ranges FILE`, from behind the first word on. */
int parser_list(struct parser *s);
int parser_ranges(struct parser *s);
/* The places `list NAME` and `aws SERVICE [REGION]`, from behind their first word on; ends at their last word's
 * successor. */
int parser_set_place(struct parser *s, bool is_aws, struct policy_place *ret);
int parser_stage(struct parser *s, size_t set, const struct cidr *prefix);
/* Reads the ranges, sorts everything. */
int parser_finish_sets(struct parser *s);

/* Fills the sets of services from a file in the form of ip-ranges.json (policy_aws.c). */
int parser_read_ranges(struct parser *s, const char *path);

/* Gives the content of a file that the policy names, and counts it into the policy's digest. */
int parser_read_file(struct parser *s, const char *path, size_t max, char **ret, size_t *ret_len);

/* Remarks on what the finished rules say (policy_warn.c). 0 or an error. */
int parser_remarks(struct parser *s);
