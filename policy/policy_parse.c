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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"
#include "platform/text.h"
#include "policy/policy_rules.h"

enum {
	FILE_MAX_BYTES = 4 << 20,
	SHOWN_TEXT = 48,    /* a token in an error */
	WORD_TEXT = 64,     /* longer words are no address */
	WARNING_TEXT = 320, /* a warning */
	WIDE_V4 = 8,        /* prefixes shorter than these are worth a warning */
	WIDE_V6 = 32,
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
__attribute__((format(printf, 2, 3))) static int fail(const struct parser *s, const char *fmt, ...)
{
	struct err what;
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(what.text, sizeof what.text, fmt, args);
	va_end(args);
	return err_set(s->err, ERR_USAGE, "%s:%u: %s", s->file, s->line, what.text);
}

static int no_memory(const struct parser *s)
{
	return err_set(s->err, -ENOMEM, "%s: out of memory", s->file);
}

/* ---- words ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Moves to the next token. Fails only on an open quote. */
static int next(struct parser *s)
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
			return fail(s, "the closing quote is missing");
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

static bool is_word(const struct token *token, const char *word)
{
	return token->kind == TOKEN_WORD && token->len == strlen(word) &&
	       memcmp(token->p, word, token->len) == 0;
}

/* The token for an error: 'word', or words for the end. */
static const char *shown(const struct token *token, char out[static SHOWN_TEXT])
{
	int len = token->len < 32 ? (int)token->len : 32;

	if (token->kind == TOKEN_END)
		(void)snprintf(out, SHOWN_TEXT, "the end of the line");
	else
		(void)snprintf(out, SHOWN_TEXT, "'%.*s%s'", len, token->p,
			       token->len > 32 ? "..." : "");
	return out;
}

/* A decimal number of 1 to 5 digits, all of `len` bytes, at most `max`. */
static bool parse_number(const char *p, size_t len, unsigned int max, unsigned int *ret)
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

/* `array` with room for one more than `n`, moved if need be; NULL without memory: the old one stays
 * valid then. */
static void *with_room(void *array, size_t n, size_t *cap, size_t size)
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
	char text[SHOWN_TEXT];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (is_word(&token, names[i].name))
			number = names[i].number;
	}
	if (number == 256 && !parse_number(p, len, 255, &number))
		return fail(s,
			    "%s is not a protocol; allowed are tcp, udp, icmp, icmpv6, sctp, any, "
			    "a number from 0 to "
			    "255, or several joined by +",
			    shown(&token, text));
	add_protocol(rule, number);
	if (number != 6 && number != 17 && number != 132)
		*ports_fit = false;
	return 0;
}

