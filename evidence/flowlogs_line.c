// SPDX-License-Identifier: Apache-2.0
/*
 * One Flow Logs line. The usual line is read in one pass over its bytes; whatever is unusual in it is
 * left to the strict reader of proto/flowrec_parse.c, which also finds the words for what is wrong.
 */
#include <string.h>

#include "evidence/flowlogs.h"

enum op {
	OP_PASS, /* any text */
	OP_SRC,
	OP_DST,
	OP_PKT_SRC,
	OP_PKT_DST,
	OP_SRCPORT,
	OP_DSTPORT,
	OP_PROTOCOL,
	OP_PACKETS,
	OP_BYTES,
	OP_START,
	OP_END,
	OP_ACTION,
	OP_STATUS,
	OP_DIRECTION,
	OP_FLAGS,
	OP_TYPE,
	OP_INTERFACE,
	OP_NUMBER, /* that the record does not hold: version, traffic-path */
	OP_SLOW,   /* other words */
};

static enum op op_of(uint8_t field)
{
	switch (field) {
	case FLOWREC_F_SRCADDR: return OP_SRC;
	case FLOWREC_F_DSTADDR: return OP_DST;
	case FLOWREC_F_PKT_SRCADDR: return OP_PKT_SRC;
	case FLOWREC_F_PKT_DSTADDR: return OP_PKT_DST;
	case FLOWREC_F_SRCPORT: return OP_SRCPORT;
	case FLOWREC_F_DSTPORT: return OP_DSTPORT;
	case FLOWREC_F_PROTOCOL: return OP_PROTOCOL;
	case FLOWREC_F_PACKETS: return OP_PACKETS;
	case FLOWREC_F_BYTES: return OP_BYTES;
	case FLOWREC_F_START: return OP_START;
	case FLOWREC_F_END: return OP_END;
	case FLOWREC_F_ACTION: return OP_ACTION;
	case FLOWREC_F_LOG_STATUS: return OP_STATUS;
	case FLOWREC_F_FLOW_DIRECTION: return OP_DIRECTION;
	case FLOWREC_F_TCP_FLAGS: return OP_FLAGS;
	case FLOWREC_F_TYPE: return OP_TYPE;
	case FLOWREC_F_INTERFACE_ID: return OP_INTERFACE;
	default: break;
	}
	if (field == FLOWREC_FIELDS)
		return OP_PASS;
	switch ((enum flowrec_form)flowrec_fields[field].form) {
	case FLOWREC_AS_STRING:
	case FLOWREC_AS_ENUM_OPEN:
	case FLOWREC_AS_PERCENT_ENCODED: return OP_PASS;
	case FLOWREC_AS_UINT:
		if (flowrec_fields[field].size == 0)
			return OP_NUMBER;
		break;
	case FLOWREC_AS_UNIX_SECONDS:
	case FLOWREC_AS_IP:
	case FLOWREC_AS_ENUM: break;
	}
	return OP_SLOW;
}

/* ---- the usual line ---- */

/* Into each of its callers: where the column is known when this is compiled, nothing is asked of it any more. */
#define INLINE static inline __attribute__((always_inline))

struct cursor {
	const char *p, *end;
};

/* Up to 19 digits that need no more than 64 bits, without needless zeros. */
INLINE bool fast_number(struct cursor *c, uint64_t max, uint64_t *ret)
{
	const char *start = c->p;
	uint64_t n = 0;

	while (c->p < c->end && (unsigned char)(*c->p - '0') < 10)
		n = n * 10 + (unsigned char)(*c->p++ - '0');
	*ret = n;
	return c->p > start && c->p - start <= 18 && (*start != '0' || c->p == start + 1) &&
	       n <= max;
}

INLINE bool fast_ipv4(struct cursor *c, struct addr *ret)
{
	for (unsigned i = 0; i < 4; i++) {
		uint64_t n;

		if (i > 0 && (c->p == c->end || *c->p++ != '.'))
			return false;
		if (!fast_number(c, 255, &n))
			return false;
		ret->b[i] = (uint8_t)n;
	}
	return true;
}

