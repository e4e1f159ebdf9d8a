// SPDX-License-Identifier: Apache-2.0
/*
 * replay FILE...   Gives each file to a fuzz target once, in place of libFuzzer: so that seeds, and what fuzzing
 * found, stay tests under every compiler.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int replay(const char *path)
{
	FILE *file = fopen(path, "rbe");
	uint8_t *bytes;
	long len;

	if (!file || fseek(file, 0, SEEK_END) != 0 || (len = ftell(file)) < 0) {
		perror(path);
		return 1;
	}
	rewind(file);
	/* Of exactly this length: a read past the end is seen. */
	bytes = malloc(len ? (size_t)len : 1);
	if (!bytes || fread(bytes, 1, (size_t)len, file) != (size_t)len) {
		perror(path);
		return 1;
	}
	fclose(file);
	printf("%s\n", path);
	fflush(stdout);
	(void)LLVMFuzzerTestOneInput(bytes, (size_t)len);
	free(bytes);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	return failed;
}
