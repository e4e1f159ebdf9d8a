// SPDX-License-Identifier: Apache-2.0
/*
 * A manifest: what the collector signs. Each names the one before it, so they are a chain; together
 * they say of every byte of the ledger what it was when it was signed. docs/ledger.md tells what
 * follows from that.
 *
 * Payload of an entry of type 6 in the files STORE/@manifest/00000001.fpl, ... Integers are
 * big-endian, times Unix nanoseconds unless said otherwise.
 *
 *       0   4  "fpM1"
 *       4   1  kind: 1 start of the collector, 2 on schedule or when a segment closes, 3 end in good order
 *       5   1  1: what it tells goes on in the next one
 *       6   2  0
 *       8   8  number, from 1 without holes
 *      16   8  time, by the collector's clock
 *      24  16  store: random, the same in all of its files
 *      40  32  SHA-256 of the payload of the manifest before; of the first: 0
 *      72  32  SHA-256 of the signer's certificate (DER)
 *     104      items, each: 1 byte type, then
 *
 *     type 1, range: bytes of a segment that no manifest before covers; none if from = to
 *         1 + n  sensor: length and id
 *             4  first segment of the sensor that is kept
 *             4  number of the segment
 *         8 + 8  from, to: offsets; both are where an entry begins or the file ends
 *            32  SHA-256 of these bytes
 *             1  1: the segment is closed, it ends at `to`
 *             8  offset of the hello that holds at `from`; 0: none
 *         4 + 4  hellos, batches
 *         8 + 8  records, packets of the batches
 *         8 + 8  least and greatest time in the batches, Unix seconds; 1 and 0: none
 *         8 + 8  received: first and last
 *     2 + 56 n  streams with a batch in the range: count; stream, sequence and SHA-256 of its last batch
 *
 *     type 2, tombstone: a closed segment is deleted from now on
 *         1 + n  sensor
 *             4  number of the segment
 *             8  its size
 *             1  why: 1 age, 2 size of the store
 *
 *     type 3, cut: what a crash left unfinished at a segment's end and the start cut off
 *         1 + n  sensor; "@manifest": of the manifests themselves
 *             4  number of the segment
 *         8 + 8  offset, bytes
 *
 *     type 4, certificate of the signer, in each manifest of kind 1
 *         2 + n  DER
 *
 *     type 0, signature, the last
 *         2 + n  ECDSA (P-256, SHA-256, DER) over ("flowproof-manifest-1", all bytes before this item)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/ledger.h"
#include "platform/bytes.h"
#include "platform/crypto.h"
#include "platform/crypto_sign.h"
#include "platform/err.h"

#define MANIFEST_FOLDER "@manifest" /* no sensor's id can be that */
/* A head as a line, for printf: number, hexadecimal digest. */
#define MANIFEST_HEAD "flowproof-head %" PRIu64 " %s"

enum manifest_kind { MANIFEST_START = 1, MANIFEST_SEAL, MANIFEST_END };
enum manifest_type {
	MANIFEST_SIGNATURE,
	MANIFEST_RANGE,
	MANIFEST_TOMBSTONE,
	MANIFEST_CUT,
	MANIFEST_CERTIFICATE
};
enum manifest_reason { MANIFEST_AGE = 1, MANIFEST_SIZE };

enum { MANIFEST_STREAM = WIRE_STREAM_ID + 8 + SHA256_BYTES };

struct manifest_head {
	enum manifest_kind kind;
	bool more; /* what it tells goes on in the next one */
	uint64_t number;
	uint64_t time_ns;
	uint8_t store[LEDGER_STORE_ID];
	uint8_t previous[SHA256_BYTES];
	uint8_t signer[SHA256_BYTES];
};

/* Of a range. */
struct manifest_range {
	uint32_t first;
	uint64_t from, to;
	uint8_t digest[SHA256_BYTES];
	bool is_closed;
	uint64_t hello;
	struct ledger_sum sum;
	const uint8_t *streams; /* n_streams of MANIFEST_STREAM bytes */
	size_t n_streams;
};

struct manifest_item {
	enum manifest_type type;
	char sensor[WIRE_SENSOR_ID_MAX]; /* of all but certificates */
	uint32_t number;
	struct manifest_range range;
	uint64_t size;               /* of a tombstone: the file's */
	enum manifest_reason reason; /* of a tombstone */
	uint64_t offset, bytes;      /* of a cut */
	const uint8_t *der;          /* of a certificate */
	size_t der_len;
};

/* ---- writing ---- */

struct manifest_writer {
	struct wr out;
	uint8_t bytes[LEDGER_PAYLOAD_MAX];
};

void manifest_begin(struct manifest_writer *writer, const struct manifest_head *head);
/* False, and nothing added, when there is no room: finish it, begin the next. */
bool manifest_add(struct manifest_writer *writer, const struct manifest_item *item);
/* Signs; gives the length of `bytes`. `more`: there was no room for all. */
size_t manifest_finish(struct manifest_writer *writer, bool more, struct crypto_signer *signer);

/* ---- reading ---- */

/* Borrows the payload. */
struct manifest {
	struct manifest_head head;
	const uint8_t *bytes;
	size_t signed_len; /* the signature's item begins there */
	const uint8_t *signature;
	size_t signature_len;
	struct rd at;
};

/* Checks the form of the whole; not the signature. 0 or ERR_FORMAT. */
int manifest_open(struct manifest *ret, const uint8_t *bytes, size_t len, struct err *err);
/* The next item but the signature; false at the end. */
bool manifest_next(struct manifest *manifest, struct manifest_item *ret);
/* Of the i-th stream of a range. */
void manifest_stream(const struct manifest_range *range, size_t i,
		     uint8_t ret_id[static WIRE_STREAM_ID], struct batch_chain *ret);
/* What is signed: the digest of the payload up to its signature. */
void manifest_digest(const struct manifest *manifest, uint8_t out[static SHA256_BYTES]);
