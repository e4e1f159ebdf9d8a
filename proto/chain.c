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

static int check_gap(const struct batch_chain *chain, const struct batch_head *head,
		     struct err *err)
{
	const struct batch_gap *gap = &head->gap;

	if (gap->first > chain->sequence + 1)
		return missing(err, "a gap that begins at", gap->first, chain->sequence + 1,
			       gap->first - 1);
	if (gap->first <= chain->sequence)
		return err_set(err, ERR_FORMAT,
			       "batch %" PRIu64 " gives up batches from %" PRIu64
			       " on, but those up to %" PRIu64 " are here",
			       head->sequence, gap->first, chain->sequence);
	if (gap->last != head->sequence - 1)
		return err_set(err, ERR_FORMAT,
			       "batch %" PRIu64 " gives up batches up to %" PRIu64
			       ", which is not the one before it",
			       head->sequence, gap->last);
	if (memcmp(head->previous, gap->digest, SHA256_BYTES) != 0)
		return err_set(err, ERR_FORMAT,
			       "batch %" PRIu64
			       " names another batch as its predecessor than the last one"
			       " that it gives up",
			       head->sequence);
	return 0;
}

int batch_chain_check(const struct batch_chain *chain, const struct batch_head *head,
		      struct err *err)
{
	if (head->sequence <= chain->sequence)
		return err_set(err, ERR_EXISTS,
			       "batch %" PRIu64 " was taken before: the chain stands at %" PRIu64,
			       head->sequence, chain->sequence);
	if (head->has_gap)
		return check_gap(chain, head, err);
	if (head->sequence != chain->sequence + 1)
		return missing(err, "sequence", head->sequence, chain->sequence + 1,
			       head->sequence - 1);
	if (memcmp(head->previous, chain->digest, SHA256_BYTES) != 0)
		return err_set(err, ERR_FORMAT,
			       chain->sequence
				       ? "batch %" PRIu64 " names another batch as its predecessor"
				       : "batch %" PRIu64 " does not begin with this stream's id",
			       head->sequence);
	return 0;
}
