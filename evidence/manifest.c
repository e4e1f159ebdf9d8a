// SPDX-License-Identifier: Apache-2.0
/*
 * Manifests, byte for byte. Format: manifest.h.
 */
#include "evidence/manifest.h"

#include <string.h>

enum {
	AT_MORE = 5,
	SIGNATURE_ITEM_MAX = 3 + CRYPTO_SIGNATURE_MAX, /* type, length, signature */
};

static const char magic[4] = "fpM1";
static const char domain[] = "flowproof-manifest-1";

/* ---- writing ---- */

static void put_u16(struct wr *w, size_t v)
{
	wr_u8(w, (uint8_t)(v >> 8));
	wr_u8(w, (uint8_t)v);
}

static void put_name(struct wr *w, const char *name)
{
	size_t len = strlen(name);

	wr_u8(w, (uint8_t)len);
	wr_copy(w, name, len);
}

void manifest_begin(struct manifest_writer *writer, const struct manifest_head *head)
{
	struct wr *w = &writer->out;

	/* The signature always has room. */
	*w = wr_init(writer->bytes, sizeof writer->bytes - SIGNATURE_ITEM_MAX);
	wr_copy(w, magic, sizeof magic);
	wr_u8(w, (uint8_t)head->kind);
	wr_copy(w, "\0\0", 3);
	wr_u64be(w, head->number);
	wr_u64be(w, head->time_ns);
	wr_copy(w, head->store, sizeof head->store);
	wr_copy(w, head->previous, sizeof head->previous);
	wr_copy(w, head->signer, sizeof head->signer);
}

static void put_range(struct wr *w, const struct manifest_range *range, uint32_t number)
{
	wr_u32be(w, range->first);
	wr_u32be(w, number);
	wr_u64be(w, range->from);
	wr_u64be(w, range->to);
	wr_copy(w, range->digest, sizeof range->digest);
	wr_u8(w, range->is_closed);
	wr_u64be(w, range->hello);
	wr_u32be(w, range->sum.hellos);
	wr_u32be(w, range->sum.batches);
	wr_u64be(w, range->sum.records);
	wr_u64be(w, range->sum.packets);
	wr_u64be(w, range->sum.first_s);
	wr_u64be(w, range->sum.last_s);
	wr_u64be(w, range->sum.received_ns);
	wr_u64be(w, range->sum.received_end_ns);
	put_u16(w, range->n_streams);
	wr_copy(w, range->streams, range->n_streams * MANIFEST_STREAM);
}

bool manifest_add(struct manifest_writer *writer, const struct manifest_item *item)
{
	struct wr *w = &writer->out, before = *w;

	wr_u8(w, (uint8_t)item->type);
	if (item->type == MANIFEST_CERTIFICATE) {
		put_u16(w, item->der_len);
		wr_copy(w, item->der, item->der_len);
	} else {
		put_name(w, item->sensor);
		if (item->type == MANIFEST_RANGE) {
			put_range(w, &item->range, item->number);
		} else {
			wr_u32be(w, item->number);
			wr_u64be(w, item->type == MANIFEST_CUT ? item->offset : item->size);
			if (item->type == MANIFEST_CUT)
				wr_u64be(w, item->bytes);
			else
				wr_u8(w, (uint8_t)item->reason);
		}
	}
	if (!w->bad)
		return true;
	*w = before;
	return false;
}

static void digest_of(const uint8_t *bytes, size_t len, uint8_t out[static SHA256_BYTES])
{
	struct crypto_sha256 *sum = crypto_sha256_new();

	crypto_sha256_add(sum, domain, sizeof domain - 1);
	crypto_sha256_add(sum, bytes, len);
	crypto_sha256_end(sum, out);
}

size_t manifest_finish(struct manifest_writer *writer, bool more, struct crypto_signer *signer)
{
	uint8_t digest[SHA256_BYTES], signature[CRYPTO_SIGNATURE_MAX];
	struct wr *w = &writer->out;
	size_t len;

	writer->bytes[AT_MORE] = more;
	digest_of(writer->bytes, wr_len(w), digest);
	len = crypto_sign(signer, digest, signature);
	w->end = writer->bytes + sizeof writer->bytes;
	wr_u8(w, MANIFEST_SIGNATURE);
	put_u16(w, len);
	wr_copy(w, signature, len);
	return wr_len(w);
}

/* ---- reading ---- */

static size_t get_u16(struct rd *r)
{
	size_t high = rd_u8(r);

	return high << 8 | rd_u8(r);
}

static void get_name(struct rd *r, char out[static WIRE_SENSOR_ID_MAX])
{
	size_t len = rd_u8(r);

	memset(out, 0, WIRE_SENSOR_ID_MAX);
	if (len >= WIRE_SENSOR_ID_MAX)
		r->bad = true;
	else
		rd_copy(r, out, len);
	if (strcmp(out, MANIFEST_FOLDER) != 0 && !wire_sensor_id_ok(out))
		r->bad = true;
}

