// SPDX-License-Identifier: Apache-2.0
/*
 * `flowproof pki init` makes a CA and the collector's certificate, `flowproof pki issue` a
 * sensor's.
 *
 * Nothing is ever overwritten. A certificate begins a day before now, since clocks of restored
 * machines differ.
 */
#include "analyst/commands.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/err.h"
#include "platform/file.h"
#include "platform/settings.h"
#include "platform/tls.h"

enum { PKI_PATH = 768, PKI_DAY_S = 86400, PKI_CA_DAYS = 3650 };

struct pki_options {
	char *dir;
	char *valid_from;
	uint64_t days;
	bool help;
};

#define AT(member) offsetof(struct pki_options, member)

/* The first rows are for all actions: see `actions`. */
static const struct setting pki_table[] = {
	OPTION_TEXT("dir", 'd', AT(dir), "DIR", "The folder of the CA; init makes it."),
	OPTION_HELP(AT(help)),
	OPTION_NUMBER("days", AT(days), "N", "825", 1, 36500,
		      "How long the certificate of the collector or sensor is valid. The CA's is "
		      "for 3650 days, or N if that is more."),
	OPTION_TEXT("valid-from", 0, AT(valid_from), "TIME",
		    "The day the certificate begins: Unix seconds, 2026-01-31 or "
		    "2026-01-31T12:34:56Z. Default: a day ago."),
};

enum { PKI_ROWS = sizeof(pki_table) / sizeof(pki_table[0]) };

static const char pki_usage[] =
	"usage: flowproof pki init -d DIR [--days N]\n"
	"       flowproof pki issue -d DIR ID [--days N] [--valid-from TIME]\n"
	"       flowproof pki revoke -d DIR ID\n"
	"\n"
	"init    makes DIR/ca.crt, ca.key, collector.crt and collector.key\n"
	"issue   makes DIR/ID.crt and ID.key for the sensor named ID\n"
	"revoke  puts DIR/ID.crt on DIR/revoked.crl, the list that the collector's --crl names\n"
	"\n";

static int pki_path(char out[static PKI_PATH], const char *dir, const char *name,
		    const char *suffix, struct err *err)
{
	int n = snprintf(out, PKI_PATH, "%s/%s.%s", dir, name, suffix);

	if (n < 0 || n >= PKI_PATH)
		return err_set(err, ERR_USAGE, "--dir: the folder's path is too long");
	return 0;
}

/* One key and certificate in DIR, `file`.key and `file`.crt; signed by DIR's CA unless it is that.
 */
static int pki_make(const char *dir, const char *file, const char *name, enum crypto_use use,
		    uint64_t from_s, uint64_t to_s, struct err *err)
{
	char cert[PKI_PATH], key[PKI_PATH], ca_cert[PKI_PATH] = "", ca_key[PKI_PATH] = "";
	const bool ca = use == CRYPTO_CA;
	const struct crypto_cert_request request = {.name = name,
						    .use = use,
						    .issuer_cert = ca ? NULL : ca_cert,
						    .issuer_key = ca ? NULL : ca_key,
						    .not_before_s = from_s,
						    .not_after_s = to_s,
						    .cert_file = cert,
						    .key_file = key};
	int rc = pki_path(cert, dir, file, "crt", err);

	if (rc == 0)
		rc = pki_path(key, dir, file, "key", err);
	if (rc == 0)
		rc = pki_path(ca_cert, dir, "ca", "crt", err);
	if (rc == 0)
		rc = pki_path(ca_key, dir, "ca", "key", err);
	return rc != 0 ? rc : crypto_cert_make(&request, err);
}

/* A CA without its collector certificate is of no use, and would stand in the way of the next
 * attempt. */
static void pki_remove_ca(const char *dir)
{
	char path[PKI_PATH];

	if (pki_path(path, dir, "ca", "crt", NULL) == 0)
		(void)unlink(path);
	if (pki_path(path, dir, "ca", "key", NULL) == 0)
		(void)unlink(path);
}

static int pki_init(const struct pki_options *o, const char *id, struct err *err)
{
	const uint64_t now = clock_wall_ns() / NS_PER_S, from = now - PKI_DAY_S;
	const uint64_t ca_days = o->days > PKI_CA_DAYS ? o->days : PKI_CA_DAYS;
	int rc = file_make_dir(o->dir, err);

	(void)id;
	if (rc == 0)
		rc = pki_make(o->dir, "ca", "flowproof CA", CRYPTO_CA, from,
			      now + ca_days * PKI_DAY_S, err);
	if (rc != 0)
		return rc;
	rc = pki_make(o->dir, "collector", TLS_COLLECTOR_NAME, CRYPTO_SERVER, from,
		      now + o->days * PKI_DAY_S, err);
	if (rc != 0) {
		pki_remove_ca(o->dir);
		return rc;
	}
	printf("written: %s/ca.crt         for the collector and every sensor\n"
	       "written: %s/ca.key         makes certificates: keep ca.key off the machines that "
	       "are watched\n"
	       "written: %s/collector.crt  for the collector\n"
	       "written: %s/collector.key  for the collector, secret\n"
	       "next:    flowproof pki issue -d %s ID      (ID: the name of a sensor)\n",
	       o->dir, o->dir, o->dir, o->dir, o->dir);
	return 0;
}

