// SPDX-License-Identifier: Apache-2.0
/*
 * Labels: names by address as known_names.h keeps them, a table of parent domains, and a set of the names that were asked for.
 */
#include "evidence/labels.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/domain.h"
#include "evidence/hashset.h"
#include "evidence/table.h"
#include "platform/clock.h"
#include "platform/crypto.h"

struct labels {
	struct known_names *addresses; /* of all sensors: owner 0 */
	struct table *domains;
	struct hashset *names;
	const struct label_domain **sorted;
};

int labels_new(struct labels **ret)
{
	struct labels *l = calloc(1, sizeof *l);

	*ret = l;
	if (!l || known_names_new(&l->addresses, LABELS_MAX) < 0 ||
	    table_new(&l->domains, sizeof(struct label_domain), 16, LABELS_DOMAINS) < 0)
		return -ENOMEM;
	return hashset_new(&l->names);
}

void labels_free(struct labels *l)
{
	if (!l)
		return;
	for (size_t i = 0; l->domains && i < table_count(l->domains); i++)
		free(((struct label_domain *)table_at(l->domains, i))->name);
	known_names_free(l->addresses);
	table_free(l->domains);
	hashset_free(l->names);
	free(l->sorted);
	free(l);
}

/* ---- parent domains ---- */

/* Where the parent domain begins within a name: at its first letter if there is nothing below it. */
static const char *parent_of(const char *name)
{
	const char *parent = domain_parent(name);

	return parent ? parent : name;
}

/* 16 bytes that stand for a text. */
static void key_of(uint64_t ret[static 2], const char *text)
{
	uint8_t digest[SHA256_BYTES];

	crypto_sha256(digest, text, strlen(text));
	memcpy(ret, digest, 2 * sizeof *ret);
}

static int take_domain(struct labels *l, const char *name, struct label_domain **ret)
{
	struct label_domain item = {.first = UINT64_MAX};
	void *at;

	key_of(item.key, name);
	if (table_take(l->domains, &item, &at) < 0)
		return -ENOMEM;
	*ret = at;
	if (!at || (*ret)->name)
		return 0;
	(*ret)->name = strdup(name);
	return (*ret)->name ? 0 : -ENOMEM;
}

static int add_dns(struct labels *l, const struct batch_dns *dns)
{
	struct label_domain *domain;
	uint64_t key[2], time = dns->time_ns / NS_PER_S;
	int rc = take_domain(l, parent_of(dns->name), &domain);

	if (rc < 0 || !domain)
		return rc;
	if (time < domain->first)
		domain->first = time;
	if (time > domain->last)
		domain->last = time;
	if (dns->is_response) {
		domain->failed += dns->rcode != 0;
		return 0;
	}
	domain->questions++;
	domain->bytes += dns->size;
	key_of(key, dns->name);
	rc = hashset_add(l->names, key, 2);
	domain->names += rc > 0;
	return rc < 0 ? rc : 0;
}

int labels_add(struct labels *l, const struct batch *batch)
{
	size_t n;
	const struct batch_dns *dns = batch_dns_list(batch, &n);
	const struct batch_name *names;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_dns(l, &dns[i]);
	names = batch_name_list(batch, &n);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = known_names_add(l->addresses, 0, &names[i]);
	return rc;
}

/* ---- asking ---- */

struct label labels_find(const struct labels *l, uint8_t family, const struct addr *addr)
{
	struct label ret = {.n = 0};

	ret.n = known_names_of(l->addresses, 0, family, addr, ret.names, &ret.more);
	return ret;
}

static int compare(const void *one, const void *two)
{
	const struct label_domain *a = *(const struct label_domain *const *)one;
	const struct label_domain *b = *(const struct label_domain *const *)two;

	if (a->questions != b->questions)
		return a->questions < b->questions ? 1 : -1;
	return strcmp(a->name, b->name);
}

int labels_domains(struct labels *l, const struct label_domain *const **ret, size_t *ret_n)
{
	size_t n = table_count(l->domains);
	const struct label_domain **sorted = calloc(n + 1, sizeof *sorted);

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = table_at(l->domains, i);
	qsort(sorted, n, sizeof *sorted, compare);
	free(l->sorted);
	l->sorted = sorted;
	*ret = sorted;
	*ret_n = n;
	return 0;
}

uint64_t labels_left_out(const struct labels *l)
{
	return known_names_left_out(l->addresses) + table_left_out(l->domains);
}
