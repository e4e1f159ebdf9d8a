// SPDX-License-Identifier: Apache-2.0
/*
 * names_tls: see names_tls.h.
 */
#include "sensor/names_tls.h"

#include <string.h>

#include "platform/bytes.h"

enum {
	RECORD_HANDSHAKE = 22,
	RECORD_MAX = 16384 + 2048, /* bytes of one; RFC 5246, 6.2.3 */
	CLIENT_HELLO = 1,
	VERSION_MAJOR = 3,
	HEAD = 4,        /* of the handshake */
	FIXED = 2 + 32,  /* version, random */
	SERVER_NAME = 0, /* extensions */
	ALPN = 16,
	HOST_NAME = 0, /* the one kind of a server name */
};

/* The cursor on the next `size` bytes' number of bytes, and behind them. */
static struct rd vector(struct rd *rd, unsigned size)
{
	const uint8_t *p = rd_take(rd, size);
	size_t n = p ? (size == 1 ? p[0] : be16(p)) : 0;
	const uint8_t *body = rd_take(rd, n);

	return rd_init(body ? body : rd->p, body ? n : 0);
}

static void server_name(struct tls_hello *ret, struct rd ext)
{
	struct rd list = vector(&ext, 2);

	while (rd_left(&list)) {
		uint8_t kind = rd_u8(&list);
		struct rd name = vector(&list, 2);

		if (list.bad || kind != HOST_NAME || ret->name.len)
			return;
		/* A dot at the end is not allowed, so it is not kept. */
		if (rd_left(&name) && name.end[-1] == '.')
			name.end--;
		while (rd_left(&name))
			names_put_byte(&ret->name, rd_u8(&name), "\\");
	}
}

static void protocols(struct tls_hello *ret, struct rd ext)
{
	struct rd list = vector(&ext, 2);
	size_t len = 0;

	while (rd_left(&list)) {
		struct rd name = vector(&list, 1);
		struct names_text text = {0};

		while (rd_left(&name))
			names_put_byte(&text, rd_u8(&name), "\\,");
		if (list.bad || len + text.len + 1 > BATCH_ALPN_MAX)
			return;
		if (len)
			ret->alpn[len++] = ',';
		memcpy(ret->alpn + len, text.text, text.len + 1);
		len += text.len;
	}
}

static enum names_read hello(struct tls_hello *ret, struct rd rd)
{
	struct rd extensions;

	rd_take(&rd, FIXED);
	(void)vector(&rd, 1); /* session */
	(void)vector(&rd, 2); /* ciphers */
	(void)vector(&rd, 1); /* compression */
	if (rd.bad)
		return NAMES_BAD;
	if (!rd_left(&rd))
		return NAMES_DONE; /* SSL 3.0 had no extensions */
	extensions = vector(&rd, 2);
	while (rd_left(&extensions)) {
		const uint8_t *type = rd_take(&extensions, 2);
		struct rd ext = vector(&extensions, 2);

		if (extensions.bad)
			break;
		if (be16(type) == SERVER_NAME)
			server_name(ret, ext);
		else if (be16(type) == ALPN)
			protocols(ret, ext);
	}
	return rd.bad || extensions.bad ? NAMES_BAD : NAMES_DONE;
}

enum names_read tls_read(struct tls_hello *ret, const uint8_t *bytes, size_t len)
{
	uint8_t *flat = ret->flat;
	struct rd rd = rd_init(bytes, len);
	size_t have = 0, want = HEAD;

	ret->name = (struct names_text){0};
	ret->alpn[0] = 0;
	while (have < want) {
		const uint8_t *head = rd_take(&rd, 5);
		size_t n, left = rd_left(&rd);

		if (!head)
			return len && (bytes[0] != RECORD_HANDSHAKE ||
				       (len > 1 && bytes[1] != VERSION_MAJOR))
				       ? NAMES_BAD
				       : NAMES_MORE;
		n = be16(head + 3);
		if (head[0] != RECORD_HANDSHAKE || head[1] != VERSION_MAJOR || n == 0 ||
		    n > RECORD_MAX)
			return NAMES_BAD;
		n = n < left ? n : left;
		n = n < sizeof ret->flat - have ? n : sizeof ret->flat - have;
		memcpy(flat + have, rd_take(&rd, n), n);
		have += n;
		if (have && flat[0] != CLIENT_HELLO)
			return NAMES_BAD;
		if (have >= HEAD) {
			want = HEAD + (be32(flat) & 0xffffff);
			if (want > sizeof ret->flat)
				return NAMES_BAD;
		}
		if (have < want && n == left)
			return NAMES_MORE;
	}
	return hello(ret, rd_init(flat + HEAD, want - HEAD));
}
