// SPDX-License-Identifier: Apache-2.0
/*
 * Records as Flow Logs text: fields separated by one space, `-` for what does not apply, one record
 * a line.
 *
 * This is the sensor's hot path when it writes text: numbers and addresses are put down by hand, no
 * printf.
 */
#include "proto/flowrec.h"

#include <string.h>

#include "platform/bytes.h"

/* The texts are short: a call of strnlen() and one of memcpy() cost more than the bytes. */
static inline char *put_text(char *p, const char *text)
{
	if (!text || !*text)
		text = "-";
	for (size_t len = 0; len < FLOWREC_TEXT_MAX && text[len]; len++)
		*p++ = text[len];
	return p;
}

/* Eight digits of a number below 10^8, the first in the lowest byte: halves of four, quarters of two, and digits, each step at once in
 * all lanes of a word, with products for quotients. */
static inline uint64_t digits(uint32_t v)
{
	uint64_t x = v / 10000 | (uint64_t)(v % 10000) << 32, q;

	q = (x * 10486 >> 20) & 0x0000007f0000007f;
	x = (x - q * 100) << 16 | q;
	q = (x * 103 >> 10) & 0x000f000f000f000f;
	return (x - q * 10) << 8 | q;
}

enum { EIGHT_DIGITS = 100000000 };
static const uint64_t zeros = 0x3030303030303030;

/* Below 10^8. One digit is common; else without a branch, since lengths are what no predictor knows. Writes 8 bytes, of which some may lie
 * behind what it returns. */
static inline char *put_short(char *p, uint32_t v)
{
	uint64_t x;
	unsigned skip;

	if (v < 10) {
		*p++ = (char)('0' + v);
		return p;
	}
	x = digits(v);
	skip = (unsigned)__builtin_ctzll(x) / 8;
	put_le64(p, (x | zeros) >> 8 * skip);
	return p + 8 - skip;
}

static char *put_long(char *p, uint64_t v)
{
	uint64_t high = v / EIGHT_DIGITS;

	p = high < EIGHT_DIGITS ? put_short(p, (uint32_t)high) : put_long(p, high);
	put_le64(p, digits((uint32_t)(v % EIGHT_DIGITS)) | zeros);
	return p + 8;
}

static inline char *put_number(char *p, uint64_t v)
{
	return v < EIGHT_DIGITS ? put_short(p, (uint32_t)v) : put_long(p, v);
}

/* A number of the record, of 1, 2 or 8 bytes. */
static inline uint64_t number_at(const char *at, uint8_t size)
{
	uint64_t eight;
	uint16_t two;

	if (size == 1)
		return *(const uint8_t *)at;
	if (size == 2) {
		memcpy(&two, at, 2);
		return two;
	}
	memcpy(&eight, at, 8);
	return eight;
}

/* A value that the record itself holds. */
static inline char *put_member(char *p, const struct flowrec_field_info *info,
			       const struct flowrec *rec)
{
	const char *at = (const char *)rec + info->at;
	uint64_t number;

	if (info->form == FLOWREC_AS_IP)
		return p + addr_print(p, rec->family, (const struct addr *)(const void *)at);
	number = number_at(at, info->size);
	if (!info->words)
		return put_number(p, number);
	return put_text(p, number < info->n_words ? info->words[number] : NULL);
}

/* Writes one value without NUL, at most FLOWREC_TEXT_MAX bytes, and up to 8 behind it. */
static inline char *put_field(char *p, const struct flowrec_field_info *info, uint8_t version,
			      const struct flowrec *rec, const struct flowrec_identity *id)
{
	bool is_flow = rec->status == FLOWREC_OK;
	uint64_t number;

	switch ((enum flowrec_origin)info->origin) {
	case FLOWREC_OF_FORMAT: return put_short(p, version);
	case FLOWREC_OF_FLOW:
	case FLOWREC_OF_WINDOW:
		if (is_flow || info->origin == FLOWREC_OF_WINDOW)
			return put_member(p, info, rec);
		break;
	case FLOWREC_OF_INTERFACE:
	case FLOWREC_OF_STREAM:
		return put_text(p,
				*(const char *const *)(const void *)((const char *)id + info->at));
	case FLOWREC_OF_RULE:
		number = number_at((const char *)rec + info->at, info->size);
		if (is_flow && number && number <= id->n_rules)
			return put_text(p, id->rules[number - 1]);
		break;
	case FLOWREC_OF_UNKNOWN: break;
	}
	*p++ = '-';
	return p;
}

size_t flowrec_print_header(char *out, const struct flowrec_format *format)
{
	char *p = out;

	for (size_t i = 0; i < format->n; i++) {
		p = put_text(p, flowrec_fields[format->field[i]].name);
		*p++ = i + 1 < format->n ? ' ' : '\n';
	}
	return (size_t)(p - out);
}

size_t flowrec_print(char *out, const struct flowrec_format *format, const struct flowrec *rec,
		     const struct flowrec_identity *identity)
{
	const uint8_t *end = format->field + format->n;
	char *p = out;

	for (const uint8_t *field = format->field; field < end; field++) {
		p = put_field(p, &flowrec_fields[*field], format->version, rec, identity);
		*p++ = ' ';
	}
	p[-1] = '\n';
	return (size_t)(p - out);
}

const char *flowrec_value(char out[static FLOWREC_VALUE_MAX], enum flowrec_field field,
			  const struct flowrec_format *format, const struct flowrec *rec,
			  const struct flowrec_identity *identity)
{
	const struct flowrec_format alone = {
		.n = 1, .version = format->version, .field = {(uint8_t)field}};

	out[flowrec_print(out, &alone, rec, identity) - 1] = '\0';
	return out;
}
