// SPDX-License-Identifier: Apache-2.0
/*
 * Records and lines into objects. An object under way holds its lines as text until there are enough for a piece, and the
 * packed pieces. What follows depends on the lines and their order alone: when an object is full, which is closed for want of
 * memory.
 */
#include "evidence/slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/dns_pairs.h"
#include "evidence/ocsf.h"
#include "evidence/parquet.h"
#include "evidence/replay.h"
#include "evidence/slots_parts.h"
#include "evidence/unlogged.h"
#include "platform/buffer.h"
#include "platform/clock.h"

enum {
	LINE_MAX_ = OCSF_LINE_MAX, /* also of flowrec_print(), which may write a little behind */
	TEXT_PIECE = 256 * 1024,
	FOOTER = 64 * 1024, /* of Parquet, without what is told of the row groups */
};

_Static_assert((int)LINE_MAX_ >= (int)FLOWREC_LINE_MAX + 8, "a line must fit");
_Static_assert((int)TEXT_PIECE + (int)LINE_MAX_ < (int)GZIP_PIECE_MAX, "a piece must fit");

/* In the ledger. No byte of it is padding. */
struct place {
	uint8_t stream[WIRE_STREAM_ID];
	uint64_t sequence, lines; /* so many came of that batch already */
};

/* An object under way. */
struct slot {
	uint64_t number; /* Unix seconds / SLOT_S */
	enum slots_what what;
	struct slots_owner owner;
	uint64_t records;
	struct place begin;
	uint32_t crc; /* of the text */
	struct gzip gzip;
	struct buffer text, packed;
	struct parquet_file parquet;
	size_t rows; /* in the text */
};

struct slots {
	struct slots_config config;
	const struct gzip_backend *by;
	size_t n;     /* open, in the order in which they were begun */
	size_t bytes; /* held by them */
	struct slot *open[SLOTS_OPEN_MAX];
	struct err err;
	/* Of the batch that is read. */
	struct place here;
	const struct wire_hello *hello;
	struct slots_owner owners[WIRE_INTERFACES_MAX];
	struct parquet_maker *parquet; /* if that is made */
	struct dns_pairs *dns;
	size_t n_askers, cap_askers;
	struct slots_owner *askers; /* whose DNS lines wait: by tag */
};

/* ---- memory ---- */

static int reserve(struct slots *s, struct buffer *b, size_t more)
{
	size_t cap = b->cap;

	if (buffer_reserve(b, more) < 0)
		return err_set(&s->err, -ENOMEM, "no memory for a file of records");
	s->bytes += b->cap - cap;
	return 0;
}

static void free_slot(struct slots *s, struct slot *slot)
{
	s->bytes -= slot->text.cap + slot->packed.cap;
	free(slot->text.at);
	free(slot->packed.at);
	parquet_file_fini(&slot->parquet);
	free(slot);
}

/* ---- an object ---- */

static bool is_parquet(const struct slots *s, const struct slot *slot)
{
	return s->config.format == SLOTS_PARQUET && slot->what != SLOTS_DNS;
}

/* A piece of gzip. */
static int pack_gzip(struct slots *s, struct slot *slot)
{
	struct buffer *t = &slot->text, *p = &slot->packed;
	int rc = reserve(s, p, gzip_bound(t->len) + GZIP_HEAD + GZIP_TAIL);
	size_t n;

	if (rc < 0)
		return rc;
	if (p->len == 0)
		p->len = gzip_begin(&slot->gzip, p->at);
	n = gzip_add(&slot->gzip, s->by, p->at + p->len, t->at, t->len);
	p->len += n;
	return n > 0 ? 0 : err_set(&s->err, -ENOMEM, "no memory to make gzip");
}

