// SPDX-License-Identifier: Apache-2.0
/*
 * names_dump FILE   All that the sensor's names stage tells of a capture, a line of JSON each: for run_names.py to hold beside
 * what an independent program reads.
 */
#include <inttypes.h>
#include <stdio.h>

#include "platform/clock.h"
#include "platform/json.h"
#include "sensor/capture.h"
#include "sensor/decode.h"
#include "sensor/names.h"

static struct names *names;
static struct names_gate gate;
static uint64_t last_s;
static int link_type;

static void text(const char *key, const char *value)
{
	printf(",\"%s\":", key);
	json_print_string(stdout, value);
}

static void address(const char *key, uint8_t family, const struct addr *addr)
{
	char out[ADDR_TEXT];

	printf(",\"%s\":\"%s\"", key, addr_text(out, family, addr));
}

static void on_dns(void *ctx, const struct batch_dns *d)
{
	(void)ctx;
	printf("{\"what\":\"dns\",\"time\":%" PRIu64
	       ",\"kind\":%u,\"tcp\":%u,\"response\":%u,\"matched\":%u,\"id\":%u,\"type\":%u,"
	       "\"class\":%u,"
	       "\"rcode\":%u,\"size\":%u,\"said\":%u,\"cut\":%u,\"short\":%u",
	       d->time_ns, d->kind, d->over_tcp, d->is_response, d->is_matched, d->id, d->qtype,
	       d->qclass, d->rcode, d->size, d->answers_said, d->is_cut, d->is_short);
	address("client", d->family, &d->client);
	address("server", d->family, &d->server);
	printf(",\"cport\":%u,\"sport\":%u", d->client_port, d->server_port);
	text("name", d->name);
	printf(",\"answers\":[");
	for (size_t i = 0; i < d->n_answers; i++) {
		const struct batch_dns_answer *a = &d->answers[i];

		printf("%s{\"type\":%u,\"ttl\":%" PRIu32 ",\"size\":%u", i ? "," : "", a->type,
		       a->ttl, a->size);
		if (a->family)
			address("address", a->family, &a->addr);
		text("text", a->text);
		printf("}");
	}
	printf("]}\n");
}

static void on_name(void *ctx, const struct batch_name *n)
{
	(void)ctx;
	printf("{\"what\":\"name\",\"source\":\"%s\",\"port\":%u,\"protocol\":%u",
	       batch_name_source_text(n->source), n->port, n->protocol);
	address("remote", n->family, &n->remote);
	text("name", n->name);
	text("alpn", n->alpn);
	printf("}\n");
}

static void on_http(void *ctx, const struct batch_http *h)
{
	(void)ctx;
	printf("{\"what\":\"http\",\"token\":%u,\"asks\":%u", h->has_token, h->asks_token);
	text("method", h->method);
	text("path", h->path);
	printf("}\n");
}

static void on_asked(void *ctx, const struct batch_dns *dns)
{
	(void)ctx;
	(void)dns;
}

static void on_packet(void *ctx, const struct packet *packet)
{
	struct decoded d;

	(void)ctx;
	if (decode_packet(link_type, packet, &d) != DECODE_IP)
		return;
	if (packet->sec > last_s)
		last_s = packet->sec;
	if (names_may_speak(&gate, packet, &d))
		names_take(names, packet, &d);
}

/* Nobody is local: names of all servers are told. */
bool identity_is_local(const struct identity *identity, uint8_t family, const struct addr *addr)
{
	(void)identity;
	(void)family;
	(void)addr;
	return false;
}

int main(int argc, char **argv)
{
	static const uint64_t key[2];
	static const struct identity nobody;
	const struct names_config config = {
		.identity = &nobody,
		.key = key,
		.sink = {.dns = on_dns, .name = on_name, .http = on_http, .asked = on_asked},
	};
	uint64_t counts[BATCH_NAMES_COUNTS];
	struct capture *capture;
	struct err err;
	int n;

	if (argc != 2 || capture_open_file(&capture, argv[1], NULL, &err) != 0 ||
	    names_new(&names, &gate, &config) != 0) {
		fprintf(stderr, "names_dump: %s\n",
			argc == 2 ? err.text : "usage: names_dump FILE");
		return 2;
	}
	link_type = capture_link(capture);
	do
		n = capture_dispatch(capture, 4096, on_packet, NULL, &err);
	while (n >= 0);
	names_tick(names, last_s, true);
	names_counts(names, counts);
	printf("{\"what\":\"counts\",\"read\":%u", n == CAPTURE_END);
	for (unsigned i = 0; i < BATCH_NAMES_COUNTS; i++)
		printf(",\"%s\":%" PRIu64, batch_names_count_text(i), counts[i]);
	printf("}\n");
	capture_close(capture);
	names_free(names);
	return 0;
}
