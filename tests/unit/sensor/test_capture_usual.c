// SPDX-License-Identifier: Apache-2.0
/*
 * The short way through capture files against libpcap's: pcap files of every kind, with records of every length up to beyond the
 * limits, cut anywhere, give the same frames and the same last sentence. A filter that lets all pass makes libpcap read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "sensor/capture.h"

enum { FILES = 3000, FRAMES = 64 };

struct seen {
	size_t n;
	uint64_t sum; /* over all that was handed over */
	int code;
	char words[sizeof((struct err *)0)->text];
};

static uint32_t rnd(void)
{
	static uint32_t state = 1;

	return (state = state * 1103515245 + 12345) >> 8;
}

/* FNV-1a */
static void add(struct seen *s, const void *bytes, size_t len)
{
	for (const uint8_t *p = bytes; len--; p++)
		s->sum = (s->sum ^ *p) * 0x100000001b3;
}

static void on_packet(void *ctx, const struct packet *p)
{
	const uint64_t words[] = {p->captured, p->wire, p->segments, p->snapped,
				  p->sec,      p->nsec, p->iface};
	struct seen *s = ctx;

	s->n++;
	add(s, words, sizeof words);
	add(s, p->data, p->captured);
}

static struct seen look(const char *path, const char *filter, int max)
{
	struct seen s = {0};
	struct capture *capture;
	struct err err = {""};

	s.code = capture_open_file(&capture, path, filter, &err);
	if (!s.code) {
		do
			s.code = capture_dispatch(capture, max, on_packet, &s, &err);
		while (s.code >= 0);
		capture_close(capture);
	}
	memcpy(s.words, err.text, sizeof s.words);
	return s;
}

static void put(FILE *out, uint32_t v, bool swapped)
{
	v = swapped ? __builtin_bswap32(v) : v;
	assert_int_equal(fwrite(&v, sizeof v, 1, out), 1);
}

static uint32_t one_of(const uint32_t *list, size_t n)
{
	return list[rnd() % n];
}
#define ONE_OF(...)                                                                                \
	one_of((const uint32_t[]){__VA_ARGS__},                                                    \
	       sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void record(FILE *out, bool swapped, uint32_t captured)
{
	static uint8_t bytes[512 * 1024];

	put(out, ONE_OF(0, 1, 1700000000, 0x7fffffff, 0x80000000, 0xffffffff), swapped);
	put(out, ONE_OF(0, 1, 999999, 1000000, 999999999, 1000000000, 0x80000000, 0xffffffff),
	    swapped);
	put(out, captured, swapped);
	put(out, ONE_OF(captured, captured, 0, 1, captured - 1, captured + 1, 0xffffffff), swapped);
	if (captured > sizeof bytes)
		captured = 100;
	for (uint32_t i = 0; i < captured; i += 1 + captured / 256)
		bytes[i] = (uint8_t)rnd();
	assert_int_equal(fwrite(bytes, 1, captured, out), captured);
}

/* Mostly as they should be. */
static void write_file(FILE *out)
{
	bool swapped = rnd() % 8 == 0, is_large = rnd() % 8 == 0;
	unsigned n = rnd() % FRAMES;

	put(out, ONE_OF(0xa1b2c3d4, 0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34), swapped);
	put(out, rnd() % 8 ? 2 | 4 << 16 : ONE_OF(2 | 3 << 16, 2 | 5 << 16, 1 | 4 << 16, 0),
	    swapped);
	put(out, 0, swapped);
	put(out, 0, swapped);
	put(out, ONE_OF(262144, 262144, 65535, 65535, 96, 0, 0xffffffff), swapped);
	put(out, 1, swapped);
	for (unsigned i = 0; i < n; i++)
		record(out, swapped,
		       !is_large || rnd() % 8
			       ? rnd() % 200
			       : ONE_OF(65535, 65536, 131055, 131056, 131057, 131073, 262144,
					262145, 500000, 0x7fffffff, 0xffffffff));
}

static void both_ways_are_the_same(void **state)
{
	int file = memfd_create("capture", 0);
	size_t frames = 0, errors = 0;
	char path[64];

	(void)state;
	snprintf(path, sizeof path, "/proc/self/fd/%d", file);
	for (unsigned i = 0; i < FILES; i++) {
		int max = 1 + (int)(rnd() % 70);
		struct seen usual, libpcap;
		FILE *out = fopen(path, "w");
		long len;

		assert_non_null(out);
		write_file(out);
		len = ftell(out);
		assert_int_equal(fclose(out), 0);
		if (rnd() % 2)
			assert_int_equal(ftruncate(file, (long)(rnd() % (unsigned)(len + 1))), 0);
		usual = look(path, NULL, max);
		libpcap = look(path, "greater 0", max);
		assert_int_equal(usual.n, libpcap.n);
		assert_true(usual.sum == libpcap.sum);
		assert_int_equal(usual.code, libpcap.code);
		assert_string_equal(usual.words, libpcap.words);
		frames += usual.n;
		errors += usual.code != CAPTURE_END;
	}
	/* The files are of both kinds. */
	assert_true(frames > FILES * 10);
	assert_in_range(errors, FILES / 10, FILES);
	close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(both_ways_are_the_same)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
