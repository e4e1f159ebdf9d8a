// SPDX-License-Identifier: Apache-2.0
/*
 * The sensor's own signatures: what it signed last holds for all batches before, and its key is that of its certificate.
 */
#include "evidence/audit_sensor.h"

#include <errno.h>
#include <string.h>

#include "platform/clock.h"

typedef unsigned long long ull;

enum { UNSIGNED_S_MAX = 300 }; /* a sensor signs at least every minute: there may be some delay */

/* A signed batch names the one before it, and so on: the last signature holds for all before it. */
static int check_head(struct auditing *a, const struct audit_sensor *sensor,
		      const struct audit_stream *stream, const char *path)
{
	struct segment *file = &a->file;
	struct segment_entry entry;
	struct segment_fault bad;
	struct err err;
	int rc = segment_open(file, path, stream->signed_segment, &err);

	if (rc == -ENOMEM)
		return rc;
	file->at = stream->signed_offset;
	rc = rc == 0 ? segment_next(file, &entry, &bad) : 0;
	if (rc != SEGMENT_ENTRY || entry.sequence != stream->signed_upto ||
	    batch_signature_check(entry.payload, entry.len, stream->id, stream->certificate,
				  stream->certificate_len) != BATCH_SIGNED)
		return audit_fault(a, AUDIT_BROKEN, path, stream->signed_offset,
				   "the signature is not that of the key of sensor %s", sensor->id);
	return 0;
}

/* Whom the stream's key belongs to, and that it signed what it should. */
static int check_stream(struct auditing *a, const struct audit_sensor *sensor,
			const struct audit_stream *stream)
{
	char path[LEDGER_PATH_MAX];
	struct err err;
	int rc = 0;

	audit_segment_path(a, sensor->id, stream->hello_segment, path);
	if (crypto_ca_check(a->options->ca, stream->certificate, stream->certificate_len,
			    CRYPTO_CLIENT, sensor->id, stream->hello_ns / NS_PER_S, &err) < 0)
		rc = audit_fault(a, AUDIT_BROKEN, path, stream->hello_offset,
				 "the sensor's certificate: %s", err.text);
	if (rc == 0 && stream->heads > 0) {
		audit_segment_path(a, sensor->id, stream->signed_segment, path);
		rc = check_head(a, sensor, stream, path);
	}
	audit_segment_path(a, sensor->id, stream->at_segment, path);
	if (rc == 0 && stream->end == AUDIT_GOODBYE &&
	    stream->signed_upto != stream->chain.sequence)
		rc = audit_fault(a, AUDIT_BROKEN, path, stream->at_offset,
				 "the goodbye is not signed by the sensor");
	else if (rc == 0 && stream->batches > 0 &&
		 stream->at_ns > (stream->heads ? stream->signed_ns : stream->hello_ns) +
					 (uint64_t)UNSIGNED_S_MAX * NS_PER_S)
		rc = audit_fault(a, AUDIT_INCOMPLETE, path, stream->at_offset,
				 "the sensor signed nothing after batch %llu",
				 (ull)stream->signed_upto);
	return rc;
}

int audit_sensor_signatures(struct auditing *a, struct audit_sensor *sensor)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sensor->n_streams; i++) {
		if (sensor->streams[i]
			    .certificate) /* else its hello is deleted, or missing and told */
			rc = check_stream(a, sensor, &sensor->streams[i]);
	}
	segment_close(&a->file);
	return rc;
}
