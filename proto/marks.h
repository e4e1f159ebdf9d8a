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
	MARK_ACTION = 6,  /* 1 bit */
	MARK_STATUS = 7,  /* 2 bits */
	MARK_VERDICT = 9, /* 3 bits */
	MARK_OUTCOME = 0xfc0,
	MARK_MAX = 0xfff,
};
