// SPDX-License-Identifier: Apache-2.0
/*
 * Alerts: findings told to others as they come. Processes beside the collector do it: one that follows the ledger
 * and finds (alert_engine.h), one for each output (alert_output.h). None can hold the collector up, and none
 * has its key: they are begun before it is read. If one ends, that is logged, and the ledger goes on.
 */
#pragma once

#include "collector/alert_output.h"
#include "evidence/ledger.h"
#include "platform/err.h"
#include "platform/loop.h"

struct alerts;

/* Is everything that the options name as it should be? */
int alerts_check(const struct alert_options *options, struct err *err);

/* Starts the processes; *ret is NULL if no output is named. `like`: the collector's own sandbox, for user, memory and
 * eperm; NULL: without one. To be called before anything secret is read and anything that they must not hold is opened. */
int alerts_start(struct alerts **ret, const struct alert_options *options, const char *store,
		 const struct sandbox *like, struct err *err);

/* All that follow: NULL is fine. */

/* Says which of them ended, from the loop. */
int alerts_watch(struct alerts *alerts, struct loop *loop);
/* There is a manifest that may not have been told. Never waits. */
void alerts_head(struct alerts *alerts, const struct ledger *ledger);
/* Lets them tell what is pending, which takes 15 s at most, and frees. Before the loop is freed. */
void alerts_end(struct alerts *alerts);
