// SPDX-License-Identifier: Apache-2.0
/*
 * Rules that are allowed and probably not meant.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "policy/policy_parser.h"

static bool is_wide(const struct cidr *prefix)
{
	return prefix->bits < (prefix->family == 6 ? PARSER_WIDE_V6 : PARSER_WIDE_V4);
}

/* The place's text if it takes in more than anybody oversees, else NULL. */
static const char *wide_place(const struct policy *policy, const struct policy_place *place,
			      char out[static 2 * POLICY_PATTERN_TEXT])
{
	enum { OUT = 2 * POLICY_PATTERN_TEXT };
	const struct policy_set *set = NULL;
	const struct cidr *prefix = &place->cidr;
	size_t n = place->kind == POLICY_PLACE_CIDR;

	if (place->kind == POLICY_PLACE_ANY)
		return "any";
	if (place->kind == POLICY_PLACE_NAME) {
		const char *name = &policy->texts[place->at];

		return name[0] == '*' && !strchr(name + 2, '.') ? name : NULL;
	}
	if (place->kind == POLICY_PLACE_SET) {
		set = &policy->sets[place->at];
		/* Anybody may rent an address of these (see "AWS IP address ranges"). */
		if (set->is_aws && (!strcmp(set->name, "EC2") || !strcmp(set->name, "AMAZON"))) {
			(void)snprintf(out, OUT, "aws %s (any customer's machines)", set->name);
			return out;
		}
		prefix = &policy->prefixes[set->at];
		n = set->n;
	}
	for (; n > 0; n--, prefix++) {
		char text[ADDR_ENDPOINT_TEXT];

		if (!is_wide(prefix))
			continue;
		(void)snprintf(out, OUT, "%s%s%s%s", cidr_text(text, prefix), set ? " (" : "",
			       set ? set->name : "", set ? ")" : "");
		return out;
	}
	return NULL;
}

static int warn_if_wide(struct parser *s, const struct policy_rule *rule)
{
	char text[2 * POLICY_PATTERN_TEXT];

	if (rule->kind != POLICY_EXPECT || !rule->out)
		return 0;
	for (size_t i = 0; i < rule->n_places; i++) {
		const char *wide =
			wide_place(s->policy, &s->policy->places[rule->places + i], text);

		if (wide)
			return parser_warn(s,
					   "'expect out' to %s hides what an intruder sends there; "
					   "narrow it, or watch instead",
					   wide);
	}
	return 0;
}

/* All its places are sets without a prefix. */
static int warn_if_empty(struct parser *s, const struct policy_rule *rule)
{
	const struct policy_set *set = NULL;

	for (size_t i = 0; i < rule->n_places; i++) {
		const struct policy_place *place = &s->policy->places[rule->places + i];

		if (place->kind != POLICY_PLACE_SET)
			return 0;
		set = &s->policy->sets[place->at];
		if (set->n > 0)
			return 0;
	}
	if (!set)
		return 0;
	return parser_warn(s, "this rule never matches: %s %s%s%s has no addresses; is %s right?",
			   set->is_aws ? "aws" : "list", set->name, set->region[0] ? " " : "",
			   set->region, set->region[0] ? "the region" : "its file");
}

/* Every prefix of the set lies within `wide`. */
static bool set_within(const struct policy *policy, const struct cidr *wide,
		       const struct policy_set *set)
{
	for (size_t i = set->at; i < set->at + set->n; i++) {
		const struct cidr *c = &policy->prefixes[i];

		if (wide->bits > c->bits || !cidr_has(wide, c->family, &c->addr))
			return false;
	}
	return true;
}

/* One prefix of the set has all of `narrow`. */
static bool set_covers(const struct policy *policy, const struct policy_set *set,
		       const struct cidr *narrow)
{
	const struct cidr *wide = policy_set_find(policy, set, narrow->family, &narrow->addr);

	return wide && wide->bits <= narrow->bits;
}

static bool place_covers(const struct policy *policy, const struct policy_place *wide,
			 const struct policy_place *narrow)
{
	if (wide->kind == POLICY_PLACE_ANY)
		return true;
	if (wide->kind == POLICY_PLACE_NAME && narrow->kind == POLICY_PLACE_NAME)
		return policy_name_fits(&policy->texts[wide->at], &policy->texts[narrow->at]);
	if (wide->kind == POLICY_PLACE_CIDR && narrow->kind == POLICY_PLACE_SET)
		return set_within(policy, &wide->cidr, &policy->sets[narrow->at]);
	if (wide->kind == POLICY_PLACE_SET && narrow->kind == POLICY_PLACE_CIDR)
		return set_covers(policy, &policy->sets[wide->at], &narrow->cidr);
	if (wide->kind != POLICY_PLACE_CIDR || narrow->kind != POLICY_PLACE_CIDR)
		return wide->kind == narrow->kind && wide->at == narrow->at;
	return wide->cidr.bits <= narrow->cidr.bits &&
	       cidr_has(&wide->cidr, narrow->cidr.family, &narrow->cidr.addr);
}

