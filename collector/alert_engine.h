// SPDX-License-Identifier: Apache-2.0
/*
 * The process that finds what there is to tell: it follows the ledger as a reader beside the collector, and sends
 * messages to the outputs' processes. It can neither connect nor write a file.
 *
 * What came in before the collector's start is read again, for the findings to stand on, and told to nobody: the
 * collector that took it has told it. What was found and not yet told when that one was killed is in the ledger:
 * `flowproof findings`.
 */
#pragma once

#include "collector/alert_output.h"
#include "collector/alert_text.h"

struct alert_engine_config {
	const char *store;
	int control; /* heads come in here, a line each; the first begins the work, its end ends it */
	struct alert_output *outputs; /* their sockets are the sending ends */
	size_t n_outputs;
	enum alert_format format;
	enum finding_severity threshold;
	uint64_t per_minute;
	struct sandbox sandbox;
	bool no_sandbox;
};

/* Does not return. */
_Noreturn void alert_engine_run(const struct alert_engine_config *config);
