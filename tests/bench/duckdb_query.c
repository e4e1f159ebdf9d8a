// SPDX-License-Identifier: Apache-2.0
/*
 * duckdb_query LIBDUCKDB.so SQL...   runs statements with one thread, and prints the last result's first row, CPU seconds and peak memory. The peer to measure
 * against; nothing else needs DuckDB. The few prototypes are those of its C API (duckdb.h).
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

typedef struct {
	uint64_t deprecated[3];
	void *tables[2];
	void *internal;
} result;

static void *library;

static void *need(const char *name)
{
	void *f = dlsym(library, name);

	if (!f) {
		fprintf(stderr, "duckdb_query: no %s\n", name);
		exit(3);
	}
	return f;
}

int main(int argc, char **argv)
{
	int (*open_db)(const char *, void **), (*connect)(void *, void **);
	int (*query)(void *, const char *, result *);
	const char *(*error)(result *);
	char *(*value)(result *, uint64_t, uint64_t);
	uint64_t (*columns)(result *);
	struct rusage usage;
	void *db, *con;
	result r;

	if (argc < 3 || !(library = dlopen(argv[1], RTLD_NOW))) {
		fprintf(stderr, "usage: duckdb_query LIBDUCKDB.so SQL...\n");
		return 2;
	}
	*(void **)&open_db = need("duckdb_open");
	*(void **)&connect = need("duckdb_connect");
	*(void **)&query = need("duckdb_query");
	*(void **)&error = need("duckdb_result_error");
	*(void **)&value = need("duckdb_value_varchar");
	*(void **)&columns = need("duckdb_column_count");
	if (open_db(NULL, &db) != 0 || connect(db, &con) != 0 ||
	    query(con, "SET threads = 1", &r) != 0)
		return 3;
	for (int i = 2; i < argc; i++) {
		if (query(con, argv[i], &r) != 0) {
			fprintf(stderr, "duckdb_query: %s\n", error(&r));
			return 3;
		}
	}
	for (uint64_t i = 0; i < columns(&r); i++)
		printf("%s ", value(&r, i, 0));
	(void)getrusage(RUSAGE_SELF, &usage);
	printf("cpu %.2f peak_mib %ld\n",
	       (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
	       usage.ru_maxrss / 1024);
	return 0;
}
