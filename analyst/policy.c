// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof policy show | check | import.
 */
#include "analyst/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyst/command.h"
#include "analyst/policy_check.h"
#include "platform/crypto.h"
#include "platform/settings.h"
#include "policy/import.h"
#include "policy/policy.h"
#include "policy/policy_print.h"

struct options {
	char *records, *store, *sensor, *interface, *groups, *acl;
	struct setting_list locals, subnets, collectors, resolvers;
	bool all, rules, help;
};

#define AT(member) offsetof(struct options, member)

static const struct setting table[] = {
	OPTION_TEXT("records", 0, AT(records), "FILE",
		    "check: lines of records, under their header line or of the default format; - "
		    "for standard input."),
	OPTION_TEXT("store", 'd', AT(store), "DIR", "check: the records of a collector's store."),
	OPTION_TEXT("sensor", 0, AT(sensor), "ID", "check -d: only this sensor's."),
	OPTION_LIST("local", AT(locals), "CIDR",
		    "check: this machine's addresses, where the records do not tell the direction. "
		    "May be repeated; default: RFC 1918 and ULA."),
	OPTION_LIST("subnet", AT(subnets), "CIDR",
		    "check: what the word subnet stands for. May be repeated."),
	OPTION_LIST("collector", AT(collectors), "ADDR:PORT",
		    "check: what the word collector stands for. May be repeated."),
	OPTION_LIST("resolver", AT(resolvers), "ADDR",
		    "check: what the word resolver stands for. May be repeated."),
	OPTION_FLAG("all", AT(all), "check: print what stays as it was and is expected, too."),
	OPTION_FLAG("rules", AT(rules),
		    "check: print each rule with what it decided instead: unused rules are seen."),
	OPTION_TEXT("interface", 0, AT(interface), "ENI",
		    "import: the interface whose groups, and whose subnet's ACL, hold."),
	OPTION_TEXT("groups", 0, AT(groups), "SG,...", "import: the security groups that hold."),
	OPTION_TEXT("acl", 0, AT(acl), "ACL", "import: the network ACL that holds."),
	OPTION_HELP(AT(help)),
};

enum { SETTINGS = sizeof table / sizeof table[0], FOUND = 1 };

static int open_policy(struct policy **ret, const char *path, struct err *err)
{
	int rc = path ? policy_read(ret, path, err) : policy_quarantine(ret, err);

	for (size_t i = 0; rc == 0 && policy_warning(*ret, i); i++)
		fprintf(stderr, "warning: %s\n", policy_warning(*ret, i));
	return rc;
}

static const char *called(const char *path)
{
	return path ? path : "quarantine (built in)";
}

/* ---- show ---- */

static void show(const struct policy *policy, const char *path)
{
	char digest[SHA256_HEX];

	printf("# policy %s, sha256 %s\n", called(path),
	       crypto_hex(digest, policy_digest(policy), SHA256_BYTES));
	printf("# %zu rules, %zu bytes of memory\n", policy_rules(policy), policy_memory(policy));
	if (*policy_ranges_date(policy))
		printf("# ranges of AWS's services: createDate %s\n", policy_ranges_date(policy));
	policy_print_sets(policy, stdout);
	for (size_t i = 1; i <= policy_rules(policy); i++)
		policy_print_rule(policy, (uint16_t)i, stdout);
}

/* ---- check ---- */

/* The lists of the options, read. */
struct place {
	struct cidr local[SETTING_LIST_MAX], subnets[SETTING_LIST_MAX], resolvers[SETTING_LIST_MAX];
	struct endpoint collectors[SETTING_LIST_MAX];
	struct policy_context context;
};

static int read_cidrs(struct cidr *ret, const struct setting_list *list, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < list->n && rc == 0; i++)
		rc = cidr_parse(list->v[i], &ret[i], err);
	return rc < 0 ? ERR_USAGE : 0;
}

static int read_place(struct place *place, const struct options *o, struct err *err)
{
	int rc = read_cidrs(place->local, &o->locals, err);

	if (rc == 0)
		rc = read_cidrs(place->subnets, &o->subnets, err);
	if (rc == 0)
		rc = read_cidrs(place->resolvers, &o->resolvers, err);
	for (size_t i = 0; i < o->collectors.n && rc == 0; i++)
		rc = endpoint_parse(o->collectors.v[i], &place->collectors[i], err);
	place->context = (struct policy_context){
		.local = place->local,
		.n_local = o->locals.n,
		.subnets = place->subnets,
		.n_subnets = o->subnets.n,
		.collectors = place->collectors,
		.n_collectors = o->collectors.n,
		.resolvers = place->resolvers,
		.n_resolvers = o->resolvers.n,
	};
	return rc < 0 ? ERR_USAGE : 0;
}

