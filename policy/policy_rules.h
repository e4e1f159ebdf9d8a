// SPDX-License-Identifier: Apache-2.0
/*
 * The parsed form of a policy: what policy_parse.c makes and policy_match.c reads. Not for other
 * stages.
 *
 * Rules are a flat array; their places and port ranges lie in two pools, each rule's side by side; texts in a third.
 */
#pragma once

#include "platform/crypto.h"
#include "policy/policy.h"

enum policy_place_kind {
	POLICY_PLACE_CIDR,
	POLICY_PLACE_ANY,
	POLICY_PLACE_SUBNET,
	POLICY_PLACE_LOCAL,
	POLICY_PLACE_COLLECTOR,
	POLICY_PLACE_CANARY,
	POLICY_PLACE_RESOLVER,
	POLICY_PLACE_LINK,
	POLICY_PLACE_NAME,
	POLICY_PLACE_SET,
};

struct policy_place {
	enum policy_place_kind kind;
	struct cidr cidr; /* POLICY_PLACE_CIDR only */
	size_t at;        /* NAME: where the pattern begins in the pool of texts; SET: its number */
};

struct policy_ports {
	uint16_t low, high; /* both belong to the range */
};

enum policy_kind {
	POLICY_EXPECT,
	POLICY_WATCH,
	POLICY_BREACH,
	POLICY_GROUP, /* a security group's rule */
	POLICY_ACL,   /* a network ACL's */
};

struct policy_rule {
	uint8_t kind;          /* enum policy_kind */
	bool out;              /* out, else in */
	bool is_types;         /* the ranges are ICMP types * 256 + code, not ports */
	bool refuses;          /* of a boundary: what matches is refused */
	bool is_rest;          /* of a boundary: what no rule before it matched, both directions */
	uint8_t severity;      /* enum policy_severity; of a breach */
	uint16_t number;       /* of an ACL's rule, ascending */
	uint8_t protocols[32]; /* bit n % 8 of byte n / 8: protocol n */
	size_t places, n_places;
	size_t ports, n_ports; /* ascending, apart from each other; none means any port */
	unsigned int line;
	char name[POLICY_NAME_TEXT];
};

/* A list of prefixes, or the ranges of a service of AWS: sorted, none within another. */
struct policy_set {
	char name[POLICY_SET_TEXT];   /* of a list; the service of AWS */
	char region[POLICY_SET_TEXT]; /* of a service; "": all regions */
	bool is_aws, is_known;        /* is_known: the service occurs in the file */
	unsigned int line;            /* that named it first */
	size_t at, n;
};

struct policy {
	struct policy_rule *rules;
	struct policy_place *places;
	struct policy_ports *ports;
	char *texts; /* patterns of names, each with its NUL */
	struct policy_set *sets;
	struct cidr *prefixes; /* of the sets, each set's side by side */
	char **warnings;
	size_t n_rules, n_places, n_ports, n_texts, n_sets, n_prefixes, n_warnings;
	size_t cap_rules, cap_places, cap_ports, cap_texts, cap_sets, cap_prefixes, cap_warnings;
	size_t groups, acls; /* rules of each boundary; 0: there is no such boundary */
	char *text;          /* all of it */
	size_t text_len;
	char ranges_date[POLICY_DATE_TEXT];
	uint8_t digest[SHA256_BYTES];
};

/* The prefix of the set that has this address; NULL if none has. */
const struct cidr *policy_set_find(const struct policy *policy, const struct policy_set *set,
				   uint8_t family, const struct addr *addr);

/* By direction, protocol and ports or types: all but the place. `port` is the destination's. */
bool policy_rule_concerns(const struct policy *policy, const struct policy_rule *rule, bool out,
			  const struct policy_query *query, uint16_t port);
bool policy_place_has(const struct policy *policy, const struct policy_place *place,
		      const struct policy_context *context, const struct policy_query *query);
