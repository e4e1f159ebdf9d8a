// SPDX-License-Identifier: Apache-2.0
/*
 * Rules as text: see policy_print.h.
 */
#include "policy/policy_print.h"

#include "policy/policy_rules.h"

static bool has_protocol(const struct policy_rule *rule, unsigned int p)
{
	return rule->protocols[p / 8] & 1U << p % 8;
}

static void print_protocols(const struct policy_rule *rule, FILE *out)
{
	static const struct {
		uint8_t number;
		const char *name;
	} names[] = {{1, "icmp"}, {6, "tcp"}, {17, "udp"}, {58, "icmpv6"}, {132, "sctp"}};
	unsigned int n = 0;

	for (unsigned int p = 0; p < 256; p++)
		n += has_protocol(rule, p);
	if (n == 256) {
		fputs(" any", out);
		return;
	}
	n = 0;
	for (unsigned int p = 0; p < 256; p++) {
		size_t i = 0;

		if (!has_protocol(rule, p))
			continue;
		fputc(n++ ? '+' : ' ', out);
		while (i < sizeof names / sizeof names[0] && names[i].number != p)
			i++;
		if (i < sizeof names / sizeof names[0])
			fputs(names[i].name, out);
		else
			fprintf(out, "%u", p);
	}
}

static void print_range(const struct policy_rule *rule, const struct policy_ports *range, FILE *out)
{
	unsigned int low = range->low, high = range->high;

	if (rule->is_types && low == high) {
		fprintf(out, "%u/%u", low >> 8, low & 255);
		return;
	}
	if (rule->is_types) { /* codes that touch were joined: whole types are left, or pieces of one */
		if ((low & 255) == 0 && (high & 255) == 255) {
			low >>= 8;
			high >>= 8;
		} else {
			for (unsigned int v = low; v <= high; v++)
				fprintf(out, "%s%u/%u", v > low ? "," : "", v >> 8, v & 255);
			return;
		}
	}
	fprintf(out, low == high ? "%u" : "%u-%u", low, high);
}

static void print_place(const struct policy *policy, const struct policy_place *place, FILE *out)
{
	static const char *const words[] = {
		[POLICY_PLACE_ANY] = "any",       [POLICY_PLACE_SUBNET] = "subnet",
		[POLICY_PLACE_LOCAL] = "local",   [POLICY_PLACE_COLLECTOR] = "collector",
		[POLICY_PLACE_CANARY] = "canary", [POLICY_PLACE_RESOLVER] = "resolver",
		[POLICY_PLACE_LINK] = "link",
	};
	const struct policy_set *set;
	char text[ADDR_ENDPOINT_TEXT];

	if (place->kind == POLICY_PLACE_CIDR) {
		fputs(cidr_text(text, &place->cidr), out);
	} else if (place->kind == POLICY_PLACE_NAME) {
		fprintf(out, "name %s", &policy->texts[place->at]);
	} else if (place->kind == POLICY_PLACE_SET) {
		set = &policy->sets[place->at];
		fprintf(out, "%s %s%s%s", set->is_aws ? "aws" : "list", set->name,
			set->region[0] ? " " : "", set->region);
	} else {
		fputs(words[place->kind], out);
	}
}

void policy_print_rule(const struct policy *policy, uint16_t id, FILE *out)
{
	static const char *const heads[] = {"expect", "watch", "breach", "boundary group",
					    "boundary acl"};
	const struct policy_rule *rule = &policy->rules[id - 1];

	fputs(heads[rule->kind], out);
	if (!rule->is_rest) {
		fputs(rule->out ? " out" : " in", out);
		if (rule->kind == POLICY_ACL)
			fprintf(out, " %u %s", rule->number, rule->refuses ? "deny" : "allow");
		print_protocols(rule, out);
		for (size_t i = 0; i < rule->n_ports; i++) {
			fputc(i ? ',' : ' ', out);
			print_range(rule, &policy->ports[rule->ports + i], out);
		}
		fputs(rule->out ? " to " : " from ", out);
	}
	for (size_t i = 0; i < rule->n_places; i++) {
		fputs(i ? ", " : "", out);
		print_place(policy, &policy->places[rule->places + i], out);
	}
	if (rule->kind == POLICY_BREACH)
		fprintf(out, " severity %s",
			policy_severity_text((enum policy_severity)rule->severity));
	fprintf(out, " as \"%s\"\n", rule->name);
}

void policy_print_sets(const struct policy *policy, FILE *out)
{
	for (size_t i = 0; i < policy->n_sets; i++) {
		const struct policy_set *set = &policy->sets[i];

		fprintf(out, "# %s %s%s%s: %zu prefixes\n", set->is_aws ? "aws" : "list", set->name,
			set->region[0] ? " " : "", set->region, set->n);
	}
}