static int replay(const struct policy *policy, const struct options *o, struct err *err)
{
	struct policy_check *check = NULL;
	struct place *place = calloc(1, sizeof *place);
	uint64_t unexpected = 0;
	int rc = place ? read_place(place, o, err) : err_set(err, -ENOMEM, "out of memory");

	if (rc == 0)
		rc = policy_check_new(&check, policy, &place->context, err);
	if (rc == 0)
		rc = o->records ? policy_check_file(check, o->records, err)
				: policy_check_store(check, o->store, o->sensor, err);
	if (rc == 0 && o->rules)
		policy_check_rules(check);
	else if (rc == 0)
		rc = policy_check_print(check, o->all, &unexpected, err);
	policy_check_free(check);
	free(place);
	return rc == 0 && unexpected ? FOUND : rc;
}

static int with_policy(const struct options *o, const char *word, const char *path, struct err *err)
{
	struct policy *policy;
	int rc = open_policy(&policy, path, err);

	if (rc < 0)
		return rc;
	if (strcmp(word, "show") == 0)
		show(policy, path);
	else if (o->records || o->store)
		rc = replay(policy, o, err);
	else
		printf("%s: %zu rules\n", called(path), policy_rules(policy));
	policy_free(policy);
	return rc;
}

/* ---- import ---- */

static int import(const struct options *o, char **files, size_t n, struct err *err)
{
	const struct import_request request = {.files = (const char *const *)files,
					       .n_files = n,
					       .interface = o->interface,
					       .groups = o->groups,
					       .acl = o->acl};
	unsigned unknown = 0;
	int rc = policy_import(&request, stdout, stderr, &unknown, err);

	return rc == 0 && unknown ? FOUND : rc;
}

/* ---- the whole ---- */

static int run(const struct options *o, char **words, size_t n, struct err *err)
{
	if (n == 0)
		return err_set(err, ERR_USAGE,
			       "what is to be done is missing; write show, check or import");
	if (strcmp(words[0], "import") == 0)
		return import(o, words + 1, n - 1, err);
	if (strcmp(words[0], "show") != 0 && strcmp(words[0], "check") != 0)
		return err_set(
			err, ERR_USAGE,
			"'%s' is not known; after 'flowproof policy' comes show, check or import",
			words[0]);
	if (n > 2)
		return err_set(err, ERR_USAGE, "'%s' is one argument too many", words[2]);
	if (o->records && o->store)
		return err_set(err, ERR_USAGE, "--records and --store: one of them");
	return with_policy(o, words[0], n == 2 ? words[1] : NULL, err);
}

/* Words may stand between options: they go to `words`, of which there are *ret_n then. */
static int read_options(struct options *o, int argc, char **argv, char **words, size_t *ret_n,
			struct err *err)
{
	size_t n = 0;
	int rest = 0, rc;

	for (;;) {
		rc = settings_read(table, SETTINGS, o, argc, argv, &rest, err);
		if (rc < 0 || rest >= argc)
			break;
		words[n++] = argv[rest];
		/* What was read is read again, without the word. */
		memmove(&argv[rest], &argv[rest + 1], (size_t)(argc - rest) * sizeof argv[0]);
		argc--;
		settings_free(table, SETTINGS, o);
		*o = (struct options){.help = false};
	}
	*ret_n = n;
	return rc;
}

int policy_main(int argc, char **argv)
{
	struct options *o = calloc(1, sizeof *o);
	char **words = calloc((size_t)argc + 1, sizeof *words);
	struct err err = {""};
	size_t n = 0;
	int rc = o && words ? read_options(o, argc, argv, words, &n, &err)
			    : err_set(&err, -ENOMEM, "out of memory");

	if (rc == 0 && o->help) {
		printf("usage: flowproof policy show [FILE]\n"
		       "       flowproof policy check [FILE] [--records FILE | -d STORE] "
		       "[options]\n"
		       "       flowproof policy import [--interface ENI] FILE.json ...\n\n"
		       "show prints what a policy says as it was understood; check reads it, tells "
		       "what is\nwrong with it and what it would say of stored records; import "
		       "makes boundary rules of\nwhat `aws ec2 describe-...` prints. Without FILE "
		       "the built-in quarantine policy.\n\n");
		settings_help(table, SETTINGS, stdout);
	} else if (rc == 0) {
		rc = run(o, words, n, &err);
	}
	if (o)
		settings_free(table, SETTINGS, o);
	free(o);
	free(words);
	if (rc < 0)
		fprintf(stderr, "flowproof policy: %s\n", err.text);
	return command_flush("policy", rc == FOUND ? 1 : err_exit_status(rc), 0);
}
