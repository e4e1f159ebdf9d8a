// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof logs.
 */
#include "analyst/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyst/query.h"
#include "evidence/log_sums.h"
#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/json.h"
#include "platform/text.h"

struct options {
	struct query query;
	char *file;
	bool raw, summary;
};

#define AT(member) offsetof(struct options, member)

static const struct setting table[] = {
	QUERY_SETTINGS(struct options, query),
	OPTION_TEXT("file", 0, AT(file), "PATH",
		    "Only this file, and without a line that names it."),
	OPTION_FLAG("summary", AT(summary),
		    "Instead of lines print each file: how much came, what is missing, what became "
		    "of it."),
	OPTION_FLAG("raw", AT(raw), "Control characters to a terminal, too, as they are."),
};

struct printer {
	const struct options *o;
	struct log_sums *logs;
	bool escapes;                                                 /* to a terminal */
	char sensor[WIRE_SENSOR_ID_MAX], path[WIRE_LOG_PATH_MAX + 1]; /* printed last */
	bool is_in_line; /* what was printed last does not end a line */
	uint8_t line[BATCH_LOG_PIECE_MAX + 1];
	char hex[2 * BATCH_LOG_PIECE_MAX + 1];
};

/* ---- bytes ---- */

/* What a terminal may take for a command is shown as a number. `bytes` end with a NUL behind them. */
static void put_escaped(const uint8_t *bytes, size_t len)
{
	const char *at = (const char *)bytes, *end = at + len;

	while (at < end) {
		const char *from = at;
		uint32_t c = text_next(&at);

		if (c == '\n' || c == '\t' || (c >= ' ' && c != 0x7f && (c < 0x80 || c > 0x9f))) {
			(void)fwrite(from, 1, (size_t)(at - from), stdout);
		} else {
			if (at == from)
				at++;
			for (; from < at; from++)
				printf("\\x%02x", (unsigned)(uint8_t)*from);
		}
	}
}

static void print_bytes(struct printer *p, const struct ledger_entry *entry, const char *path,
			const struct batch_log *piece)
{
	bool is_other = strcmp(p->sensor, entry->sensor) != 0 || strcmp(p->path, path) != 0;

	if (is_other && !p->o->file) {
		printf("%s==> %s %s <==\n", p->is_in_line ? "\n" : "", entry->sensor, path);
		(void)snprintf(p->sensor, sizeof p->sensor, "%s", entry->sensor);
		(void)snprintf(p->path, sizeof p->path, "%s", path);
	}
	memcpy(p->line, piece->bytes, piece->len);
	p->line[piece->len] = '\0';
	if (p->escapes)
		put_escaped(p->line, piece->len);
	else
		(void)fwrite(p->line, 1, piece->len, stdout);
	p->is_in_line = p->line[piece->len - 1] != '\n';
}

/* ---- JSON ---- */

static void begin_object(const struct ledger_entry *entry, const char *path,
			 const struct batch_log *piece, uint64_t offset)
{
	char hex[2 * WIRE_STREAM_ID + 1];

	printf("{\"time_ns\":%" PRIu64 ",\"sensor\":\"%s\",\"stream\":\"%s\",\"file\":",
	       piece->time_ns, entry->sensor, crypto_hex(hex, entry->stream, WIRE_STREAM_ID));
	json_print_string(stdout, path);
	printf(",\"inode\":%" PRIu64 ",\"offset\":%" PRIu64, piece->inode, offset);
}

static bool is_utf8(const char *text, size_t len)
{
	const char *at = text;

	while (at < text + len)
		if (text_next(&at) == 0)
			return false;
	return true;
}

/* A line without its end; `whole`: it ended. */
static void print_line(struct printer *p, size_t len, bool whole)
{
	p->line[len] = '\0';
	if (is_utf8((const char *)p->line, len)) {
		printf(",\"line\":");
		json_print_string(stdout, (const char *)p->line);
	} else {
		printf(",\"hex\":\"%s\"", crypto_hex(p->hex, p->line, len));
	}
	printf(",\"whole\":%s}\n", whole ? "true" : "false");
}

static void print_json(struct printer *p, const struct ledger_entry *entry, const char *path,
		       const struct batch_log *piece)
{
	if (!piece->len) {
		begin_object(entry, path, piece, piece->offset);
		printf(",\"left_out\":%" PRIu64 ",\"why\":\"%s\"}\n", piece->left_out,
		       batch_log_why_text((enum batch_log_why)piece->why));
		return;
	}
	for (size_t at = 0; at < piece->len;) {
		const uint8_t *begin = piece->bytes + at;
		const uint8_t *nl = memchr(begin, '\n', piece->len - at);
		size_t len = nl ? (size_t)(nl - begin) : piece->len - at;

		begin_object(entry, path, piece, piece->offset + at);
		memcpy(p->line, begin, len);
		print_line(p, len, nl != NULL);
		at += len + (nl != NULL);
	}
}

/* ---- the walk ---- */

static bool wants(const struct printer *p, const char *path)
{
	return !p->o->file || strcmp(path, p->o->file) == 0;
}

