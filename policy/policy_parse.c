// SPDX-License-Identifier: Apache-2.0
/*
 * Reads the policy language (flowproof-policy(5)), one rule a line:
 *
 *   expect|watch|breach out|in PROTOCOL [PORTS] to|from PLACE[, PLACE...] [severity WORD] [as "name"]
 *   expect collector [as "name"]
 *   boundary group [out|in PROTOCOL [PORTS] to|from PLACE[, PLACE...]] [as "name"]
 *   boundary acl [out|in NUMBER allow|deny PROTOCOL [PORTS] to|from PLACE[, PLACE...]] [as "name"]
 *   list NAME ITEM[, ITEM...]
 *   aws-ranges "FILE"
 *
 * A recursive-descent parser with one token of look-ahead. The first fault ends the reading.
 */
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/config.h"
#include "platform/file.h"
#include "platform/text.h"
#include "policy/policy_parser.h"

/* ---- protocol and ports ---- */

/* The numbers that a rule's protocols have: bits. */
enum numbers { NUMBERS_NONE = 0, NUMBERS_PORTS = 1, NUMBERS_TYPES = 2 };

static void add_protocol(struct policy_rule *rule, unsigned int number)
{
	rule->protocols[number / 8] |= (uint8_t)(1U << number % 8);
}

static int parse_one_protocol(const struct parser *s, struct policy_rule *rule, const char *p,
			      size_t len, unsigned int *fit)
{
	static const struct {
		const char *name;
		unsigned int number;
	} names[] = {{"icmp", 1}, {"tcp", 6}, {"udp", 17}, {"icmpv6", 58}, {"sctp", 132}};
	const struct token token = {TOKEN_WORD, p, len};
	unsigned int number = 256;
	char text[PARSER_SHOWN];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (token_is(&token, names[i].name))
			number = names[i].number;
	}
	if (number == 256 && !parser_number(p, len, 255, &number))
		return parser_fail(
			s,
			"%s is not a protocol; allowed are tcp, udp, icmp, icmpv6, sctp, any, "
			"a number from 0 to "
			"255, or several joined by +",
			token_shown(&token, text));
	add_protocol(rule, number);
	*fit &= number == 6 || number == 17 || number == 132 ? NUMBERS_PORTS
		: number == 1 || number == 58                ? NUMBERS_TYPES
							     : NUMBERS_NONE;
	return 0;
}

static int parse_protocol(struct parser *s, struct policy_rule *rule, enum numbers *ret_fit)
{
	struct token rest = s->token;
	unsigned int fit = NUMBERS_PORTS | NUMBERS_TYPES;
	char text[PARSER_SHOWN];
	int rc = 0;

	if (rest.kind != TOKEN_WORD)
		return parser_fail(
			s, "a protocol is missing before %s; write tcp, udp or any, for example",
			token_shown(&rest, text));
	if (token_is(&rest, "to") || token_is(&rest, "from"))
		return parser_fail(s, "a protocol is missing before %s; write any for all of them",
				   token_shown(&rest, text));
	if (token_is(&rest, "any")) {
		memset(rule->protocols, 0xff, sizeof rule->protocols);
		*ret_fit = NUMBERS_NONE;
		return parser_next(s);
	}
	for (;;) {
		const char *plus = memchr(rest.p, '+', rest.len);
		size_t len = plus ? (size_t)(plus - rest.p) : rest.len;

		rc = parse_one_protocol(s, rule, rest.p, len, &fit);
		if (rc < 0)
			return rc;
		if (!plus)
			break;
		rest.p += len + 1;
		rest.len -= len + 1;
	}
	*ret_fit = (enum numbers)fit;
	return parser_next(s);
}

static int by_low(const void *a, const void *b)
{
	const struct policy_ports *x = a, *y = b;

	return (x->low > y->low) - (x->low < y->low);
}

/* Sorts the ranges, joins those that touch, and puts them into the pool. */
static int store_ports(struct parser *s, struct policy_rule *rule, struct policy_ports *ranges,
		       size_t n)
{
	struct policy *policy = s->policy;

	qsort(ranges, n, sizeof ranges[0], by_low);
	for (size_t i = 0; i < n; i++) {
		struct policy_ports *last = rule->n_ports ? &policy->ports[policy->n_ports - 1]
							  : NULL,
				    *moved;

		if (last && ranges[i].low <= (unsigned int)last->high + 1) {
			last->high = last->high > ranges[i].high ? last->high : ranges[i].high;
			continue;
		}
		moved = parser_room(policy->ports, policy->n_ports, &policy->cap_ports,
				    sizeof *moved);
		if (!moved)
			return parser_no_memory(s);
		policy->ports = moved;
		policy->ports[policy->n_ports++] = ranges[i];
		rule->n_ports++;
	}
	return 0;
}

