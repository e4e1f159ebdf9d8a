// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: bytes as a capture file, through every stage to lines of text. Whatever the file is: no frame is lost
 * (the equation's residual is 0), the records add up to what it says was recorded, and a file that libpcap gives up
 * on is told with a sentence; libpcap alone reads the same frames. The last byte chooses the table's size and the window's length.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/log.h"
#include "sensor/pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Frames of the last input; UINT64_MAX: it was refused. For recut.c. */
extern uint64_t savefile_received;
uint64_t savefile_received;

static struct policy *policy;
static struct identity identity;
static char path[64];
static int file;

/* Bit 0: the window, 1: the table, 2: mirror mode and the ports of fragments. */
static void read_options(struct options *ret, unsigned choice)
{
	const char *const words[] = {
		"fuzz", "-r", path, "-t", choice & 1 ? "600" : "60", "--flow-slots",
		choice & 2 ? "1024" : "16", "--endpoint-slots", "16", "-F",
		"packets log-status bytes srcaddr dstaddr tcp-flags fp-verdict",
		/* in mirror mode only */
		"--mirror", "--mirror-vni", "1", "--fragments", "ports"};
	int n = choice & 4 ? sizeof words / sizeof words[0] : 11;
	static char
		*all[8][sizeof words / sizeof words[0] + 1]; /* for as long as the process lives */
	char **argv = all[choice];
	struct err err;

	for (int i = 0; i < n; i++)
		argv[i] = strdup(words[i]);
	if (options_read(ret, n, argv, &err) != 0)
		abort();
}

static const struct options *set_up(unsigned choice)
{
	static struct options options[8];
	struct err err;

	if (!policy) {
		file = memfd_create("fuzz", 0);
		snprintf(path, sizeof path, "/proc/self/fd/%d", file);
		log_set_level(LOG_LEVEL_ERR);
		for (unsigned i = 0; i < 8; i++)
			read_options(&options[i], i);
		if (file < 0 || policy_quarantine(&policy, &err) != 0 ||
		    identity_init(&identity, &options[0], NULL, &err) != 0)
			abort();
	}
	return &options[choice & 7];
}

/* Sums the column `packets` of the lines that have one. */
static uint64_t packets_in(const char *text)
{
	uint64_t sum = 0;

	for (const char *line = strchr(text, '\n') + 1; *line; line = strchr(line, '\n') + 1)
		if (*line != '-')
			sum += strtoull(line, NULL, 10);
	return sum;
}

static uint64_t number_after(const char *text, const char *word)
{
	const char *p = strstr(text, word);

	assert(p);
	return strtoull(p + strlen(word), NULL, 10);
}

static void run(const struct options *options, struct capture *capture)
{
	struct flowrec_identity texts[WIRE_INTERFACES_MAX] = {
		{.interface = "file"}, {.interface = "vni-1"}, {.interface = "vni-unlisted"}};
	const struct wire_link links[WIRE_INTERFACES_MAX] = {{.offload = WIRE_OFFLOAD_AS_IS}};
	char *text = NULL, *said = NULL;
	size_t text_len = 0, said_len = 0;
	FILE *out = open_memstream(&text, &text_len), *summary = open_memstream(&said, &said_len);
	struct err err = {""};
	struct pipeline *pipeline;
	uint64_t handed = 0;
	int n;

	if (!out || !summary ||
	    pipeline_new(&pipeline,
			 &(struct pipeline_config){
				 .options = options,
				 .identity = &identity,
				 .policy = policy,
				 .texts = texts,
				 .captures = &capture,
				 .links = links,
				 .n_captures = 1,
				 .n_interfaces = options->mirror ? 3 : 1,
				 .out = out,
			 },
			 &err) != 0)
		abort();
	while ((n = pipeline_input(pipeline, 0, 64, 0, &err)) >= 0)
		handed += (uint64_t)n;
	assert(n == CAPTURE_END || err.text[0]);
	pipeline_end(pipeline, 0);
	assert(pipeline_output_ok(pipeline));
	pipeline_summary(pipeline, summary);
	pipeline_free(pipeline);
	fclose(out);
	fclose(summary);
	assert(strstr(said, "(residual 0)"));
	/* Frames before the one that ended the file badly are read, but not in the count that the last call returned. */
	savefile_received = number_after(said, "packets: received ");
	assert(savefile_received >= handed);
	assert(number_after(said, " = recorded ") == packets_in(text));
	free(text);
	free(said);
}

/* FNV-1a over all that is handed over. */
static void add_packet(void *ctx, const struct packet *p)
{
	const uint64_t words[] = {p->captured, p->wire, p->snapped, p->sec, p->nsec};
	uint64_t *sum = ctx;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		*sum = (*sum ^ words[i]) * 0x100000001b3;
	for (uint32_t i = 0; i < p->captured; i++)
		*sum = (*sum ^ p->data[i]) * 0x100000001b3;
}

/* False if it cannot be opened. A filter makes libpcap read every record. */
static bool sum_frames(const char *filter, uint64_t *ret)
{
	struct capture *capture;
	struct err err;

	if (capture_open_file(&capture, path, filter, &err) != 0)
		return false;
	*ret = 0xcbf29ce484222325;
	while (capture_dispatch(capture, 64, add_packet, ret, &err) >= 0)
		;
	capture_close(capture);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct options *options = set_up(len ? bytes[len - 1] : 0);
	struct capture *capture;
	uint64_t usual, libpcap;
	struct err err = {""};

	savefile_received = UINT64_MAX;
	if (ftruncate(file, 0) != 0 || pwrite(file, bytes, len, 0) != (ssize_t)len)
		abort();
	if (capture_open_file(&capture, path, NULL, &err) != 0) {
		assert(err.text[0]);
		return 0;
	}
	run(options, capture);
	capture_close(capture);
	/* libpcap compiles filters for nearly all link types: not for OpenBSD's raw IP. */
	if (sum_frames("greater 0", &libpcap) && (!sum_frames(NULL, &usual) || usual != libpcap))
		abort();
	return 0;
}
