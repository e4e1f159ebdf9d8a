// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: bytes as a batch that a hostile sensor signed, through the engine and all detectors, and out in every form. The same
 * batch before and after another must give the same number of findings.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/findings.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const uint8_t streams[2][WIRE_STREAM_ID] = {{1}, {2}};

static void add(struct findings *findings, const uint8_t *bytes, size_t len, uint64_t sequence)
{
	const struct findings_from from = {
		.sensor = "fuzz", .stream = streams[sequence % 2], .sequence = sequence};
	struct batch *batch;
	struct err err;

	if (batch_open(&batch, bytes, len, &err) < 0)
		return;
	assert(findings_add_batch(findings, &from, batch) == 0);
	batch_free(batch);
}

static size_t count(const uint8_t *first, size_t n_first, const uint8_t *second, size_t n_second,
		    bool ask_between)
{
	static finding_printer *const printers[] = {finding_print, finding_print_json,
						    finding_print_ocsf, finding_print_asff};
	const struct findings_config config = {.max = 4096};
	const struct finding *const *all;
	struct findings *findings;
	struct err err;
	char *text = NULL;
	size_t n, size;
	FILE *out = open_memstream(&text, &size);

	assert(out && findings_new(&findings, &config, &err) == 0);
	add(findings, first, n_first, 1);
	while (ask_between && findings_next_news(findings)) {
	}
	add(findings, second, n_second, 2);
	assert(findings_sort(findings, &all, &n) == 0);
	for (size_t i = 0; i < n; i++) {
		struct finding_origin origin;

		findings_origin(findings, all[i], &origin);
		for (size_t k = 0; k < sizeof printers / sizeof printers[0]; k++)
			printers[k](all[i], &origin, out);
	}
	findings_free(findings);
	assert(fclose(out) == 0);
	free(text);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	size_t cut = len > 2 ? ((size_t)bytes[0] << 8 | bytes[1]) % len : 0;

	if (len < 2)
		return 0;
	bytes += 2;
	len -= 2;
	if (cut > len)
		cut = len;
	assert(count(bytes, cut, bytes + cut, len - cut, false) ==
	       count(bytes + cut, len - cut, bytes, cut, false));
	(void)count(bytes, cut, bytes + cut, len - cut, true);
	return 0;
}