/* `TEXT` or `TEXT-TEXT`, each a number up to `max`. False if it is none. */
static bool read_range(const char *p, size_t len, unsigned int max, unsigned int *low,
		       unsigned int *high)
{
	const char *dash = memchr(p, '-', len);
	size_t first = dash ? (size_t)(dash - p) : len;

	if (!parser_number(p, first, max, low))
		return false;
	*high = *low;
	return !dash || parser_number(dash + 1, len - first - 1, max, high);
}

/* TYPE[-TYPE] or TYPE/CODE as numbers of 16 bits. */
static bool read_types(const char *p, size_t len, unsigned int *low, unsigned int *high)
{
	const char *slash = memchr(p, '/', len);
	size_t first = slash ? (size_t)(slash - p) : len;
	unsigned int code;

	if (slash) {
		if (!parser_number(p, first, 255, low) ||
		    !parser_number(slash + 1, len - first - 1, 255, &code))
			return false;
		*low = *high = *low << 8 | code;
		return true;
	}
	if (!read_range(p, len, 255, low, high))
		return false;
	*low <<= 8;
	*high = *high << 8 | 255;
	return true;
}

static int parse_range(const struct parser *s, bool is_types, struct policy_ports *ret)
{
	const struct token *token = &s->token;
	unsigned int low = 0, high = 0, shift = is_types ? 8 : 0;
	char text[PARSER_SHOWN];
	bool good = token->kind == TOKEN_WORD &&
		    (is_types ? read_types(token->p, token->len, &low, &high)
			      : read_range(token->p, token->len, 65535, &low, &high));

	if (!good && is_types)
		return parser_fail(s,
				   "%s is not an ICMP type; allowed are 0 to 255, ranges like 0-8, "
				   "TYPE/CODE like 3/4, or any",
				   token_shown(token, text));
	if (!good)
		return parser_fail(
			s,
			"%s is not a port; allowed are 0 to 65535, ranges like 8000-8100, or any",
			token_shown(token, text));
	if (high < low)
		return parser_fail(s, "the range %s runs backwards; write %u-%u",
				   token_shown(token, text), high >> shift, low >> shift);
	*ret = (struct policy_ports){(uint16_t)low, (uint16_t)high};
	return 0;
}

/* [PORTS], of ICMP [TYPES]: from behind the protocol to the preposition. */
static int parse_ports(struct parser *s, struct policy_rule *rule, enum numbers fit)
{
	struct policy_ports ranges[POLICY_LIST_MAX];
	char text[PARSER_SHOWN];
	size_t n = 0;
	int rc;

	rule->ports = s->policy->n_ports;
	if (token_is(&s->token, "to") || token_is(&s->token, "from") || s->token.kind == TOKEN_END)
		return 0;
	rule->is_types = fit == NUMBERS_TYPES;
	if (fit == NUMBERS_NONE)
		return parser_fail(s,
				   "ports go with tcp, udp and sctp only, types with icmp and "
				   "icmpv6; remove %s or name the protocol",
				   token_shown(&s->token, text));
	if (token_is(&s->token, "any"))
		return parser_next(s);
	for (;;) {
		if (n == POLICY_LIST_MAX)
			return parser_fail(s, "more than %d ports in one rule; make two of it",
					   (int)POLICY_LIST_MAX);
		rc = parse_range(s, rule->is_types, &ranges[n++]);
		if (rc == 0)
			rc = parser_next(s);
		if (rc < 0)
			return rc;
		if (s->token.kind != TOKEN_COMMA)
			break;
		rc = parser_next(s);
		if (rc < 0)
			return rc;
	}
	return store_ports(s, rule, ranges, n);
}

/* ---- names ---- */

/* [severity WORD] of a breach. */
static int parse_severity(struct parser *s, struct policy_rule *rule)
{
	char text[PARSER_SHOWN];
	int rc;

	if (rule->kind == POLICY_BREACH)
		rule->severity = rule->out ? POLICY_SEVERITY_HIGH : POLICY_SEVERITY_MEDIUM;
	if (!token_is(&s->token, "severity"))
		return 0;
	if (rule->kind != POLICY_BREACH)
		return parser_fail(s, "severity goes with breach: what is expected, watched or of "
				      "a boundary has none");
	rc = parser_next(s);
	if (rc < 0)
		return rc;
	for (int i = POLICY_SEVERITY_INFO; i < POLICY_SEVERITIES; i++) {
		if (token_is(&s->token, policy_severity_text((enum policy_severity)i))) {
			rule->severity = (uint8_t)i;
			return parser_next(s);
		}
	}
	return parser_fail(s, "%s is not a severity; allowed are info, low, medium, high, critical",
			   token_shown(&s->token, text));
}

