// SPDX-License-Identifier: Apache-2.0
/*
 * Internet addresses, prefixes and endpoints, and their text. Printing is by hand: it is on the
 * path of every record that is written as text. IPv6 follows RFC 5952 section 4, except that its
 * section 5 (dotted quad for IPv4-mapped addresses) is left out: ::ffff:c000:201 is one address in
 * one notation, and the family is always known beside it.
 */
#include "platform/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "platform/bytes.h"

static char *put_decimal(char *p, unsigned int v)
{
	if (v >= 100) {
		*p++ = (char)('0' + v / 100);
		v %= 100;
		*p++ = (char)('0' + v / 10);
	} else if (v >= 10) {
		*p++ = (char)('0' + v / 10);
	}
	*p++ = (char)('0' + v % 10);
	return p;
}

/* "000.", "001.", ... "255." */
#define TEN(t) t "0." t "1." t "2." t "3." t "4." t "5." t "6." t "7." t "8." t "9."
static const char octets[] = TEN("00") TEN("01") TEN("02") TEN("03") TEN("04") TEN("05") TEN("06")
	TEN("07") TEN("08") TEN("09") TEN("10") TEN("11") TEN("12") TEN("13") TEN("14") TEN("15")
		TEN("16") TEN("17") TEN("18") TEN("19") TEN("20") TEN("21") TEN("22") TEN("23")
			TEN("24") "250.251.252.253.254.255.";
_Static_assert(sizeof octets == 4 * 256 + 1, "four bytes each");

/* With a point behind it, without a branch; writes 4 bytes, of which the last may lie behind what it returns. */
static inline char *put_octet(char *p, uint8_t v)
{
	unsigned int skip = ((v - 100U) >> 31) + ((v - 10U) >> 31);

	put_le32(p, le32(octets + (size_t)4 * v) >> 8 * skip);
	return p + 4 - skip;
}

static char *put_hex16(char *p, unsigned int v)
{
	static const char digits[] = "0123456789abcdef";

	if (v >= 0x1000)
		*p++ = digits[v >> 12];
	if (v >= 0x100)
		*p++ = digits[v >> 8 & 15];
	if (v >= 0x10)
		*p++ = digits[v >> 4 & 15];
	*p++ = digits[v & 15];
	return p;
}

static char *print_v6(char *p, const uint8_t *b)
{
	unsigned int group[8], i, run = 0, best = 0, best_len = 1;

	/* The longest run of two or more zero groups, the first of equals (RFC 5952 4.2). */
	for (i = 0; i < 8; i++) {
		group[i] = be16(b + (size_t)i * 2);
		run = group[i] ? 0 : run + 1;
		if (run > best_len) {
			best_len = run;
			best = i + 1 - run;
		}
	}
	for (i = 0; i < 8; i++) {
		if (best_len > 1 && i == best) {
			*p++ = ':';
			*p++ = ':';
			i += best_len - 1;
			continue;
		}
		if (i > 0 && p[-1] != ':')
			*p++ = ':';
		p = put_hex16(p, group[i]);
	}
	return p;
}

size_t addr_print(char *out, uint8_t family, const struct addr *addr)
{
	char *p = out;

	if (family == 6)
		return (size_t)(print_v6(p, addr->b) - out);
	p = put_octet(p, addr->b[0]);
	p = put_octet(p, addr->b[1]);
	p = put_octet(p, addr->b[2]);
	p = put_octet(p, addr->b[3]);
	return (size_t)(p - 1 - out);
}

const char *addr_text(char out[static ADDR_TEXT], uint8_t family, const struct addr *addr)
{
	out[addr_print(out, family, addr)] = '\0';
	return out;
}

bool addr_parse(const char *text, struct addr *ret, uint8_t *ret_family)
{
	struct addr addr = {.b = {0}};
	uint8_t family = strchr(text, ':') ? 6 : 4;

	if (inet_pton(family == 6 ? AF_INET6 : AF_INET, text, addr.b) != 1)
		return false;
	*ret = addr;
	*ret_family = family;
	return true;
}

/* Dotted quad as inet_pton(3) takes it: four numbers up to 255 without needless zeros. */
static bool read_v4(const char *p, const char *end, uint8_t out[static 4])
{
	for (unsigned int i = 0; i < 4; i++) {
		const char *start;
		unsigned int v = 0;

		if (i > 0 && (p == end || *p++ != '.'))
			return false;
		for (start = p; p < end && p - start < 3 && *p >= '0' && *p <= '9'; p++)
			v = v * 10 + (unsigned int)(*p - '0');
		if (p == start || v > 255 || (*start == '0' && p - start > 1))
			return false;
		out[i] = (uint8_t)v;
	}
	return p == end;
}

bool addr_read(const char *text, size_t len, struct addr *ret, uint8_t *ret_family)
{
	struct addr addr = {.b = {0}};
	char word[ADDR_TEXT];

	if (read_v4(text, text + len, addr.b)) {
		*ret = addr;
		*ret_family = 4;
		return true;
	}
	if (len >= sizeof word)
		return false;
	memcpy(word, text, len);
	word[len] = '\0';
	return strlen(word) == len && strchr(word, ':') && addr_parse(word, ret, ret_family);
}

