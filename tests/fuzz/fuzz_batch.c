// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: bytes as a batch. What is accepted is written again and must read the same: so every
 * record that the reader gives is one that the writer would take.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void assert_same(const struct flowrec *a, const struct flowrec *b)
{
	assert(memcmp(&a->src, &b->src, sizeof(a->src)) == 0);
	assert(memcmp(&a->dst, &b->dst, sizeof(a->dst)) == 0);
	assert(a->packets == b->packets && a->bytes == b->bytes);
	assert(a->start == b->start && a->end == b->end);
	assert(a->srcport == b->srcport && a->dstport == b->dstport);
	assert(a->rule == b->rule && a->iface == b->iface && a->family == b->family);
	assert(a->protocol == b->protocol && a->tcp_flags == b->tcp_flags);
	assert(a->status == b->status && a->action == b->action);
	assert(a->direction == b->direction && a->initiator == b->initiator);
	assert(a->verdict == b->verdict);
}

/* Written as short as can be, they take no more room than they came in. */
static void write_names(struct batch_writer *writer, struct batch *batch)
{
	const struct batch_dns *dns;
	const struct batch_name *names;
	const struct batch_http *http;
	size_t n;

	dns = batch_dns_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		assert(batch_add_dns(writer, &dns[i]));
	names = batch_name_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		assert(batch_add_name(writer, &names[i]));
	http = batch_http_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		assert(batch_add_http(writer, &http[i]));
}

/* All that a batch says of names, text by text. */
static void assert_same_names(struct batch *a, struct batch *b)
{
	const struct batch_dns *dns[2];
	const struct batch_name *names[2];
	const struct batch_http *http[2];
	size_t n, m;

	dns[0] = batch_dns_list(a, &n);
	dns[1] = batch_dns_list(b, &m);
	assert(n == m);
	for (size_t i = 0; i < n; i++) {
		assert(dns[0][i].time_ns == dns[1][i].time_ns && dns[0][i].id == dns[1][i].id);
		assert(strcmp(dns[0][i].name, dns[1][i].name) == 0);
		assert(dns[0][i].n_answers == dns[1][i].n_answers);
	}
	names[0] = batch_name_list(a, &n);
	names[1] = batch_name_list(b, &m);
	assert(n == m);
	for (size_t i = 0; i < n; i++)
		assert(strcmp(names[0][i].name, names[1][i].name) == 0 &&
		       strcmp(names[0][i].alpn, names[1][i].alpn) == 0 &&
		       names[0][i].first_ns == names[1][i].first_ns);
	http[0] = batch_http_list(a, &n);
	http[1] = batch_http_list(b, &m);
	assert(n == m);
	for (size_t i = 0; i < n; i++)
		assert(strcmp(http[0][i].path, http[1][i].path) == 0 &&
		       http[0][i].has_token == http[1][i].has_token);
}

/* As far as they were written. */
static void assert_same_logs(struct batch *a, struct batch *b)
{
	const struct batch_log *logs[2];
	size_t n, m;

	logs[0] = batch_log_list(a, &n);
	logs[1] = batch_log_list(b, &m);
	assert(m <= n);
	for (size_t i = 0; i < m; i++) {
		const struct batch_log *x = &logs[0][i], *y = &logs[1][i];

		assert(x->time_ns == y->time_ns && x->inode == y->inode && x->offset == y->offset);
		assert(x->file == y->file && x->why == y->why && x->left_out == y->left_out);
		assert(y->len <= x->len && (i + 1 == m || y->len == x->len));
		assert(y->len == 0 || memcmp(x->bytes, y->bytes, y->len) == 0);
	}
}

static void write_all(struct batch_writer *writer, struct batch *batch)
{
	const struct batch_alert *alerts;
	const struct batch_account *accounts;
	const struct batch_event *events;
	const struct batch_gap *gaps;
	const struct batch_burst *bursts;
	const struct batch_log *logs;
	struct flowrec rec;
	size_t n, taken;

	while (batch_next(batch, &rec))
		assert(batch_add_record(writer, &rec));
	assert(batch_records(writer) == batch_record_count(batch));
	alerts = batch_alert_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		assert(batch_add_alert(writer, &alerts[i]));
	bursts = batch_burst_list(batch, &n); /* readers take more than writers write */
	for (size_t i = 0; i < n && i < BATCH_WRITE_BURSTS; i++)
		assert(batch_add_burst(writer, &bursts[i]));
	accounts = batch_account_list(batch, &n);
	for (size_t i = 0; i < n; i++) {
		assert(batch_add_account(writer, &accounts[i]));
		(void)batch_account_residual(&accounts[i]);
	}
	gaps = batch_gap_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		assert(batch_add_gap(writer, &gaps[i]));
	events = batch_event_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		assert(batch_add_event(writer, &events[i]));
	write_names(writer, batch);
	logs = batch_log_list(batch, &n);
	/* Those that come with records are of no writer of ours. */
	for (size_t i = 0; i < n && batch_records(writer) == 0; i++)
		if (!batch_add_log(writer, &logs[i], &taken) || taken < logs[i].len)
			break;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t out[BATCH_BYTES_MAX];
	static struct batch_writer *writer;
	const struct batch_chain chain = {.sequence = 5};
	static const uint8_t stream[WIRE_STREAM_ID];
	struct batch *batch, *original, *rewritten;
	struct flowrec a, b;
	struct err err = {""};
	size_t out_len;

	if (!writer && (batch_writer_new(&writer) || batch_writer_logs(writer)))
		abort();
	if (batch_open(&batch, bytes, len, &err)) {
		assert(err.text[0]);
		return 0;
	}
	(void)batch_chain_check(&chain, batch_head(batch), &err);
	/* No certificate: whatever is in the field is no signature. */
	assert(batch_signature_check(bytes, len, stream, NULL, 0) ==
	       (batch_head(batch)->is_signed ? BATCH_FORGED : BATCH_UNSIGNED));
	write_all(writer, batch);
	out_len = batch_finish(writer, batch_head(batch), out);
	batch_free(batch);

	if (batch_open(&original, bytes, len, &err) || batch_open(&rewritten, out, out_len, &err))
		abort();
	while (batch_next(original, &a)) {
		if (!batch_next(rewritten, &b))
			abort();
		assert_same(&a, &b);
	}
	if (batch_next(rewritten, &b))
		abort();
	assert_same_names(original, rewritten);
	assert_same_logs(original, rewritten);
	batch_free(original);
	batch_free(rewritten);
	return 0;
}
