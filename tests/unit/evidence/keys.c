// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/evidence/keys.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/clock.h"
#include "platform/tls.h"

enum { DAY_S = 86400 };

static char folder[] = "/tmp/test_keys.XXXXXX";

void keys_issue(const char *ca, const char *name, enum crypto_use use, const char *file)
{
	const uint64_t now = clock_wall_ns() / NS_PER_S;
	char ca_cert[64], ca_key[64], cert[64], key[64];
	const struct crypto_cert_request request = {.name = name,
						    .use = use,
						    .issuer_cert =
							    use == CRYPTO_CA ? NULL : ca_cert,
						    .issuer_key = use == CRYPTO_CA ? NULL : ca_key,
						    .not_before_s = now - DAY_S,
						    .not_after_s = now + DAY_S,
						    .cert_file = cert,
						    .key_file = key};
	struct err err = {""};

	(void)snprintf(ca_cert, sizeof ca_cert, "%s.crt", ca);
	(void)snprintf(ca_key, sizeof ca_key, "%s.key", ca);
	(void)snprintf(cert, sizeof cert, "%s.crt", file);
	(void)snprintf(key, sizeof key, "%s.key", file);
	if (crypto_cert_make(&request, &err) != 0)
		fail_msg("%s", err.text);
}

struct crypto_signer *keys_signer(const char *file)
{
	struct crypto_signer *signer = NULL;
	char cert[64], key[64];
	struct err err = {""};

	(void)snprintf(cert, sizeof cert, "%s.crt", file);
	(void)snprintf(key, sizeof key, "%s.key", file);
	if (crypto_signer_new(&signer, cert, key, &err) != 0)
		fail_msg("%s", err.text);
	return signer;
}

int keys_make(void **state)
{
	(void)state;
	if (!mkdtemp(folder) || chdir(folder) != 0)
		return -1;
	keys_issue("ca", "CA", CRYPTO_CA, "ca");
	keys_issue("ca", TLS_COLLECTOR_NAME, CRYPTO_SERVER, "collector");
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

int keys_remove(void **state)
{
	(void)state;
	return chdir("/") != 0 || nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0;
}
