// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof logs: the lines of the hosts' log files, as they are in the ledger.
 */
#pragma once

/* argv[0] is the subcommand's name. Returns the exit status. */
int logs_main(int argc, char **argv);