static int parse_protocol(struct parser *s, struct policy_rule *rule, bool *ret_ports_fit)
{
	struct token rest = s->token;
	bool ports_fit = true;
	char text[SHOWN_TEXT];
	int rc = 0;

	if (rest.kind != TOKEN_WORD)
		return fail(s,
			    "a protocol is missing before %s; write tcp, udp or any, for example",
			    shown(&rest, text));
	if (is_word(&rest, "to") || is_word(&rest, "from"))
		return fail(s, "a protocol is missing before %s; write any for all of them",
			    shown(&rest, text));
	if (is_word(&rest, "any")) {
		memset(rule->protocols, 0xff, sizeof rule->protocols);
		*ret_ports_fit = false;
		return next(s);
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
	return next(s);
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
		moved = with_room(policy->ports, policy->n_ports, &policy->cap_ports,
				  sizeof *moved);
		if (!moved)
			return no_memory(s);
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
	char text[SHOWN_TEXT];
	bool good = token->kind == TOKEN_WORD && parse_number(token->p, len, 65535, &low);

	high = good ? low : 0;
	if (good && dash)
		good = parse_number(dash + 1, token->len - len - 1, 65535, &high);
	if (!good)
		return fail(
			s,
			"%s is not a port; allowed are 0 to 65535, ranges like 8000-8100, or any",
			shown(token, text));
	if (high < low)
		return fail(s, "the port range %s runs backwards; write %u-%u", shown(token, text),
			    high, low);
	*ret = (struct policy_ports){(uint16_t)low, (uint16_t)high};
	return 0;
}

/* [PORTS]: from behind the protocol to the preposition. */
static int parse_ports(struct parser *s, struct policy_rule *rule, bool ports_fit)
{
	struct policy_ports ranges[POLICY_LIST_MAX];
	char text[SHOWN_TEXT];
	size_t n = 0;
	int rc;

	rule->ports = s->policy->n_ports;
	if (is_word(&s->token, "to") || is_word(&s->token, "from") || s->token.kind == TOKEN_END)
		return 0;
	if (!ports_fit)
		return fail(s,
			    "ports go with tcp, udp and sctp only; remove %s or name the protocol",
			    shown(&s->token, text));
	if (is_word(&s->token, "any"))
		return next(s);
	for (;;) {
		if (n == POLICY_LIST_MAX)
			return fail(s, "more than %d ports in one rule; make two of it",
				    (int)POLICY_LIST_MAX);
		rc = parse_range(s, &ranges[n++]);
		if (rc == 0)
			rc = next(s);
		if (rc < 0)
			return rc;
		if (s->token.kind != TOKEN_COMMA)
			break;
		rc = next(s);
		if (rc < 0)
			return rc;
	}
	return store_ports(s, rule, ranges, n);
}

/* ---- places ---- */

static int parse_place(const struct parser *s, const struct policy_rule *rule,
		       struct policy_place *ret)
{
	static const struct {
		const char *name;
		enum policy_place_kind kind;
	} names[] = {{"any", POLICY_PLACE_ANY},      {"subnet", POLICY_PLACE_SUBNET},
		     {"local", POLICY_PLACE_LOCAL},  {"collector", POLICY_PLACE_COLLECTOR},
		     {"link", POLICY_PLACE_LINK},    {"resolver", POLICY_PLACE_RESOLVER},
		     {"canary", POLICY_PLACE_CANARY}};
	const struct token *token = &s->token;
	char word[WORD_TEXT], text[SHOWN_TEXT];
	struct err why;

	*ret = (struct policy_place){.kind = POLICY_PLACE_CIDR};
	if (token->kind != TOKEN_WORD || is_word(token, "as"))
		return fail(s, "a place is missing before %s; write an address, a prefix or any",
			    shown(token, text));
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (is_word(token, names[i].name))
			ret->kind = names[i].kind;
	}
	if ((ret->kind == POLICY_PLACE_COLLECTOR || ret->kind == POLICY_PLACE_CANARY) && !rule->out)
		return fail(s, "the collector never calls this machine; write its address after "
			       "from if it may");
	if (ret->kind != POLICY_PLACE_CIDR)
		return 0;
	if (token->len >= sizeof word)
		return fail(s, "%s is too long for an address", shown(token, text));
	memcpy(word, token->p, token->len);
	word[token->len] = '\0';
	if (!strpbrk(word, ".:/"))
		return fail(s,
			    "unknown place %s; allowed are addresses, prefixes, any, subnet, "
			    "local, collector, "
			    "canary, resolver and link",
			    shown(token, text));
	if (cidr_parse(word, &ret->cidr, &why) < 0)
		return fail(s, "%s", why.text);
	return 0;
}

static int add_place(struct parser *s, struct policy_rule *rule, const struct policy_place *place)
{
	struct policy *policy = s->policy;
	struct policy_place *moved;

	moved = with_room(policy->places, policy->n_places, &policy->cap_places, sizeof *moved);
	if (!moved)
		return no_memory(s);
	policy->places = moved;
	policy->places[policy->n_places++] = *place;
	rule->n_places++;
	return 0;
}

/* to|from PLACE[, PLACE...] */
static int parse_places(struct parser *s, struct policy_rule *rule)
{
	const char *wanted = rule->out ? "to" : "from", *other = rule->out ? "from" : "to";
	struct policy_place place;
	char text[SHOWN_TEXT];
	int rc;

	rule->places = s->policy->n_places;
	if (is_word(&s->token, other))
		return fail(s, "'%s' goes with '%s'; write %s here", other,
			    rule->out ? "in" : "out", wanted);
	if (!is_word(&s->token, wanted))
		return fail(s, "'%s' is missing before %s", wanted, shown(&s->token, text));
	do {
		if (rule->n_places == POLICY_LIST_MAX)
			return fail(s, "more than %d places in one rule; make two of it",
				    (int)POLICY_LIST_MAX);
		rc = next(s);
		if (rc == 0)
			rc = parse_place(s, rule, &place);
		if (rc == 0)
			rc = add_place(s, rule, &place);
		if (rc == 0)
			rc = next(s);
		if (rc < 0)
			return rc;
	} while (s->token.kind == TOKEN_COMMA);
	return 0;
}

