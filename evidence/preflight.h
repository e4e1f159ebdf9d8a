// SPDX-License-Identifier: Apache-2.0
/*
 * Preflight: what AWS's own description of the room says about the run that is to be made in it, before it is made.
 *
 * Read from what the AWS CLI printed (platform/ec2/collect saves it), recognised by its content, so that file names do not matter; also
 * below a member "data". What no file tells is unknown, and said as that. Sources: Amazon VPC User Guide (flow logs, security groups,
 * network ACLs, route tables), EC2 User Guide (connection tracking, instance metadata), Route 53 Developer Guide (query logging).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"
#include "platform/err.h"

enum preflight_status { PREFLIGHT_FINE, PREFLIGHT_UNKNOWN, PREFLIGHT_WARN, PREFLIGHT_BAD };

/* PREFLIGHT_FLOW_LOG, ...: the checks of preflight_checks.def. */
enum preflight_check {
#define CHECK(id, ...) PREFLIGHT_CHECK_##id,
#include "evidence/preflight_checks.def"
	PREFLIGHT_CHECKS
};

struct preflight_check_info {
	const char *name, *why,
		*mend; /* mend: a command; {} stands for the subject, {vpc} and {instance} for theirs */
};
extern const struct preflight_check_info preflight_checks[PREFLIGHT_CHECKS];

enum { PREFLIGHT_WHAT = 256, PREFLIGHT_ID = 64, PREFLIGHT_MEND = 512, PREFLIGHT_LINES_MAX = 4096 };

struct preflight_line {
	enum preflight_check check;
	enum preflight_status status;
	char subject[PREFLIGHT_ID]; /* an interface, instance, VPC or "-" */
	char what[PREFLIGHT_WHAT];
	char mend[PREFLIGHT_MEND]; /* "" where nothing is to be mended */
};

/* A kind of log of this case. */
enum preflight_log_state {
	PREFLIGHT_LOG_UNKNOWN,
	PREFLIGHT_LOG_OFF,
	PREFLIGHT_LOG_ON,
	PREFLIGHT_LOG_NONE
};

struct preflight_log {
	const char *name, *holds; /* "flow_logs", what its lines tell */
	const char *preset;       /* "off by default", ... */
	enum preflight_log_state state;
	char source[PREFLIGHT_ID]; /* the flow log, load balancer, trail ... */
	char where[PREFLIGHT_WHAT];
	char kept[PREFLIGHT_ID];
	char fields[PREFLIGHT_MEND]; /* of Flow Logs: their names */
	const char *mend;
};

struct preflight_request {
	const char *folder;
	const char *interface; /* only this one; NULL: all that the files hold */
	bool has_collector;
	struct endpoint collector;
	/* A file that is no JSON. May be NULL. */
	void (*bad)(void *ctx, const char *reason); /* which names the file */
	void *ctx;
};

struct preflight {
	struct preflight_line *lines; /* the most serious first */
	size_t n_lines;
	struct preflight_log *logs;
	size_t n_logs;
	size_t n_files, n_bad; /* read; unreadable */
	size_t n_interfaces;
	bool more; /* beyond PREFLIGHT_LINES_MAX */
};

/* ERR_USAGE if the folder holds nothing of AWS; -errno if it cannot be read. */
int preflight_run(struct preflight *ret, const struct preflight_request *request, struct err *err);
void preflight_fini(struct preflight *preflight);
const char *preflight_status_text(enum preflight_status status);
const char *preflight_log_state_text(enum preflight_log_state state);
