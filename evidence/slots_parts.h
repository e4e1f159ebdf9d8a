// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of evidence/slots*.c share.
 */
#pragma once

#include "evidence/slots.h"
#include "platform/crypto.h"
#include "platform/gzip.h"

enum { SLOTS_ACCOUNT_MAX = 32, SLOTS_REGION_MAX = 32 }; /* bytes with NUL */

enum slots_what { SLOTS_FLOW, SLOTS_COMPLEMENT, SLOTS_DNS, SLOTS_WHATS };

/* Whose: what is not made of letters, digits and hyphens is not believed, since it becomes a path. */
struct slots_owner {
	char account[SLOTS_ACCOUNT_MAX]; /* 000000000000: unknown */
	char region[SLOTS_REGION_MAX];   /* local: unknown */
};
void slots_owner_of(struct slots_owner *ret, const struct flowrec_identity *identity);

/* The key of an object of slot `slot` (Unix seconds / SLOT_S). -ENAMETOOLONG. */
int slots_key(char out[static OBJECT_KEY_MAX], const struct slots_config *config,
	      enum slots_what what, const struct slots_owner *owner, uint64_t slot,
	      const uint8_t digest[static SHA256_BYTES]);
