// SPDX-License-Identifier: Apache-2.0
/*
 * See jetstream.h. The process, its connection, the stream, and what stands in a message.
 */
#include "collector/jetstream_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/log.h"

static const char tag[] = "jetstream";

enum {
	RECONNECT_MS = 200,
	DUPLICATES_S = 600, /* an id is remembered so long */
	TOLD_MS = 10000,    /* a trouble that lasts is logged so often */
};

/* ---- talking with the collector ---- */

static void write_all(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0); /* the collector is gone */
		p += n;
		len -= (size_t)n;
	}
}

void bridge_say(struct bridge *b, struct relay_head *head, enum relay_type type,
		const void *message, size_t len)
{
	head->type = (uint16_t)type;
	head->len = (uint32_t)len;
	write_all(b->fd, head, sizeof *head);
	write_all(b->fd, message, len);
}

/* False at the end. */
static bool read_all(int fd, void *bytes, size_t len)
{
	char *p = bytes;
	ssize_t n;

	while (len > 0) {
		n = read(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

bool bridge_read(struct bridge *b, struct relay_head *head)
{
	return read_all(b->fd, head, sizeof *head) && head->len <= sizeof b->message &&
	       read_all(b->fd, b->message, head->len);
}

/* Troubles that last come again and again. */
void bridge_complain(struct bridge *b, const char *what, const char *why)
{
	uint64_t now = clock_mono_ns();

	if (b->told_ns != 0 && now < b->told_ns + TOLD_MS * (uint64_t)NS_PER_MS)
		return;
	b->told_ns = now;
	log_warn(tag, "%s: %s; trying again", what, why);
}

/* ---- headers ---- */

static bool set_header(natsMsg *msg, const char *name, const char *value)
{
	return natsMsgHeader_Set(msg, name, value) == NATS_OK;
}

bool jetstream_set_number(natsMsg *msg, const char *name, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%" PRIu64, value);
	return set_header(msg, name, text);
}

bool jetstream_get_number(natsMsg *msg, const char *name, uint64_t *ret)
{
	const char *text;
	char *end;

	if (natsMsgHeader_Get(msg, name, &text) != NATS_OK || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

const char *const jetstream_kinds[] = {
	[LEDGER_HELLO] = "hello", [LEDGER_BATCH] = "batch", [LEDGER_GAP] = "gap"};

bool jetstream_write_head(natsMsg *msg, const struct relay_head *head)
{
	char hex[SHA256_HEX];

	return set_header(msg, "Flowproof-Kind", jetstream_kinds[head->kind]) &&
	       set_header(msg, "Flowproof-Sensor", head->sensor) &&
	       set_header(msg, "Flowproof-Digest", crypto_hex(hex, head->digest, SHA256_BYTES)) &&
	       jetstream_set_number(msg, "Flowproof-Sequence", head->sequence) &&
	       jetstream_set_number(msg, "Flowproof-Records", head->records) &&
	       jetstream_set_number(msg, "Flowproof-Packets", head->packets) &&
	       jetstream_set_number(msg, "Flowproof-Received", head->received_ns);
}

static bool from_hex(uint8_t *out, size_t len, const char *text)
{
	if (strlen(text) != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned value;

		if (strspn(text + 2 * i, "0123456789abcdef") < 2 ||
		    sscanf(text + 2 * i, "%2x", &value) != 1)
			return false;
		out[i] = (uint8_t)value;
	}
	return true;
}

static bool read_kind(natsMsg *msg, struct relay_head *ret)
{
	const char *text;

	if (natsMsgHeader_Get(msg, "Flowproof-Kind", &text) != NATS_OK)
		return false;
	for (size_t i = 0; i < sizeof jetstream_kinds / sizeof jetstream_kinds[0]; i++) {
		if (jetstream_kinds[i] && strcmp(jetstream_kinds[i], text) == 0)
			ret->kind = (uint16_t)i;
	}
	return ret->kind != 0;
}

/* The stream's id ends the subject. */
bool jetstream_read_head(natsMsg *msg, struct relay_head *ret)
{
	const char *sensor, *digest, *stream = strrchr(natsMsg_GetSubject(msg), '.');

	*ret = (struct relay_head){.kind = 0};
	if (!read_kind(msg, ret) ||
	    natsMsgHeader_Get(msg, "Flowproof-Sensor", &sensor) != NATS_OK ||
	    natsMsgHeader_Get(msg, "Flowproof-Digest", &digest) != NATS_OK ||
	    !jetstream_get_number(msg, "Flowproof-Sequence", &ret->sequence) ||
	    !jetstream_get_number(msg, "Flowproof-Records", &ret->records) ||
	    !jetstream_get_number(msg, "Flowproof-Packets", &ret->packets) ||
	    !jetstream_get_number(msg, "Flowproof-Received", &ret->received_ns) ||
	    !wire_sensor_id_ok(sensor) || !from_hex(ret->digest, SHA256_BYTES, digest) || !stream ||
	    !from_hex(ret->stream, WIRE_STREAM_ID, stream + 1) || natsMsg_GetDataLength(msg) < 0 ||
	    natsMsg_GetDataLength(msg) > LEDGER_PAYLOAD_MAX)
		return false;
	(void)snprintf(ret->sensor, sizeof ret->sensor, "%s", sensor);
	ret->place = natsMsg_GetSequence(msg);
	return true;
}

/* ---- the stream ---- */

bool jetstream_make_stream(struct bridge *b)
{
	const char *subjects[] = {"flowproof.>"};
	const struct relay_options *o = b->options;
	jsStreamConfig config;
	jsStreamInfo *info = NULL;
	jsErrCode code = 0;
	natsStatus s = js_GetStreamInfo(&info, b->js, o->stream, NULL, &code);

	if (s == NATS_NOT_FOUND) {
		(void)jsStreamConfig_Init(&config);
		config.Name = o->stream;
		config.Description = "flowproof: hellos, batches and gaps as sensors sent them";
		config.Subjects = subjects;
		config.SubjectsLen = 1;
		config.Storage = js_FileStorage;
		config.Replicas = (int64_t)o->replicas;
		config.MaxAge = (int64_t)o->max_age_h * 3600 * NS_PER_S;
		config.Duplicates = (int64_t)DUPLICATES_S * NS_PER_S;
		config.Discard = js_DiscardNew; /* full: refuse, never forget */
		config.DenyDelete = true;
		config.DenyPurge = true;
		s = js_AddStream(&info, b->js, &config, NULL, &code);
		if (s == NATS_OK)
			log_info(tag, "made the stream %s: in files, %" PRIu64 " replicas",
				 o->stream, o->replicas);
	}
	if (s == NATS_OK && (info->Config->Storage != js_FileStorage ||
			     info->Config->Replicas < (int64_t)o->replicas))
		log_warn(tag,
			 "the stream %s has %lld replicas in %s: less than was asked for "
			 "(--jetstream-replicas %" PRIu64 ")",
			 o->stream, (long long)info->Config->Replicas,
			 info->Config->Storage == js_FileStorage ? "files" : "memory", o->replicas);
	jsStreamInfo_Destroy(info);
	if (s != NATS_OK)
		bridge_complain(b, "the stream cannot be reached", natsStatus_GetText(s));
	return s == NATS_OK;
}

static natsStatus set_options(natsOptions *no, const struct relay_options *o)
{
	const struct setting_list *urls = o->to.n > 0 ? &o->to : &o->from;
	bool is_tls = strncmp(urls->v[0], "tls:", 4) == 0;
	const char *v[SETTING_LIST_MAX];
	natsStatus s;

	for (size_t i = 0; i < urls->n; i++)
		v[i] = urls->v[i];
	s = natsOptions_SetServers(no, v, (int)urls->n);
	if (s == NATS_OK)
		s = natsOptions_SetName(no, "flowproof-collector");
	if (s == NATS_OK)
		s = natsOptions_SetMaxReconnect(no, -1);
	if (s == NATS_OK)
		s = natsOptions_SetReconnectWait(no, RECONNECT_MS);
	if (s == NATS_OK)
		s = natsOptions_SetRetryOnFailedConnect(no, true, NULL, NULL);
	if (s == NATS_OK && is_tls)
		s = natsOptions_SetSecure(no, true);
	if (s == NATS_OK && o->ca)
		s = natsOptions_LoadCATrustedCertificates(no, o->ca);
	if (s == NATS_OK && o->cert)
		s = natsOptions_LoadCertificatesChain(no, o->cert, o->key);
	if (s == NATS_OK && o->credentials)
		s = natsOptions_SetUserCredentialsFromFiles(no, o->credentials, NULL);
	return s;
}

static int make_options(natsOptions **ret, const struct relay_options *o, struct err *err)
{
	natsOptions *no = NULL;
	natsStatus s = natsOptions_Create(&no);
	const char *why;

	if (s == NATS_OK)
		s = set_options(no, o);
	if (s != NATS_OK) {
		why = nats_GetLastError(NULL);
		natsOptions_Destroy(no);
		return err_set(err, ERR_USAGE, "JetStream's URLs or files cannot be used: %s: %s",
			       natsStatus_GetText(s), why ? why : "");
	}
	*ret = no;
	return 0;
}

int jetstream_check(const struct relay_options *o, struct err *err)
{
	const struct setting_list *urls = o->to.n > 0 ? &o->to : &o->from;
	natsOptions *no;
	int rc;

	for (size_t i = 0; i < urls->n; i++) {
		if (strncmp(urls->v[i], "nats://", 7) != 0 && strncmp(urls->v[i], "tls://", 6) != 0)
			return err_set(err, ERR_USAGE,
				       "--%s-jetstream %s: a URL as tls://nats-1.example:4222",
				       o->to.n > 0 ? "to" : "from", urls->v[i]);
	}
	rc = make_options(&no, o, err);
	if (rc == 0)
		natsOptions_Destroy(no);
	return rc;
}

static natsStatus connect_to(struct bridge *b, natsOptions *no)
{
	jsOptions jo;
	natsStatus s = natsConnection_Connect(&b->conn, no);

	if (s == NATS_NOT_YET_CONNECTED) /* it goes on trying */
		s = NATS_OK;
	(void)jsOptions_Init(&jo);
	jo.Wait = JETSTREAM_WAIT_MS;
	jo.PublishAsync.AckHandler = jetstream_on_answer;
	if (s == NATS_OK)
		s = natsConnection_JetStream(&b->js, b->conn, &jo);
	return s;
}

/* ---- the process ---- */

void jetstream_run(const struct relay_options *options, const struct sandbox *sandbox, int fd)
{
	static struct bridge b;
	struct sandbox_state state;
	natsOptions *no = NULL;
	struct err err;
	natsStatus s;

	b.options = options;
	b.fd = fd;
	if (make_options(&no, options, &err) < 0 ||
	    (sandbox && sandbox_enter(sandbox, &state, &err) < 0)) {
		log_err(tag, "%s", err.text);
		_exit(1);
	}
	s = connect_to(&b, no);
	if (s != NATS_OK) {
		log_err(tag, "cannot begin: %s", natsStatus_GetText(s));
		_exit(1);
	}
	if (options->to.n > 0)
		jetstream_run_front(&b);
	else
		jetstream_run_writer(&b);
	_exit(0);
}
