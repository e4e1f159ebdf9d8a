// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: bytes as AWS's JSON: groups, ACLs, interfaces and prefix lists in one file, and as ip-ranges.json. What is imported is a
 * policy; what is refused is told by file and line.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "policy/import.h"
#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static char path[64], policy_path[64];
static FILE *nowhere;

static int put(const void *bytes, size_t len, char out[static 64])
{
	int file = memfd_create("fuzz", 0);

	if (file < 0 || write(file, bytes, len) != (ssize_t)len)
		abort();
	snprintf(out, 64, "/proc/self/fd/%d", file);
	return file;
}

static void import(const struct import_request *request)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct policy *policy;
	struct err err = {""};
	unsigned unknown;
	int rc;

	assert(out);
	rc = policy_import(request, out, nowhere, &unknown, &err);
	assert(fclose(out) == 0);
	if (rc == 0) {
		assert(policy_parse(&policy, "imported", text, len, &err) == 0);
		policy_free(policy);
	} else {
		assert(err.text[0] && len == 0);
	}
	free(text);
}

static void ranges(void)
{
	char text[256];
	struct policy *policy;
	struct err err = {""};
	int file;

	snprintf(text, sizeof text,
		 "aws-ranges \"%s\"\nwatch out tcp 443 to aws S3, aws EC2 us-east-1\n", path);
	file = put(text, strlen(text), policy_path);
	if (policy_read(&policy, policy_path, &err) == 0) {
		assert(*policy_ranges_date(policy));
		policy_free(policy);
	} else {
		assert(strncmp(err.text, "/proc/self/fd/", 14) == 0);
	}
	close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *files[] = {path};
	struct import_request request = {.files = files, .n_files = 1};
	int file;

	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	assert(nowhere);
	file = put(bytes, len, path);
	import(&request);
	request.interface = "eni-1";
	import(&request);
	request.groups = "sg-a,sg-b";
	request.acl = "acl-1";
	import(&request);
	ranges();
	close(file);
	return 0;
}
