// SPDX-License-Identifier: Apache-2.0
/*
 * What lies among Flow Logs and is none: known by its first bytes, so that it is told by its name instead of line by line.
 */
#include <string.h>

#include "evidence/flowlogs_parts.h"

#define BYTES(text) (text), sizeof(text) - 1
#define WEB         "XML or a web page, such as an error that a server answered: fetch it again"
#define CAPTURE                                                                                    \
	"a capture of packets: flowproof-sensor -r reads it, --records takes what that prints"
#define UTF16 "UTF-16: make it UTF-8 (iconv -f UTF-16 -t UTF-8)"

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
	{BYTES("\0"), 1, UTF16}, /* of ASCII, without a mark */
	{BYTES("\x04\x22\x4d\x18"), 0, "LZ4 is not read: unlz4 it"},
	{BYTES("\xff\x06\x00\x00sNaPpY"), 0, "Snappy is not read: take it apart first"},
	{BYTES("7z\xbc\xaf"), 0, "a 7z archive: unpack it"},
	{BYTES("H4sI"), 0, "gzip in base64: base64 -d it, gzip itself is read"},
	{BYTES("Obj\x01"), 0, "Avro is not read: make it text"},
	{BYTES("SQLite format 3"), 0, "a SQLite database: export its table as CSV"},
	{BYTES("%PDF"), 0, "PDF is not read: fetch the log itself"},
	{BYTES("\xd4\xc3\xb2\xa1"), 0, CAPTURE},
	{BYTES("\xa1\xb2\xc3\xd4"), 0, CAPTURE},
	{BYTES("\x0a\x0d\x0d\x0a"), 0, CAPTURE},
	{BYTES("events:\n"), 0, "YAML is not read: ask the AWS CLI with --output json"},
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
