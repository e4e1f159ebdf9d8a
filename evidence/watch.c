// SPDX-License-Identifier: Apache-2.0
/*
 * The watch list: networks in a table by prefix, of which only the lengths that occur are looked for; names in
 * a table by their hash, looked for with ever fewer labels.
 */
#include "evidence/watch.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/table.h"
#include "platform/file.h"

struct network {
	struct addr addr;
	uint8_t family, bits, zero[6];
	/* behind the key */
	char text[ADDR_ENDPOINT_TEXT];
};
enum { NETWORK_KEY = 24 };

struct name {
	char text[256]; /* lower case, no dot at the end; the rest zero */
};

struct watch_list {
	struct table *networks, *names;
	bool bits[2][129]; /* of IPv4, of IPv6: a prefix of this length is there */
};

_Static_assert(offsetof(struct network, text) == NETWORK_KEY, "the key ends here");

int watch_new(struct watch_list **ret)
{
	struct watch_list *list = calloc(1, sizeof *list);

	if (!list ||
	    table_new(&list->networks, sizeof(struct network), NETWORK_KEY, WATCH_MAX) < 0 ||
	    table_new(&list->names, sizeof(struct name), sizeof(struct name), WATCH_MAX) < 0) {
		watch_free(list);
		return -ENOMEM;
	}
	*ret = list;
	return 0;
}

void watch_free(struct watch_list *list)
{
	if (!list)
		return;
	table_free(list->networks);
	table_free(list->names);
	free(list);
}

size_t watch_count(const struct watch_list *list)
{
	return table_count(list->networks) + table_count(list->names);
}

/* ---- filling ---- */

static int full(struct err *err)
{
	return err_set(err, ERR_USAGE,
		       "more than %d addresses, networks and names; shorten the lists", WATCH_MAX);
}

static int add_network(struct watch_list *list, const struct cidr *cidr, struct err *err)
{
	struct network network;
	void *at;

	memset(&network, 0, sizeof network);
	network.addr = cidr->addr;
	network.family = cidr->family;
	network.bits = cidr->bits;
	if (cidr->bits == (cidr->family == 4 ? 32 : 128))
		(void)addr_text(network.text, cidr->family, &cidr->addr);
	else
		(void)cidr_text(network.text, cidr);
	if (table_take(list->networks, &network, &at) < 0)
		return err_set(err, -ENOMEM, "no memory for the watch list");
	if (!at)
		return full(err);
	list->bits[cidr->family == 6][cidr->bits] = true;
	return 0;
}

int watch_add_addr(struct watch_list *list, uint8_t family, const struct addr *addr,
		   struct err *err)
{
	const struct cidr cidr = {.addr = *addr, .family = family, .bits = family == 4 ? 32 : 128};

	return add_network(list, &cidr, err);
}

/* Letters, digits, '-' and '_' in labels of at most 63 bytes (RFC 1035, 2.3.4), at least two of them. */
static bool make_name(struct name *ret, const char *text, size_t len)
{
	size_t label = 0, dots = 0;

	memset(ret, 0, sizeof *ret);
	if (len > 0 && text[len - 1] == '.')
		len--;
	if (len == 0 || len >= WATCH_TEXT)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
			dots++;
			continue;
		}
		if ((!isalnum(c) && c != '-' && c != '_') || ++label > 63)
			return false;
		ret->text[i] = (char)tolower(c);
	}
	for (size_t i = 0; i < len; i++)
		if (text[i] == '.')
			ret->text[i] = '.';
	return label > 0 && dots > 0;
}

static int add_line(struct watch_list *list, const char *path, size_t number, const char *text,
		    size_t len, struct err *err)
{
	char word[WATCH_TEXT + 1];
	struct cidr cidr;
	struct name name;
	struct err why;
	void *at;

	if (len >= sizeof word)
		return err_set(
			err, ERR_USAGE,
			"%s:%zu: a line of %zu bytes; write one address, network or name a line",
			path, number, len);
	memcpy(word, text, len);
	word[len] = '\0';
	if (cidr_parse(word, &cidr, &why) == 0)
		return add_network(list, &cidr, err);
	/* What looks like numbers was meant as an address. */
	if (strchr(word, ':') || strchr(word, '/') || strspn(word, "0123456789.") == len)
		return err_set(err, ERR_USAGE, "%s:%zu: %s", path, number, why.text);
	if (!make_name(&name, word, len))
		return err_set(err, ERR_USAGE,
			       "%s:%zu: '%s' is neither an address, a network nor a domain name; "
			       "write one a line, remarks behind a '#'",
			       path, number, word);
	if (table_take(list->names, &name, &at) < 0)
		return err_set(err, -ENOMEM, "no memory for the watch list");
	return at ? 0 : full(err);
}

int watch_add_file(struct watch_list *list, const char *path, struct err *err)
{
	size_t len, number = 0;
	char *text;
	int rc = file_read_all(path, WATCH_FILE_MAX, &text, &len, err);

	if (rc < 0)
		return rc == -ENOMEM ? rc : ERR_USAGE;
	for (char *at = text, *end = text + len; rc == 0 && at < end;) {
		char *newline = memchr(at, '\n', (size_t)(end - at));
		char *stop = newline ? newline : end;

		number++;
		while (at < stop && (*at == ' ' || *at == '\t'))
			at++;
		for (char *p = at; p < stop; p++)
			if (*p == '#' || *p == ' ' || *p == '\t' || *p == '\r')
				stop = p;
		if (stop > at)
			rc = add_line(list, path, number, at, (size_t)(stop - at), err);
		at = newline ? newline + 1 : end;
	}
	free(text);
	return rc;
}

/* ---- looking up ---- */

static void cut(struct addr *addr, unsigned bits)
{
	for (size_t i = 0; i < sizeof addr->b; i++) {
		unsigned keep = bits > 8 * i ? bits - 8 * (unsigned)i : 0;

		if (keep < 8)
			addr->b[i] &= (uint8_t)(0xff00U >> keep);
	}
}

const char *watch_find_addr(const struct watch_list *list, uint8_t family, const struct addr *addr)
{
	struct network key;

	memset(&key, 0, sizeof key);
	key.family = family;
	for (unsigned bits = (family == 4 ? 32 : 128) + 1; bits-- > 0;) {
		const struct network *found;

		if (!list->bits[family == 6][bits])
			continue;
		key.addr = *addr;
		key.bits = (uint8_t)bits;
		cut(&key.addr, bits);
		found = table_find(list->networks, &key);
		if (found)
			return found->text;
	}
	return NULL;
}

const char *watch_find_name(const struct watch_list *list, const char *text)
{
	struct name name;

	if (!make_name(&name, text, strnlen(text, WATCH_TEXT)))
		return NULL;
	for (const char *at = name.text; strchr(at, '.'); at = strchr(at, '.') + 1) {
		struct name key;
		const struct name *found;

		memset(&key, 0, sizeof key);
		memcpy(key.text, at, strlen(at));
		found = table_find(list->names, &key);
		if (found)
			return found->text;
	}
	return NULL;
}
