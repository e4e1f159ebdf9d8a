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
static size_t put_text(char *out, const char *text)
{
	size_t len = 0;

	for (; len < FLOWREC_TEXT_MAX && text[len]; len++)
		out[len] = text[len];
	return len;
}

/* Eight digits of a number below 10^8, the first in the lowest byte: halves of four, quarters of two, and digits, each step at once in
 * all lanes of a word, with products for quotients. */
static uint64_t digits(uint32_t v)
{
	uint64_t x = v / 10000 | (uint64_t)(v % 10000) << 32, q;

	q = (x * 10486 >> 20) & 0x0000007f0000007f;
	x = (x - q * 100) << 16 | q;
	q = (x * 103 >> 10) & 0x000f000f000f000f;
	return (x - q * 10) << 8 | q;
}

/* Without a branch but for what has nine digits and more: lengths are what no predictor knows. Writes 8 bytes more than it returns, at most. */
static size_t put_number(char *out, uint64_t v)
{
	const uint64_t zeros = 0x3030303030303030;
	size_t len = 0;
	uint64_t x;
	unsigned skip;

	if (v >= 100000000) {
		len = put_number(out, v / 100000000);
		put_le64(out + len, digits((uint32_t)(v % 100000000)) | zeros);
		return len + 8;
	}
	x = digits((uint32_t)v);
	skip = (unsigned)__builtin_ctzll(x | UINT64_C(1) << 56) / 8;
	put_le64(out, (x | zeros) >> 8 * skip);
	return 8 - skip;
}

static size_t put_optional(char *out, const char *text)
{
	return put_text(out, text && *text ? text : "-");
}

/* A number of the record, of 1, 2 or 8 bytes. */
static uint64_t number_at(const void *at, uint8_t size)
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
static size_t put_member(char *out, const struct flowrec_field_info *info,
			 const struct flowrec *rec)
{
	const void *at = (const char *)rec + info->at;
	uint64_t number;

	if (info->form == FLOWREC_AS_IP)
		return addr_print(out, rec->family, at);
	number = number_at(at, info->size);
	if (!info->words)
		return put_number(out, number);
	return put_optional(out, number < info->n_words ? info->words[number] : NULL);
}

/* Writes one value without NUL, at most FLOWREC_TEXT_MAX bytes. */
static size_t put_field(char *out, const struct flowrec_field_info *info, uint8_t version,
			const struct flowrec *rec, const struct flowrec_identity *id)
{
	bool is_flow = rec->status == FLOWREC_OK;
	uint64_t number;

	switch ((enum flowrec_origin)info->origin) {
	case FLOWREC_OF_FORMAT: return put_number(out, version);
	case FLOWREC_OF_WINDOW: return put_member(out, info, rec);
	case FLOWREC_OF_FLOW:
		if (is_flow)
			return put_member(out, info, rec);
		break;
	case FLOWREC_OF_INTERFACE:
	case FLOWREC_OF_STREAM:
		return put_optional(
			out, *(const char *const *)(const void *)((const char *)id + info->at));
	case FLOWREC_OF_RULE:
		number = number_at((const char *)rec + info->at, info->size);
		if (is_flow && number && number <= id->n_rules)
			return put_optional(out, id->rules[number - 1]);
		break;
	case FLOWREC_OF_UNKNOWN: break;
	}
	*out = '-';
	return 1;
}

size_t flowrec_print_header(char *out, const struct flowrec_format *format)
{
	char *p = out;

	for (size_t i = 0; i < format->n; i++) {
		p += put_text(p, flowrec_fields[format->field[i]].name);
		*p++ = i + 1 < format->n ? ' ' : '\n';
	}
	return (size_t)(p - out);
}

size_t flowrec_print(char *out, const struct flowrec_format *format, const struct flowrec *rec,
		     const struct flowrec_identity *identity)
{
	char *p = out;

	for (size_t i = 0; i < format->n; i++) {
		p += put_field(p, &flowrec_fields[format->field[i]], format->version, rec,
			       identity);
		*p++ = i + 1 < format->n ? ' ' : '\n';
	}
	return (size_t)(p - out);
}

const char *flowrec_value(char out[static FLOWREC_VALUE_MAX], enum flowrec_field field,
			  const struct flowrec_format *format, const struct flowrec *rec,
			  const struct flowrec_identity *identity)
{
	out[put_field(out, &flowrec_fields[field], format->version, rec, identity)] = '\0';
	return out;
}
