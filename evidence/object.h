// SPDX-License-Identifier: Apache-2.0
/*
 * An object: immutable bytes under a key that follows from what they are. The same ledger gives the same objects; an object
 * that is there already under its key is the same one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "platform/err.h"

enum { OBJECT_KEY_MAX = 1024 }; /* bytes with NUL: the limit of S3 (User Guide, "Naming objects") */

struct object {
	const char *key; /* "AWSLogs/123456789012/vpcflowlogs/...", never with a / first, no ".." */
	const char *type; /* media type */
	const uint8_t *bytes;
	size_t len;
	uint64_t records; /* or lines */
};

/* Takes the object, which is valid during the call. 0, or what ends the run. */
typedef int object_put_fn(void *ctx, const struct object *object, struct err *err);

/* Puts an object below a folder, durable with it when 0 is returned: whoever looks finds a whole file or none. A file that
 * is there with these bytes is the object. ERR_EXISTS with a sentence: another one is. The folder must exist. */
int object_to_folder(const char *folder, const struct object *object, struct err *err);
