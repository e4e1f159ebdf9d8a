// SPDX-License-Identifier: Apache-2.0
/*
 * See jetstream.h: a writer's partition, read in order.
 *
 * A durable consumer keeps up to where the messages are in a ledger; its description names the ledger, so that
 * no second one takes part. It is made anew at each begin, behind its last acknowledgement: what comes then comes in order.
 */
#include "collector/jetstream_parts.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/log.h"

static const char tag[] = "jetstream";

enum {
	FETCH = 64, /* messages asked for at once */
	FETCH_MS = 250,
	UNKEPT_MAX = 4 * FETCH, /* messages the collector has not said to have kept */
	DESCRIPTION_MAX = 128,
};

static struct {
	natsSubscription *sub;
	char consumer[64];
	size_t n_unkept;
	natsMsg *unkept[UNKEPT_MAX];
	uint64_t places[UNKEPT_MAX];
} all;

/* ---- writer ---- */

static void drop_unkept(void)
{
	for (size_t i = 0; i < all.n_unkept; i++)
		natsMsg_Destroy(all.unkept[i]);
	all.n_unkept = 0;
}

/* Acknowledges what is in the ledger. */
static void keep(struct bridge *b, uint64_t place)
{
	size_t n = 0;

	for (; n < all.n_unkept && all.places[n] <= place; n++) {
		if (natsMsg_Ack(all.unkept[n], NULL) != NATS_OK)
			bridge_complain(b, "acknowledging", "the connection is down");
		natsMsg_Destroy(all.unkept[n]);
	}
	all.n_unkept -= n;
	memmove(all.unkept, all.unkept + n, all.n_unkept * sizeof all.unkept[0]);
	memmove(all.places, all.places + n, all.n_unkept * sizeof all.places[0]);
}

static void hang_up(void)
{
	drop_unkept();
	natsSubscription_Destroy(all.sub);
	all.sub = NULL;
}

/* Makes the consumer anew behind what it acknowledged. */
static natsStatus begin_reading(struct bridge *b, const char *ledger)
{
	const struct relay_options *o = b->options;
	char filter[64];
	uint64_t floor = 0;
	jsConsumerInfo *info = NULL;
	jsConsumerConfig config;
	jsSubOptions so;
	natsStatus s = js_GetConsumerInfo(&info, b->js, o->stream, all.consumer, NULL, NULL);

	if (s == NATS_OK) {
		const char *other = info->Config->Description;

		if (other && strcmp(other, ledger) != 0) {
			log_err(tag,
				"partition %" PRIu64 " of %s is read by %s, and here is %s: two "
				"ledgers would share its batches. Remove the consumer %s if that "
				"one is to be used no more",
				o->partition, o->stream, other, ledger, all.consumer);
			_exit(2);
		}
		floor = info->AckFloor.Stream;
		jsConsumerInfo_Destroy(info);
		s = js_DeleteConsumer(b->js, o->stream, all.consumer, NULL, NULL);
	} else if (s == NATS_NOT_FOUND) {
		s = NATS_OK;
	}
	(void)snprintf(filter, sizeof filter, "flowproof.%" PRIu64 ".>", o->partition);
	(void)jsConsumerConfig_Init(&config);
	config.Durable = all.consumer;
	config.Description = ledger;
	config.FilterSubject = filter;
	config.DeliverPolicy = js_DeliverByStartSequence;
	config.OptStartSeq = floor + 1;
	config.AckPolicy = js_AckExplicit;
	config.AckWait = (int64_t)3600 * NS_PER_S; /* in order, or made anew: never in between */
	config.MaxAckPending = UNKEPT_MAX;
	if (s == NATS_OK)
		s = js_AddConsumer(NULL, b->js, o->stream, &config, NULL, NULL);
	(void)jsSubOptions_Init(&so);
	so.Stream = o->stream;
	so.Consumer = all.consumer;
	if (s == NATS_OK)
		s = js_PullSubscribe(&all.sub, b->js, filter, all.consumer, NULL, &so, NULL);
	return s;
}

