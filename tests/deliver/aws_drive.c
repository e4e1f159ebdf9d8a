// SPDX-License-Identifier: Apache-2.0
/*
 * aws_drive sign                        JSON lines of requests in, JSON lines of their signatures out
 * aws_drive s3 ENDPOINT BUCKET [NAME=VALUE ...]
 *                                       "KEY FILE SECONDS" a line in: one try to put FILE, the clock so many seconds off;
 *                                       "done", "again: why" or "refused: why" out. Names: region, credentials, ca, lock, kms
 *
 * The collector's own code, driven by a test.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/s3.h"
#include "collector/sigv4.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/json.h"
#include "platform/json_read.h"

enum { FILE_MAX = 256 * 1024 * 1024 };

bool delivery_may_go_on(struct delivery *delivery, int wait_ms)
{
	(void)delivery;
	if (wait_ms > 0)
		(void)poll(NULL, 0, wait_ms);
	return true;
}

static _Noreturn void fail(const char *why)
{
	fprintf(stderr, "aws_drive: %s\n", why);
	exit(3);
}

/* ---- sign ---- */

static size_t pairs_of(struct sigv4_pair out[static SIGV4_PAIRS_MAX], const struct json_value *list)
{
	size_t n = 0;

	for (const struct json_value *v = list ? list->child : NULL; v && n < SIGV4_PAIRS_MAX;
	     v = v->next)
		out[n++] = (struct sigv4_pair){v->child->text, v->child->next->text};
	return n;
}

static void sign(const char *line)
{
	static struct sigv4_signed s; /* too large for the stack */
	struct sigv4_pair query[SIGV4_PAIRS_MAX], headers[SIGV4_PAIRS_MAX];
	struct json *json;
	struct err err = {""};
	int64_t now_s = 0;
	const struct json_value *root;

	if (json_parse(&json, strdup(line), strlen(line), "line", &err) < 0)
		fail(err.text);
	root = json_root(json);
	if (!json_integer(json_member(root, "time"), 0, INT64_MAX, &now_s))
		fail("no time");

	const struct sigv4_request request = {
		.method = json_member_text(root, "method"),
		.host = json_member_text(root, "host"),
		.path = json_member_text(root, "path"),
		.query = query,
		.n_query = pairs_of(query, json_member(root, "query")),
		.headers = headers,
		.n_headers = pairs_of(headers, json_member(root, "headers")),
		.payload = json_member_text(root, "payload"),
		.region = json_member_text(root, "region"),
		.service = json_member_text(root, "service"),
		.now_s = (uint64_t)now_s,
	};
	const struct sigv4_credentials credentials = {json_member_text(root, "access"),
						      json_member_text(root, "secret"),
						      json_member_text(root, "token")};

	if (sigv4_sign(&s, &request, &credentials, &err) < 0)
		fail(err.text);
	printf("{\"target\":");
	json_print_string(stdout, s.target);
	printf(",\"date\":");
	json_print_string(stdout, s.date);
	printf(",\"authorization\":");
	json_print_string(stdout, s.authorization);
	printf("}\n");
	json_free(json);
}

/* ---- s3 ---- */

static void put(struct s3 *s3, char *line)
{
	char *key = strtok_r(line, " \n", &line), *path = strtok_r(NULL, " \n", &line),
	     *off = strtok_r(NULL, " \n", &line), *bytes;
	struct object object = {.key = key, .type = "application/gzip"};
	struct err err = {""};
	enum delivery_try how;
	uint64_t now_ns = clock_wall_ns();

	if (!off || file_read_all(path, FILE_MAX, &bytes, &object.len, &err) < 0)
		fail(err.text);
	object.bytes = (const uint8_t *)bytes;
	how = s3_put(s3, &object, now_ns + (uint64_t)strtoll(off, NULL, 10) * NS_PER_S, &err);
	printf("%s%s\n",
	       how == DELIVERY_DONE    ? "done"
	       : how == DELIVERY_AGAIN ? "again: "
				       : "refused: ",
	       how == DELIVERY_DONE ? "" : err.text);
	(void)fflush(stdout);
	free(bytes);
}

static struct s3 *open_s3(int argc, char **argv)
{
	static char region[] = "us-east-1";
	static struct delivery delivery = {.name = "s3"};
	struct s3_options s3 = {.endpoint = argv[2], .bucket = argv[3], .path_style = true};
	struct aws_options aws = {.region = region};
	const struct {
		const char *name;
		char **to;
	} names[] = {{"region", &aws.region},
		     {"credentials", &aws.credentials},
		     {"ca", &aws.ca},
		     {"lock", &s3.lock},
		     {"kms", &s3.kms}};
	struct s3 *ret;
	struct err err = {""};

	for (int i = 4; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (!value)
			fail("NAME=VALUE");
		*value++ = '\0';
		s3.path_style &= strcmp(argv[i], "virtual") != 0;
		for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
			if (strcmp(names[k].name, argv[i]) == 0)
				*names[k].to = value;
		}
	}
	if (s3_open(&ret, &s3, &aws, &delivery, &err) < 0 || aws_begin(s3_aws(ret), &err) < 0)
		fail(err.text);
	return ret;
}

int main(int argc, char **argv)
{
	bool is_sign = argc == 2 && strcmp(argv[1], "sign") == 0;
	struct s3 *s3 = NULL;
	char *line = NULL;
	size_t cap = 0;

	if (!is_sign && (argc < 4 || strcmp(argv[1], "s3") != 0))
		fail("usage: aws_drive sign | s3 ENDPOINT BUCKET [NAME=VALUE ...]");
	if (!is_sign)
		s3 = open_s3(argc, argv);
	while (getline(&line, &cap, stdin) > 0) {
		if (is_sign)
			sign(line);
		else
			put(s3, line);
	}
	s3_close(s3);
	free(line);
	return 0;
}
