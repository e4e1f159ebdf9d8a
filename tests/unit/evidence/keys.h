// SPDX-License-Identifier: Apache-2.0
/*
 * Keys and certificates for the tests of the ledger.
 */
#pragma once

#include "platform/crypto_sign.h"

enum { KEYS_PATH = 256 };

/* A folder of its own below /tmp, with a CA in it; it becomes the present folder. keys_remove() takes it
 * away. Both can be a cmocka group's setup and teardown. */
int keys_make(void **state);
int keys_remove(void **state);

/* FILE.crt and FILE.key, signed by the CA in `ca`.crt; CRYPTO_CA: by itself. */
void keys_issue(const char *ca, const char *name, enum crypto_use use, const char *file);
struct crypto_signer *keys_signer(const char *file);
