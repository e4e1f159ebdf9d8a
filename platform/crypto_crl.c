// SPDX-License-Identifier: Apache-2.0
/*
 * Lists of revoked certificates (RFC 5280 section 5), written with mbedTLS' ASN.1 writer, which goes
 * from the end of a buffer to its begin.
 *
 *   CertificateList  SEQUENCE { TBSCertList, ecdsa-with-SHA256, BIT STRING signature }
 *   TBSCertList      SEQUENCE { 1 (v2), ecdsa-with-SHA256, issuer, thisUpdate, nextUpdate,
 *                    SEQUENCE OF SEQUENCE { serial, revocationDate }, [0] { cRLNumber } }
 *
 * The extension authorityKeyIdentifier is left out: the CA has one key. *
 * nextUpdate is the end of the CA: a list is replaced when there is something to revoke, and one that
 * is not replaced must not shut every sensor out at midnight.
 */
#include "platform/crypto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mbedtls/asn1write.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crl.h>

#include "platform/crypto_issuer.h"
#include "platform/crypto_pem.h"
#include "platform/file.h"

enum { CRL_FILE_MAX = 1024 * 1024, CRL_ENTRY_MAX = 64, CRL_REST_MAX = 2048 };

/* A buffer that is filled from its end; `rc` keeps the first failure. */
struct backwards {
	unsigned char *p, *start;
	int rc;
};

static size_t put(struct backwards *b, int written)
{
	if (written < 0 && b->rc == 0)
		b->rc = written;
	return written < 0 ? 0 : (size_t)written;
}

/* Length and tag before `len` bytes of content; the length of all. */
static size_t wrap(struct backwards *b, size_t len, unsigned char tag)
{
	len += put(b, mbedtls_asn1_write_len(&b->p, b->start, len));
	return len + put(b, mbedtls_asn1_write_tag(&b->p, b->start, tag));
}

static size_t put_bytes(struct backwards *b, const unsigned char *bytes, size_t len,
			unsigned char tag)
{
	return wrap(b, put(b, mbedtls_asn1_write_raw_buffer(&b->p, b->start, bytes, len)), tag);
}

/* UTCTime before 2050, GeneralizedTime from then on (RFC 5280 section 4.1.2.5). */
static size_t put_time(struct backwards *b, const mbedtls_x509_time *t)
{
	char text[80];
	int skip = t->year < 2050 ? 2 : 0;
	int n = snprintf(text, sizeof text, "%04d%02d%02d%02d%02d%02dZ", t->year, t->mon, t->day,
			 t->hour, t->min, t->sec);

	return put_bytes(b, (const unsigned char *)text + skip, (size_t)(n - skip),
			 skip ? MBEDTLS_ASN1_UTC_TIME : MBEDTLS_ASN1_GENERALIZED_TIME);
}

static mbedtls_x509_time time_of(uint64_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		return (mbedtls_x509_time){.year = 1970, .mon = 1, .day = 1};
	return (mbedtls_x509_time){tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
				   tm.tm_hour,        tm.tm_min,     tm.tm_sec};
}