static int take_log(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		    const char *path, const struct batch_log *piece)
{
	struct printer *p = ctx;
	uint64_t sec = piece->time_ns / NS_PER_S;

	(void)hello;
	if (p->o->summary || !wants(p, path) || !query_wants(&p->o->query, sec, sec))
		return 0;
	if (p->o->query.json)
		print_json(p, entry, path, piece);
	else if (piece->len)
		print_bytes(p, entry, path, piece);
	return ferror(stdout) ? QUERY_OUTPUT_BROKEN : 0;
}

static int take_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		      struct batch *batch)
{
	struct printer *p = ctx;

	return log_sums_add(p->logs, entry, hello, batch);
}

/* ---- sums ---- */

static void print_sum(const struct log_sum *s)
{
	char first[CLOCK_TEXT], last[CLOCK_TEXT], wiped[CLOCK_TEXT];

	printf("%s %s\n", s->sensor, s->path);
	if (s->pieces)
		printf("  came        %" PRIu64 " lines, %" PRIu64 " bytes, read from %s to %s\n",
		       s->lines, s->bytes, clock_text(first, s->first_s),
		       clock_text(last, s->last_s));
	else
		printf("  came        nothing\n");
	printf("  left out    %" PRIu64 " bytes of long lines, %" PRIu64
	       " written too fast, %" PRIu64 " cut off before they were read\n",
	       s->left_out[BATCH_LOG_LONG], s->left_out[BATCH_LOG_RATE],
	       s->left_out[BATCH_LOG_LOST]);
	printf("  missing     %" PRIu64 " bytes in %" PRIu64
	       " places that the spool gave up, %" PRIu64 " written between runs\n",
	       s->missing, s->gaps, s->between);
	printf("  file        opened %" PRIu64 ", rotated %" PRIu64 ", unreadable %" PRIu64
	       " times\n",
	       s->opened, s->rotated, s->unreadable);
	if (s->wiped_s)
		printf("  WIPED       cut %" PRIu64 ", gone %" PRIu64 ", overwritten %" PRIu64
		       " times, first seen %s\n",
		       s->shrank, s->vanished, s->rewritten, clock_text(wiped, s->wiped_s));
}

static void print_sum_json(const struct log_sum *s)
{
	printf("{\"sensor\":\"%s\",\"file\":", s->sensor);
	json_print_string(stdout, s->path);
	printf(",\"lines\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"first\":%" PRIu64
	       ",\"last\":%" PRIu64 ",\"left_out\":{",
	       s->lines, s->bytes, s->first_s, s->last_s);
	for (unsigned i = BATCH_LOG_LONG; i < BATCH_LOG_WHYS; i++)
		printf("%s\"%s\":%" PRIu64, i > BATCH_LOG_LONG ? "," : "",
		       batch_log_why_text((enum batch_log_why)i), s->left_out[i]);
	printf("},\"gaps\":%" PRIu64 ",\"missing\":%" PRIu64 ",\"between_runs\":%" PRIu64
	       ",\"opened\":%" PRIu64 ",\"rotated\":%" PRIu64 ",\"unreadable\":%" PRIu64
	       ",\"shrank\":%" PRIu64 ",\"vanished\":%" PRIu64 ",\"rewritten\":%" PRIu64 "}\n",
	       s->gaps, s->missing, s->between, s->opened, s->rotated, s->unreadable, s->shrank,
	       s->vanished, s->rewritten);
}

static void print_sums(const struct printer *p)
{
	for (size_t i = 0; i < log_sums_count(p->logs); i++) {
		const struct log_sum *s = log_sums_at(p->logs, i);

		if (wants(p, s->path))
			(p->o->query.json ? print_sum_json : print_sum)(s);
	}
}

/* What is not in the lines that were printed is said beside them. */
static void tell_missing(const struct printer *p)
{
	for (size_t i = 0; i < log_sums_count(p->logs); i++) {
		const struct log_sum *s = log_sums_at(p->logs, i);

		if (wants(p, s->path) && log_sum_missing(s) > 0)
			fprintf(stderr,
				"flowproof logs: %s %s: %" PRIu64
				" bytes did not come; --summary tells why\n",
				s->sensor, s->path, log_sum_missing(s));
	}
}

static int run(void *options, struct err *err)
{
	static const struct replay_ops ops = {.batch = take_batch, .log = take_log};
	struct options *o = options;
	struct printer *p;
	int rc = query_prepare(&o->query, err);

	if (rc < 0)
		return rc;
	p = calloc(1, sizeof *p);
	if (!p || log_sums_new(&p->logs) < 0) {
		free(p);
		return err_set(err, -ENOMEM, "no memory for log files");
	}
	p->o = o;
	p->escapes = !o->raw && isatty(STDOUT_FILENO);
	o->query.by_time = true;
	rc = query_run(&o->query, &ops, p, err);
	if (rc == 0 && o->summary)
		print_sums(p);
	else if (rc == 0)
		tell_missing(p);
	log_sums_free(p->logs);
	free(p);
	return rc;
}

static const struct command command = {
	.name = "logs",
	.usage = "usage: flowproof logs -d STORE [options]\n\n"
		 "Prints the lines of the hosts' log files that sensors followed (--tail), byte "
		 "for byte, in the order they came.\n\n",
	COMMAND_OPTIONS(struct options, query.help, table),
	.has_query = true,
	.run = run,
};

int logs_main(int argc, char **argv)
{
	return command_main(&command, argc, argv);
}
