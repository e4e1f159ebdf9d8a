// SPDX-License-Identifier: Apache-2.0
/*
 * Flow Logs lines, read: see flowrec_parse.h. The field table says what each value must look like
 * and where it goes.
 */
#include "proto/flowrec_parse.h"

#include <string.h>

#include "platform/text.h"

/* ---- columns ---- */

static bool is_separator(char c)
{
	return c == ' ' || c == '\t' || c == ',' || c == '\n' || c == '\r';
}

/* The next name in *p .. end, without `${}`; false at the end. */
static bool next_name(const char **p, const char *end, struct flowrec_span *ret)
{
	const char *start;

	while (*p < end && is_separator(**p))
		(*p)++;
	start = *p;
	while (*p < end && !is_separator(**p))
		(*p)++;
	*ret = (struct flowrec_span){start, (size_t)(*p - start)};
	if (ret->len > 3 && start[0] == '$' && start[1] == '{' && start[ret->len - 1] == '}')
		*ret = (struct flowrec_span){start + 2, ret->len - 3};
	return ret->len > 0;
}

/* Amazon Athena User Guide, "Create and query a table for Amazon VPC flow logs", as it was before Parquet. */
static const struct {
	const char *name;
	enum flowrec_field field;
} older[] = {
	{"account", FLOWREC_F_ACCOUNT_ID},
	{"sourceaddress", FLOWREC_F_SRCADDR},
	{"destinationaddress", FLOWREC_F_DSTADDR},
	{"sourceport", FLOWREC_F_SRCPORT},
	{"destinationport", FLOWREC_F_DSTPORT},
	{"numpackets", FLOWREC_F_PACKETS},
	{"numbytes", FLOWREC_F_BYTES},
	{"starttime", FLOWREC_F_START},
	{"endtime", FLOWREC_F_END},
};

/* Letters and digits alone, small. */
static size_t squeeze(char out[static 32], const char *name, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < 32; i++) {
		char c = name[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c != '-' && c != '_')
			out[n++] = c;
	}
	return n;
}

enum flowrec_field flowrec_column_field(const char *name, size_t len)
{
	enum flowrec_field field = flowrec_field_by_name(name, len);
	char wanted[32], other[32];
	size_t n;

	if (field < FLOWREC_FIELDS || len >= sizeof wanted)
		return field;
	n = squeeze(wanted, name, len);
	for (field = 0; field < FLOWREC_FIELDS; field++) {
		const char *known = flowrec_fields[field].name;

		if (squeeze(other, known, strlen(known)) == n && memcmp(other, wanted, n) == 0)
			return field;
	}
	for (size_t i = 0; i < sizeof older / sizeof older[0]; i++) {
		if (strlen(older[i].name) == n && memcmp(older[i].name, wanted, n) == 0)
			return older[i].field;
	}
	return FLOWREC_FIELDS;
}

int flowrec_columns_parse(struct flowrec_columns *ret, const char *text, size_t len,
			  struct err *err)
{
	const char *p = text, *end = text + len;
	bool seen[FLOWREC_FIELDS] = {false}, any = false;
	struct flowrec_columns columns = {.n = 0};
	struct flowrec_span name;

	while (next_name(&p, end, &name)) {
		enum flowrec_field field = flowrec_column_field(name.p, name.len);

		if (columns.n == FLOWREC_COLUMNS_MAX)
			return err_set(err, ERR_USAGE, "more than %d columns", FLOWREC_COLUMNS_MAX);
		if (field < FLOWREC_FIELDS) {
			if (seen[field])
				return err_set(err, ERR_USAGE, "field '%s' is named twice",
					       flowrec_fields[field].name);
			seen[field] = any = true;
		}
		columns.field[columns.n++] = (uint8_t)field;
	}
	if (!any)
		return err_set(err, ERR_USAGE,
			       "no field of Flow Logs is named; flowproof-fields(5) lists them");
	*ret = columns;
	return 0;
}

void flowrec_columns_of(struct flowrec_columns *ret, const struct flowrec_format *format)
{
	ret->n = format->n;
	memcpy(ret->field, format->field, format->n);
}

