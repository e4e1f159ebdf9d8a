// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof records --dns: a Resolver query log of the ledger (evidence/dns_pairs.h).
 */
#include "analyst/dns.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "evidence/dns_pairs.h"

struct dns {
	const struct query *query;
	struct dns_pairs *pairs;
	uint8_t stream[WIRE_STREAM_ID];
	uint64_t left_out; /* of all streams before this one */
	uint64_t stream_left_out;
};

static int print(void *ctx, const struct dns_pairs_line *line)
{
	struct dns *d = ctx;

	if (!query_wants(d->query, line->asked_s, line->told_s) ||
	    fwrite(line->text, 1, line->len, stdout) == line->len)
		return 0;
	return QUERY_OUTPUT_BROKEN;
}

static int add_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		     struct batch *batch)
{
	static const struct flowrec_identity unknown = {.sensor = ""};
	struct dns *d = ctx;
	const struct batch_dns *list;
	const uint64_t *counts;
	size_t n;
	int rc = 0;

	counts = batch_names_counts(batch, &n);
	if (memcmp(d->stream, entry->stream, sizeof d->stream) != 0) {
		memcpy(d->stream, entry->stream, sizeof d->stream);
		d->left_out += d->stream_left_out;
		d->stream_left_out = 0;
	}
	if (n > BATCH_NAMES_LEFT_OUT)
		d->stream_left_out = counts[BATCH_NAMES_LEFT_OUT];
	list = batch_dns_list(batch, &n);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = dns_pairs_take(d->pairs, entry->stream, &list[i],
				    hello ? &hello->interfaces[list[i].iface] : &unknown, 0, true);
	return rc;
}

int dns_print(struct query *query, struct err *err)
{
	static const struct replay_ops ops = {.batch = add_batch};
	struct dns d = {.query = query};
	int rc = dns_pairs_new(&d.pairs, print, &d);

	if (rc < 0)
		return err_set(err, -ENOMEM, "no memory for DNS");
	rc = query_run(query, &ops, &d, err);
	if (rc == 0)
		rc = dns_pairs_flush(d.pairs);
	if (rc == QUERY_OUTPUT_BROKEN)
		query->output_errno = errno;
	dns_pairs_free(d.pairs);
	if (d.left_out + d.stream_left_out > 0)
		fprintf(stderr,
			"flowproof records: %" PRIu64 " messages and names were not told by the "
			"sensors, because too many came at once\n",
			d.left_out + d.stream_left_out);
	return rc;
}
