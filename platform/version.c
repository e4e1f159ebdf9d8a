// SPDX-License-Identifier: Apache-2.0
#include "platform/version.h"

#include <string.h>

#include "platform/version_text.h"

#if defined(__clang__)
#	define COMPILER __VERSION__
#else
#	define COMPILER "gcc " __VERSION__
#endif

const char *version_build(void)
{
	return VERSION_NUMBER " " VERSION_SOURCE " " VERSION_CONFIGURATION;
}

void version_print(const char *program, FILE *out)
{
	static const char libraries[] = VERSION_LIBRARIES; /* "NAME VERSION,NAME VERSION,..." */

	fprintf(out,
		"%s " VERSION_NUMBER "\nsource " VERSION_SOURCE
		"\nconfiguration " VERSION_CONFIGURATION "\ncompiler " COMPILER "\n",
		program);
	if (!*libraries)
		fputs("libraries of this machine, shared\n", out);
	for (const char *at = libraries; *at;) {
		size_t len = strcspn(at, ",");

		fprintf(out, "library %.*s\n", (int)len, at);
		at += len + (at[len] == ',');
	}
}
