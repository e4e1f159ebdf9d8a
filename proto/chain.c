// SPDX-License-Identifier: Apache-2.0
/*
 * The chain: each batch names the SHA-256 of the one before, and the packet equation that goes with
 * a batch. What follows here decides whether a batch may be appended to a stream.
 */
#include "proto/batch.h"

#include <inttypes.h>
#include <string.h>

#include "proto/wire.h"

int64_t batch_account_residual(const struct batch_account *account)
{
	const uint64_t terms[] = {account->recorded, account->live, account->not_ip,
				  account->malformed, account->cut};
	uint64_t sum = 0, received;

	/* Counts come from outside: terms that wrap to the right sum must not pass as accounted
	 * for. */
	for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++) {
		if (__builtin_add_overflow(sum, terms[i], &sum))
			return INT64_MIN;
	}
	if (__builtin_add_overflow(account->received, account->offload_packets, &received))
		return INT64_MAX;
	if (received >= sum)
		return received - sum < INT64_MAX ? (int64_t)(received - sum) : INT64_MAX;
	return sum - received < INT64_MAX ? -(int64_t)(sum - received) : INT64_MIN;
}

void batch_chain_start(uint8_t out[static SHA256_BYTES], const uint8_t *stream_id)
{
	crypto_sha256(out, stream_id, WIRE_STREAM_ID);
}

/* Batches `first` to `last` are neither here nor given up. */
static int missing(struct err *err, const char *what, uint64_t sequence, uint64_t first,
		   uint64_t last)
{
	if (first == last)
		return err_set(err, ERR_FORMAT,
			       "%s %" PRIu64 " after %" PRIu64 ": batch %" PRIu64 " is missing",
			       what, sequence, first - 1, first);
	return err_set(err, ERR_FORMAT,
		       "%s %" PRIu64 " after %" PRIu64 ": batches %" PRIu64 " to %" PRIu64
		       " are missing",
		       what, sequence, first - 1, first, last);
}

int batch_chain_check_gap(const struct batch_chain *chain, const struct batch_gap *gap,
			  struct err *err)
{
	if (gap->last <= chain->sequence)
		return err_set(err, ERR_EXISTS,
			       "a gap up to %" PRIu64
			       " was taken before: the chain stands at %" PRIu64,
			       gap->last, chain->sequence);
	if (gap->first > chain->sequence + 1)
		return missing(err, "a gap that begins at", gap->first, chain->sequence + 1,
			       gap->first - 1);
	return 0;
}

static int check_counts(const struct batch_chain *chain, const struct batch_head *head,
			struct err *err)
{
	if (head->records_before != chain->records || head->packets_before != chain->packets)
		return err_set(err, ERR_FORMAT,
			       "batch %" PRIu64 " counts %" PRIu64 " records of %" PRIu64
			       " packets before it, the batches and gaps up to it hold %" PRIu64
			       " of %" PRIu64,
			       head->sequence, head->records_before, head->packets_before,
			       chain->records, chain->packets);
	if (head->lines_before != chain->lines)
		return err_set(err, ERR_FORMAT,
			       "batch %" PRIu64 " counts %" PRIu64
			       " lines of log files before it, the batches and gaps up to it hold "
			       "%" PRIu64,
			       head->sequence, head->lines_before, chain->lines);
	return 0;
}

int batch_chain_check(const struct batch_chain *chain, const struct batch_head *head,
		      struct err *err)
{
	if (head->sequence <= chain->sequence)
		return err_set(err, ERR_EXISTS,
			       "batch %" PRIu64 " was taken before: the chain stands at %" PRIu64,
			       head->sequence, chain->sequence);
	if (head->sequence != chain->sequence + 1)
		return missing(err, "sequence", head->sequence, chain->sequence + 1,
			       head->sequence - 1);
	if (memcmp(head->previous, chain->digest, SHA256_BYTES) != 0)
		return err_set(err, ERR_FORMAT,
			       chain->sequence
				       ? "batch %" PRIu64 " names another batch as its predecessor"
				       : "batch %" PRIu64 " does not begin with this stream's id",
			       head->sequence);
	return chain->counts ? check_counts(chain, head, err) : 0;
}

void batch_chain_take(struct batch_chain *chain, const struct batch_head *head,
		      const uint8_t digest[static SHA256_BYTES], uint64_t records, uint64_t packets,
		      uint64_t lines)
{
	chain->sequence = head->sequence;
	memcpy(chain->digest, digest, SHA256_BYTES);
	chain->counts = true;
	chain->records = head->records_before + records;
	chain->packets = head->packets_before + packets;
	chain->lines = head->lines_before + lines;
}

void batch_chain_take_gap(struct batch_chain *chain, const struct batch_gap *gap)
{
	/* Of a gap whose first batches are here the rest is not known before the next batch. */
	chain->counts = chain->counts && gap->first == chain->sequence + 1;
	chain->sequence = gap->last;
	memcpy(chain->digest, gap->digest, SHA256_BYTES);
	chain->records += gap->records;
	chain->packets += gap->packets;
	chain->lines += gap->lines;
}
