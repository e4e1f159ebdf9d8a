// SPDX-License-Identifier: Apache-2.0
/*
 * The bits of a record's mark, for the writer and the reader of batches; batch.h has the words.
 */
#pragma once

enum {
	MARK_DIRECTION = 0, /* 2 bits */
	MARK_INITIATOR = 2, /* 2 bits */
	MARK_MIRROR = 1 << 4,
	MARK_SAME = 1 << 5, /* rule and interface of the record before */
	/* From here on: exclusive or with these bits of the record before. */
	MARK_ACTION = 6,   /* 1 bit */
	MARK_VERDICT = 7,  /* 3 bits */
	MARK_OUTCOME = 10, /* 3 bits */
	MARK_STATUS = 13,  /* 2 bits */
	MARK_CHANGES = 0x7fc0,
	MARK_MAX = 0x7fff,
};