_Static_assert((int)FLOWREC_FIELDS <= (int)FLOWREC_COLUMNS_MAX, "any format must fit");

bool flowrec_is_header(const char *line, size_t len)
{
	struct flowrec_span name;

	return next_name(&line, line + len, &name) &&
	       flowrec_column_field(name.p, name.len) < FLOWREC_FIELDS;
}

/* ---- values ---- */

static bool is_word(const struct flowrec_span *v, const char *word)
{
	return strlen(word) == v->len && memcmp(word, v->p, v->len) == 0;
}

/* Printable ASCII, or well-formed UTF-8 of moderate length. */
static bool is_clean(const struct flowrec_span *v)
{
	char copy[FLOWREC_TEXT_MAX + 1];
	bool ascii = true;

	for (size_t i = 0; i < v->len; i++) {
		unsigned char c = (unsigned char)v->p[i];

		if (c <= ' ' || c == 0x7f)
			return false;
		ascii = ascii && c < 0x80;
	}
	if (ascii)
		return true;
	if (v->len >= sizeof copy)
		return false;
	memcpy(copy, v->p, v->len);
	copy[v->len] = '\0';
	return text_is_word(copy, FLOWREC_TEXT_MAX);
}

/* Plain decimal: no sign, no needless zeros. */
static bool read_number(const struct flowrec_span *v, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;

	if (v->len == 0 || v->len > 20 || (v->p[0] == '0' && v->len > 1))
		return false;
	for (size_t i = 0; i < v->len; i++) {
		if (v->p[i] < '0' || v->p[i] > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(v->p[i] - '0'), &n))
			return false;
	}
	*ret = n;
	return n <= max;
}

/* The largest number of a field: what its place holds, or its Parquet type. */
static uint64_t max_of(const struct flowrec_field_info *info)
{
	return info->size ? UINT64_MAX >> (64 - 8 * info->size) : INT32_MAX;
}

static void store_number(struct flowrec *rec, const struct flowrec_field_info *info, uint64_t n)
{
	char *at = (char *)rec + info->at;
	uint16_t two = (uint16_t)n;
	uint8_t one = (uint8_t)n;

	if (info->size == 1)
		memcpy(at, &one, 1);
	else if (info->size == 2)
		memcpy(at, &two, 2);
	else if (info->size == 8)
		memcpy(at, &n, 8);
}

static const char *take_number(struct flowrec_line *line, const struct flowrec_field_info *info,
			       const struct flowrec_span *v)
{
	uint64_t n;

	if (!read_number(v, max_of(info), &n))
		return "is not a plain number of the field's range";
	store_number(&line->rec, info, n);
	return NULL;
}

static const char *take_word(struct flowrec_line *line, enum flowrec_field field,
			     const struct flowrec_span *v)
{
	const struct flowrec_field_info *info = &flowrec_fields[field];

	for (uint8_t i = 0; i < info->n_words; i++) {
		if (info->words[i] && is_word(v, info->words[i])) {
			if (field != FLOWREC_F_TYPE) /* addresses know their family themselves */
				store_number(&line->rec, info, i);
			return NULL;
		}
	}
	/* The Elastic Fabric Adapter's type is no family of addresses. */
	return !info->words || (field == FLOWREC_F_TYPE && is_word(v, "EFA"))
		       ? NULL
		       : "is none of the field's words";
}

static const char *take_addr(struct flowrec_line *line, enum flowrec_field field,
			     const struct flowrec_span *v)
{
	struct flowrec *rec = &line->rec;
	struct addr addr;
	uint8_t family;

	if (!addr_read(v->p, v->len, &addr, &family))
		return "is not an address";
	if (field == FLOWREC_F_PKT_SRCADDR) {
		line->pkt_src = addr;
		line->pkt_src_family = family;
	} else if (field == FLOWREC_F_PKT_DSTADDR) {
		line->pkt_dst = addr;
		line->pkt_dst_family = family;
	} else {
		enum flowrec_field other =
			field == FLOWREC_F_SRCADDR ? FLOWREC_F_DSTADDR : FLOWREC_F_SRCADDR;

		if (line->text[other].p && rec->family != family)
			return "is not of the other address's family";
		*(field == FLOWREC_F_SRCADDR ? &rec->src : &rec->dst) = addr;
		rec->family = family;
	}
	return NULL;
}

