// SPDX-License-Identifier: Apache-2.0
/*
 * The audit: what lies below STORE, then the manifests, then each sensor, then the signatures.
 */
#include "evidence/audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evidence/audit_parts.h"

enum { RUNNING_TRIES = 4 }; /* a collector that writes while we read */

int audit_fault(struct auditing *a, enum audit_grade grade, const char *file, uint64_t offset,
		const char *fmt, ...)
{
	struct audit *audit = a->audit;
	struct audit_fault *f;
	va_list args;

	audit->n_faults++;
	audit->n_incomplete += grade == AUDIT_INCOMPLETE;
	/* The first that breaks it is kept, however many that do not came before. */
	if (audit->n_kept < AUDIT_FAULTS_MAX || (grade > audit->grade && grade == AUDIT_BROKEN)) {
		f = &audit->faults[audit->n_kept < AUDIT_FAULTS_MAX ? audit->n_kept++
								    : AUDIT_FAULTS_MAX - 1];
		f->grade = grade;
		f->offset = offset;
		(void)snprintf(f->file, sizeof f->file, "%s", file);
		va_start(args, fmt);
		(void)vsnprintf(f->reason, sizeof f->reason, fmt, args);
		va_end(args);
	}
	if (grade > audit->grade)
		audit->grade = grade;
	return a->options->enough != AUDIT_INTACT && grade >= a->options->enough ? AUDIT_STOP : 0;
}

/* ---- what lies below STORE ---- */

static int by_name(const struct dirent **x, const struct dirent **y)
{
	return strcmp((*x)->d_name, (*y)->d_name);
}

static int not_itself(const struct dirent *d)
{
	return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

static int add_sensor(struct audit *audit, const char *id)
{
	struct audit_sensor *more;

	for (size_t i = 0; i < audit->n_sensors; i++) {
		if (strcmp(audit->sensors[i].id, id) == 0)
			return 0;
	}
	more = reallocarray(audit->sensors, audit->n_sensors + 1, sizeof *more);
	if (!more)
		return -ENOMEM;
	audit->sensors = more;
	more += audit->n_sensors++;
	*more = (struct audit_sensor){.first = 0};
	memcpy(more->id, id, strnlen(id, sizeof more->id - 1));
	return 0;
}

/* A folder of segments: nothing else is in it. */
static int look_into(struct auditing *a, const char *folder)
{
	char path[LEDGER_PATH_MAX];
	struct dirent **names;
	struct stat st;
	int n = scandir(folder, &names, not_itself, by_name), rc = 0;

	if (n < 0)
		return audit_fault(a, AUDIT_BROKEN, folder, 0, "the folder cannot be read: %s",
				   strerror(errno));
	for (int i = 0; i < n; i++) {
		int len = snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);

		if (rc == 0 && (len < 0 || (size_t)len >= sizeof path ||
				segment_number(names[i]->d_name) == 0))
			rc = audit_fault(a, AUDIT_BROKEN, path, 0,
					 "nothing of this name belongs here");
		else if (rc == 0 && (lstat(path, &st) < 0 || !S_ISREG(st.st_mode)))
			rc = audit_fault(a, AUDIT_BROKEN, path, 0, "it is not a regular file");
		free(names[i]);
	}
	free(names);
	return rc;
}

static int look_at(struct auditing *a, const char *name)
{
	bool is_manifests = strcmp(name, MANIFEST_FOLDER) == 0;
	char path[LEDGER_PATH_MAX];
	struct stat st;
	int rc;

	(void)snprintf(path, sizeof path, "%.*s/%.100s", (int)AUDIT_STORE_MAX, a->store, name);
	if (!is_manifests && !wire_sensor_id_ok(name))
		return audit_fault(a, AUDIT_BROKEN, path, 0, "nothing of this name belongs here");
	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return audit_fault(a, AUDIT_BROKEN, path, 0, "it is not a folder");
	rc = look_into(a, path);
	return rc == 0 && !is_manifests ? add_sensor(a->audit, name) : rc;
}

