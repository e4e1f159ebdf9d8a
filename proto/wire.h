// SPDX-License-Identifier: Apache-2.0
/*
 * Frames and the small messages: Hello, Welcome, Ack, Refusal. Batches and Gaps are in batch.h, the schema
 * in flowproof.proto.
 *
 *      0        4      5
 *     +--------+------+-----------------+
 *     | length | type | message         |    length: of type and message,
 *     +--------+------+-----------------+    big-endian, 1..WIRE_FRAME_MAX
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "platform/crypto.h"
#include "platform/err.h"
#include "proto/flowrec.h"

enum {
	WIRE_PROTOCOL = 1,
	WIRE_HEAD = 5,                /* bytes before the message */
	WIRE_FRAME_MAX = 1024 * 1024, /* bytes of type and message */
	WIRE_STREAM_ID = 16,
	WIRE_INTERFACES_MAX = 16,
	WIRE_LOGS_MAX = 16,      /* log files that a sensor follows */
	WIRE_LOG_PATH_MAX = 255, /* bytes of its path */
	WIRE_RULES_MAX = 1024,
	WIRE_SEVERITY_MAX = 5, /* the gravest of enum policy_severity */
	WIRE_TEXT_NAMES_MAX = 128,
	WIRE_POLICY_MAX = 24 * 1024, /* bytes of a policy's text that a Hello carries */
	WIRE_HELLO_MAX = 232 * 1024, /* bytes of an encoded Hello */
	WIRE_SMALL_MAX = 512,        /* bytes of an encoded Welcome, Ack or Refusal */
	WIRE_SENSOR_ID_MAX =
		64, /* bytes with NUL; letters, digits, '.', '_', '-'; not '.' or '-' first */
};

enum wire_type { WIRE_HELLO = 1, WIRE_WELCOME, WIRE_BATCH, WIRE_ACK, WIRE_REFUSAL, WIRE_GAP };

/* ---- frames ---- */

/* Puts a frame's head before a message of `len` bytes. */
void wire_head(uint8_t out[static WIRE_HEAD], enum wire_type type, size_t len);

/* Cuts a byte stream into frames. Begins zeroed. Holds at most one frame; grows as its bytes
 * arrive, at most to WIRE_FRAME_MAX, and holds nothing between frames. */
struct wire_reader {
	uint8_t *buffer;
	size_t have, cap;
	bool broken;
};

/* Called for each whole frame; the bytes are valid during the call. Return false to stop reading
 * (the peer is refused). */
typedef bool wire_frame_fn(void *ctx, enum wire_type type, const uint8_t *message, size_t len);

/* Takes bytes in any portions. 0; ERR_FORMAT after a length of 0 or above WIRE_FRAME_MAX or an
 * unknown type, or when `fn` returned false (`err` is then left as `fn` may have set it); -ENOMEM.
 * Sticky: after a failure nothing more is read. */
int wire_reader_feed(struct wire_reader *reader, const uint8_t *bytes, size_t len,
		     wire_frame_fn *fn, void *ctx, struct err *err);
void wire_reader_fini(struct wire_reader *reader);

/* ---- messages ---- */

/* How frames that stand for several packets of the wire are counted. */
enum wire_offload {
	WIRE_OFFLOAD_UNKNOWN,
	WIRE_OFFLOAD_AS_IS,    /* each as one */
	WIRE_OFFLOAD_ESTIMATE, /* by MSS and MTU */
	WIRE_OFFLOAD_KERNEL,   /* by the number that the kernel keeps beside them */
};

/* Does the driver count what AWS ENA calls allowances? */
enum wire_allowances { WIRE_ALLOWANCES_UNKNOWN, WIRE_ALLOWANCES_NONE, WIRE_ALLOWANCES_COUNTED };

/* Who said a text of an interface. The values travel on the wire. */
enum wire_source {
	WIRE_SOURCE_UNKNOWN,    /* nobody: it is empty */
	WIRE_SOURCE_CONFIGURED, /* who started the sensor */
	WIRE_SOURCE_METADATA,   /* EC2's instance metadata */
};
/* "unknown", "configured", "imds". */
const char *wire_source_text(uint8_t source);

