// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof: the analyst's command. See flowproof(1).
 */
#include <stdio.h>
#include <string.h>

#include "analyst/commands.h"
#include "platform/version.h"

/* In the order of the path. Each function gets its own name as argv[0] and returns the exit status.
 */
static const struct {
	const char *name, *help;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"records", "print the ledger's records, or a summary of it", records_main},
	{"logs", "print the lines of the hosts' log files", logs_main},
	{"findings", "list the traffic that nothing expects", findings_main},
	{"reconcile", "compare the ledger with AWS's Flow Logs, or with another ledger",
	 reconcile_main},
	{"preflight", "say before a run what would make it worthless, from the AWS CLI's output",
	 preflight_main},
	{"rejects", "list what security groups and network ACLs refused, from Flow Logs",
	 rejects_main},
	{"audit", "hold everything in the store against what was signed", audit_main},
	{"report", "say what may be concluded, and how that is known", report_main},
	{"export", "write the records as Flow Logs files, as AWS keeps them in S3", export_main},
	{"seal", "print the head of the chain of manifests, to be kept elsewhere", seal_main},
	{"policy", "show and check policies, and make boundaries of AWS's JSON", policy_main},
	{"pki", "make the certificates of collector and sensors", pki_main},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_commands(FILE *out)
{
	fprintf(out, "usage: flowproof COMMAND [options]\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
	fprintf(out, "\n`flowproof COMMAND --help` tells the options of each.\n");
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		print_commands(stdout);
		return fflush(stdout) == 0 ? 0 : 3;
	}
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
		version_print("flowproof", stdout);
		return fflush(stdout) == 0 ? 0 : 3;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(word, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	if (*word)
		fprintf(stderr, "flowproof: there is no command '%s'\n\n", word);
	print_commands(stderr);
	return 2;
}
