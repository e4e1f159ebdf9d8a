// SPDX-License-Identifier: Apache-2.0
/*
 * names, texts: bytes off the wire become the printable text that proto/names.h speaks of. Whatever an intruder puts
 * into a name, nothing but ASCII leaves the sensor.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/names.h"

/* A text that is being made, at most BATCH_NAME_MAX bytes and a NUL. Begins zeroed. */
struct names_text {
	size_t len;
	bool is_cut; /* there was more */
	char text[BATCH_NAME_MAX + 1];
};

/* A byte as it is. */
void names_put(struct names_text *to, char c);
/* A byte in lower case, or as \DDD when it is no printable ASCII; one of `special` with a backslash before it. Whole or not
 * at all. */
void names_put_byte(struct names_text *to, uint8_t byte, const char *special);
void names_put_number(struct names_text *to, unsigned number);