/* A decimal number of 1 to 5 digits without a sign or needless zeros, at most `max`. */
static bool parse_number(const char *text, unsigned int max, unsigned int *ret)
{
	size_t len = strspn(text, "0123456789");
	unsigned int v = 0;

	if (len == 0 || len > 5 || text[len] != '\0' || (text[0] == '0' && len > 1))
		return false;
	for (size_t i = 0; i < len; i++)
		v = v * 10 + (unsigned int)(text[i] - '0');
	if (v > max)
		return false;
	*ret = v;
	return true;
}

/* Clears the bits behind the prefix; true if one of them was set. */
static bool clear_host_bits(struct addr *addr, unsigned int bits)
{
	bool any = false;

	for (unsigned int i = 0; i < 16; i++) {
		unsigned int keep = bits >= (i + 1) * 8 ? 8 : bits > i * 8 ? bits - i * 8 : 0;
		uint8_t mask = (uint8_t)(0xff00U >> keep);

		any = any || (addr->b[i] & (uint8_t)~mask);
		addr->b[i] &= mask;
	}
	return any;
}

int cidr_parse(const char *text, struct cidr *ret, struct err *err)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char word[ADDR_TEXT], meant[ADDR_ENDPOINT_TEXT];
	unsigned int bits, max;
	struct cidr cidr;

	if (len < sizeof word) {
		memcpy(word, text, len);
		word[len] = '\0';
	}
	if (len >= sizeof word || !addr_parse(word, &cidr.addr, &cidr.family))
		return err_set(err, ERR_USAGE,
			       "'%s' is not an address or prefix like 10.0.0.0/8 or 2001:db8::/32",
			       text);
	max = cidr.family == 6 ? 128 : 32;
	bits = max;
	if (slash && !parse_number(slash + 1, max, &bits))
		return err_set(err, ERR_USAGE,
			       "'%s': the prefix length must be a number from 0 to %u", text, max);
	cidr.bits = (uint8_t)bits;
	if (clear_host_bits(&cidr.addr, bits))
		return err_set(err, ERR_USAGE, "%s: did you mean %s?", text,
			       cidr_text(meant, &cidr));
	*ret = cidr;
	return 0;
}

/* The upper `bits` of 64; of more or less than there are, all or none. */
static uint64_t upper(int bits)
{
	return bits <= 0 ? 0 : bits >= 64 ? UINT64_MAX : ~(UINT64_MAX >> bits);
}

bool cidr_has(const struct cidr *cidr, uint8_t family, const struct addr *addr)
{
	uint64_t high, low;

	if (cidr->family != family)
		return false;
	high = be64(cidr->addr.b) ^ be64(addr->b);
	low = be64(cidr->addr.b + 8) ^ be64(addr->b + 8);
	return !((high & upper(cidr->bits)) | (low & upper(cidr->bits - 64)));
}

const char *cidr_text(char out[static ADDR_ENDPOINT_TEXT], const struct cidr *cidr)
{
	char *p = out + addr_print(out, cidr->family, &cidr->addr);

	*p++ = '/';
	p = put_decimal(p, cidr->bits);
	*p = '\0';
	return out;
}

int endpoint_parse(const char *text, struct endpoint *ret, struct err *err)
{
	bool bracket = text[0] == '[';
	const char *start = bracket ? text + 1 : text;
	const char *end = bracket ? strchr(text, ']') : strchr(text, ':');
	struct endpoint ep;
	struct addr alone;
	unsigned int port;
	uint8_t family;
	char word[ADDR_TEXT];

	if (!bracket && addr_parse(text, &alone, &family))
		return err_set(err, ERR_USAGE,
			       family == 6 ? "'%s': write address and port as [%s]:4739"
					   : "'%s' lacks a port: write %s:4739",
			       text, text);
	if (!end || end[bracket] != ':')
		return err_set(err, ERR_USAGE,
			       "'%s' is not an address and port like 192.0.2.1:4739 or "
			       "[2001:db8::1]:4739",
			       text);
	if ((size_t)(end - start) >= sizeof word)
		return err_set(err, ERR_USAGE, "'%s': the address is too long to be one", text);
	memcpy(word, start, (size_t)(end - start));
	word[end - start] = '\0';
	if (!addr_parse(word, &ep.addr, &ep.family) || (ep.family == 6) != bracket)
		return err_set(err, ERR_USAGE,
			       "'%s': '%s' is no IPv%s address; names are not resolved here, "
			       "give the address itself",
			       text, word, bracket ? "6" : "4");
	if (!parse_number(end + bracket + 1, 65535, &port))
		return err_set(err, ERR_USAGE, "'%s': the port must be a number from 0 to 65535",
			       text);
	ep.port = (uint16_t)port;
	*ret = ep;
	return 0;
}

const char *endpoint_text(char out[static ADDR_ENDPOINT_TEXT], const struct endpoint *ep)
{
	char word[ADDR_TEXT];

	(void)snprintf(out, ADDR_ENDPOINT_TEXT, ep->family == 6 ? "[%s]:%u" : "%s:%u",
		       addr_text(word, ep->family, &ep->addr), (unsigned int)ep->port);
	return out;
}

bool addr_is_multicast(uint8_t family, const struct addr *addr)
{
	if (family == 6)
		return addr->b[0] == 0xff;
	return addr->b[0] >> 4 == 14 || be32(addr->b) == 0xffffffff;
}

bool addr_is_unspecified(const struct addr *addr)
{
	return !(be64(addr->b) | be64(addr->b + 8));
}
