// SPDX-License-Identifier: Apache-2.0
/*
 * Reads the policy language (flowproof-policy(5)), one rule a line:
 *
 *   expect|watch out|in PROTOCOL [PORTS] to|from PLACE[, PLACE...] [as "name"]
 *   expect collector [as "name"]
 *
 * A recursive-descent parser with one token of look-ahead. The first fault ends the reading.
 */
#include "policy/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"
#include "platform/text.h"
#include "policy/policy_parser.h"

/* ---- protocol and ports ---- */

static void add_protocol(struct policy_rule *rule, unsigned int number)
{
	rule->protocols[number / 8] |= (uint8_t)(1U << number % 8);
}

static int parse_one_protocol(const struct parser *s, struct policy_rule *rule, const char *p,
			      size_t len, bool *ports_fit)
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
	if (number != 6 && number != 17 && number != 132)
		*ports_fit = false;
	return 0;
}

static int parse_protocol(struct parser *s, struct policy_rule *rule, bool *ret_ports_fit)
{
	struct token rest = s->token;
	bool ports_fit = true;
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
		*ret_ports_fit = false;
		return parser_next(s);
	}
	for (;;) {
		const char *plus = memchr(rest.p, '+', rest.len);
		size_t len = plus ? (size_t)(plus - rest.p) : rest.len;

		rc = parse_one_protocol(s, rule, rest.p, len, &ports_fit);
		if (rc < 0)
			return rc;
		if (!plus)
			break;
		rest.p += len + 1;
		rest.len -= len + 1;
	}
	*ret_ports_fit = ports_fit;
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

static int parse_range(const struct parser *s, struct policy_ports *ret)
{
	const struct token *token = &s->token;
	const char *dash = memchr(token->p, '-', token->len);
	size_t len = dash ? (size_t)(dash - token->p) : token->len;
	unsigned int low, high;
	char text[PARSER_SHOWN];
	bool good = token->kind == TOKEN_WORD && parser_number(token->p, len, 65535, &low);

	high = good ? low : 0;
	if (good && dash)
		good = parser_number(dash + 1, token->len - len - 1, 65535, &high);
	if (!good)
		return parser_fail(
			s,
			"%s is not a port; allowed are 0 to 65535, ranges like 8000-8100, or any",
			token_shown(token, text));
	if (high < low)
		return parser_fail(s, "the port range %s runs backwards; write %u-%u",
				   token_shown(token, text), high, low);
	*ret = (struct policy_ports){(uint16_t)low, (uint16_t)high};
	return 0;
}

/* [PORTS]: from behind the protocol to the preposition. */
static int parse_ports(struct parser *s, struct policy_rule *rule, bool ports_fit)
{
	struct policy_ports ranges[POLICY_LIST_MAX];
	char text[PARSER_SHOWN];
	size_t n = 0;
	int rc;

	rule->ports = s->policy->n_ports;
	if (token_is(&s->token, "to") || token_is(&s->token, "from") || s->token.kind == TOKEN_END)
		return 0;
	if (!ports_fit)
		return parser_fail(
			s, "ports go with tcp, udp and sctp only; remove %s or name the protocol",
			token_shown(&s->token, text));
	if (token_is(&s->token, "any"))
		return parser_next(s);
	for (;;) {
		if (n == POLICY_LIST_MAX)
			return parser_fail(s, "more than %d ports in one rule; make two of it",
					   (int)POLICY_LIST_MAX);
		rc = parse_range(s, &ranges[n++]);
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

static int parse_rule(struct parser *s, struct policy_rule *rule)
{
	char text[PARSER_SHOWN];
	bool ports_fit = false;
	int rc;

	rule->watch = token_is(&s->token, "watch");
	if (!rule->watch && !token_is(&s->token, "expect"))
		return parser_fail(s, "a rule begins with expect or watch, not %s",
				   token_shown(&s->token, text));
	rc = parser_next(s);
	if (rc < 0)
		return rc;
	rule->out = token_is(&s->token, "out");
	if (!rule->watch && token_is(&s->token, "collector")) {
		rc = parse_collector(s, rule);
	} else if (rule->out || token_is(&s->token, "in")) {
		rc = parser_next(s);
		if (rc == 0)
			rc = parse_protocol(s, rule, &ports_fit);
		if (rc == 0)
			rc = parse_ports(s, rule, ports_fit);
		if (rc == 0)
			rc = parser_places(s, rule);
	} else {
		rc = parser_fail(
			s, "after '%s' comes out or in%s, not %s", rule->watch ? "watch" : "expect",
			rule->watch ? "" : ", or collector alone", token_shown(&s->token, text));
	}
	return rc < 0 ? rc : parse_name(s, rule);
}

static int parse_line(struct parser *s)
{
	struct policy *policy = s->policy;
	struct policy_rule rule = {.line = s->line}, *moved;
	int rc;

	if ((size_t)(s->end - s->p) > POLICY_LINE_MAX)
		return parser_fail(s, "the line is longer than %d bytes; make two rules of it",
				   (int)POLICY_LINE_MAX);
	for (const char *p = s->p; p < s->end; p++) {
		unsigned char c = (unsigned char)*p;

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return parser_fail(s, "the line contains a control character (byte 0x%02x)",
					   c);
	}
	rc = parser_next(s);
	if (rc < 0 || s->token.kind == TOKEN_END)
		return rc;
	if (policy->n_rules == POLICY_RULES_MAX)
		return parser_fail(s, "more than %d rules; join places with commas",
				   (int)POLICY_RULES_MAX);
	rc = parse_rule(s, &rule);
	if (rc < 0)
		return rc;
	moved = parser_room(policy->rules, policy->n_rules, &policy->cap_rules, sizeof *moved);
	if (!moved)
		return parser_no_memory(s);
	policy->rules = moved;
	policy->rules[policy->n_rules++] = rule;
	return 0;
}

/* ---- the whole ---- */

int policy_parse(struct policy **ret, const char *name, const char *text, size_t len,
		 struct err *err)
{
	struct parser s = {.file = name, .err = err};
	int rc = 0;

	s.policy = calloc(1, sizeof *s.policy);
	if (!s.policy)
		return parser_no_memory(&s);
	while (rc == 0 && len > 0) {
		const char *newline = memchr(text, '\n', len);
		size_t line_len = newline ? (size_t)(newline - text) : len;
		size_t used = line_len + (newline ? 1 : 0);

		if (line_len > 0 && text[line_len - 1] == '\r')
			line_len--;
		s.line++;
		s.p = text;
		s.end = text + line_len;
		rc = parse_line(&s);
		text += used;
		len -= used;
	}
	if (rc == 0)
		rc = parser_remarks(&s);
	if (rc < 0) {
		policy_free(s.policy);
		return rc;
	}
	*ret = s.policy;
	return 0;
}

int policy_read(struct policy **ret, const char *path, struct err *err)
{
	char *text;
	size_t len;
	int rc;

	if (file_read_all(path, PARSER_FILE_BYTES, &text, &len, err) < 0)
		return ERR_USAGE; /* whatever the reason, the operator named a file that cannot be
				     used */
	rc = policy_parse(ret, path, text, len, err);
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
