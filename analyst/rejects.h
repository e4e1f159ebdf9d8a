// SPDX-License-Identifier: Apache-2.0
#pragma once

/* flowproof rejects; returns the exit status. */
int rejects_main(int argc, char **argv);
