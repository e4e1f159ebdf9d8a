// SPDX-License-Identifier: Apache-2.0
/*
 * The sensor's signature of a batch: the last field of the encoded message, over all before it.
 *
 *     | fields 1 to 99 ................ | a2 06 | length | DER |
 *     |<- signed, after the stream's id ->|
 *
 * 100 is the highest field's number, so that protobuf writers put it last; it is looked for by
 * walking the fields (protobuf's encoding, "wire types"), without decoding them.
 */
#include <string.h>

#include "platform/bytes.h"
#include "proto/batch.h"

static const char tag[] = "flowproof-batch-1";

enum {
	FIELD = 100,
	HEAD_0 = 0xa2, /* 100 << 3 | 2, a varint */
	HEAD_1 = 0x06,
};

static void digest_of(uint8_t out[static SHA256_BYTES], const uint8_t *bytes, size_t len,
		      const uint8_t *stream)
{
	uint8_t before[sizeof tag - 1 + WIRE_STREAM_ID];

	memcpy(before, tag, sizeof tag - 1);
	memcpy(before + sizeof tag - 1, stream, WIRE_STREAM_ID);
	crypto_sha256_two(out, before, sizeof before, bytes, len);
}

size_t batch_sign(uint8_t *bytes, size_t len, const uint8_t stream[static WIRE_STREAM_ID],
		  struct crypto_signer *signer)
{
	uint8_t digest[SHA256_BYTES];
	size_t n;

	digest_of(digest, bytes, len, stream);
	n = crypto_sign(signer, digest, bytes + len + 3);
	bytes[len] = HEAD_0;
	bytes[len + 1] = HEAD_1;
	bytes[len + 2] = (uint8_t)n; /* below 128: one byte */
	return len + 3 + n;
}

static uint64_t varint(struct rd *r)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = rd_u8(r);

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	r->bad = true;
	return 0;
}

/* Passes over a field's value. Groups do not exist in proto3. */
static void skip(struct rd *r, unsigned wire_type)
{
	uint64_t len;

	switch (wire_type) {
	case 0: (void)varint(r); break;
	case 1: (void)rd_take(r, 8); break;
	case 2:
		len = varint(r);
		(void)rd_take(r, len < SIZE_MAX ? (size_t)len : SIZE_MAX);
		break;
	case 5: (void)rd_take(r, 4); break;
	default: r->bad = true; break;
	}
}

enum batch_signature batch_signature_check(const uint8_t *bytes, size_t len,
					   const uint8_t stream[static WIRE_STREAM_ID],
					   const uint8_t *certificate, size_t certificate_len)
{
	struct rd r = rd_init(bytes, len);
	uint8_t digest[SHA256_BYTES];

	while (!r.bad && rd_left(&r) > 0) {
		const uint8_t *field = r.p;
		uint64_t head = varint(&r);

		if (head >> 3 != FIELD) {
			skip(&r, (unsigned)(head & 7));
			continue;
		}
		skip(&r, (unsigned)(head & 7));
		if (r.bad || bytes + len - field < 3 || field[0] != HEAD_0 || field[1] != HEAD_1 ||
		    field[2] != bytes + len - field - 3)
			return BATCH_FORGED;
		digest_of(digest, bytes, (size_t)(field - bytes), stream);
		return crypto_verify(certificate, certificate_len, digest, field + 3, field[2])
			       ? BATCH_SIGNED
			       : BATCH_FORGED;
	}
	return r.bad ? BATCH_FORGED : BATCH_UNSIGNED;
}
