// SPDX-License-Identifier: Apache-2.0
/*
 * A place for each sensor: segment, offset, replay. A look goes round the sensors; of each it reads on where it
 * left off. The end of the last segment may be an entry that is being written: it is looked at again.
 */
#include "evidence/follow.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "evidence/ledger_segment.h"

struct place {
	char id[WIRE_SENSOR_ID_MAX];
	uint32_t number; /* segment; 0: none was seen yet */
	uint64_t at;     /* in it: the next entry */
	struct replay *replay;
};

struct follow {
	char *store;
	const struct replay_ops *ops;
	void *ctx;
	size_t n, cap, turn; /* `turn`: whose turn it is; n: the folder is to be read anew */
	struct place *places;
	struct segment file;
	uint64_t read; /* bytes */
};

int follow_new(struct follow **ret, const char *store, const struct replay_ops *ops, void *ctx,
	       struct err *err)
{
	struct follow *f = calloc(1, sizeof *f);

	if (f)
		f->store = strdup(store);
	if (!f || !f->store) {
		free(f);
		return err_set(err, -ENOMEM, "no memory to follow the ledger");
	}
	f->ops = ops;
	f->ctx = ctx;
	segment_init(&f->file);
	*ret = f;
	return 0;
}

void follow_is_root(struct follow *follow)
{
	/* "/": two bytes, and a store's name has one at least, with its NUL. */
	(void)snprintf(follow->store, 2, "/");
}

void follow_free(struct follow *follow)
{
	if (!follow)
		return;
	for (size_t i = 0; i < follow->n; i++)
		replay_free(follow->places[i].replay);
	segment_fini(&follow->file);
	free(follow->places);
	free(follow->store);
	free(follow);
}

uint64_t follow_read(const struct follow *follow)
{
	return follow->read;
}

static bool is_known(const struct follow *f, const char *id)
{
	for (size_t i = 0; i < f->n; i++) {
		if (strcmp(f->places[i].id, id) == 0)
			return true;
	}
	return false;
}

static int add_place(struct follow *f, const char *id)
{
	struct place *place;

	if (f->n == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 16;
		struct place *more = realloc(f->places, cap * sizeof *more);

		if (!more)
			return -ENOMEM;
		f->places = more;
		f->cap = cap;
	}
	place = &f->places[f->n];
	*place = (struct place){.number = 0};
	memcpy(place->id, id, strnlen(id, sizeof place->id - 1));
	if (replay_new(&place->replay, f->ops, f->ctx) < 0)
		return -ENOMEM;
	f->n++;
	return 0;
}

/* New sensors. */
static int look_round(struct follow *f, struct err *err)
{
	struct dirent *d;
	DIR *dir = opendir(f->store);
	int rc = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_errno(err, "cannot read the folder %s", f->store);
	while (rc == 0 && (d = readdir(dir)) != NULL) {
		if (wire_sensor_id_ok(d->d_name) && !is_known(f, d->d_name))
			rc = add_place(f, d->d_name);
	}
	(void)closedir(dir);
	return rc < 0 ? err_set(err, rc, "no memory to follow the ledger") : 0;
}

/* The first segment from `number` on; 0 if there is none. */
static int segment_from(const struct follow *f, const struct place *place, uint32_t number,
			uint32_t *ret, struct err *err)
{
	char folder[LEDGER_PATH_MAX];
	uint32_t *numbers = NULL;
	size_t n = 0;
	int rc, len = snprintf(folder, sizeof folder, "%s/%s", f->store, place->id);

	*ret = 0;
	if (len < 0 || (size_t)len >= sizeof folder)
		return err_set(err, -ENAMETOOLONG, "the path of the store is too long: %s",
			       f->store);
	rc = segment_list(folder, &numbers, &n, err);
	for (size_t i = 0; rc == 0 && i < n && *ret == 0; i++) {
		if (numbers[i] >= number)
			*ret = numbers[i];
	}
	free(numbers);
	return rc;
}

static int path_of(const struct follow *f, const struct place *place,
		   char out[static LEDGER_PATH_MAX], struct err *err)
{
	int n = snprintf(out, LEDGER_PATH_MAX, "%s/%s/%08u.fpl", f->store, place->id,
			 place->number);

	return n > 0 && n < LEDGER_PATH_MAX
		       ? 0
		       : err_set(err, -ENAMETOOLONG, "the path of the store is too long: %s",
				 f->store);
}

/* Hands on what was found in the file. 0, or what an op returned. */
static int hand_on(struct place *place, const char *path, int what,
		   const struct segment_entry *entry, const struct segment_fault *fault)
{
	struct ledger_entry told = {.kind = LEDGER_DAMAGE, .sensor = place->id, .file = path};

	if (what == SEGMENT_FAULT) {
		told.offset = fault->from;
		told.len = (size_t)(fault->to - fault->from);
		told.reason = fault->reason;
	} else {
		if (entry->type ==
		    SEGMENT_MANIFEST) /* the audit tells that it does not belong here */
			return 0;
		segment_tell(entry, &told);
	}
	return replay_take(place->replay, &told);
}

/* The open file from where the place stands, until its end or that of the budget. */
static int read_file(struct follow *f, struct place *place, const char *path, bool is_last,
		     uint64_t *budget, struct err *err)
{
	struct segment_entry entry;
	struct segment_fault fault;
	uint64_t len;
	int what, rc = 0;

	f->file.at = place->at;
	while (rc == 0 && *budget > 0) {
		what = segment_next(&f->file, &entry, &fault);
		if (what < 0)
			return err_set(err, what, "cannot read %s: %s", path, strerror(-what));
		/* The end of the last one is being written, or a crash left it: it will be cut. */
		if (what == SEGMENT_END || (what == SEGMENT_FAULT && is_last &&
					    !fault.was_durable && fault.to >= f->file.size))
			break;
		len = f->file.at - place->at;
		place->at = f->file.at;
		f->read += len;
		*budget -= len < *budget ? len : *budget;
		rc = hand_on(place, path, what, &entry, &fault);
	}
	return rc;
}

/* All there is of one sensor. The number of a later segment is looked for before the present one is read:
 * it was whole then. */
static int read_place(struct follow *f, struct place *place, uint64_t *budget, struct err *err)
{
	char path[LEDGER_PATH_MAX];
	uint32_t next;
	int rc = 0;

	while (rc == 0 && *budget > 0) {
		rc = segment_from(f, place, place->number + 1, &next, err);
		if (rc == 0 && place->number > 0) {
			rc = path_of(f, place, path, err);
			if (rc == 0)
				rc = segment_open(&f->file, path, place->number, err);
			if (rc == 0)
				rc = read_file(f, place, path, next == 0, budget, err);
			else if (rc == -ENOENT && next > 0) /* retention took it */
				rc = 0;
			segment_close(&f->file);
		}
		if (rc != 0 || next == 0)
			break;
		if (*budget > 0) {
			place->number = next;
			place->at = 0;
		}
	}
	return rc;
}

int follow_on(struct follow *follow, uint64_t budget, struct err *err)
{
	int rc;

	if (follow->turn >= follow->n) {
		rc = look_round(follow, err);
		if (rc < 0)
			return rc;
		follow->turn = 0;
	}
	for (; follow->turn < follow->n; follow->turn++) {
		rc = read_place(follow, &follow->places[follow->turn], &budget, err);
		if (rc != 0)
			return rc;
		if (budget == 0)
			return 1;
	}
	return 0;
}
