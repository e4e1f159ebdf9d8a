// SPDX-License-Identifier: Apache-2.0
/*
 * The chain of manifests: numbers, links, who signs, and whether what each says follows from what those
 * before said. Signatures are checked last: they cost the most and find what nothing else does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "evidence/audit_parts.h"
#include "platform/clock.h"
#include "platform/tls.h"

typedef unsigned long long ull;

static struct audit_place *place_of(struct auditing *a, const char *id)
{
	struct audit_place *more;

	for (size_t i = 0; i < a->n_places; i++) {
		if (strcmp(a->places[i].id, id) == 0)
			return &a->places[i];
	}
	if (a->n_places == a->cap_places) {
		size_t cap = a->cap_places ? 2 * a->cap_places : 16;

		more = reallocarray(a->places, cap, sizeof *more);
		if (!more)
			return NULL;
		a->places = more;
		a->cap_places = cap;
	}
	more = &a->places[a->n_places++];
	*more = (struct audit_place){.first = 1, .is_closed = true};
	memcpy(more->id, id, sizeof more->id);
	return more;
}

/* ---- items ---- */

/* Why the range does not go on where the ranges before ended; NULL if it does. */
static const char *check_range(const struct audit_place *place, const struct manifest_item *item)
{
	const struct manifest_range *range = &item->range;

	if (range->first != place->first)
		return "it names another first segment than the tombstones leave";
	if (item->number == place->number) {
		if (range->from != place->sealed)
			return "the range does not begin where the one before it ended";
		if (place->is_closed && (range->to > range->from || !range->is_closed))
			return "the range is of a segment that was closed";
		return NULL;
	}
	if (item->number != place->number + 1)
		return "the range is of a segment that does not follow";
	if (!place->is_closed)
		return "the segment before was not closed";
	if (range->from != 0)
		return "the range does not begin where its segment does";
	return NULL;
}

static const char *check_tombstone(const struct auditing *a, const struct audit_place *place,
				   const struct manifest_item *item)
{
	const struct index_sensor *known = ledger_index_find(&a->index, item->sensor);
	uint64_t size = 0;

	if (item->number != place->first || item->number >= place->number)
		return "a tombstone is not that of the oldest segment";
	for (size_t i = 0; known && i < known->n; i++) {
		if (known->ranges[i].number == item->number)
			size = known->ranges[i].range.to;
	}
	return size == item->size ? NULL : "a tombstone tells another size than the ranges";
}

static int take_item(struct auditing *a, const char *file, uint64_t offset,
		     const struct manifest_item *item)
{
	struct audit_place *place;
	const char *why = NULL;

	switch (item->type) {
	case MANIFEST_RANGE:
		place = place_of(a, item->sensor);
		if (!place)
			return -ENOMEM;
		why = check_range(place, item);
		place->first = item->range.first;
		place->number = item->number;
		place->sealed = item->range.to;
		place->is_closed = item->range.is_closed;
		break;
	case MANIFEST_TOMBSTONE:
		place = place_of(a, item->sensor);
		if (!place)
			return -ENOMEM;
		why = check_tombstone(a, place, item);
		place->first = item->number + 1;
		a->audit->tombstones++;
		break;
	case MANIFEST_CUT:
		a->audit->cuts++;
		a->audit->cut_bytes += item->bytes;
		break;
	case MANIFEST_CERTIFICATE:
	case MANIFEST_SIGNATURE: break;
	}
	return why ? audit_fault(a, AUDIT_BROKEN, file, offset, "manifest %llu, of %s: %s",
				 (ull)a->last.number, item->sensor, why)
		   : 0;
}

/* ---- who signs ---- */

static int add_certificate(struct auditing *a, const struct manifest *manifest,
			   const struct manifest_item *item)
{
	struct audit *audit = a->audit;
	struct audit_certificate *c =
		reallocarray(audit->certificates, audit->n_certificates + 1, sizeof *c);

	if (!c)
		return -ENOMEM;
	audit->certificates = c;
	c += audit->n_certificates;
	*c = (struct audit_certificate){.from = manifest->head.number,
					.time_ns = manifest->head.time_ns,
					.der_len = item->der_len};
	crypto_sha256(c->sha256, item->der, item->der_len);
	c->der = malloc(item->der_len + 1);
	if (!c->der)
		return -ENOMEM;
	memcpy(c->der, item->der, item->der_len);
	audit->n_certificates++;
	return 0;
}

