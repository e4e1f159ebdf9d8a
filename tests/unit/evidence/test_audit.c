// SPDX-License-Identifier: Apache-2.0
/*
 * The audit against a ledger that is changed in every way one can think of. What is in the ledger, and
 * when, is told at make_store(); every count below is reckoned from that.
 */
#include "evidence/audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "evidence/ledger_segment.h"
#include "evidence/manifest.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/log.h"
#include "platform/tls.h"
#include "tests/unit/evidence/keys.h"
#include "tests/unit/evidence/sensors.h"

enum { FILES_MAX = 16, PATH_TEXT = 128, ENTRIES_MAX = 64 };

static struct crypto_ca *ca;
static struct crypto_signer *collector, *one_key, *two_key;
static uint64_t t0; /* when the ledger begins, ns */

/* A file of the store, kept to be put back. */
struct kept {
	char path[PATH_TEXT];
	uint8_t *bytes;
	size_t len;
	size_t n_entries;
	size_t entries[ENTRIES_MAX + 1]; /* offsets; the last is the file's end */
};

static struct kept files[FILES_MAX];
static size_t n_files;

/* ---- the ledger ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void remove_store(const char *store)
{
	(void)nftw(store, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	assert_int_equal(access(store, F_OK), -1);
}

static uint64_t at(unsigned s)
{
	return t0 + (uint64_t)s * NS_PER_S;
}

static struct ledger *open_at(const char *store, unsigned s, struct crypto_signer *signer,
			      uint64_t retain_s)
{
	const struct ledger_config config = {
		.signer = signer, .segment_s = 5, .retain_s = retain_s};
	struct ledger *ledger = NULL;
	struct err err = {""};

	if (ledger_open(&ledger, store, &config, at(s), &err) != 0)
		fail_msg("%s", err.text);
	return ledger;
}

static void seal_at(struct ledger *ledger, unsigned s)
{
	struct err err = {""};

	if (ledger_seal(ledger, at(s), &err) != 0)
		fail_msg("%s", err.text);
}

static void end_at(struct ledger *ledger, unsigned s)
{
	struct err err = {""};

	if (ledger_end(ledger, at(s), &err) != 0)
		fail_msg("%s", err.text);
	ledger_close(ledger);
}

/*
 * Two sensors, three and two segments, of which the first is deleted by retention; two runs of the
 * collector, the first of which is killed. Records: batch N of `one` has N of them, those of `two` 1.
 *
 *     s   manifest                    one                            two
 *     0   1 start                     hello, batches 1, 2            hello, batch 1
 *     1   2
 *     2                               batch 3
 *    10   3: segments 1 close
 *    11                               batch 4: segment 2             batch 2: segment 2
 *    12   4, 5: without news
 *    13   killed; 6 start
 *    14                               hello, batch 5
 *    20   7: segment 2 closes
 *    21                               batch 6, goodbye: segment 3    batch 3, goodbye
 *    30   8: segments 3 and 2 close; 9, 10: tombstones of segments 1, which ended at 11 s
 *    31   11 end
 */
static void make_store(const char *store, struct crypto_signer *signer)
{
	struct maker *one = maker_new("one", 'a', one_key), *two = maker_new("two", 'b', two_key);
	struct ledger *ledger = open_at(store, 0, signer, 0);

	maker_put_hello(one, ledger, at(0));
	maker_put_batch(one, ledger, at(0), 1, MAKER_PLAIN);
	maker_put_batch(one, ledger, at(0), 2, MAKER_SIGNED);
	maker_put_hello(two, ledger, at(0));
	maker_put_batch(two, ledger, at(0), 1, MAKER_PLAIN);
	seal_at(ledger, 1);
	maker_put_batch(one, ledger, at(2), 3, MAKER_PLAIN);
	seal_at(ledger, 10);
	maker_put_batch(one, ledger, at(11), 4, MAKER_PLAIN);
	maker_put_batch(two, ledger, at(11), 1, MAKER_PLAIN);
	seal_at(ledger, 12);
	seal_at(ledger, 12);
	ledger_close(ledger);
	ledger = open_at(store, 13, signer, 19);
	maker_put_hello(one, ledger, at(14));
	maker_put_batch(one, ledger, at(14), 5, MAKER_PLAIN);
	seal_at(ledger, 20);
	maker_put_batch(one, ledger, at(21), 6, MAKER_GOODBYE);
	maker_put_batch(two, ledger, at(21), 1, MAKER_GOODBYE);
	seal_at(ledger, 30);
	end_at(ledger, 31);
	maker_free(one);
	maker_free(two);
}

