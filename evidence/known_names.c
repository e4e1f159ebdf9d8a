// SPDX-License-Identifier: Apache-2.0
/*
 * Two tables: names, each once, and addresses with the places of theirs.
 */
#include "evidence/known_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/table.h"
#include "platform/crypto.h"

struct name {
	uint64_t key[2]; /* the begin of the text's SHA-256 */
	char *text;
};
enum { NAME_KEY = 16 };

struct address {
	struct addr addr;
	uint32_t owner;
	uint8_t family, zero[3];
	/* behind the key */
	uint32_t names[KNOWN_NAMES_EACH];
	uint8_t n;
	bool more;
};
enum { ADDRESS_KEY = 24 };
_Static_assert(offsetof(struct address, names) == ADDRESS_KEY, "the key ends here");

struct known_names {
	struct table *names, *addresses;
};

int known_names_new(struct known_names **ret, size_t max)
{
	struct known_names *k = calloc(1, sizeof *k);

	if (!k || table_new(&k->names, sizeof(struct name), NAME_KEY, max) < 0 ||
	    table_new(&k->addresses, sizeof(struct address), ADDRESS_KEY, max) < 0) {
		known_names_free(k);
		return -ENOMEM;
	}
	*ret = k;
	return 0;
}

void known_names_free(struct known_names *k)
{
	if (!k)
		return;
	for (size_t i = 0; k->names && i < table_count(k->names); i++)
		free(((struct name *)table_at(k->names, i))->text);
	table_free(k->names);
	table_free(k->addresses);
	free(k);
}

size_t known_names_memory(size_t max)
{
	return sizeof(struct known_names) + table_memory(sizeof(struct name), max) +
	       table_memory(sizeof(struct address), max) + max * (BATCH_NAME_MAX + 1);
}

static struct address key_of(uint32_t owner, uint8_t family, const struct addr *addr)
{
	struct address key;

	memset(&key, 0, sizeof key);
	key.addr = *addr;
	key.owner = owner;
	key.family = family;
	return key;
}

/* The name's place; NULL: there is none for it. */
static int take_name(struct known_names *k, const char *text, struct name **ret)
{
	uint8_t digest[SHA256_BYTES];
	struct name fresh = {.text = NULL};
	void *at;
	int rc;

	crypto_sha256(digest, text, strlen(text));
	memcpy(fresh.key, digest, sizeof fresh.key);
	rc = table_take(k->names, &fresh, &at);
	*ret = at;
	if (rc < 0 || !at || (*ret)->text)
		return rc;
	(*ret)->text = strdup(text);
	return (*ret)->text ? 0 : -ENOMEM;
}

int known_names_add(struct known_names *k, uint32_t owner, const struct batch_name *name)
{
	struct address key = key_of(owner, name->family, &name->remote), *address;
	struct name *text;
	uint32_t index;
	void *at;
	int rc;

	if (!*name->name)
		return 0;
	rc = take_name(k, name->name, &text);
	if (rc < 0 || !text)
		return rc;
	index = (uint32_t)table_index(k->names, text);
	rc = table_take(k->addresses, &key, &at);
	if (rc < 0 || !at)
		return rc;
	address = at;
	for (size_t i = 0; i < address->n; i++)
		if (address->names[i] == index)
			return 0;
	if (address->n == KNOWN_NAMES_EACH)
		address->more = true;
	else
		address->names[address->n++] = index;
	return 0;
}

uint64_t known_names_left_out(const struct known_names *k)
{
	return table_left_out(k->names) + table_left_out(k->addresses);
}

size_t known_names_of(const struct known_names *k, uint32_t owner, uint8_t family,
		      const struct addr *addr, const char *ret[static KNOWN_NAMES_EACH],
		      bool *ret_more)
{
	struct address key = key_of(owner, family, addr);
	const struct address *address = table_find(k->addresses, &key);

	*ret_more = address && address->more;
	for (size_t i = 0; address && i < address->n; i++)
		ret[i] = ((const struct name *)table_at(k->names, address->names[i]))->text;
	return address ? address->n : 0;
}
