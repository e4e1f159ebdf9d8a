// SPDX-License-Identifier: Apache-2.0
/*
 * The sensor's signature of a batch. What is signed is put together here by hand and judged by
 * crypto_verify(), which is itself held against openssl (test_crypto_sign).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/batch.h"
#include "tests/unit/evidence/keys.h"

static const uint8_t stream[WIRE_STREAM_ID] = "0123456789abcde";

struct signed_batch {
	uint8_t bytes[BATCH_WRITE_BYTES];
	size_t len, unsigned_len;
	const uint8_t *certificate;
	size_t certificate_len;
};

static struct signed_batch b;

static int setup(void **state)
{
	struct batch_writer *writer;
	struct batch_head head = {.sequence = 5, .clock_ns = 6, .goodbye = true};
	static struct crypto_signer *signer;

	if (keys_make(state) != 0 || batch_writer_new(&writer) != 0)
		return -1;
	keys_issue("ca", "sensor", CRYPTO_CLIENT, "sensor");
	keys_issue("ca", "other", CRYPTO_CLIENT, "other");
	signer = keys_signer("sensor");
	b.certificate = crypto_signer_certificate(signer, &b.certificate_len);
	b.unsigned_len = batch_finish(writer, &head, b.bytes);
	b.len = batch_sign(b.bytes, b.unsigned_len, stream, signer);
	batch_writer_free(writer);
	*state = signer;
	return 0;
}

static int teardown(void **state)
{
	crypto_signer_free(*state);
	return keys_remove(state);
}

static enum batch_signature judge(const uint8_t *bytes, size_t len)
{
	return batch_signature_check(bytes, len, stream, b.certificate, b.certificate_len);
}

/* Field 100, a length, DER, over SHA-256("flowproof-batch-1", stream, what is before). */
static void the_field_is_the_last(void **state)
{
	uint8_t text[17 + WIRE_STREAM_ID + 200], digest[SHA256_BYTES];
	const uint8_t *field = b.bytes + b.unsigned_len;

	(void)state;
	assert_in_range(b.len - b.unsigned_len, 3 + 8, BATCH_SIGNATURE_BYTES);
	assert_int_equal(field[0] | field[1] << 8, 0x06a2); /* 100 << 3 | 2 = 802 = 6 * 128 + 34 */
	assert_int_equal(field[2], b.len - b.unsigned_len - 3);
	memcpy(text, "flowproof-batch-1", 17);
	memcpy(text + 17, stream, WIRE_STREAM_ID);
	memcpy(text + 17 + WIRE_STREAM_ID, b.bytes, b.unsigned_len);
	crypto_sha256(digest, text, 17 + WIRE_STREAM_ID + b.unsigned_len);
	assert_true(crypto_verify(b.certificate, b.certificate_len, digest, field + 3, field[2]));
	assert_int_equal(judge(b.bytes, b.len), BATCH_SIGNED);
	assert_int_equal(judge(b.bytes, b.unsigned_len), BATCH_UNSIGNED);
}

static void every_bit_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < b.len; i++) {
		enum batch_signature got;

		b.bytes[i] ^= 1;
		got = judge(b.bytes, b.len);
		b.bytes[i] ^= 1;
		/* A length or a field's number may hide the field: then the chain does not fit. */
		assert_int_not_equal(got, BATCH_SIGNED);
		if (i > b.unsigned_len + 1)
			assert_int_equal(got, BATCH_FORGED);
	}
	assert_int_equal(judge(b.bytes, b.len), BATCH_SIGNED);
}

static void nothing_stands_behind_it(void **state)
{
	static uint8_t more[BATCH_WRITE_BYTES];
	size_t n = b.len - b.unsigned_len;

	(void)state;
	memcpy(more, b.bytes, b.len);
	memcpy(more + b.len, "\x40\x01", 2); /* goodbye */
	assert_int_equal(judge(more, b.len + 2), BATCH_FORGED);
	memcpy(more + b.len, b.bytes + b.unsigned_len, n); /* the signature twice */
	assert_int_equal(judge(more, b.len + n), BATCH_FORGED);
	for (size_t len = b.unsigned_len + 1; len < b.len; len++)
		assert_int_equal(judge(b.bytes, len), BATCH_FORGED);
}

static void another_key_or_stream_does_not_fit(void **state)
{
	struct crypto_signer *other = keys_signer("other");
	uint8_t elsewhere[WIRE_STREAM_ID];
	size_t len;
	const uint8_t *certificate = crypto_signer_certificate(other, &len);

	(void)state;
	assert_int_equal(batch_signature_check(b.bytes, b.len, stream, certificate, len),
			 BATCH_FORGED);
	memcpy(elsewhere, stream, sizeof elsewhere);
	elsewhere[15] ^= 1;
	assert_int_equal(
		batch_signature_check(b.bytes, b.len, elsewhere, b.certificate, b.certificate_len),
		BATCH_FORGED);
	crypto_signer_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_field_is_the_last),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(nothing_stands_behind_it),
		cmocka_unit_test(another_key_or_stream_does_not_fit),
	};

	return cmocka_run_group_tests_name("signature", tests, setup, teardown);
}
