// SPDX-License-Identifier: Apache-2.0
/*
 * Mutual TLS (RFC 5246, RFC 8422) by mbedTLS, its input and output being the buffers of a loop
 * stream.
 *
 * Output never blocks (the stream queues it), so mbedTLS only ever waits for input: tls_pump() goes
 * on with the handshake or decrypts until it does. A failure is told by a timer, after our alert is
 * out: never from within a call of the owner's. The owner may free or close the connection in any
 * callback; `gone` tells tls_pump() so.
 */
#include "platform/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#include "platform/crypto.h"
#include "platform/tls_parts.h"

/* No accessor tells which alert came in, in 2.28 or 3.6. */
#if MBEDTLS_VERSION_NUMBER < 0x03000000
#	define TLS_IN_MSG(ssl) ((ssl)->in_msg)
#	define TLS_ERR_VERSION MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION
#	define TLS_ERR_HELLO   MBEDTLS_ERR_SSL_BAD_HS_CLIENT_HELLO
#	define TLS_ERR_CIPHER  MBEDTLS_ERR_SSL_NO_CIPHER_CHOSEN
#else
#	define TLS_IN_MSG(ssl) ((ssl)->MBEDTLS_PRIVATE(in_msg))
#	define TLS_ERR_VERSION MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION
#	define TLS_ERR_HELLO   MBEDTLS_ERR_SSL_DECODE_ERROR
#	define TLS_ERR_CIPHER  MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE
#endif

enum {
	TLS_RECORDS_PER_TURN = 32, /* then the other connections have their turn */
	TLS_LINGER_MS = 1000       /* for the peer to take our last words and close */
};

enum tls_state {
	TLS_CONNECTING,
	TLS_HANDSHAKE,
	TLS_READY,
	TLS_FAILED, /* `why` is set, `closed` has to be told */
	TLS_TOLD,   /* `closed` was told */
	TLS_CLOSING /* the owner is gone; waits for the peer to close */
};

struct tls {
	const struct tls_config *config;
	const struct tls_ops *ops;
	void *ctx;
	struct loop_stream *stream;
	struct loop_timer *turn;     /* goes on in the next turn of the loop */
	struct loop_timer *deadline; /* of the handshake, later of the closing */
	mbedtls_ssl_context ssl;
	enum tls_state state;
	bool paused;
	bool heard;    /* something came */
	bool cut;      /* the stream is closed; `why` says why; bytes may be left in it */
	bool reading;  /* within mbedtls_ssl_read() */
	bool answered; /* mbedTLS sent something then: the peer asked to renegotiate */
	bool *gone;    /* of the callback that is running */
	struct tls_peer peer;
	char why[160];
	struct tls *next_closing;
};

/* ---- the peer's certificate ---- */

/* mbedTLS calls it for each certificate of the peer's chain; `flags` has what is wrong with that
 * one. */
static int tls_verify(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	const uint32_t dates = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE;
	struct tls *tls = ctx;
	bool client = tls->config->role == TLS_CLIENT;

	if (client && (*flags & dates) != 0) {
		tls->peer.dates_wrong = true;
		*flags &= ~dates;
	}
	/* A list that nobody renewed must not shut every sensor out. */
	*flags &= ~(uint32_t)(MBEDTLS_X509_BADCRL_EXPIRED | MBEDTLS_X509_BADCRL_FUTURE);
	if (depth > 0)
		return 0;
	crypto_sha256(tls->peer.certificate, crt->raw.p, crt->raw.len);
	if (!tls_cert_name(tls->peer.name, crt))
		*flags |= MBEDTLS_X509_BADCERT_OTHER;
	if (!tls_cert_has_role(crt, client ? TLS_SERVER : TLS_CLIENT))
		*flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
	return 0;
}

/* ---- reasons ---- */

