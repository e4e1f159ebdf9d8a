// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof records --dns.
 */
#pragma once

#include "analyst/query.h"

/* Prints each DNS transaction of the ledger as a Route 53 Resolver query log has it. */
int dns_print(struct query *query, struct err *err);