/* The certificate of a start, if it is another than the one before. *ret_n counts. */
static int find_certificate(struct auditing *a, const struct manifest *manifest, size_t *ret_n)
{
	const struct audit *audit = a->audit;
	struct manifest copy = *manifest;
	struct manifest_item item;
	uint8_t sha256[SHA256_BYTES];

	*ret_n = 0;
	while (manifest_next(&copy, &item)) {
		if (item.type != MANIFEST_CERTIFICATE)
			continue;
		++*ret_n;
		crypto_sha256(sha256, item.der, item.der_len);
		if (audit->n_certificates > 0 &&
		    memcmp(audit->certificates[audit->n_certificates - 1].sha256, sha256,
			   SHA256_BYTES) == 0)
			continue;
		if (add_certificate(a, manifest, &item) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_signature(struct auditing *a, uint64_t offset, const struct manifest *manifest)
{
	struct audit_signature *s;

	if (a->n_signatures == a->cap_signatures) {
		size_t cap = a->cap_signatures ? 2 * a->cap_signatures : 64;

		s = reallocarray(a->signatures, cap, sizeof *s);
		if (!s)
			return -ENOMEM;
		a->signatures = s;
		a->cap_signatures = cap;
	}
	s = &a->signatures[a->n_signatures++];
	*s = (struct audit_signature){.file = a->file_number,
				      .offset = offset,
				      .time_ns = manifest->head.time_ns,
				      .certificate = a->audit->n_certificates - 1,
				      .len = manifest->signature_len};
	manifest_digest(manifest, s->digest);
	memcpy(s->signature, manifest->signature, manifest->signature_len);
	return 0;
}

static const char *check_signer(struct auditing *a, const struct manifest *manifest, size_t n)
{
	const struct audit *audit = a->audit;
	bool continues = a->last.more && a->last.kind == MANIFEST_START;

	if (manifest->head.kind != MANIFEST_START ? n > 0 : n != (continues ? 0 : 1))
		return "a certificate stands where none belongs, or a start has none";
	if (audit->n_certificates == 0)
		return "no certificate came before it";
	if (memcmp(manifest->head.signer, audit->certificates[audit->n_certificates - 1].sha256,
		   SHA256_BYTES) != 0)
		return "its signer is not the one that the last start named";
	if (manifest->signature_len > CRYPTO_SIGNATURE_MAX)
		return "its signature is too long";
	return NULL;
}

/* ---- links ---- */

static const char *check_link(const struct auditing *a, const struct manifest_head *head)
{
	static const uint8_t none[SHA256_BYTES];
	const struct manifest_head *last = &a->last;

	if (head->number != last->number + 1)
		return "its number does not follow: manifests are missing, swapped or there again";
	if (memcmp(head->previous, last->number ? a->last_digest : none, SHA256_BYTES) != 0)
		return "it names another manifest before it than the one that is there";
	if (last->number == 0)
		return head->kind == MANIFEST_START ? NULL : "the first is not that of a start";
	if (memcmp(head->store, last->store, LEDGER_STORE_ID) != 0)
		return "it is one of another store";
	if (last->more && head->kind != last->kind)
		return "it does not go on with what the one before it began";
	if (!last->more && last->kind == MANIFEST_END && head->kind != MANIFEST_START)
		return "it follows an end and is no start";
	return NULL;
}

static const char *check_heads(struct auditing *a, uint64_t number, const uint8_t *digest)
{
	for (size_t i = 0; i < a->options->n_heads; i++) {
		struct audit_head *head = &a->options->heads[i];

		if (head->number != number)
			continue;
		head->is_found = true;
		if (memcmp(head->sha256, digest, SHA256_BYTES) != 0)
			return "it is not the one whose head was taken down";
	}
	return NULL;
}

static void count_manifest(struct auditing *a, const struct manifest *manifest, bool has_news)
{
	struct audit *audit = a->audit;
	const struct manifest_head *head = &manifest->head;

	audit->manifests++;
	audit->empty += !has_news;
	if (audit->manifests == 1)
		audit->first_ns = head->time_ns;
	audit->last_ns = head->time_ns;
	if (head->kind == MANIFEST_START && !a->last.more) {
		audit->starts++;
		audit->unclean_starts += a->last.number > 0 && a->last.kind != MANIFEST_END;
	}
}

static bool has_news(const struct manifest *manifest)
{
	struct manifest copy = *manifest;
	struct manifest_item item;

	while (manifest_next(&copy, &item)) {
		if (item.type == MANIFEST_TOMBSTONE || item.type == MANIFEST_CUT ||
		    (item.type == MANIFEST_RANGE && item.range.to > item.range.from))
			return true;
	}
	return false;
}

/* Something follows what was taken for an unfinished end. */
static int tell_torn(struct auditing *a)
{
	uint64_t offset = a->torn_at - 1;

	if (a->torn_at == 0)
		return 0;
	a->torn_at = 0;
	return audit_fault(a, AUDIT_BROKEN, a->torn_file, offset,
			   "the file ends in bytes that are no manifest");
}

static int take_manifest(void *ctx, const char *file, const struct segment_entry *entry,
			 struct manifest *manifest)
{
	static const uint8_t no_stream[WIRE_STREAM_ID];
	struct auditing *a = ctx;
	struct manifest copy = *manifest;
	const char *why = check_link(a, &manifest->head);
	const char *slash = strrchr(file, '/');
	struct manifest_item item;
	size_t n;
	int rc = 0;

	if (!why && (entry->sequence != manifest->head.number || entry->manifest != 0 ||
		     entry->received_ns != manifest->head.time_ns ||
		     memcmp(entry->stream, no_stream, WIRE_STREAM_ID) != 0))
		why = "its entry says other than it does";
	a->file_number = slash ? segment_number(slash + 1) : 0;
	rc = tell_torn(a);
	if (rc != 0)
		return rc;
	if (find_certificate(a, manifest, &n) < 0)
		return -ENOMEM;
	if (!why)
		why = check_heads(a, manifest->head.number, entry->digest);
	if (!why)
		why = check_signer(a, manifest, n);
	if (why)
		rc = audit_fault(a, AUDIT_BROKEN, file, entry->offset, "manifest %llu: %s",
				 (ull)manifest->head.number, why);
	else if (add_signature(a, entry->offset, manifest) < 0)
		rc = -ENOMEM;
	count_manifest(a, manifest, has_news(manifest));
	a->last = manifest->head;
	memcpy(a->last_digest, entry->digest, SHA256_BYTES);
	/* The index has what came before: a tombstone is held against it. */
	while (rc == 0 && manifest_next(&copy, &item))
		rc = take_item(a, file, entry->offset, &item);
	return rc == 0 ? ledger_index_add(&a->index, manifest) : rc;
}

static int take_fault(void *ctx, const char *file, uint64_t offset, bool is_end, const char *reason)
{
	struct auditing *a = ctx;

	/* Whether it is the last file's end shows when all are read. */
	if (is_end && a->torn_at == 0) {
		a->torn_at = offset + 1;
		(void)snprintf(a->torn_file, sizeof a->torn_file, "%s", file);
		return 0;
	}
	return audit_fault(a, AUDIT_BROKEN, file, offset, "%s", reason);
}

static void path_of(const struct auditing *a, uint32_t number, char out[static LEDGER_PATH_MAX])
{
	(void)snprintf(out, LEDGER_PATH_MAX, "%.*s/" MANIFEST_FOLDER "/%08u.fpl",
		       (int)AUDIT_STORE_MAX, a->store, number);
}

/* Files are numbered from 1 without holes. */
static int check_files(struct auditing *a, uint32_t *ret_last)
{
	char path[LEDGER_PATH_MAX];
	uint32_t *numbers;
	struct stat st;
	struct err err;
	size_t n;
	int rc = 0;

	*ret_last = 0;
	(void)snprintf(path, sizeof path, "%.*s/" MANIFEST_FOLDER, (int)AUDIT_STORE_MAX, a->store);
	if (segment_list(path, &numbers, &n, &err) < 0)
		return audit_fault(a, AUDIT_BROKEN, path, 0, "there are no manifests: %s",
				   err.text);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (numbers[i] != *ret_last + 1) {
			path_of(a, *ret_last + 1, path);
			rc = audit_fault(a, AUDIT_BROKEN, path, 0, "the file is missing");
		}
		*ret_last = numbers[i];
		path_of(a, numbers[i], path);
		if (rc == 0 && i + 1 < n && stat(path, &st) == 0 && st.st_size <= SEGMENT_HEAD)
			rc = audit_fault(a, AUDIT_BROKEN, path, 0,
					 "there is no manifest in the file");
	}
	free(numbers);
	return rc;
}

int audit_manifests(struct auditing *a)
{
	static const struct manifest_walk ops = {.manifest = take_manifest, .fault = take_fault};
	char path[LEDGER_PATH_MAX];
	uint32_t last;
	struct err err;
	int rc = check_files(a, &last);

	for (size_t i = 0; i < a->options->n_heads; i++)
		a->options->heads[i].is_found = false;
	if (rc == 0)
		rc = manifest_walk_run(a->store, &ops, a, &err);
	if (rc < 0 && rc != -ENOMEM)
		rc = 0; /* told already */
	if (rc != 0)
		return rc;
	path_of(a, last, path);
	memcpy(a->audit->head, a->last_digest, SHA256_BYTES);
	if (a->torn_at > 0 && strcmp(path, a->torn_file) != 0)
		rc = tell_torn(a);
	else if (a->torn_at > 0 && !a->audit->is_running)
		rc = audit_fault(
			a, AUDIT_INCOMPLETE, a->torn_file, a->torn_at - 1,
			"a manifest is unfinished: the collector was killed, or the end is "
			"cut off");
	for (size_t i = 0; rc == 0 && i < a->options->n_heads; i++) {
		if (!a->options->heads[i].is_found)
			rc = audit_fault(
				a, AUDIT_BROKEN, path, 0,
				"manifest %llu, whose head was taken down, is not here: the store "
				"is older, or cut off",
				(ull)a->options->heads[i].number);
	}
	if (rc == 0 && a->last.number == 0)
		return audit_fault(a, AUDIT_BROKEN, path, 0, "there is no manifest");
	if (rc == 0 && a->last.more && !a->audit->is_running)
		rc = audit_fault(a, AUDIT_INCOMPLETE, path, 0,
				 "manifest %llu says that another follows", (ull)a->last.number);
	if (rc == 0 && a->last.kind != MANIFEST_END && !a->audit->is_running)
		rc = audit_fault(
			a, AUDIT_INCOMPLETE, path, 0,
			"the collector's end is not signed: it was killed, or what followed "
			"manifest %llu is cut off",
			(ull)a->last.number);
	return rc;
}

/* ---- signatures ---- */

/* The certificate is the collector's, and holds at that time. */
static int check_certificate(struct auditing *a, const struct audit_signature *s)
{
	const struct audit_certificate *c = &a->audit->certificates[s->certificate];
	char path[LEDGER_PATH_MAX];
	struct err err;

	if (crypto_ca_check(a->options->ca, c->der, c->der_len, CRYPTO_SERVER, TLS_COLLECTOR_NAME,
			    s->time_ns / NS_PER_S, &err) == 0)
		return 0;
	path_of(a, s->file, path);
	return audit_fault(a, AUDIT_BROKEN, path, s->offset, "the collector's certificate: %s",
			   err.text);
}

int audit_signatures(struct auditing *a)
{
	char path[LEDGER_PATH_MAX];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < a->n_signatures; i++) {
		const struct audit_signature *s = &a->signatures[i];
		const struct audit_certificate *c = &a->audit->certificates[s->certificate];
		bool is_first = i == 0 || s[-1].certificate != s->certificate;
		bool is_last = i + 1 == a->n_signatures || s[1].certificate != s->certificate;

		/* Its dates: all that lies between is within them, too. */
		if (is_first || is_last)
			rc = check_certificate(a, s);
		if (rc != 0 || crypto_verify(c->der, c->der_len, s->digest, s->signature, s->len))
			continue;
		path_of(a, s->file, path);
		rc = audit_fault(a, AUDIT_BROKEN, path, s->offset,
				 "the signature is not that of the collector's key");
	}
	return rc;
}
