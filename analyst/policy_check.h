// SPDX-License-Identifier: Apache-2.0
/*
 * What a policy would say of stored records: from a file of lines, or the ledger.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/err.h"
#include "policy/policy.h"

struct policy_check;

/* `context` is borrowed, as is `policy`; its `local` tells whose side is whose where the records do not. */
int policy_check_new(struct policy_check **ret, const struct policy *policy,
		     const struct policy_context *context, struct err *err);
void policy_check_free(struct policy_check *check);

/* Lines of records under a header line, or of the default format. Errors name file, line and column. */
int policy_check_file(struct policy_check *check, const char *path, struct err *err);
/* The ledger: all of it, or one sensor's. Names that it learned are known. */
int policy_check_store(struct policy_check *check, const char *store, const char *sensor,
		       struct err *err);

/* Prints what differs, and what is unexpected; with `all` the rest too. *ret_unexpected: records that the policy does not
 * expect. */
int policy_check_print(struct policy_check *check, bool all, uint64_t *ret_unexpected,
		       struct err *err);
/* Prints each rule with the records, packets and bytes that it decided: rules that nothing used are seen. */
void policy_check_rules(struct policy_check *check);
