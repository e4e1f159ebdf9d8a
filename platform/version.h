// SPDX-License-Identifier: Apache-2.0
/*
 * version: which source, configuration and libraries a program was made of. The texts come from the
 * Makefile; a build of the same source has the same, wherever and whenever it was made.
 */
#pragma once

#include <stdio.h>

/* "0.1.0 SOURCE CONFIGURATION DIGEST": what a Hello names. At most 127 bytes of plain text. */
const char *version_build(void);

/* What --version prints: a line each for number, source, configuration, C library and compiler, and
 * for each library of a static program. */
void version_print(const char *program, FILE *out);
