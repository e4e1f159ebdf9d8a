// SPDX-License-Identifier: Apache-2.0
/*
 * DNS over HTTPS (RFC 8484), known by whom is spoken to: the addresses and names of doh_list.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/detect.h"
#include "evidence/doh_list.h"

enum { TCP = 6, UDP = 17, HTTPS = 443, NETWORKS = sizeof doh_networks / sizeof doh_networks[0] };

struct doh {
	struct cidr networks[NETWORKS];
};

static int open_doh(void **ret, const struct findings_config *config, struct err *err)
{
	struct doh *doh = calloc(1, sizeof *doh);
	int rc = doh ? 0 : err_set(err, -ENOMEM, "no memory for the list of resolvers");

	(void)config;
	for (size_t i = 0; rc == 0 && i < NETWORKS; i++)
		rc = cidr_parse(doh_networks[i].network, &doh->networks[i], err);
	*ret = doh;
	return rc;
}

/* The name or one below it. */
static bool is_doh_name(const char *name)
{
	for (size_t i = 0; i < sizeof doh_names / sizeof doh_names[0]; i++) {
		size_t len = strlen(name), n = strlen(doh_names[i]);

		if (len >= n && strcmp(name + len - n, doh_names[i]) == 0 &&
		    (len == n || name[len - n - 1] == '.'))
			return true;
	}
	return false;
}

/* Who the peer is; NULL: no resolver that is known. */
static const char *provider_of(const struct findings *findings, const struct doh *doh,
			       const struct peer *peer)
{
	const char *names[KNOWN_NAMES_EACH];
	size_t n;

	for (size_t i = 0; i < NETWORKS; i++)
		if (cidr_has(&doh->networks[i], peer->key.family, &peer->key.remote))
			return doh_networks[i].provider;
	n = detect_names(findings, peer->key.owner, peer->key.family, &peer->key.remote, names);
	for (size_t i = 0; i < n; i++)
		if (is_doh_name(names[i]))
			return names[i];
	return NULL;
}

static void judge(struct findings *findings, void *state, const struct peer *peer)
{
	struct finding finding;

	if (peer->key.port != HTTPS || peer->key.direction == FLOWREC_INGRESS ||
	    (peer->key.protocol != TCP && peer->key.protocol != UDP))
		return;
	finding = detect_of_peer(peer, FINDING_DOH, detect_tempered(peer, FINDING_MEDIUM));
	finding.name = provider_of(findings, state, peer);
	if (finding.name)
		detect_raise(findings, &finding);
}

static size_t memory(const struct findings_config *config)
{
	(void)config;
	return sizeof(struct doh);
}

const struct detector detect_doh = {
	.name = "doh", .memory = memory, .open = open_doh, .close = free, .peer = judge};
