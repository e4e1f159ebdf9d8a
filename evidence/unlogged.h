// SPDX-License-Identifier: Apache-2.0
/*
 * Traffic that Flow Logs never record, by remote address, protocol and ports: a table (unlogged.c), and what follows from
 * the VPC's subnets. Amazon VPC User Guide, "Flow log limitations".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/reconcile.h"
#include "platform/addr.h"
#include "proto/flowrec.h"

struct unlogged_query {
	const struct cidr *
		subnets; /* of the VPC; without any its resolver is known by port and last byte alone */
	size_t n_subnets;
	const struct addr *remote;
	uint8_t family, protocol;
	uint16_t srcport, dstport;
};

/* Why; RECONCILE_REASONS: they do record it. */
enum reconcile_reason unlogged_reason(const struct unlogged_query *query);

/* A record of such traffic, by the end that is not this machine; if that is not known, by either. Without the VPC's subnets. */
bool unlogged_record(const struct flowrec *rec);
