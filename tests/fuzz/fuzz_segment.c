// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: a segment of the ledger, read as at a start and by an audit. What the reader gives, entries and
 * faults, is all of the file in order, and each entry's digest fits.
 *
 * The first byte says how: 0, the rest is the file; else the rest is what entries are made of, each well
 * formed, and all of them must come back: digests would keep a fuzzer from going on behind the first.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evidence/ledger_segment.h"
#include "platform/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const uint8_t store[LEDGER_STORE_ID] = "a store's number";

static void put(int fd, const void *bytes, size_t len)
{
	if (len > 0 && write(fd, bytes, len) != (ssize_t)len)
		abort();
}

/* Type, length, stream and sequence of a byte each, then a payload of so many bytes; how many entries. */
static unsigned make(int fd, const uint8_t *bytes, size_t len)
{
	struct rd r = rd_init(bytes, len);
	uint8_t head[SEGMENT_ENTRY_HEAD > SEGMENT_HEAD ? SEGMENT_ENTRY_HEAD : SEGMENT_HEAD];
	unsigned n = 0;

	segment_head(head, 1, store);
	put(fd, head, SEGMENT_HEAD);
	for (; rd_left(&r) >= 4; n++) {
		uint8_t stream[WIRE_STREAM_ID] = {0};
		struct segment_entry entry = {.stream = stream};

		entry.type = SEGMENT_HELLO + rd_u8(&r) % SEGMENT_MANIFEST;
		if (entry.type == SEGMENT_GAP) /* its payload must be one */
			entry.type = SEGMENT_BATCH;
		entry.len = rd_u8(&r);
		stream[0] = rd_u8(&r);
		entry.sequence = rd_u8(&r);
		if (entry.len > rd_left(&r))
			entry.len = rd_left(&r);
		entry.payload = rd_take(&r, entry.len);
		crypto_sha256(entry.digest, entry.payload, entry.len);
		segment_entry_head(head, &entry);
		put(fd, head, SEGMENT_ENTRY_HEAD);
		put(fd, entry.payload, entry.len);
	}
	return n;
}

static char path[] = "/tmp/fuzz_segment.XXXXXX";

static void remove_file(void)
{
	(void)unlink(path);
}

/* Reads it; how many entries. */
static unsigned read_back(bool *ret_fault)
{
	struct segment segment;
	struct segment_entry entry;
	struct segment_fault fault;
	struct err err = {""};
	uint8_t digest[SHA256_BYTES];
	uint64_t at = 0;
	unsigned n = 0;
	int rc;

	segment_init(&segment);
	if (segment_open(&segment, path, 1, &err) != 0)
		abort();
	while ((rc = segment_next(&segment, &entry, &fault)) > 0) {
		if (rc == SEGMENT_FAULT) {
			*ret_fault = true;
			assert(fault.from >= at && fault.to > fault.from &&
			       fault.to <= segment.size && fault.reason);
			at = fault.to;
			continue;
		}
		n++;
		assert(entry.offset == at || at == 0);
		assert(entry.len <= LEDGER_PAYLOAD_MAX);
		crypto_sha256(digest, entry.payload, entry.len);
		assert(entry.type == SEGMENT_GAP ||
		       memcmp(digest, entry.digest, SHA256_BYTES) == 0);
		at = entry.offset + SEGMENT_ENTRY_HEAD + entry.len;
	}
	assert(rc == SEGMENT_END);
	assert(at == segment.size || (n == 0 && !*ret_fault));
	segment_close(&segment);
	segment_fini(&segment);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static int fd = -1;
	unsigned made = 0, found;
	bool has_fault = false;

	if (fd < 0 && ((fd = mkstemp(path)) < 0 || atexit(remove_file) != 0))
		abort();
	if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	if (len > 0 && bytes[0] != 0)
		made = make(fd, bytes + 1, len - 1);
	else if (len > 0)
		put(fd, bytes + 1, len - 1);
	found = read_back(&has_fault);
	if (len > 0 && bytes[0] != 0)
		assert(found == made && !has_fault);
	return 0;
}