INLINE bool fast_addr(struct cursor *c, struct addr *ret, uint8_t *family)
{
	const char *start = c->p, *blank;

	*ret = (struct addr){{0}};
	*family = 4;
	if (fast_ipv4(c, ret) && (c->p == c->end || *c->p == ' '))
		return true;
	blank = memchr(start, ' ', (size_t)(c->end - start));
	c->p = blank ? blank : c->end;
	return addr_read(start, (size_t)(c->p - start), ret, family);
}

INLINE bool fast_word(struct cursor *c, const char *word, size_t len)
{
	if ((size_t)(c->end - c->p) < len || memcmp(c->p, word, len) != 0)
		return false;
	c->p += len;
	return true;
}

/* Printable ASCII. */
INLINE bool fast_text(struct cursor *c)
{
	const char *start = c->p;

	while (c->p < c->end && (unsigned char)(*c->p - '!') <= '~' - '!')
		c->p++;
	return c->p > start;
}

/* Two addresses of a line are of one family. */
static bool fast_pair(struct flowlogs_record *ret, uint8_t family)
{
	bool fits =
		!(ret->has & (FLOWLOGS_HAS_SRC | FLOWLOGS_HAS_DST)) || ret->rec.family == family;

	ret->rec.family = family;
	return fits;
}

static bool fast_status(struct cursor *c, struct flowrec *rec)
{
	if (fast_word(c, "OK", 2))
		rec->status = FLOWREC_OK;
	else if (fast_word(c, "NODATA", 6))
		rec->status = FLOWREC_NODATA;
	else if (fast_word(c, "SKIPDATA", 8))
		rec->status = FLOWREC_SKIPDATA;
	else
		return false;
	return true;
}

static bool fast_action(struct cursor *c, struct flowrec *rec)
{
	rec->action = FLOWREC_ACCEPT;
	if (fast_word(c, "ACCEPT", 6))
		return true;
	rec->action = FLOWREC_REJECT;
	return fast_word(c, "REJECT", 6);
}

static bool fast_direction(struct cursor *c, struct flowrec *rec)
{
	rec->direction = FLOWREC_INGRESS;
	if (fast_word(c, "ingress", 7))
		return true;
	rec->direction = FLOWREC_EGRESS;
	return fast_word(c, "egress", 6);
}