/* What a boundary's other rules leave. */
static void name_rest(struct policy_rule *rule)
{
	(void)snprintf(rule->name, sizeof rule->name, "%s",
		       rule->kind == POLICY_ACL ? "acl-default" : "group-default");
}

/* [as "name"], and then the end of the line. */
static int parse_name(struct parser *s, struct policy_rule *rule)
{
	const char *slash = strrchr(s->file, '/');
	char text[PARSER_SHOWN];
	int rc;

	(void)snprintf(rule->name, sizeof rule->name, "%.48s:%u", slash ? slash + 1 : s->file,
		       s->line);
	/* A file's name may be anything; a rule's name is one word of text, since it is printed in
	 * lines whose fields are separated by blanks. */
	if (!text_is_word(rule->name, sizeof rule->name - 1))
		(void)snprintf(rule->name, sizeof rule->name, "policy:%u", s->line);
	if (rule->is_rest)
		name_rest(rule);
	if (token_is(&s->token, "as")) {
		rc = parser_next(s);
		if (rc < 0)
			return rc;
		if (s->token.kind != TOKEN_STRING)
			return parser_fail(s, "after 'as' comes a name in double quotes, not %s",
					   token_shown(&s->token, text));
		if (s->token.len == 0 || s->token.len >= sizeof rule->name)
			return parser_fail(s, "a rule's name has 1 to %d bytes",
					   POLICY_NAME_TEXT - 1);
		memcpy(rule->name, s->token.p, s->token.len);
		rule->name[s->token.len] = '\0';
		if (!text_is_word(rule->name, sizeof rule->name - 1))
			return parser_fail(s,
					   "a rule's name is one word of UTF-8 text, since it is a "
					   "field of records; "
					   "write '-' for blanks");
		rc = parser_next(s);
		if (rc < 0)
			return rc;
	}
	if (s->token.kind != TOKEN_END)
		return parser_fail(s, "the rule is complete before %s; one rule a line",
				   token_shown(&s->token, text));
	return 0;
}

/* ---- rules ---- */

/* expect collector: out tcp to collector */
static int parse_collector(struct parser *s, struct policy_rule *rule)
{
	const struct policy_place place = {.kind = POLICY_PLACE_COLLECTOR};
	int rc;

	rule->out = true;
	rule->places = s->policy->n_places;
	rule->ports = s->policy->n_ports;
	add_protocol(rule, 6);
	rc = parser_add_place(s, rule, &place);
	return rc < 0 ? rc : parser_next(s);
}

/* out|in PROTOCOL [PORTS] to|from PLACE[, PLACE...]; for an ACL NUMBER allow|deny behind the direction. */
static int parse_match(struct parser *s, struct policy_rule *rule,
		       int (*numbered)(struct parser *, struct policy_rule *))
{
	enum numbers fit = NUMBERS_NONE;
	int rc;

	rule->out = token_is(&s->token, "out");
	rc = parser_next(s);
	if (rc == 0 && numbered)
		rc = numbered(s, rule);
	if (rc == 0)
		rc = parse_protocol(s, rule, &fit);
	if (rc == 0)
		rc = parse_ports(s, rule, fit);
	return rc < 0 ? rc : parser_places(s, rule);
}

static bool is_direction(const struct token *token)
{
	return token_is(token, "out") || token_is(token, "in");
}

/* NUMBER allow|deny: the numbers of one direction ascend, as the rules are tried. */
static int parse_acl_number(struct parser *s, struct policy_rule *rule)
{
	const struct policy *policy = s->policy;
	unsigned int number = 0, last = 0;
	char text[PARSER_SHOWN];
	int rc;

	for (size_t i = 0; i < policy->n_rules; i++) {
		if (policy->rules[i].kind == POLICY_ACL && policy->rules[i].out == rule->out)
			last = policy->rules[i].number;
	}
	if (s->token.kind != TOKEN_WORD ||
	    !parser_number(s->token.p, s->token.len, 32766, &number) || number == 0)
		return parser_fail(s,
				   "%s is not the number of an ACL's rule; allowed are 1 to 32766",
				   token_shown(&s->token, text));
	if (number <= last)
		return parser_fail(s,
				   "rule %u stands behind rule %u; write them in ascending order",
				   number, last);
	rule->number = (uint16_t)number;
	rc = parser_next(s);
	if (rc < 0)
		return rc;
	rule->refuses = token_is(&s->token, "deny");
	if (!rule->refuses && !token_is(&s->token, "allow"))
		return parser_fail(s, "after the number comes allow or deny, not %s",
				   token_shown(&s->token, text));
	return parser_next(s);
}