/* A row group of Parquet; the file's end if `is_end`. */
static int pack_parquet(struct slots *s, struct slot *slot, bool is_end)
{
	size_t cap = slot->packed.cap;
	int rc = slot->text.len > 0 ? parquet_rows(s->parquet, &slot->parquet, &slot->packed,
						   (const char *)slot->text.at, slot->text.len)
				    : 0;

	if (rc == 0 && is_end)
		rc = parquet_end(s->parquet, &slot->parquet, &slot->packed);
	s->bytes += slot->packed.cap - cap;
	return rc < 0 ? err_set(&s->err, rc, "no memory to make Parquet") : 0;
}

/* Packs the text that has gathered; at the end also the rest of the file. */
static int pack(struct slots *s, struct slot *slot, bool is_end)
{
	int rc = 0;

	slot->crc = s->by->crc(slot->crc, slot->text.at, slot->text.len);
	if (is_parquet(s, slot)) {
		rc = pack_parquet(s, slot, is_end);
	} else {
		if (slot->text.len > 0)
			rc = pack_gzip(s, slot);
		if (rc == 0 && is_end)
			slot->packed.len +=
				gzip_end(&slot->gzip, slot->packed.at + slot->packed.len);
	}
	slot->text.len = slot->rows = 0;
	return rc;
}

/* Gives it to whoever takes objects, and forgets it. */
static int close_slot(struct slots *s, size_t i)
{
	struct slot *slot = s->open[i];
	char key[OBJECT_KEY_MAX];
	uint8_t digest[SHA256_BYTES];
	struct object object = {.key = key,
				.type = is_parquet(s, slot) ? "application/vnd.apache.parquet"
							    : "application/gzip",
				.records = slot->records};
	int rc = pack(s, slot, true);

	if (rc == 0) {
		crypto_sha256_two(digest, &slot->begin, sizeof slot->begin, &slot->crc,
				  sizeof slot->crc);
		object.bytes = slot->packed.at;
		object.len = slot->packed.len;
		rc = slots_key(key, &s->config, slot->what, &slot->owner, slot->number, digest);
		if (rc < 0)
			rc = err_set(&s->err, rc, "the name of a file of records is too long");
	}
	if (rc == 0)
		rc = s->config.put(s->config.ctx, &object, &s->err);
	memmove(&s->open[i], &s->open[i + 1], (s->n - i - 1) * sizeof s->open[0]);
	s->n--;
	free_slot(s, slot);
	return rc;
}

/* Makes room for lines: the header is the first. */
static int begin_slot(struct slots *s, struct slot *slot)
{
	int rc = reserve(s, &slot->text, LINE_MAX_);

	slot->begin = s->here; /* two machines may tell the same lines of the same five minutes */
	if (rc == 0 && slot->what != SLOTS_DNS && s->config.format == SLOTS_TEXT)
		slot->text.len = flowrec_print_header((char *)slot->text.at, &s->config.fields);
	return rc;
}

/* The object under way, begun if there is none. */
static int find_slot(struct slots *s, enum slots_what what, const struct slots_owner *owner,
		     uint64_t number, struct slot **ret)
{
	struct slot *slot;
	int rc;

	for (size_t i = s->n; i-- > 0;) {
		slot = s->open[i];
		if (slot->number == number && slot->what == what &&
		    memcmp(&slot->owner, owner, sizeof *owner) == 0) {
			*ret = slot;
			return 0;
		}
	}
	if (s->n == SLOTS_OPEN_MAX) {
		rc = close_slot(s, 0);
		if (rc != 0)
			return rc;
	}
	slot = calloc(1, sizeof *slot);
	if (!slot)
		return err_set(&s->err, -ENOMEM, "no memory for a file of records");
	slot->number = number;
	slot->what = what;
	slot->owner = *owner;
	rc = begin_slot(s, slot);
	if (rc < 0) {
		free_slot(s, slot);
		return rc;
	}
	s->open[s->n++] = slot;
	*ret = slot;
	return 0;
}

