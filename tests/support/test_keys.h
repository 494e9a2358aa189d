/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys, certificates and signatures for tests, made with OpenSSL and nothing of ours, so that they judge ours. Texts
 * are heap memory of the caller. What goes wrong here aborts.
 */
#ifndef SLUICE_TESTS_TEST_KEYS_H
#define SLUICE_TESTS_TEST_KEYS_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

/* Private RSA keys in PEM. */
extern const char TEST_KEY_A[], TEST_KEY_B[], TEST_KEY_WEAK[];

EVP_PKEY *test_key(const char *pem);
char *test_public_pem(EVP_PKEY *key);
char *test_public_bare(EVP_PKEY *key); /* base64 of its DER, nothing around it */
/* Issued to and by "CN=\xe8\x9a\x82 1,O=Pay\\, Test,C=CN", in RFC 2253. */
char *test_certificate(EVP_PKEY *key, const char *serial_hex, int64_t not_before_s, int64_t not_after_s);
/* SHA-256 with RSA, in base64. */
char *test_sign(EVP_PKEY *key, const void *text, size_t n);
/* AES-256-GCM under a key of 32 bytes, the tag behind it, in base64; aad may be NULL. */
char *test_seal(const char *key, const char *nonce, const char *aad, const char *plain);

#endif