static int look_around(struct auditing *a)
{
	struct dirent **names;
	int n = scandir(a->store, &names, not_itself, by_name), rc = 0;

	if (n < 0)
		return audit_fault(a, AUDIT_BROKEN, a->store, 0, "the folder cannot be read: %s",
				   strerror(errno));
	for (int i = 0; i < n; i++) {
		if (rc == 0)
			rc = look_at(a, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return rc;
}

/* ---- the whole ---- */

static int sensors(struct auditing *a)
{
	struct audit *audit = a->audit;
	int rc = 0;

	/* Those whose folder is gone, too. */
	for (size_t i = 0; rc == 0 && i < a->index.n; i++)
		rc = add_sensor(audit, a->index.sensors[i].id);
	for (size_t i = 0; rc == 0 && i < audit->n_sensors; i++)
		rc = audit_sensor_segments(a, &audit->sensors[i]);
	return rc;
}

static int audit_once(struct auditing *a)
{
	int rc = look_around(a);

	segment_init(&a->file);
	if (rc == 0)
		rc = audit_manifests(a);
	if (a->index.knows_store)
		segment_expect(&a->file, a->index.store);
	if (rc == 0)
		rc = sensors(a);
	if (rc == 0)
		rc = audit_signatures(a);
	for (size_t i = 0; rc == 0 && i < a->audit->n_sensors; i++)
		rc = audit_sensor_signatures(a, &a->audit->sensors[i]);
	segment_fini(&a->file);
	ledger_index_fini(&a->index);
	free(a->places);
	free(a->signatures);
	return rc;
}

/* Has a collector the store locked? Negative: STORE is no folder that can be opened. */
static int look_for_lock(const char *store, struct err *err)
{
	int dir = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (dir < 0)
		return err_errno(err, "cannot open the store %s", store);
	rc = flock(dir, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	(void)close(dir);
	return rc;
}

int audit_run(struct audit **ret, const char *store, const struct audit_options *options,
	      struct err *err)
{
	int running, rc = 0;

	if (strlen(store) >= AUDIT_STORE_MAX)
		return err_set(err, -ENAMETOOLONG, "the path of the store is too long: %s", store);
	/* What a running collector writes between two of our looks is no fault: look again. */
	for (unsigned tries = 0; tries < RUNNING_TRIES; tries++) {
		struct auditing a = {.store = store, .options = options};

		running = look_for_lock(store, err);
		if (running < 0)
			return running;
		a.audit = calloc(1, sizeof *a.audit);
		if (a.audit)
			a.audit->faults = calloc(AUDIT_FAULTS_MAX, sizeof *a.audit->faults);
		if (!a.audit || !a.audit->faults) {
			audit_free(a.audit);
			return err_set(err, -ENOMEM, "no memory for the audit");
		}
		a.audit->is_running = running > 0;
		rc = audit_once(&a);
		*ret = a.audit;
		if (rc == -ENOMEM) {
			audit_free(a.audit);
			return err_set(err, -ENOMEM, "no memory for the audit");
		}
		if (a.audit->grade == AUDIT_INTACT || running == 0 || tries + 1 == RUNNING_TRIES)
			break;
		audit_free(a.audit);
	}
	return 0;
}

static void free_sensor(struct audit_sensor *sensor)
{
	for (size_t i = 0; i < sensor->n_streams; i++) {
		free(sensor->streams[i].gaps);
		free(sensor->streams[i].certificate);
	}
	free(sensor->streams);
}

void audit_free(struct audit *audit)
{
	if (!audit)
		return;
	for (size_t i = 0; i < audit->n_sensors; i++)
		free_sensor(&audit->sensors[i]);
	for (size_t i = 0; i < audit->n_certificates; i++)
		free(audit->certificates[i].der);
	free(audit->sensors);
	free(audit->certificates);
	free(audit->faults);
	free(audit);
}

const struct audit_fault *audit_first(const struct audit *audit)
{
	for (size_t i = 0; i < audit->n_kept; i++) {
		if (audit->faults[i].grade == audit->grade)
			return &audit->faults[i];
	}
	return NULL;
}

const char *audit_word(enum audit_grade grade)
{
	switch (grade) {
	case AUDIT_INTACT: return "intact";
	case AUDIT_INCOMPLETE: return "incomplete";
	case AUDIT_BROKEN: break;
	}
	return "broken";
}
