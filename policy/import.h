// SPDX-License-Identifier: Apache-2.0
/*
 * Boundary rules from the AWS CLI's JSON: describe-security-groups, describe-network-acls, describe-network-interfaces,
 * describe-prefix-lists and get-managed-prefix-list-entries (Amazon EC2 API Reference: IpPermission, NetworkAclEntry). What an API answered and was
 * recorded under "data" is read too.
 */
#pragma once

#include <stdio.h>

#include "platform/err.h"

enum { IMPORT_FILES_MAX = 64 };

struct import_request {
	const char *const
		*files; /* of JSON, in any order; what each holds it says itself. Entries of a
				     managed prefix list do not say whose they are: pl-... in the file's name does */
	size_t n_files;
	const char *interface; /* eni-...: its groups, and the ACL of its subnet; else NULL */
	const char *groups;    /* or these, sg-... with commas; NULL: the only one there is */
	const char *acl;       /* or this, acl-...; NULL: the only one there is */
};

/*
 * Writes rules that policy_parse() reads to `out`, and to `warnings` a line for each thing that is not known: members of a group,
 * entries of a prefix list. *ret_unknown is their number: such rules take too little. Errors name file, line and place in the
 * JSON: ERR_USAGE for what must be said or given, ERR_FORMAT for what is not such JSON. Nothing is written to `out` then.
 */
int policy_import(const struct import_request *request, FILE *out, FILE *warnings,
		  unsigned *ret_unknown, struct err *err);
