// SPDX-License-Identifier: Apache-2.0
/*
 * recut FILE...   Every capture cut at every byte length up to CUT_MAX, in one process, through fuzz_savefile.c's whole path:
 * the file itself, then (of pcap files) every frame, as a snapshot length of so many bytes would have. No frame may
 * be missing from the equation. Prints "runs N" at the end.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUT_MAX = 200, FILE_HEADER = 24, FRAME_HEADER = 16, FILE_MAX = 4 << 20, FRAMES_MAX = 100 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
extern uint64_t savefile_received; /* of the last input; UINT64_MAX: it was refused */

static uint8_t in[FILE_MAX], out[FILE_MAX];
static unsigned long runs;

static void run(const uint8_t *bytes, size_t len)
{
	/* Memory of its own, so that a read past the end is seen. */
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		abort();
	memcpy(copy, bytes, len);
	(void)LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	runs++;
}

/* Only order and place of the fields matter, so the machine's own order and the other serve. */
static uint32_t number(const uint8_t *p, int swapped)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return swapped ? __builtin_bswap32(v) : v;
}

static void put_number(uint8_t *p, uint32_t v, int swapped)
{
	v = swapped ? __builtin_bswap32(v) : v;
	memcpy(p, &v, sizeof v);
}

/* Frames of `len` bytes of a pcap file, none longer than `cut`, into `out`. Returns its length. */
static size_t recut(size_t len, uint32_t cut, int swapped, uint64_t *frames)
{
	size_t at = FILE_HEADER, to = FILE_HEADER;

	memcpy(out, in, FILE_HEADER);
	put_number(out + 16, 262144, swapped);
	for (*frames = 0; at + FRAME_HEADER <= len && *frames < FRAMES_MAX; ++*frames) {
		uint32_t captured = number(in + at + 8, swapped);
		uint32_t kept = captured < cut ? captured : cut;

		if (captured > len - at - FRAME_HEADER)
			break;
		memcpy(out + to, in + at, FRAME_HEADER + kept);
		put_number(out + to + 8, kept, swapped);
		at += FRAME_HEADER + captured;
		to += FRAME_HEADER + kept;
	}
	return to;
}

static void cut_frames(size_t len)
{
	int swapped = in[0] == 0xa1;
	uint64_t frames;

	run(in, len);
	if (savefile_received == UINT64_MAX)
		return; /* not a link type, or not a file, that is read */
	for (uint32_t cut = 0; cut <= CUT_MAX; cut++) {
		run(out, recut(len, cut, swapped, &frames));
		assert(savefile_received == frames);
	}
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rbe");
		size_t len = file ? fread(in, 1, sizeof in, file) : 0;
		uint32_t magic;

		if (!file) {
			perror(argv[i]);
			return 1;
		}
		fclose(file);
		printf("%s\n", argv[i]);
		fflush(stdout);
		for (size_t cut = 0; cut <= CUT_MAX && cut <= len; cut++)
			run(in, cut);
		if (len < FILE_HEADER)
			continue;
		memcpy(&magic, in, sizeof magic);
		if (magic == 0xa1b2c3d4 || magic == 0xd4c3b2a1 || magic == 0xa1b23c4d ||
		    magic == 0x4d3cb2a1)
			cut_frames(len);
	}
	printf("runs %lu\n", runs);
	return 0;
}
