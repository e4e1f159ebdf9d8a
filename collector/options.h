// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof-collector's options: command line and configuration file. See flowproof-collector(8).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "collector/alerts.h"
#include "collector/deliver.h"
#include "collector/page.h"
#include "collector/relay.h"
#include "platform/err.h"

struct collector_options {
	char *store, *listen, *ca, *cert, *key, *crl, *canary, *config;
	uint64_t commit_ms, seal_s, segment_s, retain_days, retain_mib, user_id;
	struct alert_options alerts;
	struct deliver_options deliver;
	struct page_options page;
	struct relay_options relay;
	bool quiet, lock_memory, no_sandbox, sandbox_eperm, debug, check, self_test, help, version;
};

/* Reads them, and sees that what is needed is there. ERR_USAGE with the remedy. */
int collector_options_read(struct collector_options *options, int argc, char **argv,
			   struct err *err);
void collector_options_help(FILE *out);
/* The effective configuration. */
void collector_options_print(const struct collector_options *options, FILE *out);
void collector_options_free(struct collector_options *options);
