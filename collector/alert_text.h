// SPDX-License-Identifier: Apache-2.0
/*
 * What an alert says: a finding, why it is told now, how many were not told before it, and the head of the chain
 * of manifests, so that it is kept where the store is not. One line of JSON.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "evidence/finding.h"

enum alert_format { ALERT_JSON, ALERT_OCSF, ALERT_ASFF, ALERT_FORMATS };
extern const char *const alert_formats[ALERT_FORMATS];

enum alert_why {
	ALERT_NEW,
	ALERT_FURTHER,    /* it got further than when it was told */
	ALERT_GRAVER,     /* it is graver */
	ALERT_HEAD,       /* no finding: a manifest was signed */
	ALERT_SUPPRESSED, /* no finding: only how many were not told */
	ALERT_WHYS
};
extern const char *const alert_whys[ALERT_WHYS];

enum { ALERT_HEAD_TEXT = 128, ALERT_MAX = 16384 };

struct alert {
	enum alert_why why;
	uint64_t now_s;
	uint64_t suppressed;
	const char *head;              /* as `flowproof seal` prints it, "" if none is known */
	const struct finding *finding; /* NULL with ALERT_HEAD and ALERT_SUPPRESSED */
	const struct finding_origin *origin;
};

/* Why it is news, as finding->before tells; what was told below the threshold was told to nobody. */
enum alert_why alert_why(const struct finding *finding, enum finding_severity threshold);

/* With a newline and NUL into `out`. Its length; 0 where the format has no form for it, or no room. */
size_t alert_print(char out[static ALERT_MAX], enum alert_format format, const struct alert *alert);

/* The same as a syslog message, without a newline. `host` and `proc` as in its header. */
size_t alert_print_syslog(char out[static ALERT_MAX], enum alert_format format,
			  const struct alert *alert, const char *host, const char *proc);
