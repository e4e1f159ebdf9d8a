// SPDX-License-Identifier: Apache-2.0
/*
 * Frames, and the small messages in them. The reader's buffer grows with the bytes that have come,
 * not with the length that was announced, and is given back with each frame: a peer that keeps
 * silent costs nothing.
 */
#include "proto/wire.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/bytes.h"
#include "platform/crypto_sign.h"
#include "platform/text.h"
#include "proto/arena.h"
#include "proto/flowproof.pb-c.h"

enum {
	BUFFER_MIN = 1024,
	SMALL_MEMORY = 2048, /* what unpacking a small message may take */
};

/* ---- frames ---- */

void wire_head(uint8_t out[static WIRE_HEAD], enum wire_type type, size_t len)
{
	assert(len < WIRE_FRAME_MAX);
	put_be32(out, (uint32_t)len + 1);
	out[4] = (uint8_t)type;
}

void wire_reader_fini(struct wire_reader *reader)
{
	free(reader->buffer);
	*reader = (struct wire_reader){.broken = reader->broken};
}

/* Checks as much of a head as is there. Gives the frame's whole size, or the head's until that is
 * known. */
static int frame_size(const uint8_t *bytes, size_t have, size_t *ret, struct err *err)
{
	uint32_t len;

	*ret = WIRE_HEAD;
	if (have < 4)
		return 0;
	len = be32(bytes);
	if (len == 0 || len > WIRE_FRAME_MAX)
		return err_set(err, ERR_FORMAT, "a frame of %u bytes: 1 to %d are allowed", len,
			       WIRE_FRAME_MAX);
	if (have < WIRE_HEAD)
		return 0;
	if (bytes[4] < WIRE_HELLO || bytes[4] > WIRE_GAP)
		return err_set(err, ERR_FORMAT, "a frame of the unknown type %u", bytes[4]);
	*ret = 4 + (size_t)len;
	return 0;
}

/* Room for `need` bytes more; at least doubled, never beyond the frame's `size`. */
static int grow(struct wire_reader *reader, size_t need, size_t size)
{
	size_t cap = reader->cap ? 2 * reader->cap : BUFFER_MIN;
	uint8_t *buffer;

	if (reader->cap - reader->have >= need)
		return 0;
	if (cap < reader->have + need)
		cap = reader->have + need;
	if (cap > size && size > BUFFER_MIN)
		cap = size;
	buffer = realloc(reader->buffer, cap);
	if (!buffer)
		return -ENOMEM;
	reader->buffer = buffer;
	reader->cap = cap;
	return 0;
}

/* Adds bytes to the frame in the buffer, or, with an empty buffer, cuts one from the input itself.
 */
static int feed_some(struct wire_reader *reader, struct rd *in, wire_frame_fn *fn, void *ctx,
		     struct err *err)
{
	bool buffered = reader->have > 0;
	const uint8_t *frame = buffered ? reader->buffer : in->p;
	size_t have = buffered ? reader->have : rd_left(in);
	size_t size, n;
	bool goes_on;
	int rc = frame_size(frame, have, &size, err);

	if (rc)
		return rc;
	if (have < size) {
		n = buffered && size - have < rd_left(in) ? size - have : rd_left(in);
		rc = grow(reader, n, size);
		if (rc)
			return rc;
		rd_copy(in, reader->buffer + reader->have, n);
		reader->have += n;
		frame = reader->buffer;
		have = reader->have;
		rc = frame_size(frame, have, &size, err);
		if (rc || have < size)
			return rc;
		buffered = true;
	}
	goes_on = fn(ctx, frame[4], frame + WIRE_HEAD, size - WIRE_HEAD);
	if (buffered)
		wire_reader_fini(reader);
	else
		(void)rd_take(in, size);
	return goes_on ? 0 : ERR_FORMAT;
}

int wire_reader_feed(struct wire_reader *reader, const uint8_t *bytes, size_t len,
		     wire_frame_fn *fn, void *ctx, struct err *err)
{
	struct rd in = rd_init(bytes, len);
	int rc = 0;

	if (reader->broken)
		return err_set(err, ERR_FORMAT, "nothing is read after a broken frame");
	while (rc == 0 && rd_left(&in) > 0)
		rc = feed_some(reader, &in, fn, ctx, err);
	if (rc) {
		reader->broken = true;
		wire_reader_fini(reader);
	}
	return rc;
}

/* ---- messages ---- */

/* Packs into `out` if there is room. */
static ssize_t encode(uint8_t *out, size_t cap, size_t max, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);

	if (len > cap || len > max)
		return ERR_FULL;
	return (ssize_t)protobuf_c_message_pack(message, out);
}

