// SPDX-License-Identifier: Apache-2.0
/*
 * endpoint: see endpoint.h.
 */
#include "proto/endpoint.h"

#include <inttypes.h>
#include <stdio.h>

const char endpoint_header[] = "direction remote port protocol first last packets-out bytes-out "
			       "packets-in bytes-in flows outcome verdict rule state";

const char *endpoint_state_text(const struct endpoint_digest *e)
{
	return e->gave_way ? "gave_way" : "kept";
}

const char *endpoint_line(char out[static ENDPOINT_LINE_MAX], const struct endpoint_digest *e,
			  const char *rule)
{
	char remote[ADDR_TEXT];

	(void)snprintf(out, ENDPOINT_LINE_MAX,
		       "%s %s %u %u %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
		       " %" PRIu64 " %" PRIu64 " %s %s %s %s",
		       flowrec_direction_text((enum flowrec_direction)e->direction),
		       addr_text(remote, e->family, &e->remote), (unsigned)e->port,
		       (unsigned)e->protocol, e->first, e->last, e->packets_out, e->bytes_out,
		       e->packets_in, e->bytes_in, e->flows,
		       flowrec_outcome_text((enum flowrec_outcome)e->outcome),
		       flowrec_verdict_text((enum flowrec_verdict)e->verdict), rule ? rule : "-",
		       endpoint_state_text(e));
	return out;
}