static void keep_file(const char *path)
{
	struct kept *f = &files[n_files++];
	struct segment_entry entry;
	struct segment_fault fault;
	struct segment scan;
	struct err err;

	assert_in_range(n_files, 1, FILES_MAX);
	assert_in_range(snprintf(f->path, sizeof f->path, "%s", path), 1, PATH_TEXT - 1);
	assert_int_equal(file_read_all(path, 1 << 20, (char **)&f->bytes, &f->len, &err), 0);
	segment_init(&scan);
	assert_int_equal(segment_open(&scan, path, segment_number(strrchr(path, '/') + 1), &err),
			 0);
	while (segment_next(&scan, &entry, &fault) == SEGMENT_ENTRY)
		f->entries[f->n_entries++] = entry.offset;
	assert_in_range(f->n_entries, 1, ENTRIES_MAX);
	f->entries[f->n_entries] = f->len;
	segment_fini(&scan);
}

static int keep_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (kind == FTW_F)
		keep_file(path);
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct kept *)a)->path, ((const struct kept *)b)->path);
}

static void put_bytes(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, bytes, len), 0);
	(void)close(fd);
}

static void put_back(const struct kept *f)
{
	put_bytes(f->path, f->bytes, f->len);
}

static void put_all_back(void)
{
	for (size_t i = 0; i < n_files; i++)
		put_back(&files[i]);
}

/* Nothing that a test before this one left. */
static int fresh_store(void **state)
{
	(void)state;
	remove_store("store");
	if (mkdir("store", 0700) != 0 || mkdir("store/one", 0700) != 0 ||
	    mkdir("store/two", 0700) != 0 || mkdir("store/" MANIFEST_FOLDER, 0700) != 0)
		return -1;
	put_all_back();
	return 0;
}

static int set_up(void **state)
{
	struct err err = {""};

	if (keys_make(state) != 0)
		return -1;
	keys_issue("ca", "one", CRYPTO_CLIENT, "one");
	keys_issue("ca", "two", CRYPTO_CLIENT, "two");
	keys_issue("ca", TLS_COLLECTOR_NAME, CRYPTO_SERVER, "collector2");
	keys_issue("ca", "other-server", CRYPTO_SERVER, "server");
	keys_issue("ca", TLS_COLLECTOR_NAME, CRYPTO_CLIENT, "client");
	keys_issue("ca", "Other CA", CRYPTO_CA, "ca2");
	keys_issue("ca2", TLS_COLLECTOR_NAME, CRYPTO_SERVER, "foreign");
	collector = keys_signer("collector");
	one_key = keys_signer("one");
	two_key = keys_signer("two");
	if (crypto_ca_new(&ca, "ca.crt", &err) != 0)
		return -1;
	t0 = clock_wall_ns();
	make_store("store", collector);
	if (nftw("store", keep_one, 8, FTW_PHYS) != 0)
		return -1;
	qsort(files, n_files, sizeof files[0], by_path);
	return 0;
}

static int tear_down(void **state)
{
	for (size_t i = 0; i < n_files; i++)
		free(files[i].bytes);
	crypto_ca_free(ca);
	crypto_signer_free(collector);
	crypto_signer_free(one_key);
	crypto_signer_free(two_key);
	return keys_remove(state);
}

/* ---- what the audit says ---- */

struct said {
	enum audit_grade grade;
	struct audit_fault first;
};

static struct said ask(const char *store, enum audit_grade enough)
{
	const struct audit_fault *first;
	const struct audit_options options = {.ca = ca, .enough = enough};
	struct said said = {.grade = AUDIT_INTACT};
	struct audit *audit = NULL;
	struct err err = {""};

	if (audit_run(&audit, store, &options, &err) != 0)
		fail_msg("%s", err.text);
	first = audit_first(audit);
	said.grade = audit->grade;
	if (first)
		said.first = *first;
	assert_true((first != NULL) == (audit->grade != AUDIT_INTACT));
	audit_free(audit);
	return said;
}

/* The audit says that it is broken, in this file (NULL: any), with this in the reason (NULL: any). */
static void expect_broken(const char *file, const char *reason, const char *what, size_t which)
{
	struct said said = ask("store", AUDIT_BROKEN);

	if (said.grade != AUDIT_BROKEN)
		fail_msg("%s %zu: %s, %s byte %llu: %s", what, which, audit_word(said.grade),
			 said.first.file, (unsigned long long)said.first.offset, said.first.reason);
	if ((file && strcmp(said.first.file, file) != 0) ||
	    (reason && !strstr(said.first.reason, reason)))
		fail_msg("%s %zu: expected in %s '%s', told is %s byte %llu: %s", what, which,
			 file ? file : "any file", reason ? reason : "any reason", said.first.file,
			 (unsigned long long)said.first.offset, said.first.reason);
}

static void expect_grade(enum audit_grade grade, const char *reason, const char *what)
{
	struct said said = ask("store", AUDIT_INTACT);

	if (said.grade != grade || (reason && !strstr(said.first.reason, reason)))
		fail_msg("%s: expected %s '%s', told is %s, %s byte %llu: %s", what,
			 audit_word(grade), reason ? reason : "any reason", audit_word(said.grade),
			 said.first.file, (unsigned long long)said.first.offset, said.first.reason);
}

static const struct kept *find_file(const char *path)
{
	for (size_t i = 0; i < n_files; i++) {
		if (strcmp(files[i].path, path) == 0)
			return &files[i];
	}
	fail_msg("no file %s", path);
	return &files[0];
}

