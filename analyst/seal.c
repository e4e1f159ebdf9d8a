// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof seal. Whoever has the line can show later that the store was put back to an earlier state: nothing
 * in a store itself can.
 */
#include "analyst/seal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyst/command.h"
#include "analyst/commands.h"
#include "evidence/ledger_index.h"

struct options {
	char *store;
	bool help;
};

#define AT(member) offsetof(struct options, member)

static const struct setting table[] = {
	OPTION_TEXT("store", 'd', AT(store), "DIR", "The collector's store."),
	OPTION_HELP(AT(help)),
};

bool seal_parse(const char *line, struct audit_head *ret)
{
	static const char digits[] = "0123456789abcdef";
	char hex[SHA256_HEX];
	int end = 0;

	*ret = (struct audit_head){.number = 0};
	if (sscanf(line, "flowproof-head %" SCNu64 " %64[0-9a-f]%n", &ret->number, hex, &end) !=
		    2 ||
	    line[end] != '\0' || strlen(hex) != SHA256_HEX - 1)
		return false;
	for (size_t i = 0; i < SHA256_BYTES; i++)
		ret->sha256[i] = (uint8_t)((strchr(digits, hex[2 * i]) - digits) << 4 |
					   (strchr(digits, hex[2 * i + 1]) - digits));
	return true;
}

static int take_manifest(void *ctx, const char *file, const struct segment_entry *entry,
			 struct manifest *manifest)
{
	struct audit_head *head = ctx;

	(void)file;
	head->number = manifest->head.number;
	memcpy(head->sha256, entry->digest, SHA256_BYTES);
	return 0;
}

static int run(void *options, struct err *err)
{
	static const struct manifest_walk ops = {.manifest = take_manifest};
	struct audit_head head = {.number = 0};
	const struct options *o = options;
	char hex[SHA256_HEX];
	int rc;

	if (!o->store)
		return err_set(err, ERR_USAGE,
			       "--store is missing: the folder the collector writes to");
	rc = manifest_walk_run(o->store, &ops, &head, err);
	if (rc < 0)
		return rc;
	if (head.number == 0)
		return err_set(err, ERR_FORMAT, "%s has no manifest", o->store);
	printf(MANIFEST_HEAD "\n", head.number, crypto_hex(hex, head.sha256, SHA256_BYTES));
	return 0;
}

static const struct command command = {
	.name = "seal",
	.usage = "usage: flowproof seal -d STORE\n\n"
		 "Prints the head of the store's chain of manifests, to be kept where the store is "
		 "not:\n"
		 "`flowproof audit --heads FILE` holds the store against such lines.\n\n",
	COMMAND_OPTIONS(struct options, help, table),
	.run = run,
};

int seal_main(int argc, char **argv)
{
	return command_main(&command, argc, argv);
}