static int pki_issue(const struct pki_options *o, const char *id, struct err *err)
{
	const uint64_t now = clock_wall_ns() / NS_PER_S;
	uint64_t from = now - PKI_DAY_S, to = now + o->days * PKI_DAY_S;
	int rc;

	if (!crypto_name_ok(id))
		return err_set(err, ERR_USAGE,
			       "'%s' cannot be a sensor's ID: 1 to 63 letters, digits, '.', '_' or "
			       "'-', the first not '.' or '-'",
			       id);
	if (strcmp(id, TLS_COLLECTOR_NAME) == 0 || strcmp(id, "ca") == 0 ||
	    strcmp(id, "collector") == 0)
		return err_set(err, ERR_USAGE, "'%s' cannot be a sensor's ID: it names the %s", id,
			       strcmp(id, "ca") == 0 ? "CA" : "collector");
	if (o->valid_from) {
		rc = clock_parse(o->valid_from, &from, err);
		if (rc != 0)
			return rc;
		to = from + o->days * PKI_DAY_S;
	}
	rc = pki_make(o->dir, id, id, CRYPTO_CLIENT, from, to, err);
	if (rc != 0)
		return rc;
	printf("written: %s/%s.crt\n"
	       "written: %s/%s.key\n"
	       "next:    bring three files to the sensor: ca.crt, %s.crt, %s.key\n",
	       o->dir, id, o->dir, id, id, id);
	return 0;
}

static int pki_revoke(const struct pki_options *o, const char *id, struct err *err)
{
	char cert[PKI_PATH], ca_cert[PKI_PATH], ca_key[PKI_PATH], list[PKI_PATH];
	const struct crypto_crl_request request = {.issuer_cert = ca_cert,
						   .issuer_key = ca_key,
						   .cert_file = cert,
						   .crl_file = list,
						   .now_s = clock_wall_ns() / NS_PER_S};
	int rc = pki_path(cert, o->dir, id, "crt", err);

	if (rc == 0)
		rc = pki_path(ca_cert, o->dir, "ca", "crt", err);
	if (rc == 0)
		rc = pki_path(ca_key, o->dir, "ca", "key", err);
	if (rc == 0)
		rc = pki_path(list, o->dir, "revoked", "crl", err);
	if (rc == 0)
		rc = crypto_crl_revoke(&request, err);
	if (rc != 0)
		return rc;
	printf("written: %s/revoked.crl\n"
	       "next:    bring it to the collector, to the file that its --crl names, and send the "
	       "collector SIGHUP\n",
	       o->dir);
	return 0;
}

static const struct action {
	const char *name;
	size_t rows; /* of the table */
	bool takes_id;
	int (*run)(const struct pki_options *o, const char *id, struct err *err);
} actions[] = {
	{"init", PKI_ROWS - 1, false, pki_init},
	{"issue", PKI_ROWS, true, pki_issue},
	{"revoke", PKI_ROWS - 2, true, pki_revoke},
};

static const struct action *action_named(const char *name)
{
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (strcmp(actions[i].name, name) == 0)
			return actions + i;
	return NULL;
}

/* Options may stand before and after ID: the first word that is no option is taken out, the rest is
 * read again. */
static int pki_read(struct pki_options *o, size_t rows, int argc, char **argv, char **ret_id,
		    struct err *err)
{
	int rest, rc = settings_read(pki_table, rows, o, argc, argv, &rest, err);

	*ret_id = NULL;
	if (rc != 0 || rest >= argc)
		return rc;
	*ret_id = argv[rest];
	memmove(&argv[rest], &argv[rest + 1], (size_t)(argc - rest) * sizeof(argv[0]));
	settings_free(pki_table, rows, o);
	*o = (struct pki_options){0};
	rc = settings_read(pki_table, rows, o, argc - 1, argv, &rest, err);
	if (rc == 0 && rest < argc - 1)
		return err_set(err, ERR_USAGE, "'%s' is a word too many", argv[rest]);
	return rc;
}

static int pki_run(struct pki_options *o, const struct action *action, int argc, char **argv,
		   struct err *err)
{
	char *id;
	int rc = pki_read(o, action->rows, argc, argv, &id, err);

	if (rc != 0)
		return rc;
	if (o->help) {
		fputs(pki_usage, stdout);
		settings_help(pki_table, action->rows, stdout);
		return 0;
	}
	if (!o->dir || !*o->dir)
		return err_set(err, ERR_USAGE,
			       "--dir is missing: -d DIR names the folder of the CA");
	if (action->takes_id && !id)
		return err_set(err, ERR_USAGE, "%s needs the ID of the sensor", action->name);
	if (!action->takes_id && id)
		return err_set(err, ERR_USAGE, "'%s' is a word too many: %s takes options only", id,
			       action->name);
	return action->run(o, id, err);
}

int pki_main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct action *action = action_named(name);
	struct pki_options o = {0};
	struct err err = {""};
	int rc;

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		fputs(pki_usage, stdout);
		settings_help(pki_table, PKI_ROWS, stdout);
		return fflush(stdout) == 0 ? 0 : 3;
	}
	if (!action) {
		if (*name)
			fprintf(stderr, "flowproof pki: '%s' is none of init, issue and revoke\n",
				name);
		fputs(pki_usage, stderr);
		return err_exit_status(ERR_USAGE);
	}
	rc = pki_run(&o, action, argc - 1, argv + 1, &err);
	settings_free(pki_table, action->rows, &o);
	if (rc == 0 && fflush(stdout) != 0)
		rc = err_errno(&err, "cannot write to standard output");
	if (rc != 0)
		fprintf(stderr, "flowproof pki %s: %s\n", name, err.text);
	return err_exit_status(rc);
}