static size_t put_entry(struct backwards *b, const mbedtls_x509_buf *serial,
			const mbedtls_x509_time *when)
{
	size_t len = put_time(b, when);

	len += put_bytes(b, serial->p, serial->len, MBEDTLS_ASN1_INTEGER);
	return wrap(b, len, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
}

/* ecdsa-with-SHA256, without parameters (RFC 5758 section 3.2). */
static size_t put_algorithm(struct backwards *b)
{
	size_t len = put(b, mbedtls_asn1_write_oid(&b->p, b->start, MBEDTLS_OID_ECDSA_SHA256,
						   MBEDTLS_OID_SIZE(MBEDTLS_OID_ECDSA_SHA256)));

	return wrap(b, len, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
}

/* id-ce-cRLNumber, INTEGER in an OCTET STRING, in SEQUENCE OF Extension, in [0]. */
static size_t put_number(struct backwards *b, uint64_t number)
{
	static const unsigned char oid[] = {0x55, 0x1d, 0x14};
	unsigned char bytes[9] = {0}; /* a leading 0: positive */
	size_t len, skip = 0;

	for (size_t i = 0; i < 8; i++)
		bytes[1 + i] = (unsigned char)(number >> (56 - 8 * i));
	while (skip < 8 && bytes[skip] == 0 && bytes[skip + 1] < 0x80)
		skip++;
	len = put_bytes(b, bytes + skip, sizeof bytes - skip, MBEDTLS_ASN1_INTEGER);
	len = wrap(b, len, MBEDTLS_ASN1_OCTET_STRING);
	len += put_bytes(b, oid, sizeof oid, MBEDTLS_ASN1_OID);
	len = wrap(b, len, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
	len = wrap(b, len, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
	return wrap(b, len, MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED);
}

/* What a list is made from. */
struct list {
	struct crypto_issuer issuer;
	mbedtls_x509_crt cert; /* to be revoked */
	mbedtls_x509_crl old;
	size_t old_bytes; /* of its file; 0: there was none */
};

static size_t put_list(struct backwards *b, const struct list *l, uint64_t now_s)
{
	mbedtls_x509_time now = time_of(now_s);
	size_t len = put_number(b, now_s), entries = put_entry(b, &l->cert.serial, &now);

	for (const mbedtls_x509_crl_entry *e = &l->old.entry; e && e->serial.len; e = e->next)
		entries += put_entry(b, &e->serial, &e->revocation_date);
	len += wrap(b, entries, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
	len += put_time(b, &l->issuer.cert.valid_to);
	len += put_time(b, &now);
	len += put(b, mbedtls_asn1_write_raw_buffer(&b->p, b->start, l->issuer.cert.subject_raw.p,
						    l->issuer.cert.subject_raw.len));
	len += put_algorithm(b);
	len += put(b, mbedtls_asn1_write_int(&b->p, b->start, 1));
	return wrap(b, len, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
}

/* The list that stands at `list`, signed. */
static size_t put_signed(struct backwards *b, struct list *l, const unsigned char *list,
			 size_t list_len)
{
	unsigned char digest[SHA256_BYTES], signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
	size_t signature_len = 0, len;

	crypto_sha256(digest, list, list_len);
#if MBEDTLS_VERSION_NUMBER < 0x03000000
	b->rc = mbedtls_pk_sign(&l->issuer.key, MBEDTLS_MD_SHA256, digest, sizeof digest, signature,
				&signature_len, crypto_pem_random, NULL);
#else
	b->rc = mbedtls_pk_sign(&l->issuer.key, MBEDTLS_MD_SHA256, digest, sizeof digest, signature,
				sizeof signature, &signature_len, crypto_pem_random, NULL);
#endif
	len = put(b, mbedtls_asn1_write_bitstring(&b->p, b->start, signature, signature_len * 8));
	len += put_algorithm(b);
	len += put(b, mbedtls_asn1_write_raw_buffer(&b->p, b->start, list, list_len));
	return wrap(b, len, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
}

/* Makes the list as PEM text. *ret is to be freed also on failure. */
static int make_pem(struct list *l, uint64_t now_s, char **ret, struct err *err)
{
	size_t size = l->old_bytes + CRL_ENTRY_MAX + CRL_REST_MAX, len, written;
	unsigned char *inner = malloc(size), *outer = malloc(size);
	struct backwards list, all;
	int rc;

	*ret = malloc(2 * size);
	if (!inner || !outer || !*ret) {
		rc = err_set(err, -ENOMEM, "out of memory for a list of revoked certificates");
		goto out;
	}
	list = (struct backwards){.p = inner + size, .start = inner};
	all = (struct backwards){.p = outer + size, .start = outer};
	len = put_list(&list, l, now_s);
	rc = list.rc;
	if (rc == 0) {
		len = put_signed(&all, l, list.p, len);
		rc = all.rc;
	}
	if (rc == 0)
		rc = mbedtls_pem_write_buffer("-----BEGIN X509 CRL-----\n",
					      "-----END X509 CRL-----\n", all.p, len,
					      (unsigned char *)*ret, 2 * size, &written);
	if (rc != 0)
		rc = err_set(err, ERR_TLS,
			     "cannot make the list of revoked certificates (mbedTLS -0x%04x)",
			     (unsigned)-rc);
out:
	free(inner);
	free(outer);
	return rc;
}

static int read_old(struct list *l, const char *file, struct err *err)
{
	char *pem;
	size_t len;
	int rc;

	if (access(file, F_OK) < 0 && errno == ENOENT)
		return 0;
	rc = file_read_all(file, CRL_FILE_MAX, &pem, &len, err);
	if (rc != 0)
		return rc;
	rc = mbedtls_x509_crl_parse(&l->old, (const unsigned char *)pem, len + 1);
	free(pem);
	if (rc != 0)
		return err_set(err, ERR_FORMAT, "%s: not a list of revoked certificates", file);
	if (l->old.issuer_raw.len != l->issuer.cert.subject_raw.len ||
	    memcmp(l->old.issuer_raw.p, l->issuer.cert.subject_raw.p, l->old.issuer_raw.len) != 0)
		return err_set(err, ERR_FORMAT, "%s: the list is another CA's", file);
	l->old_bytes = len;
	return 0;
}

int crypto_crl_revoke(const struct crypto_crl_request *rq, struct err *err)
{
	struct list *l = calloc(1, sizeof *l);
	char *pem = NULL;
	int rc;

	if (!l)
		return err_set(err, -ENOMEM, "out of memory for a list of revoked certificates");
	crypto_issuer_init(&l->issuer);
	mbedtls_x509_crt_init(&l->cert);
	mbedtls_x509_crl_init(&l->old);
	rc = crypto_issuer_read(&l->issuer, rq->issuer_cert, rq->issuer_key, err);
	if (rc == 0)
		rc = crypto_pem_cert(&l->cert, rq->cert_file, err);
	if (rc == 0)
		rc = read_old(l, rq->crl_file, err);
	if (rc == 0 && l->old_bytes && mbedtls_x509_crt_is_revoked(&l->cert, &l->old))
		rc = err_set(err, ERR_EXISTS, "%s was revoked already", rq->cert_file);
	if (rc == 0)
		rc = make_pem(l, rq->now_s, &pem, err);
	if (rc == 0)
		rc = file_replace(rq->crl_file, pem, strlen(pem), 0644, err);
	free(pem);
	mbedtls_x509_crl_free(&l->old);
	mbedtls_x509_crt_free(&l->cert);
	crypto_issuer_fini(&l->issuer);
	free(l);
	return rc;
}
