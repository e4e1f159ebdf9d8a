// SPDX-License-Identifier: Apache-2.0
/*
 * What of mbedTLS 3.6 goes into the static programs (scripts/deps-static.sh): a TLS 1.3 and 1.2
 * client, ECDHE with ECDSA on P-256 and P-384, AES-GCM and ChaCha20-Poly1305. Random bytes come
 * from crypto_random() alone (mbedtls_psa_external_get_random() in platform/crypto), so there is
 * no generator of mbedTLS' and no entropy pool. The library and whoever includes its headers must be
 * compiled with this one file: layouts depend on it, and nothing checks.
 *
 * FLOWPROOF_MBEDTLS_FULL adds the server and the making of certificates: for the collector, the
 * analyst's command and the unit tests.
 */
#pragma once

#define MBEDTLS_HAVE_ASM
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_VERSION_C

/* ciphers and digests */
#if defined(__x86_64__)
#	define MBEDTLS_AESNI_C
#elif defined(__aarch64__)
#	define MBEDTLS_AESCE_C
#endif
#define MBEDTLS_AES_C
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_AES_FEWER_TABLES
#define MBEDTLS_BLOCK_CIPHER_NO_DECRYPT
#define MBEDTLS_GCM_C
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_CHACHAPOLY_C
#define MBEDTLS_CIPHER_C
#define MBEDTLS_MD_C
#define MBEDTLS_HKDF_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_SMALLER

/* keys */
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 0 /* a table of points for each curve: 6 KB */
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C

/* certificates */
#define MBEDTLS_OID_C
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_BASE64_C
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_REMOVE_INFO

/* TLS */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE
#define MBEDTLS_SSL_OUT_CONTENT_LEN 4096

/* mbedTLS' TLS 1.3 is written against PSA. */
#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
#define MBEDTLS_PSA_ASSUME_EXCLUSIVE_BUFFERS

#if defined(FLOWPROOF_MBEDTLS_FULL)
#	define MBEDTLS_SSL_SRV_C
#	define MBEDTLS_PEM_WRITE_C
#	define MBEDTLS_PK_WRITE_C
#	define MBEDTLS_X509_CRL_PARSE_C
#	define MBEDTLS_X509_CREATE_C
#	define MBEDTLS_X509_CRT_WRITE_C
#	define MBEDTLS_SHA1_C /* the key identifiers of certificates */
#	define MBEDTLS_ERROR_C
#endif
