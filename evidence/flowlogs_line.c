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

enum { USUAL_MAX = 1024 }; /* bytes of a usual line with its end */

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

/* Which value of the record a column holds. */
static const uint16_t op_has[] = {
	[OP_SRC] = FLOWLOGS_HAS_SRC,           [OP_DST] = FLOWLOGS_HAS_DST,
	[OP_PKT_SRC] = FLOWLOGS_HAS_PKT_SRC,   [OP_PKT_DST] = FLOWLOGS_HAS_PKT_DST,
	[OP_SRCPORT] = FLOWLOGS_HAS_SRCPORT,   [OP_DSTPORT] = FLOWLOGS_HAS_DSTPORT,
	[OP_PROTOCOL] = FLOWLOGS_HAS_PROTOCOL, [OP_PACKETS] = FLOWLOGS_HAS_PACKETS,
	[OP_BYTES] = FLOWLOGS_HAS_BYTES,       [OP_START] = FLOWLOGS_HAS_START,
	[OP_END] = FLOWLOGS_HAS_END,           [OP_ACTION] = FLOWLOGS_HAS_ACTION,
	[OP_STATUS] = FLOWLOGS_HAS_STATUS,     [OP_DIRECTION] = FLOWLOGS_HAS_DIRECTION,
	[OP_FLAGS] = FLOWLOGS_HAS_FLAGS,       [OP_SLOW] = 0,
};

/* ---- the usual line ---- */

/*
 * Value after value, four to sixteen bytes at a time. A value's reader is given where it begins and returns where it ends, or NULL: this is
 * no usual value, and nothing is stored. What ends it is looked at in one place, fast_column(), so that nothing gets past the line's end. Branches ask
 * for what is the same in nearly all lines; how many digits a number has is none of them. Loads reach up to FLOWLOGS_PAD bytes
 * beyond the line.
 */

/* Into each of its callers: where the column is known when this is compiled, nothing is asked of it any more. */
#define INLINE     static inline __attribute__((always_inline))
#define EACH(byte) ((byte)*UINT64_C(0x0101010101010101))

INLINE uint32_t load4(const char *p)
{
	uint32_t x;

	memcpy(&x, p, sizeof x);
	return le32toh(x);
}

INLINE uint64_t load8(const char *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof x);
	return le64toh(x);
}

#if defined __SSE2__
INLINE __m128i load16(const char *p)
{
	return _mm_loadu_si128((const __m128i_u *)(const void *)p);
}
#else
/* The highest bits of eight bytes. */
INLINE uint64_t high_bits(uint64_t x)
{
	return ((x & EACH(0x80)) >> 7) * UINT64_C(0x0102040810204080) >> 56;
}
#endif

INLINE size_t first_bit(uint64_t bits)
{
	return (unsigned)__builtin_ctzll(bits);
}

/* A bit for each of sixteen bytes that is this one. */
INLINE uint64_t bits16(const char *p, char byte)
{
#if defined __SSE2__
	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(load16(p), _mm_set1_epi8(byte)));
#else
	uint64_t ret = 0;

	for (unsigned i = 0; i < 16; i += 8) {
		uint64_t x = load8(p + i) ^ EACH((uint8_t)byte);

		ret |= high_bits(~(((x & EACH(0x7f)) + EACH(0x7f)) | x)) << i;
	}
	return ret;
#endif
}

/* A bit for each of sixteen bytes that is a blank, or not printable. */
INLINE uint64_t ends16(const char *p)
{
#if defined __SSE2__
	__m128i x = _mm_add_epi8(load16(p), _mm_set1_epi8(1)); /* from 0x7f on it is negative */

	return (unsigned)_mm_movemask_epi8(_mm_subs_epi8(x, _mm_set1_epi8(' ' + 2)));
#else
	uint64_t ret = 0;

	for (unsigned i = 0; i < 16; i += 8) {
		uint64_t x = load8(p + i), low = x & EACH(0x7f);

		ret |= high_bits(~(low + EACH(0x7f - ' ')) | x | (low + EACH(1))) << i;
	}
	return ret;
#endif
}

/* A bit for each of sixteen bytes that is a digit. */
INLINE uint64_t digits16(const char *p)
{
#if defined __SSE2__
	/* '0' to '9' become the largest that is positive */
	__m128i x = _mm_add_epi8(load16(p), _mm_set1_epi8(0x7f - '9'));

	return (unsigned)_mm_movemask_epi8(_mm_cmpgt_epi8(x, _mm_set1_epi8(0x7f - 10)));
#else
	uint64_t ret = 0;

	for (unsigned i = 0; i < 16; i += 8) {
		uint64_t x = load8(p + i) ^ EACH('0');

		ret |= high_bits(~(((x & EACH(0x7f)) + EACH(0x76)) | x)) << i;
	}
	return ret;
#endif
}

