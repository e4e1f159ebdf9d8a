// SPDX-License-Identifier: Apache-2.0
/*
 * gzip by Intel's ISA-L. It reads the head itself and holds the trailer's check sum, but not its
 * length, against the data.
 */
#include <isa-l/igzip_lib.h>
#include <limits.h>
#include <stdlib.h>

#include "platform/gunzip.h"

static void reset(void *state)
{
	struct inflate_state *isal = state;

	isal_inflate_reset(isal);
	isal->crc_flag = ISAL_GZIP;
	isal->avail_in = 0;
	isal->next_in = NULL;
}

static void *create(void)
{
	struct inflate_state *isal = calloc(1, sizeof *isal);

	if (isal) {
		isal_inflate_init(isal);
		reset(isal);
	}
	return isal;
}

static uint32_t at_most(size_t n)
{
	return n > INT_MAX ? INT_MAX : (uint32_t)n;
}

static int step(void *state, const uint8_t **in, const uint8_t *in_end, uint8_t **out,
		uint8_t *out_end)
{
	struct inflate_state *isal = state;
	int rc;

	isal->next_in = (uint8_t *)(uintptr_t)*in;
	isal->avail_in = at_most((size_t)(in_end - *in));
	isal->next_out = *out;
	isal->avail_out = at_most((size_t)(out_end - *out));
	rc = isal_inflate(isal);
	*in = isal->next_in;
	*out = isal->next_out;
	if (rc != ISAL_DECOMP_OK && rc != ISAL_END_INPUT)
		return ERR_FORMAT;
	if (isal->block_state == ISAL_BLOCK_FINISH)
		return GUNZIP_MEMBER;
	return *out == out_end ? GUNZIP_ROOM : GUNZIP_MORE;
}

const struct gunzip_backend gunzip_isal = {"ISA-L", create, free, reset, step};
