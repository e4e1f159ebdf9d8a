// SPDX-License-Identifier: Apache-2.0
/*
 * TLS, inside: what tls_config.c (certificates) and tls.c (connections) share.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>

#include "platform/tls.h"

enum { TLS_RECORD_MAX = 16 * 1024 };

/* What the connections of a config share and change; single-threaded, so one buffer serves all. */
struct tls_shared {
	struct tls *closing; /* list: given up by their owners with tls_close() */
	uint8_t plain[TLS_RECORD_MAX];
#ifdef MBEDTLS_X509_CRL_PARSE_C
	mbedtls_x509_crl revoked; /* server; empty at first */
#endif
};

struct tls_config {
	mbedtls_ssl_config ssl;
	mbedtls_x509_crt ca;
	mbedtls_x509_crt own;
	mbedtls_pk_context key;
	enum tls_role role;
	char name[TLS_NAME_MAX];
	struct tls_shared *shared;
};

/* The one common name, if it is one that we would issue. */
bool tls_cert_name(char out[static TLS_NAME_MAX], const mbedtls_x509_crt *crt);
bool tls_cert_has_role(const mbedtls_x509_crt *crt, enum tls_role role);
