// SPDX-License-Identifier: Apache-2.0
/*
 * A DNS transaction as a line of Amazon's Route 53 Resolver query log (JSON; Amazon Route 53 Developer Guide, "Values
 * that appear in VPC Resolver query logs"): what a host asked, also of resolvers that Amazon's log does not know.
 *
 * Other than there, rcode is "-" when nobody answered, names are in lower case, and the data of a record that has no text
 * of its own is told by its length (\# 4). Repeats are there: Amazon's log leaves out what its cache answered.
 */
#pragma once

#include <stdio.h>

#include "proto/flowrec.h"
#include "proto/names.h"

/* One line, its newline included. `dns`: a matched response, or a query without one. */
void dns_log_print(FILE *out, const struct batch_dns *dns, const struct flowrec_identity *identity);
