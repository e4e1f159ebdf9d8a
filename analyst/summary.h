// SPDX-License-Identifier: Apache-2.0
/*
 * What there is of each sensor: streams, totals, the packet equation, gaps, the end.
 */
#pragma once

#include "analyst/query.h"

/* Goes through the ledger and prints it as text or, if asked for, one JSON object. As query_run().
 */
int summary_print(struct query *query, struct err *err);
