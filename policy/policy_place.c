// SPDX-License-Identifier: Apache-2.0
/*
 * The places of a rule: addresses, words, names.
 */
#include <string.h>

#include "policy/policy_parser.h"

enum { WORD_TEXT = 64 }; /* longer words are no address */

/* ---- places ---- */

static int add_text(struct parser *s, const char *text, size_t *ret_at)
{
	struct policy *policy = s->policy;

	*ret_at = policy->n_texts;
	do {
		char *moved = parser_room(policy->texts, policy->n_texts, &policy->cap_texts, 1);

		if (!moved)
			return parser_no_memory(s);
		policy->texts = moved;
		policy->texts[policy->n_texts++] = *text;
	} while (*text++);
	return 0;
}

/* name PATTERN: from the pattern on. */
static int parse_name_place(struct parser *s, struct policy_place *ret)
{
	char pattern[POLICY_PATTERN_TEXT], text[PARSER_SHOWN];
	const struct token *token = &s->token;
	const char *wrong;
	int rc = parser_next(s);

	if (rc < 0)
		return rc;
	if (token->kind != TOKEN_WORD || token_is(token, "as"))
		return parser_fail(s,
				   "after 'name' comes a domain name or *.NAME, not %s; write name "
				   "*.example.com, for example",
				   token_shown(token, text));
	wrong = policy_pattern(pattern, token->p, token->len);
	if (wrong)
		return parser_fail(s, "%s: %s", token_shown(token, text), wrong);
	ret->kind = POLICY_PLACE_NAME;
	return add_text(s, pattern, &ret->at);
}

int parser_cidr(const struct parser *s, struct cidr *ret)
{
	const struct token *token = &s->token;
	char word[WORD_TEXT], text[PARSER_SHOWN];
	struct err why;

	if (token->len >= sizeof word)
		return parser_fail(s, "%s is too long for an address", token_shown(token, text));
	memcpy(word, token->p, token->len);
	word[token->len] = '\0';
	if (token->kind != TOKEN_WORD || !strpbrk(word, ".:/"))
		return parser_fail(s, "%s is not an address or prefix", token_shown(token, text));
	if (cidr_parse(word, ret, &why) < 0) {
		char pattern[POLICY_PATTERN_TEXT];

		/* What may be meant is said only where it would be right. */
		if (!policy_pattern(pattern, word, token->len))
			return parser_fail(s, "'%s' is not an address; write name %s", word, word);
		return parser_fail(s, "%s", why.text);
	}
	return 0;
}

static int parse_place(struct parser *s, const struct policy_rule *rule, struct policy_place *ret)
{
	static const struct {
		const char *name;
		enum policy_place_kind kind;
	} names[] = {{"any", POLICY_PLACE_ANY},      {"subnet", POLICY_PLACE_SUBNET},
		     {"local", POLICY_PLACE_LOCAL},  {"collector", POLICY_PLACE_COLLECTOR},
		     {"link", POLICY_PLACE_LINK},    {"resolver", POLICY_PLACE_RESOLVER},
		     {"canary", POLICY_PLACE_CANARY}};
	const struct token *token = &s->token;
	bool boundary = rule->kind == POLICY_GROUP || rule->kind == POLICY_ACL;
	char text[PARSER_SHOWN];
	int rc;

	*ret = (struct policy_place){.kind = POLICY_PLACE_CIDR};
	if (token->kind != TOKEN_WORD || token_is(token, "as"))
		return parser_fail(
			s, "a place is missing before %s; write an address, a prefix or any",
			token_shown(token, text));
	if (token_is(token, "list") || token_is(token, "aws"))
		return parser_set_place(s, token_is(token, "aws"), ret);
	if (token_is(token, "name") && !boundary) {
		rc = parse_name_place(s, ret);
		return rc < 0 ? rc : parser_next(s);
	}
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (token_is(token, names[i].name))
			ret->kind = names[i].kind;
	}
	if (boundary && (token_is(token, "name") || ret->kind > POLICY_PLACE_SUBNET))
		return parser_fail(s,
				   "a boundary knows no %s; allowed are addresses, prefixes, any, "
				   "subnet, list NAME and aws SERVICE",
				   token_shown(token, text));
	if ((ret->kind == POLICY_PLACE_COLLECTOR || ret->kind == POLICY_PLACE_CANARY) && !rule->out)
		return parser_fail(
			s, "the collector never calls this machine; write its address after "
			   "from if it may");
	if (ret->kind == POLICY_PLACE_CIDR && !memchr(token->p, '.', token->len) &&
	    !memchr(token->p, ':', token->len) && !memchr(token->p, '/', token->len))
		return parser_fail(
			s,
			"unknown place %s; allowed are addresses, prefixes, any, subnet, "
			"local, collector, canary, resolver, link, name NAME, list NAME and aws "
			"SERVICE [REGION]",
			token_shown(token, text));
	rc = ret->kind == POLICY_PLACE_CIDR ? parser_cidr(s, &ret->cidr) : 0;
	return rc < 0 ? rc : parser_next(s);
}

int parser_add_place(struct parser *s, struct policy_rule *rule, const struct policy_place *place)
{
	struct policy *policy = s->policy;
	struct policy_place *moved;

	moved = parser_room(policy->places, policy->n_places, &policy->cap_places, sizeof *moved);
	if (!moved)
		return parser_no_memory(s);
	policy->places = moved;
	policy->places[policy->n_places++] = *place;
	rule->n_places++;
	return 0;
}

/* to|from PLACE[, PLACE...] */
int parser_places(struct parser *s, struct policy_rule *rule)
{
	const char *wanted = rule->out ? "to" : "from", *other = rule->out ? "from" : "to";
	struct policy_place place;
	char text[PARSER_SHOWN];
	int rc;

	rule->places = s->policy->n_places;
	if (token_is(&s->token, other))
		return parser_fail(s, "'%s' goes with '%s'; write %s here", other,
				   rule->out ? "in" : "out", wanted);
	if (!token_is(&s->token, wanted))
		return parser_fail(s, "'%s' is missing before %s", wanted,
				   token_shown(&s->token, text));
	do {
		if (rule->n_places == POLICY_LIST_MAX)
			return parser_fail(s, "more than %d places in one rule; make two of it",
					   (int)POLICY_LIST_MAX);
		rc = parser_next(s);
		if (rc == 0)
			rc = parse_place(s, rule, &place);
		if (rc == 0)
			rc = parser_add_place(s, rule, &place);
		if (rc < 0)
			return rc;
	} while (s->token.kind == TOKEN_COMMA);
	return 0;
}