/* SPDX-License-Identifier: Apache-2.0 */
/* How an Apple Pay token is encrypted: what verifying and signing have in common. Thread: any. */
#ifndef SLUICE_CHANNEL_APPLEPAY_KEY_H
#define SLUICE_CHANNEL_APPLEPAY_KEY_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "crypto/aes_gcm.h"
#include "crypto/sha256.h"

#define APPLEPAY_HEX_BYTES_MAX 64

/* AES-256 where it was agreed upon; where it was wrapped, the length says which. */
struct applepay_message_key {
    unsigned char bytes[32];
    size_t n; /* 16 or 32 */
};

/* The hash of the merchant's id, out of his certificate. False: it is not in there. */
bool applepay_merchant_hash(const X509 *certificate, unsigned char out[SHA256_BYTES]);
/* ECDH, then one round of the key derivation of NIST SP 800-56A with SHA-256. */
bool applepay_agree(EVP_PKEY *own, EVP_PKEY *peer, const unsigned char merchant_hash[SHA256_BYTES],
                    struct applepay_message_key *out);
/* RSA-OAEP. */
bool applepay_unwrap(EVP_PKEY *own, const void *wrapped, size_t n, struct applepay_message_key *out);

/* n bytes; out has room for AES_GCM_TAG_BYTES more. */
void applepay_encrypt(const struct applepay_message_key *key, const void *plain, size_t n, void *out);
/* n counts the tag; out has room for n - AES_GCM_TAG_BYTES. False: the tag is wrong. */
bool applepay_decrypt(const struct applepay_message_key *key, const void *sealed, size_t n, void *out);

/* Hexadecimal of 1 to APPLEPAY_HEX_BYTES_MAX bytes. */
bool applepay_unhex(const char *hex, unsigned char out[APPLEPAY_HEX_BYTES_MAX], size_t *out_n);

#endif