/* The alerts that a peer with other certificates, dates or settings sends (RFC 5246, 7.2.2). */
static const struct {
	uint8_t code;
	const char *text;
} alert_texts[] = {
	{MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE, "handshake failure"},
	{MBEDTLS_SSL_ALERT_MSG_NO_CERT, "no certificate"},
	{MBEDTLS_SSL_ALERT_MSG_BAD_CERT, "bad certificate"},
	{MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT, "unsupported certificate (not for this role)"},
	{MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED, "certificate revoked"},
	{MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED, "certificate expired"},
	{MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN, "certificate unknown"},
	{MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA, "unknown CA"},
	{MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED, "access denied"},
	{MBEDTLS_SSL_ALERT_MSG_DECRYPT_ERROR, "decrypt error"},
	{MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION, "protocol version"},
	{MBEDTLS_SSL_ALERT_MSG_INSUFFICIENT_SECURITY, "insufficient security"},
	{MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR, "internal error"},
};

static void alert_text(char *out, size_t cap, uint8_t code)
{
	for (size_t i = 0; i < sizeof(alert_texts) / sizeof(alert_texts[0]); i++)
		if (alert_texts[i].code == code) {
			(void)snprintf(out, cap, "refused by peer: %s alert", alert_texts[i].text);
			return;
		}
	(void)snprintf(out, cap, "refused by peer: alert %u", code);
}

/* The first fault of the list names the remedy best: a stranger's expired certificate is a
 * stranger's. */
static const char *verify_text(const struct tls *tls, uint32_t flags)
{
	const uint32_t role = MBEDTLS_X509_BADCERT_CN_MISMATCH | MBEDTLS_X509_BADCERT_KEY_USAGE |
			      MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
			      MBEDTLS_X509_BADCERT_NS_CERT_TYPE;
	const uint32_t kind = MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK |
			      MBEDTLS_X509_BADCERT_BAD_KEY;

	if (flags & MBEDTLS_X509_BADCERT_MISSING)
		return "no certificate presented";
	if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
		return "certificate not signed by our CA";
	if (flags & MBEDTLS_X509_BADCERT_REVOKED)
		return "certificate revoked";
	if (flags & MBEDTLS_X509_BADCERT_EXPIRED)
		return "certificate expired";
	if (flags & MBEDTLS_X509_BADCERT_FUTURE)
		return "certificate not yet valid";
	if (flags & role)
		return tls->config->role == TLS_CLIENT
			       ? "certificate is not for the collector's role"
			       : "certificate is not for a sensor's role";
	if (flags & kind)
		return "certificate's key or signature is not ECDSA P-256 or P-384 with SHA-2";
	if (flags & MBEDTLS_X509_BADCERT_OTHER)
		return "certificate's common name is not usable as a name";
	return "certificate refused";
}

static void error_text(char *out, size_t cap, const struct tls *tls, int rc)
{
	char detail[96] = "";
	const char *text = NULL;

	switch (rc) {
	case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
		text = verify_text(tls, mbedtls_ssl_get_verify_result(&tls->ssl));
		break;
	case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
		alert_text(out, cap, TLS_IN_MSG(&tls->ssl)[1]);
		return;
	case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE: text = "no certificate presented"; break;
	case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
	case MBEDTLS_ERR_SSL_CONN_EOF: text = "closed by peer"; break;
	case TLS_ERR_CIPHER: text = "no cipher suite in common"; break;
	case TLS_ERR_VERSION: text = "peer does not offer TLS 1.2 or later"; break;
	case TLS_ERR_HELLO:
	case MBEDTLS_ERR_SSL_BAD_INPUT_DATA: /* a record longer than any may be */
	case MBEDTLS_ERR_SSL_INVALID_RECORD:
		text = tls->state == TLS_HANDSHAKE ? "peer does not speak TLS"
						   : "broken TLS record";
		break;
	case MBEDTLS_ERR_SSL_INVALID_MAC: text = "broken TLS record"; break;
	case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE: text = "unexpected TLS message"; break;
	default: break;
	}
	if (text) {
		(void)snprintf(out, cap, "%s", text);
		return;
	}
#if defined(MBEDTLS_ERROR_C)
	mbedtls_strerror(rc, detail, sizeof(detail));
#endif
	(void)snprintf(out, cap, "TLS failure -0x%04x %s", (unsigned)-rc, detail);
}