/* ---- rules that others leave nothing ---- */

enum {
	COVER_WORK = 1 << 22
}; /* places compared, for all rules together; beyond that nothing is said */

/* Rules that are tried one after the other: the first that matches decides. A group's are all alike. */
static bool in_one_list(const struct policy_rule *x, const struct policy_rule *y)
{
	if (x->kind == POLICY_ACL || y->kind == POLICY_ACL)
		return x->kind == y->kind && !x->is_rest && !y->is_rest;
	return x->kind < POLICY_GROUP && y->kind < POLICY_GROUP;
}

/* Is `earlier` of the list of `rule`, and takes it the protocol and all of the place? */
static bool is_before(const struct policy *policy, const struct policy_rule *earlier,
		      const struct policy_rule *rule, unsigned int protocol,
		      const struct policy_place *place, unsigned int *work)
{
	if (!in_one_list(earlier, rule) || earlier->out != rule->out ||
	    !(earlier->protocols[protocol / 8] & 1U << protocol % 8))
		return false;
	for (size_t i = 0; i < earlier->n_places && *work < COVER_WORK; i++) {
		++*work;
		if (place_covers(policy, &policy->places[earlier->places + i], place))
			return true;
	}
	return false;
}

/* Moves *next behind the range of `earlier` that has it. */
static bool take_numbers(const struct policy *policy, const struct policy_rule *earlier,
			 unsigned int *next)
{
	if (earlier->n_ports == 0) {
		*next = 65536;
		return true;
	}
	for (size_t i = 0; i < earlier->n_ports; i++) {
		const struct policy_ports *range = &policy->ports[earlier->ports + i];

		if (range->low <= *next && *next <= range->high) {
			*next = range->high + 1U;
			return true;
		}
	}
	return false;
}

/* Do the rules before rule `i`, together, take all its numbers of this protocol and place? */
static bool is_taken(const struct policy *policy, size_t i, unsigned int protocol,
		     const struct policy_place *place, unsigned int *work, unsigned int *ret_line)
{
	const struct policy_rule *rule = &policy->rules[i];
	const struct policy_ports all = {0, 65535};

	for (size_t r = 0; r < rule->n_ports || r == 0; r++) {
		const struct policy_ports *want =
			rule->n_ports ? &policy->ports[rule->ports + r] : &all;
		unsigned int next = want->low; /* the first that nobody takes */
		bool moved = true;

		while (moved && next <= want->high) {
			moved = false;
			for (size_t j = 0; j < i && next <= want->high; j++) {
				const struct policy_rule *earlier = &policy->rules[j];

				if (!is_before(policy, earlier, rule, protocol, place, work) ||
				    !take_numbers(policy, earlier, &next))
					continue;
				moved = true;
				*ret_line = *ret_line && *ret_line != earlier->line ? UINT_MAX
										    : earlier->line;
			}
		}
		if (next <= want->high)
			return false;
	}
	return true;
}

static int warn_if_covered(struct parser *s, size_t i, unsigned int *work)
{
	const struct policy_rule *rule = &s->policy->rules[i];
	unsigned int line = 0; /* UINT_MAX: several */

	if (rule->kind == POLICY_GROUP || rule->is_rest)
		return 0;
	for (unsigned int protocol = 0; protocol < 256; protocol++) {
		if (!(rule->protocols[protocol / 8] & 1U << protocol % 8))
			continue;
		for (size_t p = 0; p < rule->n_places; p++) {
			if (!is_taken(s->policy, i, protocol, &s->policy->places[rule->places + p],
				      work, &line))
				return 0;
		}
	}
	if (*work >= COVER_WORK || line == 0)
		return 0;
	if (line == UINT_MAX)
		return parser_warn(s, "this rule never matches: the lines above cover all of it; "
				      "move it up or remove it");
	return parser_warn(
		s, "this rule never matches: line %u covers all of it; move it up or remove it",
		line);
}

int parser_remarks(struct parser *s)
{
	unsigned int work = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->policy->n_rules; i++) {
		size_t n = s->policy->n_warnings;

		s->line = s->policy->rules[i].line;
		rc = warn_if_wide(s, &s->policy->rules[i]);
		if (rc == 0)
			rc = warn_if_empty(s, &s->policy->rules[i]);
		if (rc == 0 && s->policy->n_warnings == n)
			rc = warn_if_covered(s, i, &work);
	}
	return rc;
}
