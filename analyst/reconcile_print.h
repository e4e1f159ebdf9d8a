// SPDX-License-Identifier: Apache-2.0
/*
 * The result of a reconciliation as text and as JSON.
 */
#pragma once

#include <stdio.h>

#include "evidence/reconcile.h"

struct reconcile_view {
	const struct reconcile_result *result;
	const struct flowlogs_counts *counts; /* NULL: the witness is a ledger */
	double tolerance;                     /* per cent */
	uint64_t failed;                      /* inputs that could not be read whole */
};

/* Per cent of the witness' packets that differ without explanation. */
double reconcile_unexplained(const struct reconcile_result *result);
void reconcile_print_text(const struct reconcile_view *view, FILE *out);
void reconcile_print_json(const struct reconcile_view *view, FILE *out);
/* One of its entries, an object with Flow Logs' names. */
void reconcile_print_json_entry(const struct reconcile_result *result,
				const struct reconcile_entry *entry, FILE *out);