/* Of an interface when the run began. */
struct wire_link {
	uint8_t offload; /* enum wire_offload */
	bool features_known;
	uint8_t features;                    /* bits of enum nic_offload */
	uint8_t allowances;                  /* enum wire_allowances */
	uint32_t mtu;                        /* bytes of an IP packet; 0: unknown */
	uint8_t text_sources[FLOWREC_TEXTS]; /* enum wire_source, by enum flowrec_text */
};

/* Strings are borrowed from the caller when encoding; when decoded they belong to the hello and go
 * with wire_hello_free(). */
struct wire_hello {
	uint32_t protocol;
	const char *sensor;
	uint8_t stream[WIRE_STREAM_ID];
	const char *boot_id;
	const char *build;
	uint8_t config[SHA256_BYTES];
	uint8_t policy[SHA256_BYTES];
	size_t n_interfaces;
	/* Encoding: no text is NULL (flowrec_identity_init()). Decoding fills .sensor and .rules. */
	struct flowrec_identity interfaces[WIRE_INTERFACES_MAX];
	struct wire_link links[WIRE_INTERFACES_MAX];
	size_t n_rules;
	const char *const *rules;
	const uint8_t
		*severities;    /* of the rules, n_rules bytes: enum policy_severity. NULL: none */
	const char *aws_ranges; /* createDate of the ranges that the policy names; "": none */
	size_t n_logs;
	const char *const *logs; /* paths of the log files that are followed, by number */
	uint64_t clock_ns;
	bool is_replay;
	uint8_t replay[SHA256_BYTES];
	uint32_t window_s;
	bool dates_wrong;
	bool resumed;               /* a former run's stream, out of its spool's file */
	bool filtered;              /* a filter leaves packets out */
	const uint8_t *policy_text; /* not checked against `policy`; no NUL */
	size_t policy_text_len;     /* 0: too long to be told; at most WIRE_POLICY_MAX */
	const uint8_t *certificate; /* the sensor's, DER */
	size_t certificate_len;     /* 0: none */
	void *storage;              /* of a decoded hello */
};

/* Encoders write to `out` and return the length, or ERR_FULL. They allocate only what is freed
 * before they return. */
ssize_t wire_hello_encode(uint8_t *out, size_t cap, const struct wire_hello *hello);
/* An encoded hello once more, for the rest of a former run's stream, with what is true now. */
ssize_t wire_hello_resume(uint8_t *out, size_t cap, const uint8_t *hello, size_t len,
			  uint64_t clock_ns, bool dates_wrong);
/* ERR_FORMAT with the reason: another WIRE_PROTOCOL, wrong sizes, an id outside [A-Za-z0-9._-], a
 * string with controls, bytes that are not UTF-8 or more than FLOWREC_ID_MAX bytes, a blank in a
 * text of an interface or in a rule's name, texts of an interface beyond FLOWREC_TEXT_MAX or
 * FLOWREC_IDENTITY_MAX, window not 60 or 600. Unknown fields and names of texts are passed over. All
 * entries of `interfaces` get .sensor and .rules. -ENOMEM. */
int wire_hello_decode(struct wire_hello **ret, const uint8_t *bytes, size_t len, struct err *err);
void wire_hello_free(struct wire_hello *hello);

/* Of the small messages: decoders give ERR_FORMAT. `durable`: number of the last batch of the stream that is on the
 * collector's disk, 0 for none. */
struct wire_welcome {
	uint32_t protocol;
	uint64_t durable;
	uint64_t clock_ns; /* the collector's wall clock */
};
ssize_t wire_welcome_encode(uint8_t *out, size_t cap, const struct wire_welcome *welcome);
int wire_welcome_decode(struct wire_welcome *ret, const uint8_t *bytes, size_t len);

struct wire_ack {
	uint64_t durable;
	uint64_t clock_ns; /* the collector's wall clock when this was sent */
	uint64_t held_ns;  /* so long before it came the batch `durable`; UINT64_MAX: not known */
};
ssize_t wire_ack_encode(uint8_t *out, size_t cap, const struct wire_ack *ack);
int wire_ack_decode(struct wire_ack *ret, const uint8_t *bytes, size_t len);

ssize_t wire_refusal_encode(uint8_t *out, size_t cap, const char *reason);
/* The reason, made printable, into `out` (WIRE_SMALL_MAX bytes). */
int wire_refusal_decode(char *out, const uint8_t *bytes, size_t len);

/* True for an id that may name a sensor: it also names a folder and a certificate. */
bool wire_sensor_id_ok(const char *id);
