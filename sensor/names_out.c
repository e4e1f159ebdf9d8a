// SPDX-License-Identifier: Apache-2.0
/*
 * names_out: see names_out.h.
 */
#include "sensor/names_out.h"

#include "platform/config.h"
#include "proto/dns_log.h"

static bool streams(const struct names_out *out)
{
	return IS_ENABLED(CONFIG_STREAM) && out->spool;
}

static void on_dns(void *ctx, const struct batch_dns *dns)
{
	const struct names_out *out = ctx;

	if (streams(out))
		spool_dns(out->spool, dns, *out->now_ns);
}

static void on_name(void *ctx, const struct batch_name *name)
{
	const struct names_out *out = ctx;

	if (streams(out))
		spool_name(out->spool, name, *out->now_ns);
}

static void on_http(void *ctx, const struct batch_http *http)
{
	const struct names_out *out = ctx;
	struct batch_http told = *http;

	if (IS_ENABLED(CONFIG_IMDS) && out->own)
		told.is_own = own_is(out->own, http->family, &http->client, http->client_port,
				     &http->server, http->server_port);
	if (streams(out))
		spool_http(out->spool, &told, *out->now_ns);
}

static void on_asked(void *ctx, const struct batch_dns *dns)
{
	const struct names_out *out = ctx;

	if (out->log)
		dns_log_print(out->log, dns, &out->texts[dns->iface]);
}

static void on_flow(void *ctx, const struct decoded *decoded, uint16_t iface, const char *name,
		    uint64_t now_ns)
{
	const struct names_out *out = ctx;

	if (out->flow)
		out->flow(out->flow_ctx, decoded, iface, name, now_ns);
}

struct names_sink names_out_sink(struct names_out *out)
{
	return (struct names_sink){.dns = on_dns,
				   .name = on_name,
				   .http = on_http,
				   .asked = on_asked,
				   .flow = on_flow,
				   .ctx = out};
}

static void counts_of(const struct names_out *out, const struct names *names,
		      uint64_t ret[static BATCH_NAMES_COUNTS])
{
	names_counts(names, ret);
	for (uint16_t i = 0; i < out->account->n; i++)
		ret[BATCH_NAMES_ARP] += out->account->of[i].result[DECODE_NOT_IP_ARP];
}

void names_out_tick(const struct names_out *out, struct names *names, uint64_t now_s, bool all)
{
	uint64_t counts[BATCH_NAMES_COUNTS];

	names_tick(names, now_s, all);
	counts_of(out, names, counts);
	if (streams(out))
		spool_names_counts(out->spool, counts);
}

void names_out_print(const struct names_out *out, const struct names *names, FILE *to)
{
	uint64_t counts[BATCH_NAMES_COUNTS];
	bool any = false;

	counts_of(out, names, counts);
	for (unsigned i = 0; i < BATCH_NAMES_COUNTS; i++) {
		if (!counts[i])
			continue;
		fprintf(to, "%s %s=%llu", any ? "" : "names:", batch_names_count_text(i),
			(unsigned long long)counts[i]);
		any = true;
	}
	if (any)
		fputc('\n', to);
}
