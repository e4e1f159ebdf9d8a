// SPDX-License-Identifier: Apache-2.0
/*
 * The cursor's files: text, a sensor a line, so that an operator can read how far a delivery is.
 *
 *      flowproof-cursor 1
 *      store 00112233445566778899aabbccddeeff
 *      pass 17 planned closed 5891000 5891001
 *      sensor i-0abc from 3 104 40 done 3 9000 to 3 12000
 *      end 1
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/delivery.h"
#include "platform/file.h"

enum { PATH_MAX_ = 1024, FILE_MAX = 256 * 1024 * 1024, MODE = 0600 };

static int path_of(char out[static PATH_MAX_], const char *folder, const char *name,
		   const char *what, struct err *err)
{
	int n = snprintf(out, PATH_MAX_, "%s/%s.%s", folder, name, what);

	return n > 0 && n < PATH_MAX_
		       ? 0
		       : err_set(err, -ENAMETOOLONG, "--deliver-state: the path is too long");
}

void delivery_cursor_fini(struct delivery_cursor *cursor)
{
	free(cursor->sensors);
	*cursor = (struct delivery_cursor){.n = 0};
}

struct delivery_sensor *delivery_cursor_sensor(struct delivery_cursor *c, const char *id)
{
	struct delivery_sensor *more;
	size_t i = 0, end = c->n, len = strnlen(id, WIRE_SENSOR_ID_MAX - 1);

	while (i < end) {
		size_t middle = i + (end - i) / 2;
		int order = strcmp(c->sensors[middle].id, id);

		if (order == 0)
			return &c->sensors[middle];
		if (order < 0)
			i = middle + 1;
		else
			end = middle;
	}
	more = realloc(c->sensors, (c->n + 1) * sizeof *more);
	if (!more)
		return NULL;
	c->sensors = more;
	memmove(more + i + 1, more + i, (c->n - i) * sizeof *more);
	memset(&more[i], 0, sizeof more[i]);
	memcpy(more[i].id, id, len);
	c->n++;
	return &more[i];
}

int delivery_cursor_write(const struct delivery_cursor *c, const char *folder, const char *name,
			  struct err *err)
{
	char path[PATH_MAX_], hex[2 * LEDGER_STORE_ID + 1], *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int rc = path_of(path, folder, name, "cursor", err);

	if (!out)
		return err_set(err, -ENOMEM, "no memory for the cursor");
	fprintf(out,
		"flowproof-cursor 1\nstore %s\npass %" PRIu64 " %s closed %" PRIu64 " %" PRIu64
		"\n",
		crypto_hex(hex, c->store, sizeof c->store), c->pass,
		c->is_planned ? "planned" : "made", c->closed_done, c->closed);
	for (size_t i = 0; i < c->n; i++) {
		const struct delivery_sensor *s = &c->sensors[i];

		fprintf(out,
			"sensor %s from %" PRIu32 " %" PRIu64 " %" PRIu64 " done %" PRIu32
			" %" PRIu64 " to %" PRIu32 " %" PRIu64 "\n",
			s->id, s->from.segment, s->from.offset, s->from.hello, s->done.segment,
			s->done.offset, s->to.segment, s->to.offset);
	}
	fprintf(out, "end %zu\n", c->n);
	if (fclose(out) != 0 && rc == 0)
		rc = err_set(err, -ENOMEM, "no memory for the cursor");
	if (rc == 0)
		rc = file_replace(path, text, len, MODE, err);
	free(text);
	return rc;
}

int delivery_cursor_count(const struct delivery_cursor *c, const char *folder, const char *name,
			  struct err *err)
{
	char path[PATH_MAX_], text[64];
	int n = snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64 "\n", c->pass, c->units),
	    rc = path_of(path, folder, name, "done", err);

	return rc < 0 ? rc : file_replace(path, text, (size_t)n, MODE, err);
}

static bool read_sensor(struct delivery_cursor *c, const char *line)
{
	struct delivery_sensor s = {.id = ""}, *at;
	int end = 0;

	if (sscanf(line,
		   "sensor %63s from %" SCNu32 " %" SCNu64 " %" SCNu64 " done %" SCNu32 " %" SCNu64
		   " to %" SCNu32 " %" SCNu64 "%n",
		   s.id, &s.from.segment, &s.from.offset, &s.from.hello, &s.done.segment,
		   &s.done.offset, &s.to.segment, &s.to.offset, &end) != 8 ||
	    line[end] != '\0' || !wire_sensor_id_ok(s.id))
		return false;
	at = delivery_cursor_sensor(c, s.id);
	if (at)
		*at = s;
	return at;
}

/* One line. 0 to go on, 1 at the end, negative: it is none. */
static int read_line(struct delivery_cursor *c, size_t number, const char *line)
{
	char hex[2 * LEDGER_STORE_ID + 1], word[8];
	size_t n;
	int end = 0;

	if (number == 1)
		return strcmp(line, "flowproof-cursor 1") == 0 ? 0 : -1;
	if (number == 2) {
		if (sscanf(line, "store %32[0-9a-f]%n", hex, &end) != 1 || line[end] != '\0' ||
		    strlen(hex) != sizeof hex - 1)
			return -1;
		for (size_t i = 0; i < LEDGER_STORE_ID; i++)
			if (sscanf(hex + 2 * i, "%2hhx", &c->store[i]) != 1)
				return -1;
		return 0;
	}
	if (number == 3) {
		if (sscanf(line, "pass %" SCNu64 " %7s closed %" SCNu64 " %" SCNu64 "%n", &c->pass,
			   word, &c->closed_done, &c->closed, &end) != 4 ||
		    line[end] != '\0')
			return -1;
		c->is_planned = strcmp(word, "planned") == 0;
		return c->is_planned || strcmp(word, "made") == 0 ? 0 : -1;
	}
	if (strncmp(line, "sensor ", 7) == 0)
		return read_sensor(c, line) ? 0 : -1;
	return sscanf(line, "end %zu%n", &n, &end) == 1 && line[end] == '\0' && n == c->n ? 1 : -1;
}