static void get_range(struct rd *r, struct manifest_item *item)
{
	struct manifest_range *range = &item->range;
	uint8_t closed;

	range->first = rd_u32be(r);
	item->number = rd_u32be(r);
	range->from = rd_u64be(r);
	range->to = rd_u64be(r);
	rd_copy(r, range->digest, sizeof range->digest);
	closed = rd_u8(r);
	range->is_closed = closed == 1;
	range->hello = rd_u64be(r);
	range->sum.hellos = rd_u32be(r);
	range->sum.batches = rd_u32be(r);
	range->sum.records = rd_u64be(r);
	range->sum.packets = rd_u64be(r);
	range->sum.first_s = rd_u64be(r);
	range->sum.last_s = rd_u64be(r);
	range->sum.received_ns = rd_u64be(r);
	range->sum.received_end_ns = rd_u64be(r);
	range->n_streams = get_u16(r);
	range->streams = rd_take(r, range->n_streams * MANIFEST_STREAM);
	if (closed > 1 || range->first == 0 || range->first > item->number ||
	    range->from > range->to)
		r->bad = true;
}

static void get_item(struct rd *r, struct manifest_item *item)
{
	*item = (struct manifest_item){.type = (enum manifest_type)rd_u8(r)};
	switch (item->type) {
	case MANIFEST_SIGNATURE:
	case MANIFEST_CERTIFICATE:
		item->der_len = get_u16(r);
		item->der = rd_take(r, item->der_len);
		if (item->der_len == 0 || item->der_len > CRYPTO_CERTIFICATE_MAX)
			r->bad = true;
		break;
	case MANIFEST_RANGE:
		get_name(r, item->sensor);
		get_range(r, item);
		break;
	case MANIFEST_TOMBSTONE:
		get_name(r, item->sensor);
		item->number = rd_u32be(r);
		item->size = rd_u64be(r);
		item->reason = (enum manifest_reason)rd_u8(r);
		if (item->reason != MANIFEST_AGE && item->reason != MANIFEST_SIZE)
			r->bad = true;
		break;
	case MANIFEST_CUT:
		get_name(r, item->sensor);
		item->number = rd_u32be(r);
		item->offset = rd_u64be(r);
		item->bytes = rd_u64be(r);
		break;
	default: r->bad = true;
	}
	if (item->type != MANIFEST_SIGNATURE && item->type != MANIFEST_CERTIFICATE &&
	    item->number == 0)
		r->bad = true;
}

int manifest_open(struct manifest *ret, const uint8_t *bytes, size_t len, struct err *err)
{
	struct rd r = rd_init(bytes, len);
	const uint8_t *p = rd_take(&r, sizeof magic);
	struct manifest_item item;
	uint8_t kind, more;
	size_t zero;

	*ret = (struct manifest){.bytes = bytes};
	if (!p || memcmp(p, magic, sizeof magic) != 0)
		return err_set(err, ERR_FORMAT, "no manifest begins here");
	kind = rd_u8(&r);
	more = rd_u8(&r);
	zero = get_u16(&r);
	ret->head.kind = (enum manifest_kind)kind;
	ret->head.more = more == 1;
	ret->head.number = rd_u64be(&r);
	ret->head.time_ns = rd_u64be(&r);
	rd_copy(&r, ret->head.store, sizeof ret->head.store);
	rd_copy(&r, ret->head.previous, sizeof ret->head.previous);
	rd_copy(&r, ret->head.signer, sizeof ret->head.signer);
	if (r.bad || kind < MANIFEST_START || kind > MANIFEST_END || more > 1 || zero != 0)
		return err_set(err, ERR_FORMAT, "the manifest's head is not right");
	ret->at = r;
	do {
		ret->signed_len = len - rd_left(&r);
		get_item(&r, &item);
	} while (!r.bad && item.type != MANIFEST_SIGNATURE);
	if (r.bad || rd_left(&r) != 0)
		return err_set(err, ERR_FORMAT, "the manifest is cut, or has an item that is none");
	ret->signature = item.der;
	ret->signature_len = item.der_len;
	return 0;
}

bool manifest_next(struct manifest *manifest, struct manifest_item *ret)
{
	get_item(&manifest->at, ret);
	return ret->type != MANIFEST_SIGNATURE && !manifest->at.bad;
}

void manifest_stream(const struct manifest_range *range, size_t i,
		     uint8_t ret_id[static WIRE_STREAM_ID], struct batch_chain *ret)
{
	const uint8_t *p = range->streams + i * MANIFEST_STREAM;

	memcpy(ret_id, p, WIRE_STREAM_ID);
	ret->sequence = be64(p + WIRE_STREAM_ID);
	memcpy(ret->digest, p + WIRE_STREAM_ID + 8, SHA256_BYTES);
}

void manifest_digest(const struct manifest *manifest, uint8_t out[static SHA256_BYTES])
{
	digest_of(manifest->bytes, manifest->signed_len, out);
}
