// SPDX-License-Identifier: Apache-2.0
/*
 * Rules that are allowed and probably not meant.
 */
#include <string.h>

#include "policy/policy_parser.h"

static int warn_if_wide(struct parser *s, const struct policy_rule *rule)
{
	char text[ADDR_ENDPOINT_TEXT] = "any";

	if (rule->watch || !rule->out)
		return 0;
	for (size_t i = 0; i < rule->n_places; i++) {
		const struct policy_place *place = &s->policy->places[rule->places + i];
		bool cidr = place->kind == POLICY_PLACE_CIDR;
		const char *name =
			place->kind == POLICY_PLACE_NAME ? &s->policy->texts[place->at] : "";

		if (name[0] == '*' && !strchr(name + 2, '.'))
			return parser_warn(s,
					   "'expect out' to %s hides what an intruder sends to any "
					   "name there; narrow it, or watch instead",
					   name);

		if (cidr &&
		    place->cidr.bits >= (place->cidr.family == 6 ? PARSER_WIDE_V6 : PARSER_WIDE_V4))
			continue;
		if (!cidr && place->kind != POLICY_PLACE_ANY)
			continue;
		if (cidr)
			cidr_text(text, &place->cidr);
		return parser_warn(
			s,
			"'expect out' to %s hides what an intruder sends there; narrow it, or "
			"watch instead",
			text);
	}
	return 0;
}

static bool place_covers(const struct policy *policy, const struct policy_place *wide,
			 const struct policy_place *narrow)
{
	if (wide->kind == POLICY_PLACE_ANY)
		return true;
	if (wide->kind == POLICY_PLACE_NAME && narrow->kind == POLICY_PLACE_NAME)
		return policy_name_fits(&policy->texts[wide->at], &policy->texts[narrow->at]);
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

		while (w < wide->n_places &&
		       !place_covers(policy, &policy->places[wide->places + w],
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
			return parser_warn(
				s,
				"this rule never matches: line %u covers all of it; move it up "
				"or remove it",
				rules[j].line);
	}
	return 0;
}

int parser_remarks(struct parser *s)
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