// SPDX-License-Identifier: Apache-2.0
/*
 * A record as OCSF Network Activity (schema.ocsf.io 1.5.0, class 4001), by the mapping of VPC Flow Logs that OCSF publishes
 * (ocsf/examples, "AWS VPC Flowlogs"). What has no place there stands under `unmapped` with its field's name. The product is
 * this one: the record was made on the machine.
 */
#pragma once

#include <stddef.h>

#include "proto/flowrec.h"

enum { OCSF_LINE_MAX = 32 * 1024 };

/* One line with its newline, at most OCSF_LINE_MAX bytes. Returns its length. */
size_t ocsf_print(char out[static OCSF_LINE_MAX], const struct flowrec *rec,
		  const struct flowrec_identity *identity);
