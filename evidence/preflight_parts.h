// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the preflight share: AWS's objects, gathered from all files by the name of their list.
 */
#pragma once

#include <string.h>

#include "evidence/preflight.h"
#include "platform/json_read.h"

enum room_list {
	ROOM_FLOW_LOGS,
	ROOM_GROUPS,
	ROOM_ACLS,
	ROOM_INSTANCES, /* of Reservations */
	ROOM_INTERFACES,
	ROOM_VPCS,
	ROOM_SUBNETS,
	ROOM_ROUTE_TABLES,
	ROOM_ENDPOINTS,
	ROOM_QUERY_LOGS,
	ROOM_QUERY_LOG_ASSOCIATIONS,
	ROOM_LOG_GROUPS,
	ROOM_LOAD_BALANCERS,
	ROOM_TRAILS,
	ROOM_WEB_ACLS,
	ROOM_WAF_LOGGING,
	ROOM_DISTRIBUTIONS,
	ROOM_APIS,
	ROOM_STAGES,
	ROOM_DETECTORS,
	ROOM_DNS, /* describe-vpc-attribute: VpcId and EnableDnsSupport */
	ROOM_LISTS
};

struct room_objects {
	bool is_known;     /* some file has the list, perhaps empty */
	size_t more, ends; /* files whose answer goes on; those where it ends */
	size_t n, cap;
	const struct json_value **v;
};

/* An interface under scrutiny. */
struct subject {
	const char *eni, *vpc, *subnet, *instance; /* "" if not told */
	const struct json_value *interface, *machine;
};

struct room {
	const struct preflight_request *request;
	struct preflight *out;
	struct json **files;
	size_t n_files;
	struct room_objects lists[ROOM_LISTS];
	/* In files of their own, without the name of what they are about. */
	struct room_switches {
		size_t told, on;
	} balancers, distributions, trails, detectors;
	size_t stage_lists;
};

static inline bool room_is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* ---- preflight_room.c ---- */

int room_read(struct room *room, struct err *err);
void room_fini(struct room *room);
/* An object of a list whose member is this text; NULL. */
const struct json_value *room_find(const struct room *room, enum room_list list, const char *key,
				   const char *value);
/* Is all of the list told? What is not in it is not there, then. */
bool room_is_whole(const struct room *room, enum room_list list);
/* Text of a member that is a string or number; "" if there is none. */
const char *room_text(const struct json_value *object, const char *key);
/* First item of a member that is a list. */
const struct json_value *room_items(const struct json_value *object, const char *key);

/* ---- preflight.c ---- */

/* Adds a line; `what` as printf. */
void preflight_add(struct room *room, const struct subject *s, const char *subject,
		   enum preflight_check check, enum preflight_status status, const char *what, ...)
	__attribute__((format(printf, 6, 7)));

/* ---- the checks ---- */

void preflight_flow_logs(struct room *room, const struct subject *s);
void preflight_groups(struct room *room, const struct subject *s);
void preflight_ways(struct room *room, const struct subject *s);
void preflight_machine(struct room *room, const struct subject *s);
void preflight_vpc(struct room *room, const struct subject *s);
int preflight_inventory(struct room *room);