static bool is_manifests(const struct kept *f)
{
	return strstr(f->path, MANIFEST_FOLDER) != NULL;
}

#define LAST_MANIFESTS "store/" MANIFEST_FOLDER "/00000002.fpl"

static void test_intact(void **state)
{
	const struct audit_options all = {.ca = ca};
	const struct audit_stream *stream;
	struct audit *audit = NULL;
	struct err err = {""};

	(void)state;
	assert_int_equal(audit_run(&audit, "store", &all, &err), 0);
	if (audit->grade != AUDIT_INTACT)
		fail_msg("%s byte %llu: %s", audit->faults[0].file,
			 (unsigned long long)audit->faults[0].offset, audit->faults[0].reason);
	assert_false(audit->is_running);
	assert_int_equal(audit->manifests, 11);
	/* 1: nothing is there yet; 5; 6: nothing since; 11. */
	assert_int_equal(audit->empty, 4);
	assert_int_equal(audit->starts, 2);
	assert_int_equal(audit->unclean_starts, 1);
	assert_int_equal(audit->tombstones, 2);
	assert_int_equal(audit->n_certificates, 1);
	assert_int_equal(audit->n_sensors, 2);
	assert_string_equal(audit->sensors[0].id, "one");
	assert_int_equal(audit->sensors[0].first, 2);
	assert_int_equal(audit->sensors[0].last, 3);
	assert_int_equal(audit->sensors[0].deleted, 1);
	assert_int_equal(audit->sensors[0].bytes, audit->sensors[0].sealed_bytes);
	assert_int_equal(audit->sensors[0].n_streams, 1);
	stream = &audit->sensors[0].streams[0];
	assert_int_equal(stream->end, AUDIT_GOODBYE);
	assert_int_equal(stream->deleted, 3);
	assert_int_equal(stream->batches, 3);
	assert_int_equal(stream->sum.records, 4 + 5 + 6);
	assert_int_equal(stream->sum.packets, 2 * (4 + 5 + 6));
	assert_int_equal(stream->signed_upto, 6);
	assert_int_equal(stream->heads, 1); /* that of batch 2 is deleted */
	stream = &audit->sensors[1].streams[0];
	assert_int_equal(stream->deleted, 1);
	assert_int_equal(stream->batches, 2);
	audit_free(audit);
	assert_int_equal(n_files, 2 + 2 + 1);
}

/* ---- changes ---- */

/* One bit of every byte of every file. */
static void test_every_byte(void **state)
{
	size_t bytes = 0;

	(void)state;
	for (size_t i = 0; i < n_files; i++) {
		struct kept *f = &files[i];
		int fd = open(f->path, O_WRONLY);

		assert_true(fd >= 0);
		for (size_t at_byte = 0; at_byte < f->len; at_byte++) {
			uint8_t changed = (uint8_t)(f->bytes[at_byte] ^ 1u << (at_byte & 7));
			struct said said;

			assert_int_equal(pwrite(fd, &changed, 1, (off_t)at_byte), 1);
			/* A changed last manifest looks like one that a crash left unfinished. */
			if (strcmp(f->path, LAST_MANIFESTS) == 0 &&
			    at_byte >= f->entries[f->n_entries - 1]) {
				said = ask("store", AUDIT_INCOMPLETE);
				assert_int_equal(said.grade, AUDIT_INCOMPLETE);
				assert_string_equal(said.first.file, f->path);
				assert_int_equal(said.first.offset, f->entries[f->n_entries - 1]);
			} else {
				expect_broken(f->path, NULL, f->path, at_byte);
			}
			assert_int_equal(pwrite(fd, &f->bytes[at_byte], 1, (off_t)at_byte), 1);
		}
		(void)close(fd);
		bytes += f->len;
	}
	print_message("%zu bytes changed, each found\n", bytes);
	expect_grade(AUDIT_INTACT, NULL, "put back");
}

static void test_files(void **state)
{
	char other[PATH_TEXT];

	(void)state;
	for (size_t i = 0; i < n_files; i++) {
		assert_int_equal(unlink(files[i].path), 0);
		/* Without the last manifests other files are missed, or miss them. */
		expect_broken(strcmp(files[i].path, LAST_MANIFESTS) == 0 ? NULL : files[i].path,
			      "missing", "deleted", i);
		put_back(&files[i]);
		put_bytes(files[i].path, "", 0);
		expect_broken(strcmp(files[i].path, LAST_MANIFESTS) == 0 ? NULL : files[i].path,
			      NULL, "emptied", i);
		put_back(&files[i]);
		/* Another's content, within the sensor and without. */
		for (size_t j = 0; j < i; j++) {
			put_bytes(files[i].path, files[j].bytes, files[j].len);
			put_bytes(files[j].path, files[i].bytes, files[i].len);
			expect_broken(NULL, NULL, "swapped", i * FILES_MAX + j);
			put_all_back();
		}
		assert_int_equal(unlink(files[i].path), 0);
		assert_int_equal(mkdir(files[i].path, 0700), 0);
		expect_broken(files[i].path, "not a regular file", "a folder", i);
		assert_int_equal(rmdir(files[i].path), 0);
		(void)snprintf(other, sizeof other, "../../ca.crt");
		assert_int_equal(symlink(other, files[i].path), 0);
		expect_broken(files[i].path, "not a regular file", "a link", i);
		assert_int_equal(unlink(files[i].path), 0);
		put_back(&files[i]);
	}
	expect_grade(AUDIT_INTACT, NULL, "put back");
}

