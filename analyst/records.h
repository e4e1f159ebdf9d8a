// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof records: the ledger's records as Flow Logs text or JSON lines, or a summary.
 */
#pragma once

/* argv[0] is the subcommand's name. Returns the exit status. */
int records_main(int argc, char **argv);