/* What was counted of the planned pass; a file of another pass counts nothing. */
static int read_count(struct delivery_cursor *c, const char *folder, const char *name,
		      struct err *err)
{
	char path[PATH_MAX_], *text = NULL;
	uint64_t pass, units;
	size_t len;
	int rc = path_of(path, folder, name, "done", err);

	if (rc == 0)
		rc = file_read_all(path, 64, &text, &len, err);
	if (rc == -ENOENT)
		return 0;
	if (rc == 0 && sscanf(text, "%" SCNu64 " %" SCNu64, &pass, &units) != 2)
		rc = err_set(err, ERR_FORMAT, "%s:1: not a pass and a count", path);
	if (rc == 0 && pass == c->pass)
		c->units = units;
	free(text);
	return rc;
}

int delivery_cursor_read(struct delivery_cursor *ret, const char *folder, const char *name,
			 struct err *err)
{
	char path[PATH_MAX_], *text = NULL, *rest, *line;
	size_t len, number = 0;
	int rc = path_of(path, folder, name, "cursor", err), what = 0;

	*ret = (struct delivery_cursor){.n = 0};
	if (rc == 0)
		rc = file_read_all(path, FILE_MAX, &text, &len, err);
	if (rc < 0)
		return rc;
	for (rest = text; what == 0 && (line = strsep(&rest, "\n")) != NULL;)
		what = read_line(ret, ++number, line);
	if (what != 1)
		rc = err_set(
			err, ERR_FORMAT,
			"%s:%zu: not what a delivery writes there; put back what was there, or "
			"remove it to deliver everything again",
			path, number);
	free(text);
	if (rc == 0)
		rc = read_count(ret, folder, name, err);
	if (rc < 0)
		delivery_cursor_fini(ret);
	return rc;
}
