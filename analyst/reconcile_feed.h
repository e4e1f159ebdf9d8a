// SPDX-License-Identifier: Apache-2.0
/*
 * A ledger as a side of a reconciliation.
 */
#pragma once

#include "analyst/progress.h"
#include "evidence/reconcile.h"

/* Damage of the ledger is told on standard error and counted in *ret_damages. `sensor`: only this one; NULL: all.
 * `only_live`: replayed files are no evidence. */
int reconcile_feed_host(struct reconcile *rec, const char *store, const char *sensor,
			bool only_live, struct progress *progress, uint64_t *ret_damages,
			struct err *err);
int reconcile_feed_witness(struct reconcile *rec, const char *store, struct progress *progress,
			   uint64_t *ret_damages, struct err *err);
