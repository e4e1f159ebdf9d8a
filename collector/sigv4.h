// SPDX-License-Identifier: Apache-2.0
/*
 * AWS Signature Version 4 in the Authorization header ("Signature Version 4 signing process", AWS General Reference;
 * for S3 "Authenticating Requests (AWS Signature Version 4)"). Pure: the same input gives the same output.
 *
 * The path is encoded once and not normalised, which is what S3 wants of keys and what changes nothing for services
 * that are spoken to at "/".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/err.h"

enum {
	SIGV4_TARGET = 8192, /* path and query, encoded */
	SIGV4_AUTHORIZATION = 2048,
	SIGV4_DATE = 17,      /* "20150830T123600Z" */
	SIGV4_PAIRS_MAX = 32, /* of query, and of headers with those that the signer adds */
};

struct sigv4_pair {
	const char *name, *value;
};

/* Borrowed. */
struct sigv4_credentials {
	const char *access_key, *secret_key;
	const char *token; /* of a session; NULL: none */
};

struct sigv4_request {
	const char *method;
	const char
		*host; /* as the Host header has it: with the port unless it is the scheme's own */
	const char *path;               /* from "/" on, not encoded; its slashes stay */
	const struct sigv4_pair *query; /* not encoded, in any order; a value may be "" */
	size_t n_query;
	const struct sigv4_pair
		*headers; /* that are sent beside Host, X-Amz-Date and X-Amz-Security-Token, in any
					     order; same names are one list (RFC 9110, section 5.3) */
	size_t n_headers;
	const char *payload; /* hex of the body's SHA-256, or "UNSIGNED-PAYLOAD" */
	const char *region, *service;
	uint64_t now_s; /* Unix seconds */
};

/* To be sent as it is, with X-Amz-Security-Token: the token, if there is one. */
struct sigv4_signed {
	char target[SIGV4_TARGET]; /* path and query of the request line */
	char date[SIGV4_DATE];     /* X-Amz-Date */
	char authorization[SIGV4_AUTHORIZATION];
};

/* 0; ERR_FULL with a sentence when it does not fit the sizes above; -ENOMEM. */
int sigv4_sign(struct sigv4_signed *ret, const struct sigv4_request *request,
	       const struct sigv4_credentials *credentials, struct err *err);
