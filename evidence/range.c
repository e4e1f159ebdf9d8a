// SPDX-License-Identifier: Apache-2.0
/*
 * See range.h.
 */
#include "evidence/range.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evidence/ledger_segment.h"
#include "platform/file.h"

struct range {
	char *store;
	struct replay *replay;
	const struct replay_ops *ops;
	void *ctx;
	struct segment file;
	struct range_at here;
	uint64_t lost;
};

bool range_is_before(const struct range_at *at, const struct range_end *end)
{
	return at->segment < end->segment ||
	       (at->segment == end->segment && at->offset < end->offset);
}

static int path_of(char out[static LEDGER_PATH_MAX], const char *store, const char *sensor,
		   uint32_t number, struct err *err)
{
	int n = number ? snprintf(out, LEDGER_PATH_MAX, "%s/%s/%08u.fpl", store, sensor, number)
		       : snprintf(out, LEDGER_PATH_MAX, "%s/%s", store, sensor);

	return n > 0 && n < LEDGER_PATH_MAX
		       ? 0
		       : err_set(err, -ENAMETOOLONG, "the path of the store is too long: %s",
				 store);
}

int range_store(uint8_t out[static LEDGER_STORE_ID], const char *store, struct err *err)
{
	char path[LEDGER_PATH_MAX];
	uint32_t *numbers = NULL;
	size_t n = 0;
	int fd, rc = path_of(path, store, "@manifest", 0, err);

	if (rc == 0)
		rc = segment_list(path, &numbers, &n, err);
	if (rc == 0 && n == 0)
		rc = err_set(err, -ENOENT, "%s holds no manifest", store);
	if (rc == 0)
		rc = path_of(path, store, "@manifest", numbers[0], err);
	free(numbers);
	if (rc < 0)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "cannot read %s", path);
	rc = file_read_at(fd, out, LEDGER_STORE_ID, SEGMENT_HEAD - LEDGER_STORE_ID);
	(void)close(fd);
	return rc == 0 ? 0 : err_set(err, ERR_FORMAT, "%s ends within its head", path);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(a, b);
}

int range_sensors(char (**ret)[WIRE_SENSOR_ID_MAX], size_t *ret_n, const char *store,
		  struct err *err)
{
	DIR *dir = opendir(store);
	const struct dirent *d;
	size_t n = 0, cap = 0;
	int rc = 0;

	*ret = NULL;
	*ret_n = 0;
	if (!dir)
		return err_errno(err, "cannot read the folder %s", store);
	while (rc == 0 && (d = readdir(dir)) != NULL) {
		if (!wire_sensor_id_ok(d->d_name))
			continue;
		if (n == cap) {
			char(*more)[WIRE_SENSOR_ID_MAX] =
				realloc(*ret, (cap = cap ? cap * 2 : 16) * sizeof **ret);

			if (!more) {
				rc = err_set(err, -ENOMEM, "no memory to read %s", store);
				break;
			}
			*ret = more;
		}
		memset((*ret)[n], 0, sizeof(*ret)[n]);
		memcpy((*ret)[n], d->d_name, strnlen(d->d_name, sizeof(*ret)[n] - 1));
		n++;
	}
	(void)closedir(dir);
	if (n > 0)
		qsort(*ret, n, sizeof **ret, by_bytes);
	*ret_n = n;
	return rc;
}

/* Size of a segment, all of it on disk then. */
static int size_of(const char *path, bool is_last, uint64_t *ret, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	struct stat st;

	*ret = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, "cannot read %s", path);
	if (fstat(fd, &st) < 0 || (is_last && fdatasync(fd) < 0))
		rc = err_errno(err, "cannot look at %s", path);
	else
		*ret = (uint64_t)st.st_size;
	(void)close(fd);
	return rc;
}

int range_find_end(struct range_end *ret, const char *store, const char *sensor,
		   const struct range_at *at, uint64_t *budget, struct err *err)
{
	char path[LEDGER_PATH_MAX];
	uint32_t *numbers = NULL;
	uint64_t size = 0, from;
	size_t n = 0;
	int rc = path_of(path, store, sensor, 0, err);

	*ret = (struct range_end){.segment = at->segment, .offset = at->offset};
	if (rc == 0)
		rc = segment_list(path, &numbers, &n, err);
	for (size_t i = 0; rc == 0 && i<n && * budget> 0; i++) {
		if (numbers[i] < at->segment)
			continue;
		from = numbers[i] == at->segment ? at->offset : 0;
		rc = path_of(path, store, sensor, numbers[i], err);
		if (rc == 0)
			rc = size_of(path, i + 1 == n, &size, err);
		if (rc < 0 || size <= from)
			continue;
		/* At least an entry, however little may be read. */
		if (size - from > *budget && size - from > SEGMENT_ENTRY_MAX + SEGMENT_HEAD)
			size = from + (*budget > SEGMENT_ENTRY_MAX + SEGMENT_HEAD
					       ? *budget
					       : SEGMENT_ENTRY_MAX + SEGMENT_HEAD);
		*budget -= size - from < *budget ? size - from : *budget;
		*ret = (struct range_end){.segment = numbers[i], .offset = size};
	}
	free(numbers);
	return rc;
}

int range_new(struct range **ret, const char *store, const struct replay_ops *ops, void *ctx,
	      struct err *err)
{
	struct range *r = calloc(1, sizeof *r);