static void test_what_does_not_belong(void **state)
{
	static const char *const names[] = {"store/x",
					    "store/.hidden",
					    "store/one/note.txt",
					    "store/one/00000002.fpl~",
					    "store/one/.x",
					    "store/" MANIFEST_FOLDER "/x"};
	const struct kept *segment = find_file("store/one/00000003.fpl");

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		put_bytes(names[i], "x", 1);
		expect_broken(names[i], NULL, "extra", i);
		assert_int_equal(unlink(names[i]), 0);
		assert_int_equal(mkdir(names[i], 0700), 0);
		if (i == 0) /* a sensor could be called that */
			expect_grade(AUDIT_INCOMPLETE, "the folder is empty", "extra folder");
		else
			expect_broken(names[i], NULL, "extra folder", i);
		assert_int_equal(rmdir(names[i]), 0);
	}
	assert_int_equal(mkdir("store/three", 0700), 0);
	expect_grade(AUDIT_INCOMPLETE, "the folder is empty", "a sensor's folder");
	put_bytes("store/three/00000001.fpl", segment->bytes, segment->len);
	expect_broken("store/three/00000001.fpl", NULL, "a sensor", 0);
	assert_int_equal(unlink("store/three/00000001.fpl"), 0);
	assert_int_equal(rmdir("store/three"), 0);
	put_bytes("store/one/00000004.fpl", segment->bytes, segment->len);
	expect_broken("store/one/00000004.fpl", NULL, "a segment more", 0);
	assert_int_equal(unlink("store/one/00000004.fpl"), 0);
	/* The deleted segment's place. */
	put_bytes("store/one/00000001.fpl", segment->bytes, segment->len);
	expect_broken("store/one/00000001.fpl", NULL, "in the deleted one's place", 0);
	assert_int_equal(unlink("store/one/00000001.fpl"), 0);
	expect_grade(AUDIT_INTACT, NULL, "put back");
}

/* Each entry left out, there twice, and in its neighbour's place; the file cut at and within each. */
static void test_entries(void **state)
{
	uint8_t *bytes = malloc(1 << 20);

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < n_files; i++) {
		const struct kept *f = &files[i];
		bool last_file = strcmp(f->path, LAST_MANIFESTS) == 0;

		for (size_t e = 0; e < f->n_entries; e++) {
			size_t from = f->entries[e], to = f->entries[e + 1];
			bool is_end = last_file && e + 1 == f->n_entries;

			memcpy(bytes, f->bytes, from);
			memcpy(bytes + from, f->bytes + to, f->len - to);
			put_bytes(f->path, bytes, f->len - (to - from));
			if (is_end)
				expect_grade(AUDIT_INCOMPLETE, "end is not signed",
					     "the end left out");
			else
				expect_broken(NULL, NULL, "left out", e);

			memcpy(bytes + from, f->bytes + from, to - from);
			memcpy(bytes + to, f->bytes + from, f->len - from);
			put_bytes(f->path, bytes, f->len + (to - from));
			expect_broken(f->path, NULL, "twice", e);
			/* At the file's end. */
			memcpy(bytes, f->bytes, f->len);
			memcpy(bytes + f->len, f->bytes + from, to - from);
			put_bytes(f->path, bytes, f->len + (to - from));
			expect_broken(f->path, NULL, "replayed", e);

			if (e + 1 < f->n_entries) {
				size_t end = f->entries[e + 2];

				memcpy(bytes, f->bytes, f->len);
				memcpy(bytes + from, f->bytes + to, end - to);
				memcpy(bytes + from + (end - to), f->bytes + from, to - from);
				put_bytes(f->path, bytes, f->len);
				expect_broken(f->path, NULL, "swapped", e);
			}
			for (size_t cut = from; cut < to; cut += cut == from ? 1 : 97) {
				put_bytes(f->path, f->bytes, cut);
				if (is_end)
					expect_grade(AUDIT_INCOMPLETE, NULL, "the end cut");
				else if (!last_file)
					expect_broken(is_manifests(f) && cut == from ? NULL
										     : f->path,
						      NULL, "cut", cut);
				else
					assert_int_not_equal(ask("store", AUDIT_INCOMPLETE).grade,
							     AUDIT_INTACT);
			}
			put_back(f);
		}
	}
	free(bytes);
	expect_grade(AUDIT_INTACT, NULL, "put back");
}

