// SPDX-License-Identifier: Apache-2.0
/*
 * read_flowlogs FILE.gz [TIMES]   CPU seconds to take a gzip file of Flow Logs apart, bare (the library alone, blocks of 256 KiB) and with the reader, in turn:
 * the least of each, and the ratio of the two that ran one after the other: least, median, most.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "evidence/flowlogs.h"
#include "platform/gunzip.h"

enum { BLOCK = 256 * 1024, TIMES_MAX = 100 };

static double cpu(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Bytes of text; 0: it cannot be read. */
static uint64_t bare(const char *path)
{
	static uint8_t in[BLOCK], out[BLOCK];
	struct gunzip *gunzip;
	struct err err;
	uint64_t bytes = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 || !gunzip_best() || gunzip_new(&gunzip, gunzip_best()) < 0)
		return 0;
	while ((n = read(fd, in, sizeof in)) > 0) {
		const uint8_t *p = in;
		uint8_t *q;

		do {
			q = out;
			if (gunzip_step(gunzip, &p, in + n, &q, out + sizeof out, &err) < 0)
				return 0;
			bytes += (uint64_t)(q - out);
		} while (q == out + sizeof out || p < in + n);
	}
	gunzip_free(gunzip);
	(void)close(fd);
	return bytes;
}

static int count_packets(void *ctx, const struct flowlogs_record *record)
{
	*(uint64_t *)ctx += record->rec.packets;
	return 0;
}

static uint64_t reader(const char *path, uint64_t *records)
{
	static const struct flowlogs_ops ops = {.record = count_packets};
	struct flowlogs *logs;
	struct err err;
	uint64_t bytes, packets = 0;

	if (flowlogs_new(&logs, &ops, &packets) < 0 || flowlogs_read(logs, path, &err) < 0)
		return 0;
	bytes = flowlogs_counts(logs)->bytes;
	*records = flowlogs_counts(logs)->records;
	flowlogs_free(logs);
	return bytes;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static double ratios[TIMES_MAX];
	double best[2] = {1e9, 1e9}, before = 0;
	uint64_t records = 0, bytes = 0;
	long times = argc > 2 ? strtol(argv[2], NULL, 10) : 5;

	if (argc < 2 || times < 1 || times > TIMES_MAX) {
		fprintf(stderr, "usage: read_flowlogs FILE.gz [TIMES]\n");
		return 2;
	}
	for (long i = 0; i < 2 * times; i++) {
		double t = cpu();

		bytes = i % 2 ? reader(argv[1], &records) : bare(argv[1]);
		t = cpu() - t;
		if (bytes == 0) {
			fprintf(stderr, "read_flowlogs: %s cannot be read\n", argv[1]);
			return 3;
		}
		if (t < best[i % 2])
			best[i % 2] = t;
		if (i % 2)
			ratios[i / 2] = before / t;
		before = t;
	}
	qsort(ratios, (size_t)times, sizeof ratios[0], by_size);
	printf("bare %.3f s, %.2f GB/s; reader %.3f s, %.2f GB/s, %.1f M lines/s, %.0f ns a line "
	       "for parsing; %.2f %.2f %.2f of the bare rate\n",
	       best[0], (double)bytes / best[0] / 1e9, best[1], (double)bytes / best[1] / 1e9,
	       (double)records / best[1] / 1e6, (best[1] - best[0]) / (double)records * 1e9,
	       ratios[0], ratios[times / 2], ratios[times - 1]);
	return 0;
}
