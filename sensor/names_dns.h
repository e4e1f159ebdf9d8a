// SPDX-License-Identifier: Apache-2.0
/*
 * names, DNS: reads one message (RFC 1035, section 4; RFC 6891 for the rcode). Pure.
 *
 *   | id 2 | QR 1 opcode 4 AA TC RD RA Z 3 rcode 4 | questions 2 | answers 2 | authority 2 | additional 2 |
 *   | question: name, type 2, class 2 | records: name, type 2, class 2, ttl 4, length 2, data |
 *
 * Every byte may lie. A compression pointer must point before the name that it stands in and each one before the last, so
 * that following them ends; a name has 255 bytes at most.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"
#include "proto/names.h"
#include "sensor/names_text.h"

enum {
	DNS_NAME_WIRE = 255,  /* bytes of a name at most, RFC 1035, 2.3.4 */
	DNS_RECORDS_MAX = 64, /* answers that are looked at */
	DNS_ADDRESSES_MAX = 32,
};

/* A name as the wire has it, without compression, in lower case: to compare and to hash. */
struct dns_name {
	uint8_t len;
	uint8_t bytes[DNS_NAME_WIRE];
};

struct dns_address {
	struct addr addr;
	uint8_t family;
};

struct dns_record {
	size_t name_at, data_at; /* bytes from the message's begin */
	uint32_t ttl;
	uint16_t type, class, size;
};

struct dns_message {
	uint16_t id, qtype, qclass, rcode, answers_said;
	bool is_response, is_short;
	bool is_whole; /* read to its end: not cut, nothing in it broken */
	struct dns_name question;
	struct names_text
		name; /* of the first question; if there is none, of the first answer; else "." */
	size_t n_answers;
	struct batch_dns_answer answers[BATCH_DNS_ANSWERS_MAX];
	struct names_text texts[BATCH_DNS_ANSWERS_MAX]; /* theirs */
	size_t n_records;                               /* of the answers that are there */
	struct dns_record records[DNS_RECORDS_MAX];
	size_t n_addresses;
	struct dns_address addresses[DNS_ADDRESSES_MAX];
};

/* Can these first bytes begin a message? Its opcode must exist, and it must ask or answer something. */
bool dns_may_begin(const uint8_t *bytes, size_t captured);
/* Reads `captured` of a message's `len` bytes. False when they are none: its head or first question cannot be read. */
bool dns_read(struct dns_message *ret, const uint8_t *bytes, size_t captured, size_t len);
/* Fills in which addresses a response says that the asked name has, over its CNAMEs too; none if it is not whole. `bytes`: those that
 * were read. */
void dns_find_addresses(struct dns_message *message, const uint8_t *bytes, size_t len);
