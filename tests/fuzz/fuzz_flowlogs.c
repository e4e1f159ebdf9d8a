// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: a Flow Logs file of any kind, as bytes. Each line of it is counted as one thing, each record's texts lie within its line.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "evidence/flowlogs.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static uint64_t records;

static int take_record(void *ctx, const struct flowlogs_record *record)
{
	(void)ctx;
	records++;
	assert(!record->interface.p || record->interface.len > 0);
	assert(!(record->has & FLOWLOGS_HAS_SRC) || record->rec.family == 4 ||
	       record->rec.family == 6);
	assert(!(record->has & FLOWLOGS_HAS_PKT_SRC) || record->pkt_src_family == 4 ||
	       record->pkt_src_family == 6);
	return 0;
}

static void take_bad(void *ctx, const char *file, uint64_t line, const char *reason)
{
	(void)ctx;
	(void)line;
	assert(file && reason[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct flowlogs_ops ops = {.record = take_record, .bad = take_bad};
	const struct flowlogs_counts *c;
	struct flowlogs *logs;
	struct err err;
	char path[64];
	int fd = memfd_create("flowlogs", MFD_CLOEXEC);

	assert(fd >= 0 && flowlogs_new(&logs, &ops, NULL) == 0);
	assert(write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	records = 0;
	assert(flowlogs_read(logs, path, &err) == 0);
	c = flowlogs_counts(logs);
	assert(c->files == 1 && c->failed <= 1 && c->truncated <= 1);
	assert(records == c->records + c->nodata + c->skipdata);
	assert(c->lines == records + c->headers + c->transit + c->blank + c->bad);
	flowlogs_free(logs);
	(void)close(fd);
	return 0;
}
