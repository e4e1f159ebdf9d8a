// SPDX-License-Identifier: Apache-2.0
/*
 * memory: what each part of the sensor takes at most, for --check and `make size`.
 */
#pragma once

#include <stdio.h>

#include "sensor/options.h"

/* A line "# memory PART BYTES" for each part that is in this program, used or not; then the sum of
 * what the process holds ("all") and what the kernel holds for it ("ring"). */
void memory_print(const struct options *options, FILE *out);