/* False: the strict reader decides. */
INLINE bool fast_value(struct flowlogs_record *ret, enum op op, struct cursor *c)
{
	struct flowrec *rec = &ret->rec;
	uint64_t n = 0;
	bool ok = false;
	uint8_t family;

	switch (op) {
	case OP_PASS: return fast_text(c);
	case OP_SRC:
		ok = fast_addr(c, &rec->src, &family) && fast_pair(ret, family);
		ret->has |= FLOWLOGS_HAS_SRC;
		break;
	case OP_DST:
		ok = fast_addr(c, &rec->dst, &family) && fast_pair(ret, family);
		ret->has |= FLOWLOGS_HAS_DST;
		break;
	case OP_PKT_SRC:
		ok = fast_addr(c, &ret->pkt_src, &ret->pkt_src_family);
		ret->has |= FLOWLOGS_HAS_PKT_SRC;
		break;
	case OP_PKT_DST:
		ok = fast_addr(c, &ret->pkt_dst, &ret->pkt_dst_family);
		ret->has |= FLOWLOGS_HAS_PKT_DST;
		break;
	case OP_SRCPORT:
		ok = fast_number(c, UINT16_MAX, &n);
		rec->srcport = (uint16_t)n;
		ret->has |= FLOWLOGS_HAS_SRCPORT;
		break;
	case OP_DSTPORT:
		ok = fast_number(c, UINT16_MAX, &n);
		rec->dstport = (uint16_t)n;
		ret->has |= FLOWLOGS_HAS_DSTPORT;
		break;
	case OP_PROTOCOL:
		ok = fast_number(c, UINT8_MAX, &n);
		rec->protocol = (uint8_t)n;
		ret->has |= FLOWLOGS_HAS_PROTOCOL;
		break;
	case OP_PACKETS:
		ok = fast_number(c, UINT64_MAX, &rec->packets);
		ret->has |= FLOWLOGS_HAS_PACKETS;
		break;
	case OP_BYTES:
		ok = fast_number(c, UINT64_MAX, &rec->bytes);
		ret->has |= FLOWLOGS_HAS_BYTES;
		break;
	case OP_START:
		ok = fast_number(c, UINT64_MAX, &rec->start);
		ret->has |= FLOWLOGS_HAS_START;
		break;
	case OP_END:
		ok = fast_number(c, UINT64_MAX, &rec->end);
		ret->has |= FLOWLOGS_HAS_END;
		break;
	case OP_ACTION:
		ok = fast_action(c, rec);
		ret->has |= FLOWLOGS_HAS_ACTION;
		break;
	case OP_STATUS:
		ok = fast_status(c, rec);
		ret->has |= FLOWLOGS_HAS_STATUS;
		break;
	case OP_DIRECTION:
		ok = fast_direction(c, rec);
		ret->has |= FLOWLOGS_HAS_DIRECTION;
		break;
	case OP_FLAGS:
		ok = fast_number(c, UINT8_MAX, &n);
		rec->tcp_flags = (uint8_t)n;
		ret->has |= FLOWLOGS_HAS_FLAGS;
		break;
	case OP_TYPE: ok = fast_word(c, "IPv4", 4) || fast_word(c, "IPv6", 4); break;
	case OP_INTERFACE:
		ret->interface.p = c->p;
		ok = fast_text(c);
		ret->interface.len = (size_t)(c->p - ret->interface.p);
		break;
	case OP_NUMBER: return fast_number(c, INT32_MAX, &n);
	case OP_SLOW: return false;
	}
	return ok;
}

/* A value and the blank before it. */
INLINE bool fast_column(struct flowlogs_record *ret, enum op op, struct cursor *c, bool is_first)
{
	if (!is_first && (c->p == c->end || *c->p++ != ' '))
		return false;
	if (c->p < c->end && *c->p == '-' && (c->p + 1 == c->end || c->p[1] == ' ')) {
		c->p++;
		return true;
	}
	return fast_value(ret, op, c) && (c->p == c->end || *c->p == ' ');
}

static bool fast_line(struct flowlogs_record *ret, const struct flowlogs_plan *plan,
		      const char *line, size_t len)
{
	struct cursor c = {line, line + len};

	memset(ret, 0, sizeof *ret);
	for (size_t i = 0; i < plan->columns.n; i++) {
		if (!fast_column(ret, (enum op)plan->op[i], &c, i == 0))
			return false;
	}
	return c.p == c.end && plan->columns.n > 0;
}

/* The fourteen fields of the default format: one path without a question for each column. */
static const uint8_t default_ops[] = {OP_NUMBER,  OP_PASS,    OP_INTERFACE, OP_SRC,     OP_DST,
				      OP_SRCPORT, OP_DSTPORT, OP_PROTOCOL,  OP_PACKETS, OP_BYTES,
				      OP_START,   OP_END,     OP_ACTION,    OP_STATUS};

static bool fast_default_line(struct flowlogs_record *ret, const char *line, size_t len)
{
	struct cursor c = {line, line + len};

	memset(ret, 0, sizeof *ret);
	return fast_column(ret, OP_NUMBER, &c, true) && fast_column(ret, OP_PASS, &c, false) &&
	       fast_column(ret, OP_INTERFACE, &c, false) && fast_column(ret, OP_SRC, &c, false) &&
	       fast_column(ret, OP_DST, &c, false) && fast_column(ret, OP_SRCPORT, &c, false) &&
	       fast_column(ret, OP_DSTPORT, &c, false) &&
	       fast_column(ret, OP_PROTOCOL, &c, false) &&
	       fast_column(ret, OP_PACKETS, &c, false) && fast_column(ret, OP_BYTES, &c, false) &&
	       fast_column(ret, OP_START, &c, false) && fast_column(ret, OP_END, &c, false) &&
	       fast_column(ret, OP_ACTION, &c, false) && fast_column(ret, OP_STATUS, &c, false) &&
	       c.p == c.end;
}