/* Of digits from which '0' is taken: the high bit of each byte that is none is right up to the first of them. */
INLINE uint64_t no_digits(uint64_t x)
{
	return ((x + EACH(0x76)) | x) & EACH(0x80);
}

/* Eight digits from which '0' is taken, the first one in the lowest byte: pairs, fours, all. */
INLINE uint64_t eight_digits(uint64_t x)
{
	x = (x * 10 + (x >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
	x = x * (100 << 16 | 1) >> 16 & UINT64_C(0x0000ffff0000ffff);
	return x * (UINT64_C(10000) << 32 | 1) >> 32;
}

/* A number of any length, byte by byte. */
static __attribute__((noinline)) const char *any_number(const char *p, uint64_t *ret)
{
	enum { MAX = 18 }; /* what always fits */
	const char *end = p;
	uint64_t n = 0;

	for (; *end >= '0' && *end <= '9' && end < p + MAX; end++)
		n = n * 10 + (uint64_t)(*end - '0');
	if (end == p || (*p == '0' && end > p + 1))
		return NULL;
	*ret = n;
	return end;
}

/* At once if it has at most seven digits. */
INLINE const char *fast_number(const char *p, uint64_t *ret)
{
	/* Numbers of a length begin here: no needless zeros, and none of length 0. */
	static const uint64_t least[8] = {UINT64_MAX, 0, 10, 100, 1000, 10000, 100000, 1000000};
	uint64_t x = load8(p) ^ EACH('0'), others = no_digits(x);
	uint64_t n;
	size_t bits;

	if (others == 0)
		return any_number(p, ret);
	bits = first_bit(others) & ~(size_t)7; /* 8 a digit */
	n = eight_digits(x << (-bits & 63));
	if (n < least[bits / 8])
		return NULL;
	*ret = n;
	return p + bits / 8;
}

INLINE const char *fast_port(const char *p, uint16_t *ret)
{
	uint64_t n;

	p = fast_number(p, &n);
	if (!p || n > UINT16_MAX)
		return NULL;
	*ret = (uint16_t)n;
	return p;
}

/* At once if it has ten digits: 2001 to 2286. */
INLINE const char *fast_seconds(const char *p, uint64_t *ret)
{
	uint64_t first = (uint64_t)(unsigned char)p[0] - '0',
		 second = (uint64_t)(unsigned char)p[1] - '0', x = load8(p + 2) ^ EACH('0');

	if (first - 1 > 8 || second > 9 || no_digits(x))
		return any_number(p, ret);
	*ret = (first * 10 + second) * 100000000 + eight_digits(x);
	return p + 10;
}

/* One to three digits, of which is known that they are that; len: of them and what ends them. False: more than 255, needless zeros, another
 * length. */
INLINE bool fast_octet(const char *p, size_t len, uint32_t *ret)
{
	static const uint32_t least[16] = {0, 0, 0, 0x01000000, 0x01000000};
	static const uint32_t span[16] = {0, 0, 0x0a000000, 0x09000000, 0x01050501};
	static const uint32_t digits[16] = {0, 0, 0x0f, 0x0f0f, 0x0f0f0f};
	static const uint32_t weights[16] = {0, 0, 1 << 24, 10 << 24 | 1 << 16,
					     100 << 24 | 10 << 16 | 1 << 8};
	uint32_t x = load4(p) & digits[len & 15];
	uint32_t order = __builtin_bswap32(x); /* as the numbers are, but not as large */

	*ret = x * weights[len & 15] >> 24;
	return order - least[len & 15] < span[len & 15];
}

INLINE const char *fast_byte(const char *p, uint8_t *ret)
{
	uint32_t x = load4(p) ^ UINT32_C(0x30303030), n;
	uint32_t others = ((x + UINT32_C(0x76767676)) | x) & UINT32_C(0x80808080);
	size_t len = first_bit(others | UINT64_C(1) << 32) / 8;

	if (!fast_octet(p, len + 1, &n))
		return NULL;
	*ret = (uint8_t)n;
	return p + len;
}

INLINE const char *fast_ipv4(const char *p, struct addr *ret)
{
	/* with ones beyond 16; from the byte before on */
	uint64_t rest = ~digits16(p) << 1, no_dots = rest & ~(bits16(p, '.') << 1);
	size_t i = first_bit(rest), j = first_bit(rest &= rest - 1),
	       k = first_bit(rest &= rest - 1), end = first_bit(rest & (rest - 1));
	uint32_t a, b, c, d;

	if (first_bit(no_dots) != end || !fast_octet(p, i, &a) || !fast_octet(p + i, j - i, &b) ||
	    !fast_octet(p + j, k - j, &c) || !fast_octet(p + k, end - k, &d))
		return NULL;
	a = htole32(a | b << 8 | c << 16 | d << 24);
	memcpy(ret->b, &a, sizeof a);
	return p + first_bit(no_dots) - 1;
}

/* Up to where it ends: at least one character. */
INLINE const char *any_text(const char *p)
{
	const char *at = p;
	uint64_t ends;

	while (!(ends = ends16(at)))
		at += 16;
	at += first_bit(ends);
	return at > p ? at : NULL;
}

/* At once if it has the usual length, above 0 and below 32: where the next value begins need not be waited for then. */
INLINE const char *fast_text(const char *p, unsigned usual)
{
	uint64_t end = UINT64_C(1) << usual,
		 ends = ends16(p) | (usual < 16 ? 0 : ends16(p + 16) << 16);

	return (ends & (2 * end - 1)) == end ? p + usual : any_text(p);
}

static __attribute__((noinline)) const char *any_addr(const char *p, struct addr *ret,
						      uint8_t *family)
{
	const char *end = any_text(p);

	return end && addr_read(p, (size_t)(end - p), ret, family) ? end : NULL;
}

INLINE const char *fast_addr(const char *p, struct addr *ret, uint8_t *family)
{
	const char *end = fast_ipv4(p, ret);

	if (!end)
		return any_addr(p, ret, family);
	*family = 4;
	return end;
}

/* Two addresses of a line are of one family. */
INLINE const char *fast_end(struct flowrec *rec, const char *p, struct addr *addr)
{
	uint8_t before = rec->family;

	p = fast_addr(p, addr, &rec->family);
	return before && rec->family != before ? NULL : p;
}

/* Two comparisons of a word's size, which may lie on one another. */
INLINE bool begins(const char *p, const char *word, size_t n)
{
	size_t half = n < 4 ? 2 : 4;

	return memcmp(p, word, half) == 0 && memcmp(p + n - half, word + n - half, half) == 0;
}

#define IS_WORD(p, word) begins(p, word, sizeof word - 1)

INLINE const char *fast_status(const char *p, struct flowrec *rec)
{
	if (IS_WORD(p, "OK"))
		return p + 2;
	if (IS_WORD(p, "NODATA")) {
		rec->status = FLOWREC_NODATA;
		return p + 6;
	}
	if (IS_WORD(p, "SKIPDATA")) {
		rec->status = FLOWREC_SKIPDATA;
		return p + 8;
	}
	return NULL;
}

INLINE const char *fast_action(const char *p, struct flowrec *rec)
{
	bool accepts = IS_WORD(p, "ACCEPT");

	if (!accepts && !IS_WORD(p, "REJECT"))
		return NULL;
	rec->action = accepts ? FLOWREC_ACCEPT : FLOWREC_REJECT;
	return p + 6;
}

INLINE const char *fast_direction(const char *p, struct flowrec *rec)
{
	bool enters = IS_WORD(p, "ingress"), leaves = IS_WORD(p, "egress");

	if (!(enters | leaves)) /* one question that is foreseen */
		return NULL;
	rec->direction = enters ? FLOWREC_INGRESS : FLOWREC_EGRESS;
	return p + 6 + enters;
}

INLINE const char *fast_interface(const char *p, struct flowrec_span *ret)
{
	const char *end = fast_text(p, sizeof "eni-0123456789abcdef0" - 1);

	if (!end || (end - p == 1 && *p == '-'))
		return NULL;
	*ret = (struct flowrec_span){p, (size_t)(end - p)};
	return end;
}

INLINE const char *fast_value(struct flowlogs_record *ret, enum op op, const char *p)
{
	struct flowrec *rec = &ret->rec;
	uint64_t n;

	switch (op) {
	case OP_PASS: return fast_text(p, 12); /* account-id */
	case OP_SRC: return fast_end(rec, p, &rec->src);
	case OP_DST: return fast_end(rec, p, &rec->dst);
	case OP_PKT_SRC: return fast_addr(p, &ret->pkt_src, &ret->pkt_src_family);
	case OP_PKT_DST: return fast_addr(p, &ret->pkt_dst, &ret->pkt_dst_family);
	case OP_SRCPORT: return fast_port(p, &rec->srcport);
	case OP_DSTPORT: return fast_port(p, &rec->dstport);
	case OP_PROTOCOL: return fast_byte(p, &rec->protocol);
	case OP_PACKETS: return fast_number(p, &rec->packets);
	case OP_BYTES: return fast_number(p, &rec->bytes);
	case OP_START: return fast_seconds(p, &rec->start);
	case OP_END: return fast_seconds(p, &rec->end);
	case OP_ACTION: return fast_action(p, rec);
	case OP_STATUS: return fast_status(p, rec);
	case OP_DIRECTION: return fast_direction(p, rec);
	case OP_FLAGS: return fast_byte(p, &rec->tcp_flags);
	case OP_TYPE: return IS_WORD(p, "IPv4") || IS_WORD(p, "IPv6") ? p + 4 : NULL;
	case OP_INTERFACE: return fast_interface(p, &ret->interface);
	case OP_NUMBER:
		if (p[0] >= '0' && p[0] <= '9' && p[1] == ' ')
			return p + 1;
		p = any_number(p, &n);
		return p && n <= INT32_MAX ? p : NULL;
	case OP_SLOW: break;
	}
	return NULL;
}

/* A value, or `-`, and what must stand behind it. NULL: the strict reader decides. */
INLINE const char *fast_column(struct flowlogs_record *ret, enum op op, const char *p, char stop)
{
	const char *end = fast_value(ret, op, p);

	if (!end) {
		if (*p != '-' || op == OP_SLOW)
			return NULL;
		ret->has &= ~(uint32_t)op_has[op];
		end = p + 1;
	}
	if (stop == '\n' && *end == '\r')
		end++;
	return *end == stop ? end + 1 : NULL;
}

/* The fourteen fields of the default format: one path without a question for each column. */
static const uint8_t default_ops[] = {OP_NUMBER,  OP_PASS,    OP_INTERFACE, OP_SRC,     OP_DST,
				      OP_SRCPORT, OP_DSTPORT, OP_PROTOCOL,  OP_PACKETS, OP_BYTES,
				      OP_START,   OP_END,     OP_ACTION,    OP_STATUS};

static const char *fast_default(struct flowlogs_record *ret, const char *p)
{
	return (p = fast_column(ret, OP_NUMBER, p, ' ')) &&
			       (p = fast_column(ret, OP_PASS, p, ' ')) &&
			       (p = fast_column(ret, OP_INTERFACE, p, ' ')) &&
			       (p = fast_column(ret, OP_SRC, p, ' ')) &&
			       (p = fast_column(ret, OP_DST, p, ' ')) &&
			       (p = fast_column(ret, OP_SRCPORT, p, ' ')) &&
			       (p = fast_column(ret, OP_DSTPORT, p, ' ')) &&
			       (p = fast_column(ret, OP_PROTOCOL, p, ' ')) &&
			       (p = fast_column(ret, OP_PACKETS, p, ' ')) &&
			       (p = fast_column(ret, OP_BYTES, p, ' ')) &&
			       (p = fast_column(ret, OP_START, p, ' ')) &&
			       (p = fast_column(ret, OP_END, p, ' ')) &&
			       (p = fast_column(ret, OP_ACTION, p, ' ')) &&
			       (p = fast_column(ret, OP_STATUS, p, '\n'))
		       ? p
		       : NULL;
}

static const char *fast_columns(struct flowlogs_record *ret, const struct flowlogs_plan *plan,
				const char *p)
{
	size_t last = plan->columns.n - 1u;

	for (size_t i = 0; p && i < last; i++)
		p = fast_column(ret, (enum op)plan->op[i], p, ' ');
	return p ? fast_column(ret, (enum op)plan->op[last], p, '\n') : NULL;
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

const char *flowlogs_parse_usual(struct flowlogs_record *ret, const struct flowlogs_plan *plan,
				 const char *line)
{
	const char *end;

	if (plan->columns.n == 0 || plan->is_transit)
		return NULL;
	make_empty(ret);
	ret->has = plan->has;
	end = plan->is_default ? fast_default(ret, line) : fast_columns(ret, plan, line);
	return end && end - line <= USUAL_MAX ? end : NULL;
}

void flowlogs_plan(struct flowlogs_plan *ret, const struct flowrec_columns *columns)
{
	*ret = (struct flowlogs_plan){.columns = *columns};
	for (size_t i = 0; i < columns->n; i++) {
		ret->op[i] = (uint8_t)op_of(columns->field[i]);
		ret->has |= op_has[ret->op[i]];
	}
	ret->is_default = columns->n == sizeof default_ops &&
			  memcmp(ret->op, default_ops, sizeof default_ops) == 0;
}

/* ---- the strict reader ---- */

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
	for (uint8_t field = 0; field < FLOWREC_FIELDS; field++) {
		if (strict.text[field].p)
			ret->has |= op_has[op_of(field)];
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
	char copy[USUAL_MAX + FLOWLOGS_PAD];

	if (plan->is_transit)
		return 1;
	if (len < USUAL_MAX) {
		memcpy(copy, line, len);
		memset(copy + len, 0, FLOWLOGS_PAD);
		copy[len] = '\n';
		if (flowlogs_parse_usual(ret, plan, copy) == copy + len + 1) {
			if (ret->interface.p)
				ret->interface.p = line + (ret->interface.p - copy);
			return 0;
		}
	}
	return is_transit(line, len) ? 1 : flowlogs_parse_slowly(ret, plan, line, len, err);
}
