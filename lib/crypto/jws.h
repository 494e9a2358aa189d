/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed JSON in its compact form (RFC 7515): BASE64URL(header).BASE64URL(payload).BASE64URL(signature), strictly:
 * three segments, no padding, no blanks. The algorithm is ES256 and nothing else, whatever the header says: who takes
 * it from there lets the sender choose "none".
 *
 * Thread: any.
 */
#ifndef SLUICE_CRYPTO_JWS_H
#define SLUICE_CRYPTO_JWS_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/mem.h"

#define JWS_ES256_BYTES 64

struct jws {
    const char *is_signed; /* header.payload, as it came; part of the text */
    size_t signed_n;
    const char *header; /* decoded, with a NUL behind; in the arena */
    size_t header_n;
    const char *payload;
    size_t payload_n;
    unsigned char signature[JWS_ES256_BYTES]; /* r and s */
    bool has_signature;                       /* false: it has another length, or is no base64url */
};

/* False: not three segments, or header or payload are no base64url. text must outlive out. */
bool jws_split(const char *text, size_t n, struct arena *a, struct jws *out);
/* key: EC on P-256. */
bool jws_verify(const struct jws *jws, EVP_PKEY *key);
/* Appends the compact form. key: EC on P-256, private. RC_FATAL: libcrypto refuses. */
enum rc jws_sign(const char *header, const char *payload, EVP_PKEY *key, struct buf *out, struct err *err) MUST_USE;

#endif
