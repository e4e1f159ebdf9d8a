// SPDX-License-Identifier: Apache-2.0
/*
 * What the subcommands share.
 */
#include "analyst/command.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "analyst/flowlogs_input.h"
#include "analyst/query.h"

enum { OUTPUT_BUFFER = 256 * 1024 };

static void print_help(const struct command *command)
{
	fputs(command->usage, stdout);
	settings_help(command->settings, command->n_settings, stdout);
	if (command->help_more)
		command->help_more(stdout);
}

static int read_and_run(const struct command *command, char *options, int argc, char **argv,
			struct err *err)
{
	int rest = 0, rc = 0;

	if (command->flow_logs) {
		struct flowlogs_input *input = (void *)(options + command->flow_logs);

		rc = flowlogs_input_take(input, command->name, argc, argv, err);
		argc = input->argc;
		argv = input->argv;
	}
	if (rc == 0)
		rc = settings_read(command->settings, command->n_settings, options, argc, argv,
				   &rest, err);
	if (rc == 0 && *(bool *)(options + command->help))
		print_help(command);
	else if (rc == 0 && rest < argc)
		rc = err_set(err, ERR_USAGE, "'%s' is not an option", argv[rest]);
	else if (rc == 0)
		rc = command->run(options, err);
	return rc;
}

int command_flush(const char *name, int status, int output_errno)
{
	errno = output_errno ? output_errno : EIO;
	if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE)
		return status;
	fprintf(stderr, "flowproof %s: standard output: %s\n", name, strerror(errno));
	return 3;
}

/* The exit status. */
static int end(const struct command *command, const struct query *query, int rc,
	       const struct err *err)
{
	int status = rc < 0 ? err_exit_status(rc) : query ? 0 : rc;

	if (rc < 0)
		fprintf(stderr, "flowproof %s: %s\n", command->name, err->text);
	status = command_flush(command->name, status, query ? query->output_errno : 0);
	return query && query_tell_damage(query, command->name) ? 3 : status;
}

int command_main(const struct command *command, int argc, char **argv)
{
	char *options = calloc(1, command->size);
	struct query *query = command->has_query ? (void *)options : NULL;
	struct err err = {""};
	int rc, status;

	/* A reader that goes away is an error of a write. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setvbuf(stdout, NULL, _IOFBF, OUTPUT_BUFFER);
	rc = options ? read_and_run(command, options, argc, argv, &err)
		     : err_set(&err, -ENOMEM, "no memory");
	status = end(command, query, rc, &err);
	if (!options)
		return status;
	if (command->fini)
		command->fini(options);
	if (query)
		query_fini(query);
	if (command->flow_logs)
		flowlogs_input_fini((void *)(options + command->flow_logs));
	settings_free(command->settings, command->n_settings, options);
	free(options);
	return status;
}
