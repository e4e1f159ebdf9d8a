// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof records --events: what happened to the sensors, and which batches do not come.
 */
#pragma once

#include "analyst/query.h"

/* As query_run(). */
int events_print(struct query *query, struct err *err);
