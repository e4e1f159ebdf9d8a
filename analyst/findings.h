// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof findings: traffic that nothing expects, as a table or JSON lines.
 */
#pragma once

/* argv[0] is the subcommand's name. Returns the exit status. */
int findings_main(int argc, char **argv);
