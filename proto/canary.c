// SPDX-License-Identifier: Apache-2.0
/*
 * See canary.h.
 */
#include "proto/canary.h"

#include <string.h>

#include "platform/bytes.h"

static const char mark[8] = {'f', 'p', 'c', 'a', 'n', 'a', 'r', 'y'};

void canary_write(uint8_t out[static CANARY_HEAD], const struct canary *c)
{
	memset(out, 0, CANARY_HEAD);
	memcpy(out, mark, sizeof mark);
	out[8] = c->is_answer ? 'a' : 'q';
	memcpy(out + 16, c->stream, sizeof c->stream);
	put_be64(out + 32, c->number);
}

bool canary_read(struct canary *ret, const uint8_t *bytes, size_t len)
{
	static const uint8_t zero[7];

	if (len < CANARY_HEAD || len > CANARY_MAX || memcmp(bytes, mark, sizeof mark) != 0 ||
	    (bytes[8] != 'a' && bytes[8] != 'q') || memcmp(bytes + 9, zero, sizeof zero) != 0)
		return false;
	ret->is_answer = bytes[8] == 'a';
	memcpy(ret->stream, bytes + 16, sizeof ret->stream);
	ret->number = be64(bytes + 32);
	return true;
}