/* Every run of manifests is missed, also two in a row, wherever it lies. */
static void test_runs_of_manifests(void **state)
{
	uint8_t *bytes = malloc(1 << 20);

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < n_files; i++) {
		const struct kept *f = &files[i];

		for (size_t a = 0; is_manifests(f) && a < f->n_entries; a++) {
			for (size_t b = a + 1; b <= f->n_entries; b++) {
				memcpy(bytes, f->bytes, f->entries[a]);
				memcpy(bytes + f->entries[a], f->bytes + f->entries[b],
				       f->len - f->entries[b]);
				put_bytes(f->path, bytes, f->len - (f->entries[b] - f->entries[a]));
				if (b < f->n_entries)
					expect_broken(NULL, NULL, "run", a * ENTRIES_MAX + b);
				else
					assert_int_not_equal(ask("store", AUDIT_INCOMPLETE).grade,
							     AUDIT_INTACT);
			}
			put_back(f);
		}
	}
	free(bytes);
	expect_grade(AUDIT_INTACT, NULL, "put back");
}

/* ---- forgers ---- */

/* Signs all manifests from number `from` on anew, links and digests as they must be. With `cert` also in the
 * starts. */
static void sign_anew(struct crypto_signer *signer, uint64_t from, bool cert)
{
	static struct manifest_writer writer;
	uint8_t previous[SHA256_BYTES] = {0}, head[SEGMENT_ENTRY_HEAD];
	const uint8_t *der;
	size_t der_len;

	der = crypto_signer_certificate(signer, &der_len);
	for (size_t i = 0; i < n_files; i++) {
		const struct kept *f = &files[i];
		struct segment_entry entry;
		struct segment_fault fault;
		struct segment scan;
		struct err err;
		int fd;

		if (!is_manifests(f))
			continue;
		segment_init(&scan);
		assert_int_equal(segment_open(&scan, f->path,
					      segment_number(strrchr(f->path, '/') + 1), &err),
				 0);
		assert_int_equal(unlink(f->path), 0);
		fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		assert_true(fd >= 0);
		assert_int_equal(file_write(fd, f->bytes, SEGMENT_HEAD), 0);
		while (segment_next(&scan, &entry, &fault) == SEGMENT_ENTRY) {
			struct manifest manifest;
			struct manifest_item item;

			assert_int_equal(manifest_open(&manifest, entry.payload, entry.len, &err),
					 0);
			if (manifest.head.number >= from) {
				memcpy(manifest.head.previous, previous, SHA256_BYTES);
				crypto_sha256(manifest.head.signer, der, der_len);
				manifest_begin(&writer, &manifest.head);
				while (manifest_next(&manifest, &item)) {
					if (item.type == MANIFEST_CERTIFICATE && cert) {
						item.der = der;
						item.der_len = der_len;
					}
					assert_true(manifest_add(&writer, &item));
				}
				entry.len = manifest_finish(&writer, manifest.head.more, signer);
				entry.payload = writer.bytes;
				crypto_sha256(entry.digest, entry.payload, entry.len);
			}
			segment_entry_head(head, &entry);
			memcpy(previous, entry.digest, SHA256_BYTES);
			assert_int_equal(file_write(fd, head, sizeof head), 0);
			assert_int_equal(file_write(fd, entry.payload, entry.len), 0);
		}
		(void)close(fd);
		segment_fini(&scan);
	}
}

/* Keys of the same CA with another role, and the right role from another CA. */
static void test_signed_by_others(void **state)
{
	static const struct {
		const char *key, *reason;
	} others[] = {{"one", "certificate"},
		      {"server", "certificate"},
		      {"client", "certificate"},
		      {"foreign", "certificate"}};

	(void)state;
	sign_anew(collector, 1, true);
	expect_grade(AUDIT_INTACT, NULL, "signed anew by the collector itself");
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		struct crypto_signer *signer = keys_signer(others[i].key);

		put_all_back();
		sign_anew(signer, 1, true);
		expect_broken("store/" MANIFEST_FOLDER "/00000001.fpl", others[i].reason,
			      others[i].key, 0);
		/* From the second start on. */
		put_all_back();
		sign_anew(signer, 6, true);
		expect_broken(LAST_MANIFESTS, others[i].reason, others[i].key, 6);
		/* In the collector's name. */
		for (uint64_t from = 1; from <= 11; from++) {
			put_all_back();
			sign_anew(signer, from, false);
			expect_broken(from < 6 ? "store/" MANIFEST_FOLDER "/00000001.fpl"
					       : LAST_MANIFESTS,
				      "signer", others[i].key, from);
		}
		crypto_signer_free(signer);
	}
	put_all_back();
	expect_grade(AUDIT_INTACT, NULL, "put back");
}

