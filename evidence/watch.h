// SPDX-License-Identifier: Apache-2.0
/*
 * A watch list: addresses, networks and names that somebody wants to hear of.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"
#include "platform/err.h"

enum {
	WATCH_MAX = 1000000,               /* entries */
	WATCH_FILE_MAX = 64 * 1024 * 1024, /* bytes of a list */
	WATCH_TEXT = 254,                  /* bytes of an entry's text with NUL: the longest name */
};

struct watch_list;

int watch_new(struct watch_list **ret);
/* NULL is fine. */
void watch_free(struct watch_list *list);

/*
 * Adds a file of one address, network (CIDR) or domain name a line; a name stands for those below it too. What
 * follows a '#' or the first blank is remark. ERR_USAGE with "path:line: what; remedy".
 */
int watch_add_file(struct watch_list *list, const char *path, struct err *err);

/* Adds one address. ERR_USAGE if there are too many. */
int watch_add_addr(struct watch_list *list, uint8_t family, const struct addr *addr,
		   struct err *err);

/* Adds the clients of an ALB access log (Elastic Load Balancing, "Access logs for your Application Load Balancer": the
 * fourth field), gzip or not. Lines whose client is no address are counted, not refused: logs are masked
 * before they are handed on. ERR_USAGE with the path if it cannot be read, or if no line has the form. */
int watch_add_alb(struct watch_list *list, const char *path, uint64_t *ret_masked, struct err *err);

size_t watch_count(const struct watch_list *list);
/* The entry that covers it, as written; the longest prefix, or the longest name. NULL: none. Borrowed. */
const char *watch_find_addr(const struct watch_list *list, uint8_t family, const struct addr *addr);
const char *watch_find_name(const struct watch_list *list, const char *name);