/* boundary group|acl [...]: alone it says that this boundary is there, and refuses what no rule of it allows. */
static int parse_boundary(struct parser *s, struct policy_rule *rule)
{
	char text[PARSER_SHOWN];
	bool acl;
	int rc = parser_next(s);

	if (rc < 0)
		return rc;
	acl = token_is(&s->token, "acl");
	if (!acl && !token_is(&s->token, "group"))
		return parser_fail(s, "after 'boundary' comes group or acl, not %s",
				   token_shown(&s->token, text));
	if (!IS_ENABLED(CONFIG_POLICY_BOUNDARY))
		return parser_fail(s, "this build judges no boundaries (CONFIG_POLICY_BOUNDARY)");
	rule->kind = acl ? POLICY_ACL : POLICY_GROUP;
	*(acl ? &s->policy->acls : &s->policy->groups) += 1;
	rc = parser_next(s);
	if (rc < 0)
		return rc;
	if (is_direction(&s->token))
		return parse_match(s, rule, acl ? parse_acl_number : NULL);
	if (s->token.kind != TOKEN_END && !token_is(&s->token, "as"))
		return parser_fail(s, "after 'boundary %s' comes out or in, or nothing, not %s",
				   acl ? "acl" : "group", token_shown(&s->token, text));
	for (size_t i = 0; i < s->policy->n_rules; i++) {
		if (s->policy->rules[i].is_rest && s->policy->rules[i].kind == rule->kind)
			return parser_fail(s, "line %u says already that there is such a boundary",
					   s->policy->rules[i].line);
	}
	rule->is_rest = rule->refuses = true;
	return 0;
}

static int parse_rule(struct parser *s, struct policy_rule *rule)
{
	static const char *const kinds[] = {"expect", "watch", "breach"};
	char text[PARSER_SHOWN];
	size_t kind = 0;
	int rc;

	if (token_is(&s->token, "boundary")) {
		rc = parse_boundary(s, rule);
		if (rc == 0)
			rc = parse_severity(s, rule);
		return rc < 0 ? rc : parse_name(s, rule);
	}
	while (kind < sizeof kinds / sizeof kinds[0] && !token_is(&s->token, kinds[kind]))
		kind++;
	if (kind == sizeof kinds / sizeof kinds[0])
		return parser_fail(s,
				   "a line begins with expect, watch, breach, boundary, list or "
				   "aws-ranges, not %s",
				   token_shown(&s->token, text));
	rule->kind = (uint8_t)kind;
	rc = parser_next(s);
	if (rc < 0)
		return rc;
	if (kind == POLICY_EXPECT && token_is(&s->token, "collector"))
		rc = parse_collector(s, rule);
	else if (is_direction(&s->token))
		rc = parse_match(s, rule, NULL);
	else
		rc = parser_fail(s, "after '%s' comes out or in%s, not %s", kinds[kind],
				 kind == POLICY_EXPECT ? ", or collector alone" : "",
				 token_shown(&s->token, text));
	if (rc == 0)
		rc = parse_severity(s, rule);
	return rc < 0 ? rc : parse_name(s, rule);
}

static int add_rule(struct parser *s, const struct policy_rule *rule)
{
	struct policy *policy = s->policy;
	struct policy_rule *moved;

	if (policy->n_rules == POLICY_RULES_MAX)
		return parser_fail(s, "more than %d rules; join places with commas",
				   (int)POLICY_RULES_MAX);
	moved = parser_room(policy->rules, policy->n_rules, &policy->cap_rules, sizeof *moved);
	if (!moved)
		return parser_no_memory(s);
	policy->rules = moved;
	policy->rules[policy->n_rules++] = *rule;
	return 0;
}

static int parse_line(struct parser *s, const char *line, size_t len)
{
	struct policy_rule rule = {.line = ++s->line};
	int rc = parser_line(s, line, len);

	if (rc < 0 || s->token.kind == TOKEN_END)
		return rc;
	if (token_is(&s->token, "list"))
		return parser_list(s);
	if (token_is(&s->token, "aws-ranges"))
		return parser_ranges(s);
	rc = parse_rule(s, &rule);
	return rc < 0 ? rc : add_rule(s, &rule);
}

