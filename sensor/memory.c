// SPDX-License-Identifier: Apache-2.0
/*
 * memory: sizes told by those who allocate. The uplink's and TLS' are of foreign libraries: bounds,
 * from their settings and from measuring.
 */
#include "sensor/memory.h"

#include "platform/config.h"
#include "platform/responder.h"
#include "proto/batch.h"
#include "proto/wire.h"
#include "sensor/alert.h"
#include "sensor/capture.h"
#include "sensor/endpoint.h"
#include "sensor/flow.h"
#include "sensor/fragment.h"
#include "sensor/names.h"
#include "sensor/offload.h"
#include "sensor/rhythm.h"
#include "sensor/session.h"
#include "sensor/spool.h"
#include "sensor/tail.h"
#include "sensor/uplink.h"

enum {
	/* mbedTLS: a record each way of 16 KiB and what it is decrypted to, two certificates, the
	 * handshake. */
	TLS_BYTES = 96 * 1024,
	/* libpcap's buffer for one frame of a file, at the largest snapshot length. */
	FRAME_BYTES = CAPTURE_SNAPLEN,
};

static void part(FILE *out, size_t *sum, const char *name, size_t bytes)
{
	fprintf(out, "# memory %s %zu\n", name, bytes);
	*sum += bytes;
}

void memory_print(const struct options *o, FILE *out)
{
	size_t sum = 0;

	part(out, &sum, "flow-table", flow_memory((size_t)o->flow_slots));
	part(out, &sum, "endpoint-table", endpoint_memory((size_t)o->endpoint_slots));
	part(out, &sum, "alert-table", alert_memory(CONFIG_ALERT_SLOTS));
#ifdef CONFIG_FRAGMENTS
	part(out, &sum, "fragment-table", fragment_memory(CONFIG_FRAGMENT_SLOTS));
#endif
	if (IS_ENABLED(CONFIG_NAMES))
		part(out, &sum, "names", names_memory());
#ifdef CONFIG_RHYTHM
	part(out, &sum, "rhythm", rhythm_memory(CONFIG_RHYTHM_SLOTS));
#endif
	part(out, &sum, "offload-table", offload_memory());
	if (IS_ENABLED(CONFIG_BLIND) && o->blind_s)
		part(out, &sum, "blind", session_blind_memory());
	if (IS_ENABLED(CONFIG_IMDS) && o->asks_metadata)
		part(out, &sum, "metadata", session_identity_memory());
	part(out, &sum, "capture-file", 2 * (size_t)CAPTURE_FILE_BUFFER + FRAME_BYTES);
	part(out, &sum, "text-output", (size_t)CONFIG_OUTPUT_KIB * 1024);
	if (IS_ENABLED(CONFIG_STREAM)) {
		part(out, &sum, "batch-writer", batch_writer_memory());
		part(out, &sum, "spool",
		     spool_memory((size_t)(o->spool ? o->spool_bytes : o->spool_kib * 1024),
				  o->spool != NULL));
		part(out, &sum, "hello", (size_t)WIRE_HEAD + WIRE_HELLO_MAX);
		part(out, &sum, "uplink-ahead", (size_t)UPLINK_AHEAD_BYTES + BATCH_WRITE_BYTES);
		part(out, &sum, "tls", TLS_BYTES);
		if (IS_ENABLED(CONFIG_TAIL) && o->tails.n)
			part(out, &sum, "tail",
			     tail_memory(o->tails.n) + tail_opener_memory() +
				     batch_writer_logs_memory());
	}
#ifdef CONFIG_METRICS
	if (o->metrics)
		part(out, &sum, "metrics", responder_memory());
#endif
	fprintf(out, "# memory all %zu\n", sum);
	if (IS_ENABLED(CONFIG_LIVE))
		fprintf(out, "# memory ring %llu\n",
			(unsigned long long)o->ring_kib * 1024 *
				(o->interfaces.n ? o->interfaces.n : 1));
}
