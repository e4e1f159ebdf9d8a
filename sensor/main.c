// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof-sensor: packets in, Flow Logs records out. See flowproof-sensor(8).
 */
#include <stdio.h>

#include "platform/config.h"
#include "platform/log.h"
#include "platform/version.h"
#include "sensor/confine.h"
#include "sensor/memory.h"
#include "sensor/options.h"
#include "sensor/session.h"

static void print_check(const struct options *options)
{
	options_print(options, stdout);
	if (IS_ENABLED(CONFIG_IMDS))
		options_print_identity(options, stdout);
	memory_print(options, stdout);
}

int main(int argc, char **argv)
{
	static struct options options;
	struct err err = {""};
	unsigned failed = 0;
	int rc = options_read(&options, argc, argv, &err);

	if (!rc && options.help) {
		options_help(stdout);
	} else if (!rc && options.version) {
		version_print("flowproof-sensor", stdout);
	} else if (!rc && options.self_test) {
		failed = confine_self_test(&options, stdout);
	} else if (!rc && options.bring_up) {
		rc = session_bring_up(&options, &err);
	} else if (!rc) {
		if (options.debug)
			log_set_level(LOG_LEVEL_DEBUG);
		rc = options.check ? session_check(&options, &err) : session_run(&options, &err);
		if (!rc && options.check)
			print_check(&options);
	}
	options_free(&options);
	if (!rc && (fflush(stdout) != 0 || ferror(stdout)))
		rc = err_errno(&err, "standard output");
	if (rc)
		fprintf(stderr, "flowproof-sensor: %s\n", err.text);
	return failed ? 1 : err_exit_status(rc);
}
