// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof audit: what was verified, and the first fault.
 */
#include "analyst/command.h"
#include "analyst/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyst/seal.h"
#include "evidence/audit.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/json.h"
#include "platform/settings.h"

enum { FAULTS_SHOWN = 20, HEADS_FILE_MAX = 16 * 1024 * 1024 };

struct options {
	char *store, *ca, *heads;
	bool json, help;
};

#define AT(member) offsetof(struct options, member)

static const struct setting table[] = {
	OPTION_TEXT("store", 'd', AT(store), "DIR", "The collector's store, or a copy of it."),
	OPTION_TEXT("ca", 0, AT(ca), "FILE",
		    "Certificate of the CA that signed the collector's and the sensors' "
		    "certificates (PEM)."),
	OPTION_TEXT("heads", 0, AT(heads), "FILE",
		    "Heads that `flowproof seal` printed before: each must be in the chain."),
	OPTION_FLAG("json", AT(json), "One JSON object."),
	OPTION_HELP(AT(help)),
};

static const char *const ends[] = {
	[AUDIT_GOODBYE] = "goodbye", [AUDIT_OPEN] = "open", [AUDIT_CUT] = "cut"};

/* ---- text ---- */

static const char *time_ns_text(char out[static CLOCK_TEXT], uint64_t ns)
{
	return clock_text(out, ns / NS_PER_S);
}

static void print_stream(const struct audit_stream *s)
{
	char id[2 * WIRE_STREAM_ID + 1], from[CLOCK_TEXT], to[CLOCK_TEXT];

	printf("  stream %s  %s  batches %" PRIu64 "  records %" PRIu64 "  packets %" PRIu64,
	       crypto_hex(id, s->id, WIRE_STREAM_ID), s->is_replay ? "replay" : "live", s->batches,
	       s->sum.records, s->sum.packets);
	if (s->sum.first_s <= s->sum.last_s)
		printf("  %s to %s", clock_text(from, s->sum.first_s),
		       clock_text(to, s->sum.last_s));
	printf("\n    end: %s", ends[s->end]);
	printf(", signed by the sensor up to batch %" PRIu64 " of %" PRIu64, s->signed_upto,
	       s->chain.sequence);
	if (s->deleted > 0)
		printf(", %" PRIu64 " batches deleted by retention", s->deleted);
	if (s->dropped > 0)
		printf(", the sensor lost %" PRIu64 " packets", s->dropped);
	(void)putchar('\n');
	for (size_t i = 0; i < s->n_gaps; i++) {
		const struct batch_gap *g = &s->gaps[i].gap;

		printf("    gap: batches %" PRIu64 " to %" PRIu64 ", %" PRIu64
		       " records of %" PRIu64 " packets, %s to %s%s%s\n",
		       g->first, g->last, g->records, g->packets, clock_text(from, g->window_first),
		       clock_text(to, g->window_last),
		       g->elsewhere ? ", another collector has some of them" : "",
		       s->gaps[i].is_confirmed ? "" : ", NOT CONFIRMED by a later batch");
	}
}

static void print_text(const struct audit *a)
{
	char hex[SHA256_HEX], from[CLOCK_TEXT], to[CLOCK_TEXT];
	const struct audit_fault *first = audit_first(a);

	printf("manifests %" PRIu64 ", %" PRIu64 " of them without news, %s to %s; last %s\n",
	       a->manifests, a->empty, time_ns_text(from, a->first_ns),
	       time_ns_text(to, a->last_ns), crypto_hex(hex, a->head, SHA256_BYTES));
	for (size_t i = 0; i < a->n_certificates; i++)
		printf("  signed from manifest %" PRIu64 " on by certificate %s\n",
		       a->certificates[i].from,
		       crypto_hex(hex, a->certificates[i].sha256, SHA256_BYTES));
	printf("  starts %" PRIu64 ", %" PRIu64
	       " of them after a crash; bytes cut off at starts %" PRIu64
	       "; segments deleted by retention %" PRIu64 "%s\n",
	       a->starts, a->unclean_starts, a->cut_bytes, a->tombstones,
	       a->is_running ? "; a collector is running" : "");
	for (size_t i = 0; i < a->n_sensors; i++) {
		const struct audit_sensor *s = &a->sensors[i];

		printf("sensor %s: segments %" PRIu32 " to %" PRIu32 ", bytes %" PRIu64
		       ", in manifests %" PRIu64 "\n",
		       s->id, s->first, s->last, s->bytes, s->sealed_bytes);
		for (size_t j = 0; j < s->n_streams; j++)
			print_stream(&s->streams[j]);
	}
	for (size_t i = 0; i < a->n_kept && i < FAULTS_SHOWN; i++)
		printf("%s: %s, byte %" PRIu64 ": %s\n", audit_word(a->faults[i].grade),
		       a->faults[i].file, a->faults[i].offset, a->faults[i].reason);
	if (a->n_faults > FAULTS_SHOWN)
		printf("and %" PRIu64 " more\n", a->n_faults - FAULTS_SHOWN);
	printf("verdict: %s\n", audit_word(a->grade));
	if (first)
		printf("first: %s, byte %" PRIu64 ": %s\n", first->file, first->offset,
		       first->reason);
}

