// SPDX-License-Identifier: Apache-2.0
/*
 * make_flowlogs LINES SIDE   writes a side of a day's traffic to standard output: `host` (a sensor's records) or `aws` (Flow Logs).
 *
 * Half as many flows as lines, two windows each; every ten-thousandth flow is missing on the host's side. The same call, the same bytes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

int main(int argc, char **argv)
{
	uint64_t lines = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	int is_aws = argc > 2 && strcmp(argv[2], "aws") == 0;
	static char buffer[1 << 20];

	if (lines == 0 || argc != 3) {
		fprintf(stderr, "usage: make_flowlogs LINES host|aws\n");
		return 2;
	}
	setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
	puts("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets "
	     "bytes "
	     "start end action log-status");
	for (uint64_t i = 0; i < lines; i++) {
		/* AWS' lines come in another order. */
		uint64_t n = is_aws ? (i * 7919 + 13) % lines : i;
		uint64_t flow = n / 2, r = mix(flow), w = mix(n + lines), t;
		uint64_t packets = 1 + w % 40, bytes = packets * (40 + w / 64 % 1400);

		if (!is_aws && flow % 10000 == 77)
			continue;
		t = 1700000000 + (flow * 86000 / lines) + n % 2 * 60;
		printf("2 123456789012 eni-0123456789abcdef0 10.0.%u.5 %u.%u.%u.%u %u %u 6 %" PRIu64
		       " %" PRIu64 " %" PRIu64 " %" PRIu64 " ACCEPT OK\n",
		       0u, (unsigned)(r & 63) + 50, (unsigned)(r >> 8 & 255),
		       (unsigned)(r >> 16 & 255), (unsigned)(r >> 24 & 255),
		       (unsigned)(1024 + (r >> 32) % 60000), r >> 60 & 1 ? 443u : 80u, packets,
		       bytes, is_aws ? t - t % 60 : t, is_aws ? t - t % 60 + 60 : t + w % 20);
	}
	return fflush(stdout) == 0 ? 0 : 3;
}
