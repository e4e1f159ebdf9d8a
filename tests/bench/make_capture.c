// SPDX-License-Identifier: Apache-2.0
/*
 * make_capture KIND PACKETS FILE   A deterministic capture for the benchmark. KIND:
 *
 *   mixed      50,000 flows with Zipf-like popularity, four in five IPv4, sizes from 40 to 1,500,
 * both directions distinct   every third packet opens a new 5-tuple: 1 M tuples in 3 M packets
 *   elephants  8 flows, large packets
 *   minimum    64-byte frames of 4,096 flows
 *
 * Packets come 1 us apart. The payload is not written: frames are captured at 128 bytes (54 and 74
 * of them headers), as a sensor's snapshot length would have it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SNAP = 128, ETHERNET = 1, ZIPF_FLOWS = 50000 };

static uint64_t rnd_state = 88172645463325252u;

static uint32_t rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 32);
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* RFC 1071 */
static void put_checksum(uint8_t *ip)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
}

/* Flow number to 5-tuple: the client is in 10/8, the server anywhere. */
static uint32_t frame(uint8_t *f, uint32_t flow, bool answer, bool ipv6, bool tcp, uint32_t ip_len)
{
	uint32_t client = 0x0a000000 | (flow * 2654435761u) >> 12,
		 server = 0x50000000 + flow % 5003 * 77;
	unsigned cport = 1024 + flow % 60000, sport = flow % 7 ? 443 : 53;
	uint8_t *ip = f + 14, *l4;

	memset(f, 0, SNAP);
	f[5] = 1;
	f[11] = 2;
	if (ipv6) {
		put16(f + 12, 0x86dd);
		ip[0] = 0x60;
		put16(ip + 4, ip_len - 40);
		ip[6] = tcp ? 6 : 17;
		ip[7] = 64;
		ip[8] = ip[24] = 0x20;
		put32(ip + (answer ? 36 : 20), client);
		put32(ip + (answer ? 20 : 36), server);
		l4 = ip + 40;
	} else {
		put16(f + 12, 0x0800);
		ip[0] = 0x45;
		put16(ip + 2, ip_len);
		ip[8] = 64;
		ip[9] = tcp ? 6 : 17;
		put32(ip + (answer ? 16 : 12), client);
		put32(ip + (answer ? 12 : 16), server);
		put_checksum(ip);
		l4 = ip + 20;
	}
	put16(l4 + (answer ? 2 : 0), cport);
	put16(l4 + (answer ? 0 : 2), sport);
	if (tcp) {
		l4[12] = 0x50;
		l4[13] = 0x10;
	}
	return 14 + ip_len;
}

/* Popularity falls with the rank: the square of a uniform number is dense near 0. */
static uint32_t zipf(void)
{
	double u = rnd() / 4294967296.0;

	return (uint32_t)(u * u * u * ZIPF_FLOWS);
}

int main(int argc, char **argv)
{
	static const unsigned sizes[] = {40, 52, 52, 60, 120, 300, 576, 1400, 1500, 1500};
	uint8_t head[24] = {0xd4, 0xc3, 0xb2, 0xa1, 2,    0, 4, 0, 0,        0, 0, 0,
			    0,    0,    0,    0,    SNAP, 0, 0, 0, ETHERNET, 0, 0, 0};
	uint8_t f[SNAP];
	unsigned long n;
	FILE *out;

	if (argc != 4)
		return 2;
	n = strtoul(argv[2], NULL, 10);
	out = fopen(argv[3], "wb");
	if (!out || fwrite(head, sizeof head, 1, out) != 1)
		return 3;
	for (unsigned long i = 0; i < n; i++) {
		uint32_t flow, wire, packet[4];
		bool answer = rnd() & 1;

		if (strcmp(argv[1], "mixed") == 0) {
			flow = zipf();
			wire = frame(f, flow, answer, flow % 5 == 0, flow % 7 != 0,
				     sizes[rnd() % 10] + (flow % 5 == 0 ? 20 : 0));
		} else if (strcmp(argv[1], "distinct") == 0) {
			flow = (uint32_t)(i / 3);
			wire = frame(f, flow, i % 3 == 1, false, true, sizes[rnd() % 10]);
		} else if (strcmp(argv[1], "elephants") == 0) {
			wire = frame(f, rnd() % 8, answer, false, true, 1500);
		} else {
			wire = frame(f, rnd() % 4096, answer, false, rnd() & 1, 46);
		}
		packet[0] = 1700000000 + (uint32_t)(i / 1000000);
		packet[1] = (uint32_t)(i % 1000000);
		packet[2] = wire < SNAP ? wire : SNAP;
		packet[3] = wire;
		if (fwrite(packet, sizeof packet, 1, out) != 1 || fwrite(f, packet[2], 1, out) != 1)
			return 3;
	}
	return fclose(out) == 0 ? 0 : 3;
}
