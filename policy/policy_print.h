// SPDX-License-Identifier: Apache-2.0
/*
 * A policy's rules as text: what was understood, in the language of the file.
 */
#pragma once

#include <stdio.h>

#include "policy/policy.h"

/* One rule on a line of its own: `list` and `aws` places by their names. */
void policy_print_rule(const struct policy *policy, uint16_t id, FILE *out);

/* Each list and service with its number of prefixes, a comment a line. */
void policy_print_sets(const struct policy *policy, FILE *out);
