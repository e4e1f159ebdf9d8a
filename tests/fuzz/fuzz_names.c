// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: bytes as packets of a few flows, through the whole names stage: streams put together, queries matched, names kept. Each packet is
 * flow 1, sequence number 1, length 1, and its payload.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "platform/bytes.h"
#include "sensor/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static size_t told;

static void on_dns(void *ctx, const struct batch_dns *dns)
{
	(void)ctx;
	assert(strlen(dns->name) <= BATCH_NAME_MAX && dns->n_answers <= BATCH_DNS_ANSWERS_MAX);
	told++;
}

static void on_name(void *ctx, const struct batch_name *name)
{
	(void)ctx;
	assert(strlen(name->name) <= BATCH_NAME_MAX && strlen(name->alpn) <= BATCH_ALPN_MAX);
	told++;
}

static void on_http(void *ctx, const struct batch_http *http)
{
	(void)ctx;
	assert(strlen(http->path) <= BATCH_NAME_MAX && strlen(http->method) <= BATCH_METHOD_MAX);
	told++;
}

bool identity_is_local(const struct identity *identity, uint8_t family, const struct addr *addr)
{
	(void)identity;
	(void)family;
	return addr->b[0] == 10;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const uint16_t ports[] = {53, 443, 80, 5353};
	static const uint64_t key[2] = {1, 2};
	static struct identity identity;
	struct names_gate gate = {0};
	const struct names_config config = {
		.identity = &identity,
		.key = key,
		.sink = {.dns = on_dns, .name = on_name, .http = on_http, .asked = on_dns},
	};
	struct rd rd = rd_init(bytes, len);
	struct names *names;

	if (names_new(&names, &gate, &config) != 0)
		abort();
	for (uint64_t sec = 1000; rd_left(&rd) >= 3; sec++) {
		uint8_t flow = rd_u8(&rd), sequence = rd_u8(&rd), n = rd_u8(&rd);
		size_t size = n < rd_left(&rd) ? n : rd_left(&rd);
		bool tcp = flow & 1, back = flow & 2;
		unsigned header = tcp ? 40 : 28;
		uint8_t frame[40 + 255] = {[27] = sequence};
		struct decoded d = {.src = {{back ? 169 : 10, 254, 169, 254}},
				    .dst = {{back ? 10 : 169, 254, 169, 254}},
				    .bytes = header + n,
				    .srcport = back ? ports[flow >> 2 & 3] : 40000,
				    .dstport = back ? 40000 : ports[flow >> 2 & 3],
				    .transport = 20,
				    .header = (uint16_t)header,
				    .family = 4,
				    .protocol = tcp ? 6 : 17,
				    .has_payload = n > 0};
		struct packet packet = {
			.data = frame, .captured = (uint32_t)(header + size), .sec = sec};

		if (!tcp)
			frame[25] = (uint8_t)(8 + n);
		if (size)
			memcpy(frame + header, rd_take(&rd, size), size);
		if (names_may_speak(&gate, &packet, &d))
			names_take(names, &packet, &d);
	}
	names_tick(names, 2000, true);
	assert(gate.streams == 0);
	names_free(names);
	return 0;
}