const char *wire_source_text(uint8_t source)
{
	static const char *const words[] = {[WIRE_SOURCE_UNKNOWN] = "unknown",
					    [WIRE_SOURCE_CONFIGURED] = "configured",
					    [WIRE_SOURCE_METADATA] = "imds"};

	return source < sizeof words / sizeof words[0] ? words[source] : "unknown";
}

/* protobuf-c's structures are not const-correct; packing only reads. */
static char *lent(const char *text)
{
	return (char *)(uintptr_t)(text ? text : "");
}

static ProtobufCBinaryData lent_bytes(const uint8_t *bytes, size_t len)
{
	return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)bytes};
}

static void lend_interface(Fp__Interface *to, const struct flowrec_identity *from,
			   const struct wire_link *link)
{
	for (size_t i = 0; i < FLOWREC_TEXTS; i++)
		assert(from->text[i]);
	fp__interface__init(to);
	to->name = lent(from->interface);
	to->n_texts = FLOWREC_TEXTS;
	to->texts = (char **)(uintptr_t)from->text;
	to->offload = link->offload;
	to->mtu = link->mtu;
	to->allowances = link->allowances;
	to->text_sources = lent_bytes(link->text_sources, sizeof link->text_sources);
	if (link->features_known) {
		to->features_case = FP__INTERFACE__FEATURES_OFFLOAD_FEATURES;
		to->offload_features = link->features;
	}
}

/* Each string costs its bytes, a tag and a length; a text's name has at most 29 bytes. */
enum {
	HELLO_INTERFACE = FLOWREC_IDENTITY_MAX + FLOWREC_ID_MAX + 4 * FLOWREC_TEXTS + 11,
	HELLO_RULE = FLOWREC_ID_MAX + 4, /* its severity too */
	HELLO_LARGEST = WIRE_INTERFACES_MAX * HELLO_INTERFACE + WIRE_RULES_MAX * HELLO_RULE +
			32 * FLOWREC_TEXTS + 3 * FLOWREC_ID_MAX + WIRE_POLICY_MAX +
			WIRE_LOGS_MAX * (WIRE_LOG_PATH_MAX + 4) + 512,
};
_Static_assert((int)HELLO_LARGEST <= (int)WIRE_HELLO_MAX, "the largest hello must fit");

ssize_t wire_hello_encode(uint8_t *out, size_t cap, const struct wire_hello *hello)
{
	Fp__Hello message;
	Fp__Interface interfaces[WIRE_INTERFACES_MAX];
	Fp__Interface *pointers[WIRE_INTERFACES_MAX];

	if (hello->n_interfaces > WIRE_INTERFACES_MAX || hello->n_rules > WIRE_RULES_MAX)
		return ERR_FULL;
	for (size_t i = 0; i < hello->n_interfaces; i++) {
		lend_interface(&interfaces[i], &hello->interfaces[i], &hello->links[i]);
		pointers[i] = &interfaces[i];
	}
	fp__hello__init(&message);
	message.protocol = hello->protocol;
	message.sensor = lent(hello->sensor);
	message.stream = lent_bytes(hello->stream, WIRE_STREAM_ID);
	message.boot_id = lent(hello->boot_id);
	message.build = lent(hello->build);
	message.config = lent_bytes(hello->config, SHA256_BYTES);
	message.policy = lent_bytes(hello->policy, SHA256_BYTES);
	message.n_interfaces = hello->n_interfaces;
	message.interfaces = pointers;
	message.n_text_names = FLOWREC_TEXTS;
	message.text_names = (char **)(uintptr_t)flowrec_text_names;
	message.n_rules = hello->n_rules;
	message.rules = (char **)(uintptr_t)hello->rules;
	message.severities = lent_bytes(hello->severities, hello->severities ? hello->n_rules : 0);
	message.aws_ranges = lent(hello->aws_ranges ? hello->aws_ranges : "");
	message.n_logs = hello->n_logs;
	message.logs = (char **)(uintptr_t)hello->logs;
	message.clock_ns = hello->clock_ns;
	message.replay = lent_bytes(hello->replay, hello->is_replay ? SHA256_BYTES : 0);
	message.window_s = hello->window_s;
	message.dates_wrong = hello->dates_wrong;
	message.resumed = hello->resumed;
	message.filtered = hello->filtered;
	message.policy_text = lent_bytes(hello->policy_text, hello->policy_text_len);
	message.certificate = lent_bytes(hello->certificate, hello->certificate_len);
	return encode(out, cap, WIRE_HELLO_MAX, &message.base);
}

