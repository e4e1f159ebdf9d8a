// SPDX-License-Identifier: Apache-2.0
/*
 * capture_usual: see capture_usual.h and pcap-savefile(5).
 *
 *   file    | magic 4 | version 2 2 | zone 4 | accuracy 4 | snapshot length 4 | link type 4 |
 *   record  | seconds 4 | micro- or nanoseconds 4 | captured 4 | wire 4 | captured bytes |
 */
#include "sensor/capture_usual.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/clock.h"

enum { FILE_HEAD = 24, RECORD_HEAD = 16 };

static const uint32_t microseconds = 0xa1b2c3d4, nanoseconds = 0xa1b23c4d; /* magic */

struct capture_usual {
	FILE *file;
	off_t next;          /* where the file is read on */
	size_t at, have;     /* in the buffer: the next record, the end of what was read */
	uint32_t most;       /* bytes that a record may have */
	uint32_t resolution; /* nanoseconds of the stamps' unit */
	uint8_t buffer[CAPTURE_FILE_BUFFER];
};

static uint32_t word(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

struct capture_usual *capture_usual_new(FILE *file, off_t start, uint32_t snaplen)
{
	static const uint16_t version[2] = {2, 4};
	struct capture_usual *u;
	uint8_t head[FILE_HEAD];

	if (start < 0 || pread(fileno(file), head, sizeof head, start) != (ssize_t)sizeof head ||
	    (word(head) != microseconds && word(head) != nanoseconds) ||
	    memcmp(head + 4, version, sizeof version) != 0)
		return NULL;
	u = malloc(sizeof *u);
	if (!u)
		return NULL;
	u->file = file;
	u->next = start + FILE_HEAD;
	u->at = u->have = 0;
	u->most = snaplen < CAPTURE_SNAPLEN ? snaplen : CAPTURE_SNAPLEN;
	u->resolution = word(head) == microseconds ? 1000 : 1;
	return u;
}

void capture_usual_free(struct capture_usual *u)
{
	free(u);
}

/* More of the file behind what is left of it. False if there is none. */
static bool read_on(struct capture_usual *u)
{
	ssize_t n;

	memmove(u->buffer, u->buffer + u->at, u->have - u->at);
	u->have -= u->at;
	u->at = 0;
	n = pread(fileno(u->file), u->buffer + u->have, sizeof u->buffer - u->have, u->next);
	if (n <= 0)
		return false;
	u->have += (size_t)n;
	u->next += n;
	return true;
}

int capture_usual_dispatch(struct capture_usual *u, int max, capture_fn *fn, void *ctx)
{
	int n = 0;

	while (n < max) {
		const uint8_t *p = u->buffer + u->at;
		size_t left = u->have - u->at;
		uint32_t captured = left < RECORD_HEAD ? 0 : word(p + 8);
		uint64_t nsec;
		struct packet packet;

		if (captured > u->most)
			break;
		if (left < RECORD_HEAD + (size_t)captured) {
			if (!read_on(u))
				break;
			continue;
		}
		nsec = (uint64_t)word(p + 4) * u->resolution;
		packet = (struct packet){
			.data = p + RECORD_HEAD,
			.captured = captured,
			.wire = word(p + 12),
			.snapped = captured < word(p + 12),
			.sec = word(p),
			.nsec = nsec < NS_PER_S ? (uint32_t)nsec : 0,
		};
		u->at += RECORD_HEAD + captured;
		n++;
		fn(ctx, &packet);
	}
	if (n == 0 && fseeko(u->file, u->next - (off_t)(u->have - u->at), SEEK_SET) != 0)
		return -errno;
	return n;
}
