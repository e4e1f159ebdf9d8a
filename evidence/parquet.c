// SPDX-License-Identifier: Apache-2.0
/*
 * See parquet.h. A column chunk is made in two rounds over its values: the first fills the dictionary and the statistics, the
 * second writes pages.
 */
#include "evidence/parquet.h"

#include "evidence/thrift.h"

enum type { BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY };
enum converted { UTF8 = 0, INT_32 = 17, INT_64 = 18 };
enum encoding { PLAIN = 0, RLE = 3, RLE_DICTIONARY = 8 };
enum page { DATA_PAGE = 0, DICTIONARY_PAGE = 2 };

enum {
	GZIP_CODEC = 2,
	OPTIONAL = 1,
	NONE = UINT32_MAX, /* index of a NULL, an empty place of the hash table */
	NAME_MAX_ = 48,
};

/* A value: bytes as PLAIN writes them (of a text without its length), or NULL. */
struct value {
	const uint8_t *at;
	uint32_t len;
	uint32_t index; /* in the dictionary */
};

struct parquet_maker {
	struct flowrec_format fields;
	const struct gzip_backend *gzip;
	size_t rows;
	struct buffer
		spans; /* where each field of each row begins: uint32_t, rows x (fields + 1) */
	struct buffer values;  /* of the column: struct value, rows of them */
	struct buffer numbers; /* what they point to, of a column of numbers: uint64_t, rows */
	struct buffer hash;    /* uint32_t: indices of the dictionary */
	struct buffer entries; /* of the dictionary: rows in which each value stands first */
	struct buffer page;    /* not yet packed */
};

/* Of a column chunk. */
struct chunk {
	const struct flowrec_field_info *info;
	size_t n_entries; /* of the dictionary; 0: none */
	uint64_t nulls;
	size_t least, greatest; /* rows; of no use when all are NULL */
	uint64_t dictionary_at, data_at, end_at;
	uint64_t unpacked;
};

/* ---- memory ---- */

int parquet_maker_new(struct parquet_maker **ret, const struct flowrec_format *fields,
		      const struct gzip_backend *gzip)
{
	*ret = calloc(1, sizeof **ret);
	if (!*ret)
		return -ENOMEM;
	(*ret)->fields = *fields;
	(*ret)->gzip = gzip;
	return 0;
}

void parquet_maker_free(struct parquet_maker *m)
{
	if (!m)
		return;
	free(m->spans.at);
	free(m->values.at);
	free(m->numbers.at);
	free(m->hash.at);
	free(m->entries.at);
	free(m->page.at);
	free(m);
}

void parquet_file_fini(struct parquet_file *file)
{
	free(file->groups.at);
	*file = (struct parquet_file){.rows = 0};
}

/* So many elements, whatever they hold. */
static void *room(struct buffer *b, size_t n, size_t size)
{
	b->len = 0;
	return buffer_reserve(b, n * size + 1) == 0 ? b->at : NULL;
}

/* ---- values ---- */

static int find_spans(struct parquet_maker *m, const char *text, size_t len)
{
	uint32_t *span;
	size_t width = m->fields.n + 1u, n = 0;

	m->rows = 0;
	for (const char *p = text;
	     p < text + len && (p = memchr(p, '\n', (size_t)(text + len - p))); p++)
		m->rows++;
	span = room(&m->spans, m->rows * width, sizeof *span);
	if (!span)
		return -ENOMEM;
	/* A field begins behind each blank and newline; behind the last of a row: where the next one would. */
	for (size_t row = 0, at = 0; row < m->rows; row++) {
		for (size_t field = 0; field < m->fields.n; field++) {
			span[n++] = (uint32_t)at;
			while (text[at] != ' ' && text[at] != '\n')
				at++;
			at++;
		}
		span[n++] = (uint32_t)at;
	}
	return 0;
}

static uint64_t number_of(const char *p, size_t len, uint64_t most)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++) {
		uint64_t digit = (uint64_t)(p[i] - '0');

		if (v > (most - digit) / 10)
			return most;
		v = v * 10 + digit;
	}
	return v;
}

static uint32_t width_of(enum flowrec_parquet type)
{
	return type == FLOWREC_INT_32 ? 4 : 8;
}

static void put_le(uint8_t *out, uint64_t v, size_t width)
{
	for (size_t i = 0; i < width; i++)
		out[i] = (uint8_t)(v >> 8 * i);
}

