/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-GCM of what is in memory; the tag of 16 bytes stands behind the ciphertext. A nonce must never serve twice
 * under one key. Aborts where there is no memory, or libcrypto has no AES-GCM.
 *
 * Thread: any.
 */
#ifndef SLUICE_CRYPTO_AES_GCM_H
#define SLUICE_CRYPTO_AES_GCM_H

#include <stdbool.h>
#include <stddef.h>

#define AES_GCM_KEY_BYTES 32
#define AES_GCM_NONCE_BYTES 12 /* the usual one; others are hashed to it */
#define AES_GCM_NONCE_BYTES_MAX 64
#define AES_GCM_TAG_BYTES 16

/* aad, the additional data, is covered by the tag and not in the message; may be NULL with 0 bytes. */
struct aes_gcm {
    const unsigned char *key;
    size_t key_n; /* 16 or 32; 0 = AES_GCM_KEY_BYTES */
    const void *nonce;
    size_t nonce_n; /* 1 to AES_GCM_NONCE_BYTES_MAX */
    const void *aad;
    size_t aad_n;
};

/* Writes n + AES_GCM_TAG_BYTES bytes; n at most 1 GiB. */
void aes_gcm_seal(const struct aes_gcm *g, const void *plain, size_t n, void *out);
/* n counts the tag. Writes n - AES_GCM_TAG_BYTES bytes; false: the tag is wrong, out holds zeros. */
bool aes_gcm_open(const struct aes_gcm *g, const void *sealed, size_t n, void *out);

#endif