/* The entry's digest, which needs no key, is made to fit; only the signature can tell. */
static void test_forged_signature(void **state)
{
	const struct kept *f = find_file(LAST_MANIFESTS);
	struct segment_entry entry;
	uint8_t *bytes, head[SEGMENT_ENTRY_HEAD];
	size_t from;

	(void)state;
	bytes = malloc(f->len);
	assert_non_null(bytes);
	memcpy(bytes, f->bytes, f->len);
	from = f->entries[f->n_entries - 1];
	bytes[f->len - 1] ^= 1; /* of the signature */
	entry = (struct segment_entry){.type = SEGMENT_MANIFEST,
				       .received_ns = be64(bytes + from + 8),
				       .durable = be64(bytes + from + 16),
				       .stream = bytes + from + 32,
				       .sequence = be64(bytes + from + 48),
				       .len = f->len - from - SEGMENT_ENTRY_HEAD};
	crypto_sha256(entry.digest, bytes + from + SEGMENT_ENTRY_HEAD, entry.len);
	segment_entry_head(head, &entry);
	memcpy(bytes + from, head, sizeof head);
	put_bytes(f->path, bytes, f->len);
	expect_broken(LAST_MANIFESTS, "signature", "signature", 0);
	free(bytes);
	put_back(f);
}

/* A new certificate of the collector, under the same CA, from a start on. */
static void test_key_rotation(void **state)
{
	const struct audit_options all = {.ca = ca};
	struct crypto_signer *second = keys_signer("collector2");
	struct audit *audit = NULL;
	struct err err = {""};

	(void)state;
	end_at(open_at("store", 40, second, 0), 41);
	expect_grade(AUDIT_INTACT, NULL, "a second key");
	assert_int_equal(audit_run(&audit, "store", &all, &err), 0);
	assert_int_equal(audit->n_certificates, 2);
	assert_int_equal(audit->certificates[1].from, 12);
	audit_free(audit);
	/* In the middle of a run it is a forgery. */
	assert_int_equal(unlink("store/" MANIFEST_FOLDER "/00000003.fpl"), 0);
	put_all_back();
	sign_anew(second, 8, true);
	expect_broken(LAST_MANIFESTS, "signer", "second key", 8);
	put_all_back();
	crypto_signer_free(second);
}

/* The collector's own key rebuilds a history: the sensor's signatures do not. */
static void test_rebuilt_history(void **state)
{
	struct crypto_signer *fake = keys_signer("client");
	struct maker *one = maker_new("one", 'a', fake);
	struct ledger *ledger = open_at("rebuilt", 0, collector, 0);
	struct said said;

	(void)state;
	maker_put_hello(one, ledger, at(1));
	maker_put_batch(one, ledger, at(1), 1, MAKER_GOODBYE);
	end_at(ledger, 2);
	said = ask("rebuilt", AUDIT_INTACT);
	assert_int_equal(said.grade, AUDIT_BROKEN);
	assert_non_null(strstr(said.first.reason, "the sensor's certificate"));
	assert_string_equal(said.first.file, "rebuilt/one/00000001.fpl");
	remove_store("rebuilt");

	/* With the sensor's certificate, which is public, but not its key. */
	for (unsigned how = MAKER_PLAIN; how <= MAKER_SIGNED; how++) {
		maker_free(one);
		one = maker_new("one", 'a', one_key);
		ledger = open_at("rebuilt", 0, collector, 0);
		maker_put_hello(one, ledger, at(1));
		one->signer = fake;
		maker_put_batch(one, ledger, at(1), 1, how ? MAKER_GOODBYE : MAKER_PLAIN);
		if (how == MAKER_PLAIN)
			maker_put_batch(one, ledger, at(400), 1, MAKER_PLAIN);
		end_at(ledger, 401);
		said = ask("rebuilt", AUDIT_INTACT);
		assert_int_equal(said.grade, how ? AUDIT_BROKEN : AUDIT_INCOMPLETE);
		if (how)
			assert_non_null(strstr(said.first.reason, "key of sensor one"));
		remove_store("rebuilt");
	}
	maker_free(one);
	crypto_signer_free(fake);
}

/* ---- ends, gaps, and a collector that runs ---- */

/* A full segment of one sensor closes while bytes of another are not durable: the manifest leaves those
 * out, and they are covered by the next. */
static void test_close_beside_unsynced(void **state)
{
	struct maker *one = maker_new("one", 'a', one_key), *two = maker_new("two", 'b', two_key);
	struct ledger *ledger = open_at("beside", 0, collector, 0);
	uint8_t *big = calloc(1, LEDGER_PAYLOAD_MAX);
	struct ledger_sensor *sensor;
	struct said said;
	struct err err;

	(void)state;
	assert_non_null(big);
	maker_put_hello(one, ledger, at(0));
	maker_put_batch(one, ledger, at(0), 1, MAKER_GOODBYE);
	assert_int_equal(ledger_commit(ledger, &err), 0);
	maker_put_hello(two, ledger, at(0));
	/* `zz` is filled with what is no batch: the audit says so, and of nobody else. */
	assert_int_equal(ledger_sensor_open(ledger, "zz", &sensor, &err), 0);
	for (unsigned i = 0; i * LEDGER_PAYLOAD_MAX <= LEDGER_SEGMENT_MAX; i++)
		assert_int_equal(ledger_append_batch(sensor, at(0), two->stream, i + 1, big,
						     LEDGER_PAYLOAD_MAX, &ledger_sum_none, &err),
				 0);
	assert_int_equal(access("beside/zz/00000002.fpl", F_OK), 0);
	maker_put_batch(two, ledger, at(0), 1, MAKER_GOODBYE);
	end_at(ledger, 1);
	free(big);
	said = ask("beside", AUDIT_BROKEN);
	assert_int_equal(said.grade, AUDIT_BROKEN);
	assert_string_equal(said.first.file, "beside/zz/00000001.fpl");
	maker_free(two);
	maker_free(one);
	remove_store("beside");
}

