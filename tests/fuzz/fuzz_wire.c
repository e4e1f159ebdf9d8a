// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: the first byte is the size of the portions, the rest a stream of frames. Each message
 * is decoded as its type says; a hello that is accepted must encode and decode again.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/batch.h"
#include "proto/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void try_hello(const uint8_t *message, size_t len)
{
	static uint8_t out[WIRE_HELLO_MAX];
	struct wire_hello *hello, *again;
	struct err err = {""};
	ssize_t n;

	if (wire_hello_decode(&hello, message, len, &err)) {
		assert(err.text[0]);
		return;
	}
	assert(wire_sensor_id_ok(hello->sensor));
	n = wire_hello_encode(out, sizeof(out), hello);
	if (n < 0 || wire_hello_decode(&again, out, (size_t)n, &err))
		abort();
	assert(strcmp(hello->sensor, again->sensor) == 0);
	assert(hello->n_interfaces == again->n_interfaces && hello->n_rules == again->n_rules);
	for (size_t i = 0; i < hello->n_interfaces; i++)
		for (size_t t = 0; t < FLOWREC_TEXTS; t++)
			assert(strcmp(hello->interfaces[i].text[t], again->interfaces[i].text[t]) ==
			       0);
	assert(hello->is_replay == again->is_replay && hello->window_s == again->window_s);
	wire_hello_free(hello);
	wire_hello_free(again);
}

static bool take(void *ctx, enum wire_type type, const uint8_t *message, size_t len)
{
	struct wire_welcome welcome;
	char text[WIRE_SMALL_MAX];
	struct batch *batch;
	struct wire_ack ack;
	struct batch_gap gap;

	(void)ctx;
	switch (type) {
	case WIRE_HELLO: try_hello(message, len); return true;
	case WIRE_WELCOME: (void)wire_welcome_decode(&welcome, message, len); return true;
	case WIRE_ACK: return wire_ack_decode(&ack, message, len) != 0 || ack.durable != 99;
	case WIRE_REFUSAL:
		if (wire_refusal_decode(text, message, len) == 0)
			assert(strlen(text) < WIRE_SMALL_MAX);
		return true;
	case WIRE_BATCH:
		if (batch_open(&batch, message, len, NULL) == 0)
			batch_free(batch);
		return true;
	case WIRE_GAP:
		if (batch_gap_decode(&gap, message, len, NULL) == 0)
			assert(gap.first >= 1 && gap.first <= gap.last);
		return true;
	}
	abort(); /* the cutter lets no other type through */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct wire_reader reader = {0};
	struct err err = {""};
	size_t portion = len ? bytes[0] + 1U : 1;

	for (size_t at = 1; at < len; at += portion) {
		/* Memory of its own: a read past the portion is seen. */
		size_t n = len - at < portion ? len - at : portion;
		uint8_t *copy = malloc(n);

		if (!copy)
			abort();
		memcpy(copy, bytes + at, n);
		(void)wire_reader_feed(&reader, copy, n, take, NULL, &err);
		free(copy);
	}
	wire_reader_fini(&reader);
	return 0;
}
