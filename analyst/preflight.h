// SPDX-License-Identifier: Apache-2.0
#pragma once

/* flowproof preflight; returns the exit status. */
int preflight_main(int argc, char **argv);
