/* SPDX-License-Identifier: Apache-2.0 */
/* Keys for a message: agreed upon (ECDH on P-256), or wrapped (RSA-OAEP). Thread: any. */
#ifndef SLUICE_CRYPTO_AGREE_H
#define SLUICE_CRYPTO_AGREE_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

#define ECDH_P256_BYTES 32
#define RSA_OAEP_BYTES_MAX 1024 /* of what was wrapped: RSA of 8192 bits */

/* A public key on P-256 as certificates have it (SubjectPublicKeyInfo in DER), and nothing behind it; NULL otherwise.
 */
EVP_PKEY *ecdh_p256_peer(const void *der, size_t n);
/* The shared secret, always of 32 bytes: zeros in front belong to it. False: libcrypto refuses, out holds zeros. */
bool ecdh_p256(EVP_PKEY *own, EVP_PKEY *peer, unsigned char out[ECDH_P256_BYTES]);

/* RSA-OAEP with SHA-256, for MGF1 too. False: it does not open, or has more than out_size bytes; out holds zeros. */
bool rsa_oaep_open(EVP_PKEY *own, const void *in, size_t n, unsigned char *out, size_t out_size, size_t *out_n);
/* Room for RSA_OAEP_BYTES_MAX. False: n bytes are too many for the key. */
bool rsa_oaep_seal(EVP_PKEY *peer, const void *in, size_t n, unsigned char *out, size_t *out_n);

#endif