static void test_killed(void **state)
{
	struct maker *one = maker_new("one", 'a', one_key);
	struct ledger *ledger;
	struct said said;
	struct err err;

	(void)state;
	ledger = open_at("killed", 0, collector, 0);
	maker_put_hello(one, ledger, at(1));
	maker_put_batch(one, ledger, at(1), 1, MAKER_SIGNED);
	assert_int_equal(ledger_commit(ledger, &err), 0);
	/* It runs: its lock says so. What no manifest covers yet is no fault, nor is the open stream. */
	assert_int_equal(ask("killed", AUDIT_INTACT).grade, AUDIT_INTACT);
	seal_at(ledger, 2);
	maker_put_batch(one, ledger, at(2), 1, MAKER_SIGNED);
	assert_int_equal(ask("killed", AUDIT_INTACT).grade, AUDIT_INTACT);
	assert_int_equal(ledger_commit(ledger, &err), 0);
	ledger_close(ledger);
	/* Killed. */
	said = ask("killed", AUDIT_INTACT);
	assert_int_equal(said.grade, AUDIT_INCOMPLETE);
	assert_non_null(strstr(said.first.reason, "end is not signed"));
	/* Started again and ended well; only the sensor did not say goodbye. */
	end_at(open_at("killed", 3, collector, 0), 4);
	said = ask("killed", AUDIT_INTACT);
	assert_int_equal(said.grade, AUDIT_INCOMPLETE);
	assert_non_null(strstr(said.first.reason, "ends after batch 2 without goodbye"));
	ledger = open_at("killed", 5, collector, 0);
	maker_put_hello(one, ledger, at(5));
	maker_put_batch(one, ledger, at(5), 1, MAKER_GOODBYE);
	end_at(ledger, 6);
	assert_int_equal(ask("killed", AUDIT_INTACT).grade, AUDIT_INTACT);
	maker_free(one);
	remove_store("killed");
}

static void test_gap(void **state)
{
	const struct audit_options all = {.ca = ca};
	for (unsigned confirmed = 0; confirmed < 2; confirmed++) {
		struct maker *one = maker_new("one", 'a', one_key);
		struct ledger *ledger = open_at("gap", 0, collector, 0);
		struct audit *audit = NULL;
		struct err err;

		maker_put_hello(one, ledger, at(1));
		maker_put_batch(one, ledger, at(1), 1, MAKER_PLAIN);
		maker_put_gap(one, ledger, at(2), 7);
		if (!confirmed)
			one->gap.last = 0;
		maker_put_batch(one, ledger, at(3), 1, MAKER_GOODBYE);
		end_at(ledger, 4);
		assert_int_equal(audit_run(&audit, "gap", &all, &err), 0);
		assert_int_equal(audit->grade, AUDIT_INCOMPLETE);
		assert_int_equal(audit->n_faults, 1);
		assert_non_null(strstr(audit->faults[0].reason,
				       "batches 2 to 2 are not here: 7 records of 14 packets"));
		assert_int_equal(audit->sensors[0].streams[0].n_gaps, 1);
		assert_int_equal(audit->sensors[0].streams[0].gaps[0].is_confirmed, confirmed);
		audit_free(audit);
		maker_free(one);
		remove_store("gap");
	}
	(void)state;
}

/* What a reader of a span of time meets, as "H" hello, "1" batch 1, ...; "-" where something was left out. */
static void expect_span(unsigned from, unsigned to, const char *expected)
{
	struct ledger_reader *reader;
	struct ledger_entry entry;
	char met[32];
	size_t n = 0;
	struct err err;

	assert_int_equal(ledger_reader_open(&reader, "span", NULL, &err), 0);
	ledger_reader_span(reader, at(from) / NS_PER_S, at(to) / NS_PER_S);
	while (ledger_next(reader, &entry, &err) > 0) {
		assert_in_range(entry.kind, LEDGER_HELLO, LEDGER_BATCH);
		assert_in_range(n, 0, sizeof met - 3);
		if (entry.is_skip)
			met[n++] = '-';
		met[n++] = entry.kind == LEDGER_HELLO ? 'H' : (char)('0' + entry.sequence);
	}
	ledger_reader_free(reader);
	met[n] = '\0';
	assert_string_equal(met, expected);
}

/* Ranges that hold nothing of the span are left out, and the hello that holds is read first. What no
 * manifest covers is always read, and the range before it for its hello. */
