// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: bytes as a policy. What is refused is told by file and line; what is read judges every flow, without names and with
 * some of its own bytes as a name, and prints as rules that say the same.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/policy_print.h"
#include "policy/policy_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static char *print(const struct policy *policy, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	assert(out);
	for (size_t i = 1; i <= policy_rules(policy); i++)
		policy_print_rule(policy, (uint16_t)i, out);
	assert(fclose(out) == 0);
	return text;
}

/* Lists do not print: what names them is not read again. Nor are more than 64 codes that stood as ranges. */
static void print_and_read(const struct policy *policy)
{
	struct policy *again;
	struct err err = {""};
	size_t len, len_again;
	char *text, *text_again;

	if (policy->n_sets)
		return;
	text = print(policy, &len);
	if (policy_parse(&again, "again", text, len, &err) == 0) {
		text_again = print(again, &len_again);
		assert(len == len_again && memcmp(text, text_again, len) == 0);
		free(text_again);
		policy_free(again);
	} else {
		assert(strstr(err.text, "more than 64 ports") || strstr(err.text, "longer than"));
	}
	free(text);
}

static void judge(const struct policy *policy, const uint8_t *bytes, size_t len)
{
	const struct cidr subnet = {.addr = {{10}}, .family = 4, .bits = 8};
	const struct policy_context context = {.subnets = &subnet, .n_subnets = 1};
	char name[256];
	const char *names[] = {name};
	struct policy_crossing crossing;
	struct policy_ruling ruling;

	for (unsigned i = 0; i < 64; i++) {
		struct policy_query query = {
			.remote = {{10, 0, 0, (uint8_t)i}},
			.family = i & 1 ? 6 : 4,
			.protocol = (uint8_t)(i & 2 ? 6 : i),
			.port = (uint16_t)(i * 7),
			.initiator_port = 40000,
			.has_ports = i & 2,
			.has_icmp = i & 4,
			.icmp_type = (uint8_t)i,
			.initiator_local = i & 8,
			.responder_local = i & 16,
			.names = names,
			.n_names = i & 1,
		};
		size_t n = len < 255 ? len : 255;

		memcpy(name, bytes, n);
		name[n] = '\0';
		policy_judge(policy, &context, &query, &ruling);
		policy_cross(policy, &context, &query, &crossing);
		assert(ruling.rule <= policy_rules(policy));
		assert(crossing.rule[0] <= policy_rules(policy) &&
		       crossing.rule[1] <= policy_rules(policy));
		assert((ruling.verdict == FLOWREC_VERDICT_NONE) ==
		       !(query.initiator_local || query.responder_local));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct policy *policy;
	struct err err = {""};

	if (policy_parse(&policy, "f", (const char *)bytes, len, &err) != 0) {
		assert(strncmp(err.text, "f:", 2) == 0);
		return 0;
	}
	judge(policy, bytes, len);
	print_and_read(policy);
	policy_free(policy);
	return 0;
}
