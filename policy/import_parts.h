// SPDX-License-Identifier: Apache-2.0
/*
 * What the parts of the import share. Not for others.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "platform/addr.h"
#include "platform/json_read.h"
#include "policy/import.h"

/* An object of a list, over all files: begins as zeros. */
struct import_item {
	size_t file;
	const struct json *json;
	const char *path;
	const struct json_value *at;
};

struct import {
	const struct import_request *request;
	struct json *json[IMPORT_FILES_MAX];
	size_t n;             /* read so far */
	FILE *lists, *rules;  /* texts that grow */
	const char **written; /* ids of the lists that stand */
	size_t n_written;
	struct import_item interface; /* that was asked for */
	const char *subnet;           /* its subnet; NULL: none, or nobody asked */
	FILE *warnings;
	unsigned unknown;
	struct err *err;
};

/* The object whose member `id_key` is `id`. */
bool import_find(const struct import *im, const char *key, const char *id_key, const char *id,
		 struct import_item *ret);
/* Says where in the JSON something is wrong; `at` NULL: the item itself. Returns ERR_FORMAT. */
int import_bad(const struct import *im, const struct import_item *item, const struct json_value *at,
	       const char *what);

/* A prefix as AWS takes it: bits behind it are cleared, not refused (Amazon EC2 API Reference, AuthorizeSecurityGroupIngress). */
bool import_prefix(const char *text, struct cidr *ret);

/* Sees to it that the members of a group, or a prefix list, stand as a list of the name `id`; false in *ret_known if they are not known, which
 * is told. */
int import_list(struct import *im, const struct import_item *item, const struct json_value *at,
		const char *id, bool is_group, bool *ret_known);

/* Writes the rules of a group, of an ACL (import_rules.c). */
int import_group(struct import *im, const char *id);
int import_acl(struct import *im, const struct import_item *acl, const char *id);