static void test_span(void **state)
{
	const struct ledger_config config = {.signer = collector, .segment_s = LEDGER_SEGMENT_S};
	struct maker *one = maker_new("one", 'a', one_key);
	struct ledger *ledger;
	struct err err;

	(void)state;
	assert_int_equal(ledger_open(&ledger, "span", &config, at(0), &err), 0);
	maker_put_hello(one, ledger, at(100));
	maker_put_batch(one, ledger, at(100), 1, MAKER_PLAIN);
	seal_at(ledger, 101);
	maker_put_batch(one, ledger, at(200), 1, MAKER_PLAIN);
	seal_at(ledger, 201);
	maker_put_batch(one, ledger, at(300), 1, MAKER_PLAIN);
	seal_at(ledger, 301);
	maker_put_batch(one, ledger, at(400), 1, MAKER_GOODBYE);
	expect_span(0, 1000, "H1234");
	expect_span(200, 200, "-H234");
	expect_span(100, 100, "H1-H34");
	expect_span(900, 900, "-H34");
	end_at(ledger, 402);
	expect_span(0, 1000, "H1234");
	expect_span(100, 100, "H1");
	expect_span(200, 201, "-H2");
	expect_span(201, 300, "-H23"); /* a record lasts a second */
	expect_span(400, 400, "-H4");
	expect_span(0, 99, "");
	expect_span(100, 199, "H1");
	maker_free(one);
	remove_store("span");
}

/* A store that is put back to an earlier good end: only a head that was kept elsewhere tells. */
static void test_heads(void **state)
{
	struct audit_head heads[2] = {{.number = 12}, {.number = 13}};
	struct audit_options options = {.ca = ca, .heads = heads};
	struct audit *audit = NULL;
	struct err err = {""};

	(void)state;
	end_at(open_at("store", 40, collector, 0), 41);
	assert_int_equal(audit_run(&audit, "store", &options, &err), 0);
	assert_int_equal(audit->manifests, 13);
	memcpy(heads[1].sha256, audit->head, SHA256_BYTES);
	audit_free(audit);
	options.heads = &heads[1];
	options.n_heads = 1;
	assert_int_equal(audit_run(&audit, "store", &options, &err), 0);
	assert_int_equal(audit->grade, AUDIT_INTACT);
	audit_free(audit);
	options.heads = heads; /* the first one's digest is wrong */
	options.n_heads = 2;
	assert_int_equal(audit_run(&audit, "store", &options, &err), 0);
	assert_int_equal(audit->grade, AUDIT_BROKEN);
	assert_non_null(strstr(audit_first(audit)->reason, "manifest 12: it is not the one"));
	audit_free(audit);
	assert_int_equal(unlink("store/" MANIFEST_FOLDER "/00000003.fpl"), 0);
	expect_grade(AUDIT_INTACT, NULL, "put back to its first end");
	options.heads = &heads[1];
	options.n_heads = 1;
	assert_int_equal(audit_run(&audit, "store", &options, &err), 0);
	assert_int_equal(audit->grade, AUDIT_BROKEN);
	assert_non_null(strstr(audit_first(audit)->reason, "manifest 13, whose head"));
	audit_free(audit);
}

/* Another store's files, of the same collector and sensors, in place of these. */
static void test_other_store(void **state)
{
	char path[PATH_TEXT], *bytes;
	struct err err;
	size_t len;

	(void)state;
	make_store("other", collector);
	for (size_t i = 0; i < n_files; i++) {
		(void)snprintf(path, sizeof path, "other%s", files[i].path + strlen("store"));
		assert_int_equal(file_read_all(path, 1 << 20, &bytes, &len, &err), 0);
		put_bytes(files[i].path, bytes, len);
		expect_broken(strcmp(files[i].path, LAST_MANIFESTS) == 0 ? LAST_MANIFESTS : NULL,
			      is_manifests(&files[i]) ? NULL : "another store", "spliced", i);
		put_back(&files[i]);
		free(bytes);
	}
	remove_store("other");
	expect_grade(AUDIT_INTACT, NULL, "put back");
}

static void test_no_store(void **state)
{
	const struct audit_options all = {.ca = ca};
	struct audit *audit;
	struct err err;

	(void)state;
	assert_int_equal(audit_run(&audit, "nowhere", &all, &err), -ENOENT);
	assert_int_equal(mkdir("bare", 0700), 0);
	assert_int_equal(ask("bare", AUDIT_INTACT).grade, AUDIT_BROKEN);
	assert_int_equal(rmdir("bare"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, fresh_store)
		T(test_intact),
		T(test_every_byte),
		T(test_files),
		T(test_what_does_not_belong),
		T(test_entries),
		T(test_runs_of_manifests),
		T(test_signed_by_others),
		T(test_forged_signature),
		T(test_key_rotation),
		T(test_rebuilt_history),
		T(test_close_beside_unsynced),
		T(test_killed),
		T(test_gap),
		T(test_heads),
		T(test_span),
		T(test_other_store),
		T(test_no_store),
	};

	log_set_level(LOG_LEVEL_ERR);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