/* By the column's order: signed numbers (none is negative), bytes. */
static int compare(const struct chunk *c, const struct value *a, const struct value *b)
{
	uint32_t n = a->len < b->len ? a->len : b->len;
	int order;

	if (c->info->parquet != FLOWREC_STRING) {
		for (uint32_t i = n; i-- > 0;)
			if (a->at[i] != b->at[i])
				return a->at[i] < b->at[i] ? -1 : 1;
		return 0;
	}
	order = memcmp(a->at, b->at, n);
	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int find_values(struct parquet_maker *m, struct chunk *c, size_t column, const char *text)
{
	struct value *v = room(&m->values, m->rows, sizeof *v);
	uint8_t *numbers = room(&m->numbers, m->rows, sizeof(uint64_t));
	const uint32_t *span = (const uint32_t *)(const void *)m->spans.at;
	bool is_text = c->info->parquet == FLOWREC_STRING, is_any = false;
	uint32_t width = width_of((enum flowrec_parquet)c->info->parquet);

	if (!v || !numbers)
		return -ENOMEM;
	for (size_t row = 0; row < m->rows; row++) {
		const uint32_t *s = span + row * (m->fields.n + 1u) + column;
		const char *p = text + s[0];
		uint32_t len = s[1] - s[0] - 1;

		v[row] = (struct value){.at = (const uint8_t *)p, .len = len};
		if (!is_text && len == 1 && *p == '-') {
			v[row].at = NULL;
			c->nulls++;
			continue;
		}
		if (!is_text) {
			put_le(numbers + row * width,
			       number_of(p, len, width == 4 ? INT32_MAX : INT64_MAX), width);
			v[row].at = numbers + row * width;
			v[row].len = width;
		}
		if (!is_any || compare(c, &v[row], &v[c->least]) < 0)
			c->least = row;
		if (!is_any || compare(c, &v[row], &v[c->greatest]) > 0)
			c->greatest = row;
		is_any = true;
	}
	return 0;
}

/* ---- dictionary ---- */

static uint32_t hash_of(const struct value *v)
{
	uint64_t h = 0xcbf29ce484222325;

	for (uint32_t i = 0; i < v->len; i++)
		h = (h ^ v->at[i]) * 0x100000001b3;
	return (uint32_t)(h >> 32 ^ h);
}

/* Gives each value its index; n_entries stays 0 if there are too many. */
static int find_entries(struct parquet_maker *m, struct chunk *c)
{
	struct value *v = (struct value *)(void *)m->values.at;
	size_t cap = 64, n = 0, bytes = 0,
	       most = m->rows < PARQUET_DICTIONARY ? m->rows : PARQUET_DICTIONARY;
	uint32_t *hash, *entries;

	while (cap < 2 * most)
		cap *= 2;
	hash = room(&m->hash, cap, sizeof *hash);
	entries = room(&m->entries, most, sizeof *entries);
	if (!hash || !entries)
		return -ENOMEM;
	memset(hash, 0xff, cap * sizeof *hash);
	for (size_t row = 0; row < m->rows; row++) {
		uint32_t at;

		v[row].index = NONE;
		if (!v[row].at)
			continue;
		for (at = hash_of(&v[row]) & (uint32_t)(cap - 1);
		     hash[at] != NONE && compare(c, &v[entries[hash[at]]], &v[row]) != 0;
		     at = (at + 1) & (uint32_t)(cap - 1))
			;
		if (hash[at] == NONE) {
			bytes += v[row].len + (c->info->parquet == FLOWREC_STRING ? 4 : 0);
			if (n == PARQUET_DICTIONARY || bytes > PARQUET_PAGE_BYTES)
				return 0;
			entries[n] = (uint32_t)row;
			hash[at] = (uint32_t)n++;
		}
		v[row].index = hash[at];
	}
	c->n_entries = n;
	return 0;
}

/* ---- pages ---- */

static int put_plain(struct buffer *page, const struct chunk *c, const struct value *v)
{
	uint8_t len[4];

	if (buffer_reserve(page, v->len + sizeof len) < 0)
		return -ENOMEM;
	if (c->info->parquet == FLOWREC_STRING) {
		put_le(len, v->len, sizeof len);
		buffer_put(page, len, sizeof len);
	}
	buffer_put(page, v->at, v->len);
	return 0;
}

static void put_varint(struct buffer *page, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		page->at[page->len++] = (uint8_t)(value | 0x80);
	page->at[page->len++] = (uint8_t)value;
}

struct bits {
	struct buffer *page;
	uint64_t word;
	unsigned n;
};

static void put_bits(struct bits *b, uint32_t value, unsigned width)
{
	b->word |= (uint64_t)value << b->n;
	for (b->n += width; b->n >= 8; b->n -= 8, b->word >>= 8)
		b->page->at[b->page->len++] = (uint8_t)b->word;
}

/* Fills the last group of eight with zeros. */
static void end_bits(struct bits *b, size_t n, unsigned width)
{
	for (; n % 8 != 0; n++)
		put_bits(b, 0, width);
}

/* Which values are there: a run, or bits. */
static int put_levels(struct buffer *page, const struct value *v, size_t n, size_t n_there)
{
	size_t at = page->len;
	struct bits bits = {.page = page};

	if (buffer_reserve(page, 4 + 10 + n / 8 + 8) < 0)
		return -ENOMEM;
	page->len += 4;
	if (n_there == n || n_there == 0) {
		put_varint(page, (uint64_t)n << 1);
		page->at[page->len++] = n_there > 0;
	} else {
		put_varint(page, (n + 7) / 8 << 1 | 1);
		for (size_t i = 0; i < n; i++)
			put_bits(&bits, v[i].at != NULL, 1);
		end_bits(&bits, n, 1);
	}
	put_le(page->at + at, page->len - at - 4, 4);
	return 0;
}

static unsigned bits_of(size_t n_entries)
{
	unsigned width = 1;

	while ((size_t)1 << width < n_entries)
		width++;
	return width;
}

static int put_indices(struct buffer *page, const struct value *v, size_t n, size_t n_there,
		       unsigned width)
{
	struct bits bits = {.page = page};

	if (buffer_reserve(page, 1 + 10 + (n_there + 8) * width / 8 + 8) < 0)
		return -ENOMEM;
	page->at[page->len++] = (uint8_t)width;
	put_varint(page, (n_there + 7) / 8 << 1 | 1);
	for (size_t i = 0; i < n; i++)
		if (v[i].at)
			put_bits(&bits, v[i].index, width);
	end_bits(&bits, n_there, width);
	return 0;
}

/* Packs m->page and writes it with its header. */
static int write_page(struct parquet_maker *m, struct chunk *c, struct buffer *out, enum page type,
		      size_t n, enum encoding encoding)
{
	struct buffer packed = {.len = 0}, head = {.len = 0};
	struct thrift t = {.out = &head};
	struct gzip gzip;
	size_t len;
	int rc = buffer_reserve(&packed, GZIP_HEAD + gzip_bound(m->page.len) + GZIP_TAIL);

	if (rc < 0)
		return rc;
	packed.len = gzip_begin(&gzip, packed.at);
	len = gzip_add(&gzip, m->gzip, packed.at + packed.len, m->page.at, m->page.len);
	packed.len += len;
	packed.len += gzip_end(&gzip, packed.at + packed.len);
	thrift_begin(&t);
	thrift_i32(&t, 1, (int32_t)type);
	thrift_i32(&t, 2, (int32_t)m->page.len);
	thrift_i32(&t, 3, (int32_t)packed.len);
	thrift_struct(&t, type == DATA_PAGE ? 5 : 7);
	thrift_i32(&t, 1, (int32_t)n);
	thrift_i32(&t, 2, (int32_t)encoding);
	if (type == DATA_PAGE) {
		thrift_i32(&t, 3, RLE);
		thrift_i32(&t, 4, RLE);
	}
	thrift_end(&t);
	thrift_end(&t);
	rc = t.rc < 0 || (len == 0 && m->page.len > 0) ? -ENOMEM
						       : buffer_reserve(out, head.len + packed.len);
	if (rc == 0) {
		buffer_put(out, head.at, head.len);
		buffer_put(out, packed.at, packed.len);
		c->unpacked += head.len + m->page.len;
	}
	free(head.at);
	free(packed.at);
	return rc;
}

static int write_dictionary(struct parquet_maker *m, struct chunk *c, struct buffer *out)
{
	const struct value *v = (const struct value *)(const void *)m->values.at;
	const uint32_t *entries = (const uint32_t *)(const void *)m->entries.at;
	int rc = 0;

	m->page.len = 0;
	for (size_t i = 0; rc == 0 && i < c->n_entries; i++)
		rc = put_plain(&m->page, c, &v[entries[i]]);
	return rc < 0 ? rc : write_page(m, c, out, DICTIONARY_PAGE, c->n_entries, PLAIN);
}

/* As many of the rows as fit a page, from `row` on. */
static size_t page_rows(const struct parquet_maker *m, const struct chunk *c, size_t row)
{
	const struct value *v = (const struct value *)(const void *)m->values.at;
	size_t n = 0, bytes = 0;

	while (row + n < m->rows && n < PARQUET_PAGE_ROWS && bytes < PARQUET_PAGE_BYTES) {
		if (c->n_entries == 0 && v[row + n].at)
			bytes += v[row + n].len + 4;
		n++;
	}
	return n;
}

static int write_data(struct parquet_maker *m, struct chunk *c, struct buffer *out)
{
	const struct value *v = (const struct value *)(const void *)m->values.at;
	size_t n, there;
	int rc = 0;

	for (size_t row = 0; rc == 0 && row < m->rows; row += n) {
		n = page_rows(m, c, row);
		there = 0;
		for (size_t i = 0; i < n; i++)
			there += v[row + i].at != NULL;
		m->page.len = 0;
		rc = put_levels(&m->page, v + row, n, there);
		if (rc == 0 && c->n_entries > 0)
			rc = put_indices(&m->page, v + row, n, there, bits_of(c->n_entries));
		for (size_t i = 0; rc == 0 && c->n_entries == 0 && i < n; i++)
			if (v[row + i].at)
				rc = put_plain(&m->page, c, &v[row + i]);
		if (rc == 0)
			rc = write_page(m, c, out, DATA_PAGE, n,
					c->n_entries > 0 ? RLE_DICTIONARY : PLAIN);
	}
	return rc;
}

/* ---- metadata ---- */

/* tcp-flags is tcp_flags there. */
static const char *column_name(char out[static NAME_MAX_], const struct flowrec_field_info *info)
{
	size_t i = 0;

	for (; i < NAME_MAX_ - 1 && info->name[i]; i++)
		out[i] = info->name[i] == '-' ? '_' : info->name[i];
	out[i] = '\0';
	return out;
}

static enum type type_of(const struct flowrec_field_info *info)
{
	return info->parquet == FLOWREC_STRING   ? BYTE_ARRAY
	       : info->parquet == FLOWREC_INT_32 ? INT32
						 : INT64;
}

static void put_chunk(struct thrift *t, const struct parquet_maker *m, const struct chunk *c)
{
	const struct value *v = (const struct value *)(const void *)m->values.at;
	uint64_t begin = c->n_entries > 0 ? c->dictionary_at : c->data_at;
	char name[NAME_MAX_];

	thrift_begin(t);
	thrift_i64(t, 2, (int64_t)begin);
	thrift_struct(t, 3);
	thrift_i32(t, 1, (int32_t)type_of(c->info));
	thrift_list(t, 2, THRIFT_I32, 2 + (c->n_entries > 0));
	thrift_item_i32(t, PLAIN);
	thrift_item_i32(t, RLE);
	if (c->n_entries > 0)
		thrift_item_i32(t, RLE_DICTIONARY);
	thrift_list(t, 3, THRIFT_BINARY, 1);
	thrift_item_text(t, column_name(name, c->info));
	thrift_i32(t, 4, GZIP_CODEC);
	thrift_i64(t, 5, (int64_t)m->rows);
	thrift_i64(t, 6, (int64_t)c->unpacked);
	thrift_i64(t, 7, (int64_t)(c->end_at - begin));
	thrift_i64(t, 9, (int64_t)c->data_at);
	if (c->n_entries > 0)
		thrift_i64(t, 11, (int64_t)c->dictionary_at);
	thrift_struct(t, 12);
	thrift_i64(t, 3, (int64_t)c->nulls);
	if (c->nulls < m->rows) {
		thrift_binary(t, 5, v[c->greatest].at, v[c->greatest].len);
		thrift_binary(t, 6, v[c->least].at, v[c->least].len);
	}
	thrift_end(t);
	thrift_end(t);
	thrift_end(t);
}

static int write_chunk(struct parquet_maker *m, struct thrift *t, struct buffer *out, size_t column,
		       const char *text, uint64_t *unpacked)
{
	struct chunk c = {.info = &flowrec_fields[m->fields.field[column]]};
	int rc = find_values(m, &c, column, text);

	if (rc == 0)
		rc = find_entries(m, &c);
	c.dictionary_at = out->len;
	if (rc == 0 && c.n_entries > 0)
		rc = write_dictionary(m, &c, out);
	c.data_at = out->len;
	if (rc == 0)
		rc = write_data(m, &c, out);
	c.end_at = out->len;
	if (rc == 0)
		put_chunk(t, m, &c);
	*unpacked += c.unpacked;
	return rc < 0 ? rc : t->rc;
}

int parquet_rows(struct parquet_maker *m, struct parquet_file *file, struct buffer *out,
		 const char *text, size_t len)
{
	struct thrift t = {.out = &file->groups};
	uint64_t begin, unpacked = 0;
	int rc = buffer_reserve(out, 4);

	if (rc < 0)
		return rc;
	if (out->len == 0)
		buffer_put(out, "PAR1", 4);
	rc = find_spans(m, text, len);
	if (rc < 0 || m->rows == 0)
		return rc;
	begin = out->len;
	thrift_begin(&t);
	thrift_list(&t, 1, THRIFT_STRUCT, m->fields.n);
	for (size_t i = 0; rc == 0 && i < m->fields.n; i++)
		rc = write_chunk(m, &t, out, i, text, &unpacked);
	thrift_i64(&t, 2, (int64_t)unpacked);
	thrift_i64(&t, 3, (int64_t)m->rows);
	thrift_i64(&t, 5, (int64_t)begin);
	thrift_i64(&t, 6, (int64_t)(out->len - begin));
	thrift_end(&t);
	file->n_groups++;
	file->rows += m->rows;
	return rc < 0 ? rc : t.rc;
}

static void put_schema(struct thrift *t, const struct parquet_maker *m)
{
	char name[NAME_MAX_];

	thrift_list(t, 2, THRIFT_STRUCT, m->fields.n + 1u);
	thrift_begin(t);
	thrift_text(t, 4, "flow_logs");
	thrift_i32(t, 5, m->fields.n);
	thrift_end(t);
	for (size_t i = 0; i < m->fields.n; i++) {
		const struct flowrec_field_info *info = &flowrec_fields[m->fields.field[i]];
		enum type type = type_of(info);

		thrift_begin(t);
		thrift_i32(t, 1, (int32_t)type);
		thrift_i32(t, 3, OPTIONAL);
		thrift_text(t, 4, column_name(name, info));
		thrift_i32(t, 6, type == BYTE_ARRAY ? UTF8 : type == INT32 ? INT_32 : INT_64);
		if (type == BYTE_ARRAY) {
			thrift_struct(t, 10); /* LogicalType: STRING */
			thrift_struct(t, 1);
			thrift_end(t);
			thrift_end(t);
		}
		thrift_end(t);
	}
}

int parquet_end(struct parquet_maker *m, struct parquet_file *file, struct buffer *out)
{
	struct buffer footer = {.len = 0};
	struct thrift t = {.out = &footer};
	uint8_t len[4];
	int rc = buffer_reserve(out, 4);

	if (rc == 0 && out->len == 0)
		buffer_put(out, "PAR1", 4);
	thrift_begin(&t);
	thrift_i32(&t, 1, 1);
	put_schema(&t, m);
	thrift_i64(&t, 3, (int64_t)file->rows);
	thrift_list(&t, 4, THRIFT_STRUCT, file->n_groups);
	thrift_raw(&t, file->groups.at, file->groups.len);
	thrift_text(&t, 6, "flowproof");
	/* Least and greatest are by the order of the type. */
	thrift_list(&t, 7, THRIFT_STRUCT, m->fields.n);
	for (size_t i = 0; i < m->fields.n; i++) {
		thrift_begin(&t);
		thrift_struct(&t, 1);
		thrift_end(&t);
		thrift_end(&t);
	}
	thrift_end(&t);
	if (rc == 0)
		rc = t.rc < 0 ? t.rc : buffer_reserve(out, footer.len + sizeof len + 4);
	if (rc == 0) {
		buffer_put(out, footer.at, footer.len);
		put_le(len, footer.len, sizeof len);
		buffer_put(out, len, sizeof len);
		buffer_put(out, "PAR1", 4);
	}
	free(footer.at);
	return rc;
}
