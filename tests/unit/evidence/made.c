// SPDX-License-Identifier: Apache-2.0
/*
 * See made.h.
 */
#include "tests/unit/evidence/made.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct flowrec_identity eth[2] = {{.interface = "eth0"}, {.interface = "eth1"}};
const uint8_t stream[WIRE_STREAM_ID] = {0xab, 1}, other_stream[WIRE_STREAM_ID] = {0xcd, 2};
struct wire_hello live, replay;
const struct findings_from web = {
	.sensor = "web-1", .stream = stream, .hello = &live, .sequence = 7};

int prepare(void **state)
{
	(void)state;
	live.n_interfaces = replay.n_interfaces = 2;
	memcpy(live.interfaces, eth, sizeof eth);
	memcpy(replay.interfaces, eth, sizeof eth);
	replay.is_replay = true;
	return 0;
}

struct addr addr_of(const char *text)
{
	struct addr addr;
	uint8_t family;

	assert_true(addr_parse(text, &addr, &family));
	return addr;
}

struct flowrec record(uint8_t verdict, uint8_t initiator, bool out, uint16_t local_port,
		      uint16_t remote_port)
{
	struct flowrec rec = {.packets = 3,
			      .bytes = 300,
			      .start = 1000,
			      .end = 1010,
			      .family = 4,
			      .protocol = TCP,
			      .tcp_flags = 2,
			      .verdict = verdict,
			      .direction = out ? FLOWREC_EGRESS : FLOWREC_INGRESS,
			      .outcome = FLOWREC_SENT,
			      .initiator = initiator};

	rec.src = addr_of(out ? "10.0.0.5" : "203.0.113.9");
	rec.dst = addr_of(out ? "203.0.113.9" : "10.0.0.5");
	rec.srcport = out ? local_port : remote_port;
	rec.dstport = out ? remote_port : local_port;
	return rec;
}

struct flowrec call(uint8_t protocol, uint16_t port, uint8_t outcome)
{
	struct flowrec rec = record(EGRESS, SRC, true, 50000, port);

	rec.protocol = protocol;
	rec.outcome = outcome;
	return rec;
}

void add(struct findings *f, struct flowrec rec)
{
	assert_int_equal(findings_add_record(f, &web, &rec), 0);
}

struct findings *fresh(const struct watch_list *watch)
{
	const struct findings_config config = {.max = 100000, .watch = watch};
	struct findings *f;
	struct err err;

	assert_int_equal(findings_new(&f, &config, &err), 0);
	return f;
}

const struct finding *const *sorted(struct findings *f, size_t *ret_n)
{
	const struct finding *const *all;

	assert_int_equal(findings_sort(f, &all, ret_n), 0);
	return all;
}

size_t count(struct findings *f)
{
	size_t n;

	(void)sorted(f, &n);
	return n;
}

const struct finding *of_kind(struct findings *f, enum finding_kind kind)
{
	const struct finding *ret = NULL;
	size_t n;
	const struct finding *const *all = sorted(f, &n);

	for (size_t i = 0; i < n; i++) {
		if (all[i]->key.kind != kind)
			continue;
		assert_null(ret);
		ret = all[i];
	}
	return ret;
}
