// SPDX-License-Identifier: Apache-2.0
/*
 * What lies among Flow Logs and is none: known by its first bytes, so that it is told by its name instead of line by line.
 */
#include <string.h>

#include "evidence/flowlogs_parts.h"

#define BYTES(text) (text), sizeof(text) - 1
#define WEB         "XML or a web page, such as an error that a server answered: fetch it again"
#define UTF16       "UTF-16: make it UTF-8 (iconv -f UTF-16 -t UTF-8)"

static const struct {
	const char *bytes;
	size_t len, at;
	const char *sentence;
} foreign[] = {
	{BYTES("\x1f\x8b"), 0, "gzip within gzip: gunzip it once"},
	{BYTES("PK\x03\x04"), 0, "a ZIP archive: unzip it"},
	{BYTES("BZh"), 0, "bzip2 is not read: bunzip2 it"},
	{BYTES("\3757zXZ"), 0, "xz is not read: unxz it"},
	{BYTES("\x28\xb5\x2f\xfd"), 0, "Zstandard is not read: unzstd it"},
	{BYTES("ORC"), 0, "ORC is not read: make it text"},
	{BYTES("ustar"), 257, "a tar archive: unpack it, folders are read as they are"},
	{BYTES("\xff\xfe"), 0, UTF16},
	{BYTES("\xfe\xff"), 0, UTF16},
	{BYTES("<?xml"), 0, WEB},
	{BYTES("<!"), 0, WEB},
	{BYTES("<html"), 0, WEB},
	{BYTES("<Error"), 0, WEB},
	{BYTES("version https://git-lfs"), 0,
	 "a pointer of git-lfs: fetch the file itself (git lfs pull)"},
};

const char *flowlogs_foreign(const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
		if (len >= foreign[i].at + foreign[i].len &&
		    memcmp(text + foreign[i].at, foreign[i].bytes, foreign[i].len) == 0)
			return foreign[i].sentence;
	}
	/* The line ends of old: all of it would be one line. */
	if (len > 1 && *text != '{' && *text != '[' && !memchr(text, '\n', len) &&
	    memchr(text, '\r', len - 1))
		return "its lines end with carriage returns alone: make them line ends (tr '\\r' "
		       "'\\n')";
	return NULL;
}