/* ---- life of a connection ---- */

static void tls_tell(struct tls *tls)
{
	loop_timer_cancel(tls->turn);
	loop_timer_cancel(tls->deadline);
	tls->state = TLS_TOLD;
	tls->ops->closed(tls->ctx, tls->why);
}

/* `closed` is told in the next turn; the alert that mbedTLS may have queued goes out before. */
static void tls_fail(struct tls *tls, const char *why)
{
	if (tls->state >= TLS_FAILED)
		return;
	tls->state = TLS_FAILED;
	if (why != tls->why)
		(void)snprintf(tls->why, sizeof(tls->why), "%s", why);
	loop_timer_cancel(tls->deadline);
	loop_timer_set(tls->turn, 0);
}

static void tls_fail_rc(struct tls *tls, int rc)
{
	char why[sizeof(tls->why)];

	error_text(why, sizeof(why), tls, rc);
	/* mbedTLS sends an alert itself for all that it finds wrong but this. */
	if (rc == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE)
		(void)mbedtls_ssl_send_alert_message(&tls->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
						     MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
	tls_fail(tls, why);
}

static void tls_now_ready(struct tls *tls)
{
	tls->state = TLS_READY;
	loop_timer_cancel(tls->deadline);
	(void)snprintf(tls->peer.protocol, sizeof(tls->peer.protocol), "%s",
		       mbedtls_ssl_get_version(&tls->ssl));
	if (tls->paused)
		loop_stream_pause(tls->stream, true);
	tls->ops->ready(tls->ctx, &tls->peer);
}

/* One record in, if a whole one is there: mbedTLS' answer. */
static int tls_take(struct tls *tls)
{
	int rc;

	tls->reading = true;
	rc = mbedtls_ssl_read(&tls->ssl, tls->config->shared->plain, TLS_RECORD_MAX);
	tls->reading = false;
	if (rc == 0)
		return MBEDTLS_ERR_SSL_CONN_EOF;
	/* Nobody honest asks for it; each request is answered by an alert, into a queue without
	 * bound. */
	if (tls->answered && (rc > 0 || rc == MBEDTLS_ERR_SSL_WANT_READ))
		return MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE;
	return rc;
}

static void tls_pump(struct tls *tls)
{
	bool gone = false;
	int rc = MBEDTLS_ERR_SSL_WANT_READ;

	/* cppcheck-suppress autoVariables; taken back before this returns, or `tls` is no more */
	tls->gone = &gone;
	if (tls->state == TLS_HANDSHAKE) {
		rc = mbedtls_ssl_handshake(&tls->ssl);
		if (rc == 0)
			tls_now_ready(tls);
	}
	for (int n = 0; !gone && tls->state == TLS_READY && !tls->paused; n++) {
		if (n == TLS_RECORDS_PER_TURN) {
			loop_timer_set(tls->turn, 0);
			tls->gone = NULL;
			return;
		}
		rc = tls_take(tls);
		if (rc <= 0)
			break;
		tls->ops->input(tls->ctx, tls->config->shared->plain, (size_t)rc);
	}
	if (gone)
		return;
	tls->gone = NULL;
	if (tls->state != TLS_HANDSHAKE && tls->state != TLS_READY)
		return;
	if (rc < 0 && rc != MBEDTLS_ERR_SSL_WANT_READ)
		tls_fail_rc(tls, rc);
	else if (tls->cut) /* all that had come is taken, or nobody wants it now: an owner who waits
			      must hear of it */
		tls_fail(tls, tls->why);
}

static void tls_turn(void *ctx)
{
	struct tls *tls = ctx;

	if (tls->state == TLS_FAILED)
		tls_tell(tls);
	else
		tls_pump(tls);
}

static void tls_deadline(void *ctx)
{
	struct tls *tls = ctx;

	if (tls->state == TLS_CLOSING) {
		tls_free(tls);
		return;
	}
	(void)snprintf(tls->why, sizeof(tls->why), "%s timed out",
		       tls->state == TLS_CONNECTING ? "connecting" : "TLS handshake");
	tls_tell(tls);
}

static void tls_stream_connected(void *ctx)
{
	struct tls *tls = ctx;

	/* Too late: the deadline has passed, and `closed` was told. */
	if (tls->state != TLS_CONNECTING)
		return;
	tls->state = TLS_HANDSHAKE;
	tls_pump(tls);
}

static void tls_stream_input(void *ctx)
{
	struct tls *tls = ctx;

	if (tls->state == TLS_HANDSHAKE || tls->state == TLS_READY) {
		tls_pump(tls);
		return;
	}
	/* Taken and thrown away: closing a socket with unread input would reset it and lose our
	 * last words. */
	while (loop_stream_read(tls->stream, tls->config->shared->plain, TLS_RECORD_MAX) > 0)
		;
}

static void tls_stream_drained(void *ctx)
{
	struct tls *tls = ctx;

	if (tls->state == TLS_READY && tls->ops->drained)
		tls->ops->drained(tls->ctx);
}

static void tls_stream_closed(void *ctx, const char *why)
{
	struct tls *tls = ctx;

	tls->cut = true;
	switch (tls->state) {
	case TLS_CONNECTING:
		(void)snprintf(tls->why, sizeof(tls->why), "cannot connect: %s", why);
		tls_fail(tls, tls->why);
		break;
	case TLS_HANDSHAKE:
		(void)snprintf(tls->why, sizeof(tls->why), "%s during the TLS handshake", why);
		tls_pump(tls);
		break;
	case TLS_READY:
		(void)snprintf(tls->why, sizeof(tls->why), "%s without a TLS goodbye", why);
		tls_pump(tls);
		break;
	case TLS_CLOSING: tls_free(tls); break;
	case TLS_FAILED:
	case TLS_TOLD:
	default: break;
	}
}

static const struct loop_stream_ops tls_stream_ops = {
	.connected = tls_stream_connected,
	.input = tls_stream_input,
	.drained = tls_stream_drained,
	.closed = tls_stream_closed,
};

/* ---- mbedTLS' input and output ---- */

static int tls_send(void *ctx, const unsigned char *bytes, size_t len)
{
	struct tls *tls = ctx;

	if (tls->reading)
		tls->answered = true;
	if (loop_stream_write(tls->stream, bytes, len) != 0)
		return MBEDTLS_ERR_SSL_ALLOC_FAILED;
	return (int)len;
}

static int tls_recv(void *ctx, unsigned char *out, size_t cap)
{
	struct tls *tls = ctx;
	size_t n = loop_stream_read(tls->stream, out, cap);

	tls->heard = tls->heard || n > 0;
	return n > 0 ? (int)n : MBEDTLS_ERR_SSL_WANT_READ;
}

/* ---- the owner's calls ---- */

static int tls_new(struct tls **ret, struct loop *loop, const struct tls_config *config,
		   uint32_t timeout_ms, const struct tls_ops *ops, void *ctx)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	int rc;

	if (!tls)
		return -ENOMEM;
	tls->config = config;
	tls->ops = ops;
	tls->ctx = ctx;
	mbedtls_ssl_init(&tls->ssl);
	rc = loop_timer_new(&tls->turn, loop, tls_turn, tls);
	if (rc == 0)
		rc = loop_timer_new(&tls->deadline, loop, tls_deadline, tls);
	if (rc == 0)
		rc = mbedtls_ssl_setup(&tls->ssl, &config->ssl);
	if (rc == 0 && config->role == TLS_CLIENT)
		rc = mbedtls_ssl_set_hostname(&tls->ssl, TLS_COLLECTOR_NAME);
	if (rc != 0) {
		tls_free(tls);
		return -ENOMEM;
	}
	mbedtls_ssl_set_verify(&tls->ssl, tls_verify, tls);
	mbedtls_ssl_set_bio(&tls->ssl, tls, tls_send, tls_recv, NULL);
	loop_timer_set(tls->deadline, timeout_ms);
	*ret = tls;
	return 0;
}

