// SPDX-License-Identifier: Apache-2.0
/*
 * DNS over HTTPS (RFC 8484), known by whom is spoken to: the addresses and names of doh_list.h.
 */
#include <errno.h>
#include <stdlib.h>

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

static void judge(struct findings *findings, void *state, const struct peer *peer)
{
	const struct doh *doh = state;

	if (peer->key.port != HTTPS || peer->key.direction == FLOWREC_INGRESS ||
	    (peer->key.protocol != TCP && peer->key.protocol != UDP))
		return;
	for (size_t i = 0; i < NETWORKS; i++) {
		struct finding finding;

		if (!cidr_has(&doh->networks[i], peer->key.family, &peer->key.remote))
			continue;
		finding = detect_of_peer(peer, FINDING_DOH, detect_tempered(peer, FINDING_MEDIUM));
		finding.name = doh_networks[i].provider;
		detect_raise(findings, &finding);
		return;
	}
}

const struct detector detect_doh = {.name = "doh",
				    .memory = sizeof(struct doh),
				    .open = open_doh,
				    .close = free,
				    .peer = judge};