/* A line was added. The object must not grow beyond its limit, whatever comes of the text: gzip adds little; in Parquet a
 * text of few letters has a length of four bytes before it, if it is one of very many. */
static int added(struct slots *s, struct slot *slot)
{
	size_t roll = s->config.roll ? s->config.roll : SLOTS_ROLL_BYTES, more, i = 0;
	bool is_columns = is_parquet(s, slot);
	int rc = 0;

	slot->records++;
	slot->rows++;
	s->here.lines++;
	if (is_columns ? slot->text.len >= PARQUET_TEXT_MAX || slot->rows == PARQUET_ROWS_MAX
		       : slot->text.len >= TEXT_PIECE)
		rc = pack(s, slot, false);
	more = is_columns ? 2 * (slot->text.len + LINE_MAX_) + slot->parquet.groups.len + FOOTER
			  : gzip_bound(slot->text.len + LINE_MAX_) + GZIP_TAIL;
	if (rc == 0 && slot->packed.len + more > roll) {
		while (s->open[i] != slot)
			i++;
		rc = close_slot(s, i);
	}
	while (rc == 0 && s->bytes > SLOTS_MEMORY && s->n > 0)
		rc = close_slot(s, 0);
	return rc;
}

/* ---- what comes in ---- */

static int add_record(struct slots *s, const struct ledger_entry *entry, const struct flowrec *rec)
{
	struct flowrec_identity unknown = {.sensor = entry->sensor};
	const struct flowrec_identity *identity = &unknown;
	struct slots_owner nobody;
	const struct slots_owner *owner = &nobody;
	struct slot *slot = NULL;
	char *p;
	int rc;

	if (!s->config.wants(s->config.ctx, entry, rec->start, rec->end, rec->end))
		return 0;
	if (s->hello && rec->iface < WIRE_INTERFACES_MAX) {
		identity = &s->hello->interfaces[rec->iface];
		owner = &s->owners[rec->iface];
	} else {
		slots_owner_of(&nobody, identity);
	}
	rc = find_slot(s, unlogged_record(rec) ? SLOTS_COMPLEMENT : SLOTS_FLOW, owner,
		       rec->end / SLOT_S, &slot);
	if (rc == 0)
		rc = reserve(s, &slot->text, LINE_MAX_);
	if (rc != 0)
		return rc;
	p = (char *)slot->text.at + slot->text.len;
	slot->text.len += s->config.format == SLOTS_OCSF
				  ? ocsf_print(p, rec, identity)
				  : flowrec_print(p, &s->config.fields, rec, identity);
	return added(s, slot);
}

/* The number of an owner. */
static int asker_of(struct slots *s, const struct slots_owner *owner, uint64_t *ret)
{
	for (*ret = 0; *ret < s->n_askers; (*ret)++) {
		if (memcmp(&s->askers[*ret], owner, sizeof *owner) == 0)
			return 0;
	}
	if (s->n_askers == s->cap_askers) {
		size_t cap = s->cap_askers ? 2 * s->cap_askers : 16;
		struct slots_owner *more = realloc(s->askers, cap * sizeof *more);

		if (!more)
			return err_set(&s->err, -ENOMEM, "no memory for DNS");
		s->askers = more;
		s->cap_askers = cap;
	}
	s->askers[s->n_askers++] = *owner;
	return 0;
}

static int add_dns_line(void *ctx, const struct dns_pairs_line *line)
{
	struct slots *s = ctx;
	struct slot *slot = NULL;
	int rc = find_slot(s, SLOTS_DNS, &s->askers[line->tag], line->asked_s / SLOT_S, &slot);

	if (rc == 0)
		rc = reserve(s, &slot->text, line->len);
	if (rc != 0)
		return rc;
	memcpy(slot->text.at + slot->text.len, line->text, line->len);
	slot->text.len += line->len;
	return added(s, slot);
}

