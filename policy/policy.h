// SPDX-License-Identifier: Apache-2.0
/*
 * The policy: which traffic of this machine is expected, which is watched, and which is neither.
 *
 * A policy is a text of one rule a line (flowproof-policy(5)); the first rule that matches a flow
 * decides. A policy does not change once it was read. Nothing here keeps state between flows, reads
 * a clock or resolves a name; what the words subnet, local, collector, canary and resolver stand for comes
 * in with each question.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"
#include "platform/err.h"
#include "proto/flowrec.h"

enum {
	POLICY_RULES_MAX = 1024, /* rules of a policy */
	POLICY_LIST_MAX = 64,    /* places, or port ranges, of a rule */
	POLICY_LINE_MAX = 4096,  /* bytes of a line without its end */
	POLICY_NAME_TEXT = 64,   /* bytes of a rule's name with its NUL */
};

struct policy;

/* Reads a policy file. The error is `path:line: what; remedy` and the code ERR_USAGE, also when
 * there is no such file. Gives the policy to policy_free(). */
int policy_read(struct policy **ret, const char *path, struct err *err);

/* As policy_read, from `len` bytes of text (borrowed for the call). `name` stands for the path in
 * errors. */
int policy_parse(struct policy **ret, const char *name, const char *text, size_t len,
		 struct err *err);

/* The built-in policy that holds when none is named; the text of configs/quarantine.policy. */
int policy_quarantine(struct policy **ret, struct err *err);
const char *policy_quarantine_text(void);

/* NULL is fine. */
void policy_free(struct policy *policy);

/* Rules have the ids 1 to policy_rules(), in the order of the file; id 0 stands for "no rule". */
size_t policy_rules(const struct policy *policy);

/* The name given with `as`, or "FILE:LINE" (UTF-8, at most POLICY_NAME_TEXT bytes with NUL); NULL
 * for 0 and ids beyond the last. Borrowed from the policy. */
const char *policy_rule_name(const struct policy *policy, uint16_t id);

/* The i-th remark on rules that are allowed and probably not meant ("site.policy:12: ..."), from 0
 * on; NULL after the last. Borrowed from the policy. */
const char *policy_warning(const struct policy *policy, size_t i);

/* What the sensor knows about its place. All lists are borrowed for the call and may be empty. */
struct policy_context {
	const struct cidr *local; /* this machine's own addresses */
	size_t n_local;
	const struct cidr *subnets; /* the networks attached to it */
	size_t n_subnets;
	const struct endpoint *collectors;
	size_t n_collectors;
	const struct endpoint *canary; /* the collector's canary port */
	size_t n_canary;               /* 0 or 1 */
	const struct cidr *resolvers;  /* DNS resolvers; an address alone is a /32 or /128 */
	size_t n_resolvers;
};

/* One flow. Port and protocol in host order. */
struct policy_query {
	struct addr remote;   /* the end that is not this machine; the responder if both are */
	uint8_t family;       /* of `remote`: 4 or 6 */
	uint8_t protocol;     /* IANA protocol number */
	uint16_t port;        /* the responder's */
	bool has_ports;       /* false for protocols without ports and for fragments: ports are not
				 compared then */
	bool initiator_local; /* this machine began it */
	bool responder_local; /* it was sent to this machine */
};

/*
 * Judges a flow. What this machine initiates is held against the `out` rules, what others initiate
 * towards it against the `in` rules; a flow between two other machines is FLOWREC_VERDICT_NONE.
 * *ret_rule is the id of the rule that decided, 0 if none did.
 */
enum flowrec_verdict policy_judge(const struct policy *policy, const struct policy_context *context,
				  const struct policy_query *query, uint16_t *ret_rule);
