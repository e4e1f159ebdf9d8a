// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/evidence/sensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/clock.h"

struct maker *maker_new(const char *id, char letter, struct crypto_signer *signer)
{
	struct maker *m = calloc(1, sizeof *m);

	assert_non_null(m);
	(void)snprintf(m->id, sizeof m->id, "%s", id);
	memset(m->stream, letter, sizeof m->stream);
	m->signer = signer;
	m->chain.counts = true;
	batch_chain_start(m->chain.digest, m->stream);
	assert_int_equal(batch_writer_new(&m->writer), 0);
	return m;
}

void maker_free(struct maker *m)
{
	batch_writer_free(m->writer);
	free(m);
}

void maker_hello(struct maker *m)
{
	struct wire_hello hello = {.protocol = WIRE_PROTOCOL,
				   .sensor = m->id,
				   .boot_id = "boot",
				   .build = "test",
				   .n_interfaces = 1,
				   .window_s = 60};
	ssize_t len;

	memcpy(hello.stream, m->stream, WIRE_STREAM_ID);
	flowrec_identity_init(&hello.interfaces[0]);
	hello.interfaces[0].interface = "eth0";
	hello.certificate = crypto_signer_certificate(m->signer, &hello.certificate_len);
	len = wire_hello_encode(m->bytes, sizeof m->bytes, &hello);
	assert_true(len > 0);
	m->len = (size_t)len;
}

void maker_batch(struct maker *m, unsigned records, uint64_t time_s, enum maker_how how)
{
	struct batch_head head = {.sequence = m->chain.sequence + 1,
				  .goodbye = how == MAKER_GOODBYE,
				  .records_before = m->chain.records,
				  .packets_before = m->chain.packets};
	uint8_t digest[SHA256_BYTES];

	memcpy(head.previous, m->chain.digest, SHA256_BYTES);
	for (unsigned i = 0; i < records; i++) {
		const struct flowrec rec = {.packets = 2,
					    .bytes = 100,
					    .start = time_s + i,
					    .end = time_s + i + 1,
					    .srcport = (uint16_t)i,
					    .family = 4,
					    .protocol = 17};

		assert_true(batch_add_record(m->writer, &rec));
	}
	if (m->gap.last > 0)
		assert_true(batch_add_gap(m->writer, &m->gap));
	m->gap.last = 0;
	m->len = batch_finish(m->writer, &head, m->bytes);
	if (how != MAKER_PLAIN)
		m->len = batch_sign(m->bytes, m->len, m->stream, m->signer);
	crypto_sha256(digest, m->bytes, m->len);
	batch_chain_take(&m->chain, &head, digest, records, 2 * (uint64_t)records, 0);
}

/* Gives up the next batch, which would have had that many records. */
static void maker_gap(struct maker *m, unsigned records, uint64_t time_s)
{
	struct batch_gap gap = {.first = m->chain.sequence + 1,
				.last = m->chain.sequence + 1,
				.records = records,
				.packets = 2 * (uint64_t)records,
				.window_first = time_s,
				.window_last = time_s + records};
	struct batch_chain before = m->chain;

	maker_batch(m, records, time_s, MAKER_PLAIN);
	memcpy(gap.digest, m->chain.digest, SHA256_BYTES);
	m->chain = before;
	batch_chain_take_gap(&m->chain, &gap);
	m->len = batch_gap_encode(m->bytes, &gap);
	m->gap = gap;
}

static struct ledger_sensor *sensor_of(const struct maker *m, struct ledger *ledger)
{
	struct ledger_sensor *sensor;
	struct err err = {""};

	if (ledger_sensor_open(ledger, m->id, &sensor, &err) != 0)
		fail_msg("%s", err.text);
	return sensor;
}

void maker_put_hello(struct maker *m, struct ledger *ledger, uint64_t now_ns)
{
	struct err err = {""};

	maker_hello(m);
	if (ledger_append_hello(sensor_of(m, ledger), now_ns, m->stream, m->bytes, m->len, &err))
		fail_msg("%s", err.text);
}

void maker_put_batch(struct maker *m, struct ledger *ledger, uint64_t now_ns, unsigned records,
		     enum maker_how how)
{
	struct ledger_sum sum = ledger_sum_none;
	struct batch *batch;
	struct err err = {""};

	maker_batch(m, records, now_ns / NS_PER_S, how);
	if (batch_open(&batch, m->bytes, m->len, &err) != 0)
		fail_msg("%s", err.text);
	ledger_sum_batch(&sum, batch);
	batch_free(batch);
	if (ledger_append_batch(sensor_of(m, ledger), now_ns, m->stream, m->chain.sequence,
				m->bytes, m->len, &sum, &err) != 0)
		fail_msg("%s", err.text);
}

void maker_put_gap(struct maker *m, struct ledger *ledger, uint64_t now_ns, unsigned records)
{
	struct err err = {""};

	maker_gap(m, records, now_ns / NS_PER_S);
	if (ledger_append_gap(sensor_of(m, ledger), now_ns, m->stream, &m->gap, m->bytes, m->len,
			      &err) != 0)
		fail_msg("%s", err.text);
}
