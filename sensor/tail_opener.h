// SPDX-License-Identifier: Apache-2.0
/*
 * tail, opener: the process that opens log files after the start, since the sensor itself can open nothing then.
 *
 * It is forked before the sensor opens anything, holds the folders of the files, and answers one question: what is
 * at the name now, and where is the file that was there before? A name comes from the settings, never from the
 * question. It only reads: as user 65534 with the one capability that reading a log of root's takes
 * (CAP_DAC_READ_SEARCH; started without root none), with Landlock below those folders alone, without network. It
 * follows no link and opens nothing but regular files. It ends with the sensor.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/err.h"
#include "platform/sandbox.h"

enum {
	TAIL_HEAD = 1024,     /* bytes of a file's begin that tell it from others */
	TAIL_TAIL = 4096,     /* bytes before where it was read to */
	TAIL_NAME = 128,      /* bytes of a sibling's name or a reason, with NUL */
	TAIL_SIBLINGS = 4096, /* names of a folder that are looked at */
};

/* What is known of the file that is followed. */
struct tail_ask {
	uint64_t dev, ino; /* 0: none is open */
	uint64_t offset;   /* up to which it was read */
	int64_t since_s;   /* Unix seconds: all was well then */
	uint32_t head_len, tail_len;
	uint8_t head[TAIL_HEAD], tail[TAIL_TAIL]; /* tail ends at the offset */
	uint16_t file;
	bool wants_copy; /* it shrank: is there a sibling with what it held? */
};

enum tail_there {
	TAIL_ABSENT,
	TAIL_SAME,
	TAIL_OTHER,      /* another regular file: its descriptor comes */
	TAIL_UNREADABLE, /* `error`, or what else it is: `text` */
};

/* Where the file that is followed went; only if it is not at its name, or a copy is wanted. */
enum tail_sibling {
	TAIL_NOWHERE, /* in this folder */
	TAIL_MOVED,
	TAIL_COPIED, /* another file holds its head and tail: its descriptor comes */
	TAIL_PACKED, /* a .gz that is new and says it holds so many bytes */
};

struct tail_answer {
	uint64_t dev, ino; /* of TAIL_OTHER */
	int32_t error;     /* errno */
	uint16_t file;
	uint8_t there;        /* enum tail_there */
	uint8_t sibling;      /* enum tail_sibling */
	char text[TAIL_NAME]; /* of TAIL_UNREADABLE: why */
	char name[TAIL_NAME]; /* of the sibling, printable */
	int fd, copy;         /* taken by whom the answer is given to; -1: none */
};

/* Do these bytes stand there in the file? */
bool tail_stands_at(int fd, uint64_t offset, const uint8_t *bytes, size_t len);

struct tail_opener;

/* Opens the folders and forks. ERR_USAGE for a path whose folder cannot be opened. `sandbox`: whom to become;
 * NULL: --no-sandbox. */
int tail_opener_start(struct tail_opener **ret, const char *const *paths, size_t n,
		      const struct sandbox *sandbox, struct err *err);
/* To be waited for. */
int tail_opener_fd(const struct tail_opener *opener);
/* False: it is gone, or does not take more questions now. */
bool tail_opener_ask(struct tail_opener *opener, const struct tail_ask *ask);
/* 1: an answer; 0: none now; -errno: it is gone. `wait`: for as long as it takes. */
int tail_opener_take(struct tail_opener *opener, struct tail_answer *ret, bool wait);
void tail_opener_free(struct tail_opener *opener);
size_t tail_opener_memory(void);