int tls_connect(struct tls **ret, struct loop *loop, const struct tls_config *config,
		const struct endpoint *peer, uint32_t timeout_ms, const struct tls_ops *ops,
		void *ctx, struct err *err)
{
	struct tls *tls;
	int rc = tls_new(&tls, loop, config, timeout_ms, ops, ctx);

	if (rc != 0)
		return err_set(err, rc, "out of memory for a TLS connection");
	/* Our own deadline covers the connecting as well. */
	rc = loop_connect(&tls->stream, loop, peer, 0, &tls_stream_ops, tls, err);
	if (rc != 0) {
		tls_free(tls);
		return rc;
	}
	*ret = tls;
	return 0;
}

int tls_accept(struct tls **ret, struct loop *loop, const struct tls_config *config, int fd,
	       uint32_t timeout_ms, const struct tls_ops *ops, void *ctx, struct err *err)
{
	struct tls *tls;
	int rc = tls_new(&tls, loop, config, timeout_ms, ops, ctx);

	if (rc != 0) {
		close(fd);
		return err_set(err, rc, "out of memory for a TLS connection");
	}
	tls->state = TLS_HANDSHAKE;
	rc = loop_stream_adopt(&tls->stream, loop, fd, &tls_stream_ops, tls);
	if (rc != 0) {
		tls_free(tls);
		return err_set(err, rc, "out of memory for a TLS connection");
	}
	*ret = tls;
	return 0;
}