/* Messages written one after the other are one, the later value of a field counts (protobuf, "last one
 * wins"). */
ssize_t wire_hello_resume(uint8_t *out, size_t cap, const uint8_t *hello, size_t len,
			  uint64_t clock_ns, bool dates_wrong)
{
	Fp__Hello now;
	ssize_t n;

	if (len > cap || len > WIRE_HELLO_MAX)
		return ERR_FULL;
	memcpy(out, hello, len);
	fp__hello__init(&now);
	now.clock_ns = clock_ns;
	now.dates_wrong = dates_wrong;
	now.resumed = true;
	n = encode(out + len, cap - len, WIRE_HELLO_MAX - len, &now.base);
	return n < 0 ? n : (ssize_t)len + n;
}

/* A blank would break a record's line in two fields: words only. */
static bool interface_ok(const Fp__Interface *from, size_t n_names)
{
	size_t sum = 0;

	if (!text_is_word(from->name, FLOWREC_ID_MAX) || from->n_texts > n_names)
		return false;
	for (size_t i = 0; i < from->n_texts; i++) {
		if (!text_is_word(from->texts[i], FLOWREC_TEXT_MAX))
			return false;
		sum += strlen(from->texts[i]);
	}
	return sum <= FLOWREC_IDENTITY_MAX;
}

static bool sources_ok(const Fp__Interface *from)
{
	for (size_t i = 0; i < from->text_sources.len; i++)
		if (from->text_sources.data[i] > WIRE_SOURCE_METADATA)
			return false;
	return from->text_sources.len == 0 || from->text_sources.len == from->n_texts;
}

/* Names that we do not know are of a newer sensor. */
static bool text_names_ok(const Fp__Hello *m)
{
	bool seen[FLOWREC_FIELDS + 1] = {false};

	for (size_t i = 0; i < m->n_text_names; i++) {
		const char *name = m->text_names[i];
		enum flowrec_field field = flowrec_field_by_name(name, strlen(name));

		if (field < FLOWREC_FIELDS &&
		    (seen[field] || flowrec_text_of(field) == FLOWREC_TEXTS))
			return false;
		seen[field] = true;
	}
	return true;
}

/* The rule that a hello breaks, or NULL. */
static const char *check_hello(const Fp__Hello *m)
{
	if (!wire_sensor_id_ok(m->sensor))
		return "the sensor's id is not 1 to 63 letters, digits, '.', '_', '-'";
	if (m->stream.len != WIRE_STREAM_ID)
		return "the stream's id does not have 16 bytes";
	if (m->config.len != SHA256_BYTES || m->policy.len != SHA256_BYTES)
		return "the digest of the configuration or policy does not have 32 bytes";
	if (m->replay.len != 0 && m->replay.len != SHA256_BYTES)
		return "the digest of the capture file does not have 32 bytes";
	if (m->certificate.len > CRYPTO_CERTIFICATE_MAX)
		return "its certificate is too long";
	if (m->policy_text.len > WIRE_POLICY_MAX)
		return "the policy's text is too long";
	if (m->window_s != 60 && m->window_s != 600)
		return "the window is not 60 or 600 seconds";
	if (!text_is_plain(m->boot_id, FLOWREC_ID_MAX) || !text_is_plain(m->build, FLOWREC_ID_MAX))
		return "the boot id or build is not plain text of at most 127 bytes";
	if (m->n_interfaces > WIRE_INTERFACES_MAX || m->n_rules > WIRE_RULES_MAX)
		return "it has too many interfaces or rules";
	if (m->n_text_names > WIRE_TEXT_NAMES_MAX || !text_names_ok(m))
		return "what it names as texts of an interface are none, or one twice, or too many";
	for (size_t i = 0; i < m->n_interfaces; i++) {
		if (!interface_ok(m->interfaces[i], m->n_text_names))
			return "the texts of an interface are not plain words, or too long";
		if (m->interfaces[i]->offload > WIRE_OFFLOAD_KERNEL ||
		    (m->interfaces[i]->features_case == FP__INTERFACE__FEATURES_OFFLOAD_FEATURES &&
		     m->interfaces[i]->offload_features > UINT8_MAX))
			return "an interface's offload has a value that does not exist";
		if (m->interfaces[i]->allowances > WIRE_ALLOWANCES_COUNTED)
			return "what an interface's driver counts has a value that does not exist";
		if (!sources_ok(m->interfaces[i]))
			return "who said the texts of an interface is not told as it should be";
	}
	if (m->n_logs > WIRE_LOGS_MAX)
		return "it follows too many log files";
	for (size_t i = 0; i < m->n_logs; i++) {
		if (!text_is_plain(m->logs[i], WIRE_LOG_PATH_MAX))
			return "the path of a log file is not plain text of at most 255 bytes";
	}
	if (m->severities.len != 0 && m->severities.len != m->n_rules)
		return "it does not have a severity for each rule";
	for (size_t i = 0; i < m->severities.len; i++) {
		if (m->severities.data[i] > WIRE_SEVERITY_MAX)
			return "a rule's severity has a value that does not exist";
	}
	if (!text_is_word(m->aws_ranges, FLOWREC_ID_MAX))
		return "the date of AWS's ranges is not a plain word";
	for (size_t i = 0; i < m->n_rules; i++) {
		if (!text_is_word(m->rules[i], FLOWREC_ID_MAX))
			return "a rule's name is not a plain word of at most 127 bytes";
	}
	return NULL;
}

