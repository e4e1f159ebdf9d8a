// SPDX-License-Identifier: Apache-2.0
#pragma once

/* flowproof reconcile; returns the exit status. */
int reconcile_main(int argc, char **argv);
