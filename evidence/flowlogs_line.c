// SPDX-License-Identifier: Apache-2.0
/*
 * One Flow Logs line. The usual line is read in one pass over its bytes; whatever is unusual in it is
 * left to the strict reader of proto/flowrec_parse.c, which also finds the words for what is wrong.
 */
#include <endian.h>
#include <string.h>
#if defined __SSE2__
#	include <emmintrin.h>
#endif

#include "evidence/flowlogs_parts.h"

enum { FAST_MAX = 1024 }; /* bytes of a usual line */

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

/*
 * Eight bytes at a time, without a question for each: first where the blanks are, then each value from where it begins and how long it
 * is. What is wrong is gathered and asked for at the end. Loads reach up to FLOWLOGS_PAD bytes beyond the line.
 */

/* Into each of its callers: where the column is known when this is compiled, nothing is asked of it any more. */
#define INLINE     static inline __attribute__((always_inline))
#define EACH(byte) ((byte)*UINT64_C(0x0101010101010101))

enum { BLOCK = 64 }; /* bytes whose blanks are found at once */

struct line_state {
	uint64_t bytes; /* a high bit in any byte: something that is no digit, or not printable */
	uint64_t sign; /* the highest bit: a number that is too large or too small for its length */
	bool other;
	uint32_t has; /* what the line has, enum flowlogs_has */
};

INLINE uint64_t load8(const char *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof x);
	return le64toh(x);
}

/* A bit for each of sixteen bytes that is this one. */
INLINE uint64_t bits16(const char *p, char byte)
{
#if defined __SSE2__
	__m128i x = _mm_loadu_si128((const __m128i_u *)(const void *)p);

	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8(byte)));
#else
	uint64_t ret = 0;

	for (unsigned i = 0; i < 16; i += 8) {
		uint64_t x = load8(p + i) ^ EACH((uint8_t)byte);

		x = ~(((x & EACH(0x7f)) + EACH(0x7f)) | x) & EACH(0x80);
		ret |= (x >> 7) * UINT64_C(0x0102040810204080) >> 56 << i;
	}
	return ret;
#endif
}

/* A bit for each of sixteen bytes that is neither a blank nor printable. */
INLINE uint64_t odd16(const char *p)
{
#if defined __SSE2__
	__m128i x = _mm_loadu_si128((const __m128i_u *)(const void *)p);

	return (unsigned)_mm_movemask_epi8(
		_mm_or_si128(_mm_cmplt_epi8(x, _mm_set1_epi8(' ')), /* negative ones too */
			     _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f))));
#else
	uint64_t ret = 0;

	for (unsigned i = 0; i < 16; i += 8) {
		uint64_t x = load8(p + i),
			 low = (x & EACH(0x7f)) +
			       EACH(0x60); /* without a carry: from ' ' on it reaches 0x80 */

		x = (~low | x | ((x & EACH(0x7f)) + EACH(1))) & EACH(0x80);
		ret |= (x >> 7) * UINT64_C(0x0102040810204080) >> 56 << i;
	}
	return ret;
#endif
}

/* A bit for each of sixteen bytes that is a digit. */
INLINE uint64_t digits16(const char *p)
{
#if defined __SSE2__
	__m128i x = _mm_loadu_si128((const __m128i_u *)(const void *)p);

	x = _mm_add_epi8(
		x, _mm_set1_epi8(0x7f - '9')); /* '0' to '9' are the largest that is positive */
	return (unsigned)_mm_movemask_epi8(_mm_cmpgt_epi8(x, _mm_set1_epi8(0x7f - 10)));
#else
	uint64_t ret = 0;

	for (unsigned i = 0; i < 16; i += 8) {
		uint64_t x = load8(p + i) ^ EACH('0');

		x = ~((((x & EACH(0x7f)) + EACH(0x76)) | x)) & EACH(0x80);
		ret |= (x >> 7) * UINT64_C(0x0102040810204080) >> 56 << i;
	}
	return ret;
#endif
}

/* Numbers of a length begin here: no needless zeros, and none of length 0. */
static const uint64_t least[16] = {
	INT64_MAX, 0,         10,        100,       1000,      10000,     100000,    1000000,
	10000000,  INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX,
};

/* One to eight digits. */
INLINE uint64_t digits8(const char *p, size_t len, struct line_state *state)
{
	unsigned shift = (0 - 8 * (unsigned)len) & 63;
	uint64_t x = (load8(p) << shift) ^ (EACH('0') << shift);

	state->bytes |= (x + EACH(0x76)) | x;
	x = x * 10 + (x >> 8);
	return ((x & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064) +
		(x >> 16 & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x0000271000000001)) >>
	       32;
}

