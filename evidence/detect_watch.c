// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses, networks and names that stand on a list. The policy does not temper these: who is on the list
 * matters whether expected or not.
 */
#include "evidence/detect.h"
#include "evidence/watch.h"

static int open_watch(void **ret, const struct findings_config *config, struct err *err)
{
	(void)err;
	*ret = (void *)(uintptr_t)config->watch; /* borrowed, may be NULL; never written to */
	return 0;
}

static void judge(struct findings *findings, void *state, const struct peer *peer)
{
	const struct watch_list *list = state;
	struct finding finding;
	const char *entry;

	if (!list)
		return;
	entry = watch_find_addr(list, peer->key.family, &peer->key.remote);
	if (!entry)
		return;
	finding = detect_of_peer(peer, FINDING_WATCH_LIST, FINDING_HIGH);
	if (peer->key.direction == FLOWREC_INGRESS && finding.reached == FINDING_ATTEMPTED)
		finding.severity = FINDING_MEDIUM;
	finding.name = entry;
	detect_raise(findings, &finding);
}

const struct detector detect_watch = {.name = "watch", .open = open_watch, .peer = judge};
