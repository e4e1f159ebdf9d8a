// SPDX-License-Identifier: Apache-2.0
/*
 * session, identity: asks EC2's instance metadata who this machine is, while the capture runs, and says what it learned and from
 * whom. What the configuration says stands; where the two differ, that is told.
 */
#include "sensor/session_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/config.h"
#include "platform/ec2/imds_run.h"
#include "platform/log.h"
#include "sensor/own.h"
#include "sensor/session.h"

_Static_assert((int)IMDS_INTERFACES_MAX >= (int)WIRE_INTERFACES_MAX, "all are asked of");

enum {
	HELLO_WAIT_MS = 3000, /* so long the first Hello waits for the answers */
	FORGET_MS = 60000,    /* then the capture has seen the last of our own connections */
	INSTANCE_TEXTS = 3,
};

/* Items that are fields of a record, those of the instance first. */
static const struct {
	uint8_t item, text;
} fields[] = {
	{IMDS_INSTANCE_ID, FLOWREC_T_INSTANCE_ID},
	{IMDS_REGION, FLOWREC_T_REGION},
	{IMDS_AZ_ID, FLOWREC_T_AZ_ID},
	{IMDS_OWNER_ID, FLOWREC_T_ACCOUNT_ID},
	{IMDS_INTERFACE_ID, FLOWREC_T_INTERFACE_ID},
	{IMDS_VPC_ID, FLOWREC_T_VPC_ID},
	{IMDS_SUBNET_ID, FLOWREC_T_SUBNET_ID},
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

struct session_identity {
	struct session *session;
	struct imds_run *run;
	struct loop_timer *hello, *forget;
	struct imds_want want[IMDS_INTERFACES_MAX];
	uint16_t iface[IMDS_INTERFACES_MAX]; /* of those wanted */
	size_t n_want;
	char value[WIRE_INTERFACES_MAX][FIELDS][IMDS_VALUE_MAX];
	struct own own;
	unsigned connections; /* so far */
	bool is_over;
};

/* ---- which interfaces ---- */

static void on_link(void *ctx, const struct nic_link *link)
{
	static const uint8_t none[6];
	struct session_identity *id = ctx;
	const struct session *s = id->session;

	for (uint16_t i = 0; i < s->n_captures && id->n_want < IMDS_INTERFACES_MAX; i++) {
		if (s->interfaces[i].index != link->index || !link->has_mac ||
		    memcmp(link->mac, none, sizeof none) == 0)
			continue;
		memcpy(id->want[id->n_want].mac, link->mac, sizeof link->mac);
		id->iface[id->n_want++] = i;
	}
}

static void find_interfaces(struct session_identity *id)
{
	const struct session *s = id->session;

	for (int turn = 0; turn < 3; turn++) {
		id->n_want = 0;
		if (nic_each(s->nic, on_link, id) != -EAGAIN)
			break;
	}
	/* The device "any" stands for all: whose it is can be said if there is one alone. */
	for (uint16_t i = 0; i < s->n_captures && id->n_want < IMDS_INTERFACES_MAX; i++) {
		if (s->interfaces[i].index)
			continue;
		id->want[id->n_want].sole = true;
		id->iface[id->n_want++] = i;
	}
}

/* ---- what is said ---- */

static void tell(struct session *s, enum batch_event_kind kind, const char *text, size_t n,
		 const int64_t *values)
{
	if (IS_ENABLED(CONFIG_STREAM) && s->spool)
		session_stream_event(s, kind, text, n, values);
}

/* One more text has room in a Hello. */
static bool has_room(const struct flowrec_identity *texts, const char *value)
{
	size_t sum = strlen(value);

	for (size_t i = 0; i < FLOWREC_TEXTS; i++)
		sum += strlen(texts->text[i]);
	return sum <= FLOWREC_IDENTITY_MAX;
}

static void set_text(struct session *s, uint16_t iface, enum flowrec_text text, const char *value)
{
	struct flowrec_identity *of = &s->texts[iface];
	const char *name = flowrec_text_names[text];
	char said[BATCH_EVENT_TEXT];

	if (!*of->text[text]) {
		if (!has_room(of, value))
			return;
		of->text[text] = value;
		s->links[iface].text_sources[text] = WIRE_SOURCE_METADATA;
	} else if (strcmp(of->text[text], value) != 0) {
		log_warn("identity",
			 "%s: the configuration says %s %s, instance metadata says %s: the "
			 "configuration's word stands",
			 of->interface, name, of->text[text], value);
		/* The beginnings suffice: ids are short. */
		(void)snprintf(said, sizeof said, "%.16s %s configured %.40s metadata %.40s",
			       of->interface, name, of->text[text], value);
		tell(s, BATCH_EVENT_IDENTITY_DIFFERS, said, 1, (const int64_t[]){iface});
	}
}

static void on_value(void *ctx, size_t want, enum imds_item item, const char *value)
{
	struct session_identity *id = ctx;
	struct session *s = id->session;
	uint16_t iface = id->n_want ? id->iface[want] : 0;
	char said[BATCH_EVENT_TEXT];

	for (size_t i = 0; i < FIELDS; i++) {
		char *kept = id->value[i < INSTANCE_TEXTS ? 0 : iface][i];

		if (fields[i].item != item)
			continue;
		(void)snprintf(kept, IMDS_VALUE_MAX, "%s", value);
		if (i >= INSTANCE_TEXTS)
			set_text(s, iface, (enum flowrec_text)fields[i].text, kept);
		for (uint16_t c = 0; i < INSTANCE_TEXTS && c < s->n_captures; c++)
			set_text(s, c, (enum flowrec_text)fields[i].text, kept);
		return;
	}
	(void)snprintf(said, sizeof said, "%.16s %s %s", s->texts[iface].interface,
		       imds_item_name(item), value);
	log_info("identity", "%s (imds)", said);
	tell(s, BATCH_EVENT_IDENTITY, said, 2, (const int64_t[]){iface, WIRE_SOURCE_METADATA});
}

static void on_connects(void *ctx, const struct endpoint *local, const struct endpoint *remote)
{
	struct session_identity *id = ctx;
	char text[ADDR_ENDPOINT_TEXT];

	own_add(&id->own, local, remote);
	/* By its port whoever reads the ledger tells it from others'. */
	if (id->connections++ < OWN_MAX)
		tell(id->session, BATCH_EVENT_METADATA_CONNECTION, endpoint_text(text, remote), 1,
		     (const int64_t[]){local->port});
}

/* Each field of each interface, and who said it. */
static void tell_all(struct session *s)
{
	char said[BATCH_EVENT_TEXT];

	for (uint16_t i = 0; i < s->n_captures; i++)
		for (size_t f = 0; f < FIELDS; f++) {
			const char *value = s->texts[i].text[fields[f].text];
			uint8_t source = s->links[i].text_sources[fields[f].text];

			(void)snprintf(said, sizeof said, "%.16s %s %.64s", s->texts[i].interface,
				       flowrec_text_names[fields[f].text], *value ? value : "-");
			log_info("identity", "%s (%s)", said, wire_source_text(source));
			tell(s, BATCH_EVENT_IDENTITY, said, 2, (const int64_t[]){i, source});
		}
}

/* The Hello may go. */
static void settle(struct session_identity *id)
{
	if (IS_ENABLED(CONFIG_STREAM) && id->session->spool)
		session_stream_identified(id->session);
}

static void conclude(struct session_identity *id, const struct imds *imds)
{
	id->is_over = true;
	if (imds->is_complete)
		log_info("identity",
			 "instance metadata has answered: %u requests, %u without an answer, %u "
			 "values that are none; it knows %u interfaces",
			 imds->requests, imds->absent, imds->misshapen, imds->interfaces);
	else
		log_warn(
			"identity",
			"instance metadata was given up (%u requests, %u failures; last: %s): what "
			"it did not say is as configured, or unknown",
			imds->requests, imds->failures, imds->why);
	tell(id->session, BATCH_EVENT_METADATA, imds->is_complete ? "answered" : imds->why, 4,
	     (const int64_t[]){imds->requests, imds->failures, imds->absent, imds->interfaces});
	tell_all(id->session);
	loop_timer_cancel(id->hello);
	settle(id);
}

static void on_over(void *ctx, const struct imds *imds)
{
	struct session_identity *id = ctx;

	loop_timer_set(id->forget, FORGET_MS);
	conclude(id, imds);
}

static void on_hello(void *ctx)
{
	settle(ctx);
}

static void on_forget(void *ctx)
{
	struct session_identity *id = ctx;

	pipeline_own(id->session->pipeline, NULL);
	imds_run_free(id->run);
	id->run = NULL;
}

static const struct imds_run_ops ops = {
	.machine = {.value = on_value}, .connects = on_connects, .over = on_over};

/* ---- life ---- */

size_t session_identity_memory(void)
{
	return sizeof(struct session_identity) + imds_run_memory();
}

int session_identity_open(struct session *s, struct err *err)
{
	struct session_identity *id = calloc(1, sizeof *id);

	s->asking = id;
	if (id) {
		id->session = s;
		find_interfaces(id);
	}
	if (!id || imds_run_new(&id->run, s->loop, id->want, id->n_want, &ops, id) != 0 ||
	    loop_timer_new(&id->hello, s->loop, on_hello, id) != 0 ||
	    loop_timer_new(&id->forget, s->loop, on_forget, id) != 0)
		return err_set(err, -ENOMEM, "no memory to ask for instance metadata");
	pipeline_own(s->pipeline, &id->own);
	return 0;
}

void session_identity_start(struct session *s)
{
	loop_timer_set(s->asking->hello, HELLO_WAIT_MS);
	imds_run_start(s->asking->run);
}

void session_identity_end(struct session *s)
{
	struct session_identity *id = s->asking;

	if (!id->is_over)
		conclude(id, imds_run_end(id->run));
}

void session_identity_free(struct session *s)
{
	struct session_identity *id = s->asking;

	if (!id)
		return;
	imds_run_free(id->run);
	loop_timer_free(id->hello);
	loop_timer_free(id->forget);
	free(id);
}