/* Up to 16 digits. */
INLINE uint64_t fast_number(const char *p, size_t len, uint64_t max, struct line_state *state)
{
	uint64_t n;

	if (max > UINT32_MAX && len > 8) {
		state->other |= len > 16;
		n = digits8(p, len - 8, state);
		state->sign |= n - least[(len - 8) & 7] - (len == 16 ? 10000000 : 0);
		return n * 100000000 + digits8(p + len - 8, 8, state);
	}
	state->other |= len > 8;
	n = digits8(p, len, state);
	state->sign |= (n - least[len & 15]) | (max - n);
	return n;
}

/* One that has mostly one digit or two. */
INLINE uint64_t fast_short(const char *p, size_t len, uint64_t max, struct line_state *state)
{
	unsigned first, last;

	if (len - 1 > 1)
		return fast_number(p, len, max, state);
	first = (unsigned)(unsigned char)p[0] - '0';
	last = (unsigned)(unsigned char)p[len - 1] - '0';
	state->other |= (first > 9) | (last > 9) | ((len == 2) & (first == 0));
	return len == 2 ? 10 * first + last : last;
}

/* One to three characters, of which is known that they are digits. */
INLINE uint8_t fast_octet(const char *p, size_t len, struct line_state *state)
{
	static const int64_t lowest[16] = {INT64_MAX, 0,         10,        100,
					   INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX,
					   INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX,
					   INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
	uint32_t x, tens;
	int64_t n;

	memcpy(&x, p, sizeof x);
	x = le32toh(x) << ((24 - 8 * (unsigned)len) & 31) &
	    UINT32_C(0x0f0f0f);                  /* the last one in the third byte */
	tens = x * UINT32_C(0x0a01) >> 8 & 0xff; /* of the first two together */
	n = tens * 10 + (x >> 16);
	state->sign |= (uint64_t)((n - lowest[len & 15]) | (255 - n));
	return (uint8_t)n;
}

INLINE bool fast_ipv4(const char *p, size_t len, struct addr *ret)
{
	struct line_state state = {.has = 0};
	uint64_t dots, mask;
	size_t a, b, c;

	if (len - 7 > 8)
		return false;
	mask = (UINT64_C(1) << len) - 1;
	dots = bits16(p, '.') & mask;
	if (((dots | digits16(p)) & mask) != mask)
		return false;
	dots |= UINT64_C(7) << 16; /* there are three, right or wrong */
	a = (size_t)__builtin_ctzll(dots);
	dots &= dots - 1;
	b = (size_t)__builtin_ctzll(dots);
	dots &= dots - 1;
	c = (size_t)__builtin_ctzll(dots);
	dots &= dots - 1;
	if (c >= len || (dots & 0xffff) != 0)
		return false;
	ret->b[0] = fast_octet(p, a, &state);
	ret->b[1] = fast_octet(p + a + 1, b - a - 1, &state);
	ret->b[2] = fast_octet(p + b + 1, c - b - 1, &state);
	ret->b[3] = fast_octet(p + c + 1, len - c - 1, &state);
	return !state.other && state.sign >> 63 == 0;
}

INLINE uint8_t fast_addr(const char *p, size_t len, struct addr *ret, struct line_state *state)
{
	uint8_t family = 4;

	if (fast_ipv4(p, len, ret))
		return family;
	*ret = (struct addr){{0}};
	state->other |= !addr_read(p, len, ret, &family);
	return family;
}

INLINE bool is_word(const char *p, size_t len, const char *word, size_t n)
{
	return len == n && memcmp(p, word, n) == 0;
}

/* Two addresses of a line are of one family. */
INLINE void fast_pair(struct flowlogs_record *ret, uint8_t family, struct line_state *state)
{
	state->other |= (state->has & (FLOWLOGS_HAS_SRC | FLOWLOGS_HAS_DST)) != 0 &&
			ret->rec.family != family;
	ret->rec.family = family;
}

INLINE void fast_status(const char *p, size_t len, struct flowrec *rec, struct line_state *state)
{
	if (is_word(p, len, "OK", 2))
		rec->status = FLOWREC_OK;
	else if (is_word(p, len, "NODATA", 6))
		rec->status = FLOWREC_NODATA;
	else if (is_word(p, len, "SKIPDATA", 8))
		rec->status = FLOWREC_SKIPDATA;
	else
		state->other |= 1;
}

INLINE void fast_action(const char *p, size_t len, struct flowrec *rec, struct line_state *state)
{
	bool accepts = is_word(p, len, "ACCEPT", 6);

	rec->action = accepts ? FLOWREC_ACCEPT : FLOWREC_REJECT;
	state->other |= !accepts && !is_word(p, len, "REJECT", 6);
}

INLINE void fast_direction(const char *p, size_t len, struct flowrec *rec, struct line_state *state)
{
	bool enters = is_word(p, len, "ingress", 7);

	rec->direction = enters ? FLOWREC_INGRESS : FLOWREC_EGRESS;
	state->other |= !enters && !is_word(p, len, "egress", 6);
}

/* *state: the strict reader decides. */
INLINE void fast_value(struct flowlogs_record *ret, enum op op, const char *p, size_t len,
		       struct line_state *state)
{
	struct flowrec *rec = &ret->rec;

	if (len == 1 && *p == '-')
		return;
	switch (op) {
	case OP_PASS: state->other |= len == 0; break; /* it is printable: find_ends() */
	case OP_SRC:
		fast_pair(ret, fast_addr(p, len, &rec->src, state), state);
		state->has |= FLOWLOGS_HAS_SRC;
		break;
	case OP_DST:
		fast_pair(ret, fast_addr(p, len, &rec->dst, state), state);
		state->has |= FLOWLOGS_HAS_DST;
		break;
	case OP_PKT_SRC:
		ret->pkt_src_family = fast_addr(p, len, &ret->pkt_src, state);
		state->has |= FLOWLOGS_HAS_PKT_SRC;
		break;
	case OP_PKT_DST:
		ret->pkt_dst_family = fast_addr(p, len, &ret->pkt_dst, state);
		state->has |= FLOWLOGS_HAS_PKT_DST;
		break;
	case OP_SRCPORT:
		rec->srcport = (uint16_t)fast_number(p, len, UINT16_MAX, state);
		state->has |= FLOWLOGS_HAS_SRCPORT;
		break;
	case OP_DSTPORT:
		rec->dstport = (uint16_t)fast_number(p, len, UINT16_MAX, state);
		state->has |= FLOWLOGS_HAS_DSTPORT;
		break;
	case OP_PROTOCOL:
		rec->protocol = (uint8_t)fast_short(p, len, UINT8_MAX, state);
		state->has |= FLOWLOGS_HAS_PROTOCOL;
		break;
	case OP_PACKETS:
		rec->packets = fast_short(p, len, INT64_MAX, state);
		state->has |= FLOWLOGS_HAS_PACKETS;
		break;
	case OP_BYTES:
		rec->bytes = fast_number(p, len, INT64_MAX, state);
		state->has |= FLOWLOGS_HAS_BYTES;
		break;
	case OP_START:
		rec->start = fast_number(p, len, INT64_MAX, state);
		state->has |= FLOWLOGS_HAS_START;
		break;
	case OP_END:
		rec->end = fast_number(p, len, INT64_MAX, state);
		state->has |= FLOWLOGS_HAS_END;
		break;
	case OP_ACTION:
		fast_action(p, len, rec, state);
		state->has |= FLOWLOGS_HAS_ACTION;
		break;
	case OP_STATUS:
		fast_status(p, len, rec, state);
		state->has |= FLOWLOGS_HAS_STATUS;
		break;
	case OP_DIRECTION:
		fast_direction(p, len, rec, state);
		state->has |= FLOWLOGS_HAS_DIRECTION;
		break;
	case OP_FLAGS:
		rec->tcp_flags = (uint8_t)fast_short(p, len, UINT8_MAX, state);
		state->has |= FLOWLOGS_HAS_FLAGS;
		break;
	case OP_TYPE:
		state->other |= !is_word(p, len, "IPv4", 4) && !is_word(p, len, "IPv6", 4);
		break;
	case OP_INTERFACE:
		state->other |= len == 0;
		ret->interface.p = p;
		ret->interface.len = len;
		break;
	case OP_NUMBER: (void)fast_short(p, len, INT32_MAX, state); break;
	case OP_SLOW: state->other |= 1; break;
	}
}

/* The blanks of the 64 bytes from `at` on, a bit each, as far as the line goes; *odd: other bytes than printable ASCII are among them. */
INLINE uint64_t blanks_of(const char *line, size_t len, size_t at, uint64_t *odd)
{
	uint64_t blanks = 0, others = 0,
		 mask = len - at < BLOCK ? (UINT64_C(1) << (len - at)) - 1 : UINT64_MAX;

#pragma GCC unroll 4
	for (unsigned i = 0; i < BLOCK; i += 16) {
		blanks |= bits16(line + at + i, ' ') << i;
		others |= odd16(line + at + i) << i;
	}
	*odd |= others & mask;
	return blanks & mask;
}

/* Where each of n values ends; false: there are more or fewer, or not all of it is printable ASCII. */
INLINE bool find_ends(uint16_t ends[static FLOWREC_COLUMNS_MAX], size_t n, const char *line,
		      size_t len)
{
	uint64_t odd = 0, blanks = blanks_of(line, len, 0, &odd);
	size_t at = 0;

	for (size_t i = 0; i + 1 < n; i++) {
		while (!blanks) {
			at += BLOCK;
			if (at >= len)
				return false;
			blanks = blanks_of(line, len, at, &odd);
		}
		ends[i] = (uint16_t)(at + (size_t)__builtin_ctzll(blanks));
		blanks &= blanks - 1;
	}
	for (at += BLOCK; !blanks && at < len; at += BLOCK)
		blanks = blanks_of(line, len, at, &odd);
	ends[n - 1] = (uint16_t)len;
	return !blanks && !odd;
}

INLINE void fast_column(struct flowlogs_record *ret, enum op op, const char *line,
			const uint16_t *ends, size_t i, struct line_state *state)
{
	size_t start = i > 0 ? ends[i - 1] + 1u : 0;

	fast_value(ret, op, line + start, ends[i] - start, state);
}

/* The fourteen fields of the default format: one path without a question for each column. */
static const uint8_t default_ops[] = {OP_NUMBER,  OP_PASS,    OP_INTERFACE, OP_SRC,     OP_DST,
				      OP_SRCPORT, OP_DSTPORT, OP_PROTOCOL,  OP_PACKETS, OP_BYTES,
				      OP_START,   OP_END,     OP_ACTION,    OP_STATUS};

static void fast_default(struct flowlogs_record *ret, const char *line, const uint16_t *ends,
			 struct line_state *state)
{
	fast_column(ret, OP_NUMBER, line, ends, 0, state);
	fast_column(ret, OP_PASS, line, ends, 1, state);
	fast_column(ret, OP_INTERFACE, line, ends, 2, state);
	fast_column(ret, OP_SRC, line, ends, 3, state);
	fast_column(ret, OP_DST, line, ends, 4, state);
	fast_column(ret, OP_SRCPORT, line, ends, 5, state);
	fast_column(ret, OP_DSTPORT, line, ends, 6, state);
	fast_column(ret, OP_PROTOCOL, line, ends, 7, state);
	fast_column(ret, OP_PACKETS, line, ends, 8, state);
	fast_column(ret, OP_BYTES, line, ends, 9, state);
	fast_column(ret, OP_START, line, ends, 10, state);
	fast_column(ret, OP_END, line, ends, 11, state);
	fast_column(ret, OP_ACTION, line, ends, 12, state);
	fast_column(ret, OP_STATUS, line, ends, 13, state);
}

/* In pieces: as a whole it would be the instruction for long blocks, which is slow to begin. */
INLINE void make_empty(struct flowlogs_record *ret)
{
	enum { PIECE = 64 };
	char *p = (char *)ret;

	_Static_assert(sizeof *ret > 2 * PIECE && sizeof *ret <= 3 * PIECE, "three pieces");
	memset(p, 0, PIECE);
	memset(p + PIECE, 0, PIECE);
	memset(p + 2 * PIECE, 0, sizeof *ret - 2 * PIECE);
}

/* False: the strict reader decides. */
static bool fast_line(struct flowlogs_record *ret, const struct flowlogs_plan *plan,
		      const char *line, size_t len)
{
	uint16_t ends[FLOWREC_COLUMNS_MAX];
	struct line_state state = {.has = 0};

	if (len == 0 || len > FAST_MAX || plan->columns.n == 0)
		return false;
	make_empty(ret);
	if (plan->is_default) {
		if (!find_ends(ends, sizeof default_ops, line, len))
			return false;
		fast_default(ret, line, ends, &state);
	} else {
		if (!find_ends(ends, plan->columns.n, line, len))
			return false;
		for (size_t i = 0; i < plan->columns.n; i++)
			fast_column(ret, (enum op)plan->op[i], line, ends, i, &state);
	}
	ret->has = state.has;
	return !state.other && (state.bytes & EACH(0x80)) == 0 && state.sign >> 63 == 0;
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

int flowlogs_parse_padded(struct flowlogs_record *ret, const struct flowlogs_plan *plan,
			  const char *line, size_t len, struct err *err)
{
	if (plan->is_transit)
		return 1;
	if (fast_line(ret, plan, line, len))
		return 0;
	return is_transit(line, len) ? 1 : flowlogs_parse_slowly(ret, plan, line, len, err);
}

int flowlogs_parse(struct flowlogs_record *ret, const struct flowlogs_plan *plan, const char *line,
		   size_t len, struct err *err)
{
	char copy[FAST_MAX + FLOWLOGS_PAD];

	if (plan->is_transit)
		return 1;
	if (len <= FAST_MAX) {
		memcpy(copy, line, len);
		memset(copy + len, 0, FLOWLOGS_PAD);
		if (fast_line(ret, plan, copy, len)) {
			if (ret->interface.p)
				ret->interface.p = line + (ret->interface.p - copy);
			return 0;
		}
	}
	return is_transit(line, len) ? 1 : flowlogs_parse_slowly(ret, plan, line, len, err);
}
