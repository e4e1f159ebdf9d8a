// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof seal: the head of the manifests' chain, to be kept elsewhere. A line is
 *
 *     flowproof-head NUMBER SHA256
 */
#pragma once

#include <stdbool.h>

#include "evidence/audit.h"

enum { SEAL_LINE_MIN = 32 }; /* bytes that any line has */

bool seal_parse(const char *line, struct audit_head *ret);