void flowlogs_plan(struct flowlogs_plan *ret, const struct flowrec_columns *columns)
{
	ret->columns = *columns;
	ret->is_transit = false;
	for (size_t i = 0; i < columns->n; i++)
		ret->op[i] = (uint8_t)op_of(columns->field[i]);
	ret->is_default = columns->n == sizeof default_ops &&
			  memcmp(ret->op, default_ops, sizeof default_ops) == 0;
}

/* ---- the strict reader ---- */

static const struct {
	uint8_t field;
	uint32_t has;
} held[] = {
	{FLOWREC_F_SRCADDR, FLOWLOGS_HAS_SRC},
	{FLOWREC_F_DSTADDR, FLOWLOGS_HAS_DST},
	{FLOWREC_F_PKT_SRCADDR, FLOWLOGS_HAS_PKT_SRC},
	{FLOWREC_F_PKT_DSTADDR, FLOWLOGS_HAS_PKT_DST},
	{FLOWREC_F_SRCPORT, FLOWLOGS_HAS_SRCPORT},
	{FLOWREC_F_DSTPORT, FLOWLOGS_HAS_DSTPORT},
	{FLOWREC_F_PROTOCOL, FLOWLOGS_HAS_PROTOCOL},
	{FLOWREC_F_PACKETS, FLOWLOGS_HAS_PACKETS},
	{FLOWREC_F_BYTES, FLOWLOGS_HAS_BYTES},
	{FLOWREC_F_START, FLOWLOGS_HAS_START},
	{FLOWREC_F_END, FLOWLOGS_HAS_END},
	{FLOWREC_F_ACTION, FLOWLOGS_HAS_ACTION},
	{FLOWREC_F_FLOW_DIRECTION, FLOWLOGS_HAS_DIRECTION},
	{FLOWREC_F_LOG_STATUS, FLOWLOGS_HAS_STATUS},
	{FLOWREC_F_TCP_FLAGS, FLOWLOGS_HAS_FLAGS},
};

int flowlogs_parse_slowly(struct flowlogs_record *ret, const struct flowlogs_plan *plan,
			  const char *line, size_t len, struct err *err)
{
	struct flowrec_line strict;
	int rc = flowrec_parse_line(&strict, &plan->columns, line, len, err);

	if (rc < 0)
		return rc;
	*ret = (struct flowlogs_record){
		.rec = strict.rec,
		.pkt_src = strict.pkt_src,
		.pkt_dst = strict.pkt_dst,
		.pkt_src_family = strict.pkt_src_family,
		.pkt_dst_family = strict.pkt_dst_family,
		.interface = strict.text[FLOWREC_F_INTERFACE_ID],
	};
	for (size_t i = 0; i < sizeof held / sizeof held[0]; i++) {
		if (strict.text[held[i].field].p)
			ret->has |= held[i].has;
	}
	if (!(ret->has & (FLOWLOGS_HAS_SRC | FLOWLOGS_HAS_DST)))
		ret->rec.family = 0;
	return 0;
}

/* The second word of a transit gateway's default line, or any under its column. */
static bool is_transit(const char *line, size_t len)
{
	const char *blank = memchr(line, ' ', len);

	return blank && line + len - blank > 15 && memcmp(blank + 1, "TransitGateway", 14) == 0;
}

int flowlogs_parse(struct flowlogs_record *ret, const struct flowlogs_plan *plan, const char *line,
		   size_t len, struct err *err)
{
	if (plan->is_transit)
		return 1;
	if (plan->is_default ? fast_default_line(ret, line, len) : fast_line(ret, plan, line, len))
		return 0;
	return is_transit(line, len) ? 1 : flowlogs_parse_slowly(ret, plan, line, len, err);
}
