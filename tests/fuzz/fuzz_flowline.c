// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: a line of names, then lines of values. The quick reader of lines takes nothing that the strict one does not, and both make the
 * same record of it.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "evidence/flowlogs.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct flowlogs_plan plan;

static void compare(const char *line, size_t len)
{
	struct flowlogs_record quick, strict;
	struct err err = {""}, why = {""};
	int a, b;

	memset(&quick, 0, sizeof quick);
	a = flowlogs_parse(&quick, &plan, line, len, &err);
	if (a == 1)
		return; /* of a transit gateway */
	b = flowlogs_parse_slowly(&strict, &plan, line, len, &why);
	assert(a == b && (a == 0 || why.text[0]));
	if (a < 0)
		return;
	assert(quick.has == strict.has && quick.interface.p == strict.interface.p &&
	       quick.interface.len == strict.interface.len);
	assert(memcmp(&quick.rec.src, &strict.rec.src, 16) == 0 &&
	       memcmp(&quick.rec.dst, &strict.rec.dst, 16) == 0 &&
	       memcmp(&quick.pkt_src, &strict.pkt_src, 16) == 0 &&
	       memcmp(&quick.pkt_dst, &strict.pkt_dst, 16) == 0);
	assert(quick.rec.packets == strict.rec.packets && quick.rec.bytes == strict.rec.bytes &&
	       quick.rec.start == strict.rec.start && quick.rec.end == strict.rec.end &&
	       quick.rec.srcport == strict.rec.srcport && quick.rec.dstport == strict.rec.dstport);
	assert(quick.rec.protocol == strict.rec.protocol && quick.rec.status == strict.rec.status &&
	       quick.rec.action == strict.rec.action &&
	       quick.rec.direction == strict.rec.direction &&
	       quick.rec.tcp_flags == strict.rec.tcp_flags &&
	       quick.rec.family == strict.rec.family &&
	       quick.pkt_src_family == strict.pkt_src_family &&
	       quick.pkt_dst_family == strict.pkt_dst_family);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *p = (const char *)bytes, *end = p + len;
	const char *newline = len ? memchr(p, '\n', len) : NULL;
	struct flowrec_columns columns;
	struct err err;

	if (!newline || flowrec_columns_parse(&columns, p, (size_t)(newline - p), &err) < 0)
		return 0;
	flowlogs_plan(&plan, &columns);
	for (p = newline + 1; p < end; p = newline + 1) {
		newline = memchr(p, '\n', (size_t)(end - p));
		if (!newline)
			newline = end;
		/* Without its end, as files give it. */
		if (newline > p && newline[-1] != '\r')
			compare(p, (size_t)(newline - p));
	}
	return 0;
}
