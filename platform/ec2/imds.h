// SPDX-License-Identifier: Apache-2.0
/*
 * imds: what EC2's instance metadata service says of this machine, by version 2 of its protocol alone: a token by
 * PUT, then GETs that bear it (EC2 User Guide, "Use the Instance Metadata Service", "Instance metadata categories").
 *
 * A machine over bytes: events in, actions out; no socket, no clock, no memory of its own. Answers are HTTP/1.x with a
 * Content-Length, or end with their connection; each must fit in one fixed buffer. Values are checked against the form
 * that AWS gives them: what does not have it is counted and not told.
 *
 *                 connected               answered: the next item
 *   connecting ------------> asking <---------------------------+
 *       ^                      |  |                             |
 *       |    failed, too late  |  +-----------------------------+
 *     pausing <----------------+
 *
 * - An answer takes IMDS_ANSWER_MS at most, a connection as long; all of it IMDS_PATIENCE_MS.
 * - After a failure the other endpoint (IPv4, IPv6) is tried, unless this one has answered, after a pause that doubles
 *   from IMDS_PAUSE_MIN_MS to IMDS_PAUSE_MAX_MS. What was told is not asked again.
 * - 401: another token, IMDS_TOKENS in a row at most. 403: metadata is off, it ends. 404: there is none of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"

/* Where it is, as text and as a struct addr; its token, and the headers that ask for one and bear it. */
#define IMDS_HOST4 "169.254.169.254"
#define IMDS_HOST6 "fd00:ec2::254"
/* clang-format off */
#define IMDS_ADDR4 {{169, 254, 169, 254}}
#define IMDS_ADDR6 {{0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, 0x54}}
/* clang-format on */
#define IMDS_TOKEN_PATH "api/token" /* below /latest/ */
#define IMDS_BEARS      "X-aws-ec2-metadata-token"
#define IMDS_ASKS       "X-aws-ec2-metadata-token-ttl-seconds" /* 1 to 21600 */

enum {
	IMDS_PORT = 80,
	IMDS_ANSWER_MS = 1000,
	IMDS_PAUSE_MIN_MS = 250,
	IMDS_PAUSE_MAX_MS = 2000,
	IMDS_PATIENCE_MS = 120000,
	IMDS_TOKENS = 3,
	IMDS_TOKEN_S = 300, /* how long a token is good for; longer than all may take */
	IMDS_ANSWER_MAX = 4096,
	IMDS_TOKEN_MAX = 256, /* bytes with NUL */
	IMDS_VALUE_MAX = 64,
	IMDS_INTERFACES_MAX = 16,
	IMDS_REQUEST_MAX = 640,
};

/* What is asked, in this order. */
enum imds_item {
	IMDS_TOKEN,
	IMDS_INSTANCE_ID,
	IMDS_REGION,
	IMDS_AZ_ID, /* "use1-az3": the zone's id, which is the same for every account */
	IMDS_MACS,  /* of all network interfaces */
	/* of each that is wanted: */
	IMDS_INTERFACE_ID,
	IMDS_OWNER_ID, /* the interface's account */
	IMDS_VPC_ID,
	IMDS_SUBNET_ID,
	IMDS_SUBNET_IPV4,
	IMDS_SUBNET_IPV6,
	IMDS_LOCAL_IPV4,
	IMDS_IPV6,
	IMDS_PUBLIC_IPV4,
	IMDS_ITEMS
};

/* "instance-id", ...: as the service names it. */
const char *imds_item_name(enum imds_item item);

/* An interface that is asked of. */
struct imds_want {
	uint8_t mac[6];
	bool sole; /* not this address, but the only interface there is, if there is one only */
};

struct imds_ops {
	/* A value, of an item with several one after the other. `want`: which of those wanted; 0 of what is the
	 * instance's. */
	void (*value)(void *ctx, size_t want, enum imds_item item, const char *value);
};

enum imds_state { IMDS_CONNECTING, IMDS_ASKING, IMDS_PAUSING, IMDS_OVER };

enum imds_event { IMDS_BEGIN, IMDS_CONNECTED, IMDS_INPUT, IMDS_CLOSED, IMDS_TIMER };

enum imds_action {
	IMDS_WAIT,    /* for the next event, until imds_deadline() */
	IMDS_CONNECT, /* to imds_endpoint(), anew */
	IMDS_SEND,    /* `request` */
	IMDS_CLOSE,   /* the connection, and wait */
	IMDS_END,     /* likewise: nothing more will be asked */
};

struct imds {
	struct imds_want want[IMDS_INTERFACES_MAX];
	size_t n_want;
	const struct imds_ops *ops;
	void *ctx;

	enum imds_state state;
	enum imds_item item;
	size_t at;                        /* of the wanted, the one that is asked of */
	bool listed[IMDS_INTERFACES_MAX]; /* the service knows it */
	bool is_complete;                 /* at the end: all was asked */
	bool is_ipv6, has_answered;       /* the endpoint */
	unsigned tokens;                  /* asked for in a row */
	uint64_t started_ms, deadline_ms, pause_ms;
	char token[IMDS_TOKEN_MAX];
	char request[IMDS_REQUEST_MAX];
	size_t request_len;
	uint8_t answer[IMDS_ANSWER_MAX];
	size_t answer_len;

	/* counted */
	uint32_t requests, absent, refused, failures, misshapen, interfaces;
	const char *why; /* the last failure; "" */
};

/* `want` is copied. */
void imds_init(struct imds *imds, const struct imds_want *want, size_t n_want,
	       const struct imds_ops *ops, void *ctx);

/* `now_ms` never goes back. `bytes` of IMDS_INPUT alone; `why` of IMDS_CLOSED, static. */
enum imds_action imds_step(struct imds *imds, enum imds_event event, uint64_t now_ms,
			   const uint8_t *bytes, size_t len, const char *why);

/* When IMDS_TIMER is due, in the time of `now_ms`. */
uint64_t imds_deadline(const struct imds *imds);
struct endpoint imds_endpoint(const struct imds *imds);

/* ---- parts, for tests ---- */

enum imds_read { IMDS_MORE, IMDS_READ, IMDS_BROKEN };

struct imds_answer {
	unsigned status;
	const uint8_t *body; /* within the bytes */
	size_t len;
	bool closes; /* the connection ends with it */
};

/* `at_end`: nothing follows. IMDS_BROKEN: why is in *ret_why. */
enum imds_read imds_read_answer(const uint8_t *bytes, size_t len, bool at_end,
				struct imds_answer *ret, const char **ret_why);

/* Has the value the form of its item? `len` bytes, no NUL at their end needed. */
bool imds_value_ok(enum imds_item item, const char *value, size_t len);
