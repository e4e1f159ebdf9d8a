// SPDX-License-Identifier: Apache-2.0
/*
 * The parsed form of a policy: what policy_parse.c makes and policy_match.c reads. Not for other
 * stages.
 *
 * Rules are a flat array; their places and port ranges lie in two pools, each rule's side by side; texts in a third.
 */
#pragma once

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
};

struct policy_place {
	enum policy_place_kind kind;
	struct cidr cidr; /* POLICY_PLACE_CIDR only */
	size_t at;        /* POLICY_PLACE_NAME: where the pattern begins in the pool of texts */
};

struct policy_ports {
	uint16_t low, high; /* both belong to the range */
};

struct policy_rule {
	bool watch;            /* watch, else expect */
	bool out;              /* out, else in */
	uint8_t protocols[32]; /* bit n % 8 of byte n / 8: protocol n */
	size_t places, n_places;
	size_t ports, n_ports; /* ascending, apart from each other; none means any port */
	unsigned int line;
	char name[POLICY_NAME_TEXT];
};

struct policy {
	struct policy_rule *rules;
	struct policy_place *places;
	struct policy_ports *ports;
	char *texts; /* patterns of names, each with its NUL */
	char **warnings;
	size_t n_rules, n_places, n_ports, n_texts, n_warnings;
	size_t cap_rules, cap_places, cap_ports, cap_texts, cap_warnings;
};