/* What is wrong with a value, or NULL. */
static const char *take_value(struct flowrec_line *line, enum flowrec_field field,
			      const struct flowrec_span *v)
{
	const struct flowrec_field_info *info = &flowrec_fields[field];

	switch ((enum flowrec_form)info->form) {
	case FLOWREC_AS_UINT:
	case FLOWREC_AS_UNIX_SECONDS: return take_number(line, info, v);
	case FLOWREC_AS_IP: return take_addr(line, field, v);
	case FLOWREC_AS_ENUM: return take_word(line, field, v);
	case FLOWREC_AS_ENUM_OPEN:
	case FLOWREC_AS_STRING:
	case FLOWREC_AS_PERCENT_ENCODED: break;
	}
	return NULL;
}

/* ---- lines ---- */

static int broken(struct err *err, size_t column, enum flowrec_field field,
		  const struct flowrec_span *v, const char *why)
{
	return err_set(err, ERR_FORMAT, "column %zu (%s): '%.*s%s' %s", column,
		       field < FLOWREC_FIELDS ? flowrec_fields[field].name : "unknown",
		       (int)(v->len < 40 ? v->len : 40), v->p, v->len < 40 ? "" : "...", why);
}

static int take_column(struct flowrec_line *line, size_t column, enum flowrec_field field,
		       const struct flowrec_span *v, struct err *err)
{
	const char *why;

	if (v->len == 0)
		return err_set(err, ERR_FORMAT,
			       "column %zu is empty: one blank stands between two columns", column);
	if (!is_clean(v)) /* not shown: it may do things to a terminal */
		return err_set(err, ERR_FORMAT,
			       "column %zu (%s) has a control character, bytes that are not UTF-8, "
			       "or too many of them",
			       column,
			       field < FLOWREC_FIELDS ? flowrec_fields[field].name : "unknown");
	if (field == FLOWREC_FIELDS || is_word(v, "-"))
		return 0;
	why = take_value(line, field, v);
	if (why)
		return broken(err, column, field, v, why);
	line->text[field] = *v;
	return 0;
}

int flowrec_parse_line(struct flowrec_line *ret, const struct flowrec_columns *columns,
		       const char *line, size_t len, struct err *err)
{
	const char *p = line, *end;
	size_t n = 0;
	int rc = 0;

	if (len > 0 && line[len - 1] == '\n')
		len--;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	end = line + len;
	if (len > FLOWREC_PARSE_MAX)
		return err_set(err, ERR_FORMAT, "a line of %zu bytes: at most %d are read", len,
			       FLOWREC_PARSE_MAX);
	*ret = (struct flowrec_line){.rec = {.status = FLOWREC_OK}};
	for (bool more = true; more && rc == 0; n++) {
		const char *blank = memchr(p, ' ', (size_t)(end - p));
		struct flowrec_span v = {p, (size_t)((blank ? blank : end) - p)};

		if (n == columns->n)
			return err_set(err, ERR_FORMAT, "more columns than the %u of the format",
				       columns->n);
		rc = take_column(ret, n + 1, (enum flowrec_field)columns->field[n], &v, err);
		p = blank ? blank + 1 : end;
		more = blank;
	}
	if (rc == 0 && n < columns->n)
		return err_set(err, ERR_FORMAT, "%zu columns, the format has %u", n, columns->n);
	if (!ret->rec.family && ret->text[FLOWREC_F_TYPE].p)
		ret->rec.family = is_word(&ret->text[FLOWREC_F_TYPE], "IPv6")   ? 6
				  : is_word(&ret->text[FLOWREC_F_TYPE], "IPv4") ? 4
										: 0;
	return rc;
}