static bool pass_on(struct bridge *b, natsMsg *msg, uint64_t *expected)
{
	struct relay_head head;
	jsMsgMetaData *meta = NULL;
	bool in_order = natsMsg_GetMetaData(&meta, msg) == NATS_OK && meta->NumDelivered == 1 &&
			(*expected == 0 || meta->Sequence.Consumer == *expected);

	if (in_order) {
		*expected = meta->Sequence.Consumer + 1;
		all.unkept[all.n_unkept] = msg;
		all.places[all.n_unkept] = meta->Sequence.Stream;
		all.n_unkept++;
		if (!jetstream_read_head(msg, &head)) {
			log_err(tag,
				"message %" PRIu64 " of %s was not written by a collector: left "
				"out",
				meta->Sequence.Stream, b->options->stream);
			head = (struct relay_head){.kind = 0}; /* its place is kept all the same */
		}
		head.place = meta->Sequence.Stream;
		bridge_say(b, &head, RELAY_ITEM, natsMsg_GetData(msg),
			   head.kind ? (size_t)natsMsg_GetDataLength(msg) : 0);
	} else {
		natsMsg_Destroy(msg);
	}
	jsMsgMetaData_Destroy(meta);
	return in_order;
}

static natsStatus fetch(struct bridge *b, uint64_t *expected)
{
	natsMsgList list = {NULL, 0};
	bool in_order = true;
	natsStatus s = natsSubscription_Fetch(
		&list, all.sub,
		(int)(UNKEPT_MAX - all.n_unkept < FETCH ? UNKEPT_MAX - all.n_unkept : FETCH),
		FETCH_MS, NULL);

	for (int i = 0; i < list.Count; i++) {
		in_order = in_order && pass_on(b, list.Msgs[i], expected);
		if (in_order)
			list.Msgs[i] = NULL;
	}
	natsMsgList_Destroy(&list);
	if (!in_order)
		return NATS_MISMATCH;
	return s == NATS_TIMEOUT ? NATS_OK : s;
}

/* What the collector says meanwhile; waits for it if nothing more can be fetched. False at its end. */
static bool listen_to(struct bridge *b, int wait_ms)
{
	struct pollfd p = {.fd = b->fd, .events = POLLIN};
	struct relay_head head;

	while (poll(&p, 1, wait_ms) > 0) {
		if (!bridge_read(b, &head))
			return false;
		if (head.type == RELAY_KEPT)
			keep(b, head.place);
		else if (head.type == RELAY_AGAIN)
			hang_up();
		wait_ms = 0;
	}
	return true;
}

void jetstream_run_writer(struct bridge *b)
{
	struct relay_head head;
	char ledger[DESCRIPTION_MAX], hex[2 * WIRE_STREAM_ID + 1];
	uint64_t expected = 0;
	natsStatus s;

	/* The first word: which ledger it is. */
	if (!bridge_read(b, &head))
		return;
	for (size_t i = 0; i < WIRE_STREAM_ID; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", head.stream[i]);
	(void)snprintf(ledger, sizeof ledger, "the ledger %s", hex);
	(void)snprintf(all.consumer, sizeof all.consumer, "ledger-%" PRIu64 "-of-%" PRIu64,
		       b->options->partition, b->options->partitions);
	for (;;) {
		s = NATS_OK;
		if (!all.sub) {
			expected = 0;
			s = begin_reading(b, ledger);
			if (s == NATS_OK)
				bridge_say(b, &head, RELAY_BEGUN, NULL, 0);
		}
		if (s == NATS_OK && all.n_unkept < UNKEPT_MAX)
			s = fetch(b, &expected);
		if (s != NATS_OK) {
			bridge_complain(b, "reading", natsStatus_GetText(s));
			hang_up();
		}
		if (!listen_to(b, s != NATS_OK                 ? JETSTREAM_AGAIN_MAX_MS / 4
				  : all.n_unkept == UNKEPT_MAX ? -1
							       : 0))
			return;
	}
}