static void take_interface(struct flowrec_identity *to, struct wire_link *link,
			   const Fp__Interface *from, const Fp__Hello *hello)
{
	flowrec_identity_init(to);
	to->interface = from->name;
	for (size_t i = 0; i < from->n_texts; i++) {
		const char *name = hello->text_names[i];
		enum flowrec_field field = flowrec_field_by_name(name, strlen(name));

		if (field < FLOWREC_FIELDS)
			to->text[flowrec_text_of(field)] = from->texts[i];
		if (field < FLOWREC_FIELDS && from->text_sources.len)
			link->text_sources[flowrec_text_of(field)] = from->text_sources.data[i];
	}
	link->offload = (uint8_t)from->offload;
	link->mtu = from->mtu;
	link->allowances = (uint8_t)from->allowances;
	link->features_known = from->features_case == FP__INTERFACE__FEATURES_OFFLOAD_FEATURES;
	if (link->features_known)
		link->features = (uint8_t)from->offload_features;
}

static void take_hello(struct wire_hello *to, const Fp__Hello *from)
{
	to->protocol = from->protocol;
	to->sensor = from->sensor;
	memcpy(to->stream, from->stream.data, WIRE_STREAM_ID);
	to->boot_id = from->boot_id;
	to->build = from->build;
	memcpy(to->config, from->config.data, SHA256_BYTES);
	memcpy(to->policy, from->policy.data, SHA256_BYTES);
	to->n_interfaces = from->n_interfaces;
	to->n_rules = from->n_rules;
	to->rules = (const char *const *)from->rules;
	to->severities = from->severities.len ? from->severities.data : NULL;
	to->aws_ranges = from->aws_ranges;
	to->n_logs = from->n_logs;
	to->logs = (const char *const *)from->logs;
	for (size_t i = 0; i < from->n_interfaces; i++)
		take_interface(&to->interfaces[i], &to->links[i], from->interfaces[i], from);
	/* All of them: a batch may name an interface that the hello did not. */
	for (size_t i = 0; i < WIRE_INTERFACES_MAX; i++) {
		to->interfaces[i].sensor = to->sensor;
		to->interfaces[i].rules = to->rules;
		to->interfaces[i].n_rules = to->n_rules;
	}
	to->clock_ns = from->clock_ns;
	to->is_replay = from->replay.len != 0;
	if (to->is_replay)
		memcpy(to->replay, from->replay.data, SHA256_BYTES);
	to->window_s = from->window_s;
	to->dates_wrong = from->dates_wrong;
	to->resumed = from->resumed;
	to->filtered = from->filtered;
	to->policy_text = from->policy_text.data;
	to->policy_text_len = from->policy_text.len;
	to->certificate = from->certificate.data;
	to->certificate_len = from->certificate.len;
}

/* `hello` has its storage, of arena_limit(len) bytes. */
static int decode_hello(struct wire_hello *hello, const uint8_t *bytes, size_t len, struct err *err)
{
	struct arena arena = {.bytes = hello->storage, .cap = arena_limit(len)};
	ProtobufCAllocator allocator = arena_allocator(&arena);
	const Fp__Hello *message = fp__hello__unpack(&allocator, len, bytes);
	const char *broken;

	if (!message)
		return err_set(err, ERR_FORMAT, "hello: not a message of its kind, or cut short");
	if (message->protocol != WIRE_PROTOCOL)
		return err_set(err, ERR_FORMAT,
			       "hello: version %u of the protocol, ours is %d: update the older of "
			       "the two programs",
			       message->protocol, WIRE_PROTOCOL);
	broken = check_hello(message);
	if (broken)
		return err_set(err, ERR_FORMAT, "hello: %s", broken);
	take_hello(hello, message);
	return 0;
}