/* ---- JSON ---- */

static void put_hex(const char *name, const uint8_t *bytes, size_t len)
{
	char hex[SHA256_HEX];

	printf("\"%s\":\"%s\"", name, crypto_hex(hex, bytes, len));
}

static void put_fault(const struct audit_fault *f)
{
	printf("{\"grade\":\"%s\",\"file\":", audit_word(f->grade));
	json_print_string(stdout, f->file);
	printf(",\"offset\":%" PRIu64 ",\"reason\":", f->offset);
	json_print_string(stdout, f->reason);
	(void)putchar('}');
}

static void put_gap(const struct audit_gap *gap)
{
	const struct batch_gap *g = &gap->gap;

	printf("{\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"records\":%" PRIu64
	       ",\"packets\":%" PRIu64 ",\"from\":%" PRIu64 ",\"to\":%" PRIu64
	       ",\"elsewhere\":%s,\"confirmed\":%s}",
	       g->first, g->last, g->records, g->packets, g->window_first, g->window_last,
	       g->elsewhere ? "true" : "false", gap->is_confirmed ? "true" : "false");
}

static void put_stream(const struct audit_stream *s)
{
	(void)putchar('{');
	put_hex("stream", s->id, WIRE_STREAM_ID);
	printf(",\"mode\":\"%s\",\"end\":\"%s\",\"hellos\":%" PRIu64 ",\"batches\":%" PRIu64
	       ",\"batches_deleted\":%" PRIu64 ",\"records\":%" PRIu64 ",\"packets\":%" PRIu64,
	       s->is_replay ? "replay" : "live", ends[s->end], s->hellos, s->batches, s->deleted,
	       s->sum.records, s->sum.packets);
	if (s->sum.first_s <= s->sum.last_s)
		printf(",\"first\":%" PRIu64 ",\"last\":%" PRIu64, s->sum.first_s, s->sum.last_s);
	printf(",\"sequence\":%" PRIu64 ",", s->chain.sequence);
	put_hex("head", s->chain.digest, SHA256_BYTES);
	printf(",\"signed_heads\":%" PRIu64 ",\"signed_up_to\":%" PRIu64 ",\"dropped\":%" PRIu64
	       ",\"gaps\":[",
	       s->heads, s->signed_upto, s->dropped);
	for (size_t i = 0; i < s->n_gaps; i++) {
		if (i > 0)
			(void)putchar(',');
		put_gap(&s->gaps[i]);
	}
	printf("]}");
}

static void put_sensor(const struct audit_sensor *s)
{
	printf("{\"sensor\":\"%s\",\"first_segment\":%" PRIu32 ",\"last_segment\":%" PRIu32
	       ",\"segments_deleted\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"sealed_bytes\":%" PRIu64
	       ",\"streams\":[",
	       s->id, s->first, s->last, s->deleted, s->bytes, s->sealed_bytes);
	for (size_t i = 0; i < s->n_streams; i++) {
		if (i > 0)
			(void)putchar(',');
		put_stream(&s->streams[i]);
	}
	printf("]}");
}

static void put_manifests(const struct audit *a)
{
	printf("\"manifests\":{\"count\":%" PRIu64 ",\"empty\":%" PRIu64 ",\"first\":%" PRIu64
	       ",\"last\":%" PRIu64 ",\"starts\":%" PRIu64 ",\"starts_after_crash\":%" PRIu64
	       ",\"bytes_cut_at_starts\":%" PRIu64 ",\"tombstones\":%" PRIu64 ",",
	       a->manifests, a->empty, a->first_ns / NS_PER_S, a->last_ns / NS_PER_S, a->starts,
	       a->unclean_starts, a->cut_bytes, a->tombstones);
	put_hex("head", a->head, SHA256_BYTES);
	printf(",\"certificates\":[");
	for (size_t i = 0; i < a->n_certificates; i++) {
		printf("%s{\"from_manifest\":%" PRIu64 ",", i > 0 ? "," : "",
		       a->certificates[i].from);
		put_hex("sha256", a->certificates[i].sha256, SHA256_BYTES);
		(void)putchar('}');
	}
	printf("]}");
}

