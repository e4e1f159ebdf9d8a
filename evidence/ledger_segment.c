// SPDX-License-Identifier: Apache-2.0
/*
 * Reading one segment, and the bytes of its heads. Format: head of ledger_write.c.
 */
#include "evidence/ledger_segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/bytes.h"
#include "platform/file.h"

enum {
	SEGMENT_WINDOW = 1024 * 1024,
	ENTRY_SIGNED = 56, /* bytes of an entry's head that its digest covers */
};

_Static_assert((int)SEGMENT_WINDOW >= 2 * (int)SEGMENT_ENTRY_MAX, "an entry must fit anywhere");

static const char magic[] = "flowproof-ledger";
static const uint8_t mark[3] = {'f', 'p', 'E'};

void segment_init(struct segment *segment)
{
	*segment = (struct segment){.fd = -1};
}

void segment_expect(struct segment *segment, const uint8_t store[static LEDGER_STORE_ID])
{
	segment->knows_store = true;
	memcpy(segment->store, store, LEDGER_STORE_ID);
}

int segment_open(struct segment *segment, const char *path, uint32_t number, struct err *err)
{
	struct stat st;

	segment_close(segment);
	if (!segment->window) {
		segment->window = malloc(SEGMENT_WINDOW);
		if (!segment->window)
			return err_set(err, -ENOMEM, "no memory to read %s", path);
	}
	segment->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (segment->fd < 0)
		return err_errno(err, "cannot read %s", path);
	if (fstat(segment->fd, &st) < 0)
		return err_errno(err, "cannot read %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_FORMAT, "%s is not a regular file", path);
	segment->number = number;
	segment->size = (uint64_t)st.st_size;
	segment->at = 0;
	segment->budget = 4 * segment->size + SEGMENT_WINDOW;
	segment->have = 0;
	return 0;
}

void segment_close(struct segment *segment)
{
	if (segment->fd >= 0)
		(void)close(segment->fd);
	segment->fd = -1;
}

void segment_fini(struct segment *segment)
{
	segment_close(segment);
	free(segment->window);
	segment->window = NULL;
}

/* `len` bytes at `offset` through the window; NULL when the file ends before. */
static int take(struct segment *s, uint64_t offset, size_t len, const uint8_t **ret)
{
	uint64_t left;
	size_t want;
	int rc;

	*ret = NULL;
	if (offset > s->size || s->size - offset < len)
		return 0;
	if (offset < s->window_at || offset + len > s->window_at + s->have) {
		left = s->size - offset;
		want = left < SEGMENT_WINDOW ? (size_t)left : SEGMENT_WINDOW;
		s->have = 0;
		rc = file_read_at(s->fd, s->window, want, offset);
		if (rc < 0)
			return rc;
		if (rc > 0) { /* the writer cut a torn end meanwhile */
			s->size = offset;
			return 0;
		}
		s->window_at = offset;
		s->have = want;
	}
	*ret = s->window + (offset - s->window_at);
	return 0;
}

static void entry_digest(uint8_t out[static SHA256_BYTES], const uint8_t *head,
			 const uint8_t payload_digest[static SHA256_BYTES])
{
	uint8_t both[ENTRY_SIGNED + SHA256_BYTES];

	memcpy(both, head, ENTRY_SIGNED);
	memcpy(both + ENTRY_SIGNED, payload_digest, SHA256_BYTES);
	crypto_sha256(out, both, sizeof both);
}

void segment_tell(const struct segment_entry *entry, struct ledger_entry *ret)
{
	ret->kind = (enum ledger_kind)entry->type;
	ret->offset = entry->offset;
	ret->received_ns = entry->received_ns;
	ret->sequence = entry->sequence;
	ret->stream = entry->stream;
	ret->payload = entry->payload;
	ret->len = entry->len;
	ret->digest = entry->digest;
}

void segment_head(uint8_t out[static SEGMENT_HEAD], uint32_t number,
		  const uint8_t store[static LEDGER_STORE_ID])
{
	memcpy(out, magic, 16);
	put_be32(out + 16, SEGMENT_FORMAT);
	put_be32(out + 20, number);
	memcpy(out + 24, store, LEDGER_STORE_ID);
}

void segment_entry_head(uint8_t out[static SEGMENT_ENTRY_HEAD], const struct segment_entry *entry)
{
	memcpy(out, mark, 3);
	out[3] = (uint8_t)entry->type;
	put_be32(out + 4, (uint32_t)entry->len);
	put_be64(out + 8, entry->received_ns);
	put_be64(out + 16, entry->durable);
	put_be64(out + 24, entry->manifest);
	memcpy(out + 32, entry->stream, WIRE_STREAM_ID);
	put_be64(out + 48, entry->sequence);
	entry_digest(out + ENTRY_SIGNED, out, entry->digest);
}

/* Is there an entry at `offset`? *ret_reason says why not; NULL when there is one. */
static int read_entry(struct segment *s, uint64_t offset, struct segment_entry *ret,
		      const char **ret_reason)
{
	uint8_t digest[SHA256_BYTES];
	struct batch_gap gap;
	const uint8_t *p;
	uint32_t len;
	int rc;

	*ret_reason = "the file ends within an entry";
	rc = take(s, offset, SEGMENT_ENTRY_HEAD, &p);
	if (rc < 0 || !p)
		return rc;
	*ret_reason = "no entry begins here";
	len = be32(p + 4);
	if (memcmp(p, mark, 3) != 0 || p[3] < SEGMENT_HELLO || p[3] > SEGMENT_MANIFEST ||
	    len > LEDGER_PAYLOAD_MAX)
		return 0;
	*ret_reason = "the file ends within an entry";
	rc = take(s, offset, SEGMENT_ENTRY_HEAD + (size_t)len, &p);
	if (rc < 0 || !p)
		return rc;
	ret->offset = offset;
	ret->type = (enum segment_type)p[3];
	ret->len = len;
	ret->received_ns = be64(p + 8);
	ret->durable = be64(p + 16);
	ret->manifest = be64(p + 24);
	ret->stream = p + 32;
	ret->sequence = be64(p + 48);
	ret->payload = p + SEGMENT_ENTRY_HEAD;
	crypto_sha256(ret->digest, ret->payload, len);
	entry_digest(digest, p, ret->digest);
	*ret_reason = memcmp(digest, p + ENTRY_SIGNED, SHA256_BYTES) == 0
			      ? NULL
			      : "the digest of an entry does not fit";
	if (!*ret_reason && ret->type == SEGMENT_GAP) {
		if (batch_gap_decode(&gap, ret->payload, len, NULL) == 0)
			memcpy(ret->digest, gap.digest, SHA256_BYTES);
		else
			*ret_reason = "a gap's entry does not hold one";
	}
	return 0;
}

/* The next offset from `offset` on at which the mark stands; the end of the file if there is none.
 */
static int find_mark(struct segment *s, uint64_t offset, uint64_t *ret)
{
	const uint8_t *p, *hit;
	size_t n;
	int rc;

	while (offset < s->size) {
		uint64_t left = s->size - offset;

		n = left < SEGMENT_ENTRY_MAX ? (size_t)left : SEGMENT_ENTRY_MAX;
		rc = take(s, offset, n, &p);
		if (rc < 0)
			return rc;
		if (!p || n < sizeof mark)
			break;
		hit = memmem(p, n, mark, sizeof mark);
		if (hit) {
			*ret = offset + (uint64_t)(hit - p);
			return 0;
		}
		offset += n - (sizeof mark - 1);
		if (left == n)
			break;
	}
	*ret = s->size;
	return 0;
}

/* Fills the fault that begins at s->at and puts s->at behind it. */
static int skip_fault(struct segment *s, const char *reason, struct segment_fault *ret)
{
	uint64_t from = s->at, offset = from;
	struct segment_entry entry = {.len = 0};
	const char *why = reason;
	int rc;

	*ret = (struct segment_fault){.from = from, .to = s->size, .reason = reason};
	for (;;) {
		rc = find_mark(s, offset + 1, &offset);
		if (rc < 0)
			return rc;
		if (offset >= s->size)
			break;
		entry.len = 0;
		rc = read_entry(s, offset, &entry, &why);
		if (rc < 0)
			return rc;
		if (!why) {
			ret->to = offset;
			ret->was_durable = entry.durable > from;
			break;
		}
		if (s->budget < entry.len) { /* marks everywhere: made to be slow to read */
			ret->was_durable = true;
			break;
		}
		s->budget -= entry.len;
	}
	if (s->size - from > SEGMENT_TORN_MAX)
		ret->was_durable = true;
	s->at = ret->to;
	return 0;
}

/* Is this the head of the segment? NULL, or why not. */
static const char *check_head(struct segment *s, const uint8_t *p)
{
	uint8_t head[SEGMENT_HEAD];

	if (!p)
		return "the file ends within its head";
	segment_head(head, s->number,
		     s->knows_store ? s->store : p + SEGMENT_HEAD - LEDGER_STORE_ID);
	if (memcmp(p, head, SEGMENT_HEAD - LEDGER_STORE_ID) != 0)
		return "the file's head is not that of this segment";
	if (memcmp(p, head, SEGMENT_HEAD) != 0)
		return "the segment is one of another store";
	segment_expect(s, p + SEGMENT_HEAD - LEDGER_STORE_ID);
	return NULL;
}

int segment_next(struct segment *s, struct segment_entry *ret_entry,
		 struct segment_fault *ret_fault)
{
	const char *reason;
	const uint8_t *p;
	int rc;

	if (s->at >= s->size)
		return SEGMENT_END;
	if (s->at == 0) {
		rc = take(s, 0, SEGMENT_HEAD, &p);
		if (rc < 0)
			return rc;
		reason = check_head(s, p);
		if (reason) {
			rc = skip_fault(s, reason, ret_fault);
			return rc < 0 ? rc : SEGMENT_FAULT;
		}
		s->at = SEGMENT_HEAD;
		if (s->at == s->size)
			return SEGMENT_END;
	}
	rc = read_entry(s, s->at, ret_entry, &reason);
	if (rc < 0)
		return rc;
	if (!reason) {
		s->at += SEGMENT_ENTRY_HEAD + ret_entry->len;
		return SEGMENT_ENTRY;
	}
	if (s->at >= s->size) /* cut by the writer while we read */
		return SEGMENT_END;
	rc = skip_fault(s, reason, ret_fault);
	return rc < 0 ? rc : SEGMENT_FAULT;
}

uint32_t segment_number(const char *name)
{
	uint32_t n = 0;

	for (size_t i = 0; i < 8; i++) {
		if (name[i] < '0' || name[i] > '9')
			return 0;
		n = n * 10 + (uint32_t)(name[i] - '0');
	}
	return strcmp(name + 8, ".fpl") == 0 ? n : 0;
}

static int pick_segment(const struct dirent *d)
{
	return segment_number(d->d_name) > 0;
}

/* By bytes: alphasort() would follow the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int segment_list(const char *folder, uint32_t **ret, size_t *ret_n, struct err *err)
{
	struct dirent **names = NULL;
	uint32_t *numbers;
	int n = scandir(folder, &names, pick_segment, by_name);

	*ret = NULL;
	*ret_n = 0;
	if (n < 0)
		return err_errno(err, "cannot read the folder %s", folder);
	numbers = n > 0 ? calloc((size_t)n, sizeof *numbers) : NULL;
	for (int i = 0; i < n; i++) {
		if (numbers)
			numbers[i] = segment_number(names[i]->d_name);
		free(names[i]);
	}
	free(names);
	if (n > 0 && !numbers)
		return err_set(err, -ENOMEM, "no memory to read %s", folder);
	*ret = numbers;
	*ret_n = (size_t)n;
	return 0;
}
