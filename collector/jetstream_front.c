// SPDX-License-Identifier: Apache-2.0
/*
 * See jetstream.h: a front's lanes.
 *
 * A lane publishes one message at a time, with the condition that the last message of its subject is the one
 * that it knows (Nats-Expected-Last-Subject-Sequence). So whoever opened a lane last has the sensor, and a front that is
 * behind is told by its next message. An answer that did not come in time is asked for again with the same message id:
 * JetStream keeps one. Servers before 2.10.23 can let two through that arrive at once; a writer's ledger has a batch once all the same.
 *
 * The library's own threads hand over answers through a list and a pipe; all else is on one thread.
 */
#include "collector/jetstream_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/bytes.h"
#include "platform/clock.h"

enum {
	SUBJECT_MAX = 3 * WIRE_SENSOR_ID_MAX + 2 * WIRE_STREAM_ID + 32,
	ID_MAX = WIRE_SENSOR_ID_MAX + 2 * WIRE_STREAM_ID + 48,
};

/* A message that is to be published. */
struct item {
	struct item *next;
	struct relay_head head;
	uint8_t message[];
};

struct lane {
	struct lane *next;
	struct relay_head of; /* number, sensor, stream */
	char subject[SUBJECT_MAX];
	uint64_t last; /* the subject's last message */
	bool is_open;  /* it is known */
	bool in_flight, is_closed, is_lost;
	uint64_t again_ns; /* 0: nothing waits */
	uint32_t again_ms;
	struct item *first, **end;
};

/* What JetStream answered. */
struct answer {
	struct answer *next;
	uint64_t lane;
	natsStatus status;
	jsErrCode code;
	uint64_t place;
	char text[96];
};

static struct {
	bool has_stream;
	struct lane *lanes;
	/* between the threads */
	pthread_mutex_t mutex;
	struct answer *answers, **answers_end;
	int wake[2];
} all = {.mutex = PTHREAD_MUTEX_INITIALIZER, .answers_end = &all.answers};

/* ---- names ---- */

/* Stays what it is for ever: it is in the subjects. */
static uint64_t partition_of(const char *sensor, uint64_t partitions)
{
	uint8_t digest[SHA256_BYTES];

	crypto_sha256(digest, sensor, strlen(sensor));
	return be32(digest) % partitions;
}