/* ---- names ---- */

/* [as "name"], and then the end of the line. */
static int parse_name(struct parser *s, struct policy_rule *rule)
{
	const char *slash = strrchr(s->file, '/');
	char text[SHOWN_TEXT];
	int rc;

	(void)snprintf(rule->name, sizeof rule->name, "%.48s:%u", slash ? slash + 1 : s->file,
		       s->line);
	/* A file's name may be anything; a rule's name is one word of text, since it is printed in
	 * lines whose fields are separated by blanks. */
	if (!text_is_word(rule->name, sizeof rule->name - 1))
		(void)snprintf(rule->name, sizeof rule->name, "policy:%u", s->line);
	if (is_word(&s->token, "as")) {
		rc = next(s);
		if (rc < 0)
			return rc;
		if (s->token.kind != TOKEN_STRING)
			return fail(s, "after 'as' comes a name in double quotes, not %s",
				    shown(&s->token, text));
		if (s->token.len == 0 || s->token.len >= sizeof rule->name)
			return fail(s, "a rule's name has 1 to %d bytes", POLICY_NAME_TEXT - 1);
		memcpy(rule->name, s->token.p, s->token.len);
		rule->name[s->token.len] = '\0';
		if (!text_is_word(rule->name, sizeof rule->name - 1))
			return fail(s, "a rule's name is one word of UTF-8 text, since it is a "
				       "field of records; "
				       "write '-' for blanks");
		rc = next(s);
		if (rc < 0)
			return rc;
	}
	if (s->token.kind != TOKEN_END)
		return fail(s, "the rule is complete before %s; one rule a line",
			    shown(&s->token, text));
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
	rc = add_place(s, rule, &place);
	return rc < 0 ? rc : next(s);
}

static int parse_rule(struct parser *s, struct policy_rule *rule)
{
	char text[SHOWN_TEXT];
	bool ports_fit = false;
	int rc;

	rule->watch = is_word(&s->token, "watch");
	if (!rule->watch && !is_word(&s->token, "expect"))
		return fail(s, "a rule begins with expect or watch, not %s",
			    shown(&s->token, text));
	rc = next(s);
	if (rc < 0)
		return rc;
	rule->out = is_word(&s->token, "out");
	if (!rule->watch && is_word(&s->token, "collector")) {
		rc = parse_collector(s, rule);
	} else if (rule->out || is_word(&s->token, "in")) {
		rc = next(s);
		if (rc == 0)
			rc = parse_protocol(s, rule, &ports_fit);
		if (rc == 0)
			rc = parse_ports(s, rule, ports_fit);
		if (rc == 0)
			rc = parse_places(s, rule);
	} else {
		rc = fail(s, "after '%s' comes out or in%s, not %s",
			  rule->watch ? "watch" : "expect",
			  rule->watch ? "" : ", or collector alone", shown(&s->token, text));
	}
	return rc < 0 ? rc : parse_name(s, rule);
}

static int parse_line(struct parser *s)
{
	struct policy *policy = s->policy;
	struct policy_rule rule = {.line = s->line}, *moved;
	int rc;

	if ((size_t)(s->end - s->p) > POLICY_LINE_MAX)
		return fail(s, "the line is longer than %d bytes; make two rules of it",
			    (int)POLICY_LINE_MAX);
	for (const char *p = s->p; p < s->end; p++) {
		unsigned char c = (unsigned char)*p;

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return fail(s, "the line contains a control character (byte 0x%02x)", c);
	}
	rc = next(s);
	if (rc < 0 || s->token.kind == TOKEN_END)
		return rc;
	if (policy->n_rules == POLICY_RULES_MAX)
		return fail(s, "more than %d rules; join places with commas",
			    (int)POLICY_RULES_MAX);
	rc = parse_rule(s, &rule);
	if (rc < 0)
		return rc;
	moved = with_room(policy->rules, policy->n_rules, &policy->cap_rules, sizeof *moved);
	if (!moved)
		return no_memory(s);
	policy->rules = moved;
	policy->rules[policy->n_rules++] = rule;
	return 0;
}

/* ---- warnings ---- */

