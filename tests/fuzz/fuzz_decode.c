// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: | link type: index | bytes lost after capture | where to cut | the frame |
 *
 * What must hold of any frame: one result, no field that its protocol cannot have; and a cut of the same
 * frame never makes another packet of it: same addresses and family, same length if it is IPv4, or malformed.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sensor/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const int links[] = {1,   0,   9,   12,  14,  50,  51,  101, 104,
			    108, 113, 166, 228, 229, 239, 276, 127};

/* In memory of its own, so that a read past the captured bytes is seen. */
static enum decode_result decode(int link, const uint8_t *frame, size_t captured, size_t wire,
				 struct decoded *ret)
{
	uint8_t *copy = malloc(captured ? captured : 1);
	struct packet packet = {
		.data = copy, .captured = (uint32_t)captured, .wire = (uint32_t)wire};
	enum decode_result result;

	if (!copy)
		abort();
	memcpy(copy, frame, captured);
	result = decode_packet(link, &packet, ret);
	free(copy);
	return result;
}

static void assert_sound(const struct decoded *d)
{
	assert(d->family == 4 || d->family == 6);
	assert(d->has_ports || (d->srcport == 0 && d->dstport == 0));
	assert(d->protocol == 6 || d->tcp_flags == 0);
	assert((d->tcp_flags & ~0x17) == 0 && (!(d->tcp_flags & 0x10) || d->tcp_flags & 2));
	assert(!d->has_icmp_type || d->protocol == 1 || d->protocol == 58);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct decoded whole, cut;
	enum decode_result result, result_cut;
	size_t captured, wire, at;
	int link;

	if (len < 3)
		return 0;
	captured = len - 3;
	wire = captured + bytes[1];
	at = bytes[2] < captured ? bytes[2] : captured;
	link = links[bytes[0] % (sizeof links / sizeof links[0])];
	result = decode(link, bytes + 3, captured, wire, &whole);
	assert(result < DECODE_RESULTS);
	if (result == DECODE_IP)
		assert_sound(&whole);
	result_cut = decode(link, bytes + 3, at, wire, &cut);
	if (result_cut == DECODE_IP) {
		assert(result == DECODE_IP);
		assert_sound(&cut);
		assert(cut.family == whole.family);
		assert(memcmp(&cut.src, &whole.src, sizeof cut.src) == 0);
		assert(memcmp(&cut.dst, &whole.dst, sizeof cut.dst) == 0);
		assert(cut.family == 6 ||
		       cut.bytes == whole.bytes); /* a jumbo option may be cut off */
		assert(!cut.has_ports ||
		       (cut.srcport == whole.srcport && cut.dstport == whole.dstport));
	} else if ((int)result_cut < (int)DECODE_FIRST_BAD) {
		assert(result == result_cut);
	}
	return 0;
}
