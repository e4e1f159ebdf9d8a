// SPDX-License-Identifier: Apache-2.0
/*
 * The subcommands, a file each: analyst/NAME.c. argv[0] is the subcommand's name; each returns the exit status.
 */
#pragma once

int records_main(int argc, char **argv);
int logs_main(int argc, char **argv);
int findings_main(int argc, char **argv);
int reconcile_main(int argc, char **argv);
int preflight_main(int argc, char **argv);
int rejects_main(int argc, char **argv);
int audit_main(int argc, char **argv);
int report_main(int argc, char **argv);
int export_main(int argc, char **argv);
int seal_main(int argc, char **argv);
int policy_main(int argc, char **argv);
int pki_main(int argc, char **argv);
