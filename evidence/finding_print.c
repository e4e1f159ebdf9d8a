// SPDX-License-Identifier: Apache-2.0
/*
 * A finding as a line of text, and as JSON.
 */
#include <inttypes.h>

#include "evidence/finding.h"
#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/json.h"

#define COLUMNS "%-8s  %-20s  %-20s  %-28s  %-9s  %-20s  %s\n"

void finding_print_header(FILE *out)
{
	(void)fprintf(out, COLUMNS, "severity", "kind", "first", "remote port/protocol", "reached",
		      "sensor", "what");
}

enum { LINE = FINDING_SENTENCE + FINDING_NAMES * 260 };

/* "a.example, b.example: it was ..." */
static const char *with_names(char out[static LINE], const char *what,
			      const struct finding_origin *origin)
{
	size_t len = 0;

	for (size_t i = 0; i < origin->n_names; i++)
		len += (size_t)snprintf(out + len, LINE - len, "%s%s", i ? ", " : "",
					origin->names[i]);
	(void)snprintf(out + len, LINE - len, "%s%s%s", origin->more_names ? ", ..." : "",
		       len ? ": " : "", what);
	return out;
}

void finding_print(const struct finding *f, const struct finding_origin *origin, FILE *out)
{
	char first[CLOCK_TEXT], address[ADDR_TEXT], protocol[FINDING_PROTOCOL_TEXT];
	char sensor[256], remote[96], port[8] = "", what[FINDING_SENTENCE], line[LINE];

	(void)snprintf(sensor, sizeof sensor, "%s%s%s%s", origin->sensor,
		       *origin->interface ? "/" : "", origin->interface,
		       origin->is_replay ? " (replay)" : "");
	if (f->key.port)
		(void)snprintf(port, sizeof port, "%u/", (unsigned)f->key.port);
	if (finding_has_remote(f))
		(void)snprintf(remote, sizeof remote, "%s%s %s%s", finding_remote_text(address, f),
			       finding_addresses(f) > 1 ? " ..." : "", port,
			       finding_protocol_text(protocol, f->key.protocol));
	else
		(void)snprintf(remote, sizeof remote, "-");
	(void)fprintf(out, COLUMNS, finding_severity_text((enum finding_severity)f->severity),
		      finding_kinds[f->key.kind].name, clock_text(first, f->first), remote,
		      finding_has_remote(f) ? finding_reached_text((enum finding_reached)f->reached)
					    : "-",
		      sensor, with_names(line, finding_say(what, VERDICT_EN, f), origin));
}

void finding_print_streams(const struct finding *f, const struct finding_origin *origin, FILE *out)
{
	char hex[2 * WIRE_STREAM_ID + 1];

	for (size_t i = 0; i < f->evidence.n; i++) {
		(void)fprintf(out, "%s{\"stream\":\"%s\",\"batches\":[%" PRIu64 ",%" PRIu64 "]}",
			      i ? "," : "", crypto_hex(hex, origin->streams[i], WIRE_STREAM_ID),
			      f->evidence.spans[i].first, f->evidence.spans[i].last);
	}
}

void finding_print_json(const struct finding *f, const struct finding_origin *origin, FILE *out)
{
	finding_print_json_in(f, origin, VERDICT_EN, out);
}

void finding_print_json_in(const struct finding *f, const struct finding_origin *origin,
			   enum verdict_lang lang, FILE *out)
{
	const struct finding_traffic *t = &f->traffic;
	char remote[ADDR_TEXT], what[FINDING_SENTENCE];

	(void)fprintf(out,
		      "{\"kind\":\"%s\",\"severity\":\"%s\",\"remote\":\"%s\",\"port\":%u,"
		      "\"protocol\":%u,"
		      "\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"sensor\":",
		      finding_kinds[f->key.kind].name,
		      finding_severity_text((enum finding_severity)f->severity),
		      finding_remote_text(remote, f), (unsigned)f->key.port,
		      (unsigned)f->key.protocol, f->first, f->last);
	json_print_string(out, origin->sensor);
	(void)fputs(",\"interface\":", out);
	json_print_string(out, origin->interface);
	(void)fprintf(out,
		      ",\"mode\":\"%s\",\"direction\":\"%s\",\"reached\":\"%s\",\"outcome\":\"%s\","
		      "\"flows\":%" PRIu64 ",\"packets_out\":%" PRIu64 ",\"bytes_out\":%" PRIu64
		      ",\"packets_in\":%" PRIu64 ",\"bytes_in\":%" PRIu64,
		      origin->is_replay ? "replay" : "live",
		      flowrec_direction_text((enum flowrec_direction)f->key.direction),
		      finding_reached_text((enum finding_reached)f->reached),
		      flowrec_outcome_text((enum flowrec_outcome)f->outcome), t->records,
		      t->packets_out, t->bytes_out, t->packets_in, t->bytes_in);
	(void)fputs(",\"name\":", out);
	if (f->name)
		json_print_string(out, f->name);
	else
		(void)fputs("null", out);
	(void)fputs(",\"names\":[", out);
	for (size_t i = 0; i < origin->n_names; i++) {
		if (i)
			(void)fputc(',', out);
		json_print_string(out, origin->names[i]);
	}
	(void)fprintf(out, "],\"more_names\":%s", origin->more_names ? "true" : "false");
	(void)fprintf(out, ",\"addresses\":%" PRIu64, finding_addresses(f));
	(void)fprintf(out, ",\"count\":%" PRIu64 ",\"under_way\":%s,\"what\":", f->count,
		      f->under_way ? "true" : "false");
	json_print_string(out, finding_say(what, lang, f));
	(void)fputs(",\"evidence\":[", out);
	finding_print_streams(f, origin, out);
	(void)fprintf(out, "],\"more_streams\":%s}\n", f->evidence.more ? "true" : "false");
}