	if (r)
		r->store = strdup(store);
	if (!r || !r->store) {
		free(r);
		return err_set(err, -ENOMEM, "no memory to read the ledger");
	}
	r->ops = ops;
	r->ctx = ctx;
	segment_init(&r->file);
	*ret = r;
	return 0;
}

void range_free(struct range *range)
{
	if (!range)
		return;
	segment_fini(&range->file);
	replay_free(range->replay);
	free(range->store);
	free(range);
}

const struct range_at *range_here(const struct range *range)
{
	return &range->here;
}

uint64_t range_lost(const struct range *range)
{
	return range->lost;
}

static int hand_on(struct range *r, const char *sensor, const char *path, int what,
		   const struct segment_entry *entry, const struct segment_fault *fault,
		   bool is_skip, bool is_silent)
{
	struct ledger_entry told = {.kind = LEDGER_DAMAGE, .sensor = sensor, .file = path};

	if (what == SEGMENT_FAULT) {
		told.offset = fault->from;
		told.len = (size_t)(fault->to - fault->from);
		told.reason = fault->reason;
	} else {
		if (entry->type == SEGMENT_MANIFEST)
			return 0;
		segment_tell(entry, &told);
		if (told.kind == LEDGER_HELLO && is_silent)
			told.kind = LEDGER_HELLO_AGAIN;
	}
	told.is_skip = is_skip;
	return replay_take(r->replay, &told);
}

static int read_error(const char *path, int rc, struct err *err)
{
	return err_set(err, rc, "cannot read %s: %s", path, strerror(-rc));
}

/* The hello that was in force where a range begins. */
static int read_hello(struct range *r, const char *sensor, const char *path, struct err *err)
{
	struct segment_entry entry;
	struct segment_fault fault;
	int rc;

	r->file.at = r->here.hello;
	rc = segment_next(&r->file, &entry, &fault);
	if (rc < 0)
		return read_error(path, rc, err);
	return rc == SEGMENT_ENTRY && entry.type != SEGMENT_BATCH
		       ? hand_on(r, sensor, path, rc, &entry, NULL, true, true)
		       : 0;
}

/* The open file from r->here on. */
static int read_file(struct range *r, const char *sensor, const char *path, bool is_last,
		     bool is_skip, struct err *err)
{
	struct segment_entry entry;
	struct segment_fault fault;
	int what, rc = 0;

	while (rc == 0) {
		r->file.at = r->here.offset;
		what = segment_next(&r->file, &entry, &fault);
		if (what < 0)
			return read_error(path, what, err);
		/* What reaches over the end was not whole yet. */
		if (what == SEGMENT_END || (what == SEGMENT_FAULT && is_last &&
					    !fault.was_durable && fault.to >= r->file.size))
			break;
		if (what == SEGMENT_ENTRY) {
			r->here.offset = entry.offset;
			if (entry.type == SEGMENT_HELLO || entry.type == SEGMENT_HELLO_AGAIN)
				r->here.hello = entry.offset;
		}
		rc = hand_on(r, sensor, path, what, &entry, &fault, is_skip, false);
		is_skip = false;
		r->here.offset = r->file.at;
	}
	return rc;
}

/* One segment. 1: the file is not there any more. */
static int read_segment(struct range *r, const char *sensor, const struct range_end *to,
			struct err *err)
{
	bool is_last = r->here.segment == to->segment, is_skip = r->here.offset > SEGMENT_HEAD;
	char path[LEDGER_PATH_MAX];
	int rc = path_of(path, r->store, sensor, r->here.segment, err);

	if (rc == 0)
		rc = segment_open(&r->file, path, r->here.segment, err);
	if (rc == -ENOENT) {
		r->lost++;
		return 1;
	}
	if (rc < 0)
		return rc;
	if (is_last && r->file.size > to->offset)
		r->file.size = to->offset;
	if (r->here.hello > 0 && r->here.hello < r->here.offset)
		rc = read_hello(r, sensor, path, err);
	if (rc == 0)
		rc = read_file(r, sensor, path, is_last, is_skip, err);
	segment_close(&r->file);
	return rc;
}

int range_read(struct range *r, const char *sensor, const struct range_at *from,
	       const struct range_end *to, struct range_at *ret_reached, struct err *err)
{
	char folder[LEDGER_PATH_MAX];
	uint32_t *numbers = NULL;
	size_t n = 0;
	int rc = path_of(folder, r->store, sensor, 0, err);

	replay_free(r->replay);
	r->replay = NULL;
	r->here = *from;
	if (rc == 0 && replay_new(&r->replay, r->ops, r->ctx) < 0)
		rc = err_set(err, -ENOMEM, "no memory to read the ledger");
	if (rc == 0)
		rc = segment_list(folder, &numbers, &n, err);
	if (rc == 0 && from->segment > 0 && range_is_before(from, to)) {
		rc = read_segment(r, sensor, to, err);
		rc = rc == 1 ? 0 : rc;
	}
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (numbers[i] <= from->segment || numbers[i] > to->segment)
			continue;
		r->here = (struct range_at){.segment = numbers[i]};
		rc = read_segment(r, sensor, to, err);
		rc = rc == 1 ? 0 : rc;
	}
	free(numbers);
	*ret_reached = r->here;
	return rc;
}
