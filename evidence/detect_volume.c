// SPDX-License-Identifier: Apache-2.0
/*
 * How much goes out to one endpoint: much of it, or little of it again and again.
 *
 * Volume: at least VOLUME_BYTES, and more out than in, so that a download is none. Drip: payload out in at least
 * DRIP_MINUTES distinct minutes over DRIP_SPAN_S or longer, less than DRIP_BYTES a minute: the once-an-hour kind
 * that no volume shows. What the policy expects is told from VOLUME_EXPECTED on, as information. A drip to what the
 * policy watches is information too: every machine asks the resolver all day, and what is in it other detectors judge.
 */
#include "evidence/detect.h"
#include "evidence/limits.h"

static void judge_volume(struct findings *findings, void *state, const struct peer *peer)
{
	struct finding_traffic t = peer_traffic(peer);
	uint64_t least = peer->verdict == FLOWREC_EXPECTED ? VOLUME_EXPECTED : VOLUME_BYTES;
	struct finding finding;

	(void)state;
	if (peer->is_own || t.bytes_out < least || t.bytes_out <= t.bytes_in)
		return;
	finding = detect_of_peer(peer, FINDING_VOLUME, detect_tempered(peer, FINDING_HIGH));
	finding.count = t.bytes_out;
	detect_raise(findings, &finding);
}

const struct detector detect_volume = {.name = "volume", .peer = judge_volume};

static void judge_drip(struct findings *findings, void *state, const struct peer *peer)
{
	unsigned minutes = peer_minutes(peer);
	enum finding_severity severity = detect_tempered(peer, FINDING_MEDIUM);
	struct finding finding;

	(void)state;
	if (peer->is_own || minutes < DRIP_MINUTES || peer->last - peer->first < DRIP_SPAN_S ||
	    addr_is_group(peer->key.family, &peer->key.remote) ||
	    addr_is_link(peer->key.family, &peer->key.remote))
		return;
	if (peer->verdict == FLOWREC_WATCHED)
		severity = FINDING_INFO;
	finding = detect_of_peer(peer, FINDING_DRIP, severity);
	if (finding.traffic.bytes_out / minutes >= DRIP_BYTES)
		return;
	finding.count = minutes;
	detect_raise(findings, &finding);
}

const struct detector detect_drip = {.name = "drip", .peer = judge_drip};
