// SPDX-License-Identifier: Apache-2.0
/*
 * Sets of prefixes: lists that the policy or a file of it spells out, and the address ranges of AWS's services. What is read
 * is staged, then sorted once: a set is searched, not walked.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/config.h"
#include "platform/file.h"
#include "policy/policy_parser.h"

enum { LIST_FILE_BYTES = 4 << 20 };

/* ---- files ---- */

/* `path` as it is if it is absolute, else beside the policy. Gives it. */
static char *beside(const struct parser *s, const char *path, size_t len)
{
	const char *slash = path[0] == '/' ? NULL : strrchr(s->file, '/');
	char *ret = NULL;

	return asprintf(&ret, "%.*s%.*s", slash ? (int)(slash + 1 - s->file) : 0, s->file, (int)len,
			path) < 0
		       ? NULL
		       : ret;
}

int parser_read_file(struct parser *s, const char *path, size_t max, char **ret, size_t *ret_len)
{
	uint8_t digest[SHA256_BYTES];
	struct err why;

	if (file_read_all(path, max, ret, ret_len, &why) < 0)
		return parser_fail(s, "%s", why.text);
	if (!PARSER_DIGESTS)
		return 0;
	if (!s->sum) {
		s->sum = crypto_sha256_new();
		crypto_sha256_add(s->sum, s->policy->digest, SHA256_BYTES);
	}
	crypto_sha256(digest, *ret, *ret_len);
	crypto_sha256_add(s->sum, digest, sizeof digest);
	return 0;
}

/* A path in double quotes; *ret is to be freed. */
static int parse_path(struct parser *s, char **ret)
{
	char text[PARSER_SHOWN];

	if (s->token.kind != TOKEN_STRING || s->token.len == 0)
		return parser_fail(s, "a path in double quotes is missing before %s",
				   token_shown(&s->token, text));
	if (!s->may_name_files)
		return parser_fail(s, "a policy that is no file itself may not name files");
	*ret = beside(s, s->token.p, s->token.len);
	return *ret ? parser_next(s) : parser_no_memory(s);
}

/* ---- sets ---- */

int parser_stage(struct parser *s, size_t set, const struct cidr *prefix)
{
	struct set_entry *moved;

	if (s->n_staged == POLICY_PREFIXES_MAX)
		return parser_fail(s, "more than %d prefixes in all lists and services together",
				   (int)POLICY_PREFIXES_MAX);
	moved = parser_room(s->staged, s->n_staged, &s->cap_staged, sizeof *moved);
	if (!moved)
		return parser_no_memory(s);
	s->staged = moved;
	s->staged[s->n_staged++] = (struct set_entry){set, *prefix};
	return 0;
}

/* The set of this name and region; made if it is not there and `make`. *ret is n_sets if there is none. */
static int find_set(struct parser *s, const struct policy_set *wanted, bool make, size_t *ret)
{
	struct policy *policy = s->policy;
	struct policy_set *moved;

	for (*ret = 0; *ret < policy->n_sets; (*ret)++) {
		const struct policy_set *set = &policy->sets[*ret];

		if (set->is_aws == wanted->is_aws && strcmp(set->name, wanted->name) == 0 &&
		    strcmp(set->region, wanted->region) == 0)
			return 0;
	}
	if (!make)
		return 0;
	if (policy->n_sets == POLICY_SETS_MAX)
		return parser_fail(s, "more than %d lists and services", (int)POLICY_SETS_MAX);
	moved = parser_room(policy->sets, policy->n_sets, &policy->cap_sets, sizeof *moved);
	if (!moved)
		return parser_no_memory(s);
	policy->sets = moved;
	policy->sets[policy->n_sets] = *wanted;
	policy->sets[policy->n_sets++].line = s->line;
	return 0;
}

/* A word of letters, digits, '-' and '_'. */
static int parse_set_name(struct parser *s, const char *what, char ret[static POLICY_SET_TEXT])
{
	const struct token *token = &s->token;
	char text[PARSER_SHOWN];
	bool good =
		token->kind == TOKEN_WORD && token->len < POLICY_SET_TEXT && !token_is(token, "as");

	for (size_t i = 0; good && i < token->len; i++)
		good = isalnum((unsigned char)token->p[i]) || token->p[i] == '-' ||
		       token->p[i] == '_';
	if (!good)
		return parser_fail(s, "%s is missing before %s: up to %d letters, digits, - and _",
				   what, token_shown(token, text), POLICY_SET_TEXT - 1);
	memcpy(ret, token->p, token->len);
	ret[token->len] = '\0';
	return parser_next(s);
}

int parser_set_place(struct parser *s, bool is_aws, struct policy_place *ret)
{
	struct policy_set wanted = {.is_aws = is_aws};
	int rc = parser_next(s);

	if (rc == 0)
		rc = parse_set_name(s, is_aws ? "the service" : "the list's name", wanted.name);
	if (rc == 0 && is_aws && s->token.kind == TOKEN_WORD && !token_is(&s->token, "as") &&
	    !token_is(&s->token, "severity"))
		rc = parse_set_name(s, "the region", wanted.region);
	if (rc == 0)
		rc = find_set(s, &wanted, is_aws, &ret->at);
	if (rc < 0)
		return rc;
	ret->kind = POLICY_PLACE_SET;
	if (is_aws && !IS_ENABLED(CONFIG_POLICY_AWS))
		return parser_fail(s,
				   "this build knows no ranges of AWS (CONFIG_POLICY_AWS); write "
				   "the prefixes");
	if (is_aws && !s->ranges)
		return parser_fail(s, "which addresses are AWS's is not known; write aws-ranges "
				      "\"ip-ranges.json\" in a line above");
	if (ret->at == s->policy->n_sets)
		return parser_fail(s, "there is no list '%s' above; write list %s PREFIX, ...",
				   wanted.name, wanted.name);
	return 0;
}

