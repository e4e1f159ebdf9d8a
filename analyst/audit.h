// SPDX-License-Identifier: Apache-2.0
#pragma once

/* `flowproof audit`. */
int audit_main(int argc, char **argv);
