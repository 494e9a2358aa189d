/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RSA signatures, PKCS#1 v1.5 with SHA-256, over a message in parts. A key is read once and prepared for its use:
 * reading PEM for each message takes sixteen times as long as the signature's arithmetic.
 *
 * Keys are counted: who keeps one takes a reference. Private keys are wiped with the last of them; no function prints
 * one.
 *
 * Thread: any; a key may be used by several threads at once.
 */
#ifndef SLUICE_CRYPTO_RSA_H
#define SLUICE_CRYPTO_RSA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "crypto/sha256.h"

#define RSA_BITS_MIN 2048  /* what a platform signs with is never shorter */
#define RSA_BITS_WEAK 1024 /* what a verdict can still be given on */
#define RSA_BITS_MAX 8192
#define RSA_SIGNATURE_BYTES_MAX (RSA_BITS_MAX / 8)
#define RSA_SERIAL_MAX 64 /* hexadecimal digits of a certificate's serial number, with the NUL */

struct rsa_key;

/* What a certificate says besides its key. */
struct rsa_certificate {
    bool there;                  /* false: the file has a bare public key, the rest is empty */
    char serial[RSA_SERIAL_MAX]; /* upper-case hexadecimal, whole bytes: zeros in front stay */
    int64_t not_before_s;        /* seconds since 1970, UTC */
    int64_t not_after_s;
};

/*
 * The first certificate or public key in PEM, or a public key as bare base64 of its DER (as Alipay hands them out).
 * RC_FATAL with ERR_CONFIG: none of these, not RSA, shorter or longer than allowed. *out_key is the caller's.
 */
enum rc rsa_read_public(const char *text, size_t n, struct rsa_key **out_key, struct rsa_certificate *out_cert,
                        struct err *err) MUST_USE;
/* The same, but takes keys from RSA_BITS_WEAK on: for a verdict that names what is wrong with them. */
enum rc rsa_read_public_weak(const char *text, size_t n, struct rsa_key **out_key, struct rsa_certificate *out_cert,
                             struct err *err) MUST_USE;
/* A private key in PEM, without a passphrase; or bare base64 of its DER. The same errors; none shows the key. */
enum rc rsa_read_private(const char *text, size_t n, struct rsa_key **out_key, struct err *err) MUST_USE;

struct rsa_key *rsa_ref(struct rsa_key *key);
struct rsa_key *rsa_unref(struct rsa_key *key); /* accepts NULL, returns NULL */
void rsa_unrefp(struct rsa_key **key);
unsigned rsa_bits(const struct rsa_key *key);
bool rsa_can_sign(const struct rsa_key *key);

/* Is it this key's signature of the parts, one behind the other? */
bool rsa_verify(const struct rsa_key *key, const struct sha256_part *parts, size_t n_parts, const void *signature,
                size_t signature_n);
/* Room for RSA_SIGNATURE_BYTES_MAX. RC_FATAL: a public key, or libcrypto refuses. */
enum rc rsa_sign(const struct rsa_key *key, const struct sha256_part *parts, size_t n_parts, void *out_signature,
                 size_t *out_n, struct err *err) MUST_USE;

#endif