static int read_list_line(struct parser *s, struct parser *list, const char *p, size_t len,
			  size_t set)
{
	struct cidr prefix;
	char shown[PARSER_SHOWN];
	int rc = parser_line(list, p, len);

	if (rc < 0 || list->token.kind == TOKEN_END)
		return rc;
	rc = parser_cidr(list, &prefix);
	if (rc == 0)
		rc = parser_stage(s, set, &prefix);
	if (rc == 0)
		rc = parser_next(list);
	if (rc == 0 && list->token.kind != TOKEN_END)
		rc = parser_fail(list, "%s follows the prefix; one prefix a line",
				 token_shown(&list->token, shown));
	return rc;
}

/* A prefix a line; '#' begins a comment. */
static int read_list(struct parser *s, const char *path, size_t set)
{
	struct parser list = {.policy = s->policy, .file = path, .err = s->err};
	char *text;
	size_t len;
	int rc = parser_read_file(s, path, LIST_FILE_BYTES, &text, &len);

	if (rc < 0)
		return rc;
	for (const char *p = text; rc == 0 && len > 0;) {
		const char *newline = memchr(p, '\n', len);
		size_t line = newline ? (size_t)(newline - p) : len;

		list.line++;
		rc = read_list_line(s, &list, p, line, set);
		line += newline != NULL;
		p += line;
		len -= line;
	}
	free(text);
	return rc;
}

static int parse_item(struct parser *s, size_t set)
{
	struct cidr prefix;
	char *path = NULL;
	int rc;

	if (token_is(&s->token, "file")) {
		rc = parser_next(s);
		if (rc == 0)
			rc = parse_path(s, &path);
		if (rc == 0)
			rc = read_list(s, path, set);
		free(path);
		return rc;
	}
	rc = parser_cidr(s, &prefix);
	if (rc == 0)
		rc = parser_stage(s, set, &prefix);
	return rc < 0 ? rc : parser_next(s);
}

static int end_of_line(const struct parser *s)
{
	char text[PARSER_SHOWN];

	return s->token.kind == TOKEN_END ? 0
					  : parser_fail(s, "the line is complete before %s",
							token_shown(&s->token, text));
}

int parser_list(struct parser *s)
{
	struct policy_set wanted = {.is_aws = false};
	size_t set = 0;
	int rc = parser_next(s);

	if (rc == 0)
		rc = parse_set_name(s, "the list's name", wanted.name);
	if (rc == 0)
		rc = find_set(s, &wanted, true, &set);
	while (rc == 0) {
		rc = parse_item(s, set);
		if (rc < 0 || s->token.kind != TOKEN_COMMA)
			break;
		rc = parser_next(s);
	}
	return rc < 0 ? rc : end_of_line(s);
}

int parser_ranges(struct parser *s)
{
	int rc = parser_next(s);

	if (rc == 0 && s->ranges)
		rc = parser_fail(s, "aws-ranges stands twice; one snapshot holds for all rules");
	if (rc == 0)
		rc = parse_path(s, &s->ranges);
	return rc < 0 ? rc : end_of_line(s);
}

/* ---- sorted ---- */

static int by_place(const void *a, const void *b)
{
	const struct set_entry *x = a, *y = b;
	int order = (x->set > y->set) - (x->set < y->set);

	if (!order)
		order = x->prefix.family - y->prefix.family;
	if (!order)
		order = memcmp(&x->prefix.addr, &y->prefix.addr, sizeof x->prefix.addr);
	return order ? order : x->prefix.bits - y->prefix.bits;
}

int parser_finish_sets(struct parser *s)
{
	struct policy *policy = s->policy;
	int rc = 0;

	if (s->ranges && IS_ENABLED(CONFIG_POLICY_AWS))
		rc = parser_read_ranges(s, s->ranges);
	if (rc < 0 || s->n_staged == 0)
		return rc;
	qsort(s->staged, s->n_staged, sizeof s->staged[0], by_place);
	policy->prefixes = calloc(s->n_staged, sizeof policy->prefixes[0]);
	if (!policy->prefixes)
		return parser_no_memory(s);
	policy->cap_prefixes = s->n_staged;
	for (size_t i = 0; i < s->n_staged; i++) {
		struct policy_set *set = &policy->sets[s->staged[i].set];
		const struct cidr *prefix = &s->staged[i].prefix;

		if (set->n == 0)
			set->at = policy->n_prefixes;
		else if (cidr_has(&policy->prefixes[policy->n_prefixes - 1], prefix->family,
				  &prefix->addr))
			continue; /* the one before, wider or the same, has it */
		policy->prefixes[policy->n_prefixes++] = *prefix;
		set->n++;
	}
	return 0;
}
