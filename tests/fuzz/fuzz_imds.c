// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: bytes as what instance metadata sends: portions (a length byte, then so many bytes; 0: the connection ends). Whatever comes,
 * a value has its form, and the machine ends in time.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "platform/ec2/imds.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void on_value(void *ctx, size_t want, enum imds_item item, const char *value)
{
	(void)ctx;
	assert(want < 2 && item > IMDS_TOKEN && item != IMDS_MACS);
	assert(imds_value_ok(item, value, strlen(value)));
}

static const struct imds_ops ops = {.value = on_value};

static void check(const struct imds *m, enum imds_action action)
{
	assert(m->answer_len <= sizeof m->answer);
	if (action == IMDS_SEND)
		assert(m->request_len > 0 && m->request_len < sizeof m->request &&
		       strlen(m->request) == m->request_len);
	if (action == IMDS_END)
		assert(m->state == IMDS_OVER);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct imds_want want[2] = {{.mac = {10, 0, 0, 0, 0, 2}}, {.sole = true}};
	static struct imds m;
	uint64_t now_ms = 1;
	enum imds_action action;

	imds_init(&m, want, 2, &ops, NULL);
	action = imds_step(&m, IMDS_BEGIN, now_ms, NULL, 0, "");
	while (action != IMDS_END && len > 0) {
		size_t n = *bytes++;

		len--;
		if (action == IMDS_CONNECT) {
			action = imds_step(&m, IMDS_CONNECTED, now_ms, NULL, 0, "");
			check(&m, action);
		}
		n = n < len ? n : len;
		action = n ? imds_step(&m, IMDS_INPUT, now_ms, bytes, n, "")
			   : imds_step(&m, IMDS_CLOSED, now_ms, NULL, 0, "closed");
		check(&m, action);
		bytes += n;
		len -= n;
		if (action == IMDS_CLOSE) {
			now_ms = imds_deadline(&m);
			action = imds_step(&m, IMDS_TIMER, now_ms, NULL, 0, "");
			check(&m, action);
		}
	}
	for (int turns = 0; action != IMDS_END; turns++) {
		assert(turns < 1000);
		now_ms = imds_deadline(&m);
		action = imds_step(&m, IMDS_TIMER, now_ms, NULL, 0, "");
	}
	return 0;
}
