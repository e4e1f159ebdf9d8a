// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: bytes as a DNS message; the first two say how many more the capture left out. Whatever comes out is text that a batch may
 * hold, and what was cut teaches nothing.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "platform/bytes.h"
#include "sensor/names_dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_text(const struct names_text *text, char first)
{
	assert(text->len <= BATCH_NAME_MAX && strlen(text->text) == text->len);
	for (const char *p = text->text; *p; p++)
		assert(*p >= first && *p <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct dns_message m;
	size_t more = len < 2 ? 0 : be16(bytes);

	if (len < 2)
		return 0;
	bytes += 2;
	len -= 2;
	(void)dns_may_begin(bytes, len);
	if (!dns_read(&m, bytes, len, len + more))
		return 0;
	dns_find_addresses(&m, bytes, len);
	check_text(&m.name, '!');
	assert(m.name.len > 0);
	assert(m.question.len <= DNS_NAME_WIRE);
	assert(m.n_answers <= BATCH_DNS_ANSWERS_MAX && m.n_answers <= m.answers_said);
	assert(m.n_addresses <= DNS_ADDRESSES_MAX);
	assert(m.n_addresses == 0 || (m.is_whole && m.is_response && more == 0));
	for (size_t i = 0; i < m.n_answers; i++) {
		check_text(&m.texts[i], ' ');
		assert(m.answers[i].text == m.texts[i].text);
	}
	return 0;
}
