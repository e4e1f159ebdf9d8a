// SPDX-License-Identifier: Apache-2.0
/*
 * gzip (RFC 1952) taken apart as it comes, member after member.
 *
 * Two libraries can do the work: ISA-L, three times as fast, where the build has it, and zlib. Both
 * verify each member's CRC and length.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/err.h"

enum gunzip_result {
	GUNZIP_MORE,   /* all input was taken: give more, or this is where the file was cut */
	GUNZIP_ROOM,   /* the output is full */
	GUNZIP_MEMBER, /* a member ended; what follows is the next one, or nothing */
};

/* What a library must offer. */
struct gunzip_backend {
	const char *name;
	void *(*create)(void); /* NULL: no memory */
	void (*destroy)(void *state);
	void (*reset)(void *state);
	/* Moves *in and *out forward. enum gunzip_result, or ERR_FORMAT. */
	int (*step)(void *state, const uint8_t **in, const uint8_t *in_end, uint8_t **out,
		    uint8_t *out_end);
};

extern const struct gunzip_backend gunzip_zlib;
extern const struct gunzip_backend gunzip_isal; /* where the build found it: HAVE_ISAL */

struct gunzip;

/* -ENOMEM. */
int gunzip_new(struct gunzip **ret, const struct gunzip_backend *backend);
void gunzip_free(struct gunzip *gunzip);
/* The faster backend of this build; NULL if it has none (the static one). */
const struct gunzip_backend *gunzip_best(void);

/* Begins with a new file. */
void gunzip_reset(struct gunzip *gunzip);
/* Takes input and gives output until one of them is used up. Zeros behind the last member are
 * padding. 0; ERR_FORMAT with a sentence: nothing more can be read of this file, what was given is
 * good but for the last member's check sum. */
int gunzip_step(struct gunzip *gunzip, const uint8_t **in, const uint8_t *in_end, uint8_t **out,
		uint8_t *out_end, struct err *err);
/* Does the input taken so far end where a member ended? */
bool gunzip_is_whole(const struct gunzip *gunzip);
/* Members that ended. */
uint64_t gunzip_members(const struct gunzip *gunzip);
