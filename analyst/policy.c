// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof policy show | check.
 */
#include "analyst/policy.h"

#include <stdio.h>
#include <string.h>

#include "platform/crypto.h"
#include "platform/settings.h"
#include "policy/policy.h"
#include "policy/policy_print.h"

struct options {
	bool help;
};

static const struct setting table[] = {
	{.name = "help",
	 .letter = 'h',
	 .kind = SETTING_ACTION,
	 .offset = offsetof(struct options, help),
	 .help = "Print this."},
};

enum { SETTINGS = sizeof table / sizeof table[0] };

static int open_policy(struct policy **ret, const char *path, struct err *err)
{
	int rc = path ? policy_read(ret, path, err) : policy_quarantine(ret, err);

	for (size_t i = 0; rc == 0 && policy_warning(*ret, i); i++)
		fprintf(stderr, "warning: %s\n", policy_warning(*ret, i));
	return rc;
}

static void show(const struct policy *policy, const char *path)
{
	char digest[SHA256_HEX];

	printf("# policy %s, sha256 %s\n", path ? path : "quarantine (built in)",
	       crypto_hex(digest, policy_digest(policy), SHA256_BYTES));
	printf("# %zu rules, %zu bytes of memory\n", policy_rules(policy), policy_memory(policy));
	if (*policy_ranges_date(policy))
		printf("# ranges of AWS's services: createDate %s\n", policy_ranges_date(policy));
	policy_print_sets(policy, stdout);
	for (size_t i = 1; i <= policy_rules(policy); i++)
		policy_print_rule(policy, (uint16_t)i, stdout);
}

static int run(const char *word, const char *path, struct err *err)
{
	struct policy *policy;
	int rc;

	if (strcmp(word, "show") != 0 && strcmp(word, "check") != 0)
		return err_set(err, ERR_USAGE,
			       "'%s' is not known; after 'flowproof policy' comes show, check or "
			       "import",
			       word);
	rc = open_policy(&policy, path, err);
	if (rc < 0)
		return rc;
	if (strcmp(word, "show") == 0)
		show(policy, path);
	else
		printf("%s: %zu rules\n", path ? path : "quarantine (built in)",
		       policy_rules(policy));
	policy_free(policy);
	return 0;
}

int policy_main(int argc, char **argv)
{
	struct options o = {.help = false};
	struct err err = {""};
	int rest, rc = settings_read(table, SETTINGS, &o, argc, argv, &rest, &err);

	if (rc == 0 && o.help) {
		printf("usage: flowproof policy show|check [FILE]\n\n"
		       "show prints what a policy says as it was understood; check reads it and "
		       "tells what is\nwrong with it. Without FILE the built-in quarantine "
		       "policy.\n\n");
		settings_help(table, SETTINGS, stdout);
	} else if (rc == 0 && rest == argc) {
		rc = err_set(&err, ERR_USAGE,
			     "what is to be done is missing; write show, check or import");
	} else if (rc == 0 && argc - rest > 2) {
		rc = err_set(&err, ERR_USAGE, "'%s' is one argument too many", argv[rest + 2]);
	} else if (rc == 0) {
		rc = run(argv[rest], argc - rest == 2 ? argv[rest + 1] : NULL, &err);
	}
	settings_free(table, SETTINGS, &o);
	if (rc < 0)
		fprintf(stderr, "flowproof policy: %s\n", err.text);
	return rc == 0 && fflush(stdout) != 0 ? 3 : err_exit_status(rc);
}
