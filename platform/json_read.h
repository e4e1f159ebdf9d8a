// SPDX-License-Identifier: Apache-2.0
/*
 * Reads JSON (RFC 8259) into a tree of values.
 *
 * Strict, and bounded by the text: a value needs a byte of it and JSON_VALUE_BYTES of memory, nesting ends at
 * JSON_DEPTH. Strings are decoded in place and end in NUL; one that holds U+0000 or half a surrogate pair is an error. Numbers stay
 * text until somebody asks. The text may hold secrets: what is freed of it is wiped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/err.h"

enum { JSON_DEPTH = 32, JSON_VALUE_BYTES = 64, JSON_WHERE_TEXT = 192 };

enum json_kind {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_value {
	const struct json_value *parent, *next, *child; /* child: the first of an array or object */
	const char *key;                                /* in an object; else NULL */
	const char *text;                               /* of a string or number; else NULL */
	uint32_t line;
	uint8_t kind; /* enum json_kind */
};

struct json;

/* Parses `len` bytes and takes them (malloc(3)), also when it fails. `name` stands for the file in errors, which are
 * `name:line: what`; ERR_FORMAT or -ENOMEM. */
int json_parse(struct json **ret, char *text, size_t len, const char *name, struct err *err);
/* As json_parse, of a file of at most `max` bytes, UTF-8 or UTF-16 by its byte order mark. A file that cannot be read: ERR_USAGE. */
int json_read_file(struct json **ret, const char *path, size_t max, struct err *err);
/* NULL is fine. */
void json_free(struct json *json);

const struct json_value *json_root(const struct json *json);

/* The member of an object; NULL if there is none, or if `object` is NULL or none. Of two with one name the first. */
const struct json_value *json_member(const struct json_value *object, const char *key);
/* Its text, if it is a string; else NULL. */
const char *json_member_text(const struct json_value *object, const char *key);
/* A whole number within [min, max], written without fraction or exponent. NULL is none. */
bool json_integer(const struct json_value *value, int64_t min, int64_t max, int64_t *ret);

/* "name:12: SecurityGroups[0].IpPermissions[2]": where a value stands, for an error. Cut at its size. */
const char *json_where(char out[static JSON_WHERE_TEXT], const struct json *json,
		       const struct json_value *value);
