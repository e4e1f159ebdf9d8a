// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: bytes as a manifest. What is accepted and written again is the same, byte for byte, up to the
 * signature: so there is one form of each, and a signature can be on nothing else.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void look(const struct manifest_item *item)
{
	uint8_t id[WIRE_STREAM_ID];
	struct batch_chain chain;

	if (item->type == MANIFEST_RANGE) {
		assert(item->range.from <= item->range.to);
		for (size_t i = 0; i < item->range.n_streams; i++)
			manifest_stream(&item->range, i, id, &chain);
	}
	if (item->type != MANIFEST_CERTIFICATE)
		assert(memchr(item->sensor, '\0', sizeof item->sensor));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct manifest_writer writer;
	static struct crypto_signer *signer;
	struct manifest_item item;
	struct manifest manifest;
	uint8_t digest[SHA256_BYTES];
	struct err err = {""};

	if (!signer && crypto_signer_new(&signer, "fuzz", "fuzz", &err) != 0)
		abort();
	if (manifest_open(&manifest, bytes, len, &err) != 0) {
		assert(err.text[0]);
		return 0;
	}
	manifest_digest(&manifest, digest);
	manifest_begin(&writer, &manifest.head);
	while (manifest_next(&manifest, &item)) {
		look(&item);
		if (!manifest_add(&writer, &item))
			return 0; /* longer than the writer makes them */
	}
	(void)manifest_finish(&writer, manifest.head.more, signer);
	assert(memcmp(writer.bytes, bytes, manifest.signed_len) == 0);
	return 0;
}