bool tls_heard(const struct tls *tls)
{
	return tls->heard;
}

int tls_write(struct tls *tls, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	size_t done = 0;
	int rc;

	if (tls->state != TLS_READY || tls->cut)
		return ERR_TLS;
	while (done < len) {
		rc = mbedtls_ssl_write(&tls->ssl, &p[done], len - done);
		if (rc <= 0) {
			tls_fail_rc(tls, rc);
			return ERR_TLS;
		}
		done += (size_t)rc;
	}
	return 0;
}

#ifdef MBEDTLS_X509_CRL_PARSE_C
bool tls_is_revoked(const struct tls *tls)
{
	const mbedtls_x509_crt *peer = mbedtls_ssl_get_peer_cert(&tls->ssl);

	return peer && mbedtls_x509_crt_is_revoked(peer, &tls->config->shared->revoked) != 0;
}
#endif

size_t tls_pending(const struct tls *tls)
{
	return loop_stream_pending(tls->stream);
}

void tls_pause(struct tls *tls, bool pause)
{
	tls->paused = pause;
	if (tls->state != TLS_READY)
		return;
	loop_stream_pause(tls->stream, pause);
	if (!pause)
		loop_timer_set(tls->turn, 0);
}

void tls_close(struct tls *tls)
{
	if (!tls)
		return;
	if (tls->state != TLS_READY || tls->cut || mbedtls_ssl_close_notify(&tls->ssl) != 0) {
		tls_free(tls);
		return;
	}
	/* The peer closes when it has read all; till then its input is thrown away. */
	tls->state = TLS_CLOSING;
	tls->next_closing = tls->config->shared->closing;
	tls->config->shared->closing = tls;
	loop_timer_cancel(tls->turn);
	loop_timer_set(tls->deadline, TLS_LINGER_MS);
	loop_stream_pause(tls->stream, false);
}

void tls_free(struct tls *tls)
{
	struct tls **at;

	if (!tls)
		return;
	if (tls->gone)
		*tls->gone = true;
	for (at = &tls->config->shared->closing; *at; at = &(*at)->next_closing)
		if (*at == tls) {
			*at = tls->next_closing;
			break;
		}
	loop_stream_free(tls->stream);
	loop_timer_free(tls->turn);
	loop_timer_free(tls->deadline);
	mbedtls_ssl_free(&tls->ssl);
	free(tls);
}
