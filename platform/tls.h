// SPDX-License-Identifier: Apache-2.0
/*
 * Mutual TLS over the loop's streams. Home of mbedTLS' TLS: BIO callbacks on the stream's buffers.
 *
 * Both sides must present a certificate of the one CA (ECDSA P-256). Each side checks a *role*, not
 * an address: the client wants the common name TLS_COLLECTOR_NAME and the use "server", the server
 * takes any name with the use "client" and tells it in `ready`. Certificate dates are enforced by
 * the server; on the client a clock outside the dates is reported in `ready` (struct tls_peer) and
 * not refused: a restored machine's clock may be wrong. TLS 1.2 or later, ECDHE-ECDSA with AES-GCM
 * or ChaCha20-Poly1305 only (RFC 5246, RFC 8422).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"
#include "platform/crypto.h"
#include "platform/err.h"
#include "platform/loop.h"

#define TLS_COLLECTOR_NAME "flowproof-collector"

enum tls_role { TLS_CLIENT, TLS_SERVER };
enum {
	TLS_NAME_MAX = 64
}; /* bytes of a common name with its NUL (RFC 5280 ub-common-name is 64) */

struct tls_config;
struct tls;

/* Who is at the other end, once the handshake is done. */
struct tls_peer {
	char name[TLS_NAME_MAX]; /* common name of the verified certificate */
	bool dates_wrong;  /* client only: our clock lies outside the peer's certificate's dates */
	char protocol[16]; /* "TLSv1.2" */
	uint8_t certificate[SHA256_BYTES]; /* SHA-256 of the verified certificate's DER */
};

/* What a connection tells its owner. `closed` comes once and last; the owner then calls tls_free().
 */
struct tls_ops {
	void (*ready)(void *ctx, const struct tls_peer *peer);
	void (*input)(void *ctx, const uint8_t *bytes,
		      size_t len);  /* decrypted; valid during the call */
	void (*drained)(void *ctx); /* tls_pending() became 0 */
	void (*closed)(
		void *ctx,
		const char *why); /* one sentence: "certificate expired", "closed by peer", ... */
};

/* Reads the PEM files. The error names the file and what is wrong with it (unreadable, no
 * certificate in it, key does not belong to the certificate). Without a `ca_file` it is the CA that was
 * built in (TLS_CA_FILE of Kconfig). */
int tls_config_new(struct tls_config **ret, enum tls_role role, const char *ca_file,
		   const char *cert_file, const char *key_file, struct err *err);
/* After the last connection was freed or closed, before the loop is. */
void tls_config_free(struct tls_config *config);
/* Common name of our own certificate. Borrowed from the config. */
const char *tls_config_name(const struct tls_config *config);

/* Server: the certificates on this list (PEM, RFC 5280 section 5) are refused from now on. It takes the
 * place of the list before. ERR_TLS when it is none, or not signed by the CA: then the list before
 * stays. `name`: of the file, for the error. A list that is out of date holds all the same. */
int tls_config_revoke(struct tls_config *config, const char *pem, const char *name,
		      struct err *err);

/* Client: connects and shakes hands within `timeout_ms` (not 0), or `closed` comes. Borrows config,
 * ops and ctx. What the kernel refuses at once (no route) is an error here. */
int tls_connect(struct tls **ret, struct loop *loop, const struct tls_config *config,
		const struct endpoint *peer, uint32_t timeout_ms, const struct tls_ops *ops,
		void *ctx, struct err *err);

/* Server: takes ownership of `fd` from loop_listen(). The handshake must end within `timeout_ms`.
 */
int tls_accept(struct tls **ret, struct loop *loop, const struct tls_config *config, int fd,
	       uint32_t timeout_ms, const struct tls_ops *ops, void *ctx, struct err *err);

/* Has anything come from the peer? */
bool tls_heard(const struct tls *tls);

/* Server, after `ready`: is the peer's certificate on the list that holds now? */
bool tls_is_revoked(const struct tls *tls);

/* Encrypts and queues all bytes (only after `ready`). 0, or negative when the connection is broken:
 * `closed` follows. */
int tls_write(struct tls *tls, const void *bytes, size_t len);
/* Encrypted bytes not yet handed to the kernel. */
size_t tls_pending(const struct tls *tls);
/* Stops or resumes taking input: back-pressure. */
void tls_pause(struct tls *tls, bool pause);
/* Sends close_notify after what is queued and closes when the peer has closed too or 1 s has
 * passed; no callback comes any more. The owner must not use `tls` afterwards. tls_config_free()
 * ends it earlier: what the kernel takes at once goes out. */
void tls_close(struct tls *tls);
/* Closes at once. NULL is fine. No callback comes any more. */
void tls_free(struct tls *tls);