__attribute__((format(printf, 2, 3))) static int warn(struct parser *s, const char *fmt, ...)
{
	struct policy *policy = s->policy;
	char what[WARNING_TEXT], **moved;
	va_list args;
	int n;

	va_start(args, fmt);
	(void)vsnprintf(what, sizeof what, fmt, args);
	va_end(args);
	moved = with_room(policy->warnings, policy->n_warnings, &policy->cap_warnings,
			  sizeof *moved);
	if (!moved)
		return no_memory(s);
	policy->warnings = moved;
	n = asprintf(&policy->warnings[policy->n_warnings], "%s:%u: %s", s->file, s->line, what);
	if (n < 0)
		return no_memory(s);
	policy->n_warnings++;
	return 0;
}

static int warn_if_wide(struct parser *s, const struct policy_rule *rule)
{
	char text[ADDR_ENDPOINT_TEXT] = "any";

	if (rule->watch || !rule->out)
		return 0;
	for (size_t i = 0; i < rule->n_places; i++) {
		const struct policy_place *place = &s->policy->places[rule->places + i];
		bool cidr = place->kind == POLICY_PLACE_CIDR;

		if (cidr && place->cidr.bits >= (place->cidr.family == 6 ? WIDE_V6 : WIDE_V4))
			continue;
		if (!cidr && place->kind != POLICY_PLACE_ANY)
			continue;
		if (cidr)
			cidr_text(text, &place->cidr);
		return warn(s,
			    "'expect out' to %s hides what an intruder sends there; narrow it, or "
			    "watch instead",
			    text);
	}
	return 0;
}

static bool place_covers(const struct policy_place *wide, const struct policy_place *narrow)
{
	if (wide->kind == POLICY_PLACE_ANY)
		return true;
	if (wide->kind != POLICY_PLACE_CIDR || narrow->kind != POLICY_PLACE_CIDR)
		return wide->kind == narrow->kind;
	return wide->cidr.bits <= narrow->cidr.bits &&
	       cidr_has(&wide->cidr, narrow->cidr.family, &narrow->cidr.addr);
}

static bool ports_cover(const struct policy *policy, const struct policy_rule *wide,
			const struct policy_rule *narrow)
{
	size_t w = 0;

	if (wide->n_ports == 0)
		return true;
	for (size_t n = 0; n < narrow->n_ports; n++) {
		const struct policy_ports *want = &policy->ports[narrow->ports + n];

		while (w < wide->n_ports && policy->ports[wide->ports + w].high < want->high)
			w++;
		if (w == wide->n_ports || policy->ports[wide->ports + w].low > want->low)
			return false;
	}
	return narrow->n_ports > 0;
}

/* True if `wide` takes all that `narrow` could match. May miss covers made of several places
 * together. */
static bool rule_covers(const struct policy *policy, const struct policy_rule *wide,
			const struct policy_rule *narrow)
{
	if (wide->out != narrow->out || !ports_cover(policy, wide, narrow))
		return false;
	for (size_t i = 0; i < sizeof wide->protocols; i++) {
		if (narrow->protocols[i] & (uint8_t)~wide->protocols[i])
			return false;
	}
	for (size_t n = 0; n < narrow->n_places; n++) {
		size_t w = 0;

		while (w < wide->n_places && !place_covers(&policy->places[wide->places + w],
							   &policy->places[narrow->places + n]))
			w++;
		if (w == wide->n_places)
			return false;
	}
	return true;
}

static int warn_if_covered(struct parser *s, size_t i)
{
	const struct policy_rule *rules = s->policy->rules;

	for (size_t j = 0; j < i; j++) {
		if (rule_covers(s->policy, &rules[j], &rules[i]))
			return warn(s,
				    "this rule never matches: line %u covers all of it; move it up "
				    "or remove it",
				    rules[j].line);
	}
	return 0;
}

static int add_warnings(struct parser *s)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->policy->n_rules; i++) {
		s->line = s->policy->rules[i].line;
		rc = warn_if_wide(s, &s->policy->rules[i]);
		if (rc == 0)
			rc = warn_if_covered(s, i);
	}
	return rc;
}

/* ---- the whole ---- */

int policy_parse(struct policy **ret, const char *name, const char *text, size_t len,
		 struct err *err)
{
	struct parser s = {.file = name, .err = err};
	int rc = 0;

	s.policy = calloc(1, sizeof *s.policy);
	if (!s.policy)
		return no_memory(&s);
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
		rc = add_warnings(&s);
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

	if (file_read_all(path, FILE_MAX_BYTES, &text, &len, err) < 0)
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