static int add_dns(struct slots *s, const struct ledger_entry *entry, const struct batch_dns *dns)
{
	static const struct flowrec_identity unknown = {.sensor = ""};
	const struct flowrec_identity *identity =
		s->hello ? &s->hello->interfaces[dns->iface] : &unknown;
	uint64_t asked_s = (dns->time_ns - dns->waited_ns) / NS_PER_S, tag;
	bool is_wanted =
		s->config.wants(s->config.ctx, entry, asked_s, dns->time_ns / NS_PER_S, asked_s);
	struct slots_owner owner;
	int rc;

	slots_owner_of(&owner, identity);
	rc = asker_of(s, &owner, &tag);
	if (rc == 0)
		rc = dns_pairs_take(s->dns, entry->stream, dns, identity, tag, is_wanted);
	return rc == -ENOMEM ? err_set(&s->err, rc, "no memory for DNS") : rc;
}

static void enter(struct slots *s, const struct ledger_entry *entry, const struct wire_hello *hello)
{
	memcpy(s->here.stream, entry->stream, sizeof s->here.stream);
	s->here.sequence = entry->sequence;
	s->here.lines = 0;
	s->hello = hello;
	for (size_t i = 0; hello && i < WIRE_INTERFACES_MAX; i++)
		slots_owner_of(&s->owners[i], &hello->interfaces[i]);
}

int slots_batch(struct slots *s, const struct ledger_entry *entry, const struct wire_hello *hello,
		struct batch *batch)
{
	const struct batch_dns *list;
	struct flowrec rec;
	size_t n;
	int rc = 0;

	enter(s, entry, hello);
	while (rc == 0 && batch_next(batch, &rec))
		rc = add_record(s, entry, &rec);
	list = batch_dns_list(batch, &n);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_dns(s, entry, &list[i]);
	return rc;
}

int slots_gap(struct slots *s, const struct ledger_entry *entry, const struct wire_hello *hello,
	      const struct batch_gap *gap)
{
	size_t n = hello ? hello->n_interfaces : 1;
	struct flowrec rec;
	int rc = 0;

	enter(s, entry, hello);
	if (!replay_gap_record(hello, gap, &rec))
		return 0;
	for (; rc == 0 && rec.iface < n; rec.iface++)
		rc = add_record(s, entry, &rec);
	return rc;
}

int slots_finish(struct slots *s)
{
	int rc = dns_pairs_flush(s->dns);

	while (rc == 0 && s->n > 0)
		rc = close_slot(s, 0);
	s->n_askers = 0;
	return rc;
}

void slots_forget(struct slots *s)
{
	dns_pairs_forget(s->dns);
	s->n_askers = 0;
	while (s->n > 0)
		free_slot(s, s->open[--s->n]);
}

/* ---- the whole ---- */

int slots_new(struct slots **ret, const struct slots_config *config, struct err *err)
{
	struct slots *s;
	int rc = 0;

	*ret = NULL;
	if (!gzip_best())
		return err_set(err, ERR_USAGE,
			       "this build makes no gzip, and so no Flow Logs files");
	s = calloc(1, sizeof *s);
	if (!s)
		return err_set(err, -ENOMEM, "no memory for files of records");
	s->config = *config;
	s->by = gzip_best();
	if (config->format == SLOTS_PARQUET)
		rc = parquet_maker_new(&s->parquet, &config->fields, s->by);
	if (rc == 0)
		rc = dns_pairs_new(&s->dns, add_dns_line, s);
	if (rc == 0) {
		*ret = s;
		return 0;
	}
	parquet_maker_free(s->parquet);
	free(s);
	return err_set(err, rc, "no memory for files of records");
}

void slots_free(struct slots *slots)
{
	if (!slots)
		return;
	slots_forget(slots);
	dns_pairs_free(slots->dns);
	parquet_maker_free(slots->parquet);
	free(slots->askers);
	free(slots);
}

const char *slots_error(const struct slots *slots)
{
	return slots->err.text;
}