static void name_subject(char out[static SUBJECT_MAX], const struct relay_head *of,
			 uint64_t partitions)
{
	char hex[2 * WIRE_STREAM_ID + 1], name[3 * WIRE_SENSOR_ID_MAX];
	size_t n = 0;

	for (const char *p = of->sensor; *p; p++) {
		if (*p == '.') {
			memcpy(name + n, "%2E", 3);
			n += 3;
		} else {
			name[n++] = *p;
		}
	}
	name[n] = '\0';
	for (size_t i = 0; i < WIRE_STREAM_ID; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", of->stream[i]);
	(void)snprintf(out, SUBJECT_MAX, "flowproof.%" PRIu64 ".%s.%s",
		       partition_of(of->sensor, partitions), name, hex);
}

/* ---- front: lanes ---- */

static void retry(struct lane *lane)
{
	lane->again_ms = lane->again_ms == 0 ? JETSTREAM_AGAIN_MS : 2 * lane->again_ms;
	if (lane->again_ms > JETSTREAM_AGAIN_MAX_MS)
		lane->again_ms = JETSTREAM_AGAIN_MAX_MS;
	lane->again_ns = clock_mono_ns() + (uint64_t)lane->again_ms * NS_PER_MS;
}

static void lose(struct bridge *b, struct lane *lane, const char *why)
{
	struct relay_head head = lane->of;

	if (!lane->is_closed && !lane->is_lost)
		bridge_say(b, &head, RELAY_LOST, why, strlen(why));
	lane->is_lost = true;
}

/* The subject's last message, if there is one: NATS_OK with place 0 if none. */
static natsStatus get_last(struct bridge *b, const struct lane *lane, struct relay_head *ret,
			   char id[static ID_MAX])
{
	natsMsg *msg = NULL;
	jsErrCode code = 0;
	const char *text = "";
	natsStatus s = js_GetLastMsg(&msg, b->js, b->options->stream, lane->subject, NULL, &code);

	*ret = (struct relay_head){.place = 0};
	*id = '\0';
	if (s == NATS_NOT_FOUND && code == JSNoMessageFoundErr)
		return NATS_OK;
	if (s == NATS_OK && !jetstream_read_head(msg, ret))
		s = NATS_PROTOCOL_ERROR;
	if (s == NATS_OK && natsMsgHeader_Get(msg, "Nats-Msg-Id", &text) == NATS_OK)
		(void)snprintf(id, ID_MAX, "%s", text);
	natsMsg_Destroy(msg);
	return s;
}

static void name_id(char out[static ID_MAX], const struct lane *lane, const struct relay_head *head)
{
	/* A hello of each connection, a batch and a gap of the sensor's stream. */
	const char *stream = strrchr(lane->subject, '.');

	(void)snprintf(out, ID_MAX, "%s%s.%c%" PRIu64, head->sensor, stream,
		       jetstream_kinds[head->kind][0],
		       head->kind == LEDGER_HELLO ? head->received_ns : head->sequence);
}

static void open_lane(struct bridge *b, struct lane *lane)
{
	struct relay_head stands;
	char id[ID_MAX];
	natsStatus s = get_last(b, lane, &stands, id);

	if (s == NATS_PROTOCOL_ERROR) {
		lose(b, lane, "what JetStream has of it was not written by a collector");
	} else if (s != NATS_OK) {
		bridge_complain(b, "JetStream does not say where a stream stands",
				natsStatus_GetText(s));
		retry(lane);
	} else {
		lane->is_open = true;
		lane->again_ms = 0;
		lane->last = stands.place;
		stands.lane = lane->of.lane;
		bridge_say(b, &stands, RELAY_STANDS, NULL, 0);
	}
}

static void publish(struct bridge *b, struct lane *lane)
{
	const struct item *item = lane->first;
	char id[ID_MAX];
	jsPubOptions po;
	natsMsg *msg = NULL;
	natsStatus s = natsMsg_Create(&msg, lane->subject, NULL, (const char *)item->message,
				      (int)item->head.len);

	name_id(id, lane, &item->head);
	(void)jsPubOptions_Init(&po);
	po.MsgId = id;
	po.MaxWait = JETSTREAM_WAIT_MS;
	po.ExpectStream = b->options->stream;
	po.ExpectLastSubjectSeq = lane->last;
	po.ExpectNoMessage = lane->last == 0;
	if (s == NATS_OK && !jetstream_write_head(msg, &item->head))
		s = NATS_NO_MEMORY;
	/* For on_answer(): whose it is. */
	if (s == NATS_OK && !jetstream_set_number(msg, "Flowproof-Lane", lane->of.lane))
		s = NATS_NO_MEMORY;
	if (s == NATS_OK)
		s = js_PublishMsgAsync(b->js, &msg, &po);
	natsMsg_Destroy(msg);
	lane->in_flight = s == NATS_OK;
	if (s != NATS_OK) {
		bridge_complain(b, "publishing", natsStatus_GetText(s));
		retry(lane);
	}
}

static void go_on(struct bridge *b, struct lane *lane)
{
	if (lane->is_closed || lane->is_lost || lane->in_flight || lane->again_ns != 0)
		return;
	if (!lane->is_open)
		open_lane(b, lane);
	else if (lane->first)
		publish(b, lane);
}

static void drop_first(struct lane *lane)
{
	struct item *item = lane->first;

	lane->first = item->next;
	if (!lane->first)
		lane->end = &lane->first;
	free(item);
}

static void delivered(struct bridge *b, struct lane *lane, uint64_t place)
{
	struct relay_head head = lane->first->head;

	lane->last = place;
	lane->again_ms = 0;
	head.place = place;
	if (!lane->is_closed)
		bridge_say(b, &head, RELAY_DONE, NULL, 0);
	drop_first(lane);
}

/* Another message is the last: ours, whose answer was lost, or another front's. */
static void look_again(struct bridge *b, struct lane *lane)
{
	struct relay_head stands;
	char id[ID_MAX], mine[ID_MAX];
	natsStatus s = get_last(b, lane, &stands, id);

	name_id(mine, lane, &lane->first->head);
	if (s != NATS_OK)
		retry(lane);
	else if (strcmp(id, mine) == 0)
		delivered(b, lane, stands.place);
	else
		lose(b, lane, "its stream goes on at another collector");
}

/* On a thread of the library. */
void jetstream_on_answer(jsCtx *js, natsMsg *msg, jsPubAck *pa, jsPubAckErr *pae, void *ctx)
{
	struct answer *a = calloc(1, sizeof *a);

	(void)js, (void)ctx;
	if (a && jetstream_get_number(msg, "Flowproof-Lane", &a->lane)) {
		a->status = pae ? pae->Err : NATS_OK;
		a->code = pae ? pae->ErrCode : 0;
		a->place = pa ? pa->Sequence : 0;
		if (pae)
			(void)snprintf(a->text, sizeof a->text, "%s",
				       pae->ErrText ? pae->ErrText : natsStatus_GetText(pae->Err));
		(void)pthread_mutex_lock(&all.mutex);
		*all.answers_end = a;
		all.answers_end = &a->next;
		(void)pthread_mutex_unlock(&all.mutex);
		(void)!write(all.wake[1], "", 1);
	} else {
		abort(); /* a lane would wait for ever; the collector sees that we end */
	}
	natsMsg_Destroy(msg);
}

static struct lane *lane_of(uint64_t number)
{
	for (struct lane *lane = all.lanes; lane; lane = lane->next) {
		if (lane->of.lane == number)
			return lane;
	}
	return NULL;
}

static void take_answer(struct bridge *b, const struct answer *a)
{
	struct lane *lane = lane_of(a->lane);

	if (!lane || !lane->in_flight)
		return;
	lane->in_flight = false;
	if (a->status == NATS_OK) {
		delivered(b, lane, a->place);
	} else if (a->code == JSStreamWrongLastSequenceErr) {
		look_again(b, lane);
	} else {
		bridge_complain(b, "publishing", a->text);
		retry(lane);
	}
}

static void take_answers(struct bridge *b)
{
	struct answer *a, *next;
	char bytes[256];

	(void)!read(all.wake[0], bytes, sizeof bytes);
	(void)pthread_mutex_lock(&all.mutex);
	a = all.answers;
	all.answers = NULL;
	all.answers_end = &all.answers;
	(void)pthread_mutex_unlock(&all.mutex);
	for (; a; a = next) {
		next = a->next;
		take_answer(b, a);
		free(a);
	}
}

static void add_lane(struct bridge *b, const struct relay_head *head)
{
	struct lane *lane = calloc(1, sizeof *lane);

	if (!lane)
		abort();
	lane->of = *head;
	lane->end = &lane->first;
	name_subject(lane->subject, head, b->options->partitions);
	lane->next = all.lanes;
	all.lanes = lane;
}

static void add_item(struct bridge *b, const struct relay_head *head)
{
	struct lane *lane = lane_of(head->lane);
	struct item *item;

	if (!lane || lane->is_lost)
		return;
	item = malloc(sizeof *item + head->len);
	if (!item)
		abort();
	item->next = NULL;
	item->head = *head;
	memcpy(item->message, b->message, head->len);
	*lane->end = item;
	lane->end = &item->next;
}

static void take_front(struct bridge *b, const struct relay_head *head)
{
	struct lane *lane;

	if (head->type == RELAY_OPEN)
		add_lane(b, head);
	else if (head->type == RELAY_PUBLISH)
		add_item(b, head);
	else if (head->type == RELAY_CLOSE && (lane = lane_of(head->lane)) != NULL)
		lane->is_closed = true;
}

/* Lets go of lanes that are closed, and of what they still had to say: its sensor was not told that it is kept. */
static void sweep(void)
{
	struct lane **at = &all.lanes, *lane;

	while ((lane = *at) != NULL) {
		if (lane->is_closed && !lane->in_flight) {
			while (lane->first)
				drop_first(lane);
			*at = lane->next;
			free(lane);
		} else {
			at = &lane->next;
		}
	}
}

/* Milliseconds until a lane tries again; -1: none does. */
static int next_turn(struct bridge *b)
{
	uint64_t now = clock_mono_ns(), first = UINT64_MAX;

	for (struct lane *lane = all.lanes; lane; lane = lane->next) {
		if (lane->again_ns != 0 && lane->again_ns <= now)
			lane->again_ns = 0;
		go_on(b, lane);
		if (lane->again_ns != 0 && lane->again_ns < first)
			first = lane->again_ns;
	}
	return first == UINT64_MAX ? -1 : (int)((first - now) / NS_PER_MS + 1);
}

void jetstream_run_front(struct bridge *b)
{
	struct pollfd p[2] = {{.fd = b->fd, .events = POLLIN}, {.events = POLLIN}};
	struct relay_head head;
	int wait_ms;

	if (pipe2(all.wake, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	p[1].fd = all.wake[0];
	for (;;) {
		if (!all.has_stream)
			all.has_stream = jetstream_make_stream(b);
		wait_ms = all.has_stream ? next_turn(b) : JETSTREAM_AGAIN_MAX_MS;
		sweep();
		if (poll(p, 2, wait_ms) < 0 && errno != EINTR)
			return;
		if (p[1].revents)
			take_answers(b);
		if (p[0].revents) {
			if (!bridge_read(b, &head))
				return;
			take_front(b, &head);
		}
	}
}