static void print_json(const struct audit *a)
{
	const struct audit_fault *first = audit_first(a);

	printf("{\"verdict\":\"%s\",\"running\":%s,\"first_fault\":", audit_word(a->grade),
	       a->is_running ? "true" : "false");
	if (first)
		put_fault(first);
	else
		printf("null");
	printf(",\"n_broken\":%" PRIu64 ",\"n_incomplete\":%" PRIu64 ",\"faults\":[",
	       a->n_faults - a->n_incomplete, a->n_incomplete);
	for (size_t i = 0; i < a->n_kept; i++) {
		if (i > 0)
			(void)putchar(',');
		put_fault(&a->faults[i]);
	}
	printf("],");
	put_manifests(a);
	printf(",\"sensors\":[");
	for (size_t i = 0; i < a->n_sensors; i++) {
		if (i > 0)
			(void)putchar(',');
		put_sensor(&a->sensors[i]);
	}
	printf("]}\n");
}

/* ---- the command ---- */

/* The head that a line holds, cut out of it; the line itself if there is none. */
static char *head_in(char *line)
{
	char *head = strstr(line, "flowproof-head ");
	size_t len;

	if (!head || head == line)
		return line;
	len = strlen("flowproof-head ");
	len += strspn(head + len, "0123456789");
	len += head[len] == ' ';
	len += strspn(head + len, "0123456789abcdef");
	head[len] = '\0';
	return head;
}

/* An alert, as JSON or syslog, need not hold one. */
static bool is_alert(const char *line)
{
	line += strspn(line, "0123456789 ");
	return *line == '{' || *line == '<';
}

/* The lines of a file that `flowproof seal` printed, or alerts in which heads are. */
static int read_heads(const char *file, struct audit_options *options, struct err *err)
{
	char *text = NULL, *rest, *line;
	size_t len, at = 0;
	int rc = file_read_all(file, HEADS_FILE_MAX, &text, &len, err);

	if (rc < 0)
		return rc;
	options->heads = calloc(len / SEAL_LINE_MIN + 1, sizeof *options->heads);
	if (!options->heads)
		rc = err_set(err, -ENOMEM, "no memory for %s", file);
	for (rest = text; rc == 0 && (line = strsep(&rest, "\n")) != NULL;) {
		at++;
		if (*line == '\0' || *line == '#')
			continue;
		line = head_in(line);
		if (is_alert(line))
			continue;
		if (!seal_parse(line, &options->heads[options->n_heads++]))
			rc = err_set(err, ERR_USAGE,
				     "%s:%zu: not a line that `flowproof seal` printed", file, at);
	}
	free(text);
	return rc;
}

static int run(void *given, struct err *err)
{
	const struct options *o = given;
	struct audit_options options = {.enough = AUDIT_INTACT};
	struct audit *audit = NULL;
	int rc;

	if (!o->store)
		return err_set(err, ERR_USAGE,
			       "--store is missing: the folder the collector writes to");
	if (!o->ca)
		return err_set(err, ERR_USAGE, "--ca is missing: the certificate of the CA");
	rc = crypto_ca_new(&options.ca, o->ca, err);
	if (rc == 0 && o->heads)
		rc = read_heads(o->heads, &options, err);
	if (rc == 0)
		rc = audit_run(&audit, o->store, &options, err);
	if (rc == 0) {
		if (o->json)
			print_json(audit);
		else
			print_text(audit);
		rc = audit->grade != AUDIT_INTACT;
	}
	audit_free(audit);
	free(options.heads);
	crypto_ca_free(options.ca);
	return rc;
}

static const struct command command = {
	.name = "audit",
	.usage = "usage: flowproof audit -d STORE --ca FILE [--heads FILE] [--json]\n\n"
		 "Holds everything below the store against the signed manifests, the streams' "
		 "chains and the\n"
		 "sensors' signatures. Ends with 0 if it is intact, 1 if it is incomplete or "
		 "broken.\n\n",
	COMMAND_OPTIONS(struct options, help, table),
	.run = run,
};

int audit_main(int argc, char **argv)
{
	return command_main(&command, argc, argv);
}