int wire_hello_decode(struct wire_hello **ret, const uint8_t *bytes, size_t len, struct err *err)
{
	struct wire_hello *hello;
	int rc = -ENOMEM;

	if (len > WIRE_HELLO_MAX)
		return err_set(err, ERR_FORMAT, "hello of %zu bytes: at most %d are allowed", len,
			       WIRE_HELLO_MAX);
	hello = calloc(1, sizeof(*hello));
	if (!hello)
		return -ENOMEM;
	hello->storage = malloc(arena_limit(len));
	if (hello->storage)
		rc = decode_hello(hello, bytes, len, err);
	if (rc)
		wire_hello_free(hello);
	else
		*ret = hello;
	return rc;
}

void wire_hello_free(struct wire_hello *hello)
{
	if (!hello)
		return;
	free(hello->storage);
	free(hello);
}

ssize_t wire_welcome_encode(uint8_t *out, size_t cap, const struct wire_welcome *welcome)
{
	Fp__Welcome message;

	fp__welcome__init(&message);
	message.protocol = welcome->protocol;
	message.durable = welcome->durable;
	message.clock_ns = welcome->clock_ns;
	return encode(out, cap, WIRE_SMALL_MAX, &message.base);
}

/* Unpacks a small message into `memory`, which the message then borrows; NULL when it is none. */
static const ProtobufCMessage *unpack_small(const ProtobufCMessageDescriptor *kind, void *memory,
					    const uint8_t *bytes, size_t len)
{
	struct arena arena = {.bytes = memory, .cap = SMALL_MEMORY};
	ProtobufCAllocator allocator = arena_allocator(&arena);

	return len > WIRE_SMALL_MAX ? NULL
				    : protobuf_c_message_unpack(kind, &allocator, len, bytes);
}

int wire_welcome_decode(struct wire_welcome *ret, const uint8_t *bytes, size_t len)
{
	_Alignas(max_align_t) uint8_t memory[SMALL_MEMORY];
	const Fp__Welcome *m =
		(const void *)unpack_small(&fp__welcome__descriptor, memory, bytes, len);

	if (!m)
		return ERR_FORMAT;
	*ret = (struct wire_welcome){m->protocol, m->durable, m->clock_ns};
	return 0;
}

ssize_t wire_ack_encode(uint8_t *out, size_t cap, const struct wire_ack *ack)
{
	Fp__Ack message;

	fp__ack__init(&message);
	message.durable = ack->durable;
	message.clock_ns = ack->clock_ns;
	message.held_ns = ack->held_ns;
	return encode(out, cap, WIRE_SMALL_MAX, &message.base);
}

int wire_ack_decode(struct wire_ack *ret, const uint8_t *bytes, size_t len)
{
	_Alignas(max_align_t) uint8_t memory[SMALL_MEMORY];
	const Fp__Ack *m = (const void *)unpack_small(&fp__ack__descriptor, memory, bytes, len);

	if (!m)
		return ERR_FORMAT;
	*ret = (struct wire_ack){m->durable, m->clock_ns, m->held_ns};
	return 0;
}

ssize_t wire_refusal_encode(uint8_t *out, size_t cap, const char *reason)
{
	Fp__Refusal message;

	fp__refusal__init(&message);
	message.reason = lent(reason);
	return encode(out, cap, WIRE_SMALL_MAX, &message.base);
}

/* Whoever refuses is not trusted with our terminal: what is not printable ASCII becomes '?'. */
int wire_refusal_decode(char *out, const uint8_t *bytes, size_t len)
{
	_Alignas(max_align_t) uint8_t memory[SMALL_MEMORY];
	const Fp__Refusal *m =
		(const void *)unpack_small(&fp__refusal__descriptor, memory, bytes, len);
	size_t n;

	if (!m)
		return ERR_FORMAT;
	n = strnlen(m->reason, WIRE_SMALL_MAX - 1);
	for (size_t i = 0; i < n; i++)
		out[i] = m->reason[i] >= ' ' && m->reason[i] <= '~' ? m->reason[i] : '?';
	out[n] = '\0';
	return 0;
}

bool wire_sensor_id_ok(const char *id)
{
	size_t len = strlen(id);

	return len >= 1 && len < WIRE_SENSOR_ID_MAX && id[0] != '.' && id[0] != '-' &&
	       strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       len;
}