/* What a boundary's rules do not name has a number and a name too. */
static int add_rest(struct parser *s, enum policy_kind kind, size_t *n)
{
	struct policy_rule rest = {
		.kind = (uint8_t)kind, .is_rest = true, .refuses = true, .line = s->line};

	if (*n == 0)
		return 0;
	for (size_t i = 0; i < s->policy->n_rules; i++) {
		if (s->policy->rules[i].kind == kind && s->policy->rules[i].is_rest)
			return 0;
	}
	name_rest(&rest);
	++*n;
	return add_rule(s, &rest);
}

/* ---- the whole ---- */

static int parse_all(struct parser *s, const char *text, size_t len)
{
	int rc = 0;

	while (rc == 0 && len > 0) {
		const char *newline = memchr(text, '\n', len);
		size_t line = newline ? (size_t)(newline - text) : len;

		rc = parse_line(s, text, line);
		line += newline != NULL;
		text += line;
		len -= line;
	}
	if (rc == 0)
		rc = add_rest(s, POLICY_GROUP, &s->policy->groups);
	if (rc == 0)
		rc = add_rest(s, POLICY_ACL, &s->policy->acls);
	if (rc == 0)
		rc = parser_finish_sets(s);
	return rc < 0 ? rc : parser_remarks(s);
}

static int parse(struct policy **ret, const char *name, const char *text, size_t len,
		 bool may_name_files, struct err *err)
{
	struct parser s = {.file = name, .err = err, .may_name_files = may_name_files};
	int rc;

	s.policy = calloc(1, sizeof *s.policy);
	if (!s.policy)
		return parser_no_memory(&s);
	if (PARSER_DIGESTS)
		crypto_sha256(s.policy->digest, text, len);
	s.policy->text = malloc(len + 1);
	s.policy->text_len = len;
	if (s.policy->text)
		memcpy(s.policy->text, text, len);
	rc = s.policy->text ? parse_all(&s, text, len) : parser_no_memory(&s);
	if (PARSER_DIGESTS && s.sum)
		crypto_sha256_end(s.sum, s.policy->digest);
	free(s.staged);
	free(s.ranges);
	if (rc < 0)
		policy_free(s.policy);
	else
		*ret = s.policy;
	return rc;
}

int policy_parse(struct policy **ret, const char *name, const char *text, size_t len,
		 struct err *err)
{
	return parse(ret, name, text, len, false, err);
}

int policy_read(struct policy **ret, const char *path, struct err *err)
{
	char *text;
	size_t len;
	int rc;

	if (file_read_all(path, PARSER_FILE_BYTES, &text, &len, err) < 0)
		return ERR_USAGE; /* whatever the reason, the operator named a file that cannot be
				     used */
	rc = parse(ret, path, text, len, true, err);
	free(text);
	return rc;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->n_warnings; i++)
		free(policy->warnings[i]);
	free(policy->warnings);
	free(policy->rules);
	free(policy->places);
	free(policy->ports);
	free(policy->texts);
	free(policy->sets);
	free(policy->text);
	free(policy->prefixes);
	free(policy);
}

size_t policy_rules(const struct policy *policy)
{
	return policy->n_rules;
}

const char *policy_rule_name(const struct policy *policy, uint16_t id)
{
	return id == 0 || id > policy->n_rules ? NULL : policy->rules[id - 1].name;
}

const char *policy_warning(const struct policy *policy, size_t i)
{
	return i < policy->n_warnings ? policy->warnings[i] : NULL;
}

const uint8_t *policy_digest(const struct policy *policy)
{
	return policy->digest;
}

const uint8_t *policy_text(const struct policy *policy, size_t *ret_len)
{
	*ret_len = policy->text_len;
	return (const uint8_t *)policy->text;
}

const char *policy_ranges_date(const struct policy *policy)
{
	return policy->ranges_date;
}

size_t policy_memory(const struct policy *policy)
{
	return sizeof *policy + policy->cap_rules * sizeof policy->rules[0] +
	       policy->cap_places * sizeof policy->places[0] +
	       policy->cap_ports * sizeof policy->ports[0] +
	       policy->cap_sets * sizeof policy->sets[0] +
	       policy->cap_prefixes * sizeof policy->prefixes[0] + policy->cap_texts +
	       policy->text_len;
}

enum policy_severity policy_rule_severity(const struct policy *policy, uint16_t id)
{
	return id == 0 || id > policy->n_rules
		       ? POLICY_SEVERITY_NONE
		       : (enum policy_severity)policy->rules[id - 1].severity;
}

const char *policy_severity_text(enum policy_severity severity)
{
	static const char *const texts[] = {"-", "info", "low", "medium", "high", "critical"};

	return severity < POLICY_SEVERITIES ? texts[severity] : "-";
}
