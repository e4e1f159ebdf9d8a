// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof records --endpoints.
 */
#pragma once

#include "analyst/query.h"

/* Goes through the ledger and prints each remote endpoint on a line, as text under a header line or as
 * JSON. As query_run(). */
int endpoints_print(struct query *query, struct err *err);
