// SPDX-License-Identifier: Apache-2.0
/*
 * The clients of an ALB access log: "Access logs for your Application Load Balancer", syntax: type, time, load balancer,
 * client:port, ... separated by blanks; quoted fields come later.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evidence/flowlogs_parts.h"
#include "evidence/watch.h"

enum { BLOCK = 64 * 1024, HEAD = 1024 }; /* bytes of a line that are looked at: four fields */

struct alb {
	struct watch_list *list;
	struct flowlogs_source source;
	char block[BLOCK], head[HEAD];
	size_t len; /* of the line so far, as far as it fits `head` */
	uint64_t lines, masked;
};

/* *at is moved behind the field and its blank; false at the end of the line. */
static bool next_field(char **at, char **ret)
{
	char *end = strchr(*at, ' ');

	*ret = *at;
	if (!end)
		return false;
	*end = '\0';
	*at = end + 1;
	return true;
}

static bool is_type(const char *text)
{
	static const char *const types[] = {"http", "https", "h2", "grpcs", "ws", "wss"};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (strcmp(text, types[i]) == 0)
			return true;
	return false;
}

static int take_line(struct alb *alb, struct err *err)
{
	char *at = alb->head, *type, *time, *balancer, *client, *colon;
	struct addr addr;
	uint8_t family;

	alb->head[alb->len] = '\0';
	alb->len = 0;
	if (!next_field(&at, &type) || !is_type(type) || !next_field(&at, &time) ||
	    !strchr(time, 'T') || !next_field(&at, &balancer) || !next_field(&at, &client))
		return 0;
	alb->lines++;
	colon = strrchr(client, ':');
	if (colon)
		*colon = '\0';
	if (*client == '[' && client[strlen(client) - 1] == ']') {
		client[strlen(client) - 1] = '\0';
		client++;
	}
	if (!addr_parse(client, &addr, &family)) {
		alb->masked++;
		return 0;
	}
	return watch_add_addr(alb->list, family, &addr, err);
}

static int take_block(struct alb *alb, size_t n, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (alb->block[i] == '\n')
			rc = take_line(alb, err);
		else if (alb->len + 1 < HEAD)
			alb->head[alb->len++] = alb->block[i];
	}
	return rc;
}

int watch_add_alb(struct watch_list *list, const char *path, uint64_t *ret_masked, struct err *err)
{
	struct alb *alb = calloc(1, sizeof *alb);
	struct err why;
	ssize_t n = 0;
	int rc = 0;

	if (!alb)
		return err_set(err, -ENOMEM, "no memory for the access log");
	alb->list = list;
	alb->source.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (alb->source.fd < 0) {
		rc = err_set(err, ERR_USAGE, "--suspects: %s: %s", path, strerror(errno));
		goto out;
	}
	while (rc == 0 &&
	       (n = flowlogs_source_read(&alb->source, alb->block, sizeof alb->block, &why)) > 0)
		rc = take_block(alb, (size_t)n, err);
	if (rc == 0 && n == 0 && alb->len > 0)
		rc = take_line(alb, err);
	if (rc == 0 && n < 0)
		rc = err_set(err, ERR_USAGE, "--suspects: %s: %s", path, why.text);
	else if (rc == 0 && flowlogs_source_is_cut(&alb->source))
		rc = err_set(err, ERR_USAGE,
			     "--suspects: %s: the gzip file is cut short; fetch it again", path);
	else if (rc == 0 && alb->lines == 0)
		rc = err_set(err, ERR_USAGE,
			     "--suspects: %s: no line is one of an ALB access log; other lists of "
			     "addresses "
			     "go to --watch",
			     path);
	*ret_masked = alb->masked;
out:
	if (alb->source.fd >= 0)
		(void)close(alb->source.fd);
	gunzip_free(alb->source.gunzip);
	free(alb);
	return rc;
}
